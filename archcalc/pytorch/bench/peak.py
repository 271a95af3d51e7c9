"""Measures the peak of a device: a matrix product in each dtype, and a copy."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from archcalc.measured.benchmark import MatrixPeak, Peak
from archcalc.pytorch import memory
from archcalc.pytorch.bench.clock import Clock, Phase, sample

SIZES = (256, 512, 1024, 2048, 4096, 8192, 16384)
LONG_ENOUGH = 0.02  # seconds for a product; larger ones hardly reach more operations per second
COPIED = 2**28  # bytes, more than caches hold
LEAST = 5  # runs


def measure_peak(dtypes: tuple[str, ...], device: torch.device, clock: Clock, seconds: float = 0.3) -> Peak:
    """The peaks by the fastest of several runs. Each measurement takes `seconds`, or longer for a minimum of runs."""
    with torch.inference_mode():
        products = {dtype: _fastest_product(dtype, device, clock, seconds) for dtype in dict.fromkeys(dtypes)}
        copied, rate = _fastest_copy(device, clock, seconds)
    memory.free(device)
    return Peak(products, rate, copied)


def _fastest_product(dtype: str, device: torch.device, clock: Clock, seconds: float) -> MatrixPeak:
    best = MatrixPeak(None, None, "no matrix fits into memory")
    for size in SIZES:
        try:
            fastest = _product(size, dtype, device, clock, seconds)
        except (RuntimeError, TypeError) as error:
            if memory.is_out_of_memory(error) or best.size:
                return best
            return MatrixPeak(None, None, str(error).partition("\n")[0])
        best = max(best, MatrixPeak(2 * size**3 / fastest, size), key=lambda peak: peak.flops_per_second or 0)
        if fastest > LONG_ENOUGH:
            break
    return best


def _product(size: int, dtype: str, device: torch.device, clock: Clock, seconds: float) -> float:
    one, other = (torch.rand(size, size, device=device).to(getattr(torch, dtype)) for _ in range(2))
    output = torch.empty_like(one)
    with _as_convolutions(device):
        return _fastest(lambda: torch.mm(one, other, out=output), clock, seconds)


@contextmanager
def _as_convolutions(device: torch.device) -> Iterator[None]:
    """Let products use TF32 if cuDNN's convolutions may, so that the peak holds for both."""
    if device.type != "cuda" or not torch.backends.cudnn.allow_tf32:
        yield
        return
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(precision)


def _fastest_copy(device: torch.device, clock: Clock, seconds: float) -> tuple[int, float | None]:
    """The number of copied bytes, and the bytes read and written per second."""
    size = COPIED
    while size >= 2**20:
        try:
            source = torch.ones(size // 4, device=device)
            target = torch.empty_like(source)
            return size, 2 * size / _fastest(lambda: target.copy_(source), clock, seconds)  # noqa: B023
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            size //= 2
    return size, None


def _fastest(phase: Callable[[], object], clock: Clock, seconds: float) -> float:
    """The seconds of the fastest of several runs, without the first."""

    def run() -> None:
        phase()

    sample(clock, [run], 1)
    return _shortest(run, clock, seconds)


def _shortest(phase: Phase, clock: Clock, seconds: float) -> float:
    start, runs = time.perf_counter(), list[float]()
    while len(runs) < LEAST or (time.perf_counter() - start < seconds and len(runs) < 100):
        runs.extend(sample(clock, [phase], 1))
    return min(runs)
