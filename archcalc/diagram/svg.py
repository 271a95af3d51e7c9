"""Draws a diagram as SVG: boxes, frames and arrows at the places of a Graphviz layout, with texts and colours."""

import re
from collections.abc import Iterator
from math import ceil
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from archcalc.diagram.clearance import first_gap, lines_of, spans_at
from archcalc.diagram.dot import border, ground, legend
from archcalc.diagram.frame_titles import TitleLines, frame_titles, title_width
from archcalc.diagram.geometry import (
    ABOVE_BANDS,
    FRAME,
    FRAME_MARGIN,
    LETTERING,
    MARGIN,
    PADDING,
    SHAPE,
    TIMES_GAP,
    card_size,
)
from archcalc.diagram.lettering import Lettering, text_length, text_width
from archcalc.diagram.picture import Arrow, BlockFrame, Card, Diagram, boxes_in
from archcalc.diagram.style import FONTS, STYLES, DrawingStyle

_SPACE = "{http://www.w3.org/2000/svg}"
_ROUND = 5.0  # the radius of a card's corners
_MARGIN = 14.0  # around the drawing
_TITLE = Lettering(17, 24, True)
_NOTE = Lettering(12, 17)
_CHIP = 12.0  # a square of the legend


def fill_boxes(picture: Diagram, laid_out: bytes) -> str:
    """Draw a diagram at the layout that Graphviz computed, as SVG without scripts or references."""
    return _DiagramDrawing(picture, _graph(laid_out)).text()


def missing_widths(picture: Diagram, laid_out: bytes) -> dict[str, float]:
    """The extra width that frames need so that no arrow crosses their titles, by identifier."""
    return _DiagramDrawing(picture, _graph(laid_out)).missing()


def _graph(laid_out: bytes) -> Element:
    found = ElementTree.fromstring(laid_out).find(f"{_SPACE}g")
    assert found is not None
    return found


