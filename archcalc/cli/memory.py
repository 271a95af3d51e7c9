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
    """The bytes of a size such as `8GiB`, rounded down."""
    return None if text is None else whole_amount(text, BYTES, "max")


@click.command("memory", short_help="Print the memory of inference and training, and the largest batch that fits.")
@spec_argument
@network_options
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="Number of samples.  [default: 1]")
@click.option(
    "--dtype", type=WordChoice(DTYPES), help="Data type of weights and activations.  [default: as the spec says]"
)
@click.option("--optimizer", type=WordChoice([*OPTIMIZERS]), help="Count the state of this optimizer, with --training.")
@click.option(
    "--fits",
    metavar="SIZE",
    callback=_parse_size,
    help="Find the largest batch that fits into this memory: 8GiB, 500MB, or bytes.",
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
    """Print the memory that SPEC needs, layer by layer, and the layer at its peak.

    A value is live until its last reader is done; with --training, also until the last backward pass that needs it.
    Output is the size of a layer's output (0 for a view), Saved the size of what its backward pass needs. Live (or
    Forward and Backward) is the peak while the layer runs, with weights, buffers and the state of the optimizer.
    Workspaces of kernels and the rounding of allocators are not counted. int8 is for inference: weights and values take
    one byte, as if every layer had an int8 kernel.

    If the peak is a lower bound (≥), --fits finds an upper bound of the batch. PyTorch refuses to train some batches,
    such as one value per channel of a batch normalization: these are errors, and --fits does not return them.

    Exit codes: 0 fine, 1 not even one sample fits or the batch is unknown, 2 the spec or the command line is wrong.
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
