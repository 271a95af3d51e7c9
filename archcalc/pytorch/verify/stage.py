"""One run of the measurable network, on one size of its input: what units see beside what they are said to see."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.receptive_field import AxisField, Field
from archcalc.analysis.resizing import steering
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.verify.gradients import Interval, Measurable
from archcalc.report.summary import exact
from archcalc.report.verification import Comparison, compare

QUESTION = "field: size · jump · center"
CLIPPED = "from the first to the last position of the input"
BEHIND_PADDING = "behind padding only the outermost positions can be said"
BEHIND_HOLES = "units between those that a transposed convolution fills see nothing"
MIXED = "positions were mixed by a reshape"

Facts = dict[str, Any]
Places = tuple[int, ...]  # of a unit, along each axis of a field


class Units(NamedTuple):
    """The units of a layer to look at; `complete` if size, jump and centre follow from what they see."""

    places: list[Places]
    complete: bool


class Stage:
    """The network on an input of some size. The last stage, on the spec's own, has an answer for every layer."""

    def __init__(self, original: AnalysedGraph, analysed: AnalysedGraph, last: bool) -> None:
        self.original = original
        self.analysed = analysed
        self.last = last
        self.borders = find_borders(analysed)

    def compare(self, positions: list[int]) -> Iterator[tuple[int, Comparison]]:
        """The rows of those layers that can be measured at this size."""
        units = {position: self._units(position) for position in positions}
        chosen = [self.analysed.edge(position) for position, found in units.items() if found]
        measurable = Measurable(self.analysed, steering(self.analysed), chosen) if chosen else None
        for position in positions:
            field = self._field(position)
            if measurable and (found := units[position]) and isinstance(field, Field):
                measured = Measured(measurable, self.analysed.edge(position), field, found.places)
                compared = self._compare_facts if found.complete else self._compare_units
                yield position, compared(position, measured)
            elif self.last:
                yield position, self._uncovered(position, field)

    def _field(self, position: int) -> Field | Unknown | None:
        return self.analysed.receptive_fields.edges[self.analysed.edge(position)]

    def _units(self, position: int) -> Units | None:
        """What to look at; None if that cannot be told here."""
        field = self._field(position)
        if not isinstance(field, Field) or any(axis.mixed for axis in field.axes):
            return None
        complete = Units(_in_a_row(field), complete=True)
        fits = all(axis.advance and _middle(axis) + axis.period < axis.extent for axis in field.axes)
        if fits and self._is_like_original(position, field) and self._are_free(position, field, complete.places):
            return complete
        return Units(_in_a_row(field), complete=False) if self.last else None

    def _is_like_original(self, position: int, field: Field) -> bool:
        """Whether units see, for any place of theirs, what they see on the spec's own input."""
        original = self.original.receptive_fields.edges[self.original.edge(position)]
        return isinstance(original, Field) and all(
            one._replace(extent=0) == other._replace(extent=0)
            for one, other in zip(field.axes, original.axes, strict=True)
        )

    def _are_free(self, position: int, field: Field, units: list[Places]) -> bool:
        return all(self._is_free(position, field, places) for places in units)

    def _is_free(self, position: int, field: Field, places: Places) -> bool:
        """Whether nothing between a unit and the input is padding."""
        ends = self.borders[self.analysed.edge(position)]
        for number, (axis, unit, size) in enumerate(zip(field.axes, places, field.shape, strict=True)):
            first, last = axis.sees(unit)
            before, behind = ends.get((field.shape, number), (-1, size)) if axis.advance else (-1, size)
            if first <= last and (first <= before or last >= behind):
                return False
        return True

    def _compare_facts(self, position: int, measured: "Measured") -> Comparison:
        """Size, jump and centre of a layer whose units see no padding."""
        said, found = _facts(measured.field), _measured(measured)
        if said != found and all(map(measured.is_behind_holes, range(len(measured.places)))):
            return self._row(position, said, found, BEHIND_HOLES)
        return compare(QUESTION, self._name(position), said, found)

    def _compare_units(self, position: int, measured: "Measured") -> Comparison:
        """What each of some units sees; behind padding, or where there are holes, it may be less than is said."""
        rows = [self._compare_unit(position, measured, number) for number in range(len(measured.places))]
        return min(rows, key=lambda row: ("differs", "not covered", "equal").index(row.status))

    def _compare_unit(self, position: int, measured: "Measured", number: int) -> Comparison:
        said, seen = _clipped(measured.field, measured.places[number]), measured.seen[number]
        found = None if seen is None else {"seen": list(map(list, seen))}
        if said != found and measured.is_behind_holes(number):
            return self._row(position, said, found, BEHIND_HOLES)
        if said != found and measured.is_cut_off(number):
            return self._row(position, said, found, BEHIND_PADDING)
        return compare(QUESTION, self._name(position), said, found, CLIPPED)

    def _name(self, position: int) -> str:
        return self.analysed.graph.nodes[position].name

    def _row(self, position: int, said: Any, found: Any, reason: str) -> Comparison:
        return Comparison(QUESTION, self._name(position), said, found, "not covered", reason)

    def _uncovered(self, position: int, field: Field | Unknown | None) -> Comparison:
        if isinstance(field, Field):
            return self._row(position, _facts(field), None, MIXED)
        return self._row(position, None, None, field.reason if field else "the input has no positions")


