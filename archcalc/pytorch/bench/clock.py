"""Clocks that measure the time of a device."""

import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Protocol

import torch

Phase = Callable[[], None]


class Clock(Protocol):
    """Places marks in a device's queue of work, and measures the time between them."""

    def mark(self) -> Any:
        """A mark after all work queued so far."""

    def seconds(self, start: Any, end: Any) -> float:
        """Seconds from one mark to another; all work must be done."""

    def synchronize(self) -> None:
        """Wait until all work is done."""


class CpuClock:
    """The clock of a CPU, which works synchronously: the program's own clock."""

    def mark(self) -> float:
        """The current time in seconds."""
        return time.perf_counter()

    def seconds(self, start: float, end: float) -> float:
        """The difference of two times."""
        return end - start

    def synchronize(self) -> None:
        """Does nothing: a CPU works synchronously."""


class EventClock:
    """The clock of a GPU, which works asynchronously: it stamps events in its queue itself.

    `module` is torch.cuda or torch.mps.
    """

    def __init__(self, module: Any, event: Any) -> None:
        self.module, self.event = module, event

    def mark(self) -> Any:
        """An event after all work queued so far."""
        event = self.event(enable_timing=True)
        event.record()
        return event

    def seconds(self, start: Any, end: Any) -> float:
        """Seconds between two events; PyTorch returns milliseconds."""
        return float(start.elapsed_time(end)) / 1000

    def synchronize(self) -> None:
        """Wait for the GPU."""
        self.module.synchronize()


def find_clock(device: torch.device) -> Clock:
    """The clock for a device."""
    if device.type == "cuda":
        return EventClock(torch.cuda, torch.cuda.Event)
    if device.type == "mps":
        return EventClock(torch.mps, torch.mps.event.Event)
    return CpuClock()


def sample(clock: Clock, phases: Sequence[Phase], count: int, before_each: Phase | None = None) -> tuple[float, ...]:
    """Seconds per call of each phase, over `count` calls. A single phase is timed as one block.

    `before_each` runs before every call and is not timed.
    """
    clock.synchronize()
    if len(phases) == 1 and before_each is None:
        spans = [[_block(clock, phases[0], count)]]
    else:
        spans = [_call(clock, phases, before_each) for _ in range(count)]
    clock.synchronize()
    return tuple(sum(clock.seconds(*span) for span in phase) / count for phase in zip(*spans, strict=True))


def _block(clock: Clock, phase: Phase, count: int) -> tuple[Any, Any]:
    start = clock.mark()
    for _ in range(count):
        phase()
    return start, clock.mark()


def _call(clock: Clock, phases: Sequence[Phase], before_each: Phase | None) -> list[tuple[Any, Any]]:
    if before_each:
        before_each()
    marks = [clock.mark()]
    for phase in phases:
        phase()
        marks.append(clock.mark())
    return [*pairwise(marks)]
