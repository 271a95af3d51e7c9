"""Measures the time of a network on a device, with confidence intervals.

options ─▶ workloads ─▶ warm-up ─▶ samples in turns ─▶ rows
(built,       (until     (clock; until the    (measured/benchmark.py)
compiled)     stable)    interval is narrow)
"""

from archcalc.pytorch.bench.options import Options
from archcalc.pytorch.bench.run import Interrupted, bench

__all__ = ["Interrupted", "Options", "bench"]
