"""`archcalc range`."""

from typing import Any

import click

import archcalc
from archcalc.analysis.input_range import find_ranges
from archcalc.cli.options import format_option, network_options, spec_argument
from archcalc.cli.terminal import progress_bar, show


@click.command("range", short_help="Say which sizes of an input work, leave no remainder, and are of use.")
@spec_argument
@network_options
@format_option
def command(spec: str, format_name: str, **network: Any) -> None:
    """Say which sizes n of SPEC's input work, at which no stride drops pixels at the end, and which it can use.

    Below the smallest useful size, some convolution sees nothing new: what it reads sees the whole input already, even
    along the path that widens the receptive field least. Above the largest, no unit sees the whole input before a layer
    that reads the whole map; both are left out above 20,000 layers. Axes of one size change together.
    """
    loaded = archcalc.load(spec, **network)
    with progress_bar("input sizes") as progress:
        ranges = find_ranges(loaded.context, progress)
    show(ranges.document(), format_name)
