"""What archcalc says beside what PyTorch does, row by row, and how that is printed."""

from collections.abc import Iterable, Iterator
from typing import Any, Literal, NamedTuple

from archcalc.errors import printable, quoted
from archcalc.render.text_table import Style, display_width, padded, shortened

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
    return Comparison(question, layer, said, found, "equal" if said == found else "differs", note)


class Verification(NamedTuple):
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

    def __str__(self) -> str:
        return render_verification(self)


HEADERS = ("archcalc", "PyTorch")
_MARKS: dict[Status, str] = {"equal": "equal", "differs": "DIFFERS", "not covered": "not covered"}


def render_verification(verification: Verification, only_differences: bool = False, style: Style | None = None) -> str:
    """A table for each question, then what came of it."""
    style = style or Style()
    title = f"{printable(verification.name)}: archcalc against PyTorch {verification.torch_version}"
    lines = [style.bold(f"{title} on {verification.device}")]
    for question, rows in _by_question(verification.rows).items():
        shown = [row for row in rows if row.status == "differs"] if only_differences else rows
        if shown:
            lines += ["", *_table(question, shown, style)]
    return "\n".join([*lines, "", *_result(verification)])


def _by_question(rows: Iterable[Comparison]) -> dict[str, list[Comparison]]:
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        found.setdefault(row.question, []).append(row)
    return found


def _table(question: str, rows: list[Comparison], style: Style) -> Iterator[str]:
    header = (question, *HEADERS, "")
    cells = [(printable(row.layer), _text(row.said), _text(row.found), _mark(row)) for row in rows]
    widths = [max(map(display_width, column)) for column in zip(header, *cells, strict=True)]
    if style.width:
        # Layers' names give way; numbers keep their width.
        spare = style.width - sum(widths[1:]) - 2 * (len(widths) - 1)
        widths[0] = min(widths[0], max(spare, display_width(question)))
    yield style.bold(_line(header, widths))
    for number, line in enumerate(cells):
        repeated = number and rows[number - 1].note == rows[number].note
        yield _line((shortened(line[0], widths[0]), *line[1:]), widths)
        if rows[number].note and not repeated:
            yield style.dim(f"  {rows[number].note}")


def _line(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(map(padded, cells, widths)).rstrip()


def _mark(row: Comparison) -> str:
    return _MARKS[row.status]


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
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else printable(str(value))


def _result(verification: Verification) -> Iterator[str]:
    """How many rows came out how, and the first that differs."""
    groups = _by_question(verification.rows)
    width = max(map(len, groups), default=0)
    for question, rows in groups.items():
        counts = {status: sum(row.status == status for row in rows) for status in _MARKS}
        yield f"{question:<{width}}  " + ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
    yield ""
    if verification.failure:
        yield f"PyTorch refused: {printable(verification.failure)}"
    if differences := verification.differences:
        count = f"{len(differences):,} difference{'s' * (len(differences) > 1)}"
        yield f"{count}; the first: {differences[0].question} of {quoted(differences[0].layer)}"
    elif verification.agrees:
        yield "no difference"
