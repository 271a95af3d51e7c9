"""Comparisons of archcalc's predictions with PyTorch, row by row, as values and as a document."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from msgspec import Struct

from archcalc.errors import quoted
from archcalc.render.document import NAME, SHAPE, TEXT, Column, Document, Fact, Facts, Lines, Row, Table
from archcalc.render.result import Result

Status = Literal["equal", "differs", "not covered"]


class VerificationRow(NamedTuple):
    """A prediction and a measurement of a number or several numbers.

    `layer` is the full name of the layer, followed by the tensor's for a parameter. `said` is archcalc's value, `found`
    is PyTorch's, both as plain values; None if a side has no value. `note` explains why a row is not covered, or how an
    equal row is compared.
    """

    question: str
    layer: str
    said: Any
    found: Any
    status: Status
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return self._asdict()


def compare(question: str, layer: str, said: Any, found: Any, note: str = "") -> VerificationRow:
    """A row with the status `equal` or `differs`."""
    return VerificationRow(
        question=question,
        layer=layer,
        said=said,
        found=found,
        status="equal" if said == found else "differs",
        note=note,
    )


def uncovered(question: str, layer: str, note: str, said: Any = None, found: Any = None) -> VerificationRow:
    """A row with the status `not covered`, for the reason in `note`."""
    return VerificationRow(question=question, layer=layer, said=said, found=found, status="not covered", note=note)


class Verification(Struct, Result, frozen=True, kw_only=True):
    """All comparisons of a network with PyTorch, in the order of questions and layers."""

    name: str
    device: str
    torch_version: str
    rows: tuple[VerificationRow, ...]
    failure: str | None = None  # the error of PyTorch, if the network did not run to its end

    @property
    def differences(self) -> tuple[VerificationRow, ...]:
        """The rows that differ."""
        return tuple(row for row in self.rows if row.status == "differs")

    @property
    def agrees(self) -> bool:
        """Whether nothing differs, and the network ran."""
        return not self.differences and self.failure is None

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
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
        """The outcome in one line."""
        if differences := self.differences:
            count = f"{len(differences):,} difference{'s' * (len(differences) > 1)}"
            return f"{count}; the first: {differences[0].question} of {quoted(differences[0].layer)}"
        return "no difference" if self.agrees else "PyTorch refused"

    def document(self, only_differences: bool = False) -> Document:
        """A table for each question, then the counts and the outcome."""
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


def _by_question(rows: Iterable[VerificationRow]) -> dict[str, list[VerificationRow]]:
    found: dict[str, list[VerificationRow]] = {}
    for row in rows:
        found.setdefault(row.question, []).append(row)
    return found


def _table(question: str, rows: list[VerificationRow]) -> Table:
    """A question's rows; a note that consecutive rows share is below the first."""
    lines: list[Row] = []
    for number, row in enumerate(rows):
        lines.append(Row([row.layer, _text(row.said), _text(row.found), _MARKS[row.status]]))
        if row.note and not (number and rows[number - 1].note == row.note):
            lines.append(Row([row.note], level=1, emphasis="faint"))
    # Of equal values one is enough where there is no room for both; of others, as much as fits of each.
    kind, other = (SHAPE, 2) if all(row.status == "equal" for row in rows) else (TEXT, 1)
    sides = [Column("archcalc", kind, priority=1), Column("PyTorch", kind, priority=other)]
    columns = [Column(question, NAME), *sides, Column("")]
    return Table(columns, lines, ruled=False)


def _text(value: Any) -> str:
    """A number with commas, a shape as `6×28×28`, an interval as `0…223`, several values with points between them."""
    if value is None:
        return "–"
    if isinstance(value, dict):
        if "seen" in value:
            return " × ".join(f"{first:,}…{last:,}" for first, last in value["seen"])
        return " · ".join(map(_text, value.values()))
    if isinstance(value, list):
        return "×".join(map(_text, value)) if value else "1 value"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _counts(groups: dict[str, list[VerificationRow]]) -> Iterator[Fact]:
    """The number of rows of each status, by question."""
    for question, rows in groups.items():
        counts = {status: sum(row.status == status for row in rows) for status in _MARKS}
        yield Fact(question, ", ".join(f"{count:,} {name}" for name, count in counts.items() if count), TEXT)


def _record(row: VerificationRow) -> dict[str, Any]:
    return row.to_dict() | {"said": _text(row.said), "found": _text(row.found)}
