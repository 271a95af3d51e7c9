"""Drawings as SVG text: shapes and words only, all of them escaped, the same text every time.

Nothing in a drawing runs or is fetched, and nothing has an id, so that several can stand on one page.
"""

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from archcalc.diagram.lettering import Lettering, text_length, text_width
from archcalc.diagram.style import FONTS, STYLES, DrawingStyle, mixed
from archcalc.errors import UsageError, did_you_mean, printable, quoted
from archcalc.render.style import shortened

Point = tuple[float, float]


class Drawing:
    """A drawing that shapes are added to, each over those before; its edge is what they need."""

    def __init__(self, title: str, description: str, style: DrawingStyle) -> None:
        self.style = style
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONTS})
        self._word("title", title)
        self._word("desc", description)
        self.backdrop = SubElement(self.root, "rect", {"fill": style.background})

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
        """A line of words that starts, ends or has its middle at a point, and is as wide as `line_width` says."""
        place = {"x": at[0], "y": at[1], "font_size": size, "text_anchor": anchor, "fill": self.style.text}
        lettering = Lettering(size, size, attributes.get("font_weight") == "bold")
        return self.add("text", text, **place | text_length(printable(text), lettering) | attributes)

    def finish(self, left: float, top: float, width: float, height: float) -> str:
        """The text of the drawing, as large as it was said to be, in whole pixels: a part of one would look torn."""
        box = (left, top, float(ceil(width)), float(ceil(height)))
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


def line_width(text: str, size: float = 11, bold: bool = False) -> float:
    """About how wide a line of words is."""
    return text_width(printable(text), Lettering(size, size, bold))


def short(text: str, letters: int = 24) -> str:
    """A name of a spec as a drawing has room for it."""
    return shortened(printable(text), letters)


def blended(colors: Sequence[str], place: float) -> str:
    """The colour at a place between 0 and 1 on a scale."""
    steps = len(colors) - 1
    step = min(int(place * steps), steps - 1)
    return mixed(colors[step], colors[step + 1], place * steps - step)


def style_of(name: str) -> DrawingStyle:
    """The colours that a name stands for. Raises UsageError for one that does not exist."""
    if name not in STYLES:
        raise UsageError(f"no style is called {quoted(name)}; {did_you_mean(name, STYLES)}")
    return STYLES[name]
