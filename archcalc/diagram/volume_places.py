"""Places the boxes of volumes in a row, to scale; a row that is too long is broken into lines."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from archcalc.diagram.drawing import Point
from archcalc.diagram.volume_row import Volume
from archcalc.diagram.volume_words import caption_width, operation_width

TALLEST = 230.0
WIDEST = 1640.0  # of a line, in pixels
BAR = 9.0
APART = 3.0  # the gap between copies
_WIDEST_RANGE = 64  # the largest ratio of sizes on a linear scale
_FEW = 32  # the most channels that are drawn one by one
_LONGEST = 84.0  # of the box with most channels
_HIGHEST_BAR = 190.0
_SLANT = (0.40, -0.30)  # the shift of depth, for each position of width
_STRIP = 14.0  # the depth of maps with one axis
_PLATES = 6  # the most copies that are drawn
_GAP = 34.0


class VolumeScale(NamedTuple):
    """The scales of a drawing, in pixels; `root` scales positions by their square root."""

    position: float
    root: bool
    channel: float
    bar: float
    plates: bool

    def side(self, size: float) -> float:
        """The length of an axis of positions."""
        return self.position * (math.sqrt(size) if self.root else size)

    def depth(self, channels: float) -> float:
        """The depth of channels."""
        return self.channel * math.sqrt(channels)

    def height(self, features: int) -> float:
        """The height of features without positions."""
        return max(self.bar * math.sqrt(features), 3.0)


class VolumeBox(NamedTuple):
    """The box of a volume: the front face of the last of `copies`; `back` is the shift to the back face."""

    left: float
    top: float
    length: float
    height: float
    back: Point
    copies: int = 1

    @property
    def first(self) -> float:
        """The left end of the first copy."""
        return self.left - (self.copies - 1) * (self.length + APART)

    def moved_to(self, left: float) -> "VolumeBox":
        """The box with its first copy at `left`."""
        return self._replace(left=self.left + left - self.first)

    @property
    def right(self) -> float:
        return self.left + self.length

    @property
    def end(self) -> float:
        """The right end of the back face."""
        return self.right + self.back[0]

    @property
    def bottom(self) -> float:
        return self.top + self.height

    @property
    def middle(self) -> float:
        return self.top + self.height / 2

    @property
    def center(self) -> float:
        """The middle between the left and right ends."""
        return (self.first + self.end) / 2

    def on_side(self, across: float, down: float) -> Point:
        """A point of the right face, by its shares of the depth and the height."""
        return self.right + across * self.back[0], self.top + down * self.height + across * self.back[1]


def scale_of(row: Sequence[Volume]) -> VolumeScale:
    """The scales that draw the largest volume at the largest allowed size."""
    sizes = [size for volume in row if not volume.is_bar for size in volume.sizes if size > 1] or [1]
    root = max(sizes) > _WIDEST_RANGE * min(sizes)
    largest = math.sqrt(max(sizes)) if root else max(sizes)
    maps = [volume.channels // volume.columns for volume in row if not volume.is_bar]
    bars = max((volume.channels for volume in row if volume.is_bar), default=1)
    plates = (
        bool(maps) and max(maps) <= _FEW and all(len(v.sizes) == 2 and len(v.names) == 1 for v in row if not v.is_bar)
    )
    channel = min(2.8, _LONGEST / math.sqrt(max(maps, default=1)))
    return VolumeScale(TALLEST / largest, root, channel, min(14.0, _HIGHEST_BAR / math.sqrt(bars)), plates)


def spread_of(maps: int) -> float:
    """The distance between maps that are drawn one by one."""
    return min(7.0, 64.0 / maps)


class Places:
    """The boxes of a row, by line; each volume has a box for each of its columns."""

    def __init__(self, row: Sequence[Volume], scale: VolumeScale) -> None:
        self.row, self.scale = row, scale
        apart = [self._extent(volume) for volume in row if volume.columns > 1]
        self.apart = max((height - back[1] for _, height, back in apart), default=0.0) + 22  # the distance of columns
        whole = self._line(range(len(row)))
        self.lines = [self._line(numbers) for numbers in self._broken([boxes[0].end for boxes in whole])]

    def _broken(self, ends: Sequence[float]) -> list[range]:
        """Divide the volumes into lines of similar length; a line does not end below a skip."""
        count = math.ceil(ends[-1] / WIDEST)
        starts = [0]
        for number in range(1, len(ends)):
            is_full = ends[number] > ends[-1] * len(starts) / count + 1
            if is_full and len(starts) < count and not self._is_skipped(number):
                starts.append(number)
        return [range(start, end) for start, end in zip(starts, [*starts[1:], len(ends)], strict=True)]

    def _is_skipped(self, number: int) -> bool:
        """Whether a skip starts before a volume and ends at it or after it."""
        return any(source < number <= place for place, volume in enumerate(self.row) for source in volume.sources)

    def _line(self, numbers: range) -> list[tuple[VolumeBox, ...]]:
        """The boxes of a line, with room for the captions below."""
        found: list[tuple[VolumeBox, ...]] = []
        words_end = -math.inf
        for number in numbers:
            volume, words = self.row[number], operation_width(self.row[number])
            box = self._box(volume)
            if found:
                box = box.moved_to(
                    max(self._beside(found[-1], box, number), 2 * (words_end + 10 + words / 2) - found[-1][0].end)
                )
                words_end = (found[-1][0].end + box.first + words) / 2
            elif number:  # room for the operation before it
                box = box.moved_to(max(words + 24, 56.0, words / 2 + 24))
                words_end = (box.first + words) / 2
            found.append(tuple(self._in_column(box, column, volume) for column in range(volume.columns)))
        return found

    def _beside(self, before: tuple[VolumeBox, ...], box: VolumeBox, number: int) -> float:
        """The left end of a box that touches no earlier box and whose caption covers no other."""
        captions = (caption_width(self.row[number - 1]) + caption_width(self.row[number])) / 2 + 12
        return max(max(each.end for each in before) + _GAP, before[0].center + captions - (box.center - box.first))

    def _box(self, volume: Volume) -> VolumeBox:
        """The box of a volume at the left edge."""
        length, height, back = self._extent(volume)
        copies = min(len(volume.names), _PLATES)
        return VolumeBox(
            left=(copies - 1) * (length + APART), top=0.0, length=length, height=height, back=back, copies=copies
        )

    def _in_column(self, box: VolumeBox, column: int, volume: Volume) -> VolumeBox:
        middle = (column - (volume.columns - 1) / 2) * self.apart
        return box._replace(top=middle - (box.height + box.back[1]) / 2)

    def _extent(self, volume: Volume) -> tuple[float, float, Point]:
        """Length, height and depth shift of a box."""
        channels = volume.channels / volume.columns
        if volume.is_bar:
            return BAR, self.scale.height(volume.channels), (5.0, -4.0)
        height = self.scale.side(volume.sizes[0] if len(volume.sizes) == 1 else volume.sizes[-2])
        if self.scale.plates:
            spread = spread_of(volume.channels) * (volume.channels - 1)
            return self.scale.side(volume.sizes[-1]), height, (spread, -spread)
        width = _STRIP if len(volume.sizes) == 1 else self.scale.side(volume.sizes[-1])
        return self.scale.depth(channels), height, (width * _SLANT[0], width * _SLANT[1])
