"""Decides when to sample: warm-up until times are stable, then samples until the median is precise enough."""

import statistics
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple, Protocol

from archcalc.measured.benchmark import FEWEST, WarmUp, describe

Sample = tuple[float, ...]  # seconds per call of each phase
Now = Callable[[], float]


class Goal(NamedTuple):
    """When to stop sampling.

    `precision` is the largest distance of the confidence interval's ends from the median, as a share of it. `seconds`
    is the time per case, `least` and `most` are numbers of samples.
    """

    seconds: float
    precision: float = 0.02
    least: int = 20
    most: int = 1000

    @property
    def sample_seconds(self) -> float:
        """The target seconds of a sample: long enough for any clock, and such that `most` samples fill the time."""
        return min(max(1e-3, self.seconds / self.most), 0.1)


CALIBRATION = 3  # samples that determine the number of calls per sample
WINDOW = 5  # samples
SETTLED = 0.05  # the largest relative difference of the medians of two consecutive windows


def warm_up(take: Callable[[int], float], goal: Goal, now: Now = time.perf_counter) -> tuple[int, WarmUp]:
    """Call until times settle, for 5 % to 50 % of a case's time; return the number of calls per sample.

    `take` makes a number of calls and returns the seconds per call.
    """
    start, calls, count, wanted = now(), 0, 0, 1
    while wanted > count:
        count, tries = wanted, list[float]()
        # The first calls are slow; if a call takes longer than the whole time, one is enough.
        while not tries or (len(tries) < CALIBRATION and now() - start < goal.seconds):
            tries.append(take(count))
        seconds = min(tries)
        calls += len(tries) * count
        wanted = min(10 * count, max(count, ceil(goal.sample_seconds / max(seconds, 1e-9))))
    taken, stable = list[float](), False
    while (passed := now() - start) < goal.seconds / 2 and not (stable and passed >= goal.seconds / 20):
        taken.append(take(count))
        calls += count
        stable = len(taken) >= 2 * WINDOW and _settled(taken)
    return count, WarmUp(calls, passed, stable)


def _settled(taken: Sequence[float]) -> bool:
    before, after = (statistics.median(window) for window in (taken[-2 * WINDOW : -WINDOW], taken[-WINDOW:]))
    return abs(after - before) <= SETTLED * before


class SampledCase(Protocol):
    """A case that can be sampled. `samples` are those taken so far."""

    samples: list[Sample]

    def take(self) -> bool:
        """Add a sample; False if it failed and the case takes no more."""


def reached(samples: Sequence[Sample], goal: Goal) -> bool:
    """Whether the median of the whole calls has the precision of the goal."""
    return len(samples) >= FEWEST and describe([*map(sum, samples)]).precision <= goal.precision


def alternate(
    cases: Sequence[SampledCase], goal: Goal, progress: Callable[[float], None], now: Now = time.perf_counter
) -> None:
    """Let the cases take samples in turns, until each reaches the goal or the time is over.

    Every other round runs backwards, so that no case always follows the same one. Sampling takes at least a tenth of
    the time, since a short period may be unusually quiet, and at least FEWEST samples, however long they take.
    """
    start, rounds, allowed = now(), 0, goal.seconds * len(cases)
    active = [*cases]
    while active:
        active = [case for case in (active if rounds % 2 == 0 else active[::-1]) if case.take()]
        active = [case for case in cases if case in active]
        rounds += 1
        passed = (now() - start) / allowed
        progress(min(passed, 1))
        over = passed >= 1 or rounds >= goal.most
        if rounds >= FEWEST and over:
            return
        if rounds >= goal.least and passed >= 0.1 and all(reached(case.samples, goal) for case in active):
            return
