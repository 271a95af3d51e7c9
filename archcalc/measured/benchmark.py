"""The results of a benchmark: times with their spread, and rates derived from them."""

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
FEWEST = 6  # samples that an interval of this confidence needs


class Distribution(NamedTuple):
    """The distribution of repeated measurements: seconds, or a ratio.

    Quartiles interpolate between samples. The true median lies from `ci_low` to `ci_high` with a confidence of at least
    95 % for any distribution, if samples are independent.
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
    """A quantile, interpolated linearly between the two nearest values."""
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


@lru_cache
def _interval_start(count: int) -> int:
    """The number of smallest values, and of largest ones, outside of the median's confidence interval.

    The true median lies below value number i (from 0) if at most i values are below it, which has the probability
    P(X ≤ i) of a binomial X with p = ½; the same holds above.
    """
    outside, ways, start = 0, 1, -1
    while True:
        outside += ways
        if 2 * outside * 20 > 2**count:  # 1 − CONFIDENCE is one in 20
            return start
        start += 1
        ways = ways * (count - start) // (start + 1)


class Environment(NamedTuple):
    """The device and software of a benchmark. `clocks` are a GPU's clocks in MHz, empty if they are unknown."""

    device: str
    device_name: str
    threads: int
    versions: dict[str, str]
    clocks: dict[str, float]
    settings: dict[str, Any]


class Method(NamedTuple):
    """The method of a benchmark. `precision` is the goal for `Distribution.precision`."""

    mode: str
    seconds: float
    precision: float
    confidence: float
    compile: bool
    channels_last: bool
    cuda_graph: bool
    flush_l2: bool


class MatrixPeak(NamedTuple):
    """The rate of the fastest product of two size×size matrices; None with a reason if it cannot be measured."""

    flops_per_second: float | None
    size: int | None
    reason: str | None = None


class Peak(NamedTuple):
    """The measured peaks of a device: matrix products by dtype, and a copy of `copy_bytes` in bytes/s.

    The bytes of a copy count twice, since it reads and writes them.
    """

    products: dict[str, MatrixPeak]
    copy_bytes_per_second: float | None
    copy_bytes: int


class LayerTime(NamedTuple):
    """The time of one layer in the forward pass, with its FLOPs and bytes."""

    name: str
    type: str
    seconds: Distribution
    flops: int | Unknown
    bytes_moved: int


class LayerTimes(NamedTuple):
    """The times of all layers, one by one, and the distribution of their sum in a call."""

    layers: tuple[LayerTime, ...]
    sum: Distribution


class WarmUp(NamedTuple):
    """The calls before the measurement; `stable` if they ended because times had settled."""

    calls: int
    seconds: float
    stable: bool


class Work(NamedTuple):
    """FLOPs and bytes of one call, as archcalc counts them."""

    flops: Lower[int]
    bytes_moved: int


class Measurement(NamedTuple):
    """The times of one case. `phases` are the parts of a call, which add up to it; empty if there is only one.

    `layers_problem` is the reason why layers could not be timed. `cpus_of_others` is the number of CPUs that other
    programs kept busy meanwhile; `crowded` if that left too few.
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
    """One spec at one batch size in one dtype, with its measurement, or the `problem` that prevented one.

    `input` is the name of the network's first input. `status` is `measured`, `out of memory` or `failed`. `ratio` is
    the time divided by the first spec's, pair by pair.
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
        """The rate per second of an amount per call."""
        return quotient(amount, self.median) if self.median else None

    @property
    def intensity(self) -> Value[float] | None:
        """FLOPs per byte moved."""
        return quotient(self.work.flops, self.work.bytes_moved) if self.work.bytes_moved else None


class Benchmark(Struct, Result, frozen=True, kw_only=True):
    """A benchmark of specs. `ratios_to` is the spec with which the others are compared."""

    environment: Environment
    method: Method
    peak: Peak
    rows: tuple[MeasuredCase, ...]
    ratios_to: str | None = None

    def __repr__(self) -> str:
        return f"Benchmark({self.environment.device_name!r}, {len(self.rows)} rows)"

    def document(self) -> Document:
        """The benchmark as a document."""
        from archcalc.measured.benchmark_document import benchmark_document

        return benchmark_document(self)

    def flops_share(self, row: MeasuredCase) -> Value[float] | None:
        """The row's FLOP/s as a share of the fastest matrix product's."""
        return _share(row.per_second(row.work.flops), self.peak.products[row.dtype].flops_per_second)

    def copy_share(self, row: MeasuredCase) -> Value[float] | None:
        """The row's bytes/s as a share of the copy's; caches can make it larger than 1."""
        return _share(row.per_second(row.work.bytes_moved), self.peak.copy_bytes_per_second)

    def measured_device(self) -> Device:
        """The device with its measured peaks. Raises UsageError if no product, or no copy, could be measured."""
        environment, peak = self.environment, self.peak
        rates = {dtype: product.flops_per_second for dtype, product in peak.products.items()}
        if not peak.copy_bytes_per_second or not any(rates.values()):
            raise UsageError(f"{quoted(environment.device_name)} ran out of memory: its peaks are unknown")
        threads = f", threads: {environment.threads}" if environment.device == "cpu" else ""
        versions = ", ".join(f"{name} {version}" for name, version in environment.versions.items())
        tf32 = environment.settings.get("cudnn_tf32") and "float32" in rates
        note = "float32 is multiplied as tf32 where the GPU can, as in PyTorch's convolutions" if tf32 else None
        source = f"measured by archcalc bench: {versions}{threads}"
        return Device(environment.device_name, peak.copy_bytes_per_second, source, Peaks(**rates), note=note)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them. Times are in seconds."""
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
    """A value for JSON: the number of a bound, null for an unknown value."""
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
    """The reason for each number of a row that is a lower bound."""
    values = {
        "flops": row.work.flops,
        "intensity": row.intensity,
        "flops_per_second": row.per_second(row.work.flops),
        "share_of_peak_flops": share,
    }
    return {name: value.reason for name, value in values.items() if isinstance(value, AtLeast)}
