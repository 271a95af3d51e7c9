"""Receptive fields measured by gradients: the size, jump and centre of what the units of a layer really see.

Units in the middle are looked at, as many in a row as there are phases and one more, on an input that is just large
enough (or cropped) for them to see no padding. Sizes change by whole multiples of the jumps, so that every layer places
its windows as it does on the spec's own input.
"""

import math
from collections.abc import Callable, Collection, Iterator
from fractions import Fraction
from typing import Any

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.receptive_field import AxisField, Field
from archcalc.layers.base import Unknown
from archcalc.pytorch.verify.gradients import Interval, Measurable
from archcalc.pytorch.verify.resizing import extents, resized, steering
from archcalc.report.network import Network
from archcalc.report.summary import exact
from archcalc.report.verification import Comparison, compare

QUESTION = "field: size · jump · center"
CLIPPED = "as far as it lies on the input: from the first to the last position"
BEHIND_PADDING = "behind padding only the outermost positions can be said"
BEHIND_HOLES = "units between those that a transposed convolution fills see nothing"

SMALLEST = 32  # positions per axis of the first input that is tried
MOST_POSITIONS = 2**24  # of an input that is made larger
MOST_STEP = 2**12  # positions by which an input may have to grow to keep all windows in their places


def compare_fields(
    network: Network, names: Collection[str] | None, progress: Callable[[int, int], None]
) -> Iterator[Comparison]:
    """A row for every layer of that name; for None, for every layer whose units have positions."""
    wanted = _wanted(network, names)
    rows: dict[int, Comparison] = {}
    for analysed in (*_other_sizes(network.analysed, wanted), None):
        stage = Stage(network.analysed, analysed or network.analysed, last=analysed is None)
        for position, row in stage.compare([position for position in wanted if position not in rows]):
            rows[position] = row
            progress(len(rows), len(wanted))
        if len(rows) == len(wanted):
            break
    yield from (rows[position] for position in wanted)


def _wanted(network: Network, names: Collection[str] | None) -> list[int]:
    if names is not None:
        return [*dict.fromkeys(network.position(name) for name in names)]
    fields = network.analysed.receptive_fields.edges[len(network.graph.inputs) :]
    return [position for position, field in enumerate(fields) if field is not None and _is_spatial(field)]


def _is_spatial(field: Field | Unknown) -> bool:
    """Whether every axis of positions of the input has an axis of its own in the output."""
    return isinstance(field, Unknown) or len({axis.axis for axis in field.axes}) == len(field.axes)