class _DiagramDrawing:
    def __init__(self, picture: Diagram, graph: Element) -> None:
        self.picture, self.style = picture, STYLES[picture.look.style]
        self.groups: dict[str, list[Element]] = {"cluster": [], "edge": [], "node": []}
        for group in graph.findall(f"{_SPACE}g"):
            self.groups[group.get("class", "").split()[0]].append(group)
        self.box = _bounds(graph)
        self.boxes = {box.identifier: box for box in boxes_in(picture.parts)}
        self.titles = frame_titles(picture)

    def text(self) -> str:
        left, top, right, bottom = self.box
        head = [*self._head(right - left)]
        head_height = max((y + 14 for _, y, _ in head), default=0.0)
        head_width = max((width for width, _, _ in head), default=0.0)
        width = ceil(max(right - left, head_width) + 2 * _MARGIN)  # a part of a pixel looks torn
        height = ceil(bottom - top + head_height + 2 * _MARGIN)
        root = Element(
            "svg",
            {
                "xmlns": "http://www.w3.org/2000/svg",
                "width": _number(width),
                "height": _number(height),
                "viewBox": f"0 0 {_number(width)} {_number(height)}",
                "font-family": FONTS,
                "role": "img",
            },
        )
        SubElement(root, "title").text = self.picture.title
        SubElement(root, "rect", {"width": "100%", "height": "100%", "fill": self.style.background})
        above = SubElement(root, "g", {"class": "head", "transform": _moved(_MARGIN, _MARGIN)})
        above.extend(element for _, _, element in head)
        x, y = (width - (right - left)) / 2 - left, _MARGIN + head_height - top
        body = SubElement(root, "g", {"class": "graph", "transform": _moved(x, y)})
        body.extend(self._frames())
        body.extend(self._arrows())
        body.extend(self._frame_titles())
        body.extend(self._cards())
        ElementTree.indent(root, " ")
        return ElementTree.tostring(root, encoding="unicode") + "\n"

    # title and legend

    def _head(self, available: float) -> Iterator[tuple[float, float, Element]]:
        """The elements of title and legend, each with its right and lower ends."""
        y = 0.0
        titles = zip(self.picture.titles, (_TITLE, _NOTE), strict=False)
        for text, lettering in [*titles, *((text, _NOTE) for text in self.picture.explanations)]:
            y += lettering.height
            color = self.style.text if lettering.bold else self.style.muted
            yield text_width(text, lettering), y, _text(text, 0, y - 5, lettering, color)
        x, y = 0.0, y + 6
        for (fill, line), text in legend(self.picture):
            wide = _CHIP + 5 + text_width(text, _NOTE) + 14
            if x and x + wide > max(available, 330):
                x, y = 0.0, y + 18
            group = Element("g", {"class": "legend"})
            square = {"x": _number(x), "y": _number(y), "width": "12", "height": "12", "rx": "2", "fill": fill}
            SubElement(group, "rect", {**square, "stroke": line})
            group.append(_text(text, x + _CHIP + 5, y + 10, _NOTE, self.style.muted))
            x += wide
            yield x, y + 14, group

    # the graph

    def _frames(self) -> Iterator[Element]:
        for group in self.groups["cluster"]:
            box = self.boxes[group.get("id", "")]
            frame = Element("g", {"class": "block", "id": box.identifier})
            SubElement(frame, "title").text = box.tip
            left, top, right, bottom = _bounds(group)
            for shift in _shifts(box.copies):
                place = {"x": left + shift, "y": top + shift, "width": right - left, "height": bottom - top, "rx": 8}
                paint = {"fill": self.style.frame.fill, "stroke": self.style.frame.line}
                SubElement(frame, "rect", {key: _number(value) for key, value in place.items()} | paint)
            yield frame

    def _places(self) -> Iterator[tuple[BlockFrame, TitleLines, float, float]]:
        """Frames, the lines of their titles, the first place beside all arrows, and the width that the frame lacks."""
        arrows = [line for group in self.groups["edge"] for line in lines_of(group)]
        for group in self.groups["cluster"]:
            box = self.boxes[group.get("id", "")]
            left, top, right, _ = _bounds(group)
            lines = self.titles[box.identifier]
            width, end = title_width(box, lines), top + 6 + FRAME.height * len(lines)
            taken = (span for span in spans_at(arrows, (top + 3, end)) if span[0] < right)
            place = first_gap(taken, left + FRAME_MARGIN, width)
            yield box, lines, place, max(place + width + FRAME_MARGIN - right, 0.0)

    def missing(self) -> dict[str, float]:
        """The extra width that frames need for titles beside arrows, by identifier."""
        return {box.identifier: width for box, *_, width in self._places() if width}

    def _frame_titles(self) -> Iterator[Element]:
        """The titles of frames, with their numbers of copies."""
        for group, (box, lines, free, missing) in zip(self.groups["cluster"], self._places(), strict=True):
            left, top, _, _ = _bounds(group)
            place, y = left + FRAME_MARGIN if missing else free, top + 1
            title = Element("g", {"class": "title"})
            if missing:
                title.append(self._cover((place, top + 5), title_width(box, lines), len(lines)))
            for line in lines:
                y += FRAME.height
                title.append(_text(line, place, y, FRAME, self.style.muted))
            if box.copies > 1:
                after = place + text_width(lines[-1], FRAME) + TIMES_GAP
                title.append(_text(f"×{box.copies}", after, y, FRAME._replace(bold=True), self.style.text))
            yield title

    def _cover(self, corner: tuple[float, float], width: float, lines: int) -> Element:
        """A rectangle that hides the arrow behind a title."""
        place = {"x": corner[0] - 3, "y": corner[1], "width": width + 6, "height": FRAME.height * lines}
        return Element("rect", {key: _number(value) for key, value in place.items()} | {"fill": self.style.frame.fill})

    def _in_halo(self, text: Element, color: str) -> Element:
        """Add a halo, so that a text stays readable on a line."""
        halo = {"stroke": color, "stroke-width": "3", "stroke-linejoin": "round", "paint-order": "stroke"}
        text.attrib.update(halo)
        return text

    def _arrows(self) -> Iterator[Element]:
        for group in self.groups["edge"]:
            identifier = group.get("id", "")
            arrow = self.picture.arrows[int(identifier.removeprefix("edge-"))]
            drawn = Element("g", {"class": f"edge {arrow.kind}", "id": identifier})
            for element in group.iter():
                self._copy(element, drawn, arrow)
            yield drawn

    def _copy(self, element: Element, drawn: Element, arrow: Arrow) -> None:
        color, tag = self.style.edge, element.tag.removeprefix(_SPACE)
        if tag == "path":
            dots = {"stroke-dasharray": "2 3"} if arrow.kind == "weights" else {}
            SubElement(drawn, "path", {"d": element.get("d", ""), "fill": "none", "stroke": color, **dots})
        elif tag in ("polygon", "polyline"):
            fill = "none" if arrow.kind == "weights" else color
            SubElement(drawn, "polygon", {"points": element.get("points", ""), "fill": fill, "stroke": color})
        elif tag == "text":
            x, y = float(element.get("x", 0)), float(element.get("y", 0))
            label = _text(arrow.text, x, y, Lettering(10, 12), self.style.muted)
            label.set("text-anchor", "middle")
            drawn.append(self._in_halo(label, self.style.background))

    def _cards(self) -> Iterator[Element]:
        cards = {card.identifier: card for card in self.picture.cards}
        for group in self.groups["node"]:
            card = cards[group.get("id", "")]
            left, top, right, bottom = _bounds(group)
            yield draw_card(card, ((left + right) / 2, (top + bottom) / 2), self.style)


