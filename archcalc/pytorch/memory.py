"""Recognises out-of-memory errors, and predicts them where the system would end the program instead."""

import gc
from pathlib import Path

import torch

from archcalc.analysis.traffic import count_traffic, tensor_bytes, value_bytes
from archcalc.network import Network

# PyTorch's messages where the error has no type of its own: the CPU, cuBLAS, the driver, MPS, impossible sizes.
TEXTS = (
    "not enough memory",
    "can't allocate memory",
    "alloc_failed",
    "out of memory",
    "storage size calculation overflowed",
)


class OutOfMemoryError(Exception):
    """Less memory is free than an operation needs."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that memory ran out."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError | OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error).lower() for text in TEXTS)


def look_ahead(network: Network, dtype: str | None = None, training: bool = False) -> None:
    """Raise OutOfMemoryError if a call needs more than the free memory: a system that overcommits would end it."""
    wanted, free_bytes = needed(network, dtype, training), available()
    if free_bytes is not None and wanted > free_bytes:
        raise OutOfMemoryError(f"needs {wanted / 2**20:,.0f} MiB or more; {free_bytes / 2**20:,.0f} MiB are free")


def needed(network: Network, dtype: str | None, training: bool) -> int:
    """A lower bound of a call's memory in bytes: the parameters, and the inputs and output of the largest layer."""
    rows = count_traffic(network.context, dtype)
    parameters = value_bytes("float32", dtype) * network.totals.parameters
    inputs = sum(tensor_bytes(tensor, dtype, network.batch) for tensor in network.graph.inputs.values())
    largest = max((row.inputs + row.outputs for row in rows), default=0)
    return parameters * (1 + training) + max(inputs, largest)


def available() -> int | None:
    """Bytes of main memory that are free for this program; None if the system does not report it."""
    found = [_meminfo(), _cgroup()]
    return min((count for count in found if count is not None), default=None)


def _meminfo() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":", 1) for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in sizes else None


def _cgroup() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = ((folder / f"memory.{name}").read_text("ascii").strip() for name in ("max", "current"))
    except OSError:
        return None
    return None if limit == "max" else max(int(limit) - int(used), 0)


def free(device: torch.device) -> None:
    """Free memory that is no longer used."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