class Measured:
    """What units of a layer see, in PyTorch, and what may make that less than is said."""

    def __init__(self, measurable: Measurable, edge: int, field: Field, places: list[Places]) -> None:
        self.measurable, self.edge, self.field, self.places = measurable, edge, field, places
        self.seen = [measurable.seen(edge, field, unit) for unit in places]

    def is_behind_holes(self, number: int) -> bool:
        """Whether a unit sees no more than is said, behind a transposed convolution."""
        return self.edge in self.measurable.holes and _is_within(self.field, self.places[number], self.seen[number])

    def is_cut_off(self, number: int) -> bool:
        """Whether a unit sees less than is said only where no unit of its layer sees anything."""
        seen, said = self.seen[number], _clipped(self.field, self.places[number])
        covered = self.measurable.seen(self.edge, self.field, None)
        if seen is None or said is None or covered is None:
            return False
        return all(
            (first == own[0] or own[0] == most[0] > first) and (last == own[1] or own[1] == most[1] < last)
            for (first, last), own, most in zip(said["seen"], seen, covered, strict=True)
        )


Ends = dict[tuple[Places, int], tuple[float, float]]


def find_borders(analysed: AnalysedGraph) -> list[Ends]:
    """For every edge, by the shape of the input and an axis, where what padding before it begins and ends to see."""
    ends: Ends = {}
    found = []
    for field in analysed.receptive_fields.edges:
        found.append(dict(ends))
        if not isinstance(field, Field):
            continue
        for number, axis in enumerate(field.axes):
            key = (field.shape, number)
            if axis.advance and not axis.mixed:
                before, behind = _seen_by_padding(axis)
                known = ends.get(key, (before, behind))
                ends[key] = max(known[0], before), min(known[1], behind)
    return found


def _seen_by_padding(axis: AxisField) -> tuple[float, float]:
    """Where the last unit before the first one, and the first one behind the last, begin and end to see."""
    before = [axis.sees(-1 - phase) for phase in range(axis.period)]
    behind = [axis.sees(axis.extent + phase) for phase in range(axis.period)]
    return (
        max((first for first, last in before if first <= last), default=-float("inf")),
        min((last for first, last in behind if first <= last), default=float("inf")),
    )


def _in_a_row(field: Field) -> list[Places]:
    """Units from the middle on, one for each phase and one more, as far as there are so many."""
    phases = range(max(min(axis.period, axis.extent - 1) for axis in field.axes) + 1)
    return [tuple(_next(axis, phase) for axis in field.axes) for phase in phases]


def _next(axis: AxisField, phase: int) -> int:
    return min(_middle(axis) + min(phase, axis.period), axis.extent - 1)


def _middle(axis: AxisField) -> int:
    """A unit in the middle, the first of its period."""
    return axis.extent // 2 // axis.period * axis.period


def _is_within(field: Field, places: Places, seen: list[Interval] | None) -> bool:
    """Whether a unit sees nothing that it is not said to see."""
    said = (axis.sees(unit) for axis, unit in zip(field.axes, places, strict=True))
    return all(outer[0] <= inner[0] and inner[1] <= outer[1] for outer, inner in zip(said, seen or (), strict=False))


def _facts(field: Field) -> Facts:
    """Size, jump and center along every axis, as archcalc says them; nothing for units that see nothing."""
    sizes = [axis.size for axis in field.axes]
    if set(sizes) == {None}:
        return {"size": sizes}
    centers = [None if (double := axis.center_doubled) is None else exact(double, 2) for axis in field.axes]
    return {"size": sizes, "jump": [exact(*axis.jump_ratio) for axis in field.axes], "center": centers}


def _measured(measured: Measured) -> Facts:
    """The same, from what units in a row see."""
    field, seen = measured.field, measured.seen
    if not all(seen):
        return {"size": [None for _ in field.axes]}
    intervals = (
        [found[number] for found in seen[: axis.period + 1] if found] for number, axis in enumerate(field.axes)
    )
    columns = zip(field.axes, measured.places[0], intervals, strict=True)
    axes = zip(*(_measure_axis(*column) for column in columns), strict=True)
    return dict(zip(("size", "jump", "center"), map(list, axes), strict=True))


def _measure_axis(axis: AxisField, unit: int, intervals: list[Interval]) -> tuple[Any, Any, Any]:
    largest = max(last - first + 1 for first, last in intervals[: axis.period])
    middles = [Fraction(first + last, 2) for first, last in (intervals[0], intervals[-1])]
    jump = (middles[1] - middles[0]) / axis.period
    center = middles[0] - unit * jump
    size = (largest - 1) // 2 if axis.hops else largest
    return size, exact(jump.numerator, jump.denominator), exact(center.numerator, center.denominator)


def _clipped(field: Field, places: Places) -> Facts | None:
    """The first and the last position of the input that a unit is said to see."""
    found = []
    for axis, unit, size in zip(field.axes, places, field.shape, strict=True):
        first, last = axis.sees(unit)
        first, last = max(first, 0), min(last, size - 1)
        if first > last:
            return None
        found.append([int(first), int(last)])
    return {"seen": found}
