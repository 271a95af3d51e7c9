"""The classic picture of a convolutional network: its maps in a row, as boxes to scale.

Heights and widths are linear in the number of positions (their square root where sizes differ by more than 64 times),
depths grow with the square root of the number of channels. Few maps are drawn one by one, as in LeNet-5's paper; many
as a box, as in AlexNet's.
"""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.drawing import Drawing, Point, line_width, short, style_of
from archcalc.diagram.style import Paint, mixed
from archcalc.diagram.volume_row import Volume, VolumeRow, volume_row
from archcalc.layers.base import size_text

_TALLEST = 230.0
_WIDEST_RANGE = 64  # of sizes that are drawn linearly
_FEW = 32  # channels of maps that are drawn one by one
_LONGEST = 84.0  # for the most channels
_HIGHEST_BAR = 190.0
_SLANT = (0.40, -0.30)  # where a position further back lies, for each one to the right
_BAR = 9.0
_STRIP = 14.0  # how far back maps with one axis reach
_PLATES = 6  # boxes drawn of maps that follow each other in one shape
_GAP = 34.0
_LINES = 3  # of what was done, and of what follows
_LINE = 14.0  # from a line of words to the next


class _Scale(NamedTuple):
    """How long numbers are drawn."""

    position: float
    root: bool
    channel: float
    bar: float
    plates: bool

    def side(self, size: float) -> float:
        """Of positions along an axis."""
        return self.position * (math.sqrt(size) if self.root else size)

    def depth(self, channels: float) -> float:
        """Of channels."""
        return self.channel * math.sqrt(channels)

    def height(self, features: int) -> float:
        """Of features that have no positions."""
        return max(self.bar * math.sqrt(features), 3.0)


class _Box(NamedTuple):
    """A drawn volume: its front face, and how far it goes back."""

    left: float
    top: float
    length: float
    height: float
    back: Point
    copies: int = 1

    @property
    def right(self) -> float:
        return self.left + self.length

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    def on_side(self, across: float, down: float) -> Point:
        """A point of the face at the right, by its share of the way back and down."""
        return self.right + across * self.back[0], self.top + down * self.height + across * self.back[1]


def volumes(context: AnalysisContext, style: str = "color", depth: int | None = None) -> str:
    """The text of an SVG: the maps of a network in a row, each made from the one before it.

    `style` is color, paper or dark; `depth` folds blocks, which happens by itself where the row gets too long. Raises
    UsageError for a style that does not exist, for a graph, and for a row that is too long.
    """
    row = volume_row(context, depth)
    description = " → ".join(f"{_named(volume)} {size_text(volume.shape)}" for volume in row.volumes)
    drawing = Drawing(f"{context.graph.name}: its maps to scale", description, style_of(style))
    return _Picture(drawing, context.graph.name, row).draw()


def _named(volume: Volume) -> str:
    """The name of a volume, or the first and the last; without the end that they share, such as `.conv`."""
    first, last = volume.names[0], volume.names[-1]
    if first == last:
        return short(first, 22)
    end = first.rpartition(".")[2]
    if last.rpartition(".")[2] == end and "." in first:
        first, last = first.removesuffix(f".{end}"), last.removesuffix(f".{end}")
    return f"{short(first, 14)} … {short(last, 14)}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(short(name, 26) for name in names[:3])}{more}"


