"""When to begin and when to stop: warm-up until stable, then samples in turns until the median is known well enough."""

import statistics
import time
from collections.abc import Callable, Sequence
from math import ceil
from typing import NamedTuple, Protocol

from archcalc.measured.benchmark import FEWEST, WarmUp, describe

Sample = tuple[float, ...]  # seconds per call of each phase
Now = Callable[[], float]


class Goal(NamedTuple):
    """When samples are enough.

    `precision`: how far the confidence interval of the median may reach from it, as a share. `seconds` is the time
    that each case may take, `least` and `most` are numbers of samples.
    """

    seconds: float
    precision: float = 0.02
    least: int = 20
    most: int = 1000

    @property
    def sample_seconds(self) -> float:
        """How long a sample should take: long enough for any clock, and so that `most` of them fill the time."""
        return min(max(1e-3, self.seconds / self.most), 0.1)


CALIBRATION = 3  # samples that find out how many calls fit into one
WINDOW = 5  # samples
SETTLED = 0.05  # how much the median of a window may differ from that of the window before


def warm_up(take: Callable[[int], float], goal: Goal, now: Now = time.perf_counter) -> tuple[int, WarmUp]:
    """Call until times settle, from a twentieth to half of the time of a case; returns the calls that make a sample.

    `take` makes a number of calls and returns the seconds of one.
    """
    start, calls, count, wanted = now(), 0, 0, 1
    while wanted > count:
        count, tries = wanted, list[float]()
        # The first calls are slow, and where a call is longer than all of the time, one will do.
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


class Case(Protocol):
    """Something to measure. `samples` are those taken so far."""

    samples: list[Sample]

    def take(self) -> bool:
        """Add a sample; False if that failed and no more will come."""


def reached(samples: Sequence[Sample], goal: Goal) -> bool:
    """Whether the median of the whole calls is known as well as wanted."""
    return len(samples) >= FEWEST and describe([*map(sum, samples)]).precision <= goal.precision


def alternate(
    cases: Sequence[Case], goal: Goal, progress: Callable[[float], None], now: Now = time.perf_counter
) -> None:
    """Let the cases take samples in turns, until each is known well enough or the time is over.

    Every other round runs backwards, so that none is always behind the same one. A tenth of the time is taken in any
    case, since a short moment may be a calm one; and FEWEST samples, whatever time they take.
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
