"""Draws the classic picture of a convolutional network: maps in a row, as boxes to scale.

Heights and widths are linear in the number of positions (their square root, if sizes differ by more than 64 times).
Depths grow with the square root of the number of channels. A few maps are drawn one by one, as in LeNet-5's paper; many
are drawn as a box, as in AlexNet's.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import accumulate

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.drawing import Drawing, Point, line_width, short, style_of
from archcalc.diagram.style import Paint, mixed
from archcalc.diagram.volume_places import APART, BAR, Places, VolumeBox, scale_of, spread_of
from archcalc.diagram.volume_row import Volume, VolumeRow, volume_row
from archcalc.diagram.volume_words import caption, caption_width, format_name, operation, operation_width
from archcalc.layers.base import size_text

_LINE = 14.0  # the height of a line of text
_BETWEEN = 44.0  # the gap between lines of boxes
_ARC = 14.0  # the distance between skips
_OUTSIDE = 22.0  # the margin for the arrow from a line to the next


def volumes(
    context: AnalysisContext,
    style: str = "color",
    depth: int | None = None,
    *,
    block: str | None = None,
    title: bool = True,
    legend: bool = True,
) -> str:
    """Draw the maps of a network, or of one block, in a row, as SVG.

    `style` is color, paper or dark; `depth` collapses blocks, by default if the row gets too long; `legend` draws notes
    below. Raises UsageError for an unknown style or block, for a network on a graph, and for a row that is too long.
    """
    found = volume_row(context, depth, block)
    description = " → ".join(f"{format_name(volume)} {size_text(volume.shape)}" for volume in found.volumes)
    name = ": ".join(filter(None, (context.graph.name, block)))
    drawing = Drawing(f"{name}: its maps to scale", description, style_of(style))
    return _VolumeDrawing(drawing, found).draw(name if title else "", legend)


def _format_names(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(short(name, 26) for name in names[:3])}{more}"


class _VolumeDrawing:
    """Draws volumes from left to right, line by line."""

    def __init__(self, drawing: Drawing, found: VolumeRow) -> None:
        self.drawing, self.found, self.row = drawing, found, found.volumes
        self.style, self.scale = drawing.style, scale_of(self.row)
        self.lines = Places(self.row, self.scale).lines
        self.starts = [*accumulate(map(len, self.lines), initial=0)]  # the first volume of each line
        self.boxes: list[tuple[VolumeBox, ...]] = []  # by volume: a box for each column

    def draw(self, title: str, legend: bool) -> str:
        """Return the SVG text."""
        ends = [0.0]
        for number, line in enumerate(self.lines):
            ends.append(self._line(line, ends[-1] + _BETWEEN * (number > 0)))
        left, right = self._sides()
        if len(self.lines) > 1:
            left, right = left - _OUTSIDE, right + _OUTSIDE
        for start, end in zip(self.starts[1:-1], ends[1:], strict=False):
            self._continue(start, end + _BETWEEN / 2, (left, right))
        return self._finish(
            (left, 0.0, right, ends[-1]), title, [self._note(), *self._explain_omissions()] if legend else []
        )

    def _line(self, line: list[tuple[VolumeBox, ...]], y: float) -> float:
        """Draw a line of boxes and captions below `y`; return its lower end."""
        numbers = range(len(self.boxes), len(self.boxes) + len(line))
        top = min(box.top + min(box.back[1], 0) for boxes in line for box in boxes)
        down = y + self._height_of_arcs(numbers) - top
        self.boxes += [tuple(box._replace(top=box.top + down) for box in boxes) for boxes in line]
        for number in numbers:
            for box in self.boxes[number]:
                self._volume(self.row[number], box)
            if number > numbers.start:
                self._between(number)
        self._arcs(numbers, top + down)
        return self._words(numbers, max(box.bottom for number in numbers for box in self.boxes[number]) + 26)

    def _sides(self) -> tuple[float, float]:
        """The left and right ends of all boxes and texts."""
        widths = [(boxes[0].center, caption_width(volume)) for boxes, volume in zip(self.boxes, self.row, strict=True)]
        widths += [(self._before(n), operation_width(self.row[n])) for n in range(1, len(self.row))]
        ends = [boxes[0].end for boxes in self.boxes]
        left = min(0.0, *(middle - width / 2 for middle, width in widths))
        return left, max(*ends, *(middle + width / 2 for middle, width in widths))

    def _continue(self, number: int, between: float, sides: tuple[float, float]) -> None:
        """Draw the arrow from the end of a line to the first volume of the next."""
        left, right = sides
        source, columns = self.boxes[number - 1][0], self.boxes[number]
        start = source.right + source.back[0] * 0.5 + 4, source.middle + source.back[1] * 0.5
        middle = sum(box.middle for box in columns) / len(columns)
        way = [start, (right, start[1]), (right, between), (left, between), (left, middle)]
        self._arrow([*way, (columns[0].first - 3, middle)])

    def _finish(self, box: tuple[float, float, float, float], title: str, notes: list[str]) -> str:
        left, top, right, bottom = box
        if title := short(title, 80):
            self.drawing.write(title, (left, top - 24), 16, font_weight="bold")
        for line, note in enumerate(notes):
            self.drawing.write(note, (left, bottom + 18 + 13 * line), 9.5, fill=self.style.muted)
        right = max(right, left + line_width(title, 16, True), *(left + line_width(note, 9.5) for note in notes))
        above, below = 56 if title else 20, 23 + 13 * len(notes) if notes else 20
        return self.drawing.finish(left - 20, top - above, right - left + 40, bottom - top + above + below)

    def _note(self) -> str:
        """A note about the scales."""
        positions = "positions by the square root of their number" if self.scale.root else "height and width to scale"
        channels = "every channel drawn" if self.scale.plates else "channels by the square root of their number"
        bars = ["features without positions by the square root of theirs"] if any(v.is_bar for v in self.row) else []
        return "; ".join([positions, channels, *bars])

    def _explain_omissions(self) -> Iterator[str]:
        """Notes about what is not drawn."""
        if self.found.depth is not None:
            yield f"blocks are collapsed at depth {self.found.depth}"
        if any(volume.branches for volume in self.row):
            yield "branches that meet again are one box, with how many layers or blocks are in them"
        if self.found.inputs:
            yield f"branches begin with other inputs, too: {_format_names(self.found.inputs)}"
        if self.found.elsewhere:
            yield f"not drawn, since the first output does not depend on it: {_format_names(self.found.elsewhere)}"

    # the boxes

    def _volume(self, volume: Volume, box: VolumeBox) -> None:
        if self.scale.plates and not volume.is_bar:
            self._plates(volume, box)
            return
        # A few ghosts hint at frames; the caption has their number.
        ghosts = min(volume.sizes[0], 4) if len(volume.sizes) == 3 and not volume.is_bar else 1
        for copy in range(box.copies - 1, -1, -1):
            left = box.left - copy * (box.length + APART)
            for ghost in range(ghosts - 1, -1, -1):
                moved = box._replace(left=left + 1.5 * ghost, top=box.top - 5.5 * ghost)
                self._cuboid(moved, volume.family)

    def _cuboid(self, box: VolumeBox, family: str) -> None:
        (dx, dy), left, right, top, bottom = box.back, box.left, box.right, box.top, box.bottom
        paint = self._paint(family)
        line = {"stroke": paint.line, "stroke_width": 0.9, "stroke_linejoin": "round"}
        above = [(left, top), (left + dx, top + dy), (right + dx, top + dy), (right, top)]
        aside = [(right, top), (right + dx, top + dy), (right + dx, bottom + dy), (right, bottom)]
        self.drawing.polygon(above, fill=mixed(paint.fill, self.style.background, 0.35), **line)
        self.drawing.polygon(aside, fill=mixed(paint.fill, paint.line, 0.25), **line)
        size = {"width": box.length, "height": box.height}
        self.drawing.add("rect", x=left, y=top, **size, fill=paint.fill, **line, class_=f"volume {family}")

    def _plates(self, volume: Volume, box: VolumeBox) -> None:
        """Draw the maps one by one, the first in front."""
        step = spread_of(volume.channels)
        paint = self._paint(volume.family)
        line = {"stroke": paint.line, "stroke_width": 0.9}
        for number in range(volume.channels - 1, -1, -1):
            x, y = box.left + number * step, box.top - number * step
            shade = mixed(paint.fill, paint.line, 0.12 * (number % 2))
            size = {"width": box.length, "height": box.height}
            self.drawing.add("rect", x=x, y=y, **size, fill=shade, **line, class_=f"volume {volume.family}")

    def _paint(self, family: str) -> Paint:
        return self.style.paint("end" if family == "input" else family)

    # connections between volumes

    def _between(self, number: int) -> None:
        volume = self.row[number]
        for place, source in enumerate(self.boxes[number - 1]):
            for other, target in enumerate(self.boxes[number]):
                same = len(self.boxes[number - 1]) == len(self.boxes[number]) > 1
                apart = volume.groups > 1 or volume.family == "pooling"
                if same and apart and place != other:
                    continue
                self._lead(number, source, target)

    def _lead(self, number: int, source: VolumeBox, target: VolumeBox) -> None:
        """Draw the window and the unit that reads it; lines from all of a volume to a dense layer; else an arrow."""
        volume, before = self.row[number], self.row[number - 1]
        sizes = before.sizes[-2:]
        first = target.left - (target.copies - 1) * (target.length + APART)
        if volume.windows and sizes and not before.is_bar:
            kernels = [min(w.effective / size, 1.0) for w, size in zip(volume.windows[-2:], sizes, strict=True)]
            self._window(source, (first, target), kernels)
        elif volume.family in ("dense", "pooling") and volume.is_bar:
            edge = [source.on_side(0, 0), source.on_side(0, 1)]
            for start, end in zip(edge, (target.top, target.bottom), strict=True):
                self._thin([start, (first, end)])
        else:
            start = (source.right + source.back[0] * 0.5 + 4, source.middle + source.back[1] * 0.5)
            self._arrow([start, (first - 3, target.middle)])

    def _window(self, source: VolumeBox, target: tuple[float, VolumeBox], kernels: Sequence[float]) -> None:
        left, box = target
        if self.scale.plates:
            high, wide = kernels[0] * source.height, kernels[-1] * source.length
            x, y = source.left + (source.length - wide) * 0.72, source.top + (source.height - high) * 0.62
            corners = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
            unit = (left + box.length * 0.28, box.top + box.height * 0.5)
            if box.length <= BAR:
                unit = (left + box.length / 2, box.middle)
            ends = [corners[1], corners[2]]
        else:
            across = kernels[-1] / 2 if len(kernels) > 1 else 0.5
            down = kernels[0] / 2
            faces = (
                (0.5 - across, 0.5 - down),
                (0.5 + across, 0.5 - down),
                (0.5 + across, 0.5 + down),
                (0.5 - across, 0.5 + down),
            )
            corners = [source.on_side(*face) for face in faces]
            unit = (left + min(2.5, box.length / 2), box.middle)
            ends = corners
        self.drawing.polygon(
            corners,
            fill=self.style.background,
            fill_opacity=0.35,
            stroke=self.style.text,
            stroke_width=0.8,
            class_="window",
        )
        for end in ends:
            self._thin([end, unit])
        self.drawing.add("circle", cx=unit[0], cy=unit[1], r=1.8, fill=self.style.text)

    def _thin(self, points: Sequence[Point]) -> None:
        self.drawing.line(points, stroke=self.style.text, stroke_width=0.6, stroke_opacity=0.7)

    def _arrow(self, points: Sequence[Point]) -> None:
        self.drawing.line(points, stroke=self.style.muted, stroke_width=1.2, stroke_linejoin="round")
        (x0, y0), (x, y) = points[-2:]
        angle = math.atan2(y - y0, x - x0)
        wings = [(x - 6 * math.cos(angle + turn), y - 6 * math.sin(angle + turn)) for turn in (-0.45, 0.45)]
        self.drawing.polygon([(x, y), *wings], fill=self.style.muted)

    def _skips(self, numbers: range) -> list[tuple[int, int, int]]:
        """The skips of a line with their levels; a skip over another has a higher level."""
        skips = [(source, number) for number in numbers for source in self.row[number].sources]
        levels: list[tuple[int, int, int]] = []
        for source, number in sorted(skips, key=lambda skip: skip[1] - skip[0]):
            inside = [level for start, end, level in levels if start < number and end > source]
            levels.append((source, number, max(inside, default=0) + 1))
        return levels

    def _height_of_arcs(self, numbers: range) -> float:
        return _ARC * max((level for *_, level in self._skips(numbers)), default=0)

    def _arcs(self, numbers: range, top: float) -> None:
        """Draw skips above the boxes, the longest highest."""
        for source, number, level in self._skips(numbers):
            start, end, y = self.boxes[source][0], self.boxes[number][0], top - 4 - _ARC * level
            x0, x1 = (self._top_center(box) for box in (start, end))
            self._arrow([(x0[0], x0[1] - 2), (x0[0], y), (x1[0], y), (x1[0], x1[1] - 3)])

    @staticmethod
    def _top_center(box: VolumeBox) -> Point:
        return (box.left + box.right + box.back[0]) / 2, box.top + box.back[1] / 2

    # texts

    def _words(self, numbers: range, y: float) -> float:
        """Draw captions below the boxes, and operations below them; return the lower end."""
        captions = [caption(self.row[number]) for number in numbers]
        for number, lines in zip(numbers, captions, strict=True):
            for line, (text, size, weight) in enumerate(lines):
                fill = self.style.text if weight == "bold" or line == 1 else self.style.muted
                place = (self.boxes[number][0].center, y + line * _LINE)
                self.drawing.write(text, place, size, "middle", fill=fill, font_weight=weight)
        y += max(map(len, captions)) * _LINE + 10
        most = 0
        for number in numbers[numbers.start == 0 :]:
            words = operation(self.row[number])
            for line, text in enumerate(words):
                self.drawing.write(text, (self._before(number), y + line * 12.5), 10, "middle", fill=self.style.muted)
            most = max(most, len(words))
        return y + max(most - 1, 0) * 12.5

    def _before(self, number: int) -> float:
        """The middle between a volume and the one before it, or the start of its line."""
        start = 0.0 if number in self.starts else self.boxes[number - 1][0].end
        return (start + self.boxes[number][0].first) / 2
