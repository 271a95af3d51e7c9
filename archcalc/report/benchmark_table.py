"""A benchmark as text: for a terminal, a spreadsheet or a program."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from archcalc.errors import printable
from archcalc.measured.benchmark import Benchmark, Distribution, LayerTime, Measurement, Row
from archcalc.numbers.bounds import causes_of, quotient, value_text
from archcalc.numbers.units import digits, engineering, engineering_range, mebibytes, percent
from archcalc.render.json_text import json_text
from archcalc.render.text_table import Style, csv_text, display_width, text_table

FORMATS = ("table", "json", "csv")


class Column(NamedTuple):
    """A column of the table; `value` gives its text for a row that was measured, nothing for what is not known."""

    header: str
    value: Callable[[Benchmark, Row, Measurement], str | None]


def _median(_benchmark: Benchmark, _row: Row, found: Measurement) -> str:
    return ("" if found.reached else "~") + engineering(found.seconds.median, "s")


def _flops(_benchmark: Benchmark, row: Row, _found: Measurement) -> str | None:
    return _optional(row.per_second(row.work.flops), engineering)


# Those that matter most come first: a narrow terminal leaves out the last ones.
COLUMNS = (
    Column("Median", _median),
    Column("Quartiles", lambda _b, _r, found: _quartiles(found.seconds, "s")),
    Column("{inputs}/s", lambda _b, row, _f: _optional(row.per_second(row.batch), lambda value: f"{value:,.0f}")),
    Column("FLOP/s", _flops),
    Column("Peak", lambda benchmark, row, _f: _optional(benchmark.flops_share(row), percent)),
    Column("Moved", lambda _b, row, _f: mebibytes(row.work.bytes_moved)),
    Column("FLOP/B", lambda _b, row, _f: _optional(row.intensity, digits)),
    Column("Copy", lambda benchmark, row, _f: _optional(benchmark.copy_share(row), percent)),
    Column("Memory", lambda _b, _r, found: _optional(found.peak_memory, mebibytes)),
    Column("Samples", lambda _b, _r, found: f"{len(found.seconds.values)}×{found.calls_per_sample}"),
)


def render(benchmark: Benchmark, format_name: str, style: Style | None = None) -> str:
    """The benchmark in one of FORMATS."""
    if format_name == "json":
        return json_text(benchmark.to_dict())
    if format_name == "csv":
        return _csv(benchmark)
    style = style or Style()
    parts = [_head(benchmark, style), _rows(benchmark, style), _notes(benchmark)]
    parts += [_phases(benchmark, style), _ratios(benchmark, style)]
    parts += [_layers(row, benchmark.environment.device, style) for row in benchmark.rows]
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _optional(value: Any, form: Callable[[Any], str]) -> str | None:
    return None if value is None else value_text(value, form)


def _quartiles(found: Distribution, unit: str) -> str:
    return engineering_range(found.q1, found.q3, found.median, unit)


# what was measured on, and how


def _head(benchmark: Benchmark, style: Style) -> list[str]:
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
    copy = _optional(peak.copy_bytes_per_second, lambda rate: f"copy {engineering(rate, 'B/s')}") or "no copy"
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
    return [style.bold(_joined(lines[0])[0]), *(text for parts in lines[1:] for text in _joined(parts, style.width))]


def _joined(parts: Sequence[str], width: int | None = None) -> list[str]:
    """The parts with dots between, on as many lines as the width asks for."""
    lines = [parts[0]]
    for part in parts[1:]:
        if width and display_width(lines[-1]) + 3 + display_width(part) > width:
            lines.append(f"  {part}")
        else:
            lines[-1] += f" · {part}"
    return lines


# the rows


def _rows(benchmark: Benchmark, style: Style) -> list[str]:
    rows: list[list[str | None]] = []
    inputs = "Images" if all(row.input == "image" for row in benchmark.rows) else "Inputs"
    header = [column.header.format(inputs=inputs) for column in COLUMNS]
    for group, members in _groups(benchmark):
        rows.append([group])
        for row in members:
            if row.measurement:
                cells = [column.value(benchmark, row, row.measurement) for column in COLUMNS]
                rows.append([printable(row.spec), *cells])
            else:
                rows.append([printable(row.spec), row.status])
    return text_table(["Network", *header], rows, style) if rows else ["nothing was measured"]


def _groups(benchmark: Benchmark) -> Iterator[tuple[str, list[Row]]]:
    """Rows of one batch size and dtype, under a name."""
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in benchmark.rows:
        groups.setdefault((row.batch, row.dtype), []).append(row)
    for (batch, dtype), rows in groups.items():
        yield f"batch {batch} · {dtype}", rows


def _title(row: Row) -> str:
    return f"{printable(row.spec)}, batch {row.batch}, {row.dtype}"


def _notes(benchmark: Benchmark) -> list[str]:
    products = benchmark.peak.products.items()
    lines = [f"no matrix product in {dtype}: {product.reason}" for dtype, product in products if product.reason]
    for row in benchmark.rows:
        if row.problem:
            lines.append(f"{_title(row)}: {row.status}: {printable(row.problem)}")
        lines += [f"≥ {_title(row)}: {printable(str(cause))}" for cause in causes_of(row.work.flops)]
        if found := row.measurement:
            if found.layers_problem:
                lines.append(f"  {_title(row)}: no times of layers: {printable(found.layers_problem)}")
            if found.crowded:
                taken = digits(found.cpus_of_others or 0)
                lines.append(
                    f"! batch {row.batch}: other programs kept {taken} CPUs busy meanwhile: times are too long"
                )
            if not found.reached:
                lines.append(f"~ {_title(row)}: the interval is within ±{percent(found.seconds.precision)} only")
            if not found.warm_up.stable:
                lines.append(
                    f"  {_title(row)}: times had not settled after {digits(found.warm_up.seconds)} s of warm-up"
                )
            if found.compile_seconds is not None:
                lines.append(
                    f"  {_title(row)}: compiled in {digits(found.compile_seconds)} s, which is not in the times"
                )
    return [*dict.fromkeys(lines)]


def _phases(benchmark: Benchmark, style: Style) -> list[str]:
    rows: list[list[str | None]] = []
    names: list[str] = []
    for group, members in _groups(benchmark):
        found = [(row.spec, row.measurement) for row in members if row.measurement and row.measurement.phases]
        rows += [[group]] if found else []
        for spec, measured in found:
            names = [*measured.phases]
            rows.append([printable(spec), *_shares(measured)])
    return text_table(["Parts of a call", *(name.capitalize() for name in names)], rows, style) if rows else []


def _shares(found: Measurement) -> Iterator[str]:
    """Each phase's time, and its share of the whole."""
    for phase in found.phases.values():
        yield f"{engineering(phase.median, 's')} {percent(phase.median / found.seconds.median):>6}"


