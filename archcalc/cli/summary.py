"""`archcalc summary`."""

from typing import Any

import click

import archcalc
from archcalc.analysis.summary_document import BY_CONVENTION, COLUMNS, DEFAULT_COLUMNS, check_columns
from archcalc.cli.options import (
    batch_option,
    counting_option,
    depth_option,
    format_option,
    network_options,
    proposing,
    spec_argument,
)
from archcalc.cli.terminal import echo, show
from archcalc.render.document import Document


@click.command("summary", short_help="Print shapes, parameters, MACs and receptive fields, layer by layer.")
@spec_argument
@network_options
@batch_option
@depth_option
@counting_option
@click.option(
    "--columns",
    metavar="NAMES",
    shell_complete=proposing(COLUMNS, several=True),
    help=f"Comma-separated, from: {', '.join(COLUMNS)}.  [default: {', '.join(DEFAULT_COLUMNS)}; with --counting, "
    "count in place of macs]",
)
@format_option
def command(
    spec: str,
    batch: int,
    depth: int | None,
    counting: str | None,
    columns: str | None,
    format_name: str,
    **network: Any,
) -> None:
    """Print output shapes, parameters, MACs and receptive fields of SPEC, layer by layer, and their totals.

    One MAC is one multiplication and one addition, in a convolution, a matrix product or a dense layer. Shapes exclude
    the batch. Jump is the distance between neighbouring units in input pixels.
    """
    names = _columns(columns, counting)
    if counting is None and not set(names).isdisjoint(BY_CONVENTION):
        counting = "macs"
    try:
        show(_document(archcalc.load(spec, batch=batch, **network), depth, counting, names, format_name), format_name)
    except archcalc.ShapeError as error:
        # People see the layers that fit; programs get all or nothing.
        if format_name in ("table", "plain") and error.network.layers:
            show(_document(error.network, depth, counting, names, format_name), format_name)
            echo("")
        raise


def _document(
    network: archcalc.Network, depth: int | None, counting: str | None, columns: tuple[str, ...], format_name: str
) -> Document:
    """The summary; in a terminal, as a tree of blocks."""
    summary = network.collapsed(depth, counting)
    return (summary.nested(network.graph) if format_name == "table" else summary).document(columns)


def _columns(names: str | None, counting: str | None) -> tuple[str, ...]:
    """The chosen columns, or the default ones."""
    if names is None:
        return tuple("count" if name == "macs" and counting is not None else name for name in DEFAULT_COLUMNS)
    return check_columns([name.strip() for name in names.split(",")])
