"""The summary as text: for a terminal, a pipe, a paper, a page or a program."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from archcalc.errors import UsageError, did_you_mean, printable, quoted
from archcalc.layers.base import size_text
from archcalc.report.summary import LayerSummary, Summary

FORMATS = ("table", "plain", "markdown", "latex", "html", "csv", "json")

# The names that tabulate knows them by; it escapes what would be markup in a name.
_TABULATE = {"markdown": "pipe", "latex": "latex_booktabs", "html": "html"}
# How each says why a number is unknown, below the table.
_NOTES: dict[str, Callable[[str], str]] = {
    "markdown": lambda reason: f"\n{reason}",
    "latex": lambda reason: f"% {reason}",
    "html": lambda reason: f"<p>{_html(reason)}</p>",
}
K = TypeVar("K", int, str)  # a column's name or number
_NARROWEST = 10  # letters that a shortened name keeps


class Column(NamedTuple):
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
    "operations": Column("Operations", lambda row: row.operations),
    "connections": Column("Connections", lambda row: row.connections, "connections"),
    "receptive_field": Column("Field", lambda row: _field(row, "size"), "receptive_field"),
    "jump": Column("Jump", lambda row: _field(row, "jump"), "receptive_field"),
    "center": Column("Center", lambda row: _field(row, "center"), "receptive_field"),
}
DEFAULT_COLUMNS = ("name", "type", "output_shape", "parameters", "macs", "receptive_field", "jump")
_COUNTS = ("parameters", "trainable_parameters", "buffers", "macs", "flops", "connections")
_SHORTENED = ("name", "inputs", "type")


class Style(NamedTuple):
    """How text for a terminal looks: no wider than `width` (None for any), and with emphasis or without."""

    width: int | None = None
    bold: Callable[[str], str] = str
    dim: Callable[[str], str] = str


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
    """The summary in one of FORMATS."""
    if format_name == "json":
        import json

        return json.dumps(summary.to_dict(), indent=2, ensure_ascii=False)
    if format_name == "csv":
        return _csv(summary.layers, columns)
    if format_name in _TABULATE:
        return _tabulate(summary, columns, format_name)
    style = style or Style()
    lines = [*_head(summary, style), "", *_aligned(summary.layers, columns, format_name == "table", style)]
    lines += ["", *_foot(summary, style)] if summary.complete else []
    return "\n".join(lines)


# for a terminal or a pipe


def _head(summary: Summary, style: Style) -> list[str]:
    inputs = ", ".join(f"{printable(name)} {size_text(shape)}" for name, shape in summary.inputs.items())
    source = [style.dim(shortened(printable(summary.source), style.width or 10**6))] if summary.source else []
    return [style.bold(printable(summary.name)), *source, f"input {inputs} · batch {summary.batch}"]


def _aligned(rows: Sequence[LayerSummary], columns: Sequence[str], rules: bool, style: Style) -> list[str]:
    """Columns side by side, numbers to the right; a line under the header where rules are wanted."""
    cells = {name: [cell_text(COLUMNS[name], row) for row in rows] for name in columns}
    widths = {name: max(map(display_width, (COLUMNS[name].header, *cells[name]))) for name in columns}
    left_out = fit(widths, style.width, _SHORTENED) if style.width else []
    columns = [name for name in columns if name in widths]
    numeric = {name for name in columns if any(isinstance(COLUMNS[name].value(row), int) for row in rows)}

    def line(texts: Iterable[tuple[str, str]]) -> str:
        in_place = (
            padded(shortened(text, widths[name]), widths[name], left=name not in numeric) for name, text in texts
        )
        return "  ".join(in_place).rstrip()

    rule = [style.dim("─" * (sum(widths.values()) + 2 * (len(columns) - 1)))] if rules else []
    header = style.bold(line((name, COLUMNS[name].header) for name in columns))
    body = [line((name, cells[name][number]) for name in columns) for number in range(len(rows))]
    headers = ", ".join(COLUMNS[name].header for name in left_out)
    note = [style.dim(f"(no room for: {headers})")] if left_out else []
    return [header, *rule, *body, *rule, *note]


def fit(widths: dict[K, int], available: int, words: Collection[K]) -> list[K]:
    """Narrow the columns of words, the widest first, until all fit; numbers keep their width.

    Where that is not enough, columns are taken out, the last first, and returned.
    """
    left_out: list[K] = []
    while (excess := sum(widths.values()) + 2 * (len(widths) - 1) - available) > 0:
        wide: list[tuple[int, K]] = sorted(
            (width, name) for name, width in widths.items() if name in words and width > _NARROWEST
        )
        if wide:
            next_width = max([_NARROWEST, *(width - 1 for width, _ in wide[:-1])])
            width, widest = wide[-1]
            widths[widest] = max(width - excess, min(next_width, width - 1))
        elif len(widths) > 1:
            left_out.insert(0, widths.popitem()[0])
        else:
            break
    return left_out


def shortened(text: str, width: int) -> str:
    """The text with its middle left out, so that both ends of a long name can be read."""
    if display_width(text) <= width:
        return text
    tail = width // 2
    head = width - tail - 1
    while display_width(shorter := f"{text[:head]}…{text[len(text) - tail :]}") > width:
        head, tail = max(head - 1, 0), tail - (head == 0)
    return shorter


def padded(text: str, width: int, left: bool = True) -> str:
    """A text as wide as its column, at the left or the right of it."""
    space = " " * (width - display_width(text))
    return text + space if left else space + text


def display_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if max(text, default="") < "\u0300":  # no wide or combining letters
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)


def _foot(summary: Summary, style: Style) -> list[str]:
    totals = summary.totals
    parts = f"{totals.trainable_parameters:,} trainable, {totals.frozen_parameters:,} frozen"
    lines = [
        ("Parameters", f"{totals.parameters:,}", parts),
        ("Buffers", f"{totals.buffers:,}", ""),
        ("MACs", _bound(totals.macs, "macs" in totals.lower_bounds), ""),
        ("FLOPs", _bound(totals.flops, "flops" in totals.lower_bounds), "2 × MACs"),
    ]
    width = max(len(value) for _, value, _ in lines)
    text = [f"{label:<10}  {value:>{width}}" + (style.dim(f"  {note}") if note else "") for label, value, note in lines]
    reasons = _reasons(summary)
    return [*text, *([""] if reasons else []), *reasons]


def _reasons(summary: Summary) -> list[str]:
    """Why numbers are unknown, each reason once."""
    names: dict[str, list[str]] = {}
    for row in summary.layers:
        for why in dict.fromkeys(row.unknown.values()):
            names.setdefault(why, []).append(printable(row.name))
    return [f"? {found[0]}{f' and {len(found) - 1:,} more' * (len(found) > 1)}: {why}" for why, found in names.items()]


def _bound(value: int, is_lower_bound: bool) -> str:
    return f"≥ {value:,}" if is_lower_bound else f"{value:,}"


# the text of a cell


def cell_text(column: Column, row: LayerSummary) -> str:
    """The text of a column in a row; `?` where it is unknown, `–` where there is none."""
    value = column.value(row)
    if value is None:
        return "?" if column.key in row.unknown or column.key != "receptive_field" else "–"
    if isinstance(value, tuple):
        return _sizes(value)
    if isinstance(value, dict):
        return _operations_text(value)
    return f"{value:,}" if isinstance(value, int) else printable(value)


def _sizes(value: tuple[Any, ...]) -> str:
    """Sizes as `6×28×28`; what is alike on every axis of a field is said once."""
    return size_text(tuple("–" if size is None else size for size in value))


def _field(row: LayerSummary, what: str) -> Any:
    field = row.receptive_field
    if field is None:
        return None
    if what == "size":
        return field.size if field.unit == "pixels" else f"{_sizes(field.size)} hop{'s' * (field.size != (1,))}"
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


def _operations_text(operations: dict[str, int | None]) -> str:
    counts = ((kind.replace("_", " "), count) for kind, count in operations.items())
    return ", ".join(f"{'?' if count is None else f'{count:,}'} {kind}" for kind, count in counts)


# for papers, pages and programs


def _tabulate(summary: Summary, columns: Sequence[str], format_name: str) -> str:
    from tabulate import tabulate

    body = [[escaped(cell_text(COLUMNS[name], row), format_name) for name in columns] for row in summary.layers]
    table = tabulate(
        [*body, _total_row(summary, columns)],
        headers=[COLUMNS[name].header for name in columns],
        tablefmt=_TABULATE[format_name],
        disable_numparse=True,
        colalign=["right" if name in _COUNTS else "left" for name in columns],
    )
    reasons = [_NOTES[format_name](escaped(reason, format_name)) for reason in _reasons(summary)]
    return "\n".join([str(table), *reasons])


def escaped(text: str, format_name: str) -> str:
    """A text without what would be markup in a format."""
    # tabulate escapes HTML and LaTeX, but not Markdown.
    if format_name != "markdown":
        return text
    return "".join(f"\\{letter}" if letter in r"\`*_|<>[]" else letter for letter in text)


def _html(text: str) -> str:
    from html import escape

    return escape(text)


def _total_row(summary: Summary, columns: Sequence[str]) -> list[str]:
    totals = summary.totals
    values = {name: _bound(getattr(totals, name), name in totals.lower_bounds) for name in _COUNTS}
    return [values.get(name, "Total" if name == columns[0] else "") for name in columns]


def _csv(rows: Sequence[LayerSummary], columns: Sequence[str]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        values = (COLUMNS[name].value(row) for name in columns)
        writer.writerow(map(_plain, values))
    return text.getvalue().rstrip("\n")


def _plain(value: Any) -> Any:
    """A value without what is for people only; nothing for what is unknown."""
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, str):
        return printable(value)
    return "; ".join(f"{kind}={count}" for kind, count in value.items()) if isinstance(value, dict) else value
