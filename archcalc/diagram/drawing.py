"""SVG drawings of shapes and text. The output is deterministic, and all text is escaped.

A drawing has no scripts, references or ids, so that a page can hold several.
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
    """An SVG drawing. Each shape is drawn over the shapes before it."""

    def __init__(self, title: str, description: str, style: DrawingStyle) -> None:
        self.style = style
        self.root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": FONTS})
        self._word("title", title)
        self._word("desc", description)
        self.backdrop = SubElement(self.root, "rect", {"fill": style.background})

    def _word(self, tag: str, text: str) -> None:
        SubElement(self.root, tag).text = printable(text)

    def add(self, tag: str, text: str | None = None, /, **attributes: Any) -> Element:
        """Add an element. `_` in the name of an attribute becomes `-`; numbers have at most two decimals."""
        named = {name.strip("_").replace("_", "-"): attribute_text(value) for name, value in attributes.items()}
        element = SubElement(self.root, tag, named)
        element.text = None if text is None else printable(text)
        return element

    def polygon(self, points: Iterable[Point], **attributes: Any) -> Element:
        """Add a closed shape through the points."""
        return self.add("polygon", points=points_text(points), **attributes)

    def line(self, points: Iterable[Point], **attributes: Any) -> Element:
        """Add an open line through the points."""
        return self.add("polyline", points=points_text(points), fill="none", **attributes)

    def write(self, text: str, at: Point, size: float = 11, anchor: str = "start", **attributes: Any) -> Element:
        """Add a line of text that starts, ends or is centred at a point, and is `line_width` wide."""
        place = {"x": at[0], "y": at[1], "font_size": size, "text_anchor": anchor, "fill": self.style.text}
        lettering = Lettering(size, size, attributes.get("font_weight") == "bold")
        return self.add("text", text, **place | text_length(printable(text), lettering) | attributes)

    def finish(self, left: float, top: float, width: float, height: float) -> str:
        """The SVG text with the view box. Sizes are rounded up to whole pixels, since a part of one looks torn."""
        box = (left, top, float(ceil(width)), float(ceil(height)))
        self.root.set("viewBox", " ".join(map(attribute_text, box)))
        self.root.set("width", attribute_text(width))
        self.root.set("height", attribute_text(height))
        for name, value in zip(("x", "y", "width", "height"), box, strict=True):
            self.backdrop.set(name, attribute_text(value))
        indent(self.root, " ")
        return tostring(self.root, encoding="unicode") + "\n"


def attribute_text(value: object) -> str:
    """The value of an attribute: a number with at most two decimals, or text without control characters."""
    if isinstance(value, float):
        return f"{round(value, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
    return printable(str(value))


def points_text(points: Iterable[Point]) -> str:
    """Points in the syntax of SVG."""
    return " ".join(f"{attribute_text(float(x))},{attribute_text(float(y))}" for x, y in points)


def line_width(text: str, size: float = 11, bold: bool = False) -> float:
    """The approximate width of a line of text in pixels."""
    return text_width(printable(text), Lettering(size, size, bold))


def short(text: str, letters: int = 24) -> str:
    """A name of a spec, printable and shortened."""
    return shortened(printable(text), letters)


def blended(colors: Sequence[str], place: float) -> str:
    """The colour at a position from 0 to 1 on a colour scale."""
    steps = len(colors) - 1
    step = min(int(place * steps), steps - 1)
    return mixed(colors[step], colors[step + 1], place * steps - step)


def style_of(name: str) -> DrawingStyle:
    """The style of a name. Raises UsageError for an unknown one."""
    if name not in STYLES:
        raise UsageError(f"no style is called {quoted(name)}", did_you_mean(name, STYLES))
    return STYLES[name]
