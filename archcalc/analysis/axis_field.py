"""Receptive fields along one axis of an input, propagated through one layer.

The fields of most units are equal up to a shift; behind an upsampling they depend on the phase of the unit. Fields are
not clipped at the border.
"""

import math
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.spans import NOT_FOLLOWED, NOTHING, SOLID, Span, comb, has_holes, joined
from archcalc.arithmetic import POINT, Window, field_size, field_start
from archcalc.layers.base import MAX_PHASES, Dependency, PhasedWindow, TableWindow, UnknownWindow
from archcalc.numbers.bounds import Unknown

if TYPE_CHECKING:
    from fractions import Fraction

MAX_BITS = 256  # of a jump
MAX_READS = 2**14  # of units, to compute the fields of all phases

TOO_FINE = [NOTHING] * (MAX_PHASES + 1)  # more phases than are computed
SIDE_BY_SIDE = "positions of several inputs lie side by side"
CURRENT_LAYER = -1  # as an origin, the current layer


class Shared(NamedTuple):
    """The span that all units share, and the output edge of the first layer that reads a whole axis."""

    span: Span
    origin: int


class AxisField(NamedTuple):
    """The fields of the units along one axis of a tensor, along one axis of the input.

    Along paths that keep positions, unit i of the first period sees `first[i]` to `last[i]`, and the same unit of the
    next period sees positions that are `advance` larger. `masks` tell which of these positions each unit sees, and are
    empty if there are no holes. `shared` is the span that all units also see through layers that read a whole axis. If
    no path keeps positions, `advance` is 0, and `origin` is the output edge of the first layer that reads a whole axis.
    """

    first: tuple[float, ...]
    last: tuple[float, ...]
    advance: int
    axis: int  # of the tensor
    extent: int  # units along it
    mixed: bool = False  # with other axes, by a reshape
    nodes: Span | None = None  # for a field in hops, the span that all nodes of the graph see
    masks: tuple[int, ...] = ()
    shared: Shared | None = None
    origin: int | None = None

    def seen_by_all(self) -> list[tuple[Span, int | None]]:
        """The spans that all units share, each with the output edge of the layer it comes from."""
        if self.advance == 0:
            return [(self.whole(), self.origin)]
        return [(self.shared.span, self.shared.origin)] if self.shared else []

    @property
    def period(self) -> int:
        """The number of units after which the fields repeat."""
        return len(self.first)

    @property
    def hops(self) -> bool:
        """Whether the field is counted in edges of a graph."""
        return self.nodes is not None

    @property
    def size(self) -> int | None:
        """The largest extent of a unit's field, in positions; in hops for a graph; None if no unit sees anything."""
        largest = max([last - first + 1 for first, last in zip(self.first, self.last, strict=True)])
        if largest <= 0:
            return None
        return int(largest - 1) // 2 if self.hops else int(largest)

    @property
    def holes(self) -> bool | None:
        """Whether some unit does not see every position between its first and last; None if that is not computed."""
        if not self.masks:
            return False
        if NOT_FOLLOWED in self.masks:
            return None
        return any(map(has_holes, self.spans()))

    @property
    def jump_ratio(self) -> tuple[int, int]:
        """The jump as numerator and denominator in lowest terms."""
        common = math.gcd(self.advance, self.period)
        return self.advance // common, self.period // common

    @property
    def center_doubled(self) -> int | None:
        """Twice the center, a whole number; None if the first unit sees nothing."""
        return None if self.first[0] > self.last[0] else int(self.first[0] + self.last[0])

    @property
    def jump(self) -> "Fraction":
        """The distance between neighbouring units, in input positions."""
        from fractions import Fraction

        return Fraction(*self.jump_ratio)

    @property
    def center(self) -> "Fraction | None":
        """The middle of the first unit's field; None if it sees nothing."""
        from fractions import Fraction

        return None if self.center_doubled is None else Fraction(self.center_doubled, 2)

    def spans(self) -> Iterator[Span]:
        """The spans of the units of the first period."""
        masks = self.masks or (SOLID,) * self.period
        return map(Span, self.first, self.last, masks)

    def span(self, unit: int) -> Span:
        """The span of a unit."""
        turns, phase = divmod(unit, self.period)
        moved = turns * self.advance
        return Span(self.first[phase] + moved, self.last[phase] + moved, self.masks[phase] if self.masks else SOLID)

    def sees(self, unit: int) -> tuple[float, float]:
        """The first and the last position that a unit sees."""
        first, last, _ = self.span(unit)
        return first, last

    def covered(self) -> Span:
        """The union of all units' spans along paths that keep positions."""
        if self.period == 1 and not self.masks:
            (first,), (last,) = self.first, self.last
            if first > last or last - first + 1 >= self.advance:
                return Span(first, last + (self.extent - 1) * self.advance)
        if self.extent <= MAX_READS:
            return joined([self.span(unit) for unit in range(self.extent)])
        # The periods at both ends contain all phases.
        near, far = range(min(self.period, self.extent)), range(max(0, self.extent - self.period), self.extent)
        return joined([self.span(unit) for unit in (*near, *far)])._replace(mask=NOT_FOLLOWED)

    def whole(self) -> Span:
        """The union of all units' spans along all paths."""
        return joined([self.nodes or self.covered(), *([self.shared.span] if self.shared else [])])


