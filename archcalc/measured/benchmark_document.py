"""A benchmark as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.numbers.bounds import causes_of, quotient
from archcalc.numbers.units import digits, engineering, percent
from archcalc.render.document import (
    AMOUNT,
    BYTES,
    COUNT,
    NAME,
    NUMBER,
    SHARE,
    Approximate,
    Column,
    Document,
    Lines,
    Range,
    Row,
    Table,
)

if TYPE_CHECKING:
    from archcalc.measured.benchmark import Benchmark, Distribution, LayerTime, MeasuredCase, Measurement


class BenchmarkColumn(NamedTuple):
    """A column of the table; `value` returns the text or number of a measured row, None if it is unknown."""

    header: str
    value: Callable[[Benchmark, MeasuredCase, Measurement], Any]
    kind: str = COUNT
    unit: str = ""  # of an AMOUNT; byte columns with the same unit share a scale


def _median(_benchmark: Benchmark, _row: MeasuredCase, found: Measurement) -> float | Approximate:
    median = found.seconds.median
    return median if found.reached else Approximate(median)


# The most important columns come first: a narrow terminal leaves out the last ones.
COLUMNS = (
    BenchmarkColumn("Median", _median, AMOUNT, "s"),
    BenchmarkColumn("Quartiles", lambda _b, _r, found: _quartiles(found.seconds), AMOUNT, "s"),
    BenchmarkColumn("{inputs}/s", lambda _b, row, _f: row.per_second(row.batch), NUMBER),
    BenchmarkColumn("Rate", lambda _b, row, _f: row.per_second(row.work.flops), AMOUNT, "FLOP/s"),
    BenchmarkColumn("Peak", lambda benchmark, row, _f: benchmark.flops_share(row), SHARE),
    BenchmarkColumn("Moved", lambda _b, row, _f: row.work.bytes_moved, BYTES, "moved"),
    BenchmarkColumn("FLOP/B", lambda _b, row, _f: row.intensity, NUMBER),
    BenchmarkColumn("Copy", lambda benchmark, row, _f: benchmark.copy_share(row), SHARE),
    BenchmarkColumn("Memory", lambda _b, _r, found: found.peak_memory, BYTES),
    BenchmarkColumn("Samples", lambda _b, _r, found: f"{len(found.seconds.values)}×{found.calls_per_sample}"),
)


def benchmark_document(benchmark: Benchmark) -> Document:
    """The benchmark as a document: rows, parts of a call, ratios, layers."""
    title, *head = _head(benchmark)
    tables = [_rows(benchmark), _phases(benchmark), _ratios(benchmark)]
    layers = [_layers(row, benchmark.environment.device) for row in benchmark.rows]
    return Document(
        title=title,
        head=head,
        parts=[*_present(tables[:1]), *_notes(benchmark), *_present(tables[1:]), *_present(layers)],
        data=benchmark.to_dict,
        records=lambda: _complete([*_records(benchmark)]),
    )


def _present(tables: Sequence[Table | None]) -> list[Table]:
    return [table for table in tables if table and table.rows]


def _quartiles(found: Distribution) -> Range:
    return Range(found.q1, found.q3)


# the head


def _head(benchmark: Benchmark) -> list[str]:
    environment, method, peak = benchmark.environment, benchmark.method, benchmark.peak
    load = environment.settings.get("load_average")
    busy = [f"load {load:.2g} at the start"] if load is not None else []
    count = f"{environment.threads} thread{'s' * (environment.threads > 1)}"
    threads = [count, *busy] if environment.device == "cpu" else []
    versions = [f"{name} {version}" for name, version in environment.versions.items()]
    clocks = [f"{name.replace('_', ' ')} clock {clock:.0f} MHz" for name, clock in environment.clocks.items()]
    products = [
        f"{engineering(product.flops_per_second, 'FLOP/s')} {dtype}" if product.flops_per_second else f"no {dtype}"
        for dtype, product in peak.products.items()
    ]
    rate = peak.copy_bytes_per_second
    copy = "no copy" if rate is None else f"copy {engineering(rate, 'B/s')}"
    switches = [
        name.replace("_", "-")
        for name in ("compile", "channels_last", "cuda_graph", "flush_l2")
        if getattr(method, name)
    ]
    interval = f"{100 * method.confidence:.0f} % interval is within ±{percent(method.precision)}"
    lines = [
        [environment.device_name, *threads, *clocks],
        versions,
        ["peak measured here: matrix product " + ", ".join(products), copy],
        [method.mode, *switches, f"until the median's {interval}, or for {method.seconds:g} s"],
    ]
    return [" · ".join(parts) for parts in lines]


# the rows


def _rows(benchmark: Benchmark) -> Table:
    inputs = "Images" if all(row.input == "image" for row in benchmark.rows) else "Inputs"
    columns = [
        Column(quantity.header.format(inputs=inputs), quantity.kind, priority, quantity.unit)
        for priority, quantity in enumerate(COLUMNS, start=1)
    ]
    rows: list[Row] = []
    for group, members in _groups(benchmark):
        rows.append(Row([group], emphasis="faint"))
        for row in members:
            cells = [row.status, *(None for _ in COLUMNS[1:])]
            if row.measurement:
                cells = [quantity.value(benchmark, row, row.measurement) for quantity in COLUMNS]
            rows.append(Row([row.spec, *cells]))
    return Table([Column("Network", NAME), *columns], rows)


def _groups(benchmark: Benchmark) -> Iterator[tuple[str, list[MeasuredCase]]]:
    """The rows of each batch size and dtype, with a title."""
    groups: dict[tuple[int, str], list[MeasuredCase]] = {}
    for row in benchmark.rows:
        groups.setdefault((row.batch, row.dtype), []).append(row)
    for (batch, dtype), rows in groups.items():
        yield f"batch {batch} · {dtype}", rows


def _title(row: MeasuredCase) -> str:
    return f"{row.spec}, batch {row.batch}, {row.dtype}"


def _notes(benchmark: Benchmark) -> list[Lines]:
    products = benchmark.peak.products.items()
    lines = [f"no matrix product in {dtype}: {product.reason}" for dtype, product in products if product.reason]
    for row in benchmark.rows:
        if row.problem:
            lines.append(f"{_title(row)}: {row.status}: {row.problem}")
        lines += [f"≥ {_title(row)}: {cause!s}" for cause in causes_of(row.work.flops)]
        if found := row.measurement:
            if found.layers_problem:
                lines.append(f"{_title(row)}: no times of layers: {found.layers_problem}")
            if found.crowded:
                taken = digits(found.cpus_of_others or 0)
                lines.append(
                    f"! batch {row.batch}: other programs kept {taken} CPUs busy meanwhile: times are too long"
                )
            if not found.reached:
                lines.append(f"~ {_title(row)}: the interval is within ±{percent(found.seconds.precision)} only")
            if not found.warm_up.stable:
                lines.append(f"{_title(row)}: times had not settled after {digits(found.warm_up.seconds)} s of warm-up")
            if found.compile_seconds is not None:
                lines.append(f"{_title(row)}: compiled in {digits(found.compile_seconds)} s, which is not in the times")
    return [Lines([*dict.fromkeys(lines)], wrapped=True)] if lines else []


def _phases(benchmark: Benchmark) -> Table | None:
    rows: list[Row] = []
    names: list[str] = []
    for group, members in _groups(benchmark):
        found = [(row.spec, row.measurement) for row in members if row.measurement and row.measurement.phases]
        rows += [Row([group], emphasis="faint")] if found else []
        for spec, measured in found:
            names = [*measured.phases]
            rows.append(Row([spec, *_shares(measured)]))
    columns = [
        column for name in names for column in (Column(name.capitalize(), AMOUNT, 1, "s"), Column("Share", SHARE, 2))
    ]
    return Table([Column("Parts of a call", NAME), *columns], rows) if rows else None


def _shares(found: Measurement) -> Iterator[float]:
    """The time of each phase, and its share of a call."""
    for phase in found.phases.values():
        yield phase.median
        yield phase.median / found.seconds.median


def _ratios(benchmark: Benchmark) -> Table | None:
    rows: list[Row] = []
    for group, members in _groups(benchmark):
        found = [(row, row.ratio) for row in members if row.ratio]
        rows += [Row([group], emphasis="faint")] if found else []
        for row, ratio in found:
            interval = Range(ratio.ci_low, ratio.ci_high)
            rows.append(Row([row.spec, ratio.median, _quartiles(ratio), interval]))
    confidence = f"{100 * benchmark.method.confidence:.0f} % interval"
    columns = [Column(header, NUMBER) for header in ("Median", "Quartiles", confidence)]
    title = f"Time ÷ {benchmark.ratios_to}'s"
    return Table([Column(title, NAME), *columns], rows) if rows else None


def _layers(row: MeasuredCase, device: str) -> Table | None:
    found = row.measurement
    if found is None or found.layers is None:
        return None
    whole = next(iter(found.phases.values()), found.seconds)
    total = found.layers.sum
    rows = [Row(_layer(layer, total.median)) for layer in found.layers.layers]
    sums = [
        Row([name, "", time.median, _quartiles(time), None, None, None])
        for name, time in (("sum of the layers", total), ("forward pass", whole))
    ]
    columns = [
        Column("Median", AMOUNT, priority=0, unit="s"),
        Column("Quartiles", AMOUNT, priority=1, unit="s"),
        Column("Share", SHARE, priority=2),
        Column("Rate", AMOUNT, priority=3, unit="FLOP/s"),
        Column("Moved", BYTES, priority=4),
    ]
    gap = (total.median - whole.median) / whole.median
    note = f"The sum is {percent(abs(gap))} {'above' if gap > 0 else 'below'} the forward pass, timed without hooks:"
    explained = "hooks and their marks take time, and so do Python and launches between layers."
    waits = ["A GPU waits for launches: a small layer takes the time of its launch."] if device != "cpu" else []
    return Table(
        [Column("Layer", NAME), Column("Type", priority=3), *columns],
        rows,
        title=_title(row),
        totals=sums,
        notes=[f"{note} {explained}", *waits],
    )


def _layer(layer: LayerTime, total: float) -> list[Any]:
    median = layer.seconds.median
    return [
        layer.name,
        layer.type,
        median,
        _quartiles(layer.seconds),
        median / total,
        quotient(layer.flops, median) if median else None,
        layer.bytes_moved,
    ]


# records


def _complete(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records, each with all columns that any of them has."""
    columns = dict.fromkeys(key for record in records for key in record)
    return [{key: record.get(key) for key in columns} for record in records]


