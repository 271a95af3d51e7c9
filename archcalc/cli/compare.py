"""`archcalc compare`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import (
    BadValue,
    batch_option,
    counting_option,
    depth_option,
    format_option,
    format_settings,
    network_options,
    proposing,
    specs_argument,
)
from archcalc.cli.settings import SpecWithSettings, load_specs, parse_specs
from archcalc.cli.terminal import echo, show
from archcalc.errors import UsageError, printable
from archcalc.quantities import SUMS, quantity_name


def _quantity(word: str | None, counting: str | None) -> str:
    """The quantity to compare layer by layer; by default MACs, or the count of the convention."""
    if word is None:
        return "macs" if counting is None else "count"
    try:
        return quantity_name(word, SUMS if counting is None else (*SUMS, "count"))
    except UsageError as error:
        raise BadValue(error.message, error.help, "--quantity") from None


@click.command("compare", short_help="Compare networks side by side: totals, layers and differences.")
@specs_argument("SPEC SPEC...", parse_specs)
@network_options
@batch_option
@depth_option
@counting_option
@click.option(
    "--quantity",
    metavar="NAME",
    shell_complete=proposing([name.replace("_", "-") for name in (*SUMS, "count")]),
    help=f"The quantity to show for each layer: {', '.join(name.replace('_', '-') for name in SUMS)}; with --counting, "
    "count.  [default: macs; with --counting, count]",
)
@click.option("--differences", is_flag=True, help="Show only layers that differ. JSON and CSV have all layers.")
@format_option
def command(
    specs: tuple[SpecWithSettings, ...],
    depth: int | None,
    quantity: str | None,
    differences: bool,
    format_name: str,
    **options: Any,
) -> None:
    """Compare networks side by side: layers, totals, and differences from the first network.

    Variables and input shapes after a colon apply to one SPEC, so that a spec can be compared with itself:
    mobilenet_v1 mobilenet_v1:alpha=0.5,resolution=160. The options --set, --input, --training and --batch apply to all.

    Layers of equal names share a row. Between two such rows, layers of equal types do. Differences are from the first
    network: absolute and in percent, or as a multiple if the value at least doubles.
    """
    counting = options.pop("counting")
    column = _quantity(quantity, counting)
    comparison = archcalc.compare(load_specs(specs, **options), depth=depth, counting=counting)
    show(comparison.document(column, differences), format_name)
    if settings := format_settings(options["variables"], options["inputs"]):
        echo(f"note: every network is with {printable(settings)}", err=True)
