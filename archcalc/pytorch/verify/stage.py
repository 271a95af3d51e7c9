"""One run of the measurable network: compares measured and predicted fields at one input size.

If the fields of a layer's units contain no padding, size, jump and centre follow from consecutive units. For every
layer, the exact positions in the fields of two units, one in the middle and the first, are compared as well.
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
from archcalc.measured.verification import VerificationRow, compare, uncovered
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.verify.claims import Claims, Places, UnitFields
from archcalc.pytorch.verify.gradients import Measurable

QUESTION = "field: size · jump · center"
EXACTLY = "the exact positions in the fields of some units"
LOCAL = "by paths that keep positions; by all paths, the fields of units have exactly the predicted positions"
LESS = "the fields of units have exactly the predicted positions; some of them are smaller than the layer's size"
TOO_MANY = "the positions have too many parts to predict exactly; units see none but the predicted ones"
MIXED = "positions were mixed by a reshape"

Facts = dict[str, Any]


class MeasuredUnits(NamedTuple):
    """The units of a layer to measure; `complete` if size, jump and centre follow from their fields."""

    places: list[Places]
    complete: bool


class Stage:
    """The network at one input size. The last stage, at the spec's own size, has a row for every layer."""

    def __init__(self, original: AnalysisContext, context: AnalysisContext, last: bool) -> None:
        self.original = original
        self.context = context
        self.last = last
        self.claims = Claims(context)
        self.borders = find_borders(context)

    def compare(self, positions: list[int]) -> Iterator[tuple[int, VerificationRow]]:
        """The rows of the layers that can be measured at this size, with their positions."""
        units = {position: self._units(position) for position in positions}
        chosen = [self.context.graph.edge(position) for position, found in units.items() if found]
        cuts = self.claims.all_cuts(chosen)
        measurable = Measurable(self.context, chosen, cuts) if chosen else None
        for position in positions:
            field = self.claims.field(position)
            if measurable and (found := units[position]) and isinstance(field, Field):
                measured = UnitFields(self.claims, measurable, self.context.graph.edge(position), field)
                compared = self._compare_facts if found.complete else self._compare_units
                yield position, compared(position, measured, found.places)
            elif self.last:
                yield position, self._uncovered(position, field)

    def _units(self, position: int) -> MeasuredUnits | None:
        """The units to measure; None if this size does not suffice."""
        field = self.claims.field(position)
        if not isinstance(field, Field) or any(axis.mixed for axis in field.axes):
            return None
        complete = MeasuredUnits(_in_a_row(field), complete=True)
        fits = all(axis.advance and _middle(axis) + axis.period < axis.extent for axis in field.axes)
        if fits and self._is_like_original(position, field) and self._are_free(position, field, complete.places):
            return complete
        return MeasuredUnits(_in_a_row(field), complete=False) if self.last else None

    def _is_like_original(self, position: int, field: Field) -> bool:
        """Whether the field of a unit, relative to its position, is the same as on the spec's own input."""
        original = self.original.receptive_fields.edges[self.original.graph.edge(position)]
        return isinstance(original, Field) and all(
            one.hops == other.hops and _of_any_size(one) == _of_any_size(other)
            for one, other in zip(field.axes, original.axes, strict=True)
        )

    def _are_free(self, position: int, field: Field, units: list[Places]) -> bool:
        return all(self._is_free(position, field, places) for places in units)

    def _is_free(self, position: int, field: Field, unit: Places) -> bool:
        """Whether a unit depends on no padding, of the input or of a layer in between."""
        edge = self.context.graph.edge(position)
        for name, own in self.claims.sources(edge, field).fields.items():
            for axis, index, place, size in zip(own.axes, unit, own.places, own.shape, strict=True):
                first, last = axis.sees(index if axis.advance else 0)
                before, behind = self.borders[edge].get((name, place), (-1, size)) if axis.advance else (-1, size)
                if first <= last and (first <= before or last >= behind):
                    return False
        return True

    def _compare_facts(self, position: int, measured: UnitFields, units: list[Places]) -> VerificationRow:
        """Compare size, jump and centre of a layer whose units see no padding, then the exact fields of two units."""
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

    def _compare_units(self, position: int, measured: UnitFields, units: list[Places]) -> VerificationRow:
        """Compare the exact positions in the fields of some units."""
        rows = [self._compare_unit(position, measured, unit) for unit in dict.fromkeys(units)]
        return min(rows, key=lambda row: ("differs", "not covered", "equal").index(row.status))

    def _compare_unit(self, position: int, measured: UnitFields, unit: Places) -> VerificationRow:
        found, claimed = measured.hull(unit), measured.claimed_hull(unit)
        agrees = measured.agrees(unit)
        row = self._row(position, claimed and {"seen": claimed}, found and {"seen": found}, TOO_MANY)
        if agrees is None:
            return row
        right = agrees and _is_within(measured, [unit])
        return row._replace(status="equal" if right else "differs", note=EXACTLY)

    def _row(self, position: int, claimed: Any, found: Any, reason: str) -> VerificationRow:
        name = self.context.graph.nodes[position].name
        return uncovered(QUESTION, name, reason, said=claimed, found=found)

    def _uncovered(self, position: int, field: Field | Unknown | None) -> VerificationRow:
        if isinstance(field, Field):
            return self._row(position, _inferred(field), None, MIXED)
        reason = field.reason if isinstance(field, Unknown) else "the input has no positions"
        return self._row(position, None, None, reason)


