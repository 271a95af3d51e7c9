"""The union of receptive fields along one axis where branches meet."""

import math
from collections.abc import Sequence
from functools import lru_cache, reduce
from typing import Any

from archcalc.analysis.axis_field import CURRENT_LAYER, AnyAxis, AxisField, Shared, Unplaced, uniform_field
from archcalc.analysis.spans import joined
from archcalc.layers.base import MAX_PHASES
from archcalc.numbers.bounds import Unknown


def unite_axes(axes: Sequence[AnyAxis]) -> AnyAxis:
    """The union of the fields of branches, in any order."""
    branches = sorted(dict.fromkeys(axes), key=_ordered)
    found = reduce(_unite_two, branches)
    placed = [axis for axis in branches if isinstance(axis, AxisField)]
    if isinstance(found, Unknown) and len(placed) == len(branches):
        # If the shared spans cover everything that any unit sees, all units have the same field.
        span = joined([axis.whole() for axis in placed])
        seen_by_all = [part for axis in placed for part, _ in axis.seen_by_all()]
        if seen_by_all and joined(seen_by_all) == span:
            origins = [origin for axis in placed for _, origin in axis.seen_by_all() if origin is not None]
            return uniform_field(span, placed[0].axis, placed[0].extent, min(origins, default=None))
    return found


def _ordered(field: AnyAxis) -> tuple[Any, ...]:
    """A sort key of a field."""
    if isinstance(field, Unknown):
        return (2, field.reason)
    if isinstance(field, Unplaced):
        return (1, field.reason, field.span, field.axis, _ordered(field.alike) if field.alike else ())
    origin = CURRENT_LAYER - 1 if field.origin is None else field.origin
    return (0, *field[:6], field.masks, origin, field.nodes or (), field.shared or ())


@lru_cache(maxsize=4096)
def _unite_two(one: AnyAxis, other: AnyAxis) -> AnyAxis:
    if one == other:
        return one
    if isinstance(one, Unknown) or isinstance(other, Unknown):
        return one if isinstance(one, Unknown) else other
    if isinstance(one, Unplaced) or isinstance(other, Unplaced):
        return _unite_unplaced(one, other)
    return _unite_placed(one, other)


def _unite_unplaced(one: AxisField | Unplaced, other: AxisField | Unplaced) -> AnyAxis:
    reason = one.reason if isinstance(one, Unplaced) else other.reason if isinstance(other, Unplaced) else ""
    if one.axis != other.axis or any(isinstance(axis, AxisField) and axis.mixed for axis in (one, other)):
        return Unknown(reason)
    return Unplaced(reason, joined([one.whole(), other.whole()]), one.axis, _both_alike(one, other))


def _both_alike(one: AxisField | Unplaced, other: AxisField | Unplaced) -> AxisField | None:
    if isinstance(one, Unplaced) and isinstance(other, Unplaced) and one.alike and other.alike:
        return _united_with_all(one.alike, other.alike) if one.span == other.span else None
    return None


def _unite_placed(one: AxisField, other: AxisField) -> AxisField | Unknown:
    for fixed, moving in ((one, other), (other, one)):
        if fixed.advance == 0:
            return _united_with_all(fixed, moving)
    if one.axis != other.axis or one.mixed != other.mixed:
        return Unknown("branches meet whose units are laid out differently")
    if one.advance * other.period == other.advance * one.period:
        return _unite_phases(one, other, math.lcm(one.period, other.period))
    return Unknown("branches meet of which one moves faster over the input than the other")


def _united_with_all(fixed: AxisField, moving: AxisField) -> AxisField:
    """The union of a branch whose units share their field with any other branch."""
    (span,) = fixed.spans()
    if moving.advance == 0:
        origins = [origin for origin in (fixed.origin, moving.origin) if origin is not None]
        return uniform_field(joined([span, *moving.spans()]), fixed.axis, fixed.extent, min(origins, default=None))
    if span.first > span.last:
        return moving  # the other branch sees nothing
    if moving.extent == 1:
        both = joined([span, moving.span(0)])
        return moving._replace(first=(both.first,), last=(both.last,), masks=(both.mask,) if both.mask else ())
    origin = CURRENT_LAYER if fixed.origin is None else fixed.origin
    return moving._replace(shared=_shared(moving.shared, Shared(span, origin)))


def _shared(one: Shared | None, other: Shared | None) -> Shared | None:
    if one is None or other is None:
        return one or other
    return Shared(joined([one.span, other.span]), min(one.origin, other.origin))


def _unite_phases(one: AxisField, other: AxisField, period: int) -> AxisField | Unknown:
    if period > MAX_PHASES:
        return Unknown(f"the union of branches has more than {MAX_PHASES} phases")
    spans = [joined([one.span(unit), other.span(unit)]) for unit in range(period)]
    firsts, lasts, masks = zip(*spans, strict=True)
    return one._replace(
        first=firsts,
        last=lasts,
        masks=masks if any(masks) else (),
        advance=one.advance * period // one.period,
        nodes=joined([one.nodes or one.covered(), other.nodes or other.covered()]) if one.hops or other.hops else None,
        shared=_shared(one.shared, other.shared),
    )
