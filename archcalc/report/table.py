"""The summary as text: for a terminal, a pipe, a paper, a page or a program."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from msgspec import Struct

from archcalc.analysis.field import Marked, field_notes, marked_size
from archcalc.analysis.summary import LayerSummary, Summary
from archcalc.errors import UsageError, did_you_mean, printable, quoted
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Amount, AtLeast, Cause, Causes, Inexact, Unknown, gathered, value_text
from archcalc.render.json_text import json_text
from archcalc.render.text_table import (
    PAGE_FORMATS,
    Style,
    csv_text,
    escaped,
    inputs_text,
    page_table,
    reason_lines,
    shortened,
    text_table,
)

FORMATS = ("table", "plain", "markdown", "latex", "html", "csv", "json")

# How each says why a number is unknown, below the table.
_NOTES: dict[str, Callable[[str], str]] = {
    "markdown": lambda reason: f"\n{reason}",
    "latex": lambda reason: f"% {reason}",
    "html": lambda reason: f"<p>{_html(reason)}</p>",
}
_WIDEST_TEXT = 100  # letters of a line of running text


class Column(Struct, frozen=True, gc=False):
    """A column of the summary; `value` gives text, a number, sizes, or None for what is unknown."""

    header: str
    value: Callable[[LayerSummary], Any]
    key: str = ""  # under which a row says why its value is unknown


COLUMNS: dict[str, Column] = {
    "name": Column("Layer", lambda row: row.name),
    "type": Column("Type", lambda row: row.type),
    "inputs": Column("Inputs", lambda row: ", ".join(row.inputs)),
    "output_shape": Column("Output", lambda row: row.output_shape),
    "parameters": Column("Parameters", lambda row: row.parameters),
    "trainable_parameters": Column("Trainable", lambda row: row.trainable_parameters),
    "buffers": Column("Buffers", lambda row: row.buffers),
    "macs": Column("MACs", lambda row: row.macs, "macs"),
    "flops": Column("FLOPs", lambda row: row.flops, "macs"),
    "count": Column("Count", lambda row: row.count, "count"),
    "activations": Column("Activations", lambda row: row.activations, "activations"),
    "operations": Column("Operations", lambda row: row.operations),
    "connections": Column("Connections", lambda row: row.connections, "connections"),
    "receptive_field": Column("Field", lambda row: _field(row, "size"), "receptive_field"),
    "jump": Column("Jump", lambda row: _field(row, "jump"), "receptive_field"),
    "center": Column("Center", lambda row: _field(row, "center"), "receptive_field"),
}
DEFAULT_COLUMNS = ("name", "type", "output_shape", "parameters", "macs", "receptive_field", "jump")
_COUNTS = ("parameters", "trainable_parameters", "buffers", "macs", "flops", "count", "activations", "connections")
BY_CONVENTION = ("count", "activations")  # columns that a counting convention fills, and names
_SHORTENED = ("name", "inputs", "type")


def check_columns(names: Iterable[str]) -> tuple[str, ...]:
    """The names of columns. Raises UsageError for one that does not exist."""
    for name in names:
        if name not in COLUMNS:
            raise UsageError(f"no column is called {quoted(name)}; {did_you_mean(name, COLUMNS)}")
    return tuple(names)


def render(
    summary: Summary,
    format_name: str,
    columns: Sequence[str] = DEFAULT_COLUMNS,
    style: Style | None = None,
) -> str:
    """The summary in one of FORMATS. Raises UsageError for columns of a convention where none is chosen."""
    if summary.counting is None and not set(columns).isdisjoint(BY_CONVENTION):
        raise UsageError(f"{' and '.join(BY_CONVENTION)} need a counting convention: use Network.collapsed(counting=…)")
    if format_name == "json":
        return json_text(summary.to_dict())
    if format_name == "csv":
        return _csv(summary.layers, columns)
    if format_name in PAGE_FORMATS:
        return _page(summary, columns, format_name)
    style = style or Style()
    lines = [*head(summary, style), "", *_aligned(summary, columns, format_name == "table", style)]
    lines += ["", *_foot(summary, columns, style)] if summary.complete else []
    return "\n".join(lines)


# for a terminal or a pipe


def head(summary: Summary, style: Style) -> list[str]:
    """What a network is, and its inputs."""
    source = [style.dim(shortened(printable(summary.source), style.width or 10**6))] if summary.source else []
    return [
        style.bold(printable(summary.name)),
        *source,
        f"input {inputs_text(summary.inputs)} · batch {summary.batch}",
    ]


def _headers(summary: Summary, columns: Sequence[str]) -> list[str]:
    """What the columns are called; those of a counting convention as it says."""
    readings = summary.counting.readings if summary.counting else {}
    return [readings[name].title if name in readings else COLUMNS[name].header for name in columns]


def _aligned(summary: Summary, columns: Sequence[str], ruled: bool, style: Style) -> list[str]:
    rows = summary.layers
    words = [number for number, name in enumerate(columns) if name in _SHORTENED]
    left = [n for n, name in enumerate(columns) if name not in _COUNTS or not _has_numbers(COLUMNS[name], rows)]
    cells = [[cell_text(COLUMNS[name], row) for name in columns] for row in rows]
    return text_table(_headers(summary, columns), cells, style, left, words, 2 if ruled else 0)


def _has_numbers(column: Column, rows: Sequence[LayerSummary]) -> bool:
    return any(isinstance(column.value(row), int | AtLeast) for row in rows)


def _foot(summary: Summary, columns: Sequence[str], style: Style) -> list[str]:
    totals = summary.totals
    parts = f"{totals.trainable_parameters:,} trainable, {totals.frozen_parameters:,} frozen"
    lines = [
        ("Parameters", f"{totals.parameters:,}", parts),
        ("Buffers", f"{totals.buffers:,}", ""),
        ("MACs", value_text(totals.macs), ""),
        *_counted(summary),
    ]
    left, width = max(len(label) for label, _, _ in lines), max(len(value) for _, value, _ in lines)
    shown = [
        f"{label:<{left}}  {value:>{width}}" + (style.dim(f"  {note}") if note else "") for label, value, note in lines
    ]
    notes = _explained(summary, style)
    reasons = [*_marks_explained(summary, columns), *reason_lines("?", unknown_causes(summary), style)]
    hints = [f"! {hint}" for hint in summary.hints]
    below = [["", *part] for part in (notes, reasons, hints) if part]
    return [*shown, *(line for part in below for line in part)]


def _counted(summary: Summary) -> list[tuple[str, str, str]]:
    """The totals by the summary's convention; FLOPs, unless another is chosen."""
    totals, counting = summary.totals, summary.counting
    flops = ("FLOPs", value_text(totals.flops), "2 × MACs")
    if counting is None:
        return [flops]
    count, activations = counting.operations, counting.activations
    lines = [flops] if counting.convention.name in ("macs", "flops") else [(count.title, value_text(count.total), "")]
    return [*lines, (activations.title, value_text(activations.total), "")]


