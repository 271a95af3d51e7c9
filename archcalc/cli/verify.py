"""`archcalc verify`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.cli.options import format_option, network_options, spec_argument
from archcalc.cli.terminal import progress_bar, show


@click.command("verify", short_help="Compare every number with PyTorch.")
@spec_argument
@network_options
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda, mps, or meta (no memory).")
@click.option(
    "--fields",
    metavar="LAYERS",
    help="Layers whose receptive fields are measured: all, none, or names with commas.  [default: all; none on meta]",
)
@click.option("--memory/--no-memory", default=None, help="Also compare the peak memory.  [default: unless on meta]")
@click.option("--differences", is_flag=True, help="Show only rows that differ. JSON and CSV have all rows.")
@format_option
def command(
    spec: str,
    device: str,
    fields: str | None,
    memory: bool | None,
    differences: bool,
    format_name: str,
    **network: Any,
) -> None:
    """Build SPEC in PyTorch, run it, and compare every number of archcalc with PyTorch's, layer by layer.

    Output shapes are from forward hooks, parameters and buffers from the module, operations from PyTorch's own counter
    (2 × MACs, one sample). Receptive fields are from gradients, always on the CPU. The smallest input that works is
    found by trial in both. The peak memory of inference and training is from tracing every storage on the device meta.
    The output of `archcalc export` runs with the same weights. Numbers that PyTorch cannot show are listed as not
    covered. Networks of more than 5,000 layers are refused.

    Exit codes: 0 no difference, 1 something differs, 2 the spec or the command line is wrong.
    """
    loaded = archcalc.load(spec, **network)
    from archcalc.pytorch.verify import verify

    with progress_bar("receptive fields") as progress:
        storages = device != "meta" if memory is None else memory
        verification = verify(loaded, device, _names(fields, device), progress, storages)
    show(verification.document(differences), format_name)
    if not verification.agrees:
        sys.exit(1)


def _names(fields: str | None, device: str) -> list[str] | None:
    """The layers named, or None for all."""
    chosen = ("none" if device == "meta" else "all") if fields is None else fields
    if chosen == "all":
        return None
    return [] if chosen == "none" else [name.strip() for name in chosen.split(",")]