def _other_sizes(analysed: AnalysedGraph, wanted: list[int]) -> Iterator[AnalysedGraph]:
    """The network on larger and larger inputs, on which windows lie as on its own."""
    axes = extents(analysed)
    steps = {size: _step(analysed, size) for size in {extent.size for extent in axes}}
    largest = max((_largest(analysed, position) for position in wanted), default=0)
    least = SMALLEST
    while steps and least <= max(4 * largest, SMALLEST):
        # At least so many, and at least one.
        sizes = {size: size - (size - max(least, 1)) // step * step for size, step in steps.items()}
        graph = resized(analysed.graph, axes, sizes)
        if max(math.prod(tensor.shape) for tensor in graph.inputs.values()) > MOST_POSITIONS:
            return
        yield AnalysedGraph(graph)
        least *= 2


def _step(analysed: AnalysedGraph, size: int) -> int:
    """By what a size of the input may change: the least common multiple of the jumps along it."""
    step = 1
    for field in analysed.receptive_fields.edges:
        for axis, extent in zip(field.axes, field.shape, strict=True) if isinstance(field, Field) else ():
            if extent == size and axis.advance and math.lcm(step, axis.advance) <= MOST_STEP:
                step = math.lcm(step, axis.advance)
    return step


def _largest(analysed: AnalysedGraph, position: int) -> int:
    field = analysed.receptive_fields.edges[analysed.edge(position)]
    return max((axis.size or 0 for axis in field.axes), default=0) if isinstance(field, Field) else 0


class Stage:
    """The network on an input of some size. The last stage, on the spec's own, has an answer for every layer."""

    def __init__(self, original: AnalysedGraph, analysed: AnalysedGraph, last: bool) -> None:
        self.original = original
        self.analysed = analysed
        self.last = last

    def compare(self, positions: list[int]) -> Iterator[tuple[int, Comparison]]:
        """The rows of those layers that can be measured at this size."""
        units = {position: self._units(position) for position in positions}
        chosen = [self.analysed.edge(position) for position, found in units.items() if found]
        measurable = Measurable(self.analysed, steering(self.analysed), chosen) if chosen else None
        for position in positions:
            field = self._field(position)
            if measurable and (found := units[position]) and isinstance(field, Field):
                seen = [measurable.seen(self.analysed.edge(position), field, places) for places in found]
                yield position, self._row(position, field, found, seen)
            elif self.last:
                reason = field.reason if isinstance(field, Unknown) else "the input has no positions"
                yield position, self._uncovered(position, None, reason)

    def _field(self, position: int) -> Field | Unknown | None:
        return self.analysed.receptive_fields.edges[self.analysed.edge(position)]

    def _units(self, position: int) -> list[list[int]] | None:
        """The places of the units to look at; None if what they see cannot be told here."""
        field = self._field(position)
        if not isinstance(field, Field):
            return None
        fits = all(axis.advance and _middle(axis) + axis.period < axis.extent for axis in field.axes)
        if fits and self._is_like_original(position, field) and self._is_free_of_padding(position, field):
            phases = range(max(axis.period for axis in field.axes) + 1)
            return [[_middle(axis) + min(phase, axis.period) for axis in field.axes] for phase in phases]
        return [[min(_middle(axis), axis.extent - 1) for axis in field.axes]] if self.last else None

    def _is_like_original(self, position: int, field: Field) -> bool:
        """Whether units see, for any place of theirs, what they see on the spec's own input."""
        original = self.original.receptive_fields.edges[self.original.edge(position)]
        return isinstance(original, Field) and all(
            one._replace(extent=0) == other._replace(extent=0)
            for one, other in zip(field.axes, original.axes, strict=True)
        )

    def _is_free_of_padding(self, position: int, field: Field) -> bool:
        """Whether no unit between those looked at and the input is padding."""
        for number, axis in enumerate(field.axes):
            intervals = [axis.sees(_middle(axis) + phase) for phase in range(axis.period + 1)]
            seen = [(first, last) for first, last in intervals if first <= last]
            start, end = min((first for first, _ in seen), default=0), max((last for _, last in seen), default=0)
            if any(start <= before or end >= behind for before, behind in self._padding(position, number)):
                return False
        return True

    def _padding(self, position: int, number: int) -> Iterator[Interval]:
        """For every layer before, where what its padding sees begins at one end, and ends at the other."""
        for edge in range(self.analysed.edge(position)):
            field = self.analysed.receptive_fields.edges[edge]
            axis = field.axes[number] if isinstance(field, Field) and number < len(field.axes) else None
            if axis and axis.advance:
                before = [axis.sees(-1 - phase) for phase in range(axis.period)]
                behind = [axis.sees(axis.extent + phase) for phase in range(axis.period)]
                yield (
                    int(max((first for first, last in before if first <= last), default=-1)),
                    int(min((last for first, last in behind if first <= last), default=2**62)),
                )

    def _row(
        self, position: int, field: Field, units: list[list[int]], seen: list[list[Interval] | None]
    ) -> Comparison:
        name = self.analysed.graph.nodes[position].name
        said: dict[str, Any] | None = _facts(field)
        found: dict[str, Any] | None = _measured(field, units, seen)
        note = ""
        if len(units) == 1:
            if any(axis.mixed for axis in field.axes):
                return self._uncovered(position, said, "positions were mixed by a reshape")
            said, found, note = _clipped(field, units[0]), _listed(seen[0]), CLIPPED
        if said != found and self._is_upper_bound(position, field, units, seen):
            holes = self._has_holes(position)
            return Comparison(QUESTION, name, said, found, "not covered", BEHIND_HOLES if holes else BEHIND_PADDING)
        return compare(QUESTION, name, said, found, note)

    def _uncovered(self, position: int, said: Any, reason: str) -> Comparison:
        return Comparison(QUESTION, self.analysed.graph.nodes[position].name, said, None, "not covered", reason)

    def _is_upper_bound(
        self, position: int, field: Field, units: list[list[int]], seen: list[list[Interval] | None]
    ) -> bool:
        """Whether what is said is meant as a bound alone, and is one."""
        if not self._has_holes(position) and (len(units) > 1 or not self._is_padded(position)):
            return False
        return all(
            _contains(axis.sees(unit), interval)
            for places, intervals in zip(units, seen, strict=True)
            if intervals
            for axis, unit, interval in zip(field.axes, places, intervals, strict=True)
        )

    def _fields_before(self, position: int) -> Iterator[Field]:
        for field in self.analysed.receptive_fields.edges[: self.analysed.edge(position) + 1]:
            if isinstance(field, Field):
                yield field

    def _has_holes(self, position: int) -> bool:
        return any(
            first > last
            for field in self._fields_before(position)
            for axis in field.axes
            for first, last in zip(axis.first, axis.last, strict=True)
        )

    def _is_padded(self, position: int) -> bool:
        return any(
            not _contains((0, size - 1), axis.covered())
            for field in self._fields_before(position)
            for axis, size in zip(field.axes, field.shape, strict=True)
        )


def _middle(axis: AxisField) -> int:
    """A unit in the middle, the first of its period."""
    return axis.extent // 2 // axis.period * axis.period


def _contains(outer: tuple[float, float], inner: tuple[float, float]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _facts(field: Field) -> dict[str, Any]:
    """Size, jump and center along every axis, as archcalc says them; nothing for units that see nothing."""
    sizes = [axis.size for axis in field.axes]
    if set(sizes) == {None}:
        return {"size": sizes}
    centers = [None if (double := axis.center_doubled) is None else exact(double, 2) for axis in field.axes]
    return {"size": sizes, "jump": [exact(*axis.jump_ratio) for axis in field.axes], "center": centers}


def _measured(field: Field, units: list[list[int]], seen: list[list[Interval] | None]) -> dict[str, Any]:
    """The same, from what units in a row see."""
    if not all(seen):
        return {"size": [None for _ in field.axes]}
    intervals = (
        [found[number] for found in seen[: axis.period + 1] if found] for number, axis in enumerate(field.axes)
    )
    columns = zip(field.axes, units[0], intervals, strict=True)
    measured = zip(*(_measure_axis(*column) for column in columns), strict=True)
    return dict(zip(("size", "jump", "center"), map(list, measured), strict=True))


def _measure_axis(axis: AxisField, unit: int, intervals: list[Interval]) -> tuple[Any, Any, Any]:
    largest = max(last - first + 1 for first, last in intervals[: axis.period])
    middles = [Fraction(first + last, 2) for first, last in (intervals[0], intervals[-1])]
    jump = (middles[1] - middles[0]) / axis.period
    center = middles[0] - unit * jump
    size = (largest - 1) // 2 if axis.hops else largest
    return size, exact(jump.numerator, jump.denominator), exact(center.numerator, center.denominator)


def _clipped(field: Field, units: list[int]) -> dict[str, Any] | None:
    """The first and the last position of the input that a unit is said to see."""
    found = []
    for axis, unit, size in zip(field.axes, units, field.shape, strict=True):
        first, last = axis.sees(unit)
        found.append([int(max(first, 0)), int(min(last, size - 1))])
    return {"seen": found} if all(first <= last for first, last in found) else None


def _listed(seen: list[Interval] | None) -> dict[str, Any] | None:
    return None if seen is None else {"seen": [list(interval) for interval in seen]}
