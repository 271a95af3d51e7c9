"""When a benchmark starts and stops, on simulated clocks; and its statistics, compared with other packages."""

import itertools
import math
import random
import statistics
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.measured.benchmark import FEWEST, WarmUp, describe
from archcalc.pytorch.bench.clock import EventClock, sample
from archcalc.pytorch.bench.sampling import CALIBRATION, WINDOW, Goal, alternate, reached, warm_up

# --- statistics ------------------------------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.lists(st.floats(1e-6, 1e3), min_size=FEWEST, max_size=80))
def test_quartiles_are_those_of_statistics_and_numpy(values: list[float]) -> None:
    found = describe(values)
    assert [found.q1, found.median, found.q3] == pytest.approx(statistics.quantiles(values, method="inclusive"))
    assert [found.q1, found.q3] == pytest.approx([*numpy.percentile(values, [25, 75])])
    assert found.ci_low <= found.median <= found.ci_high
    assert found.values == tuple(values)


@pytest.mark.parametrize("count", [6, 7, 8, 9, 20, 25, 100, 999, 2000])
def test_the_interval_is_the_narrowest_of_its_confidence(count: int) -> None:
    found = describe([float(i) for i in range(count)])
    outside = int(found.ci_low)
    assert found.ci_high == count - 1 - outside
    below = [sum(math.comb(count, i) for i in range(j + 1)) for j in (outside, outside + 1)]
    assert 40 * below[0] <= 2**count < 40 * below[1]  # both tails together at most one in 20


def test_nineteen_of_twenty_intervals_hold_the_median() -> None:
    numbers = random.Random(1)
    skewed = ([numbers.lognormvariate(0, 1) for _ in range(25)] for _ in range(2000))
    held = sum(found.ci_low <= 1 <= found.ci_high for found in map(describe, skewed))
    exact = 1 - 2 * sum(math.comb(25, i) for i in range(8)) / 2**25
    assert exact > 0.95
    assert held / 2000 == pytest.approx(exact, abs=3 * math.sqrt(exact * (1 - exact) / 2000))


def test_too_few_samples_give_no_interval() -> None:
    with pytest.raises(ValueError, match="5 samples give no interval of 95% confidence"):
        describe([1.0] * 5)


# --- warm-up ---------------------------------------------------------------------------------------------------------


class Machine:
    """A clock that only calls advance: `duration` returns the seconds of the next call."""

    def __init__(self, duration: Callable[[int], float]) -> None:
        self.duration, self.time, self.calls = duration, 0.0, 0

    def now(self) -> float:
        return self.time

    def take(self, count: int) -> float:
        start = self.time
        for _ in range(count):
            self.time += self.duration(self.calls)
            self.calls += 1
        return (self.time - start) / count


def test_a_steady_machine_is_warm_after_two_windows() -> None:
    machine = Machine(lambda _: 0.1)
    count, warm = warm_up(machine.take, Goal(seconds=10), machine.now)
    assert (count, warm.calls, warm.stable) == (1, CALIBRATION + 2 * WINDOW, True)
    assert warm.seconds == pytest.approx(1.3)


def test_warming_up_lasts_until_times_settle() -> None:
    machine = Machine(lambda call: 0.01 + 0.05 * math.exp(-call / 20))
    _, warm = warm_up(machine.take, Goal(seconds=10), machine.now)
    assert warm.stable
    assert machine.duration(machine.calls) < 1.25 * 0.01  # six times as long at first


def test_warming_up_ends_on_a_machine_that_never_settles() -> None:
    machine = Machine(lambda call: 0.01 * 1.1**call)
    _, warm = warm_up(machine.take, Goal(seconds=2), machine.now)
    assert not warm.stable
    assert 1 <= machine.time <= 1.3


def test_a_twentieth_of_the_time_is_taken_in_any_case() -> None:
    machine = Machine(lambda _: 0.002)
    _, warm = warm_up(machine.take, Goal(seconds=10), machine.now)
    assert warm.seconds == pytest.approx(0.5, rel=0.03)


def test_a_call_longer_than_all_of_the_time_is_made_once() -> None:
    machine = Machine(lambda _: 60.0)
    assert warm_up(machine.take, Goal(seconds=5), machine.now) == (1, WarmUp(1, 60.0, stable=False))


@pytest.mark.parametrize(
    ("call", "seconds", "calls"), [(1e-5, 1, 100), (1e-5, 5, 500), (4e-4, 1, 3), (0.2, 5, 1), (1e-4, 200, 1000)]
)
def test_a_sample_is_long_enough_for_a_clock(call: float, seconds: float, calls: int) -> None:
    machine = Machine(lambda number: call if number else 0.5)  # the very first call is slow
    count, _ = warm_up(machine.take, Goal(seconds), machine.now)
    assert count == pytest.approx(calls, rel=0.01)


# --- samples in turns ------------------------------------------------------------------------------------------------


