"""Pictures have every layer, and nothing but well-formed text."""

from xml.etree import ElementTree

from networks import Drawn

import archcalc
from archcalc.diagram.dot import to_dot
from archcalc.diagram.picture import draw, look_of
from archcalc.numbers.bounds import Inexact, known
from archcalc.page.content import Allowance, Pictures, Row, describe
from archcalc.report.summary import LayerSummary
from surfaces.runner import loaded


def check_diagram(drawn: Drawn) -> None:
    """There is one, open or folded, and its text in DOT has a node for each card."""
    network = loaded(drawn)
    for depth in (0, None):
        picture = draw(network, look_of(depth=depth, show=("parameters", "macs", "receptive-field", "memory")))
        assert to_dot(picture).startswith("digraph")


def check_volumes(drawn: Drawn) -> None:
    """An SVG that is one, or a reason why there is none."""
    try:
        text = loaded(drawn).to_volumes_svg()
    except archcalc.UsageError:
        return
    assert ElementTree.fromstring(text).tag.endswith("svg")


def check_report(drawn: Drawn) -> None:
    """The page's numbers are the network's, and a block's are those of its layers; what is unknown has no number."""
    network = loaded(drawn)
    nothing = Pictures("", 0, None, "")
    section = describe(network, "x", 0, nothing, Allowance([], len(network.layers)))
    by_name = {row.name: row for row in network.layers}
    for row in section.rows:
        check_row(row, by_name, section.headers)
    head = dict(section.head)
    assert digits(head["Parameters"].partition(" ")[0]) == network.totals.parameters
    for what, value in (("MACs", network.totals.macs), ("FLOPs", network.totals.flops)):
        assert head[what].startswith("≥ ") == isinstance(value, Inexact)
        assert digits(head[what]) == known(value)


def check_row(row: Row, by_name: dict[str, LayerSummary], headers: tuple[str, ...]) -> list[LayerSummary]:
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
