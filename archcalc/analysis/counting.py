"""Counts a network by a counting convention: the sum of its terms, layer by layer and term by term.

Terms and layers are sums of the same numbers, so both add up to the same total. No convention or layer is known by
name here.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.conventions import CONVENTIONS, Activations, Convention, Term, ToolBug
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.traffic import tensor_bytes
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Node
from archcalc.layers.base import Count, elements
from archcalc.numbers.bounds import (
    AtLeast,
    AtMost,
    Lower,
    at_least,
    causes_of,
    known,
    reason_of,
    sum_or_unknown,
    times,
    total,
    value_text,
)
from archcalc.render.document import COUNT, NAME, Column, Document, Row, Table, notes_of
from archcalc.render.result import Result


class TermTotal(NamedTuple):
    """The sum of one term over all layers. If a layer is unknown, it is AtLeast, or AtMost for a negative term."""

    label: str
    value: int | AtLeast[int] | AtMost[int]


class ConventionCount(Struct, Result, frozen=True, kw_only=True):
    """The count of a network by a convention, for the whole batch.

    `layers` has the count of every layer, in the order of `names`. `terms` add up to `total`, and begin with the plain
    MACs (unless activations are counted). `tool_bugs` are the mistakes that its tool makes in this network.
    """

    network: str
    names: tuple[str, ...]
    convention: Convention | Activations
    layers: tuple[Count, ...]
    terms: tuple[TermTotal, ...]
    total: Lower[int]
    tool_bugs: tuple[str, ...]

    @property
    def title(self) -> str:
        """The title of the number, such as `fvcore MACs`."""
        return self.convention.title

    @property
    def unit(self) -> str:
        """The unit: MACs, FLOPs, operations, connections, values or bytes."""
        return self.convention.unit

    def __repr__(self) -> str:
        return f"ConventionCount({self.network!r}, {self.title}, {value_text(self.total)})"

    def document(self) -> Document:
        """The terms and the layers as tables."""
        terms = [Row([term.label, term.value]) for term in self.terms]
        layers = [Row([name, count]) for name, count in zip(self.names, self.layers, strict=True) if count != 0]
        whole = [Row(["total", self.total])]
        return Document(
            title=f"{self.network}: {self.title}",
            head=[self.convention.sentence],
            parts=[
                Table([Column("Term"), Column(self.unit, COUNT)], terms, totals=whole),
                Table([Column("Layer", NAME), Column(self.unit, COUNT)], layers),
            ],
            notes=notes_of("?", causes_of(self.total)),
            data=self.to_dict,
            records=lambda: self.to_dict()["layers"],
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "network": self.network,
            "title": self.title,
            "unit": self.unit,
            "total": known(self.total),
            "unknown": reason_of(self.total),
            "terms": [_plain("term", term.label, term.value) for term in self.terms],
            "layers": [_plain("name", *row) for row in zip(self.names, self.layers, strict=True)],
            "tool_bugs": list(self.tool_bugs),
        }


def _plain(key: str, label: str, value: Any) -> dict[str, Any]:
    return {key: label, "count": known(value), "unknown": reason_of(value)}


def find_convention(name: str) -> Convention:
    """A convention by its name. Raises UsageError for an unknown name."""
    if name not in CONVENTIONS:
        remedy = did_you_mean(name, CONVENTIONS)
        raise UsageError(f"no counting convention is called {quoted(name)}", remedy)
    return CONVENTIONS[name]


def apply_convention(context: AnalysisContext, convention: Convention | Activations) -> ConventionCount:
    """Count a network by a convention."""
    nodes = [*context.known()]
    # Equal layers share their inferred layer, and are counted once.
    kinds = {_kind(*known): known for known in nodes}
    rows = {kind: _row(convention, *known, context.batch) for kind, known in kinds.items()}
    table = [rows[_kind(*known)] for known in nodes]
    names, labels = [node.name for node, _ in nodes], _labels(convention)
    columns = ([row[number] for row in table] for number in range(len(labels)))
    terms = tuple(_term(label, convention, names, column) for label, column in zip(labels, columns, strict=True))
    layers = tuple(map(sum_or_unknown, table))
    wrong = [found for found in convention.tool_bugs if any(_is_mistaken(found, *known) for known in kinds.values())]
    mistakes = tuple(bug.mistake for bug in wrong)
    sum_known = sum(known(term.value) or 0 for term in terms)
    whole = at_least(sum_known, causes_of(total(zip(names, layers, strict=True))))
    return ConventionCount(
        network=context.graph.name,
        names=tuple(names),
        convention=convention,
        layers=layers,
        terms=terms,
        total=whole,
        tool_bugs=mistakes,
    )


def _term(label: str, convention: Convention | Activations, names: list[str], counts: Sequence[Count]) -> TermTotal:
    found = total(zip(names, counts, strict=True))
    is_subtracted = any(term.factor < 0 for term in convention.terms if term.label == label)
    return TermTotal(
        label, AtMost(found.value, found.causes) if isinstance(found, AtLeast) and is_subtracted else found
    )


def _kind(node: Node, inferred: InferredLayer) -> tuple[InferredLayer, bool, bool]:
    """Everything that a count depends on."""
    return inferred, node.functional, node.owner is not None


def _labels(convention: Convention | Activations) -> tuple[str, ...]:
    """The labels of the terms, each once: terms with the same label are added up."""
    return tuple(dict.fromkeys(term.label for term in convention.terms))


def _row(convention: Convention | Activations, node: Node, inferred: InferredLayer, batch: int) -> tuple[Count, ...]:
    """The count of a layer for each label."""
    found = [(term.label, _count(term, node, inferred, batch)) for term in convention.terms]
    return tuple(sum_or_unknown(count for own, count in found if own == label) for label in _labels(convention))


def _count(term: Term, node: Node, inferred: InferredLayer, batch: int) -> Count:
    return times(term.factor, QUANTITIES[term.quantity](inferred, batch)) if _applies(term, node, inferred) else 0


def _is_mistaken(bug: ToolBug, node: Node, inferred: InferredLayer) -> bool:
    shape, read = inferred.output.shape, inferred.inputs[0].shape
    wanted = (node.owner is not None or not bug.shared) and len(shape) >= bug.axes
    is_even = bug.uneven and all(size % out == 0 for size, out in zip(read, shape, strict=False))
    return wanted and not is_even and _applies(bug, node, inferred)


def _applies(term: Term | ToolBug, node: Node, inferred: InferredLayer) -> bool:
    layer = node.layer
    return (
        (not term.of or layer.type in term.of or layer.family in term.of)
        and term.functional in (None, node.functional)
        and term.rank in (None, len(inferred.output.shape))
        and all(_matches(getattr(layer, field), wanted) for field, wanted in term.where.items())
    )


def _matches(value: Any, wanted: Any) -> bool:
    return bool(wanted(value)) if callable(wanted) else value == wanted


def _of_kind(kind: str) -> Callable[[InferredLayer, int], Count]:
    """A function that counts the operations of one kind."""
    return lambda inferred, batch: times(batch, inferred.operations.get(kind, 0))


def _other_operations(inferred: InferredLayer, batch: int) -> Count:
    return times(batch, sum_or_unknown(count for kind, count in inferred.operations.items() if kind != "macs"))


def _outputs(inferred: InferredLayer, batch: int) -> Count:
    return batch * int(elements(inferred.output.shape))


def _unweighted(inferred: InferredLayer, _batch: int) -> Count:
    """MACs of one sample that are no connections."""
    return sum_or_unknown((inferred.operations.get("macs", 0), inferred.biases, times(-1, inferred.connections)))


# The quantities of terms: counts of one layer for the whole batch.
QUANTITIES: dict[str, Callable[[InferredLayer, int], Count]] = {
    **{kind: _of_kind(kind) for kind in ("macs", "multiplications", "divisions", "comparisons", "exponentials")},
    "macs_of_further_samples": lambda inferred, batch: times(batch - 1, inferred.operations.get("macs", 0)),
    "other_operations": _other_operations,
    "biases": lambda inferred, batch: times(batch, inferred.biases),
    "biases_of_one_sample": lambda inferred, _batch: inferred.biases,
    "connections": lambda inferred, _batch: inferred.connections,
    "unweighted": _unweighted,
    "parameters": lambda inferred, batch: batch * inferred.parameter_count,
    "inputs": lambda inferred, batch: batch * int(elements(inferred.inputs[0].shape)),
    "outputs": _outputs,
    "new_outputs": lambda inferred, batch: 0 if inferred.layer.is_view else _outputs(inferred, batch),
    "product_outputs": lambda inferred, batch: times(batch, inferred.product_outputs),
    "scaled_outputs": lambda inferred, batch: _outputs(inferred, batch) if "weight" in inferred.parameters else 0,
    "bytes_of_parametrized": lambda inferred, batch: (
        tensor_bytes(inferred.output, None, batch) if inferred.parameters else 0
    ),
}
