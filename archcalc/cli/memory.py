"""`archcalc memory`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.analysis.memory import DTYPES, OPTIMIZERS, check_options
from archcalc.cli.options import WordChoice, depth_option, format_option, network_options, spec_argument
from archcalc.cli.terminal import show
from archcalc.errors import UsageError
from archcalc.quantities import BYTES, whole_amount


def _parse_size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Bytes of a text such as `8GiB`, rounded down."""
    return None if text is None else whole_amount(text, BYTES, "max")


@click.command("memory", short_help="Say how much memory inference and training take, and which batch fits.")
@spec_argument
@network_options
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Number of samples.  [default: 1]")
@click.option(
    "--dtype", type=WordChoice(DTYPES), help="Data type of weights and activations.  [default: as the spec says]"
)
@click.option("--optimizer", type=WordChoice([*OPTIMIZERS]), help="Optimizer whose state is counted, with --training.")
@click.option(
    "--fits",
    metavar="SIZE",
    callback=_parse_size,
    help="Find the largest batch that fits into an amount: 8GiB, 500MB, bytes.",
)
@depth_option
@format_option
def command(  # noqa: PLR0913  # one for each option
    spec: str,
    *,
    batch: int | None,
    dtype: str | None,
    optimizer: str | None,
    fits: int | None,
    depth: int | None,
    format_name: str,
    training: bool,
    **network: Any,
) -> None:
    """Say how much memory SPEC takes, layer by layer, and where most of it is alive at once.

    A value lives until the last layer that reads it is done; with --training also until the backward pass of a layer
    that needs it. Output is what a layer gives (0 for a view), Saved what it keeps for its backward pass; Live, or
    Forward and Backward, is all that is alive at once at most while it runs, weights, buffers and the optimizer's state
    among it. Workspaces of kernels and what an allocator rounds up are not counted. With int8, which is for inference,
    weights and values take a byte each, as if every layer had a kernel for it.

    Where the peak is a lower bound (≥), --fits can only say which batch fits at most. A batch that PyTorch refuses to
    train, as one value for each channel of a batch normalization, is an error, and no answer of --fits.

    Exit codes: 0 fine, 1 not even one sample fits or it cannot be said which batch does, 2 the spec or the command line
    is wrong.
    """
    if fits is not None and batch is not None:
        raise UsageError("--fits finds the batch", "leave --batch out")
    check_options(dtype, training, optimizer)
    loaded = archcalc.load(spec, batch=batch or 1, training=training, **network)
    options = {"dtype": dtype, "training": training, "optimizer": optimizer}
    if fits is not None:
        found = loaded.largest_batch(fits, **options)  # type: ignore[arg-type]
        show(found.document(), format_name)
        sys.exit(0 if found.fits else 1)
    memory = loaded.memory(**options)  # type: ignore[arg-type]
    if format_name == "table":
        show(memory.nested(loaded.graph, depth, loaded.tree(depth)).document(), format_name)
    else:
        show(memory.collapsed(loaded.graph, depth).document(), format_name)
