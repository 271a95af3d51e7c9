"""The findings of `check` in specs, as a result."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from archcalc.errors import Diagnostic
from archcalc.render.document import Document, Findings, Lines
from archcalc.render.result import Result


class CheckResult(Struct, Result, frozen=True, kw_only=True):
    """Errors, broken budgets and warnings of `specs` specs, in this order; a sequence of diagnostics."""

    diagnostics: tuple[Diagnostic, ...]
    specs: int = 1

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self.diagnostics)

    def __len__(self) -> int:
        return len(self.diagnostics)

    def __getitem__(self, place: int) -> Diagnostic:
        return self.diagnostics[place]

    def __repr__(self) -> str:
        return f"CheckResult({self.total})"

    @property
    def total(self) -> str:
        """The number of findings of each severity, and of specs, in words."""
        counts = {"error": 0, "failure": 0, "warning": 0} | {d.severity: 0 for d in self.diagnostics}
        for diagnostic in self.diagnostics:
            counts[diagnostic.severity] += 1
        parts = [f"{count:,} {name}{'s' * (count != 1)}" for name, count in counts.items() if count]
        return f"{', '.join(parts) or 'no findings'} in {self.specs} spec{'s' * (self.specs != 1)}"

    def document(self) -> Document:
        """The findings as a document, each with its place, reason and remedy."""
        return Document(
            title="",
            parts=[Findings(self.diagnostics), Lines([self.total], wrapped=True)],
            data=self.to_dict,
            records=self.to_dict,
            columns=("code", "severity", "message", "file", "line", "reason", "help"),
        )

    def to_dict(self) -> list[dict[str, Any]]:
        """The findings as plain values for JSON."""
        return [_plain(diagnostic) for diagnostic in self.diagnostics]


def _plain(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "file": diagnostic.place.source,
        "line": diagnostic.place.line,
        "reason": diagnostic.reason,
        "help": diagnostic.help,
    }
