"""Pictures have every layer with the network's numbers, read back from what is drawn, and are well-formed text."""

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
    """Each layer is on one card, whose hint has the sums of its layers; nothing unknown is a plain number."""
    network = loaded(drawn)
    for depth in (0, None):
        shown = ("parameters", "macs", "receptive-field", "memory")
        try:
            picture = draw(network.context, look_of(depth=depth, show=shown, every_copy=True))
        except archcalc.UsageError as error:
            if depth == 0 and "leave out --depth" in str(error):
                continue  # all blocks open may be more than can be laid out
            raise
        source = to_dot(picture)
        assert source.startswith("digraph")
        drawn_layers = [check_card(network.layers, *card) for card in _CARD.findall(source)]
        found = sorted(position for positions in drawn_layers for position in positions)
        assert found == [*range(len(network.layers))], "layers that are missing, or drawn twice"


def check_card(layers: tuple[LayerSummary, ...], classes: str, tooltip: str) -> list[int]:
    """The positions of a card's layers."""
    positions = [int(name.removeprefix("layer-")) for name in classes.split()]
    said = _COUNTS.search(html.unescape(tooltip))
    assert said, tooltip
    rows = [layers[position] for position in positions]
    for text, counts in zip(said.groups(), ([r.parameters for r in rows], [r.macs for r in rows]), strict=True):
        sure = sum(count for count in counts if not isinstance(count, Inexact))
        if any(isinstance(count, Inexact) for count in counts):
            assert text == f"≥ {sure:,}" or (text == "unknown" and not sure), (text, counts)
        else:
            assert text == f"{sure:,}", (text, counts)
    return positions


def check_volumes(drawn: Drawn) -> None:
    """An SVG in which every size is that of an input or of a layer's output, or a reason why there is none."""
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
        said = "".join(element.itertext())
        if _SHAPE.fullmatch(said) and said not in names:
            assert tuple(int(size.replace(",", "")) for size in said.split("×")) in shapes, said


def check_report(drawn: Drawn) -> None:
    """The page's numbers are the network's, and a block's are those of its layers; what is unknown has no number."""
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
    """Compares a row with its layers, and gives these."""
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