class Unplaced(NamedTuple):
    """The fields of units with no common advance over the input, of which only the union, `span`, is known.

    `alike` is set right behind a concatenation: the field of all units that see anything, if they share one.
    """

    reason: str
    span: Span
    axis: int  # of the tensor
    alike: AxisField | None = None

    def whole(self) -> Span:
        """The union of all units' spans."""
        return self.span


AnyAxis = AxisField | Unplaced | Unknown


# fields behind a layer


def read_axis(field: AnyAxis, read: Dependency, extent: int) -> AnyAxis:
    """The field behind a layer; its origin is CURRENT_LAYER if this layer is the first by which all units share it."""
    if isinstance(field, Unknown):
        return field
    if isinstance(field, Unplaced):
        return _read_unplaced(field, read, extent)
    window = read.window
    if (
        window == POINT
        and (read.axis, extent) == (field.axis, field.extent)
        and not (read.mixed or field.mixed or read.hop or read.shared_axis)
    ):
        return field
    found = _read(field, read, extent)
    if not isinstance(found, AxisField) or found.advance or found.origin is not None:
        return found
    return found._replace(origin=CURRENT_LAYER) if max(field.extent, extent) > 1 else found


def _read_unplaced(field: Unplaced, read: Dependency, extent: int) -> AnyAxis:
    if isinstance(read.window, Window) and read.window.stride == 0:
        return uniform_field(field.span, read.axis, extent, CURRENT_LAYER)
    if read.mixed or not (read.window == POINT or read.shared_axis):
        return Unknown(field.reason)
    return field._replace(axis=read.axis, alike=None)


def _read(field: AxisField, read: Dependency, extent: int) -> AnyAxis:
    window = read.window
    if field.advance == 0:
        # All units have the same field, so any read units have it, too.
        found = field._replace(axis=read.axis, extent=extent, mixed=False)
        return Unplaced(SIDE_BY_SIDE, field.whole(), read.axis, found) if read.shared_axis else found
    if isinstance(window, Window) and window.stride == 0 and (window.kernel > 1 or field.mixed):
        return _read_whole_axis(field, read, extent)
    if read.shared_axis:
        return Unplaced(SIDE_BY_SIDE, field.whole(), read.axis)
    if read.mixed or field.mixed:
        return _mix(field, read, extent)
    return _read_moving(field, read, extent)


def _read_by_table(field: AxisField, window: TableWindow, axis: int) -> Unplaced:
    seen = joined([field.span(unit) for unit in {*chain.from_iterable(window.rows)}])
    span = joined([seen, *([field.shared.span] if field.shared else [])])
    return Unplaced("a connection table gives every unit positions of its own", span, axis)


def _read_whole_axis(field: AxisField, read: Dependency, extent: int) -> AxisField:
    """The field behind a layer each unit of which reads all units."""
    origin = field.shared.origin if field.shared else None
    return uniform_field(field.whole(), read.axis, extent, origin)


def uniform_field(span: Span, axis: int, extent: int, origin: int | None) -> AxisField:
    """The field of units that all see `span`."""
    masks = (span.mask,) if span.mask else ()
    return AxisField((span.first,), (span.last,), 0, axis, extent, masks=masks, origin=origin)