def draw_card(card: Card, center: tuple[float, float], style: DrawingStyle) -> Element:
    """Draw a card as SVG, around a centre."""
    width, height = card_size(card)
    left, top = center[0] - width / 2, center[1] - height / 2
    line = border(card, style)
    dashes = {"stroke-dasharray": "5 3"} if card.dashed else {}
    drawn = Element("g", {"class": " ".join(("node", *card.classes)), "id": card.identifier})
    SubElement(drawn, "title").text = card.tip
    place = {"width": _number(width), "height": _number(height), "rx": _number(_ROUND)}
    for shift in _shifts(card.copies):
        corner = {"x": _number(left + shift), "y": _number(top + shift)}
        SubElement(drawn, "rect", {**corner, **place, "fill": ground(card, style), "stroke": line, **dashes})
    drawn.extend(_rows(card, left, top, style))
    return drawn


def _rows(card: Card, left: float, top: float, style: DrawingStyle) -> Iterator[Element]:
    width, height = card_size(card)
    y, is_end = top + MARGIN, False
    first_band = next((number for number, row in enumerate(card.rows) if row.kind == "band"), None)
    for number, row in enumerate(card.rows):
        lettering = LETTERING[row.kind]
        y += ABOVE_BANDS * (number == first_band)
        below = y + lettering.height
        if row.kind == "band":
            is_end = number == len(card.rows) - 1
            end = top + height if is_end else below
            band = _band((left, y, left + width, end), is_end)
            band.set("fill", style.paint(row.color).fill if card.heat is None else "none")
            band.set("stroke", border(card, style))
            yield band
        baseline = y + lettering.height / 2 + lettering.size * 0.36
        is_bold = row.kind in ("name", "type") or card.heat is not None  # no grey is read on every heat
        ink = style.text if is_bold else style.muted
        color = style.heat_text if (card.heat or 0) > 0.6 else ink
        yield _text(row.left, left + PADDING, baseline, lettering, color)
        if row.right:
            right = _text(row.right, left + width - PADDING, baseline, SHAPE._replace(size=lettering.size - 1), color)
            right.set("text-anchor", "end")
            yield right
        y = below


def _band(box: tuple[float, float, float, float], is_last: bool) -> Element:
    """The background of a band; the last band has the round corners of the card."""
    left, top, right, bottom = box
    radius = _ROUND if is_last else 0.0
    turn, across = f"a{_number(radius)} {_number(radius)} 0 0 1", _number(2 * radius - (right - left))
    path = (
        f"M{_number(left)} {_number(top)}H{_number(right)}V{_number(bottom - radius)}"
        f"{turn} {_number(-radius)} {_number(radius)}h{across}{turn} {_number(-radius)} {_number(-radius)}z"
    )
    return Element("path", {"d": path, "stroke-width": "0.75"})


def _text(text: str, x: float, y: float, lettering: Lettering, color: str) -> Element:
    bold = {"font-weight": "bold"} if lettering.bold else {}
    place = {"x": _number(x), "y": _number(y), "font-size": _number(lettering.size), "fill": color}
    element = Element("text", {**place, **text_length(text, lettering), **bold})
    element.text = text
    return element


def _shifts(copies: int) -> tuple[float, ...]:
    """The shifts of copies behind the first."""
    return (6.0, 3.0, 0.0) if copies > 2 else (3.0, 0.0) if copies == 2 else (0.0,)


def _bounds(group: Element) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of the first shape in a group."""
    shape = next(element for element in group.iter() if element.tag in (f"{_SPACE}polygon", f"{_SPACE}path"))
    numbers = [*map(float, re.findall(r"-?\d+\.?\d*", shape.get("points") or shape.get("d") or ""))]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


def _moved(x: float, y: float) -> str:
    return f"translate({_number(x)} {_number(y)})"


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
