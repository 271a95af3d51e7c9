"""The positions of each input that a unit depends on, computed backwards through the graph.

For every edge the units that are read are kept as boxes: an index set for each axis of the tensor, channels included.
Padding is no unit. A set with too many boxes or intervals is replaced by a larger set, which is marked as inexact.
"""

import heapq
import math
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.intervals import (
    Box,
    Boxes,
    Interval,
    Intervals,
    count,
    cover,
    everything,
    merged,
    simplified,
    within,
)
from archcalc.arithmetic import POINT, Window
from archcalc.layers.base import AnyWindow, Dependency, PhasedWindow, Shape, TableWindow, UnknownWindow

Link = tuple[int, int]  # a layer by its edge, and one of its inputs by number

MOST_INTERVALS = 2**16  # that one window may read
MOST_BOXES = 256  # on an edge

TOO_MANY = "there are too many sets of positions"
ACROSS = "the positions that a layer reads along one axis depend on other axes"


class Units(NamedTuple):
    """Units of an edge as boxes over the axes of its tensor.

    Along `loose` axes the boxes may contain more than these units, for the reason in `cause`.
    """

    boxes: Boxes
    loose: frozenset[int] = frozenset()
    cause: str = ""

    def all_loose(self, cause: str = TOO_MANY) -> "Units":
        """The same boxes, all axes of which are loose."""
        axes = range(len(self.boxes[0]) if self.boxes else 0)
        return self._replace(loose=frozenset(axes), cause=self.cause or cause)


def depends_on(context: AnalysisContext, edge: int, box: Box, cut: frozenset[Link] = frozenset()) -> dict[int, Units]:
    """The units that the units of `box` on `edge` depend on, for every edge that has such units.

    Links in `cut` are left out.
    """
    graph, inferred = context.graph, context.shapes.inferred
    found = {edge: Units((box,))}
    waiting = [-edge]
    while waiting:
        current = -heapq.heappop(waiting)
        units = found[current] = _bounded(found[current])
        position = graph.producer(current)
        layer = None if position is None else inferred[position]
        if position is None or layer is None:
            continue
        sources = graph.nodes[position].sources
        for number, (source, read) in enumerate(zip(sources, _read_by(layer, units), strict=True)):
            if not read.boxes or (current, number) in cut:
                continue
            if source in found:
                before = found[source]
                found[source] = Units(
                    (*before.boxes, *read.boxes), before.loose | read.loose, before.cause or read.cause
                )
            else:
                found[source] = read
                heapq.heappush(waiting, -source)
    return found


def unit_box(shape: Shape, places: dict[int, int]) -> Box:
    """All units of a tensor with these indices along some of its axes."""
    return tuple(
        ((places[axis], places[axis]),) if axis in places else everything(size) for axis, size in enumerate(shape)
    )


def _bounded(units: Units) -> Units:
    boxes = simplified(units.boxes)
    if len(boxes) <= MOST_BOXES:
        return units._replace(boxes=boxes)
    return units._replace(boxes=(cover(boxes),)).all_loose()


def _read_by(inferred: InferredLayer, units: Units) -> list[Units]:
    """The units of each input that units of a layer's output read."""
    if inferred.keeps_positions:
        return [units]
    return [
        _read_of_input(units, reads, tensor.shape, inferred.output.shape)
        for tensor, reads in zip(inferred.inputs, inferred.dependencies, strict=True)
    ]


def _read_of_input(units: Units, reads: tuple[Dependency, ...], shape: Shape, output: Shape) -> Units:
    if shape and not reads:
        return Units(())  # the input controls the layer, and its values are no part of the field
    if any(read.mixed for read in reads):
        parts = [regrouped_box(box, output, shape) for box in units.boxes]
        boxes = tuple(box for part in parts for box in part.boxes)
        known = not units.loose and not any(part.loose for part in parts)
        return Units(boxes) if known else Units(boxes).all_loose(units.cause or TOO_MANY)
    found = (
        [
            [positions_read(box[read.axis], read.window, size) for read, size in zip(reads, shape, strict=True)]
            for box in units.boxes
        ]
        if output
        else [[(everything(size), True) for size in shape]]
    )
    boxes = tuple(box for sets in found if all(box := tuple(taken for taken, _ in sets)))
    lost = {axis for sets in found for axis, (_, known) in enumerate(sets) if not known}
    return _loosened(Units(boxes), lost, units, reads)


