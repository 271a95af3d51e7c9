"""Helpers of the tests of diagrams: spec texts, and counts of elements in an SVG text."""

from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import archcalc
from archcalc.diagram.look import Look
from archcalc.diagram.picture import Diagram, draw

SVG = "{http://www.w3.org/2000/svg}"

# Hostile names: tags, quotes, entities, backslashes, Graphviz's escapes, right-to-left letters, no letters.
NAMES = (
    "<script>alert(1)</script>",
    '"];',
    "&amp;",
    "&lt;b&gt;",
    "<b>",
    "<TABLE>",
    "back\\slash",
    "\\N \\G \\L",
    "ends in \\",
    "-->",
    "]]>",
    "{a|b}",
    "مرحبا",
    "🦊",
    "to the left \u202e of it",
    "bell \u0007",
    "x" * 200,
    "'",
    "a:b",
    "%n",
    "node",
)

SIAMESE = """
name = "Siamese"
inputs = { left = [1, 20, 20], right = [1, 20, 20] }
outputs = ["same", "extra"]
layers = [
  { name = "stem", type = "conv2d", input = "left", out_channels = 4, kernel_size = 3, trainable = false },
  { name = "tower", type = "tower" },
  { name = "stem2", type = "conv2d", input = "right", out_channels = 4, kernel_size = 3, weights = "stem" },
  { name = "tower2", type = "tower", weights = "tower" },
  { name = "both", type = "cat", inputs = ["tower", "tower2"] },
  { name = "same", type = "linear", out_features = 1 },
  { name = "extra", type = "linear", input = "both", out_features = 5, when = "training" },
]
[blocks.tower]
layers = [
  { name = "conv", type = "conv2d", out_channels = 8, kernel_size = 3, stride = 2 }, { type = "relu" },
  { type = "flatten" }, { name = "fc", type = "linear", out_features = 6 },
]
"""


def hostile_spec(names: tuple[str, ...] = NAMES) -> str:
    """A spec in which the network, an input, a block, its instance and every layer have such names."""
    lines = [f"name = {basic(names[0])}", "[inputs]", f"{basic(('in ' + names[0])[:200])} = [4, 8, 8]"]
    for number, name in enumerate(names):
        lines += ["[[layers]]", f"name = {basic(name)}"]
        lines += [f"type = {basic(names[1])}"] if number == 1 else ['type = "linear"', "out_features = 8"]
    lines += [f"[blocks.{basic(names[1])}]", f"[[blocks.{basic(names[1])}.layers]]", f"name = {basic(names[2])}"]
    lines += ['type = "conv2d"', "out_channels = 4", "kernel_size = 1"]
    lines += [
        f"[[blocks.{basic(names[1])}.layers]]",
        f"name = {basic(names[5])}",
        'type = "linear"',
        "out_features = 8",
    ]
    return "\n".join(lines)


def basic(text: str) -> str:
    """A TOML string."""
    letters = ("\\" + letter if letter in '"\\' else letter for letter in text)
    return '"' + "".join(letter if letter >= " " else f"\\u{ord(letter):04x}" for letter in letters) + '"'


def picture_of(spec: str, **look: object) -> Diagram:
    return draw(archcalc.load(spec).context, Look(**look))  # type: ignore[arg-type]


def parsed(svg: str) -> Element:
    return ElementTree.fromstring(svg)


def with_class(root: Element, name: str) -> list[Element]:
    return [group for group in root.iter(f"{SVG}g") if name in (group.get("class") or "").split()]


def texts(root: Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]
