"""The summary as a document: its columns, totals and notes."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archcalc.analysis.field import Marked, field_notes, marked_size
from archcalc.errors import UsageError, did_you_mean, printable, quoted
from archcalc.numbers.bounds import (
    Amount,
    AtLeast,
    Cause,
    Causes,
    Inexact,
    Unknown,
    causes_of,
    gathered,
    value_text,
)
from archcalc.render.document import (
    COUNT,
    NAME,
    SHAPE,
    TEXT,
    Column,
    Document,
    Fact,
    Facts,
    Lines,
    Note,
    Row,
    Table,
    notes_of,
    tree_row,
)
from archcalc.render.words import inputs_text

if TYPE_CHECKING:
    from archcalc.analysis.summary import LayerSummary, Summary


class SummaryColumn(Struct, frozen=True, gc=False):
    """A column of the summary; `value` returns text, a number, sizes, or None for an unknown or missing value.

    `key` is the key of `LayerSummary.unknown` for this column. `priority` is the priority of `document.Column`.
    """

    header: str
    value: "Callable[[LayerSummary], Any]"
    kind: str = TEXT
    key: str = ""
    priority: int = 1


COLUMNS: dict[str, SummaryColumn] = {
    "name": SummaryColumn("Layer", lambda row: row.name, NAME, priority=0),
    "type": SummaryColumn("Type", lambda row: row.type, priority=2),
    "inputs": SummaryColumn("Inputs", lambda row: ", ".join(row.inputs), priority=3),
    "output_shape": SummaryColumn("Output", lambda row: row.output_shape, SHAPE),
    "parameters": SummaryColumn("Parameters", lambda row: row.parameters, COUNT, priority=0),
    "trainable_parameters": SummaryColumn("Trainable", lambda row: row.trainable_parameters, COUNT),
    "buffers": SummaryColumn("Buffers", lambda row: row.buffers, COUNT, priority=2),
    "macs": SummaryColumn("MACs", lambda row: row.macs, COUNT, "macs", priority=0),
    "flops": SummaryColumn("FLOPs", lambda row: row.flops, COUNT, "macs", priority=0),
    "count": SummaryColumn("Count", lambda row: row.count, COUNT, "count", priority=0),
    "activations": SummaryColumn("Activations", lambda row: row.activations, COUNT, "activations"),
    "operations": SummaryColumn("Operations", lambda row: row.operations),
    "connections": SummaryColumn("Connections", lambda row: row.connections, COUNT, "connections"),
    "receptive_field": SummaryColumn("Field", lambda row: _field(row, "size"), SHAPE, "receptive_field", priority=2),
    "jump": SummaryColumn("Jump", lambda row: _field(row, "jump"), SHAPE, "receptive_field", priority=3),
    "center": SummaryColumn("Center", lambda row: _field(row, "center"), SHAPE, "receptive_field", priority=3),
}
DEFAULT_COLUMNS = ("name", "type", "output_shape", "parameters", "macs", "receptive_field", "jump")
BY_CONVENTION = ("count", "activations")  # columns that need a counting convention, which also names them


def check_columns(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names of columns. Raises UsageError for an unknown column."""
    for name in names:
        if name not in COLUMNS:
            raise UsageError(f"no column is called {quoted(name)}", did_you_mean(name, COLUMNS))
    return tuple(names)


def summary_document(summary: "Summary", columns: Sequence[str] = DEFAULT_COLUMNS) -> Document:
    """The summary as a document. Raises UsageError for columns of a convention if there is none."""
    if summary.counting is None and not set(columns).isdisjoint(BY_CONVENTION):
        raise UsageError(
            f"{' and '.join(BY_CONVENTION)} need a counting convention", "use Network.collapsed(counting=…)"
        )
    facts: list[Facts] = [Facts(_totals(summary), totals=True)] if summary.complete else []
    notes = [*_explained(summary), *_marks(summary, columns), *notes_of("?", unknown_causes(summary))]
    return Document(
        title=summary.name,
        head=head_of(summary),
        parts=[_table(summary, columns), *facts, *_hints(summary)],
        notes=notes if summary.complete else (),
        data=summary.to_dict,
        records=lambda: [_record(row, columns) for row in summary.layers],
    )


def head_of(summary: "Summary") -> list[str]:
    """The source of a network, its inputs and batch."""
    source = [summary.source] if summary.source else []
    return [*source, f"input {inputs_text(summary.inputs)} · batch {summary.batch}"]


