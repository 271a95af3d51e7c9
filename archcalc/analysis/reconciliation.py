"""Counts one network by every counting convention, with the terms that each adds to plain MACs."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.counting import ConventionCount, TermTotal
from archcalc.analysis.summary_document import head_of
from archcalc.numbers.bounds import AtLeast, AtMost, causes_of, gathered, known, reason_of, value_text
from archcalc.numbers.figure import Figure
from archcalc.render.document import COUNT, Column, Document, Note, NumberText, Row, Table, notes_of
from archcalc.render.result import Result

if TYPE_CHECKING:
    from archcalc.analysis.summary import Summary


class Reconciliation(Struct, Result, frozen=True, kw_only=True):
    """The count of every convention, by name; `target` is a figure to match with them."""

    summary: "Summary"
    counts: dict[str, ConventionCount]
    target: Figure | None = None

    def __repr__(self) -> str:
        return f"Reconciliation({self.summary.name!r}, {len(self.counts)} conventions)"

    def document(self) -> Document:
        """The reconciliation as a document."""
        columns = [Column("Convention"), Column("Count", COUNT), Column("Unit")]
        return Document(
            title=self.summary.name,
            head=head_of(self.summary),
            parts=[Table(columns, [*_rows(self)])],
            notes=_notes(self),
            data=self.to_dict,
            records=lambda: [*_records(self)],
        )

    @property
    def matches(self) -> tuple[str, ...]:
        """The conventions whose exact count rounds to the target."""
        target = self.target
        if target is None:
            return ()
        return tuple(name for name, count in self._candidates(target).items() if target.is_rounded(count))

    def _candidates(self, target: Figure) -> dict[str, int]:
        """The exact counts of the conventions with the target's unit."""
        fitting = ((name, found.total) for name, found in self.counts.items() if target.unit in (None, found.unit))
        return {name: count for name, count in fitting if isinstance(count, int)}

    @property
    def nearest(self) -> str | None:
        """The first convention whose exact count is nearest to the target; None if all counts are bounds."""
        target = self.target
        if target is None:
            return None
        counts = self._candidates(target)
        return min(counts, key=lambda name: abs(counts[name] - target.value), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        summary, target = self.summary, self.target
        found = {"text": target.text, "matches": list(self.matches), "nearest": self.nearest} if target else None
        return {
            "name": summary.name,
            "source": summary.source,
            "inputs": {name: list(shape) for name, shape in summary.inputs.items()},
            "batch": summary.batch,
            "conventions": [_plain(name, count) for name, count in self.counts.items()],
            "target": found,
        }


def _plain(name: str, count: ConventionCount) -> dict[str, Any]:
    convention = CONVENTIONS[name]
    return {
        "name": name,
        "source": convention.source,
        "counts": convention.sentence,
        "unit": count.unit,
        "total": known(count.total),
        "lower_bound": isinstance(count.total, AtLeast),
        "terms": [_plain_term(term) for term in count.terms],
        "unknown": reason_of(count.total),
        "departures": list(count.tool_bugs),
    }


def _plain_term(term: TermTotal) -> dict[str, Any]:
    found = {"term": term.label, "value": known(term.value), "unknown": reason_of(term.value)}
    if isinstance(term.value, AtLeast):
        return found | {"lower_bound": True}
    return found | {"upper_bound": True} if isinstance(term.value, AtMost) else found


def _records(found: Reconciliation) -> Iterator[dict[str, Any]]:
    for name, count in found.counts.items():
        yield _record(name, count.unit, "", count.total)
        for term in count.terms:
            yield _record(name, count.unit, term.label, term.value)


def _record(name: str, unit: str, term: str, value: Any) -> dict[str, Any]:
    text = value_text(value, str)
    return {"convention": name, "unit": unit, "term": term, "value": text, "unknown": reason_of(value) or ""}


def _rows(found: Reconciliation) -> Iterator[Row]:
    for name, count in found.counts.items():
        matches = name in found.matches
        unit = f"{count.unit}  = {found.target.text}" if matches and found.target else count.unit
        yield Row([name, count.total, unit], emphasis="strong" if matches else "")
        # The first term is the plain MACs, which have a row of their own.
        for term in count.terms[1:]:
            if term.value != 0:
                yield Row([term.label, signed(term), ""], level=1, emphasis="faint")


def signed(term: TermTotal) -> str:
    """The value of a term with its sign."""
    if not known(term.value):
        return "?"
    return NumberText(value_text(term.value, lambda number: f"{'+' if number > 0 else '−'}{abs(number):,}"))


def _notes(found: Reconciliation) -> list[Note]:
    """Notes about matches of the target, unknown counts, and mistakes of the tools in this network."""
    missing = gathered(cause for count in found.counts.values() for cause in causes_of(count.total))
    return [*map(Note, _answer(found)), *notes_of("?", missing), *map(Note, _wrong(found.counts))]


def _answer(found: Reconciliation) -> Iterator[str]:
    if found.target is None:
        return
    figure, nearest = found.target.text, found.nearest
    if found.matches:
        yield f"Rounded to {figure}: {_listed(found.matches)}."
    elif nearest:
        count = value_text(found.counts[nearest].total)
        yield f"No convention rounds to {figure}; the nearest is {nearest}, with {count}."
    else:
        yield f"No convention is known to round to {figure}: every count of this network is a lower bound."


def _wrong(counts: dict[str, ConventionCount]) -> list[str]:
    tools: dict[str, list[str]] = {}
    for name, count in counts.items():
        for mistake in count.tool_bugs:
            tools.setdefault(mistake, []).append(name)
    return [f"{_listed(names)}: the tool itself {mistake}; archcalc does not." for mistake, names in tools.items()]


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
