"""One run of the measurable network, on one size of its input: what units see beside what they are said to see.

A layer's units are complete where they see no padding: then size, jump and centre follow from what some in a row see.
Of every layer, exactly which positions some units see is compared as well: of one in the middle, and of the first.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any, NamedTuple

from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.field import exact
from archcalc.analysis.intervals import Interval
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.spans import NOT_FOLLOWED
from archcalc.measured.verification import Comparison, compare, uncovered
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.verify.claims import Claims, Measured, Places
from archcalc.pytorch.verify.gradients import Measurable

QUESTION = "field: size · jump · center"
EXACTLY = "exactly the positions of the input that some units see"
LOCAL = "by paths that keep positions; by the others units see exactly what they are said to see besides"
LESS = "units see exactly the positions that they are said to see, which are fewer than the size, for some of them"
TOO_MANY = "the positions are in more parts than are followed; units see none but these"
MIXED = "positions were mixed by a reshape"

Facts = dict[str, Any]


class Units(NamedTuple):
    """The units of a layer to look at; `complete` if size, jump and centre follow from what they see."""

    places: list[Places]
    complete: bool


class Stage:
    """The network on an input of some size. The last stage, on the spec's own, has an answer for every layer."""

    def __init__(self, original: AnalysisContext, context: AnalysisContext, last: bool) -> None:
        self.original = original
        self.context = context
        self.last = last
        self.claims = Claims(context)
        self.borders = find_borders(context)

    def compare(self, positions: list[int]) -> Iterator[tuple[int, Comparison]]:
        """The rows of those layers that can be measured at this size."""
        units = {position: self._units(position) for position in positions}
        chosen = [self.context.graph.edge(position) for position, found in units.items() if found]
        cuts = self.claims.all_cuts(chosen)
        measurable = Measurable(self.context, chosen, cuts) if chosen else None
        for position in positions:
            field = self.claims.field(position)
            if measurable and (found := units[position]) and isinstance(field, Field):
                measured = Measured(self.claims, measurable, self.context.graph.edge(position), field)
                compared = self._compare_facts if found.complete else self._compare_units
                yield position, compared(position, measured, found.places)
            elif self.last:
                yield position, self._uncovered(position, field)

    def _units(self, position: int) -> Units | None:
        """What to look at; None if that cannot be told here."""
        field = self.claims.field(position)
        if not isinstance(field, Field) or any(axis.mixed for axis in field.axes):
            return None
        complete = Units(_in_a_row(field), complete=True)
        fits = all(axis.advance and _middle(axis) + axis.period < axis.extent for axis in field.axes)
        if fits and self._is_like_original(position, field) and self._are_free(position, field, complete.places):
            return complete
        return Units(_in_a_row(field), complete=False) if self.last else None

    def _is_like_original(self, position: int, field: Field) -> bool:
        """Whether units see, for any place of theirs, what they see on the spec's own input."""
        original = self.original.receptive_fields.edges[self.original.graph.edge(position)]
        return isinstance(original, Field) and all(
            one.hops == other.hops and _of_any_size(one) == _of_any_size(other)
            for one, other in zip(field.axes, original.axes, strict=True)
        )

    def _are_free(self, position: int, field: Field, units: list[Places]) -> bool:
        return all(self._is_free(position, field, places) for places in units)

    def _is_free(self, position: int, field: Field, unit: Places) -> bool:
        """Whether nothing between a unit and the input is padding."""
        edge = self.context.graph.edge(position)
        for name, own in self.claims.sources(edge, field).fields.items():
            for axis, index, place, size in zip(own.axes, unit, own.places, own.shape, strict=True):
                first, last = axis.sees(index if axis.advance else 0)
                before, behind = self.borders[edge].get((name, place), (-1, size)) if axis.advance else (-1, size)
                if first <= last and (first <= before or last >= behind):
                    return False
        return True

    def _compare_facts(self, position: int, measured: Measured, units: list[Places]) -> Comparison:
        """Size, jump and centre of a layer whose units see no padding, then where exactly some of them look."""
        name = self.context.graph.nodes[position].name
        claimed, found = _inferred(measured.field), _measured(measured, units)
        exactly = self._compare_units(position, measured, [units[0], tuple(0 for _ in units[0])])
        if claimed == found or exactly.status == "differs":
            shared = any(axis.shared for axis in measured.field.axes)
            row = compare(QUESTION, name, claimed, found, LOCAL if shared else "")
            return exactly if exactly.status == "differs" else row
        if measured.may_see_less and _is_within(measured, units):
            return self._row(position, claimed, found, LESS)
        return compare(QUESTION, name, claimed, found)

    def _compare_units(self, position: int, measured: Measured, units: list[Places]) -> Comparison:
        """Exactly the positions that each of some units sees."""
        rows = [self._compare_unit(position, measured, unit) for unit in dict.fromkeys(units)]
        return min(rows, key=lambda row: ("differs", "not covered", "equal").index(row.status))

    def _compare_unit(self, position: int, measured: Measured, unit: Places) -> Comparison:
        found, claimed = measured.hull(unit), measured.claimed_hull(unit)
        agrees = measured.agrees(unit)
        row = self._row(position, claimed and {"seen": claimed}, found and {"seen": found}, TOO_MANY)
        if agrees is None:
            return row
        right = agrees and _is_within(measured, [unit])
        return row._replace(status="equal" if right else "differs", note=EXACTLY)

    def _row(self, position: int, claimed: Any, found: Any, reason: str) -> Comparison:
        name = self.context.graph.nodes[position].name
        return uncovered(QUESTION, name, reason, said=claimed, found=found)

    def _uncovered(self, position: int, field: Field | Unknown | None) -> Comparison:
        if isinstance(field, Field):
            return self._row(position, _inferred(field), None, MIXED)
        reason = field.reason if isinstance(field, Unknown) else "the input has no positions"
        return self._row(position, None, None, reason)


