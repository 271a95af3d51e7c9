"""`archcalc summary`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, counting_option, depth_option, network_options
from archcalc.cli.terminal import echo, output_is_terminal, terminal_style
from archcalc.report.table import BY_CONVENTION, COLUMNS, DEFAULT_COLUMNS, FORMATS, check_columns, render


@click.command("summary", short_help="Print shapes, parameters, MACs and receptive fields, layer by layer.")
@click.argument("spec")
@network_options
@batch_option
@depth_option
@counting_option
@click.option(
    "--columns",
    metavar="NAMES",
    help=f"Comma-separated, from: {', '.join(COLUMNS)}.  [default: {', '.join(DEFAULT_COLUMNS)}; with --counting, "
    "count in place of macs]",
)
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), help="[default: table in a terminal, plain in a pipe]"
)
def command(
    spec: str,
    batch: int,
    depth: int | None,
    counting: str | None,
    columns: str | None,
    format_name: str | None,
    **network: Any,
) -> None:
    """Print output shapes, parameters, MACs and receptive fields of SPEC, layer by layer, and their totals.

    One MAC is one multiplication and one addition; counted are those of convolutions, matrix products and dense layers.
    Shapes exclude the batch. Jump is the distance between neighbouring units in input pixels.
    """
    names = _columns(columns, counting)
    if counting is None and not set(names).isdisjoint(BY_CONVENTION):
        counting = "macs"
    chosen = format_name or ("table" if output_is_terminal() else "plain")
    style = terminal_style()
    try:
        echo(render(archcalc.load(spec, batch=batch, **network).collapsed(depth, counting), chosen, names, style))
    except archcalc.ShapeError as error:
        # What does fit is shown for people; a program gets all or nothing.
        if chosen in ("table", "plain") and error.network.layers:
            echo(render(error.network.collapsed(depth, counting), chosen, names, style) + "\n")
        raise


def _columns(names: str | None, counting: str | None) -> tuple[str, ...]:
    """The columns asked for, or the usual ones."""
    if names is None:
        return tuple("count" if name == "macs" and counting is not None else name for name in DEFAULT_COLUMNS)
    return check_columns([name.strip() for name in names.split(",")])
