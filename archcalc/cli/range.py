"""`archcalc range`."""

from typing import Any

import click

import archcalc
from archcalc.analysis.input_range import find_ranges
from archcalc.cli.options import format_option, network_options, spec_argument
from archcalc.cli.terminal import progress_bar, show


@click.command("range", short_help="Print which input sizes work, leave no remainder, and are useful.")
@spec_argument
@network_options
@format_option
def command(spec: str, format_name: str, **network: Any) -> None:
    """Print which sizes n of SPEC's input work, at which of them no stride drops pixels, and which are useful.

    Below the smallest useful size, some convolution sees nothing new: its input already sees the whole image, even
    along the path with the smallest receptive field. Above the largest useful size, no unit sees the whole input before
    a layer that reads the whole map. Both are omitted above 20,000 layers. Equal axes are resized together.
    """
    loaded = archcalc.load(spec, **network)
    with progress_bar("input sizes") as progress:
        ranges = find_ranges(loaded.context, progress)
    show(ranges.document(), format_name)
