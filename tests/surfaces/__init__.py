"""Checks of every surface against something that archcalc did not compute, for any random network.

    check_source(drawn)                          # raises AssertionError, or an error of archcalc
    for fault in find_faults(drawn, STATIC): …   # all of them, each with a time limit

A check is one function `check_<surface>(drawn)` in a file of this folder, and an entry in STATIC (it imports no torch,
and takes milliseconds) or TORCH. `tests/test_surfaces.py` runs each for a few seconds, `benchmarks/long_run.py` for
hours.
"""

from surfaces.runner import STATIC, TORCH, Fault, find_faults

__all__ = ["STATIC", "TORCH", "Fault", "find_faults"]
