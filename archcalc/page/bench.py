"""Reads the output of `archcalc bench --format json` for a page."""

import json
from typing import Any, NamedTuple

from archcalc.errors import UsageError, printable, quoted
from archcalc.numbers.units import engineering, engineering_range
from archcalc.reading import read_bytes

MOST_SECONDS = 10**9
MAX_BYTES = 4 * 2**20


class BenchRow(NamedTuple):
    """One measurement as text; `median` is the error of a failed one."""

    network: str
    batch: str
    dtype: str
    median: str
    interval: str


def read_bench(path: str) -> tuple[BenchRow, ...]:
    """Read the rows of a benchmark. Raises UsageError for a file that cannot be read, or is no benchmark."""
    try:
        content = read_bytes(path, MAX_BYTES)
        if len(content) > MAX_BYTES:
            raise UsageError(f"{quoted(path)} is larger than {MAX_BYTES // 2**20} MiB, which is no benchmark")
        return tuple(map(_row, json.loads(content)["rows"]))
    except OSError as error:
        raise UsageError(f"cannot read {quoted(path)}: {(error.strerror or str(error)).lower()}") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        raise UsageError(f"{quoted(path)} is no output of archcalc bench --format json") from None


def _row(row: dict[str, Any]) -> BenchRow:
    seconds = row["seconds"]
    network, batch, dtype = (printable(str(row[name])) for name in ("network", "batch", "dtype"))
    if seconds is None:
        return BenchRow(network, batch, dtype, printable(str(row["status"])), "")
    median, low, high = (float(seconds[name]) for name in ("median", "ci_low", "ci_high"))
    if not 0 <= min(low, median, high) <= max(low, median, high) < MOST_SECONDS:
        raise ValueError
    return BenchRow(network, batch, dtype, engineering(median, "s"), engineering_range(low, high, median, "s"))
