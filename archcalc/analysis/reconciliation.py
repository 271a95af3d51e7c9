"""One network by every counting convention, with the terms in which each differs from plain MACs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.counting import ConventionCount, TermTotal
from archcalc.errors import printable
from archcalc.numbers.bounds import AtLeast, AtMost, causes_of, gathered, known, reason_of, value_text
from archcalc.numbers.figure import Figure
from archcalc.render.json_text import json_text
from archcalc.render.text_table import Style, csv_text, display_width, escaped, padded, shortened
from archcalc.report.table import head

if TYPE_CHECKING:
    from archcalc.analysis.summary import Summary

FORMATS = ("table", "plain", "markdown", "csv", "json")


class Reconciliation(NamedTuple):
    """A reading for every convention, by its name; `target` is a figure to be explained, if there is one."""

    summary: "Summary"
    readings: dict[str, ConventionCount]
    target: Figure | None = None

    @property
    def matches(self) -> tuple[str, ...]:
        """The conventions whose count rounds to the target. A lower bound rounds to nothing."""
        target = self.target
        if target is None:
            return ()
        return tuple(name for name, count in self._candidates(target).items() if target.is_rounded(count))

    def _candidates(self, target: Figure) -> dict[str, int]:
        """The exact counts of the conventions that count what the target does."""
        fitting = ((name, found.total) for name, found in self.readings.items() if target.unit in (None, found.unit))
        return {name: count for name, count in fitting if isinstance(count, int)}

    @property
    def nearest(self) -> str | None:
        """The convention whose exact count is nearest to the target; the first of several, None if all are bounds."""
        target = self.target
        if target is None:
            return None
        counts = self._candidates(target)
        return min(counts, key=lambda name: abs(counts[name] - target.value), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
        summary, target = self.summary, self.target
        found = {"text": target.text, "matches": list(self.matches), "nearest": self.nearest} if target else None
        return {
            "name": summary.name,
            "source": summary.source,
            "inputs": {name: list(shape) for name, shape in summary.inputs.items()},
            "batch": summary.batch,
            "conventions": [_plain(name, reading) for name, reading in self.readings.items()],
            "target": found,
        }


def _plain(name: str, reading: ConventionCount) -> dict[str, Any]:
    convention = CONVENTIONS[name]
    return {
        "name": name,
        "source": convention.source,
        "counts": convention.sentence,
        "unit": reading.unit,
        "total": known(reading.total),
        "lower_bound": isinstance(reading.total, AtLeast),
        "terms": [_plain_term(term) for term in reading.terms],
        "unknown": reason_of(reading.total),
        "departures": list(reading.tool_bugs),
    }


def _plain_term(term: TermTotal) -> dict[str, Any]:
    found = {"term": term.label, "value": known(term.value), "unknown": reason_of(term.value)}
    if isinstance(term.value, AtLeast):
        return found | {"lower_bound": True}
    return found | {"upper_bound": True} if isinstance(term.value, AtMost) else found


def render_reconciliation(found: Reconciliation, format_name: str, style: Style | None = None) -> str:
    """The reconciliation in one of FORMATS."""
    if format_name == "json":
        return json_text(found.to_dict())
    if format_name == "csv":
        return csv_text(("convention", "unit", "term", "value", "unknown"), _records(found))
    style = style or Style()
    if format_name == "markdown":
        return "\n".join([*_markdown(found), *(f"\n{escaped(note, 'markdown')}" for note in _notes(found))])
    notes = _notes(found)
    lines = [*head(found.summary, style), "", *_table(found, format_name == "table", style)]
    return "\n".join([*lines, *([""] if notes else []), *_wrapped(notes, style)])


def _records(found: Reconciliation) -> Iterator[tuple[Any, ...]]:
    for name, reading in found.readings.items():
        yield name, reading.unit, "", value_text(reading.total, str), reason_of(reading.total) or ""
        for term in reading.terms:
            yield name, reading.unit, term.label, value_text(term.value, str), reason_of(term.value) or ""


class _Line(NamedTuple):
    label: str
    number: str
    note: str = ""
    is_term: bool = False
    is_match: bool = False


def _lines(found: Reconciliation) -> Iterator[_Line]:
    for name, reading in found.readings.items():
        matches = name in found.matches
        note = f"{reading.unit}  = {printable(found.target.text)}" if matches and found.target else reading.unit
        yield _Line(name, value_text(reading.total), note, is_match=matches)
        # The first are the plain MACs, which have a line of their own.
        for term in reading.terms[1:]:
            if term.value != 0:
                yield _Line(f"  {term.label}", signed(term), is_term=True)


def signed(term: TermTotal) -> str:
    """What a term adds, with its sign."""
    if not known(term.value):
        return "?"
    return value_text(term.value, lambda number: f"{'+' if number > 0 else '−'}{abs(number):,}")


def _table(found: Reconciliation, rules: bool, style: Style) -> list[str]:
    lines = [_Line("Convention", "Count", "Unit"), *_lines(found)]
    labels, numbers, notes = (max(map(display_width, texts)) for texts in list(zip(*lines, strict=True))[:3])
    if style.width:
        labels = max(10, min(labels, style.width - numbers - notes - 4))

    def line_text(line: _Line) -> str:
        number = padded(line.number, numbers, left=False)
        return f"{padded(shortened(line.label, labels), labels)}  {number}  {line.note}".rstrip()

    rule = [style.dim("─" * (labels + numbers + notes + 4))] if rules else []
    header, *body = lines
    shown = [(style.dim if line.is_term else style.bold if line.is_match else str)(line_text(line)) for line in body]
    return [style.bold(line_text(header)), *rule, *shown, *rule]


def _markdown(found: Reconciliation) -> Iterator[str]:
    yield "| Convention | Count | Unit |"
    yield "|:--|--:|:--|"
    for line in _lines(found):
        label = f"&nbsp;&nbsp;{line.label.strip()}" if line.is_term else line.label
        yield f"| {label} | {line.number} | {escaped(line.note, 'markdown')} |"


def _notes(found: Reconciliation) -> list[str]:
    """What the target may be, what is missing, and what tools get wrong in this network."""
    return [*_answer(found), *_missing(found.readings.values()), *_wrong(found.readings)]


def _answer(found: Reconciliation) -> Iterator[str]:
    if found.target is None:
        return
    figure, nearest = printable(found.target.text), found.nearest
    if found.matches:
        yield f"Rounded to {figure}: {_listed(found.matches)}."
    elif nearest:
        count = value_text(found.readings[nearest].total)
        yield f"No convention rounds to {figure}; the nearest is {nearest}, with {count}."
    else:
        yield f"No convention can be said to round to {figure}: every count of this network is a lower bound."


def _missing(readings: Iterable[ConventionCount]) -> list[str]:
    causes = gathered(cause for reading in readings for cause in causes_of(reading.total))
    return [f"? {printable(str(cause))}" for cause in causes]


def _wrong(readings: dict[str, ConventionCount]) -> list[str]:
    tools: dict[str, list[str]] = {}
    for name, reading in readings.items():
        for mistake in reading.tool_bugs:
            tools.setdefault(mistake, []).append(name)
    return [f"{_listed(names)}: the tool itself {mistake}; this is not followed." for mistake, names in tools.items()]


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _wrapped(notes: list[str], style: Style) -> list[str]:
    from textwrap import wrap

    return [line for note in notes for line in wrap(note, style.width or 80, break_on_hyphens=False)]