def _ratios(benchmark: Benchmark, style: Style) -> list[str]:
    rows: list[list[str | None]] = []
    for group, members in _groups(benchmark):
        found = [(row, row.ratio) for row in members if row.ratio]
        rows += [[group]] if found else []
        for row, ratio in found:
            quartiles, interval = (
                f"{digits(ratio.q1)}–{digits(ratio.q3)}",
                f"{digits(ratio.ci_low)}–{digits(ratio.ci_high)}",
            )
            rows.append([printable(row.spec), digits(ratio.median), quartiles, interval])
    header = [
        f"Time ÷ {benchmark.ratios_to}'s",
        "Median",
        "Quartiles",
        f"{100 * benchmark.method.confidence:.0f} % interval",
    ]
    return text_table(header, rows, style) if rows else []


def _layers(row: Row, device: str, style: Style) -> list[str]:
    found = row.measurement
    if found is None or found.layers is None:
        return []
    whole = next(iter(found.phases.values()), found.seconds)
    total = found.layers.sum
    rows = [_layer(layer, total.median) for layer in found.layers.layers]
    rows += [
        ["sum of the layers", " ", engineering(total.median, "s"), _quartiles(total, "s"), None, None, None],
        ["forward pass", " ", engineering(whole.median, "s"), _quartiles(whole, "s"), None, None, None],
    ]
    header = ["Layer", "Type", "Median", "Quartiles", "Share", "FLOP/s", "Moved"]
    gap = (total.median - whole.median) / whole.median
    note = f"The sum is {percent(abs(gap))} {'above' if gap > 0 else 'below'} the forward pass, timed without hooks:"
    explained = "hooks and their marks take time, and so do Python and launches between layers."
    waits = ["A GPU waits for launches: the time of a small layer is that of its launch."] if device != "cpu" else []
    return [style.bold(_title(row)), *text_table(header, rows, style, left=(0, 1)), note, explained, *waits]


def _layer(layer: LayerTime, total: float) -> list[str | None]:
    median = layer.seconds.median
    rate = value_text(quotient(layer.flops, median), engineering) if median else None
    return [
        printable(layer.name),
        layer.type,
        engineering(median, "s"),
        _quartiles(layer.seconds, "s"),
        percent(median / total),
        rate,
        mebibytes(layer.bytes_moved),
    ]


# for a spreadsheet


def _csv(benchmark: Benchmark) -> str:
    records = [*_records(benchmark)]
    columns = [*dict.fromkeys(key for record in records for key in record)]
    return csv_text(columns, ([record.get(key) for key in columns] for record in records))


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
