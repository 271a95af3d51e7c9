"""Finds room for a text that no arrow crosses."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from xml.etree.ElementTree import Element

Point = tuple[float, float]
Span = tuple[float, float]

_STEPS = 12  # straight segments that stand for a curve
_CLEAR = 7.0  # between a text and a line
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


def line_of(path: str) -> list[Point]:
    """Points along a path of Graphviz, which is made of cubic Bézier curves."""
    numbers = [*map(float, _NUMBER.findall(path))]
    points = [*zip(numbers[::2], numbers[1::2], strict=True)]
    line = points[:1]
    for start in range(0, len(points) - 3, 3):
        line += _curve(*points[start : start + 4])
    return line


def _curve(a: Point, b: Point, c: Point, d: Point) -> Iterator[Point]:
    for step in range(1, _STEPS + 1):
        t = step / _STEPS
        shares = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
        x, y = (sum(share * point[axis] for share, point in zip(shares, (a, b, c, d), strict=True)) for axis in (0, 1))
        yield x, y


def lines_of(group: Element) -> Iterator[list[Point]]:
    """The line of an arrow of Graphviz, and the outline of its head."""
    for element in group.iter():
        tag = element.tag.rpartition("}")[2]
        if tag == "path":
            yield line_of(element.get("d", ""))
        elif tag in ("polygon", "polyline"):
            numbers = [*map(float, _NUMBER.findall(element.get("points", "")))]
            yield [*zip(numbers[::2], numbers[1::2], strict=True)]


def spans_at(lines: Iterable[Sequence[Point]], band: Span) -> Iterator[Span]:
    """The horizontal extents of lines within a band of heights."""
    top, bottom = band
    for line in lines:
        for (x0, y0), (x1, y1) in pairwise(line):
            if min(y0, y1) <= bottom and max(y0, y1) >= top:
                slope = (x1 - x0) / (y1 - y0) if y1 != y0 else 0.0
                places = [x + slope * (min(max(y, top), bottom) - y) for x, y in ((x0, y0), (x1, y1))]
                yield min(places), max(places)


def first_gap(taken: Iterable[Span], left: float, width: float) -> float:
    """The leftmost x, from `left` on, at which a text of `width` touches no span."""
    place = left
    for start, end in sorted(taken):
        if place + width + _CLEAR <= start:
            break
        place = max(place, end + _CLEAR)
    return place