def _scale(row: Sequence[Volume]) -> _Scale:
    """Scales by which the largest of everything is as large as it may be."""
    sizes = [size for volume in row if not volume.is_bar for size in volume.sizes if size > 1] or [1]
    root = max(sizes) > _WIDEST_RANGE * min(sizes)
    largest = math.sqrt(max(sizes)) if root else max(sizes)
    maps = [volume.channels // volume.columns for volume in row if not volume.is_bar]
    bars = max((volume.channels for volume in row if volume.is_bar), default=1)
    plates = (
        bool(maps) and max(maps) <= _FEW and all(len(v.sizes) == 2 and len(v.names) == 1 for v in row if not v.is_bar)
    )
    channel = min(2.8, _LONGEST / math.sqrt(max(maps, default=1)))
    return _Scale(_TALLEST / largest, root, channel, min(14.0, _HIGHEST_BAR / math.sqrt(bars)), plates)


class _Picture:
    """The drawing while it is made, from left to right."""

    def __init__(self, drawing: Drawing, name: str, found: VolumeRow) -> None:
        self.drawing, self.name, self.found, self.row = drawing, name, found, found.volumes
        self.style = drawing.style
        self.scale = _scale(self.row)
        self.apart = self._distance_of_columns()
        self.boxes: list[tuple[_Box, ...]] = []  # a box for each column

    def draw(self) -> str:
        self._place()
        top = min(box.top + min(box.back[1], 0) for boxes in self.boxes for box in boxes)
        bottom = max(box.bottom for boxes in self.boxes for box in boxes)
        for number, boxes in enumerate(self.boxes):
            for box in boxes:
                self._volume(self.row[number], box)
            if number:
                self._between(number)
        top = self._arcs(top)
        end = self._words(bottom + 26)
        return self._framed(top, end)

    def _framed(self, top: float, bottom: float) -> str:
        captions = [(self._center(n) + s * self._caption_width(n) / 2) for n in range(len(self.row)) for s in (-1, 1)]
        left, right = min(0.0, *captions), max(*captions, *(box.right + box.back[0] for box in self.boxes[-1]))
        title = short(self.name, 80)
        self.drawing.write(title, (left, top - 24), 16, font_weight="bold")
        notes = [self._note(), *self._left_out()]
        for line, note in enumerate(notes):
            self.drawing.write(note, (left, bottom + 18 + 13 * line), 9.5, fill=self.style.muted)
        right = max(right, left + line_width(title, 16, True), *(left + line_width(note, 9.5) for note in notes))
        height = bottom - top + 56 + 36 + 13 * (len(notes) - 1)
        return self.drawing.finish(left - 20, top - 56, right - left + 40, height)

    def _note(self) -> str:
        """What the drawing is true to."""
        positions = "positions by the square root of their number" if self.scale.root else "height and width to scale"
        channels = "every channel drawn" if self.scale.plates else "channels by the square root of their number"
        bars = ["features without positions by the square root of theirs"] if any(v.is_bar for v in self.row) else []
        return "; ".join([positions, channels, *bars])

    def _left_out(self) -> Iterator[str]:
        """What the drawing does not show."""
        if self.found.depth is not None:
            yield f"blocks are folded at depth {self.found.depth}"
        if any(volume.branches for volume in self.row):
            yield "branches that meet again are one box, with how many layers or blocks are in them"
        if self.found.inputs:
            yield f"branches begin with other inputs, too: {_listed(self.found.inputs)}"
        if self.found.elsewhere:
            yield f"not drawn, since the first output does not depend on it: {_listed(self.found.elsewhere)}"

    # where things are

    def _extent(self, volume: Volume) -> tuple[float, float, Point]:
        """Length, height and way back of a box."""
        channels = volume.channels / volume.columns
        if volume.is_bar:
            return _BAR, self.scale.height(volume.channels), (5.0, -4.0)
        height = self.scale.side(volume.sizes[0] if len(volume.sizes) == 1 else volume.sizes[-2])
        if self.scale.plates:
            spread = self._spread(volume.channels) * (volume.channels - 1)
            return self.scale.side(volume.sizes[-1]), height, (spread, -spread)
        width = _STRIP if len(volume.sizes) == 1 else self.scale.side(volume.sizes[-1])
        return self.scale.depth(channels), height, (width * _SLANT[0], width * _SLANT[1])

    @staticmethod
    def _spread(maps: int) -> float:
        """How far each of several maps lies from the next."""
        return min(7.0, 64.0 / maps)

    def _distance_of_columns(self) -> float:
        """From the middle of one column to that of the next."""
        apart = [self._extent(volume) for volume in self.row if volume.columns > 1]
        return max((height - back[1] for _, height, back in apart), default=0.0) + 22

    def _place(self) -> None:
        """Every box beside the one before, far enough for the words below."""
        operations_end = -math.inf
        for number, volume in enumerate(self.row):
            length, height, back = self._extent(volume)
            copies = min(len(volume.names), _PLATES)
            left = 0.0
            if number:
                before = self.boxes[-1][0]
                start = max(box.right + box.back[0] for box in self.boxes[-1])
                left = start + _GAP
                whole = copies * length + (copies - 1) * 3.0 + back[0]
                caption = (self._caption_width(number - 1) + self._caption_width(number)) / 2 + 12
                left = max(left, self._center(number - 1) + caption - whole / 2)
                words = max((line_width(line, 10) for line in self._operation(number)), default=0.0)
                near = before.right + before.back[0]
                left = max(left, 2 * (operations_end + 10 + words / 2) - near)
                operations_end = (near + left) / 2 + words / 2
            self.boxes.append(
                tuple(self._column(volume, column, left, length, height, back) for column in range(volume.columns))
            )

    def _column(self, volume: Volume, column: int, left: float, length: float, height: float, back: Point) -> _Box:
        copies = min(len(volume.names), _PLATES)
        middle = (column - (volume.columns - 1) / 2) * self.apart
        top = middle - (height + back[1]) / 2
        return _Box(left + (copies - 1) * (length + 3.0), top, length, height, back, copies)

    def _center(self, number: int) -> float:
        box = self.boxes[number][0]
        left = box.left - (box.copies - 1) * (box.length + 3.0)
        return (left + box.right + box.back[0]) / 2

    # the boxes

    def _volume(self, volume: Volume, box: _Box) -> None:
        if self.scale.plates and not volume.is_bar:
            self._plates(volume, box)
            return
        # Frames are hinted at, and told in words.
        ghosts = min(volume.sizes[0], 4) if len(volume.sizes) == 3 and not volume.is_bar else 1
        for copy in range(box.copies - 1, -1, -1):
            left = box.left - copy * (box.length + 3.0)
            for ghost in range(ghosts - 1, -1, -1):
                moved = box._replace(left=left + 1.5 * ghost, top=box.top - 5.5 * ghost)
                self._cuboid(moved, volume.family)

    def _cuboid(self, box: _Box, family: str) -> None:
        (dx, dy), left, right, top, bottom = box.back, box.left, box.right, box.top, box.bottom
        paint = self._paint(family)
        line = {"stroke": paint.line, "stroke_width": 0.9, "stroke_linejoin": "round"}
        above = [(left, top), (left + dx, top + dy), (right + dx, top + dy), (right, top)]
        aside = [(right, top), (right + dx, top + dy), (right + dx, bottom + dy), (right, bottom)]
        self.drawing.polygon(above, fill=mixed(paint.fill, self.style.background, 0.35), **line)
        self.drawing.polygon(aside, fill=mixed(paint.fill, paint.line, 0.25), **line)
        size = {"width": box.length, "height": box.height}
        self.drawing.add("rect", x=left, y=top, **size, fill=paint.fill, **line, class_=f"volume {family}")

    def _plates(self, volume: Volume, box: _Box) -> None:
        """Each map by itself, the first in front."""
        step = self._spread(volume.channels)
        paint = self._paint(volume.family)
        line = {"stroke": paint.line, "stroke_width": 0.9}
        for number in range(volume.channels - 1, -1, -1):
            x, y = box.left + number * step, box.top - number * step
            shade = mixed(paint.fill, paint.line, 0.12 * (number % 2))
            size = {"width": box.length, "height": box.height}
            self.drawing.add("rect", x=x, y=y, **size, fill=shade, **line, class_=f"volume {volume.family}")

    def _paint(self, family: str) -> Paint:
        return self.style.paint("end" if family == "input" else family)

    # what leads from one to the next

    def _between(self, number: int) -> None:
        volume = self.row[number]
        for place, source in enumerate(self.boxes[number - 1]):
            for other, target in enumerate(self.boxes[number]):
                same = len(self.boxes[number - 1]) == len(self.boxes[number]) > 1
                apart = volume.groups > 1 or volume.family == "pooling"
                if same and apart and place != other:
                    continue
                self._lead(number, source, target)

    def _lead(self, number: int, source: _Box, target: _Box) -> None:
        """The window on the volume before and the unit that reads it; all of it for a dense layer; else an arrow."""
        volume, before = self.row[number], self.row[number - 1]
        sizes = before.sizes[-2:]
        first = target.left - (target.copies - 1) * (target.length + 3.0)
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

    def _window(self, source: _Box, target: tuple[float, _Box], kernels: Sequence[float]) -> None:
        left, box = target
        if self.scale.plates:
            high, wide = kernels[0] * source.height, kernels[-1] * source.length
            x, y = source.left + (source.length - wide) * 0.72, source.top + (source.height - high) * 0.62
            corners = [(x, y), (x + wide, y), (x + wide, y + high), (x, y + high)]
            unit = (left + box.length * 0.28, box.top + box.height * 0.5)
            if box.length <= _BAR:
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

    def _arcs(self, top: float) -> float:
        """Skips above the row, the longest the highest; returns where they end."""
        skips = [(source, number) for number, volume in enumerate(self.row) for source in volume.sources]
        levels: list[tuple[int, int, int]] = []
        for source, number in sorted(skips, key=lambda skip: skip[1] - skip[0]):
            inside = [level for start, end, level in levels if start < number and end > source]
            levels.append((source, number, max(inside, default=0) + 1))
        for source, number, level in levels:
            start, end, y = self.boxes[source][0], self.boxes[number][0], top - 4 - 14.0 * level
            x0, x1 = (self._top_center(box) for box in (start, end))
            self._arrow([(x0[0], x0[1] - 2), (x0[0], y), (x1[0], y), (x1[0], x1[1] - 3)])
        return top - 14.0 * max((level for *_, level in levels), default=0)

    @staticmethod
    def _top_center(box: _Box) -> Point:
        return (box.left + box.right + box.back[0]) / 2, box.top + box.back[1] / 2

    # words

    def _caption(self, number: int) -> list[tuple[str, float, str]]:
        volume = self.row[number]
        times = f" ({len(volume.names)}×)" if len(volume.names) > 1 else ""
        lines = [(_named(volume), 11.0, "bold"), (size_text(volume.shape) + times, 11.0, "normal")]
        if len(volume.sizes) == 3 and not volume.is_bar:
            frames = volume.sizes[0]
            lines.append((f"{frames} frame{'s' * (frames > 1)}", 10.0, "normal"))
        return lines

    def _caption_width(self, number: int) -> float:
        lines = self._caption(number)
        return max(line_width(text, size, weight == "bold") for text, size, weight in lines)

    def _operation(self, number: int) -> list[str]:
        """What makes a volume of the one before, and what follows in its shape; in lines of a few words."""
        volume = self.row[number]
        kinds = [*dict.fromkeys(volume.operations)]
        if len(kinds) > 1:
            more = [f"{len(volume.names)} layers"] if len(kinds) > _LINES else []
            lines = [*(kind.replace(", stride ", " /") for kind in kinds[:_LINES]), *more]
        else:
            times = f"{len(volume.names)} × " if len(volume.names) > 1 else ""
            lines = [part for kind in kinds for part in f"{times}{kind}".split(", ")]
        then = [*dict.fromkeys(volume.then)][:_LINES]
        lines += [f"({volume.branches} in branches)"] if volume.branches else []
        return [*(short(line, 26) for line in lines), *(short(f"+ {word}", 26) for word in then)]

    def _words(self, y: float) -> float:
        """Names and sizes below the boxes, and below them what was done between; returns where they end."""
        captions = [self._caption(number) for number in range(len(self.row))]
        for number, lines in enumerate(captions):
            for line, (text, size, weight) in enumerate(lines):
                fill = self.style.text if weight == "bold" or line == 1 else self.style.muted
                place = (self._center(number), y + line * _LINE)
                self.drawing.write(text, place, size, "middle", fill=fill, font_weight=weight)
        y += max(map(len, captions)) * _LINE + 10
        most = 0
        for number in range(1, len(self.row)):
            before, after = self.boxes[number - 1][0], self.boxes[number][0]
            left = after.left - (after.copies - 1) * (after.length + 3.0)
            middle = (before.right + before.back[0] + left) / 2
            operation = self._operation(number)
            for line, text in enumerate(operation):
                self.drawing.write(text, (middle, y + line * 12.5), 10, "middle", fill=self.style.muted)
            most = max(most, len(operation))
        return y + max(most - 1, 0) * 12.5