def _loosened(units: Units, lost: set[int], behind: Units, reads: tuple[Dependency, ...]) -> Units:
    """Mark the axes of read units that are loose: those read by loose axes, unless they are read as a whole."""
    kept = {axis for axis, read in enumerate(reads) if read.axis in behind.loose and not _is_whole(read)}
    if lost or any(reads[axis].window != POINT for axis in kept):
        # The units may read nothing at all.
        return units.all_loose(behind.cause or _why_lost(reads[axis].window for axis in sorted(lost)))
    own = {axis for axis, read in enumerate(reads) if read.loose}
    return units._replace(loose=frozenset(kept | own), cause=behind.cause if kept else ACROSS if own else "")


def _why_lost(windows: Iterable[AnyWindow]) -> str:
    return next((window.reason for window in windows if isinstance(window, UnknownWindow)), TOO_MANY)


def _is_whole(read: Dependency) -> bool:
    return isinstance(read.window, Window) and read.window.stride == 0


# along one axis


@lru_cache(maxsize=2**14)
def positions_read(units: Intervals, window: AnyWindow, size: int) -> tuple[Intervals, bool]:
    """The positions of an axis that units read through a window, and whether they are exact."""
    found: list[Interval] = []
    for first, last in units:
        part = _read_by_any(first, last, window, size)
        if part is None or len(found) + len(part) > MOST_INTERVALS:
            return everything(size), False
        found += part
    return within(merged(found), size), True


def _read_by_any(first: int, last: int, window: AnyWindow, size: int) -> list[Interval] | None:
    """The positions that units `first` to `last` read, including padding; None if there are too many or unknown."""
    if isinstance(window, UnknownWindow):
        return None
    if isinstance(window, TableWindow):
        return [*merged((place, place) for place in {*chain.from_iterable(window.rows[first : last + 1])})]
    if isinstance(window, PhasedWindow):
        return _read_in_phases(first, last, window) if last - first < MOST_INTERVALS else None
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    start, end = first * stride - window.before, last * stride - window.before
    if kernel == 1 or dilation == 1:
        return (
            [(start, end + kernel - 1)] if start == end or stride <= kernel else _read_apart(first, last, window, size)
        )
    if start != end and stride > 1:
        return _read_apart(first, last, window, size)
    return [(start + tap * dilation, end + tap * dilation) for tap in _taps_inside(start, end, window, size)]


