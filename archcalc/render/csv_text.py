"""Records for a spreadsheet. No cell is run there: text that looks like a formula is marked as text."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from archcalc.errors import printable

# What a spreadsheet takes for the start of a formula, also at full width; a negative number is none.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBERS = re.compile(r"[+-]?[\d.]+(x[+-]?[\d.]+)*")


def csv_cell(value: Any) -> Any:
    """A value for a spreadsheet: text that is printable and stays text; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    clean = printable(value)
    return f"'{clean}" if _FORMULA.match(clean) and not _NUMBERS.fullmatch(clean) else clean


def write_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as comma-separated values with a header, without the last line's end; null is an empty cell."""
    import csv
    import io

    columns = [*dict.fromkeys(key for record in records for key in record)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    rows: Iterable[Iterable[Any]] = ([record.get(key) for key in columns] for record in records)
    writer.writerows(map(csv_cell, row) for row in rows)
    return text.getvalue().rstrip("\n")
