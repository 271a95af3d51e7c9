"""Runs the checks of one network, one after the other, and collects the faults."""

import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from types import FrameType
from typing import NamedTuple

from networks import Drawn

import archcalc

# The module with the check of each surface; imported at its first run, since some need torch.
STATIC = {
    "load": "surfaces.static",
    "language": "surfaces.language",
    "summary": "surfaces.static",
    "explain": "surfaces.static",
    "explained_lines": "surfaces.explained",
    "lint": "surfaces.static",
    "ranges": "surfaces.static",
    "unit_fields": "surfaces.static",
    "formula": "surfaces.formulas",
    "reconcile": "surfaces.numbers",
    "budget": "surfaces.numbers",
    "compare": "surfaces.numbers",
    "roofline": "surfaces.numbers",
    "diagram": "surfaces.pictures",
    "volumes": "surfaces.pictures",
    "report": "surfaces.pictures",
}
TORCH = {
    "shapes": "surfaces.running",
    "memory": "surfaces.storages",
    "largest_batch": "surfaces.storages",
    "fields": "surfaces.gradients",
    "source": "surfaces.source",
    "sizes": "surfaces.sizes",
    "verify": "surfaces.running",
    "onnx": "surfaces.onnx",
}
ALL = STATIC | TORCH


class Fault(NamedTuple):
    """A check that failed. Faults that probably share a cause have the same `kind`; `seconds` is how long it took."""

    surface: str
    kind: str
    message: str
    seconds: float


class TooSlowError(Exception):
    """A check took longer than it may."""


@lru_cache(maxsize=4)
def loaded(drawn: Drawn) -> archcalc.Network:
    """The network, loaded once for all checks."""
    return drawn.load()


def check_of(surface: str) -> Callable[[Drawn], None]:
    check: Callable[[Drawn], None] = getattr(import_module(ALL[surface]), f"check_{surface}")
    return check


def find_faults(drawn: Drawn, surfaces: Iterable[str], limit_s: float = 20) -> Iterator[Fault]:
    """The faults of the surfaces, in their order."""
    loaded.cache_clear()
    for surface in surfaces:
        check, start = check_of(surface), time.perf_counter()
        try:
            with at_most(limit_s):
                check(drawn)
        except Exception as error:  # any exception is a fault
            kind = f"{surface}: {type(error).__name__} in {_place(error)}"
            yield Fault(surface, kind, str(error)[:2000], time.perf_counter() - start)


def _place(error: BaseException) -> str:
    """The innermost function of archcalc that raised the exception, or else the failing line of the check."""
    frames = traceback.extract_tb(error.__traceback__)
    for frame in reversed(frames):
        if "/archcalc/" in frame.filename and not isinstance(error, AssertionError):
            return f"{frame.filename.rpartition('/archcalc/')[2]}:{frame.name}"
    checks = [frame for frame in frames if "/surfaces/" in frame.filename]
    frame = checks[-1] if checks else frames[-1]
    return f"{frame.filename.rpartition('/')[2]}:{frame.name}: {frame.line}"


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TooSlowError after this much CPU time. In the main thread only, which receives signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise TooSlowError(f"more than {seconds:g} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