def _of_any_size(axis: AxisField) -> AxisField:
    """What does not depend on how many positions there are."""
    return axis._replace(extent=0, shared=None, nodes=None)


Ends = dict[tuple[str, int], tuple[float, float]]


def find_borders(context: AnalysisContext) -> list[Ends]:
    """For every edge, by an input and an axis of it, where what padding before it begins and ends to see."""
    ends: Ends = {}
    found = []
    for paths in context.receptive_fields.paths:
        for path in paths:
            for place, axis in zip(path.places, path.axes, strict=True):
                if isinstance(axis, AxisField) and axis.advance and not axis.mixed:
                    before, behind = _seen_by_padding(axis)
                    known = ends.get((path.source, place), (before, behind))
                    ends[path.source, place] = max(known[0], before), min(known[1], behind)
        found.append(dict(ends))
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


def _is_within(measured: Measured, units: list[Places]) -> bool:
    """Whether units see nothing beyond their fields."""
    for unit in units:
        for number, (axis, place) in enumerate(zip(measured.field.axes, unit, strict=True)):
            first, last = axis.sees(place)
            found = measured.interval(unit, number)
            if found and not (first <= found[0][0] and found[0][1] <= last):
                return False
    return True


def _inferred(field: Field) -> Facts:
    """Size, jump and center along every axis, as archcalc says them; nothing for units that see nothing."""
    sizes = [axis.size for axis in field.axes]
    if set(sizes) == {None}:
        return {"size": sizes}
    centers = [None if (double := axis.center_doubled) is None else exact(double, 2) for axis in field.axes]
    claimed = {"size": sizes, "jump": [exact(*axis.jump_ratio) for axis in field.axes], "center": centers}
    return claimed | (
        {"holes": [bool(axis.holes) for axis in field.axes]} if any(axis.masks for axis in field.axes) else {}
    )


def _measured(measured: Measured, units: list[Places]) -> Facts:
    """The same, from what units in a row see."""
    columns = []
    for number, axis in enumerate(measured.field.axes):
        intervals = [measured.interval(unit, number) for unit in units[: axis.period + 1]]
        known = [found for found in intervals if found]
        if len(known) < len(intervals):
            return {"size": [None for _ in measured.field.axes]}
        columns.append(_measure_axis(axis, units[0][number], known))
    found = dict(zip(("size", "jump", "center", "holes"), map(list, zip(*columns, strict=True)), strict=True))
    if not any(axis.masks for axis in measured.field.axes):
        del found["holes"]
    return found


def _measure_axis(axis: AxisField, unit: int, intervals: list[tuple[Interval, int]]) -> tuple[Any, Any, Any, bool]:
    hulls = [hull for hull, _ in intervals]
    largest = max(last - first + 1 for first, last in hulls[: axis.period])
    middles = [Fraction(first + last, 2) for first, last in (hulls[0], hulls[-1])]
    jump = (middles[1] - middles[0]) / axis.period
    center = middles[0] - unit * jump
    size = (largest - 1) // 2 if axis.hops else largest
    holes = NOT_FOLLOWED not in axis.masks and any(count < last - first + 1 for (first, last), count in intervals)
    return size, exact(jump.numerator, jump.denominator), exact(center.numerator, center.denominator), holes