class Case:
    """A case with predetermined samples."""

    def __init__(self, name: str, times: Iterator[float], log: list[str], machine: Machine) -> None:
        self.name, self.times, self.log, self.machine = name, times, log, machine
        self.samples: list[tuple[float, ...]] = []

    def take(self) -> bool:
        seconds = next(self.times, None)
        if seconds is None:
            return False
        self.log.append(self.name)
        self.machine.time += seconds
        self.samples.append((seconds,))
        return True


def ignore(_share: float) -> None:
    pass


def run(goal: Goal, **times: Any) -> tuple[dict[str, Case], list[str], Machine]:
    machine, log = Machine(lambda _: 0), list[str]()
    cases = {name: Case(name, iter(values), log, machine) for name, values in times.items()}
    alternate([*cases.values()], goal, ignore, machine.now)
    return cases, log, machine


def test_every_other_round_runs_backwards() -> None:
    _, log, _ = run(Goal(seconds=1), a=itertools.repeat(0.01), b=itertools.repeat(0.02))
    assert "".join(log[:12]) == "abbaabbaabba"


def test_steady_cases_stop_when_samples_are_enough() -> None:
    goal = Goal(seconds=1)
    cases, _, machine = run(goal, a=itertools.repeat(0.01), b=itertools.repeat(0.02))
    assert {len(case.samples) for case in cases.values()} == {goal.least}
    assert machine.time == pytest.approx(0.6)


def test_a_tenth_of_the_time_is_measured_in_any_case() -> None:
    _, _, machine = run(Goal(seconds=10), a=itertools.repeat(0.002))
    assert machine.time == pytest.approx(1.0, rel=0.01)


def noisy(spread: float, seed: int = 0) -> Iterator[float]:
    numbers = random.Random(seed)
    while True:
        yield 0.01 * numbers.uniform(1 - spread, 1 + spread)


def test_noisy_cases_go_on_until_the_interval_is_narrow() -> None:
    goal = Goal(seconds=10)
    cases, _, _ = run(goal, calm=itertools.repeat(0.01), noisy=noisy(0.15))
    samples = cases["noisy"].samples
    assert reached(samples, goal)
    assert not reached(samples[:-1], goal)
    assert len(samples) == len(cases["calm"].samples) > 100


def test_the_time_is_the_limit() -> None:
    goal = Goal(seconds=2)
    cases, _, machine = run(goal, a=noisy(0.9), b=noisy(0.9, seed=1))
    assert not reached(cases["a"].samples, goal)
    assert machine.time == pytest.approx(4, rel=0.02)  # for two cases


def test_slow_cases_get_as_many_samples_as_an_interval_needs() -> None:
    cases, _, _ = run(Goal(seconds=1), a=itertools.repeat(60.0))
    assert len(cases["a"].samples) == FEWEST


def test_samples_are_no_more_than_wanted() -> None:
    cases, _, _ = run(Goal(seconds=1e6), a=noisy(0.9))
    assert len(cases["a"].samples) <= Goal(1).most


def test_a_case_that_fails_leaves_the_others_alone() -> None:
    cases, log, _ = run(Goal(seconds=1), a=itertools.repeat(0.01), b=[0.01] * 3, c=itertools.repeat(0.01))
    assert [len(case.samples) for case in cases.values()] == [20, 3, 20]
    assert "".join(log[:12]) == "abccbaabccaa"


def test_progress_is_the_share_of_the_time() -> None:
    machine, told = Machine(lambda _: 0), list[float]()
    alternate([Case("a", noisy(0.9), [], machine)], Goal(seconds=1), told.append, machine.now)
    assert told == sorted(told)
    assert told[-1] == 1


# --- a sample --------------------------------------------------------------------------------------------------------


class Ticks:
    """A clock of whole seconds that steps advance."""

    def __init__(self) -> None:
        self.time, self.waited = 0, 0

    def mark(self) -> int:
        return self.time

    def seconds(self, start: int, end: int) -> float:
        return end - start

    def synchronize(self) -> None:
        self.waited += 1

    def step(self, seconds: int) -> Callable[[], None]:
        def work() -> None:
            self.time += seconds

        return work


def test_a_sample_is_the_mean_of_its_calls() -> None:
    clock = Ticks()
    assert sample(clock, [clock.step(3)], 5) == (3,)
    assert (clock.time, clock.waited) == (15, 2)


def test_phases_are_timed_one_by_one() -> None:
    clock = Ticks()
    assert sample(clock, [clock.step(1), clock.step(2), clock.step(4)], 3) == (1, 2, 4)


def test_work_before_a_call_is_not_timed() -> None:
    clock = Ticks()
    assert sample(clock, [clock.step(3)], 4, before_each=clock.step(100)) == (3,)
    assert clock.time == 412


class Event:
    """A GPU event; events are a quarter of a second apart."""

    last = 0

    def __init__(self, enable_timing: bool) -> None:
        assert enable_timing

    def record(self) -> None:
        Event.last += 250
        self.milliseconds = Event.last

    def elapsed_time(self, end: "Event") -> float:
        return end.milliseconds - self.milliseconds


def test_events_measure_milliseconds() -> None:
    clock = EventClock(None, Event)
    start, end = clock.mark(), clock.mark()
    assert clock.seconds(start, end) == 0.25
