"""The largest batch that fits into an amount of memory."""

from collections.abc import Callable
from itertools import cycle
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.errors import UsageError
from archcalc.numbers.bounds import AtLeast, AtMost, Lower, causes_of, floor_of, known, reason_of, value_text
from archcalc.render.cells import fact_text
from archcalc.render.document import BYTES, COUNT, Document, Fact, Facts, Lines, notes_of
from archcalc.render.result import Result


class LargestBatch(Struct, Result, frozen=True, kw_only=True):
    """The largest batch that fits into `limit` bytes: 0 if none fits, AtMost if its peak is a lower bound.

    `least` is the smallest batch that PyTorch runs. `peak` has the bytes of the largest batch (None if none fits), and
    `peak_of_next` those of one sample more, or of the least batch.
    """

    name: str
    limit: int
    batch: int | AtMost[int]
    least: int
    peak: Lower[int] | None
    peak_of_next: Lower[int]

    def __repr__(self) -> str:
        return f"LargestBatch({self.name!r}, {value_text(self.batch)} in {fact_text(BYTES, '', self.limit)})"

    @property
    def fits(self) -> bool:
        """Whether a batch is known to fit."""
        return not isinstance(self.batch, AtMost) and self.batch > 0

    def document(self) -> Document:
        """The answer as a document."""
        return Document(
            title=self.name,
            parts=[Lines([_answer(self)], wrapped=True), Facts([*_peaks(self)])],
            notes=notes_of("≥", causes_of(self.peak_of_next)),
            data=self.to_dict,
            records=lambda: [self.to_dict()],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `upper_bound` if `largest_batch` may not fit, but no larger one does."""
        return {
            "limit": self.limit,
            "largest_batch": known(self.batch),
            "least_batch": self.least,
            "upper_bound": isinstance(self.batch, AtMost),
            "peak": None if self.peak is None else known(self.peak),
            "peak_of_next": known(self.peak_of_next),
            "lower_bound": isinstance(self.peak_of_next, AtLeast),
            "unknown": reason_of(self.peak_of_next),
        }


def _answer(found: LargestBatch) -> str:
    size = fact_text(BYTES, "", found.limit)
    if found.peak is None:
        smallest = "one sample" if found.least == 1 else f"batch {found.least}, the smallest that PyTorch runs,"
        small = "; a larger amount has a unit, such as 8GiB or 8GB" if found.limit < 2**10 else ""
        return f"not even {smallest} fits into {size}{small}"
    if isinstance(found.batch, AtMost):
        return f"at most batch {found.batch.value:,} fits into {size}; whether it does is unknown"
    return f"batch {found.batch:,} fits into {size}"


def _peaks(found: LargestBatch) -> list[Fact]:
    batch = known(found.batch) or 0
    if found.peak is None:
        return [_peak_fact(found.least, found.peak_of_next)]
    return [_peak_fact(batch, found.peak), _peak_fact(batch + 1, found.peak_of_next)]


def _peak_fact(batch: int, peak: Lower[int]) -> Fact:
    return Fact(f"Peak of batch {batch:,}", peak, COUNT, "bytes", fact_text(BYTES, "", peak))


class _Peak(NamedTuple):
    batch: int
    bytes: int


def largest_batch(limit: int, peak_at: Callable[[int], Lower[int]], least: int = 1) -> int | AtMost[int]:
    """The largest batch whose peak is within the limit; 0 if the peak of the least batch is not.

    Where peaks are lower bounds, the result is AtMost; it is 0 if the bound of the least batch is too large.
    """
    found = _largest(limit, lambda batch: floor_of(peak_at(batch)), least)
    causes = causes_of(peak_at(found)) if found else ()
    return AtMost(found, causes) if causes else found


def _largest(limit: int, peak_at: Callable[[int], int], least: int) -> int:
    """The largest batch whose peak is within the limit.

    The peak never falls as the batch grows: the order of allocations is the same for every batch, and no size falls.
    It mostly grows in proportion, so the search interpolates. Raises UsageError for a network in which nothing grows
    with the batch.
    """
    fits, too_large = (_Peak(batch, peak_at(batch)) for batch in (least, least + 1))
    if fits.bytes > limit:
        return 0
    while too_large.bytes <= limit:
        if too_large.batch > limit:  # a batch axis would take a byte per sample at least
            raise UsageError("every batch fits: the network has one sparse input for all samples, and no other")
        batch = max(_in_proportion(limit, fits, too_large) + 1, 2 * too_large.batch)
        fits, too_large = too_large, _Peak(batch, peak_at(batch))
    for looks_between in cycle((_in_proportion, _in_proportion, _in_the_middle)):
        if too_large.batch - fits.batch == 1:
            return fits.batch
        batch = min(max(looks_between(limit, fits, too_large), fits.batch + 1), too_large.batch - 1)
        found = _Peak(batch, peak_at(batch))
        fits, too_large = (found, too_large) if found.bytes <= limit else (fits, found)
    raise AssertionError  # a cycle has no end


def _in_proportion(limit: int, one: _Peak, other: _Peak) -> int:
    """The batch at which a line through two peaks reaches the limit; the first batch if the peaks are equal."""
    growth = other.bytes - one.bytes
    return one.batch + (limit - one.bytes) * (other.batch - one.batch) // growth if growth else one.batch


def _in_the_middle(_limit: int, one: _Peak, other: _Peak) -> int:
    return (one.batch + other.batch) // 2
