"""Draws the receptive field of a unit on the input: nested rectangles, one for each layer."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archcalc.analysis.intervals import Boxes, Interval, cover, simplified
from archcalc.analysis.neuron_field import LayerField, NeuronField
from archcalc.analysis.neuron_field_document import axis_names, interval_text, intervals_text, seen_text, titled
from archcalc.diagram.drawing import Drawing, blended, line_width, short, style_of
from archcalc.diagram.raster import Raster
from archcalc.layers.base import size_text

MAX_SHOWN = 24  # fields in a drawing
MAX_PARTS = 512  # rectangles of a field
# The colours from the smallest field to the largest, by style.
SCALES = {
    "color": ("#3b4cc0", "#2b83ba", "#1a9e77", "#b58900", "#e66101", "#ca0020"),
    "paper": ("#000000", "#555555"),
    "dark": ("#7aa2f7", "#7dcfff", "#73daca", "#e0af68", "#ff9e64", "#f7768e"),
}
_SIDE = 460.0  # the larger side of the drawn part of the input
_TICK = 36.0  # the smallest distance of numbers along an axis
_ROW = 19.0  # the height of a label
_BAR = 14.0  # the height of the bar of a field with one axis
_GRID = 6.0  # the smallest distance of lines between positions
_LARGEST_POSITION = 30.0
_ZOOMED = 0.25  # below this share of an input with one axis, only the surroundings of the field are drawn


class DrawnField(NamedTuple):
    """Layers with the same field: the first, and the number of others."""

    layer: LayerField
    more: int
    color: str


def draw_neuron_field(found: NeuronField, style: str = "color", image: Raster | None = None) -> str:
    """Draw a field as SVG. Of more than two axes, the last two are drawn and the others are in the text.

    Raises UsageError for an unknown style, and for a unit that sees nothing.
    """
    if found.last.sees is None:
        from archcalc.errors import UsageError, quoted

        raise UsageError(
            f"the unit of {quoted(found.last.name)} sees nothing of the input, so there is nothing to draw"
        )
    colors = style_of(style)
    fields, left_out = _select_fields(found, SCALES[style])
    title = f"Receptive field of {titled(found)}, {found.network}"
    drawing = Drawing(title, _format_field(found), colors)
    picture = _Strips if len(found.extents) == 1 else _Rectangles
    return picture(drawing, found, fields, left_out, image).draw()


def _format_field(found: NeuronField) -> str:
    seen = " × ".join(f"{name}s {text}" for name, text in _seen_by_axis(found)) or "nothing of it"
    return f"field of {_format_size(found.last)} on {found.source} of {size_text(found.extents)}: {seen}"


def _seen_by_axis(found: NeuronField) -> Iterator[tuple[str, str]]:
    """The name of each axis with the positions that the unit sees along it; none if it sees nothing."""
    seen = found.last.seen
    if seen.boxes:
        for axis, name in enumerate(axis_names(len(found.extents))):
            yield name, intervals_text(seen.axis(axis))


def _select_fields(found: NeuronField, scale: Sequence[str]) -> tuple[list[DrawnField], int]:
    """At most MAX_SHOWN distinct fields, evenly chosen, the smallest first, and the number left out."""
    groups: dict[tuple[tuple[Interval, ...], Boxes], list[LayerField]] = {}
    for layer in found.layers:
        if layer.sees is not None:
            groups.setdefault((layer.sees[-2:], layer.seen.boxes), []).append(layer)
    # Equal fields have the label of the chosen layer.
    own = groups[(found.last.sees or ())[-2:], found.last.seen.boxes]
    own.remove(found.last)
    own.insert(0, found.last)
    ordered = sorted(groups.values(), key=lambda group: [last - first for first, last in group[0].sees or ()])
    count = min(len(ordered), MAX_SHOWN)
    places = [round(number * (len(ordered) - 1) / max(count - 1, 1)) for number in range(count)]
    shown = [ordered[place] for place in places]
    colors = [blended(scale, number / max(count - 1, 1)) for number in range(count)]
    fields = [DrawnField(group[0], len(group) - 1, color) for group, color in zip(shown, colors, strict=True)]
    return fields, len(ordered) - count


def _format_label(field: DrawnField) -> str:
    more = f" +{field.more}" if field.more else ""
    return f"{short(field.layer.name, 26)}{more}"


def _parts(layer: LayerField, axes: int) -> Iterator[tuple[Interval, ...]]:
    """The field as rectangles over the last axes; as one bounding rectangle if there would be too many."""
    boxes = simplified(box[-axes:] for box in layer.seen.boxes)
    if sum(math.prod(map(len, box)) for box in boxes) > MAX_PARTS:
        boxes = (tuple(((intervals[0][0], intervals[-1][1]),) for intervals in cover(boxes)),)
    for box in boxes:
        yield from itertools.product(*box)


def _format_size(layer: LayerField) -> str:
    """The size of the field of this unit; other units may have larger fields after an upsampling."""
    return size_text(tuple(last - first + 1 for first, last in layer.sees or ()))


class _FieldDrawing:
    """A drawing of fields on an input: title, scale and labels. Abstract."""

    def __init__(
        self, drawing: Drawing, found: NeuronField, fields: list[DrawnField], left_out: int, image: Raster | None
    ) -> None:
        self.drawing, self.found, self.fields, self.image = drawing, found, fields, image
        self.style = drawing.style
        self.notes = [f"{left_out} fields between are left out; --depth collapses blocks"] if left_out else []
        if any(field.more for field in fields):
            self.notes.append("+n: n more layers of the same field")
        if shared := next((field.layer for field in fields if field.layer.everything), None):
            origin = short(shared.global_from or "", 40)
            self.notes.append(f"+ all: from {origin} on, which reads whole axes, units also see what all others see")
        sees = [field.layer.sees or () for field in fields]
        self.seen = [
            (min(0, *(field[axis][0] for field in sees)), max(extent - 1, *(field[axis][1] for field in sees)))
            for axis, extent in enumerate(found.extents)
        ]

    def head(self) -> None:
        """Draw the title and the seen positions above the field."""
        self.drawing.write(short(f"{self.found.network}: {titled(self.found)}", 90), (0, -52), 15, font_weight="bold")
        self.drawing.write(short(_format_field(self.found), 120), (0, -34), 11, fill=self.style.muted)

    def foot(self, y: float) -> float:
        """Draw notes below the field; return their lower end."""
        for note in self.notes:
            self.drawing.write(note, (0, y), 10, fill=self.style.muted)
            y += 14
        return y

    def hatch(self, x: float, y: float, width: float, height: float) -> None:
        """Draw slanted lines over a part outside the input."""
        step, path = 6.0, []
        number = 1
        while number * step < width + height:
            reach = number * step
            start = (min(reach, width), max(0.0, reach - width))
            end = (max(0.0, reach - height), min(reach, height))
            path.append((x + start[0], y + start[1]))
            path.append((x + end[0], y + end[1]))
            number += 1
        pairs = zip(path[::2], path[1::2], strict=True)
        data = "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in pairs)
        if data:
            self.drawing.add("path", d=data, stroke=self.style.muted, stroke_width=0.7, stroke_opacity=0.45)


class _Rectangles(_FieldDrawing):
    """The field on an input with rows and columns."""

    def draw(self) -> str:
        rows, columns = self.seen[-2:]
        self.rows, self.columns = rows, columns
        spans = (rows[1] - rows[0] + 1, columns[1] - columns[0] + 1)
        self.scale = min(_SIDE / max(spans), _LARGEST_POSITION)
        width, height = spans[1] * self.scale, spans[0] * self.scale
        if len(self.found.extents) > 2:
            rest = ", ".join(f"{name}s {text}" for name, text in [*_seen_by_axis(self.found)][:-2]) or "nothing"
            self.notes.append(f"rows and columns are drawn; of the rest the unit sees {rest}")
        self.head()
        self._input()
        self._border()
        for field in reversed(self.fields):
            self._field(field)
        self._center()
        self._axes()
        labels = self._labels(width)
        bottom = self.foot(max(height, labels[1]) + 30)
        title = line_width(short(f"{self.found.network}: {titled(self.found)}", 90), 15, True)
        right = max(labels[0], title, line_width(short(_format_field(self.found), 120), 11))
        return self.drawing.finish(-56, -80, right + 56 + 20, bottom + 80)

    def box(self, rows: Interval, columns: Interval) -> tuple[float, float, float, float]:
        """The rectangle of positions in the drawing: x, y, width and height."""
        x, y = (columns[0] - self.columns[0]) * self.scale, (rows[0] - self.rows[0]) * self.scale
        return x, y, (columns[1] - columns[0] + 1) * self.scale, (rows[1] - rows[0] + 1) * self.scale

    def _input(self) -> None:
        height, width = self.found.extents[-2:]
        x, y, w, h = self.box((0, height - 1), (0, width - 1))
        self.drawing.add("rect", x=x, y=y, width=w, height=h, fill=self.style.paints["block"].fill, class_="input")
        if self.image:
            kept = {"href": self.image.uri, "preserveAspectRatio": "none"}
            self.drawing.add("image", x=x, y=y, width=w, height=h, **kept)
            if self.image.width * height != self.image.height * width:
                own = f"{self.image.width}×{self.image.height}"
                self.notes.append(f"the image, {own} pixels, is stretched to the input's {width}×{height}")
        elif self.scale >= _GRID:
            lines = [f"M{x + n * self.scale:.1f} {y:.1f}v{h:.1f}" for n in range(1, width)]
            lines += [f"M{x:.1f} {y + n * self.scale:.1f}h{w:.1f}" for n in range(1, height)]
            color, strength = self.style.background, 0.8
            self.drawing.add("path", d="".join(lines), stroke=color, stroke_width=strength, class_="grid")
        self.drawing.add("rect", x=x, y=y, width=w, height=h, fill="none", stroke=self.style.muted)

    def _border(self) -> None:
        """Hatch the parts of the largest field outside the input: above, below, left and right."""
        (top, bottom), (left, right) = (self.found.last.sees or ())[-2:]
        height, width = self.found.extents[-2:]
        inner = max(top, 0), min(bottom, height - 1)
        parts = [((top, min(-1, bottom)), (left, right)), ((max(height, top), bottom), (left, right))]
        parts += [(inner, (left, min(-1, right))), (inner, (max(width, left), right))]
        for rows, columns in parts:
            if rows[0] <= rows[1] and columns[0] <= columns[1]:
                self.hatch(*self.box(rows, columns))

    def _field(self, field: DrawnField) -> None:
        """Draw the outline of a field, dashed outside the input, and fill its part in the input."""
        rows, columns = (field.layer.sees or ())[-2:]
        x, y, w, h = self.box(rows, columns)
        whole = [*_parts(field.layer, 2)] == [(rows, columns)]
        if not whole:
            line = {"stroke": field.color, "stroke_width": 1.2, "stroke_dasharray": "4 3", "class_": "field"}
            self.drawing.add("rect", x=x, y=y, width=w, height=h, fill=field.color, fill_opacity=0.04, **line)
        last = field.layer.name == self.found.last.name
        for part in _parts(field.layer, 2):
            x, y, w, h = self.box(*part)
            line = {"stroke": field.color, "stroke_width": 2.2 if last else 1.4}
            name = "field seen" if whole else "seen"
            opacity = 0.10 if self.image else 0.16
            self.drawing.add(
                "rect", x=x, y=y, width=w, height=h, fill=field.color, fill_opacity=opacity, **line, class_=name
            )

    def _center(self) -> None:
        (top, bottom), (left, right) = (self.found.last.sees or ())[-2:]
        x = ((left + right + 1) / 2 - self.columns[0]) * self.scale
        y = ((top + bottom + 1) / 2 - self.rows[0]) * self.scale
        for color, thickness in ((self.style.background, 3.0), (self.style.text, 1.2)):
            data = f"M{x - 5:.1f} {y:.1f}h10M{x:.1f} {y - 5:.1f}v10"
            self.drawing.add("path", d=data, stroke=color, stroke_width=thickness, class_="center")

    def _axes(self) -> None:
        height, width = self.found.extents[-2:]
        for tick in ticks(0, width - 1, round(width * self.scale / _TICK)):
            x, y, w, _ = self.box((self.rows[0], self.rows[0]), (tick, tick))
            self.drawing.line([(x + w / 2, -3), (x + w / 2, -8)], stroke=self.style.muted, stroke_width=1)
            self.drawing.write(str(tick), (x + w / 2, -12), 10, "middle", fill=self.style.muted)
        for tick in ticks(0, height - 1, round(height * self.scale / _TICK)):
            _, y, _, h = self.box((tick, tick), (self.columns[0], self.columns[0]))
            self.drawing.line([(-3, y + h / 2), (-8, y + h / 2)], stroke=self.style.muted, stroke_width=1)
            self.drawing.write(str(tick), (-12, y + h / 2 + 3.5), 10, "end", fill=self.style.muted)

    def _labels(self, width: float) -> tuple[float, float]:
        """Draw the names at the right, the largest field at the top; return their right and lower ends."""
        x, right = width + 42, 0.0
        fields = [*reversed(self.fields)]
        tops = [self.box(*(field.layer.sees or ())[-2:])[1] for field in fields]
        places = spread(tops, _ROW)
        for field, top, place in zip(fields, tops, places, strict=True):
            corner, _, w, _ = self.box(*(field.layer.sees or ())[-2:])
            self.drawing.line(
                [(corner + w, top), (x - 14, place), (x - 4, place)], stroke=field.color, stroke_width=0.8
            )
            weight = "bold" if field.layer.name == self.found.last.name else "normal"
            self.drawing.write(_format_label(field), (x, place + 4), 12, font_weight=weight)
            after = x + max(line_width(_format_label(each), 12, True) for each in fields) + 8
            inferred = f"{_format_size(field.layer)} · {seen_text(self.found, field.layer)}"
            self.drawing.write(inferred, (after, place + 4), 11, fill=self.style.muted)
            right = max(right, after + line_width(inferred, 11))
        return right, places[-1]


class _Strips(_FieldDrawing):
    """The field on an input with one axis: a bar for each layer, the input at the bottom."""

    def draw(self) -> str:
        self.first, self.end = first, last = self._view()
        self.scale = min(1.5 * _SIDE / (last - first + 1), _LARGEST_POSITION)
        width = (last - first + 1) * self.scale
        self.head()
        right, y = 0.0, 0.0
        for field in reversed(self.fields):
            self._bar(field, y)
            inferred = f"{_format_size(field.layer)} · {seen_text(self.found, field.layer)}"
            self.drawing.write(_format_label(field), (width + 24, y + 11), 12)
            after = width + 24 + max(line_width(_format_label(each), 12, True) for each in self.fields) + 8
            self.drawing.write(inferred, (after, y + 11), 11, fill=self.style.muted)
            right = max(right, after + line_width(inferred, 11))
            y += _BAR + 7
        self._input(y + 4, width)
        if self.image:
            self.notes.append("an input of one axis has no rows for an image: it is left out")
        bottom = self.foot(y + 64)
        title = line_width(short(f"{self.found.network}: {titled(self.found)}", 90), 15, True)
        right = max(right, title, line_width(short(_format_field(self.found), 120), 11))
        return self.drawing.finish(-24, -80, right + 44, bottom + 80)

    def _view(self) -> Interval:
        """The first and last position that are drawn."""
        ((first, last),) = self.seen
        (start, end), *_ = self.found.last.sees or ((0, -1),)
        size = end - start + 1
        if size >= _ZOOMED * (last - first + 1):
            return first, last
        view = max(first, start - size // 2), min(last, end + size // 2)
        self.notes.append(
            f"drawn are positions {interval_text(view)} of {interval_text((0, self.found.extents[0] - 1))}"
        )
        return view

    def place(self, interval: Interval) -> tuple[float, float]:
        """The start and width of positions in the drawing."""
        return (interval[0] - self.first) * self.scale, (interval[1] - interval[0] + 1) * self.scale

    def _bar(self, field: DrawnField, y: float) -> None:
        (interval,) = field.layer.sees or ((0, -1),)
        x, width = self.place(interval)
        parts = [part for (part,) in _parts(field.layer, 1)]
        if parts != [interval]:
            line = {"stroke": field.color, "stroke_dasharray": "4 3", "class_": "field"}
            self.drawing.add("rect", x=x, y=y, width=width, height=_BAR, fill=field.color, fill_opacity=0.08, **line)
            ends = ((interval[0], min(-1, interval[1])), (max(self.found.extents[0], interval[0]), interval[1]))
            for end in ends:
                if end[0] <= end[1]:
                    start, length = self.place(end)
                    self.hatch(start, y, length, _BAR)
        for part in parts:
            name = "field seen" if part == interval else "seen"
            x, width = self.place(part)
            line = {"stroke": field.color, "class_": name}
            self.drawing.add("rect", x=x, y=y, width=width, height=_BAR, fill=field.color, fill_opacity=0.6, **line)

    def _input(self, y: float, width: float) -> None:
        (extent,) = self.found.extents
        drawn = max(self.first, 0), min(self.end, extent - 1)
        x, length = self.place(drawn)
        fill, line = self.style.paints["block"].fill, self.style.muted
        self.drawing.add("rect", x=x, y=y, width=length, height=_BAR, fill=fill, stroke=line, class_="input")
        self.drawing.write(short(self.found.source), (width + 24, y + 11), 12)
        for tick in ticks(*drawn):
            start, one = self.place((tick, tick))
            middle = start + one / 2
            self.drawing.line([(middle, y + _BAR + 2), (middle, y + _BAR + 7)], stroke=line, stroke_width=1)
            self.drawing.write(f"{tick:,}", (middle, y + _BAR + 18), 10, "middle", fill=line)
        (first, last), *_ = self.found.last.sees or ((0, -1),)
        middle = ((first + last + 1) / 2 - self.first) * self.scale
        self.drawing.line([(middle, 0), (middle, y + _BAR)], stroke=self.style.text, stroke_width=0.8, class_="center")


def ticks(first: int, last: int, most: int = 8) -> list[int]:
    """Round positions for ticks from the first to the last, and the last."""
    span, most = last - first, min(max(most, 1), 8)
    steps = (factor * 10**power for power in range(len(str(span)) + 1) for factor in (1, 2, 5))
    step = next(step for step in steps if span / step <= most)
    found = [*range(-(-first // step) * step, last + 1, step)]
    # The last position replaces a tick that is too close.
    return [*(tick for tick in found if last - tick >= step * 0.6), last]


def spread(places: Sequence[float], distance: float) -> list[float]:
    """The places in order, moved down to keep a distance between neighbours."""
    found: list[float] = []
    for place in places:
        found.append(max(place, found[-1] + distance) if found else place)
    return found
