"""Matches the layers of two networks."""

from bisect import bisect_left
from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

MAX_CELLS = 1_000_000  # in all tables of common subsequences; without a table layers are matched by position

Pair = tuple[int | None, int | None]  # positions on both sides; None where a layer has no counterpart


class Key(NamedTuple):
    """The name and type of a layer, by which it is matched."""

    name: str
    type: str


def align(left: Sequence[Key], right: Sequence[Key]) -> list[Pair]:
    """Match layers with equal names, and between them layers of equal types, keeping the order of both sides.

    As many names are matched as the order allows, then as many types. Returns pairs that cover all layers in order.
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

    Names are unique on each side, so this is the longest increasing subsequence of positions on the right.
    """
    positions = {key.name: position for position, key in enumerate(right)}
    shared = [(number, positions[key.name]) for number, key in enumerate(left) if key.name in positions]
    ends: list[int] = []  # for each length, the lowest position on the right at which a sequence ends
    last: list[int] = []  # the index of that position in `shared`
    before: list[int | None] = []  # for each of `shared`, its predecessor in the longest sequence that it ends
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
    """The positions of the earliest of the longest common subsequences."""
    lengths = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]  # of common subsequences of the two suffixes
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
    """All positions of two ranges as pairs; `common` has matched positions, relative to the ranges' starts."""
    (start, end), (begin, stop) = left, right
    for i, j in (*((start + i, begin + j) for i, j in common), (end, stop)):
        yield from ((number, None) for number in range(start, i))
        yield from ((None, number) for number in range(begin, j))
        if i < end or j < stop:
            yield i, j
        start, begin = i + 1, j + 1
