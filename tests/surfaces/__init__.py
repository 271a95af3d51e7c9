"""Every surface of archcalc against something that archcalc did not compute, for any network of the generator.

    check_source(drawn)                          # raises AssertionError, or whatever archcalc raised
    for fault in find_faults(drawn, STATIC): …   # all of them, each with a time limit

A check is one function `check_<surface>(drawn)` in one of the files here, and an entry in STATIC (it imports no torch,
and takes milliseconds) or TORCH. `tests/test_surfaces.py` gives each a few seconds of networks,
`benchmarks/long_run.py` hours of them.
"""

from surfaces.runner import STATIC, TORCH, Fault, find_faults

__all__ = ["STATIC", "TORCH", "Fault", "find_faults"]
