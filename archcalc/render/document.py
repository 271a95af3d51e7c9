"""What a result says, as data that every writer understands: title, facts, tables, findings, notes.

Texts are raw: names come from a stranger's spec as they are there. Each writer escapes them for its own format.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from archcalc.errors import SHOWN, Diagnostic
from archcalc.numbers.bounds import Cause

Cell = Any  # a value of its column's kind; None where there is none
Emphasis = Literal["", "strong", "faint"]

# What a column holds. Names are paths of segments with dots between; the others are what they say.
NAME, TEXT = "name", "text"
COUNT = "count"  # whole, with all its digits; exact, a bound or unknown
AMOUNT = "amount"  # scaled by powers of 1000 to a prefix that all cells of a table in the same unit share
BYTES = "bytes"  # the same by powers of 1024
NUMBER = "number"  # three digits that count
SHARE = "share"  # of 1, as a percentage
SHAPE = "shape"  # sizes without the batch
WORDS = (NAME, TEXT, SHAPE)  # kinds that stand at the left


class Column(Struct, frozen=True, gc=False):
    """A column of a table.

    `unit` is that of an AMOUNT, such as `s`; columns of bytes with the same one share their scale. `priority`: where a
    table is too wide, columns with the highest are left out first; those with 0 stay. `short` takes the place of
    a header that is too wide, and is explained above. The last column may be `wrapped`: its text takes as many lines as
    it needs.
    """

    header: str
    kind: str = TEXT
    priority: int = 0
    unit: str = ""
    wrapped: bool = False
    short: str = ""


class Row(Struct, frozen=True, gc=False):
    """A row of a table. `level` is how deep it is nested; a `group` stands above the rows that it sums up.

    A row of one cell runs over all columns.
    """

    cells: Sequence[Cell]
    level: int = 0
    group: bool = False
    emphasis: Emphasis = ""


class Table(Struct, frozen=True, gc=False):
    """Rows of cells. `totals` are set apart below them; `notes` say what is to be known about the rows.

    `ruled` tables have lines above and below their rows in a terminal. Columns without a single value are left out; a
    table whose headers are all empty has none. Where a `stacked` one is too wide, each row is a paragraph.
    """

    columns: Sequence[Column]
    rows: Sequence[Row]
    title: str = ""
    totals: Sequence[Row] = ()
    notes: Sequence[str] = ()
    ruled: bool = True
    stacked: bool = False


class Fact(Struct, frozen=True, gc=False):
    """A value with what it is called; `short` has it in a unit that suits it.

    `note` says more, in lines of its own where there are line ends in it.
    """

    label: str
    value: Cell
    kind: str = COUNT
    unit: str = ""
    short: str = ""
    note: str = ""


class Facts(Struct, frozen=True, gc=False):
    """Values below each other. `totals` are those of the table before: what writes tables has them in its last row."""

    facts: Sequence[Fact]
    title: str = ""
    totals: bool = False


class Lines(Struct, frozen=True, gc=False):
    """Lines of text that stay as they are, such as those of a formula; `wrapped` ones are running text."""

    lines: Sequence[str]
    title: str = ""
    wrapped: bool = False
    emphasis: Emphasis = ""


class Math(Struct, frozen=True, gc=False):
    """A formula, in archcalc's signs and in LaTeX."""

    text: str
    latex: str

    def __str__(self) -> str:
        return self.text


class Equation(Struct, frozen=True, gc=False):
    """What something is called, and what it is: `parameters`, `27·C² + 3`. A condition has no name."""

    right: Math
    left: Math | str = ""
    relation: str = "="


class Equations(Struct, frozen=True, gc=False):
    """Formulas below each other; `short` ones stand side by side in a terminal, `together` of them in a line."""

    equations: Sequence[Equation]
    title: str = ""
    short: bool = False
    together: int = 1


class Findings(Struct, frozen=True, gc=False):
    """What was found in specs: errors, broken budgets, oddities, each with its place, reason and remedy."""

    diagnostics: Sequence[Diagnostic]
    most: int = SHOWN  # in text


Part = Table | Facts | Lines | Findings | Equations


class Note(Struct, frozen=True, gc=False):
    """Running text below everything else; `mark` is the sign in a table that it explains: `?`, `≥`, `°`."""

    text: str
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.mark} {self.text}" if self.mark else self.text


def notes_of(mark: str, causes: Sequence[Cause]) -> list[Note]:
    """Why something is missing: each reason once, then the layers of which it is so."""
    return [Note(cause.text(LISTED), mark) for cause in causes]


LISTED = 12  # layers of a reason


class Document(Struct, frozen=True, gc=False):
    """All that a result says. `head` is what stands under the title: where it is from, its inputs.

    `data` are the plain values that JSON has, `records` those of the main table, row by row, for CSV and data frames;
    both are asked for only where they are written.
    """

    title: str
    data: Callable[[], Any]
    records: Callable[[], Sequence[Mapping[str, Any]]]
    head: Sequence[str] = ()
    parts: Sequence[Part] = ()
    notes: Sequence[Note] = ()


def shown_parts(document: Document) -> list[Part]:
    """The parts for a format whose tables end with their totals: without the facts that are these."""
    return [part for part in document.parts if not (isinstance(part, Facts) and part.totals)]


def more_of(fact: Fact) -> str:
    """What stands behind the value of a fact."""
    return ", ".join(filter(None, (fact.short, fact.note.strip().replace("\n", "; "))))
