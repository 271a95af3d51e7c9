"""Sets of whole numbers as sorted intervals that neither overlap nor touch."""

from collections.abc import Iterable, Sequence
from itertools import pairwise

Interval = tuple[int, int]  # the first and the last number
Intervals = tuple[Interval, ...]


def merged(intervals: Iterable[Interval]) -> Intervals:
    """The same numbers as sorted intervals that neither overlap nor touch."""
    found: list[Interval] = []
    for first, last in sorted(intervals):
        if found and first <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return tuple(found)


def within(intervals: Intervals, size: int) -> Intervals:
    """The numbers that are positions of an axis of this size."""
    return tuple((max(first, 0), min(last, size - 1)) for first, last in intervals if first < size and last >= 0)


def everything(size: int) -> Intervals:
    """All positions of an axis of this size."""
    return ((0, size - 1),) if size else ()


def count(intervals: Intervals) -> int:
    """The number of elements."""
    return sum(last - first + 1 for first, last in intervals)


def includes(outer: Intervals, inner: Intervals) -> bool:
    """Whether `inner` is a subset of `outer`."""
    place = 0
    for first, last in inner:
        while place < len(outer) and outer[place][1] < first:
            place += 1
        if place == len(outer) or outer[place][0] > first or outer[place][1] < last:
            return False
    return True


# sets of positions along several axes

Box = tuple[Intervals, ...]  # the product of one set for each axis
Boxes = tuple[Box, ...]  # their union
MOST_COMPARED = 64  # boxes that are compared in pairs


def simplified(boxes: Iterable[Box]) -> Boxes:
    """The same positions in fewer boxes."""
    found = [*dict.fromkeys(boxes)]
    if len(found) < 2:
        return tuple(found)
    while True:
        before = len(found)
        for axis in range(len(found[0])):
            found = _joined(found, axis)
        if len(found) == before:
            break
    return tuple(_outermost(found) if len(found) <= MOST_COMPARED else found)


def _joined(boxes: list[Box], axis: int) -> list[Box]:
    """Join boxes that differ only along one axis."""
    groups: dict[Box, list[Intervals]] = {}
    for box in boxes:
        groups.setdefault((*box[:axis], *box[axis + 1 :]), []).append(box[axis])
    return [
        (*others[:axis], sets[0] if len(sets) == 1 else union(sets), *others[axis:]) for others, sets in groups.items()
    ]


def _outermost(boxes: list[Box]) -> list[Box]:
    return [
        box
        for number, box in enumerate(boxes)
        if not any(contains(other, box) for place, other in enumerate(boxes) if place != number)
    ]


def contains(outer: Box, inner: Box) -> bool:
    """Whether `outer` contains `inner`."""
    return all(includes(one, other) for one, other in zip(outer, inner, strict=True))


def union(sets: Iterable[Intervals]) -> Intervals:
    """The union of sets."""
    return merged(interval for intervals in sets for interval in intervals)


def along(boxes: Boxes, axis: int) -> Intervals:
    """The positions of boxes along one axis."""
    return union(box[axis] for box in boxes)


def cover(boxes: Sequence[Box]) -> Box:
    """The smallest box that contains all boxes."""
    return tuple(union(sets) for sets in zip(*boxes, strict=True))


def volume(boxes: Boxes) -> int:
    """The number of positions in the union of boxes."""
    if len(boxes) == 1:
        total = 1
        for intervals in boxes[0]:
            total *= count(intervals)
        return total
    if not boxes or not boxes[0]:
        return len(boxes[:1])
    return sum((last - first + 1) * volume(rest) for (first, last), rest in _slices(boxes))


def _slices(boxes: Boxes) -> Iterable[tuple[Interval, Boxes]]:
    """Slices of the first axis between the ends of boxes, each with the boxes' other axes there."""
    cuts = sorted({cut for box in boxes for first, last in box[0] for cut in (first, last + 1)})
    for first, after in pairwise(cuts):
        others = (box[1:] for box in boxes if includes(box[0], ((first, after - 1),)))
        if rest := tuple(dict.fromkeys(others)):
            yield (first, after - 1), rest
