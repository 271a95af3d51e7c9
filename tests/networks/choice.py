"""Sources of the generator's decisions: Hypothesis, which can shrink them, or a seed, which is fast.

Both run the same code. The first answer of every method is the simplest, to which Hypothesis shrinks.
"""

import random
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from hypothesis import strategies as st

T = TypeVar("T")


class Choice(Protocol):
    """Makes decisions."""

    def integer(self, least: int, most: int) -> int:
        """A whole number of a range, both ends included."""

    def of(self, options: Sequence[T]) -> T:
        """One of the options; a repeated option is more likely."""

    def chance(self, percent: int) -> bool:
        """True with this probability."""

    def several(self, least: int, most: int, make: Callable[[], None]) -> None:
        """Calls the function a random number of times. Shrinking leaves out whole calls."""


class Shrinkable:
    """Decisions by Hypothesis."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def integer(self, least: int, most: int) -> int:
        return self._draw(_integers(least, most))

    def of(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self.integer(0, 99) >= 100 - percent

    def several(self, least: int, most: int, make: Callable[[], None]) -> None:
        self._draw(st.lists(st.builds(make), min_size=least, max_size=most))


class Seeded:
    """Decisions by a seeded generator."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, least: int, most: int) -> int:
        return least + int(self._random.random() * (most - least + 1))

    def of(self, options: Sequence[T]) -> T:
        return options[self.integer(0, len(options) - 1)]

    def chance(self, percent: int) -> bool:
        return self._random.random() * 100 < percent

    def several(self, least: int, most: int, make: Callable[[], None]) -> None:
        for _ in range(self.integer(least, most)):
            make()


@lru_cache(maxsize=4096)
def _integers(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(least, most)