def _records(benchmark: Benchmark) -> Iterator[dict[str, Any]]:
    """A record for each row, and one for each of its layers; times in seconds."""
    layered = any(row.measurement and row.measurement.layers for row in benchmark.rows)
    for row in benchmark.to_dict()["rows"]:
        head = {key: row[key] for key in ("spec", "batch", "dtype")}
        times = {f"{name}_median": phase["median"] for name, phase in (row.get("phases") or {}).items()}
        ratio = {f"ratio_{key}": (row["ratio"] or {}).get(key) for key in ("median", "q1", "q3")}
        rest = {key: value for key, value in row.items() if not isinstance(value, dict | list) and key not in head}
        rest.pop("ratio", None)
        whole = {"layer": ""} if layered else {}
        yield head | whole | _spread(row["seconds"]) | times | (ratio if benchmark.ratios_to else {}) | rest
        for layer in (row.get("layers") or {"layers": []})["layers"]:
            facts = {"flops": layer["flops"], "bytes_moved": layer["bytes_moved"]}
            yield head | {"layer": layer["name"]} | _spread(layer["seconds"]) | facts


def _spread(seconds: dict[str, Any] | None) -> dict[str, Any]:
    keys = ("median", "q1", "q3", "ci_low", "ci_high", "samples")
    return {key: seconds[key] if seconds else None for key in keys}
