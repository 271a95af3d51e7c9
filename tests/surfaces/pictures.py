"""Pictures have every layer, and nothing but well-formed text."""

from xml.etree import ElementTree

from networks import Drawn

import archcalc
from archcalc.diagram.dot import to_dot
from archcalc.diagram.picture import draw, look_of
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
