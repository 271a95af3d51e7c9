"""The machine and the settings of a measurement."""

import gc
import os
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch

from archcalc import __version__
from archcalc.measured.benchmark import Environment
from archcalc.pytorch.bench.options import Options

_QUERY = {"driver_version": "driver", "clocks.sm": "sm", "clocks.mem": "memory", "clocks.max.sm": "max_sm"}


@contextmanager
def session(options: Options, device: torch.device) -> Iterator[None]:
    """Apply the settings of a measurement: threads, the GPU, cuDNN's autotuning, no garbage collection."""
    threads, benchmark, collecting = torch.get_num_threads(), torch.backends.cudnn.benchmark, gc.isenabled()
    torch.set_num_threads(options.threads or threads)
    torch.backends.cudnn.benchmark = True
    gc.disable()
    try:
        with torch.cuda.device(device) if device.type == "cuda" else nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)
        torch.backends.cudnn.benchmark = benchmark
        if collecting:
            gc.enable()


def load_average() -> float | None:
    """The system's load average of the last minute; None if the system does not report it."""
    try:
        return os.getloadavg()[0]
    except (OSError, AttributeError):  # Windows has no load average
        return None


def describe_environment(device: torch.device, load: float | None) -> Environment:
    """The device and its name, threads, versions of the libraries, and a GPU's current clocks."""
    smi = _nvidia_smi(device) if device.type == "cuda" else {}
    versions = {"archcalc": __version__, "torch": str(torch.__version__), "python": platform.python_version()}
    if device.type == "cuda":
        versions |= {"cuda": str(torch.version.cuda), "cudnn": str(torch.backends.cudnn.version())}
        versions |= {"driver": smi["driver"]} if "driver" in smi else {}
    clocks = {name: float(value) for name, value in smi.items() if name != "driver" and _is_number(value)}
    return Environment(
        device=str(device),
        device_name=_device_name(device),
        threads=torch.get_num_threads(),
        versions=versions,
        clocks=clocks,
        settings=_settings(device, load),
    )


def _settings(device: torch.device, load: float | None) -> dict[str, Any]:
    if device.type == "cuda":
        return {"cudnn_benchmark": torch.backends.cudnn.benchmark, "cudnn_tf32": torch.backends.cudnn.allow_tf32}
    if device.type == "cpu":
        return {"cpu_capability": torch.backends.cpu.get_cpu_capability(), "load_average": load}
    return {}


def _device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return (_linux_cpu() if platform.system() == "Linux" else _apple_cpu()) or platform.processor() or "unknown CPU"


def _linux_cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, None) or platform.machine()


def _apple_cpu() -> str | None:
    return _output("sysctl", "-n", "machdep.cpu.brand_string") if platform.system() == "Darwin" else None


def _nvidia_smi(device: torch.device) -> dict[str, str]:
    """The driver's version and clocks in MHz from nvidia-smi; empty if that is missing."""
    # The driver may number GPUs differently from PyTorch.
    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    which = f"GPU-{uuid}" if uuid else str(device.index or 0)
    form = "--format=csv,noheader,nounits"
    line = _output("nvidia-smi", f"--id={which}", f"--query-gpu={','.join(_QUERY)}", form)
    values = [value.strip() for value in line.split(",")] if line else []
    return dict(zip(_QUERY.values(), values, strict=True)) if len(values) == len(_QUERY) else {}


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()


def _output(*command: str) -> str | None:
    """The output of a program; None if it is missing or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