def _explained(summary: Summary, style: Style) -> list[str]:
    """What a tool's convention counts, and where the tool itself is wrong, in lines that fit."""
    counting = summary.counting
    if counting is None or not (source := counting.convention.source):
        return []
    from textwrap import wrap

    wrong = "".join(f" The tool itself {why}; this is not followed." for why in counting.operations.tool_bugs)
    whole = f"{source}: {counting.convention.sentence}{wrong}"
    return [style.dim(line) for line in wrap(whole, min(style.width or _WIDEST_TEXT, _WIDEST_TEXT))]


def _marks_explained(summary: Summary, columns: Sequence[str]) -> list[str]:
    shown = "receptive_field" in columns
    return field_notes([(row.name, row.receptive_field) for row in summary.layers]) if shown else []


def unknown_reasons(summary: Summary) -> list[str]:
    """Why numbers are unknown, each reason once in one line."""
    return [f"? {printable(str(cause))}" for cause in unknown_causes(summary)]


def unknown_causes(summary: Summary) -> Causes:
    """Why numbers are unknown, and the rows in which they are."""
    return gathered(Cause(why, (row.name,)) for row in summary.layers for why in row.unknown.values())


# the text of a cell


def cell_text(column: Column, row: LayerSummary) -> str:
    """The text of a column in a row; `?` where it is unknown, `–` where there is none."""
    value = column.value(row)
    if isinstance(value, int | Inexact):
        return value_text(value)
    if value is None:
        return "?" if column.key in row.unknown else "–"
    if isinstance(value, Marked):
        return value.text()
    if isinstance(value, tuple):
        return _sizes(value)
    if isinstance(value, dict):
        return _operations_text(value)
    return printable(value)


def _sizes(value: tuple[Any, ...]) -> str:
    """Sizes as `6×28×28`; what is alike on every axis of a field is said once."""
    return size_text(tuple("–" if size is None else size for size in value))


def _field(row: LayerSummary, what: str) -> Any:
    field = row.receptive_field
    if field is None:
        return None
    if what == "size":
        return marked_size(field)
    if what == "jump":
        return tuple(_ratio(*axis.jump_ratio) for axis in field.axes)
    return tuple(_half(axis.center_doubled) for axis in field.axes)


def _ratio(numerator: int, denominator: int) -> str:
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"


def _half(double: int | None) -> str | None:
    """Half of a whole number with all its digits."""
    if double is None:
        return None
    return f"{'-' * (double < 0)}{abs(double) // 2}{'.5' * (double % 2)}"


def _operations_text(operations: dict[str, Amount]) -> str:
    return ", ".join(f"{value_text(count)} {kind.replace('_', ' ')}" for kind, count in operations.items())


# for papers, pages and programs


def _page(summary: Summary, columns: Sequence[str], format_name: str) -> str:
    body = [[cell_text(COLUMNS[name], row) for name in columns] for row in summary.layers]
    left = [number for number, name in enumerate(columns) if name not in _COUNTS]
    rows = [*body, _total_row(summary, columns)]
    table = page_table(_headers(summary, columns), rows, format_name, left)
    told = [*_marks_explained(summary, columns), *unknown_reasons(summary)]
    reasons = [_NOTES[format_name](escaped(reason, format_name)) for reason in told]
    return "\n".join([table, *reasons])


def _html(text: str) -> str:
    from html import escape

    return escape(text)


def _total_row(summary: Summary, columns: Sequence[str]) -> list[str]:
    totals = summary.totals
    own = [name for name in _COUNTS if name not in BY_CONVENTION]
    values = {name: value_text(getattr(totals, name)) for name in own}
    if counting := summary.counting:
        values |= {name: value_text(found.total) for name, found in counting.readings.items()}
    return [values.get(name, "Total" if name == columns[0] else "") for name in columns]


def _csv(rows: Sequence[LayerSummary], columns: Sequence[str]) -> str:
    return csv_text(columns, ([_plain(COLUMNS[name].value(row)) for name in columns] for row in rows))


def _plain(value: Any) -> Any:
    """A value without what is for people only; nothing for what is unknown."""
    if isinstance(value, Marked):
        return value.text("x")
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, dict):
        return "; ".join(f"{kind}={_plain(count)}" for kind, count in value.items())
    return "" if isinstance(value, Unknown) else value_text(value, str) if isinstance(value, Inexact) else value
