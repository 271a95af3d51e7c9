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
    given_values,
    network_options,
    proposing,
    specs_argument,
)
from archcalc.cli.settings import SpecWithSettings, load_specs, parse_specs
from archcalc.cli.terminal import echo, show
from archcalc.errors import UsageError, printable
from archcalc.quantities import SUMS, quantity_name


def _quantity(word: str | None, counting: str | None) -> str:
    """The quantity of every layer; that of the convention, if one is chosen."""
    if word is None:
        return "macs" if counting is None else "count"
    try:
        return quantity_name(word, SUMS if counting is None else (*SUMS, "count"))
    except UsageError as error:
        raise BadValue(error.message, error.help, "--quantity") from None


@click.command("compare", short_help="Set networks side by side: totals, layers and differences.")
@specs_argument("SPEC SPEC...", parse_specs)
@network_options
@batch_option
@depth_option
@counting_option
@click.option(
    "--quantity",
    metavar="NAME",
    shell_complete=proposing([name.replace("_", "-") for name in (*SUMS, "count")]),
    help=f"Which one of every layer to show: {', '.join(name.replace('_', '-') for name in SUMS)}; with --counting, "
    "count.  [default: macs; with --counting, count]",
)
@click.option("--differences", is_flag=True, help="Show only the layers that differ.")
@format_option
def command(
    specs: tuple[SpecWithSettings, ...],
    depth: int | None,
    quantity: str | None,
    differences: bool,
    format_name: str,
    **options: Any,
) -> None:
    """Set networks side by side: their layers, their totals, and how far each is from the first.

    A SPEC may have settings of its own behind a colon, variables and input shapes alike, so that one spec is there
    under several: mobilenet_v1 mobilenet_v1:alpha=0.5,resolution=160. The options --set, --input, --training and
    --batch are for all.

    Layers are beside each other where their names are the same, and between those where their types are. Differences
    are from the first network: absolute, and in percent, or from twice as much on as a multiple.
    """
    counting = options.pop("counting")
    shown = _quantity(quantity, counting)
    comparison = archcalc.compare(load_specs(specs, **options), depth=depth, counting=counting)
    show(comparison.document(shown, differences), format_name)
    if given := given_values(options["variables"], options["inputs"]):
        echo(f"note: every network is with {printable(given)}", err=True)
