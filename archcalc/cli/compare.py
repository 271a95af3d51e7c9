"""`archcalc compare`."""

from typing import Any

import click

from archcalc.cli.options import network_options
from archcalc.cli.settings import SpecWithSettings, load_specs, parse_specs
from archcalc.cli.terminal import output_is_terminal, terminal_style
from archcalc.errors import UsageError
from archcalc.quantities import SUMS, quantity_name
from archcalc.report.comparison import compare
from archcalc.report.comparison_table import FORMATS, render


def _quantity(_context: click.Context, _option: click.Parameter, word: str) -> str:
    try:
        return quantity_name(word, SUMS)
    except UsageError as error:
        raise click.BadParameter(str(error)) from None


@click.command("compare", short_help="Set networks side by side: totals, layers and differences.")
@click.argument("specs", metavar="SPEC SPEC...", nargs=-1, required=True, callback=parse_specs)
@network_options
@click.option(
    "--batch", type=click.IntRange(min=1), default=1, show_default=True, help="Samples at once; multiplies operations."
)
@click.option("--depth", type=click.IntRange(min=1), help="Fold blocks below this depth; 1 shows the top level alone.")
@click.option(
    "--quantity",
    default="macs",
    show_default=True,
    metavar="NAME",
    callback=_quantity,
    help=f"Which one of every layer to show: {', '.join(name.replace('_', '-') for name in SUMS)}.",
)
@click.option("--differences", is_flag=True, help="Show only the layers that differ.")
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), help="[default: table in a terminal, plain in a pipe]"
)
def command(
    specs: tuple[SpecWithSettings, ...],
    depth: int | None,
    quantity: str,
    differences: bool,
    format_name: str | None,
    **network: Any,
) -> None:
    """Set networks side by side: their layers, their totals, and how far each is from the first.

    A SPEC may have settings of its own behind a colon, variables and input shapes alike, so that one spec is there
    under several: mobilenet_v1 mobilenet_v1:alpha=0.5,resolution=160. The options --set, --input, --training and
    --batch are for all.

    Layers are beside each other where their names are the same, and between those where their types are. Differences
    are from the first network: absolute, and in percent, or from twice as much on as a multiple.
    """
    chosen = format_name or ("table" if output_is_terminal() else "plain")
    networks = load_specs(specs, **network)
    click.echo(render(compare(networks, depth), chosen, quantity, differences, terminal_style()))
