"""`archcalc diagram`."""

import os
from typing import Any

import click

import archcalc
from archcalc.cli.options import (
    MAX_DIGITS,
    BadValue,
    FileName,
    WordChoice,
    network_options,
    propose_blocks,
    proposing,
    spec_argument,
)
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.terminal import echo
from archcalc.diagram.image_files import FORMATS, SCALE, check_scale, convert_svg
from archcalc.diagram.look import Look
from archcalc.diagram.picture import draw
from archcalc.diagram.quantities import HEATS, LINES, check_names
from archcalc.diagram.style import STYLES
from archcalc.errors import UsageError, quoted

FORMS = (*FORMATS, "dot")


class Depth(click.ParamType):  # type: ignore[type-arg]  # it takes none in older releases of click
    """A number of levels, or `all`."""

    name = "depth"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if value == "all":
            return 0
        if not isinstance(value, int) and not (value.isdecimal() and len(value) <= MAX_DIGITS):
            raise BadValue(f"{quoted(str(value))} is no depth", "write a number of levels, or all")
        return int(value)


@click.command("diagram", short_help="Draw the network as SVG, PDF, PNG or DOT.")
@spec_argument
@network_options
@click.option("-o", "--output", type=FileName(), help="The file to write; by default, SVG is printed.")
@click.option("--to", "form", type=WordChoice(FORMS), help="[default: by the file's ending, else svg]")
@click.option(
    "--depth", type=Depth(), metavar="N", help="Collapse blocks below this depth; all or 0 opens every block."
)
@click.option(
    "--show",
    default="",
    metavar="NAMES",
    shell_complete=proposing(LINES, several=True),
    help=f"Add lines to the cards, separated by commas: {', '.join(LINES)}.",
)
@click.option("--heat", type=WordChoice(HEATS), help="Colour layers by a quantity, or by the findings of check.")
@click.option(
    "--direction",
    type=WordChoice(["TB", "LR"]),
    default="TB",
    show_default=True,
    help="From top to bottom, or from left to right.",
)
@click.option(
    "--style", type=WordChoice([*STYLES]), default="color", show_default=True, help="Colours; paper is for print."
)
@click.option(
    "--block", metavar="NAME", shell_complete=propose_blocks, help="Draw only this block of the network, opened."
)
@click.option("--volumes", is_flag=True, help="Draw feature maps as boxes to scale, in a row.")
@click.option("--every-copy", is_flag=True, help="Draw every copy of a repeated block.")
@click.option("--title/--no-title", default=True, help="Show the name and the totals above the drawing.")
@click.option("--legend/--no-legend", default=True, help="Show the meaning of colours, and notes.")
@click.option(
    "--scale",
    type=float,
    metavar="N",
    help=f"Pixels of the PNG for each pixel of the SVG.  [default: {SCALE:g}]",
)
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(spec: str, output: str | None, form: str | None, show: str, force: bool, **options: Any) -> None:
    """Draw SPEC: layers as cards with type, essential fields and output shape, blocks as frames.

    The program dot computes the layout if it is installed, else the bundled Graphviz. PNG and PDF are converted from
    the SVG without other programs; PDF needs pip install 'archcalc[pdf]'.

    Without --depth, if there would be more than 60 cards, only the first block of each kind is open, or none. --block
    draws one block, with its inputs as dashed cards; --depth then counts from that block.

    --volumes draws the classic picture of a convolutional network: maps as boxes, heights and widths to scale. A row
    that is too long continues below. It takes the options --depth, --style, --block, --no-title and --no-legend.
    """
    chosen = form or _form(output)
    if output is None and chosen in ("pdf", "png"):
        raise UsageError(f"{chosen.upper()} is binary", f"name a file, as in -o model.{chosen}")
    scale = options.pop("scale")
    if scale is not None and chosen != "png":
        raise UsageError(f"--scale is for PNG, and {chosen.upper()} has no pixels")
    check_scale(SCALE if scale is None else scale)
    if output is not None:
        check_writable(output, force)
    names = check_names(tuple(name.strip() for name in show.split(",") if name.strip()))
    look = Look(show=names, **{name: options.pop(name) for name in Look._fields if name != "show"})
    is_volumes = options.pop("volumes")
    network = archcalc.load(spec, **options)
    drawn = _volumes(network, chosen, look) if is_volumes else _diagram(network, chosen, look)
    _put(convert_svg(drawn, chosen, SCALE if scale is None else scale), output, force)


def _put(content: str | bytes, output: str | None, force: bool) -> None:
    if output is None:
        echo(content, nl=False)
    else:
        write_file(output, content, force)


def _diagram(network: archcalc.Network, form: str, look: Look) -> str:
    """The diagram as DOT; as SVG for all other formats."""
    from archcalc.diagram.dot import to_dot
    from archcalc.diagram.draw import dot_program, to_svg

    picture = draw(network.context, look)
    if picture.collapsed:
        echo(f"note: {picture.collapsed} (--depth all expands everything)", err=True)
    return to_dot(picture) if form == "dot" else to_svg(picture, dot_program())


def _volumes(network: archcalc.Network, form: str, look: Look) -> str:
    """The drawing of volumes as SVG. Raises UsageError for DOT and for options of cards."""
    if form == "dot":
        raise UsageError("--volumes draws no DOT", "name a file that ends in .svg, .pdf or .png")
    if look._replace(show=(), heat=None, direction="TB", every_copy=False) != look:
        raise UsageError("--volumes takes no --show, --heat, --direction or --every-copy: it draws maps, not cards")
    return network.to_volumes_svg(look.style, look.depth, block=look.block, title=look.title, legend=look.legend)


def _form(output: str | None) -> str:
    if output is None:
        return "svg"
    if os.path.isdir(output):
        raise UsageError(
            f"{quoted(output)} is a folder", f"name a file in it, such as {os.path.join(output, 'diagram.svg')}"
        )
    ending = os.path.splitext(output)[1].lower().removeprefix(".")
    if ending not in FORMS:
        remedy = f"use one of these endings, or add --to: {', '.join(FORMS)}"
        raise UsageError(f"the name {quoted(output)} does not say what to draw", remedy)
    return ending
