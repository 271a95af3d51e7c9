"""A result as a document, which every writer can write: title, facts, tables, findings, notes.

Texts are raw, with names from untrusted specs. Each writer escapes them for its format.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, structs

from archcalc.errors import SHOWN, Diagnostic
from archcalc.numbers.bounds import Cause

Cell = Any  # a value of its column's kind, or None
Emphasis = Literal["", "strong", "faint"]

# The kinds of columns. Names are paths of segments with dots between them.
NAME, TEXT = "name", "text"
COUNT = "count"  # whole numbers with all digits; exact, a bound or unknown
AMOUNT = "amount"  # scaled by powers of 1000 to a prefix that all cells of a table with the same unit share
BYTES = "bytes"  # scaled by powers of 1024
NUMBER = "number"  # with three significant digits
FIGURE = "figure"  # with at most five significant digits, as makers publish them
SHARE = "share"  # a share of 1, as a percentage
SHAPE = "shape"  # sizes without the batch
RIGHT = "right"  # right-aligned text, such as positions: 8…15
WORDS = (NAME, TEXT, SHAPE)  # kinds that are left-aligned


class Approximate(Struct, frozen=True, gc=False):
    """A number that is less certain than it should be: `~1.20`."""

    value: float


class Range(Struct, frozen=True, gc=False):
    """A range of numbers: `1.17–1.23`."""

    low: float
    high: float


class Column(Struct, frozen=True, gc=False):
    """A column of a table.

    `unit` is the unit of an AMOUNT, such as `s`; byte columns with the same unit share their scale. If a table is too
    wide, columns with the highest `priority` are left out first; columns with 0 stay. `short` replaces the header if it
    is too wide, and is explained above the table. The text of a `wrapped` column, which must be the last, takes as many
    lines as it needs.
    """

    header: str
    kind: str = TEXT
    priority: int = 0
    unit: str = ""
    wrapped: bool = False
    short: str = ""


class Row(Struct, frozen=True, gc=False):
    """A row of a table. `level` is its depth of nesting; a `group` has the sums of the rows below it.

    A row with a single cell spans all columns.
    """

    cells: Sequence[Cell]
    level: int = 0
    group: bool = False
    emphasis: Emphasis = ""


def tree_row(cells: Sequence[Cell], level: int, is_block: bool) -> Row:
    """A row of a tree of blocks and layers; those of blocks are emphasized."""
    return Row(cells, level=level, group=is_block, emphasis="strong" if is_block else "")


class Table(Struct, frozen=True, gc=False):
    """Rows of cells. `totals` are separate rows below them; `notes` are texts about the rows.

    `ruled` tables have lines above and below their rows in a terminal. Columns without values are left out, and so is a
    header row of empty headers. If a `stacked` table is too wide, each row becomes a paragraph.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    totals: Sequence[Row] = ()
    notes: Sequence[str] = ()
    ruled: bool = True
    stacked: bool = False


class Fact(Struct, frozen=True, gc=False):
    """A value with a label; `short` has the value in a suitable unit.

    `note` is text behind it, or in lines below it if it contains line ends.
    """

    label: str
    value: Cell
    kind: str = COUNT
    unit: str = ""
    short: str = ""
    note: str = ""


class Facts(Struct, frozen=True, gc=False):
    """Values below each other. `totals` include those of the tables' total rows, which formats with totals omit."""

    facts: Sequence[Fact]
    title: str = ""
    totals: bool = False


class Lines(Struct, frozen=True, gc=False):
    """Lines of text; `wrapped` ones are running text, others are kept unchanged."""

    lines: Sequence[str]
    title: str = ""
    wrapped: bool = False
    emphasis: Emphasis = ""


class Math(Struct, frozen=True, gc=False):
    """A formula as text and in LaTeX."""

    text: str
    latex: str

    def __str__(self) -> str:
        return self.text


class NumberText(str):
    """A number as text that its column's kind would write in another way: `+1,234`."""

    __slots__ = ()


class Equation(Struct, frozen=True, gc=False):
    """A name and its formula: `parameters`, `27·C² + 3`. A condition has no name."""

    right: Math
    left: Math | str = ""
    relation: str = "="


class Equations(Struct, frozen=True, gc=False):
    """Formulas below each other; `short` ones are side by side in a terminal, a multiple of `together` in a line."""

    equations: Sequence[Equation]
    title: str = ""
    short: bool = False
    together: int = 1


class Findings(Struct, frozen=True, gc=False):
    """Findings in specs: errors, broken budgets and warnings, each with its place, reason and remedy."""

    diagnostics: Sequence[Diagnostic]
    most: int = SHOWN  # findings that text has


Part = Table | Facts | Lines | Findings | Equations


class Note(Struct, frozen=True, gc=False):
    """Running text below everything else; `mark` is the mark in a table that it explains: `?`, `≥`, `°`."""

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.mark} {self.text}" if self.mark else self.text


def notes_of(mark: str, causes: Sequence[Cause]) -> list[Note]:
    """A note for each cause, with the names of its layers."""
    return [Note(cause.text(LISTED), mark) for cause in causes]


LISTED = 12  # layers that a note names


class Document(Struct, frozen=True, gc=False):
    """A result for the writers. `head` has the lines below the title: source, inputs.

    `data` returns the plain values for JSON, `records` those of the main table's rows for CSV and data frames; both are
    called only by writers that need them. `columns` are the names of the records' values, if there may be no records.
    """

    title: str
    data: Callable[[], Any]
    records: Callable[[], Sequence[Mapping[str, Any]]]
    head: Sequence[str] = ()
    parts: Sequence[Part] = ()
    notes: Sequence[Note] = ()
    columns: Sequence[str] = ()


def beside_totals(document: Document) -> Iterator[Part]:
    """The parts for a format whose tables have total rows: without facts in which these have everything."""
    tables = [part for part in document.parts if isinstance(part, Table)]
    totals = [pair for table in tables for row in table.totals for pair in _headed(table, row)]
    for part in document.parts:
        if isinstance(part, Facts) and part.totals:
            facts = [fact for fact in part.facts if fact_remark(fact) or (fact.label, fact.value) not in totals]
            if facts:
                yield structs.replace(part, facts=facts)
        else:
            yield part


def _headed(table: Table, row: Row) -> Iterator[tuple[str, Cell]]:
    """The cells of a row with their headers."""
    return ((column.header, cell) for column, cell in zip(table.columns, row.cells, strict=False))


def fact_remark(fact: Fact) -> str:
    """The text behind the value of a fact."""
    return ", ".join(filter(None, (fact.short, fact.note.strip().replace("\n", "; "))))
