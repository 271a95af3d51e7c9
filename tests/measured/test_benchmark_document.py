"""A benchmark as text, from made-up values, and the units of measured numbers."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs
from written import written

from archcalc.errors import UsageError
from archcalc.measured.benchmark import (
    Benchmark,
    Distribution,
    Environment,
    LayerTime,
    LayerTimes,
    MatrixPeak,
    MeasuredCase,
    Measurement,
    Method,
    Peak,
    WarmUp,
    Work,
    describe,
)
from archcalc.measured.benchmark_document import COLUMNS
from archcalc.numbers.bounds import AtLeast, Cause
from archcalc.numbers.units import digits, engineering, engineering_range, mebibytes, percent
from archcalc.render.style import Style, display_width


def spread(middle: float) -> Distribution:
    return describe([middle * (1 + step / 100) for step in range(-5, 6)])


def benchmark() -> Benchmark:
    """A training run on a GPU that does not exist."""
    environment = Environment(
        "cuda", "A GPU made up for tests", 8, {"torch": "2.9.0", "cuda": "13.0"}, {"sm": 1410.0}, {"cudnn_tf32": True}
    )
    method = Method("training", 5.0, 0.02, 0.95, True, False, False, True)
    products = {"float32": MatrixPeak(60e12, 8192), "float16": MatrixPeak(None, None, "no such product")}
    layers = LayerTimes((LayerTime("a", "conv2d", spread(3e-4), 10**9, 3 * 2**20),), spread(3e-4))
    phases = {"forward": spread(4e-4), "backward": spread(7e-4), "step": spread(1e-4)}
    fast = Measurement(spread(1.2e-3), phases, 3, WarmUp(30, 0.1, stable=True), True, 12.5, 5 * 2**30, layers)
    slow = Measurement(spread(0.9), {}, 1, WarmUp(8, 2.5, stable=False), False, cpus_of_others=1.25, crowded=True)
    label = ("net", "Network", "image")
    rows = (
        MeasuredCase(*label, 8, "float32", "measured", Work(6 * 10**9, 20 * 2**20), fast),
        MeasuredCase(
            "a_long_name",
            "B",
            "image",
            8,
            "float32",
            "measured",
            Work(AtLeast(10**6, (Cause("not known", ("b",)),)), 2**10),
            slow,
            None,
            spread(7.5),
        ),
        MeasuredCase(
            *label, 512, "float16", "out of memory", Work(10**12, 2**40), None, "CUDA out of memory. Tried to allocate"
        ),
    )
    peak = Peak(products, 2e12, 2**28)
    return Benchmark(environment=environment, method=method, peak=peak, rows=rows, ratios_to="net")


@pytest.mark.parametrize("width", [None, 80, 60])
def test_table(golden: Callable[[Path, str], None], width: int | None) -> None:
    golden(Path(f"bench/{width or 'pipe'}.txt"), written(benchmark(), "table", Style(width)) + "\n")


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_the_tables_fit_the_terminal(width: int) -> None:
    lines = written(benchmark(), "table", Style(width)).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("──")]
    assert len(rules) == 8  # above and below the rows of each table
    assert all(display_width(line) <= width for line in lines)


def test_every_column_is_there_or_named() -> None:
    text = written(benchmark(), "table", Style(60))
    start = text.index("Network")
    table = text[start : text.index("no matrix product")]
    head, note = table.splitlines()[0], table[table.index("(no room for") :]
    headers = [column.header.format(inputs="Images") for column in COLUMNS]
    assert [header for header in headers if header not in head and header not in note] == []


def test_csv_has_the_numbers_of_json() -> None:
    made = benchmark()
    records = [*csv.DictReader(io.StringIO(written(made, "csv")))]
    rows = made.to_dict()["rows"]
    wholes = [record for record in records if not record["layer"]]
    assert [record["layer"] for record in records] == ["", "a", "", ""]
    for record, row in zip(wholes, rows, strict=True):
        assert (record["spec"], int(record["batch"]), record["status"]) == (row["spec"], row["batch"], row["status"])
        assert record["median"] == (str(row["seconds"]["median"]) if row["seconds"] else "")
        assert record["flops"] == str(row["flops"])
    assert float(wholes[0]["backward_median"]) == pytest.approx(7e-4)
    assert float(wholes[1]["ratio_median"]) == pytest.approx(7.5)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.5341e-05, "25.3 µs"),
        (0.0009997, "1.00 ms"),
        (0.00099949, "999 µs"),
        (1.0, "1.00 s"),
        (123.456, "123 s"),
        (5e-13, "0.500 ps"),
        (0.0, "0 s"),
    ],
)
def test_engineering(value: float, text: str) -> None:
    assert engineering(value, "s") == text


def test_units_of_measured_numbers() -> None:
    assert engineering(19_460_000_000_000, "FLOP/s") == "19.5 TFLOP/s"
    assert engineering(5e18) == "5,000 P"
    assert engineering_range(9.9e-6, 1.1e-3, 1e-3, "s") == "0.00990–1.10 ms"
    assert engineering(4 * 10**320, "B") == f"{4 * 10**305:,} PB"
    assert mebibytes(2 * 2**20 + 2**19) == "2.50 MiB"
    assert mebibytes(3 * 2**40) == "3,145,728 MiB"
    assert mebibytes((10**400 + 1) * 2**20) == f"{10**400 + 1:,} MiB"
    assert [*map(percent, (0.123, 0.0987, 0.00051, 1.5, 0))] == ["12 %", "9.9 %", "0.051 %", "150 %", "0 %"]
    assert [*map(digits, (1234.5, 99.96, 0.00123, 0))] == ["1,234", "100", "0.00123", "0"]


def test_a_device_from_a_benchmark() -> None:
    found = benchmark().measured_device()
    assert (found.name, found.bytes_per_second) == ("A GPU made up for tests", 2e12)
    assert found.peaks.known() == {"float32": 60e12}  # no product in float16
    assert found.source == "measured by archcalc bench: torch 2.9.0, cuda 13.0"
    assert "as tf32" in (found.note or "")


@pytest.mark.parametrize(
    "peak",
    [
        Peak({"float32": MatrixPeak(None, None, "no matrix fits into memory")}, 2e12, 2**28),
        Peak({"float32": MatrixPeak(60e12, 8192)}, None, 2**20),
    ],
)
def test_a_device_that_could_not_be_measured(peak: Peak) -> None:
    with pytest.raises(UsageError, match='"A GPU made up for tests" ran out of memory: its peaks are unknown'):
        structs.replace(benchmark(), peak=peak).measured_device()
