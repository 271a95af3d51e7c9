"""`archcalc explain`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, network_options
from archcalc.cli.terminal import echo

MOST = 10_000  # layers that are explained at once


@click.command("explain", short_help="Show how every number of a layer came about.")
@click.argument("spec")
@click.argument("layer", required=False)
@network_options
@batch_option
def command(spec: str, layer: str | None, batch: int, **network: Any) -> None:
    """Show how the numbers of LAYER in SPEC came about, step by step with the values put in; without it of every layer,
    or of the first 10,000.

    Letters: N, C size and channels of the input (N for every axis of positions), M, K those of the output, F kernel,
    S stride, P padding (of one end; of both for "same"), D dilation, E effective kernel, G groups, A output padding,
    h heads, V and d embeddings and their size, n how many positions a layer reads, r and j size and jump of the field
    of the input (r also the factor of an upsampling).
    """
    loaded = archcalc.load(spec, batch=batch, **network)
    names = [layer] if layer is not None else [row.name for row in loaded.layers]
    for number, name in enumerate(names[:MOST]):
        echo(("\n" if number else "") + str(loaded.explain(name)))
    if len(names) > MOST:
        echo(f"note: the first {MOST:,} of {len(names):,} layers are explained; name a LAYER for another", err=True)
