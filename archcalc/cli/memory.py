"""`archcalc memory`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.analysis.least_batch import least_batch
from archcalc.analysis.memory import DTYPES, OPTIMIZERS, check_options
from archcalc.cli.options import depth_option, network_options
from archcalc.cli.terminal import echo, output_is_terminal, terminal_style
from archcalc.errors import UsageError
from archcalc.network import Network
from archcalc.numbers.bounds import AtLeast, AtMost, Lower, causes_of, known, reason_of, value_text
from archcalc.numbers.units import mebibytes
from archcalc.quantities import BYTES, whole_amount
from archcalc.render.json_text import json_text
from archcalc.render.text_table import reason_lines
from archcalc.report.memory_table import FORMATS, collapse_memory, render_memory


def _parse_size(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Bytes of a text such as `8GiB`, rounded down."""
    return None if text is None else whole_amount(text, BYTES, "max")


@click.command("memory", short_help="Say how much memory inference and training take, and which batch fits.")
@click.argument("spec")
@network_options
@click.option("--batch", type=click.IntRange(min=1), help="Samples at once.  [default: 1]")
@click.option("--dtype", type=click.Choice(DTYPES), help="Of weights and activations.  [default: as the spec says]")
@click.option("--optimizer", type=click.Choice([*OPTIMIZERS]), help="Whose state to count, with --training.")
@click.option("--fits", metavar="SIZE", callback=_parse_size, help="Say which batch fits into 8GiB, 500MB, bytes.")
@depth_option
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), help="[default: table in a terminal, plain in a pipe]"
)
def command(  # noqa: PLR0913  # one for each option
    spec: str,
    *,
    batch: int | None,
    dtype: str | None,
    optimizer: str | None,
    fits: int | None,
    depth: int | None,
    format_name: str | None,
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
        raise UsageError("--fits finds the batch: leave --batch out")
    check_options(dtype, training, optimizer)
    loaded = archcalc.load(spec, batch=batch or 1, training=training, **network)
    options = {"dtype": dtype, "training": training, "optimizer": optimizer}
    if fits is not None:
        sys.exit(_print_largest(loaded, fits, format_name == "json", options))
    memory = collapse_memory(loaded.memory(**options), loaded.graph, depth)  # type: ignore[arg-type]
    chosen = format_name or ("table" if output_is_terminal() else "plain")
    echo(render_memory(memory, loaded.graph, chosen, terminal_style()))


def _print_largest(network: Network, limit: int, as_json: bool, options: dict[str, Any]) -> int:
    """The largest batch that fits, and the exit code."""
    largest, least = network.largest_batch(limit, **options), least_batch(network.context, options["training"])
    batch = largest.value if isinstance(largest, AtMost) else largest
    more = network.memory(**options, batch=batch + 1 if batch else least).peak
    found = network.memory(**options, batch=batch).peak if batch else None
    if as_json:
        record = {
            "limit": limit,
            "largest_batch": batch,
            "least_batch": least,
            "upper_bound": isinstance(largest, AtMost),
            "peak": None if found is None else known(found),
            "peak_of_next": known(more),
            "lower_bound": isinstance(more, AtLeast),
            "unknown": reason_of(more),
        }
        echo(json_text(record))
    else:
        echo("\n".join(_answer(largest, least, limit, found, more)))
    return 0 if batch and batch == largest else 1


def _answer(
    largest: int | AtMost[int], least: int, limit: int, found: Lower[int] | None, more: Lower[int]
) -> list[str]:
    """Which batch fits, and the reasons if that cannot be said."""
    size, next_peak = mebibytes(limit), _bytes(more)
    if found is None:
        smallest = "one sample" if least == 1 else f"batch {least}, the smallest that PyTorch runs,"
        lines = [f"not even {smallest} fits into {size}: its peak is {next_peak}"]
        if limit < 2**10:
            lines.append(f"that is {limit:,} bytes; a larger amount has a unit, such as 8GiB or 8GB")
    elif isinstance(largest, AtMost):
        lines = [
            f"at most batch {largest.value:,} fits into {size}: its peak is {_bytes(found)}",
            "whether it fits cannot be said",
            f"one more sample would take {next_peak}",
        ]
    else:
        lines = [
            f"batch {largest:,} fits into {size}: its peak is {_bytes(found)}",
            f"one more sample would take {next_peak}",
        ]
    return [*lines, *reason_lines("≥", causes_of(more), terminal_style())]


def _bytes(size: Lower[int]) -> str:
    return f"{value_text(size)} bytes, {value_text(size, mebibytes)}"
