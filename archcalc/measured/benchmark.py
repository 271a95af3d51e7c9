"""What a benchmark finds, as values: times with their spread, and what follows from them."""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.devices import Device, Peaks
from archcalc.errors import UsageError, quoted
from archcalc.numbers.bounds import AtLeast, Lower, Unknown, Value, known, quotient, reason_of
from archcalc.render.document import Document
from archcalc.render.result import Result

CONFIDENCE = 0.95
FEWEST = 6  # samples that give an interval of this confidence


class Distribution(NamedTuple):
    """What was measured again and again: seconds, or a ratio.

    Quartiles interpolate between samples. The median of all that could be measured lies from `ci_low` to `ci_high` with
    a confidence of at least 95 %, whatever the distribution, as far as samples do not depend on each other.
    """

    median: float
    q1: float
    q3: float
    ci_low: float
    ci_high: float
    values: tuple[float, ...]

    @property
    def precision(self) -> float:
        """The farther end of the confidence interval, as a share of the median."""
        return max(self.ci_high - self.median, self.median - self.ci_low) / self.median if self.median else math.inf

    def to_dict(self) -> dict[str, Any]:
        """Plain values; `values` are in the order of measurement."""
        return {
            "median": self.median,
            "q1": self.q1,
            "q3": self.q3,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "samples": len(self.values),
            "values": list(self.values),
        }


def describe(values: Sequence[float]) -> Distribution:
    """Median, quartiles and confidence interval of FEWEST values or more."""
    if len(values) < FEWEST:
        raise ValueError(f"{len(values)} samples give no interval of {CONFIDENCE:.0%} confidence")
    ordered = sorted(values)
    first = _interval_start(len(ordered))
    median, q1, q3 = (_quantile(ordered, share) for share in (0.5, 0.25, 0.75))
    return Distribution(
        median=median, q1=q1, q3=q3, ci_low=ordered[first], ci_high=ordered[-1 - first], values=tuple(values)
    )


def _quantile(ordered: Sequence[float], share: float) -> float:
    """Between the two nearest values, in proportion."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@lru_cache
def _interval_start(count: int) -> int:
    """How many of the smallest values, and of the largest, lie outside of the median's confidence interval.

    The true median lies below the value number i (from 0) if at most i of all fall below it, which happens with the
    probability P(X ≤ i) of a binomial X with p = ½; the same holds above.
    """
    outside, ways, start = 0, 1, -1
    while True:
        outside += ways
        if 2 * outside * 20 > 2**count:  # 1 − CONFIDENCE is one in 20
            return start
        start += 1
        ways = ways * (count - start) // (start + 1)


class Environment(NamedTuple):
    """What was measured on. `clocks` are those of a GPU in MHz, empty where nothing tells them."""

    device: str
    device_name: str
    threads: int
    versions: dict[str, str]
    clocks: dict[str, float]
    settings: dict[str, Any]


class Method(NamedTuple):
    """How was measured. `precision` is the goal: how far the confidence interval may reach from the median."""

    mode: str
    seconds: float
    precision: float
    confidence: float
    compile: bool
    channels_last: bool
    cuda_graph: bool
    flush_l2: bool


class MatrixPeak(NamedTuple):
    """The fastest product of two size×size matrices, in FLOP/s; None, with the reason, where there is none."""

    flops_per_second: float | None
    size: int | None
    reason: str | None = None


class Peak(NamedTuple):
    """What the device reaches, measured: matrix products by dtype, and a copy of `copy_bytes` in bytes/s.

    A copy reads and writes; both count.
    """

    products: dict[str, MatrixPeak]
    copy_bytes_per_second: float | None
    copy_bytes: int


class LayerTime(NamedTuple):
    """One layer in the forward pass."""

    name: str
    type: str
    seconds: Distribution
    flops: int | Unknown
    bytes_moved: int


class LayerTimes(NamedTuple):
    """All layers, timed one by one, and their sum call by call."""

    layers: tuple[LayerTime, ...]
    sum: Distribution


class WarmUp(NamedTuple):
    """Calls before the measurement, and whether they ended because times had settled."""

    calls: int
    seconds: float
    stable: bool


class Work(NamedTuple):
    """What one call computes and moves, by archcalc's own count."""

    flops: Lower[int]
    bytes_moved: int


class Measurement(NamedTuple):
    """The times of one case. `phases` are parts of each call, which add up to it; empty where there is one alone.

    `layers_problem` says why layers could not be timed.
    `cpus_of_others`: how many CPUs other programs kept busy meanwhile; `crowded` if that left too few.
    """

    seconds: Distribution
    phases: dict[str, Distribution]
    calls_per_sample: int
    warm_up: WarmUp
    reached: bool  # the goal for the confidence interval
    compile_seconds: float | None = None
    peak_memory: int | None = None
    layers: LayerTimes | None = None
    layers_problem: str | None = None
    cpus_of_others: float | None = None
    crowded: bool = False


class MeasuredCase(NamedTuple):
    """One spec at one batch size in one dtype: its measurement, or why there is none (`problem`).

    `input` is the name of the network's first input.

    `status` is `measured`, `out of memory` or `failed`. `ratio` is the time against that of the first spec, pair by
    pair.
    """

    spec: str
    network: str
    input: str
    batch: int
    dtype: str
    status: str
    work: Work
    measurement: Measurement | None = None
    problem: str | None = None
    ratio: Distribution | None = None

    @property
    def median(self) -> float | None:
        """Seconds per call."""
        return self.measurement.seconds.median if self.measurement else None

    def per_second(self, amount: Value[Any]) -> Value[float] | None:
        """An amount per call as one per second."""
        return quotient(amount, self.median) if self.median else None

    @property
    def intensity(self) -> Value[float] | None:
        """FLOPs per byte moved."""
        return quotient(self.work.flops, self.work.bytes_moved) if self.work.bytes_moved else None


