"""Sets of sizes: listed ones, and residue classes without an end."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from archcalc.analysis.intervals import Interval, merged
from archcalc.numbers.varying import Progression

SAMPLED = 4  # listed intervals whose ends are sampled


class SizeSet(NamedTuple):
    """The sizes in the intervals `listed`, and all n ≥ `start` with n mod `modulus` in `remainders`.

    `listed` ends before `start`. With `tried`, sizes above it are unknown, and there are no remainders.
    """

    listed: tuple[Interval, ...] = ()
    start: int = 1
    modulus: int = 1
    remainders: tuple[int, ...] = ()
    tried: int | None = None

    def __contains__(self, size: object) -> bool:
        assert isinstance(size, int)
        if self.remainders and size >= self.start:
            return size % self.modulus in self.remainders
        return any(first <= size <= last for first, last in self.listed)

    @property
    def is_endless(self) -> bool:
        """Whether it has no largest size."""
        return bool(self.remainders)

    @property
    def smallest(self) -> int | None:
        """The smallest size in it; None for the empty set."""
        return self.listed[0][0] if self.listed else self.next_from(1)

    def next_from(self, size: int) -> int | None:
        """The smallest size in it that is at least `size`."""
        for first, last in self.listed:
            if last >= size:
                return max(first, size)
        low = max(size, self.start)
        recurring = range(low, low + self.modulus) if self.remainders else ()
        return next((n for n in recurring if n % self.modulus in self.remainders), None)

    def last_until(self, size: int) -> int | None:
        """The largest size in it that is at most `size`."""
        recurring = range(size, max(self.start, size - self.modulus + 1) - 1, -1) if self.remainders else ()
        found = next((n for n in recurring if n % self.modulus in self.remainders), None)
        if found is not None:
            return found
        below = [min(last, size) for first, last in self.listed if first <= size]
        return below[-1] if below else None

    def around(self, own: int) -> list[int]:
        """Sizes by which the set can be tested: on both sides of its ends and of a network's `own` size."""
        ends = {2, own, 2 * own, self.start, self.start + self.modulus}
        ends |= {end for interval in (*self.listed[:SAMPLED], *self.listed[-1:]) for end in interval}
        most = self.tried or math.inf
        return sorted({size for end in ends for size in (end - 1, end, end + 1) if 0 < size <= most or size == own})


def listed_sizes(sizes: Iterable[int], tried: int | None = None) -> SizeSet:
    """The set of single sizes, which are in order."""
    return SizeSet(tuple(_intervals(sizes)), tried=tried)


def _intervals(sizes: Iterable[int]) -> Iterator[Interval]:
    first = last = 0
    for size in sizes:
        if size != last + 1 or not first:
            if first:
                yield first, last
            first = size
        last = size
    if first:
        yield first, last


def union(parts: list[Progression], most: int) -> SizeSet | None:
    """The union of disjoint progressions; None if it takes more than `most` sizes or remainders."""
    endless = [part for part in parts if part.stop is None]
    modulus = math.lcm(*(part.modulus for part in endless))
    single = [part for part in parts if part.stop is not None]
    ends = (part.modulus * (part.stop or 0) + part.remainder for part in single)
    start = max([1, *(part.start for part in endless), *ends])
    # Endless progressions may have sizes below the common start.
    single += [part._replace(stop=-((part.remainder - start) // part.modulus)) for part in endless]
    count = sum(max(0, (part.stop or 0) - part.first) for part in single if part.modulus > 1)
    if modulus > most or count > most:
        return None
    remainders = {
        remainder for part in endless for remainder in range(part.remainder % part.modulus, modulus, part.modulus)
    }
    intervals = [*merged(interval for part in single for interval in _intervals_of(part))]
    return _reduced(intervals, start, modulus, remainders)


def _intervals_of(part: Progression) -> Iterator[Interval]:
    assert part.stop is not None
    if part.modulus == 1 and not part.is_empty:
        yield part.start, part.stop - 1 + part.remainder
    elif part.modulus > 1:
        for k in range(part.first, part.stop):
            yield (size := part.modulus * k + part.remainder), size


def _reduced(listed: list[Interval], start: int, modulus: int, remainders: set[int]) -> SizeSet:
    """The same set with the smallest modulus and start."""
    if not remainders:
        return SizeSet(tuple(listed))
    divisors = (divisor for divisor in range(1, modulus + 1) if modulus % divisor == 0)
    least = next(
        d for d in divisors if all(((r + d) % modulus in remainders) == (r in remainders) for r in range(modulus))
    )
    found = SizeSet((), start, least, tuple(sorted({remainder % least for remainder in remainders})))
    first = found.next_from(start)
    assert first is not None
    while listed:
        before = next(n for n in range(first - 1, first - 1 - least, -1) if n % least in found.remainders)
        if listed[-1][1] != before:
            break
        low, _ = listed.pop()
        first = before
        if least == 1:
            first = low
        elif low < before:
            listed.append((low, before - 1))
    return found._replace(listed=tuple(listed), start=first)