def _table(summary: "Summary", columns: Sequence[str]) -> Table:
    chosen = [COLUMNS[name] for name in columns]
    counts = summary.counting.counts if summary.counting else {}
    titles = [counts[name].title if name in counts else COLUMNS[name].header for name in columns]
    heads = [
        Column(title, column.kind, column.priority if place else 0)
        for place, (title, column) in enumerate(zip(titles, chosen, strict=True))
    ]
    rows = [Row([_cell(column, row) for column in chosen]) for row in summary.layers]
    if summary.tree:
        rows = [
            tree_row([_cell(column, row) for column in chosen], level, is_block)
            for row, level, is_block in summary.tree
        ]
    return Table(heads, rows, totals=[_total_row(summary, columns)] if summary.complete else [])


def _total_row(summary: "Summary", columns: Sequence[str]) -> Row:
    totals = summary.totals
    own = ("parameters", "trainable_parameters", "buffers", "macs", "flops", "connections")
    values: dict[str, Any] = {name: getattr(totals, name) for name in own}
    if counting := summary.counting:
        values |= {name: found.total for name, found in counting.counts.items()}
    return Row([values.get(name, "Total" if name == columns[0] else "") for name in columns])


def _cell(column: SummaryColumn, row: "LayerSummary") -> Any:
    """A value of a row, or its text if it is not of the column's kind."""
    value = column.value(row)
    if value is None:
        return "?" if column.key in row.unknown else None
    if isinstance(value, Marked):
        return value.text()
    return _operations_text(value) if isinstance(value, dict) else value


def _totals(summary: "Summary") -> list[Fact]:
    totals = summary.totals
    parts = f"{totals.trainable_parameters:,} trainable, {totals.frozen_parameters:,} frozen"
    return [
        Fact("Parameters", totals.parameters, note=parts),
        Fact("Buffers", totals.buffers),
        Fact("MACs", totals.macs),
        *_counted(summary),
    ]


def _counted(summary: "Summary") -> list[Fact]:
    """The totals by the summary's counting convention; FLOPs without one."""
    counting = summary.counting
    flops = Fact("FLOPs", summary.totals.flops, note="2 × MACs")
    if counting is None:
        return [flops]
    count, activations = counting.operations, counting.activations
    facts = [flops] if counting.convention.name in ("macs", "flops") else [Fact(count.title, count.total)]
    return [*facts, Fact(activations.title, activations.total)]


def _explained(summary: "Summary") -> list[Note]:
    """A note about what a tool's convention counts, and about the tool's own mistakes."""
    counting = summary.counting
    if counting is None or not (source := counting.convention.source):
        return []
    wrong = "".join(f" The tool itself {mistake}; archcalc does not." for mistake in counting.operations.tool_bugs)
    return [Note(f"{source}: {counting.convention.sentence}{wrong}")]


def _marks(summary: "Summary", columns: Sequence[str]) -> list[Note]:
    shown = "receptive_field" in columns
    fields = [(row.name, row.receptive_field) for row in summary.layers]
    return [Note(text) for text in field_notes(fields)] if shown else []


def _hints(summary: "Summary") -> list[Lines]:
    return [Lines([f"! {hint}" for hint in summary.hints], wrapped=True)] if summary.hints else []


def unknown_reasons(summary: "Summary") -> list[str]:
    """The reasons why numbers are unknown, each in one line."""
    return [f"? {printable(str(cause))}" for cause in unknown_causes(summary)]


def unknown_causes(summary: "Summary") -> Causes:
    """The reasons why numbers are unknown or lower bounds, with the names of layers."""
    unknown = (Cause(why, (row.name,)) for row in summary.layers for why in row.unknown.values())
    bounds = (value for row in summary.layers for value in row.counts.values() if isinstance(value, AtLeast))
    return gathered([*unknown, *(cause for value in bounds for cause in causes_of(value))])


# the text of a value


def value_of(column: SummaryColumn, row: "LayerSummary") -> str:
    """The text of a column in a row; `?` for an unknown value, `–` for none."""
    from archcalc.render.cells import cell_text

    return printable(cell_text(column.kind, _cell(column, row)))


def _field(row: "LayerSummary", what: str) -> Any:
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
    """Half of a whole number, exactly."""
    if double is None:
        return None
    return f"{'-' * (double < 0)}{abs(double) // 2}{'.5' * (double % 2)}"


def _operations_text(operations: dict[str, Amount]) -> str:
    return ", ".join(f"{value_text(count)} {kind.replace('_', ' ')}" for kind, count in operations.items())


# for programs


def _record(row: "LayerSummary", columns: Sequence[str]) -> dict[str, Any]:
    return {name: _plain(COLUMNS[name].value(row)) for name in columns}


def _plain(value: Any) -> Any:
    """A plain value for programs; None for an unknown one."""
    if isinstance(value, Marked):
        return value.text("x")
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    if isinstance(value, dict):
        return "; ".join(f"{kind}={_plain(count)}" for kind, count in value.items())
    return None if isinstance(value, Unknown) else value_text(value, str) if isinstance(value, Inexact) else value
