"""`archcalc receptive-field`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import (
    BadValue,
    FileName,
    WordChoice,
    depth_option,
    format_option,
    network_options,
    propose_layers,
    spec_argument,
)
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.terminal import show
from archcalc.diagram.image_files import convert_svg, image_format
from archcalc.diagram.style import STYLES
from archcalc.errors import UsageError, quoted


def _unit(_context: click.Context, _option: click.Parameter, text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    indices = [part.strip() for part in text.split(",")]
    if not all(index.isascii() and index.isdecimal() and len(index) < 19 for index in indices):
        raise BadValue(f"{quoted(text)} is no unit", "write its row and column, counted from 0, as 3,3")
    return tuple(map(int, indices))


@click.command("receptive-field", short_help="Show the receptive field of one unit, layer by layer.")
@spec_argument
@network_options
@click.option(
    "--layer",
    metavar="NAME",
    shell_complete=propose_layers,
    help="The layer of the unit.  [default: the last with several units that see different parts]",
)
@click.option("--unit", metavar="Y,X", callback=_unit, help="Position of the unit, from 0.  [default: the middle one]")
@click.option(
    "--of", "source", metavar="INPUT", help="The input that the field is on.  [default: the first that the layer sees]"
)
@depth_option
@click.option("--image", type=FileName(), metavar="FILE", help="A PNG or JPEG of at most 5 MiB to draw the field on.")
@click.option("--style", type=WordChoice([*STYLES]), default="color", show_default=True, help="Colours of the drawing.")
@format_option
@click.option("-o", "--output", type=FileName(), metavar="FILE", help="Also draw the field, as SVG, PDF or PNG.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(spec: str, image: str | None, style: str, format_name: str, output: str | None, **options: Any) -> None:
    """Show the receptive field of one unit of a layer in SPEC; -o draws it.

    The table lists exactly the positions that the unit sees, counted from 0. For each earlier layer, it has the unit
    whose field is centred nearest to the unit's field. With padding, a field can exceed the border of the input;
    a column shows by how much. An image is stretched to the input's size and embedded in the drawing.
    """
    question = {key: options.pop(key) for key in ("layer", "unit", "depth", "source")}
    force = options.pop("force")
    if image and not output:
        raise UsageError("--image is for the drawing", "name its file, as in -o field.svg")
    if output:
        file_format = image_format(output)
        check_writable(output, force)
    found = archcalc.load(spec, **options).receptive_field(**question)
    if output:
        from archcalc.diagram.raster import read_raster
        from archcalc.diagram.receptive_field import draw_neuron_field

        drawing = draw_neuron_field(found, style, read_raster(image) if image else None)
        write_file(output, convert_svg(drawing, file_format), force)
    show(found.document(), format_name)
