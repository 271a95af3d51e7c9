"""Pictures are well-formed, and show every layer with the network's numbers."""

import html
import re
from xml.etree import ElementTree

from networks import Drawn

import archcalc
from archcalc.analysis.summary import LayerSummary
from archcalc.diagram.dot import to_dot
from archcalc.diagram.look import look_of
from archcalc.diagram.picture import draw
from archcalc.numbers.bounds import Inexact, known
from archcalc.page.content import Allowance, LayerRow, Pictures, describe
from surfaces.runner import loaded

_CARD = re.compile(r'class="((?:layer-\d+ ?)+)" id="layer-\d+" tooltip="((?:[^"\\]|\\.)*)"', re.DOTALL)
_COUNTS = re.compile(r"^(.+) parameters?, (.+) MACs?$", re.MULTILINE)
_SHAPE = re.compile(r"[\d,]+(×[\d,]+)*")


def check_diagram(drawn: Drawn) -> None:
    """Each layer is on one card, whose tooltip has the sums of its layers; unknown numbers are marked."""
    network = loaded(drawn)
    for depth in (0, None):
        lines = ("parameters", "macs", "receptive-field", "memory")
        try:
            picture = draw(network.context, look_of(depth=depth, show=lines, every_copy=True))
        except archcalc.UsageError as error:
            if depth == 0 and "leave out --depth" in str(error):
                continue  # too large to lay out with all blocks open
            raise
        source = to_dot(picture)
        assert source.startswith("digraph")
        drawn_layers = [check_card(network.layers, *card) for card in _CARD.findall(source)]
        found = sorted(position for positions in drawn_layers for position in positions)
        assert found == [*range(len(network.layers))], "layers that are missing, or drawn twice"


def check_card(layers: tuple[LayerSummary, ...], classes: str, tooltip: str) -> list[int]:
    """Checks the sums in a card's tooltip; returns the positions of its layers."""
    positions = [int(name.removeprefix("layer-")) for name in classes.split()]
    sums = _COUNTS.search(html.unescape(tooltip))
    assert sums, tooltip
    rows = [layers[position] for position in positions]
    for text, counts in zip(sums.groups(), ([r.parameters for r in rows], [r.macs for r in rows]), strict=True):
        sure = sum(count for count in counts if not isinstance(count, Inexact))
        if any(isinstance(count, Inexact) for count in counts):
            assert text == f"≥ {sure:,}" or (text == "unknown" and not sure), (text, counts)
        else:
            assert text == f"{sure:,}", (text, counts)
    return positions


def check_volumes(drawn: Drawn) -> None:
    """Every size in the SVG is that of an input or of a layer's output, or the network is refused with a reason."""
    network = loaded(drawn)
    try:
        text = network.to_volumes_svg()
    except archcalc.UsageError:
        return
    picture = ElementTree.fromstring(text)
    assert picture.tag.endswith("svg")
    shapes = {*network.inputs.values(), *(row.output_shape for row in network.layers)}
    names = {
        *network.inputs,
        network.name,
        *(part for row in network.layers for part in (row.name, *row.name.split("."))),
    }
    for element in picture.iter("{http://www.w3.org/2000/svg}text"):
        text = "".join(element.itertext())
        if _SHAPE.fullmatch(text) and text not in names:
            assert tuple(int(size.replace(",", "")) for size in text.split("×")) in shapes, text


def check_report(drawn: Drawn) -> None:
    """The page's numbers are the network's, and a block's are the sums of its layers; unknown ones are marked."""
    network = loaded(drawn)
    nothing = Pictures("", 0, None, "")
    section = describe(network, "x", 0, nothing, Allowance([], len(network.layers)))
    by_name = {row.name: row for row in network.layers}
    for row in section.rows:
        check_row(row, by_name, section.headers)
    totals = dict(section.totals)
    assert digits(totals["Parameters"].partition(" ")[0]) == network.totals.parameters
    for what, value in (("MACs", network.totals.macs), ("FLOPs", network.totals.flops)):
        assert totals[what].startswith("≥ ") == isinstance(value, Inexact)
        assert digits(totals[what]) == known(value)


def check_row(row: LayerRow, by_name: dict[str, LayerSummary], headers: tuple[str, ...]) -> list[LayerSummary]:
    """Compares a row with the sums of its layers, and returns the layers."""
    inside = [layer for inner in row.rows for layer in check_row(inner, by_name, headers)] or [by_name[row.name]]
    texts = dict(zip(headers[2:], (cell.text for cell in row.cells), strict=True))
    assert digits(texts["Parameters"]) == sum(layer.parameters for layer in inside), row.name
    if any(isinstance(layer.macs, Inexact) for layer in inside):
        assert texts["MACs"].startswith(("≥ ", "?")), row.name
    else:
        assert digits(texts["MACs"]) == sum(layer.macs for layer in inside), row.name
    return inside


def digits(text: str) -> int:
    return int(text.replace(",", "").removeprefix("≥ ") or 0)
