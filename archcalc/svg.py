"""Drawings as SVG text: shapes and words only, all of them escaped, the same text every time.

Nothing in a drawing runs or is fetched, and nothing has an id, so that several can stand on one page.
"""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from archcalc.errors import printable
from archcalc.report.table import display_width, shortened

FONT = "Helvetica, Arial, sans-serif"
_LETTER = 0.56  # mean width of a letter of the font, in its size

Point = tuple[float, float]


class Theme(NamedTuple):
    """The colours of a drawing."""

    background: str
    ink: str  # lines and words
    dim: str  # what is said beside
    fills: dict[str, str]  # by the family of a layer; "" for any other
    scale: tuple[str, ...]  # from the smallest to the largest of a series


_BLUE_TO_RED = ("#3b4cc0", "#2b83ba", "#1a9e77", "#b58900", "#e66101", "#ca0020")
_COLORED = {
    "input": "#d9dde3",
    "convolution": "#f6c667",
    "pooling": "#ef8a80",
    "dense": "#9cb8e6",
    "merging": "#a9d8a0",
    "attention": "#c7aee3",
    "": "#cfd6dc",
}
_DARK = {
    "input": "#5b6470",
    "convolution": "#b9842a",
    "pooling": "#b0524a",
    "dense": "#4a6ba8",
    "merging": "#55904c",
    "attention": "#7c5ba3",
    "": "#5f6873",
}
_GREYS = dict.fromkeys(_COLORED, "#ffffff") | {"input": "#e4e4e4", "pooling": "#ededed", "dense": "#f7f7f7"}
THEMES = {
    "color": Theme("#ffffff", "#1f2933", "#66727f", _COLORED, _BLUE_TO_RED),
    "paper": Theme("#ffffff", "#000000", "#444444", _GREYS, ("#000000", "#555555")),
    "dark": Theme(
        "#14181d", "#e8ecf0", "#9aa5b1", _DARK, ("#7aa2f7", "#7dcfff", "#73daca", "#e0af68", "#ff9e64", "#f7768e")
    ),
}


class Drawing:
    """A drawing that shapes are added to, each over those before; its edge is what they need."""

    def __init__(self, title: str, description: str, theme: Theme) -> None:
        self.theme = theme
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONT})
        self._word("title", title)
        self._word("desc", description)
        self.backdrop = SubElement(self.root, "rect", {"fill": theme.background})

    def _word(self, tag: str, text: str) -> None:
        SubElement(self.root, tag).text = printable(text)

    def add(self, tag: str, text: str | None = None, /, **attributes: Any) -> Element:
        """A shape; `_` in the name of an attribute stands for `-`, a number is written with two decimals at most."""
        named = {name.strip("_").replace("_", "-"): attribute_text(value) for name, value in attributes.items()}
        element = SubElement(self.root, tag, named)
        element.text = None if text is None else printable(text)
        return element

    def polygon(self, points: Iterable[Point], **attributes: Any) -> Element:
        """A closed shape through the points."""
        return self.add("polygon", points=points_text(points), **attributes)

    def line(self, points: Iterable[Point], **attributes: Any) -> Element:
        """An open line through the points."""
        return self.add("polyline", points=points_text(points), fill="none", **attributes)

    def write(self, text: str, at: Point, size: float = 11, anchor: str = "start", **attributes: Any) -> Element:
        """A line of words that starts, ends or has its middle at a point."""
        place = {"x": at[0], "y": at[1], "font_size": size, "text_anchor": anchor, "fill": self.theme.ink}
        return self.add("text", text, **place | attributes)

    def finish(self, left: float, top: float, width: float, height: float) -> str:
        """The text of the drawing, as large as it was said to be."""
        box = (left, top, width, height)
        self.root.set("viewBox", " ".join(map(attribute_text, box)))
        self.root.set("width", attribute_text(width))
        self.root.set("height", attribute_text(height))
        for name, value in zip(("x", "y", "width", "height"), box, strict=True):
            self.backdrop.set(name, attribute_text(value))
        indent(self.root, " ")
        return tostring(self.root, encoding="unicode") + "\n"


def attribute_text(value: object) -> str:
    """A number with two decimals at most and no negative zero; words without control characters."""
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
    return printable(str(value))


def points_text(points: Iterable[Point]) -> str:
    """Points as SVG has them."""
    return " ".join(f"{attribute_text(float(x))},{attribute_text(float(y))}" for x, y in points)


def text_width(text: str, size: float = 11) -> float:
    """About how wide a line of words is."""
    return display_width(printable(text)) * _LETTER * size


def short(text: str, letters: int = 24) -> str:
    """A name of a spec as a drawing has room for it."""
    return shortened(printable(text), letters)


def blended(colors: Sequence[str], place: float) -> str:
    """The colour at a place between 0 and 1 on a scale."""
    steps = len(colors) - 1
    step = min(int(place * steps), steps - 1)
    share = place * steps - step
    pairs = zip(_channels(colors[step]), _channels(colors[step + 1]), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in pairs)


def shaded(color: str, factor: float) -> str:
    """The colour in less light, or in more where the factor is above 1."""
    return "#" + "".join(f"{min(255, round(channel * factor)):02x}" for channel in _channels(color))


def _channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[place : place + 2], 16) for place in (1, 3, 5))


def theme_of(style: str) -> Theme:
    """The colours that a name stands for. Raises UsageError for one that does not exist."""
    if style not in THEMES:
        from archcalc.errors import UsageError, did_you_mean, quoted

        raise UsageError(f"no style is called {quoted(style)}; {did_you_mean(style, THEMES)}")
    return THEMES[style]
