"""Derivations of numbers, as values and as a document."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.errors import UsageError
from archcalc.layers.base import Shape, size_text
from archcalc.numbers.bounds import AtLeast, known, reason_of, value_text
from archcalc.render.document import Column, Document, Note, Part, Row, Table
from archcalc.render.result import Result
from archcalc.tracing import plain


class Derivation(NamedTuple):
    """The derivation of a number: its label, the formula in symbols and in values, and the value."""

    label: str
    symbolic: str
    substituted: str
    value: Any

    def __str__(self) -> str:
        """`formula = formula in values = value`, without repetitions."""
        value = value_text(self.value, plain)
        formula = self.symbolic if self.symbolic != self.substituted else ""
        substituted = self.substituted if self.substituted != value else ""
        return " = ".join(part for part in (formula, substituted, value) if part)


class Section(NamedTuple):
    """The derivations of one kind of number, and notes."""

    title: str
    steps: tuple[Derivation, ...]
    notes: tuple[str, ...] = ()


class Explanation(Struct, Result, frozen=True, kw_only=True):
    """The derivations of all numbers of a layer, a block or the network."""

    name: str
    type: str
    summary: str  # of the layer type, from its class
    inputs: dict[str, Shape]
    output_shape: Shape
    sections: tuple[Section, ...]

    def __repr__(self) -> str:
        return f"Explanation({self.name!r}, {self.type})"

    @property
    def title(self) -> str:
        """The name, type and shapes: `C1  conv2d  image 1×32×32 → 6×28×28`."""
        inputs = ", ".join(f"{name} {size_text(shape)}" for name, shape in self.inputs.items())
        return f"{self.name}  {self.type}  {inputs} → {size_text(self.output_shape)}"

    def value(self, title: str, label: str) -> Any:
        """The number with a label in a section. Raises UsageError if there is none."""
        values = {(section.title, step.label): step.value for section in self.sections for step in section.steps}
        if (title, label) not in values:
            known_labels = ", ".join(f"{section}/{step}" for section, step in values)
            raise UsageError(f"nothing is explained as {title}/{label}", f"known: {known_labels}")
        return values[title, label]

    def document(self) -> Document:
        """The explanation as a document."""
        return Document(
            title=self.title,
            head=[self.summary] if self.summary else [],
            parts=[_table(self)],
            data=self.to_dict,
            records=self.records,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON. An unknown value is null; `lower_bound` is true for one that is at least so much."""
        return {
            "name": self.name,
            "type": self.type,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "output_shape": list(self.output_shape),
            "sections": [
                {"title": section.title, "steps": [*map(_plain, section.steps)], "notes": list(section.notes)}
                for section in self.sections
            ],
        }

    def records(self) -> Sequence[Mapping[str, Any]]:
        return [
            {"layer": self.name, "section": section.title, **_plain(step)}
            for section in self.sections
            for step in section.steps
        ]


class Explanations(Struct, Result, frozen=True, kw_only=True):
    """Explanations of layers, blocks and the network. `left_out` is the number of those that are missing."""

    network: str
    explanations: tuple[Explanation, ...]
    left_out: int = 0

    def __repr__(self) -> str:
        return f"Explanations({self.network!r}, {len(self.explanations):,})"

    def document(self) -> Document:
        """All explanations as one document."""
        notes = [Note(f"{self.left_out:,} more are left out: name them, as in layer4.*")] if self.left_out else []
        return Document(
            title=self.network,
            parts=[part for explanation in self.explanations for part in _parts(explanation)],
            notes=notes,
            data=lambda: [explanation.to_dict() for explanation in self.explanations],
            records=lambda: [record for explanation in self.explanations for record in explanation.records()],
        )


def _plain(step: Derivation) -> dict[str, Any]:
    value = known(step.value)
    plain_value = value if isinstance(value, int | float | str | None) else str(value)
    return {
        "label": step.label,
        "formula": step.symbolic,
        "substituted": step.substituted,
        "value": plain_value,
        "lower_bound": isinstance(step.value, AtLeast),
        "unknown": reason_of(step.value),
    }


def _parts(explanation: Explanation) -> list[Part]:
    return [_table(explanation, explanation.title)]


def _table(explanation: Explanation, title: str = "") -> Table:
    rows = [row for section in explanation.sections for row in _rows(section)]
    if title and explanation.summary:
        rows = [Row([explanation.summary], emphasis="faint"), *rows]
    return Table([Column(""), Column("", wrapped=True)], rows, title=title, ruled=False)


def _rows(section: Section) -> Iterator[Row]:
    if [step.label for step in section.steps] == [section.title]:
        yield Row([section.title, str(section.steps[0])])  # the title and the label would say the same
    else:
        yield Row([section.title], emphasis="strong")
        yield from (Row([step.label, str(step)], level=1) for step in section.steps)
    yield from (Row([note], level=1) for note in section.notes)
