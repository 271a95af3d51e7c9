"""Records as CSV. Text that a spreadsheet would run as a formula is marked as text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archcalc.errors import printable

# The characters that start a formula in a spreadsheet, also in full width. A negative number is no formula.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBERS = re.compile(r"[+-]?[\d.]+(x[+-]?[\d.]+)*")


def csv_cell(value: Any) -> Any:
    """A value for a spreadsheet: printable text that is no formula; numbers are unchanged."""
    if not isinstance(value, str):
        return value
    clean = printable(value)
    return f"'{clean}" if _FORMULA.match(clean) and not _NUMBERS.fullmatch(clean) else clean


def write_csv(records: Sequence[Mapping[str, Any]], names: Sequence[str] = ()) -> str:
    """Records as comma-separated values with a header, without a final line end; None is an empty cell.

    The header has the names of the records' values, and `names` if there are no records.
    """
    import csv
    import io

    columns = [*dict.fromkeys(key for record in records for key in record)] or names
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    rows: Iterable[Iterable[Any]] = ([record.get(key) for key in columns] for record in records)
    writer.writerows(map(csv_cell, row) for row in rows)
    return text.getvalue().rstrip("\n")