def _taps_inside(start: int, end: int, window: Window, size: int) -> range:
    """The taps by which windows that begin at `start` to `end` may read a position of the axis."""
    least = max(-(end // window.dilation), 0)
    most = min((size - 1 - start) // window.dilation, window.kernel - 1)
    return range(least, min(most, least + MOST_INTERVALS) + 1)


def _read_apart(first: int, last: int, window: Window, size: int) -> list[Interval] | None:
    """The positions that units `first` to `last` read, unit by unit, without units that read only padding."""
    reach = window.before - window.effective + 1
    nearest, farthest = max(first, -(-reach // window.stride)), min(last, (size - 1 + window.before) // window.stride)
    if farthest - nearest >= MOST_INTERVALS:
        return None
    found: list[Interval] = []
    for unit in range(nearest, farthest + 1):
        found += _read_by_any(unit, unit, window, size) or ()
        if len(found) > MOST_INTERVALS:
            return None
    return found


def _read_in_phases(first: int, last: int, window: PhasedWindow) -> list[Interval]:
    found: list[Interval] = []
    for unit in range(first, last + 1):
        turns, phase = divmod(unit, len(window.first))
        start, end = (ends[phase] + turns * window.advance for ends in (window.first, window.last))
        if window.step == 1:
            found += [(start, end)] if start <= end else []
        else:
            found += [(position, position) for position in range(start, end + 1, window.step)]
    return found


def count_read(units: int, window: AnyWindow, size: int) -> int:
    """The number of positions of an axis that `units` units read together; a lower bound if it is unknown."""
    if isinstance(window, UnknownWindow):
        return window.least
    if isinstance(window, TableWindow):
        return len({*chain.from_iterable(window.rows)})
    found, known = positions_read(everything(units), window, size)
    if known:
        return count(found)
    return _count_in_turns(units, *_taps_by_phase(window), size)


def _taps_by_phase(window: Window | PhasedWindow) -> tuple[list[range], int]:
    """The positions that each unit of the first period reads, and the advance to the next period."""
    if isinstance(window, Window):
        return [range(-window.before, window.effective - window.before, window.dilation)], window.stride
    ends = zip(window.first, window.last, strict=True)
    return [range(first, last + 1, window.step) for first, last in ends], window.advance


def _count_in_turns(units: int, phases: list[range], advance: int, size: int) -> int:
    """Count the positions read in rows of positions that are `advance` apart: a tap reads an interval of a row."""
    rows: dict[int, list[Interval]] = {}
    for phase, taps in enumerate(phases):
        turns = -(-(units - phase) // len(phases))
        for tap in taps[:MOST_INTERVALS]:
            turn, place = divmod(tap, advance or size)
            rows.setdefault(place, []).append((turn, turn + turns - 1))
    return sum(count(within(merged(row), -(-(size - place) // (advance or size)))) for place, row in rows.items())


# through a reshape


def regrouped_box(box: Box, after: Shape, before: Shape) -> Units:
    """The boxes in shape `before` of the values of a box in shape `after`, where a reshape maps `before` to `after`."""
    boxes, exact = [Box()], True
    i = j = 0
    while i < len(before) or j < len(after):
        here, there = _group(before[i:], after[j:])
        part = _regrouped(box[j : j + there], after[j : j + there], before[i : i + here])
        if len(boxes) * len(part.boxes) > MOST_BOXES:
            part = Units((cover(part.boxes),)).all_loose()
        boxes, exact = [(*one, *other) for one in boxes for other in part.boxes], exact and not part.loose
        i, j = i + here, j + there
    return Units(tuple(boxes)) if exact else Units(tuple(boxes)).all_loose()


def _group(before: Shape, after: Shape) -> tuple[int, int]:
    """The fewest leading axes of both shapes that have the same number of values."""
    here, there, left, right = 0, 0, 1, 1
    while here + there == 0 or left != right:
        if (left <= right and here < len(before)) or there == len(after):
            left *= before[here]
            here += 1
        else:
            right *= after[there]
            there += 1
    return here, there


def _regrouped(box: Box, after: Shape, before: Shape) -> Units:
    if all(taken == everything(size) for taken, size in zip(box, after, strict=True)):
        return Units((tuple(map(everything, before)),))
    if len(before) == len(after) == 1:
        return Units((box,))
    flat = _flat(box, after)
    if flat is None:
        return Units((tuple(map(everything, before)),)).all_loose()
    boxes = simplified(part for interval in flat for part in _unflat(interval, before))
    return Units(boxes) if len(boxes) <= MOST_BOXES else Units((cover(boxes),)).all_loose()


def _flat(box: Box, shape: Shape) -> Intervals | None:
    """The flat indices of a box's values; None if they take too many intervals."""
    if not box:
        return ((0, 0),)
    inner = _flat(box[1:], shape[1:])
    if inner is None:
        return None
    size = math.prod(shape[1:])
    if inner == everything(size):
        return tuple((first * size, (last + 1) * size - 1) for first, last in box[0])
    rows = [row for first, last in box[0] for row in range(first, min(last, first + MOST_INTERVALS) + 1)]
    if len(rows) * len(inner) > MOST_INTERVALS // 16:
        return None
    return merged((row * size + first, row * size + last) for row in rows for first, last in inner)


def _unflat(interval: Interval, shape: Shape) -> list[Box]:
    """An interval of flat indices as boxes: a part of the first row, whole rows, and a part of the last."""
    if not shape:
        return [()]
    if len(shape) == 1:
        return [((interval,),)]
    size = math.prod(shape[1:])
    (top, start), (bottom, end) = divmod(interval[0], size), divmod(interval[1], size)
    if top == bottom:
        return [(((top, top),), *part) for part in _unflat((start, end), shape[1:])]
    found: list[Box] = []
    if start:
        found += [(((top, top),), *part) for part in _unflat((start, size - 1), shape[1:])]
        top += 1
    if end < size - 1:
        found += [(((bottom, bottom),), *part) for part in _unflat((0, end), shape[1:])]
        bottom -= 1
    if top <= bottom:
        found.append((((top, bottom),), *map(everything, shape[1:])))
    return found


def projected(units: Units, axes: tuple[int, ...]) -> Units:
    """The units projected on some of their axes."""
    boxes = simplified(tuple(box[axis] for axis in axes) for box in units.boxes)
    loose = frozenset(place for place, axis in enumerate(axes) if axis in units.loose)
    return Units(boxes, loose, units.cause if loose else "")