class Benchmark(Struct, Result, frozen=True, kw_only=True):
    """All of it. `ratios_to` is the spec that the others are compared with."""

    environment: Environment
    method: Method
    peak: Peak
    rows: tuple[MeasuredCase, ...]
    ratios_to: str | None = None

    def __repr__(self) -> str:
        return f"Benchmark({self.environment.device_name!r}, {len(self.rows)} rows)"

    def document(self) -> Document:
        """The benchmark for any writer."""
        from archcalc.measured.benchmark_table import benchmark_document

        return benchmark_document(self)

    def flops_share(self, row: MeasuredCase) -> Value[float] | None:
        """The row's FLOP/s as a share of the fastest matrix product's."""
        return _share(row.per_second(row.work.flops), self.peak.products[row.dtype].flops_per_second)

    def copy_share(self, row: MeasuredCase) -> Value[float] | None:
        """The row's bytes/s as a share of the copy's; above 1 where caches spare the memory."""
        return _share(row.per_second(row.work.bytes_moved), self.peak.copy_bytes_per_second)

    def measured_device(self) -> Device:
        """The device, with what it reached. Raises UsageError where no product, or no copy, could be measured."""
        environment, peak = self.environment, self.peak
        rates = {dtype: product.flops_per_second for dtype, product in peak.products.items()}
        if not peak.copy_bytes_per_second or not any(rates.values()):
            raise UsageError(f"{quoted(environment.device_name)} ran out of memory: nothing tells what it reaches")
        threads = f", threads: {environment.threads}" if environment.device == "cpu" else ""
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        tf32 = environment.settings.get("cudnn_tf32") and "float32" in rates
        note = "float32 is multiplied as tf32 where the GPU can, as in PyTorch's convolutions" if tf32 else None
        source = f"measured by archcalc bench: {versions}{threads}"
        return Device(environment.device_name, peak.copy_bytes_per_second, source, Peaks(**rates), note=note)

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it. Times are in seconds."""
        return {
            "environment": self.environment._asdict(),
            "method": self.method._asdict(),
            "peak": self.peak._asdict() | {"products": {k: v._asdict() for k, v in self.peak.products.items()}},
            "ratios_to": self.ratios_to,
            "rows": [self._row(row) for row in self.rows],
        }

    def _row(self, row: MeasuredCase) -> dict[str, Any]:
        return {
            "spec": row.spec,
            "network": row.network,
            "input": row.input,
            "batch": row.batch,
            "dtype": row.dtype,
            "status": row.status,
            "problem": row.problem,
            "flops": known(row.work.flops),
            "flops_lower_bound": reason_of(row.work.flops),
            "bytes_moved": row.work.bytes_moved,
            "intensity": _number(row.intensity),
            "inputs_per_second": _number(row.per_second(row.batch)),
            "flops_per_second": _number(row.per_second(row.work.flops)),
            "bytes_per_second": _number(row.per_second(row.work.bytes_moved)),
            "share_of_peak_flops": _number(self.flops_share(row)),
            "share_of_peak_copy": _number(self.copy_share(row)),
            "lower_bounds": _bounded(row, self.flops_share(row)),
            "ratio": row.ratio.to_dict() if row.ratio else None,
            **_measurement(row.measurement),
        }


def _share(value: Value[float] | None, peak: float | None) -> Value[float] | None:
    return quotient(value, peak) if value is not None and peak else None


def _number(value: Value[float] | None) -> float | None:
    """What is known of a value, for JSON."""
    return None if value is None else known(value)


def _measurement(found: Measurement | None) -> dict[str, Any]:
    if found is None:
        return {"seconds": None}
    return {
        "seconds": found.seconds.to_dict(),
        "phases": {name: phase.to_dict() for name, phase in found.phases.items()},
        "precision": found.seconds.precision,
        "goal_reached": found.reached,
        "calls_per_sample": found.calls_per_sample,
        "warm_up": found.warm_up._asdict(),
        "compile_seconds": found.compile_seconds,
        "peak_memory_bytes": found.peak_memory,
        "cpus_of_others": found.cpus_of_others,
        "crowded": found.crowded,
        "layers": _layers(found.layers),
        "layers_problem": found.layers_problem,
    }


def _layers(times: LayerTimes | None) -> dict[str, Any] | None:
    if times is None:
        return None
    rows = [
        layer._asdict()
        | {"seconds": layer.seconds.to_dict(), "flops": known(layer.flops), "unknown": reason_of(layer.flops)}
        for layer in times.layers
    ]
    return {"layers": rows, "sum": times.sum.to_dict()}


def _bounded(row: MeasuredCase, share: Value[float] | None) -> dict[str, str]:
    """What is missing from each number of a row that is a lower bound."""
    values = {
        "flops": row.work.flops,
        "intensity": row.intensity,
        "flops_per_second": row.per_second(row.work.flops),
        "share_of_peak_flops": share,
    }
    return {name: value.reason for name, value in values.items() if isinstance(value, AtLeast)}
