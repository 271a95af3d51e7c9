"""`archcalc range`."""

from typing import Any

import click

import archcalc
from archcalc.analysis.input_range import find_ranges
from archcalc.cli.options import network_options
from archcalc.cli.terminal import echo, progress_bar, terminal_style
from archcalc.render.json_text import json_text
from archcalc.report.input_range import ranges_to_dict, render_ranges


@click.command("range", short_help="Say which sizes of an input work, leave no remainder, and are of use.")
@click.argument("spec")
@network_options
@click.option("--format", "format_name", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(spec: str, format_name: str, **network: Any) -> None:
    """Say which sizes n of SPEC's input work, at which no stride drops pixels at the end, and which it can use.

    Below the smallest useful size, some convolution sees nothing new: what it reads sees the whole input already, even
    along the path that widens the receptive field least. Above the largest, no unit sees the whole input before a layer
    that reads the whole map; both are left out above 20,000 layers. Axes of one size change together.
    """
    loaded = archcalc.load(spec, **network)
    with progress_bar("input sizes") as progress:
        ranges = find_ranges(loaded.context, progress)
    if format_name == "json":
        echo(json_text(ranges_to_dict(loaded, ranges)))
    else:
        echo(render_ranges(loaded, ranges, terminal_style()))
