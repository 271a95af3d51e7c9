"""The positions that a unit sees along an axis: the first, the last, and a mask of those between if there are holes."""

import math
from typing import NamedTuple

MAX_MASK = 2**16  # positions that a mask may have

SOLID = 0  # the mask of a span without holes
NOT_FOLLOWED = -1  # the mask of a span that may have holes


class Span(NamedTuple):
    """The positions that a unit sees: the first, the last, and bit i of the mask for position first + i.

    The span of a unit that sees nothing has its first position behind its last; infinities are neutral in a union.
    """

    first: float
    last: float
    mask: int = SOLID


NOTHING = Span(math.inf, -math.inf)


def joined(spans: list[Span]) -> Span:
    """The union of spans."""
    if len(spans) == 1:
        return spans[0]
    seen = sorted(span for span in spans if span.first <= span.last)
    if not seen:
        return NOTHING
    first, last = seen[0].first, max(span.last for span in seen)
    hull = Span(first, last)
    solid = [span for span in seen if span.mask == SOLID]
    if _follow_each_other(solid, hull):
        return hull
    if last - first >= MAX_MASK or any(span.mask == NOT_FOLLOWED for span in seen):
        return hull._replace(mask=NOT_FOLLOWED)
    mask = 0
    for span in seen:
        mask |= (span.mask or full(span)) << int(span.first - first)
    return _masked(hull, mask)


def _follow_each_other(solid: list[Span], hull: Span) -> bool:
    """Whether spans without holes cover the whole hull."""
    reached = hull.first - 1
    for span in solid:
        if span.first > reached + 1:
            return False
        reached = max(reached, span.last)
    return reached == hull.last


def full(span: Span) -> int:
    """The mask of a span without holes, with a bit for every position."""
    mask: int = (1 << int(span.last - span.first + 1)) - 1
    return mask


def _masked(hull: Span, mask: int) -> Span:
    return hull._replace(mask=SOLID if mask == full(hull) else mask)


def has_holes(span: Span) -> bool:
    """Whether some position between the first and last is known to be unseen."""
    return span.mask not in (SOLID, NOT_FOLLOWED)


def comb(span: Span, count: int, distance: int) -> Span:
    """The union of `count` copies of a span, each shifted by `distance` from the one before."""
    last = span.last + (count - 1) * distance
    hull = Span(span.first, last)
    if count == 1:
        return span
    if span.mask == SOLID and distance <= span.last - span.first + 1:
        return hull
    if span.mask == NOT_FOLLOWED or last - span.first >= MAX_MASK:
        return hull._replace(mask=NOT_FOLLOWED)
    mask, done = span.mask or full(span), 1
    while done < count:
        more = min(done, count - done)
        mask |= mask << more * distance
        done += more
    return _masked(hull, mask)