def _read_moving(field: AxisField, read: Dependency, extent: int) -> AnyAxis:
    """The field behind a sliding window."""
    window = read.window
    if isinstance(window, UnknownWindow):
        return Unknown(window.reason)
    if isinstance(window, TableWindow):
        return _read_by_table(field, window, read.axis)
    if isinstance(window, PhasedWindow):
        spans, advance = _read_phased(field, window)
    elif field.period == 1:
        spans, advance = [_read_plain(field, window)], field.advance * window.stride
    else:
        spans, advance = _read_by_phase(field, window)
    if len(spans) > MAX_PHASES:
        return Unknown(f"the field has more than {MAX_PHASES} phases")
    if advance.bit_length() > MAX_BITS:
        return Unknown("the strides together are larger than any input")
    return _axis_field(spans, advance, read, extent, field)


def _axis_field(spans: list[Span], advance: int, read: Dependency, extent: int, field: AxisField) -> AxisField:
    firsts, lasts, masks = zip(*spans, strict=True)
    own = masks if any(masks) else ()
    shared = field.shared
    if not advance and shared:
        return uniform_field(joined([*spans, shared.span]), read.axis, extent, shared.origin)
    nodes = field.nodes or (field.covered() if read.hop else None)
    return AxisField(firsts, lasts, advance, read.axis, extent, nodes=nodes, masks=own, shared=shared)


def _mix(field: AxisField, read: Dependency, extent: int) -> AnyAxis:
    if field.extent == 1:
        return _axis_field([field.span(0)], 0, read, extent, field)  # there are no other phases
    if read.window == Window(1):
        return field._replace(axis=read.axis, mixed=True)
    if field.shared and field.whole() == field.shared.span:
        # All units see the whole span already.
        return uniform_field(field.shared.span, read.axis, extent, field.shared.origin)
    if isinstance(read.window, UnknownWindow):
        return Unknown(read.window.reason)
    return Unknown("positions were mixed by a reshape")


def _read_plain(field: AxisField, window: Window) -> Span:
    """The span of unit 0 behind a window, for a field of one phase."""
    (span,) = field.spans()
    if span.first > span.last:
        return NOTHING
    start = field_start(span.first, window.before, field.advance)
    size = field_size(span.last - span.first + 1, window.effective, field.advance)
    if not span.mask and (window.kernel == 1 or window.dilation * field.advance <= span.last - span.first + 1):
        return Span(start, start + size - 1)
    moved = span._replace(first=start, last=start + span.last - span.first)
    return comb(moved, window.kernel, window.dilation * field.advance)


def _read_by_phase(field: AxisField, window: Window) -> tuple[list[Span], int]:
    common = math.gcd(field.period, window.stride) if window.stride else field.period
    period = field.period // common
    # The first and last taps that meet every phase reach furthest.
    few = min(window.kernel, field.period)
    ends = {*range(few), *range(window.kernel - few, window.kernel)}
    if period > MAX_PHASES or period * len(ends) > MAX_READS:
        return TOO_FINE, 0
    followed = period * window.kernel <= MAX_READS
    taps = range(window.kernel) if followed else ends
    starts = (unit * window.stride - window.before for unit in range(period))
    seen = [joined([field.span(start + tap * window.dilation) for tap in taps]) for start in starts]
    return _with_masks(seen, followed), field.advance * window.stride // common


def _with_masks(spans: list[Span], followed: bool) -> list[Span]:
    return spans if followed else [span._replace(mask=NOT_FOLLOWED) if span.mask else span for span in spans]


def _read_phased(field: AxisField, window: PhasedWindow) -> tuple[list[Span], int]:
    common = math.gcd(field.period, window.advance)
    turns = field.period // common
    if turns * len(window.first) > MAX_PHASES:
        return TOO_FINE, 0
    ranges = [range(first, last + 1, window.step) for first, last in zip(window.first, window.last, strict=True)]
    followed = turns * sum(map(_length, ranges)) <= MAX_READS
    seen = [
        joined([field.span(turn * window.advance + unit) for unit in (taps if followed else _ends(taps, field.period))])
        for turn in range(turns)
        for taps in ranges
    ]
    return _with_masks(seen, followed), field.advance * window.advance // common


def _ends(taps: range, period: int) -> Iterable[int]:
    return taps if _length(taps) < 2 * period else (*taps[:period], *taps[-period:])


def _length(taps: range) -> int:
    """The length of a range; `len` fails above 63 bits."""
    return max(0, (taps.stop - taps.start + taps.step - 1) // taps.step)