def _of_any_size(axis: AxisField) -> AxisField:
    """The part of a field that does not depend on the number of positions."""
    return axis._replace(extent=0, shared=None, nodes=None)


Ends = dict[tuple[str, int], tuple[float, float]]


def find_borders(context: AnalysisContext) -> list[Ends]:
    """For every edge, by input and axis: the borders that a field must not reach, so as to see no padding before it."""
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
    """Where the field of the last unit before the edge's first starts, and that of the first after its last ends."""
    before = [axis.sees(-1 - phase) for phase in range(axis.period)]
    behind = [axis.sees(axis.extent + phase) for phase in range(axis.period)]
    return (
        max((first for first, last in before if first <= last), default=-float("inf")),
        min((last for first, last in behind if first <= last), default=float("inf")),
    )


def _in_a_row(field: Field) -> list[Places]:
    """Consecutive units from the middle on, one more than there are phases, as far as the axis has so many."""
    phases = range(max(min(axis.period, axis.extent - 1) for axis in field.axes) + 1)
    return [tuple(_next(axis, phase) for axis in field.axes) for phase in phases]


def _next(axis: AxisField, phase: int) -> int:
    return min(_middle(axis) + min(phase, axis.period), axis.extent - 1)


def _middle(axis: AxisField) -> int:
    """The unit in the middle that is the first of its period."""
    return axis.extent // 2 // axis.period * axis.period


def _is_within(measured: UnitFields, units: list[Places]) -> bool:
    """Whether the measured fields of units are within the predicted ones."""
    for unit in units:
        for number, (axis, place) in enumerate(zip(measured.field.axes, unit, strict=True)):
            first, last = axis.sees(place)
            found = measured.interval(unit, number)
            if found and not (first <= found[0][0] and found[0][1] <= last):
                return False
    return True


def _inferred(field: Field) -> Facts:
    """The predicted size, jump and center along every axis; sizes alone if the field is empty."""
    sizes = [axis.size for axis in field.axes]
    if set(sizes) == {None}:
        return {"size": sizes}
    centers = [None if (double := axis.center_doubled) is None else exact(double, 2) for axis in field.axes]
    claimed = {"size": sizes, "jump": [exact(*axis.jump_ratio) for axis in field.axes], "center": centers}
    return claimed | (
        {"holes": [bool(axis.holes) for axis in field.axes]} if any(axis.masks for axis in field.axes) else {}
    )


def _measured(measured: UnitFields, units: list[Places]) -> Facts:
    """Size, jump and center from the measured fields of consecutive units."""
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
