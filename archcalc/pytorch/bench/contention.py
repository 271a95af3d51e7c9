"""Detects other programs on the measured CPUs: as threads wait for each other, one busy CPU slows all of them."""

import os
from pathlib import Path


class Contention:
    """CPU time of this program and of all others since construction. Only Linux reports it."""

    def __init__(self) -> None:
        self.before = _times()

    def cpus_of_others(self) -> float | None:
        """The average number of CPUs that other programs kept busy; None if the system does not report it."""
        after = _times()
        if self.before is None or after is None:
            return None
        busy, own, passed = (now - then for now, then in zip(after, self.before, strict=True))
        return max(busy - own, 0.0) / passed if passed > 0 else None


def is_crowded(others: float | None, threads: int) -> bool:
    """Whether the threads and the other programs together need more CPUs than the machine has."""
    return others is not None and others + threads > (os.cpu_count() or 1) + 0.2  # a margin for the system itself


def _times() -> tuple[float, float, float] | None:
    """Seconds of CPU time of all programs, of CPU time of this program, and of wall time."""
    try:
        fields = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()[1:]
    except OSError:
        return None
    counts = [int(field) for field in fields[:8]]  # the first two include guests
    idle = counts[3] + counts[4]
    used = os.times()
    own = used.user + used.system + used.children_user + used.children_system
    return (sum(counts) - idle) / os.sysconf("SC_CLK_TCK"), own, used.elapsed
