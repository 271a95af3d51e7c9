"""Whether other programs take the CPUs that are being measured: threads wait for each other, and so for them."""

import os
from pathlib import Path


class Contention:
    """CPU time of all programs and of this one, from its construction on. Linux alone tells it."""

    def __init__(self) -> None:
        self.before = _times()

    def cpus_of_others(self) -> float | None:
        """How many CPUs other programs kept busy on average; None where the system does not tell."""
        after = _times()
        if self.before is None or after is None:
            return None
        busy, own, passed = (now - then for now, then in zip(after, self.before, strict=True))
        return max(busy - own, 0.0) / passed if passed > 0 else None


def is_crowded(others: float | None, threads: int) -> bool:
    """Whether there are fewer CPUs than the threads and the other programs together keep busy."""
    return others is not None and others + threads > (os.cpu_count() or 1) + 0.2  # the system itself takes a little


def _times() -> tuple[float, float, float] | None:
    """Seconds that all CPUs were busy, that this program was on one, and that have passed."""
    try:
        fields = Path("/proc/stat").read_text("ascii").partition("\n")[0].split()[1:]
    except OSError:
        return None
    counts = [int(field) for field in fields[:8]]  # guests are part of the first two
    idle = counts[3] + counts[4]
    used = os.times()
    own = used.user + used.system + used.children_user + used.children_system
    return (sum(counts) - idle) / os.sysconf("SC_CLK_TCK"), own, used.elapsed
