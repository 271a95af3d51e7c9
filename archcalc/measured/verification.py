"""What archcalc says beside what PyTorch does, row by row, and how that is printed."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from archcalc.errors import quoted
from archcalc.render.document import NAME, SHAPE, TEXT, Column, Document, Fact, Facts, Lines, Row, Table
from archcalc.render.result import Result

Status = Literal["equal", "differs", "not covered"]


class Comparison(NamedTuple):
    """One number, or one tuple of them, from both sides. `layer` is its full name, with a tensor's for a parameter.

    What the two sides are is plain data: `said` by archcalc, `found` in PyTorch, None where a side has nothing.
    `note` says why something is not covered, or what has to be known about an equal row.
    """

    question: str
    layer: str
    said: Any
    found: Any
    status: Status
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return self._asdict()


def compare(question: str, layer: str, said: Any, found: Any, note: str = "") -> Comparison:
    """A row that is equal only if both sides are."""
    return Comparison(
        question=question,
        layer=layer,
        said=said,
        found=found,
        status="equal" if said == found else "differs",
        note=note,
    )


def uncovered(question: str, layer: str, note: str, said: Any = None, found: Any = None) -> Comparison:
    """A row on which the two sides cannot be compared, for the reason in `note`."""
    return Comparison(question=question, layer=layer, said=said, found=found, status="not covered", note=note)


class Verification(Struct, Result, frozen=True, kw_only=True):
    """All rows, in the order of the questions and of the layers."""

    name: str
    device: str
    torch_version: str
    rows: tuple[Comparison, ...]
    failure: str | None = None  # what PyTorch raised, if the network could not be run to its end

    @property
    def differences(self) -> tuple[Comparison, ...]:
        """The rows on which the two sides disagree."""
        return tuple(row for row in self.rows if row.status == "differs")

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, and the network ran."""
        return not self.differences and self.failure is None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it."""
        return {
            "name": self.name,
            "device": self.device,
            "torch": self.torch_version,
            "agrees": self.agrees,
            "failure": self.failure,
            "rows": [row.to_dict() for row in self.rows],
        }

    def __repr__(self) -> str:
        return f"Verification({self.name!r}, {self.outcome})"

    @property
    def outcome(self) -> str:
        """What came of it, in a line."""
        if differences := self.differences:
            count = f"{len(differences):,} difference{'s' * (len(differences) > 1)}"
            return f"{count}; the first: {differences[0].question} of {quoted(differences[0].layer)}"
        return "no difference" if self.agrees else "PyTorch refused"

    def document(self, only_differences: bool = False) -> Document:
        """A table for each question, then what came of it."""
        groups = _by_question(self.rows)
        tables = [
            _table(question, shown)
            for question, rows in groups.items()
            if (shown := [row for row in rows if row.status == "differs" or not only_differences])
        ]
        refusal = [f"PyTorch refused: {self.failure}"] if self.failure else []
        outcome = [self.outcome] if self.differences or self.agrees else []
        return Document(
            title=f"{self.name}: archcalc against PyTorch {self.torch_version} on {self.device}",
            parts=[*tables, Facts([*_counts(groups)]), Lines([*refusal, *outcome], wrapped=True)],
            data=self.to_dict,
            records=lambda: [_record(row) for row in self.rows],
        )


_MARKS: dict[Status, str] = {"equal": "equal", "differs": "DIFFERS", "not covered": "not covered"}


def _by_question(rows: Iterable[Comparison]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        found.setdefault(row.question, []).append(row)
    return found


def _table(question: str, rows: list[Comparison]) -> Table:
    """A question's rows; a note that several in a row share is below the first."""
    lines: list[Row] = []
    for number, row in enumerate(rows):
        lines.append(Row([row.layer, _text(row.said), _text(row.found), _MARKS[row.status]]))
        if row.note and not (number and rows[number - 1].note == row.note):
            lines.append(Row([f"  {row.note}"], emphasis="faint"))
    # Of equal values one is enough where there is no room for both; of others, as much as fits of each.
    kind, other = (SHAPE, 2) if all(row.status == "equal" for row in rows) else (TEXT, 1)
    sides = [Column("archcalc", kind, priority=1), Column("PyTorch", kind, priority=other)]
    columns = [Column(question, NAME), *sides, Column("")]
    return Table(columns, lines, ruled=False)


def _text(value: Any) -> str:
    """A number with commas, a shape as `6×28×28`, an interval as `0…223`, several facts with points between them."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        if "seen" in value:
            return " × ".join(f"{first:,}…{last:,}" for first, last in value["seen"])
        return " · ".join(map(_text, value.values()))
    if isinstance(value, list):
        return "×".join(map(_text, value)) if value else "1 value"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _counts(groups: dict[str, list[Comparison]]) -> Iterator[Fact]:
    """How many rows came out how."""
    for question, rows in groups.items():
        counts = {status: sum(row.status == status for row in rows) for status in _MARKS}
        yield Fact(question, ", ".join(f"{count:,} {name}" for name, count in counts.items() if count), TEXT)


def _record(row: Comparison) -> dict[str, Any]:
    return row.to_dict() | {"said": _text(row.said), "found": _text(row.found)}
