"""Values of a table as text: counts with all digits, amounts and bytes in one unit for the whole table."""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Any

from archcalc.layers.base import size_text
from archcalc.numbers.bounds import AtLeast, AtMost, Unknown, known, value_text
from archcalc.numbers.units import digits, percent
from archcalc.render.document import (
    AMOUNT,
    BYTES,
    COUNT,
    FIGURE,
    NAME,
    NUMBER,
    SHAPE,
    SHARE,
    Approximate,
    Cell,
    Column,
    Math,
    Range,
    Row,
    Table,
)

ABSENT = "–"
_DECIMAL = ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k"), (1, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))
_BINARY = ((2**40, "TiB"), (2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, "B"))


class Scale:
    """The unit of a column: its name, and its factor to the plain unit."""

    def __init__(self, factor: float, name: str) -> None:
        self.factor = factor
        self.name = name

    def text(self, value: Any) -> str:
        """A value in this unit, with three significant digits; counts and bytes in the plain unit with all digits."""
        if self.factor == 1 and isinstance(value, int):
            return f"{value:,}"
        if isinstance(value, int) and isinstance(self.factor, int) and value >= 1000 * self.factor:
            return f"{(2 * value + self.factor) // (2 * self.factor):,}"  # the value may be too large for a float
        return digits(value / self.factor)


def scale_of(kind: str, unit: str, values: Iterable[Cell]) -> Scale:
    """The unit in which the largest value has one to three digits before the point."""
    largest = max((abs(number) for value in values if (number := _number(value)) is not None), default=0)
    steps = _BINARY if kind == BYTES else _DECIMAL
    if not largest:
        return Scale(1, "B" if kind == BYTES else unit)
    factor, prefix = next((step for step in steps if largest >= step[0]), steps[-1])
    return Scale(factor, prefix if kind == BYTES else f"{prefix}{unit}")


def _number(value: Cell) -> Any:
    if isinstance(value, Approximate | Range):
        return value.value if isinstance(value, Approximate) else value.high
    found: Any = known(value) if isinstance(value, AtLeast | AtMost | Unknown | int | float) else None
    return None if found == inf else found


def scales_of(table: Table) -> list[Scale | None]:
    """The scale of each column, which totals and all columns of the same unit share; None for unscaled columns."""
    scaled = [(column.kind, column.unit) if column.kind in (AMOUNT, BYTES) else None for column in table.columns]
    shared: dict[tuple[str, str], Scale] = {}
    for key in filter(None, dict.fromkeys(scaled)):
        places = [place for place, other in enumerate(scaled) if other == key]
        rows = [row for row in table.rows if len(row.cells) == len(scaled) and not row.group]
        shared[key] = scale_of(*key, (row.cells[place] for row in rows for place in places))
    return [key and shared[key] for key in scaled]


def header_text(column: Column, scale: Scale | None) -> str:
    """The header, followed by the unit of the column."""
    return f"{column.header} {scale.name}".rstrip() if scale else column.header


def cell_text(kind: str, value: Cell, scale: Scale | None = None) -> str:
    """A value as text; `–` for None, `?` for an unknown value. Text is unchanged in any column."""
    if value is None:
        return ABSENT
    if isinstance(value, str | Math):
        return str(value)
    if kind == SHAPE and isinstance(value, tuple | list):
        return size_text(tuple(ABSENT if size is None else size for size in value))
    form = scale.text if scale else _FORMS.get(kind, str)
    if isinstance(value, Approximate):
        return f"~{form(value.value)}"
    if isinstance(value, Range):
        return f"{form(value.low)}–{form(value.high)}"
    return value_text(value, form)


_FORMS: dict[str, Callable[[Any], str]] = {
    COUNT: "{:,}".format,
    NUMBER: digits,
    FIGURE: "{:,.5g}".format,
    SHARE: percent,
}


def fact_text(kind: str, unit: str, value: Cell) -> str:
    """A single value with its unit."""
    if kind == BYTES and not isinstance(value, Unknown | str | None):
        scale = scale_of(kind, unit, [value])
        return f"{value_text(value, scale.text)} {scale.name}"
    if kind == AMOUNT and not isinstance(value, Unknown | str | None):
        scale = scale_of(kind, unit, [value])
        return f"{value_text(value, scale.text)} {scale.name}".rstrip()
    return f"{cell_text(kind, value)} {unit}".rstrip()


def table_texts(table: Table, rows: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """The headers and cells of rows as text."""
    scales = scales_of(table)
    columns = list(zip(table.columns, scales, strict=True))
    headers = [header_text(column, scale) for column, scale in columns]
    texts = [
        [str(row.cells[0])]
        if len(row.cells) == 1 != len(columns)
        else [cell_text(column.kind, cell, scale) for (column, scale), cell in zip(columns, row.cells, strict=True)]
        for row in rows
    ]
    return headers, texts


def flat_rows(table: Table) -> list[Row]:
    """The rows and totals for a format without trees: without rows of groups."""
    return [*(row for row in table.rows if not row.group), *table.totals]


def indents(table: Table) -> list[int]:
    """The indentation of these rows' names."""
    return [indent(table, row) for row in flat_rows(table)]


def indent(table: Table, row: Row) -> int:
    """The indentation of a row's name; a path is not indented, since it shows the nesting."""
    return 0 if table.columns[0].kind == NAME and len(row.cells) > 1 else row.level


def used_columns(table: Table) -> list[int]:
    """The columns with a value in some row, and the first column."""
    rows = [row for row in (*table.rows, *table.totals) if len(row.cells) == len(table.columns)]
    return [
        place for place in range(len(table.columns)) if not place or any(row.cells[place] is not None for row in rows)
    ]
