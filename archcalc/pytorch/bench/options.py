"""The options of a benchmark, and their validation."""

import math
import os
from typing import NamedTuple

import torch

from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.layers.base import FLOATING
from archcalc.pytorch.device import find_device

MODES = ("inference", "training")

THREADS_PER_CPU = 8  # at most


class Options(NamedTuple):
    """The options of a benchmark. `seconds` is the time per row without warm-up; `threads` is for a CPU.

    `dtypes` are of parameters and floating-point inputs. `layers` also times every layer of the forward pass.
    `cuda_graph` replays a recorded call, `flush_l2` flushes the GPU's cache before each call.
    """

    batches: tuple[int, ...] = (1,)
    dtypes: tuple[str, ...] = ("float32",)
    mode: str = "inference"
    device: str = "cpu"
    compile: bool = False
    channels_last: bool = False
    layers: bool = False
    cuda_graph: bool = False
    flush_l2: bool = False
    threads: int | None = None
    seconds: float = 5.0

    @property
    def training(self) -> bool:
        """Whether a call is a training step."""
        return self.mode == "training"


def check(options: Options) -> torch.device:
    """Check the options and return the device. Raises UsageError if they are invalid or the device is not available."""
    _check_values(options)
    device = find_device(options.device)
    if device.type == "meta":
        raise UsageError('device "meta" computes nothing: it cannot be timed')
    for name in ("cuda_graph", "flush_l2"):
        if getattr(options, name) and device.type != "cuda":
            raise UsageError(f"--{name.replace('_', '-')} needs a CUDA device, not {device}")
    if (options.threads or 1) > THREADS_PER_CPU * (os.cpu_count() or 1):
        # The OpenMP library ends the program if the system refuses it a thread.
        raise UsageError(f"{options.threads} threads are too many for {os.cpu_count()} CPUs")
    if options.threads is not None and device.type != "cpu":
        raise UsageError(f"--threads is for the device cpu, not {device}")
    for name in ("compile", "cuda_graph"):
        if options.layers and getattr(options, name):
            raise UsageError(f"--layers and --{name.replace('_', '-')} exclude each other: there are no layers to time")
    return device


def _check_values(options: Options) -> None:
    for name, values in (("batch", options.batches), ("threads", (1 if options.threads is None else options.threads,))):
        if not values or not all(type(value) is int and value > 0 for value in values):
            listed = ", ".join(map(str, values)) or "empty"
            raise UsageError(f"{name} must be whole numbers, 1 or more, and is {listed}")
    if not options.dtypes:
        raise UsageError("there is no dtype")
    for dtype in options.dtypes:
        if dtype not in FLOATING:
            raise UsageError(f"{quoted(dtype)} is not a floating-point dtype; {did_you_mean(dtype, FLOATING)}")
    if options.mode not in MODES:
        raise UsageError(f"no mode is called {quoted(options.mode)}; {did_you_mean(options.mode, MODES)}")
    if not 0 < options.seconds < math.inf:
        raise UsageError(f"seconds must be a number above 0, and are {options.seconds}")
