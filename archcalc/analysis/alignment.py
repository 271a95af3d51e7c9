"""Which layers of two networks stand beside each other."""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

MAX_CELLS = 1_000_000  # of all tables of common subsequences; beyond these layers are compared position by position

Pair = tuple[int | None, int | None]  # positions on either side; None where only the other has a layer


class Key(NamedTuple):
    """What a layer is known by."""

    name: str
    type: str


def align(left: Sequence[Key], right: Sequence[Key]) -> list[Pair]:
    """Pairs in an order that keeps that of both sides: equal names first, and between them equal types.

    As many names are paired as the order allows, then as many types. What has no counterpart stands alone.
    """
    pairs: list[Pair] = []
    start, begin, cells = 0, 0, MAX_CELLS
    for position, other in (*_common_names(left, right), (len(left), len(right))):
        size = (position - start) * (other - begin)
        gap = _common_types(left[start:position], right[begin:other], exactly=size <= cells)
        cells -= size if size <= cells else 0
        pairs += _merged(gap, (start, position), (begin, other))
        pairs += [(position, other)] if position < len(left) else []
        start, begin = position + 1, other + 1
    return pairs


def _common_names(left: Sequence[Key], right: Sequence[Key]) -> list[tuple[int, int]]:
    """The longest sequence of names that both sides have in the same order.

    A name is there once on each side, so that it is the longest increasing sequence of positions on the right.
    """
    positions = {key.name: position for position, key in enumerate(right)}
    shared = [(number, positions[key.name]) for number, key in enumerate(left) if key.name in positions]
    ends: list[int] = []  # the lowest position on the right that a sequence of each length ends in
    last: list[int] = []  # which of `shared` that is
    before: list[int | None] = []  # for each of `shared`, the one before it in the longest sequence that it ends
    for index, (_, position) in enumerate(shared):
        length = bisect_left(ends, position)
        before.append(last[length - 1] if length else None)
        if length == len(ends):
            ends.append(position)
            last.append(index)
        else:
            ends[length], last[length] = position, index
    found = []
    link = last[-1] if last else None
    while link is not None:
        found.append(shared[link])
        link = before[link]
    return found[::-1]


def _common_types(left: Sequence[Key], right: Sequence[Key], exactly: bool) -> list[tuple[int, int]]:
    types, others = [key.type for key in left], [key.type for key in right]
    if not exactly:
        return [(number, number) for number, pair in enumerate(zip(types, others, strict=False)) if pair[0] == pair[1]]
    return _common_subsequence(types, others)


def _common_subsequence(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Positions of a longest common subsequence, the earliest ones."""
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]  # of what is common from two positions on
    for i in reversed(range(len(left))):
        for j in reversed(range(len(right))):
            equal = left[i] == right[j]
            lengths[i][j] = lengths[i + 1][j + 1] + 1 if equal else max(lengths[i + 1][j], lengths[i][j + 1])
    found, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            found.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return found


def _merged(common: Sequence[tuple[int, int]], left: tuple[int, int], right: tuple[int, int]) -> Iterator[Pair]:
    """All positions of two ranges, those in common side by side; they count from the starts of the ranges."""
    (start, end), (begin, stop) = left, right
    for i, j in (*((start + i, begin + j) for i, j in common), (end, stop)):
        yield from ((number, None) for number in range(start, i))
        yield from ((None, number) for number in range(begin, j))
        if i < end or j < stop:
            yield i, j
        start, begin = i + 1, j + 1
