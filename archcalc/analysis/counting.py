"""What a convention counts in a network: the sum of its terms, layer by layer and term by term.

Both are sums of the same numbers, so that terms and layers add up to one total exactly. Nothing here knows a
convention or a layer by name.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.conventions import CONVENTIONS, Activations, Convention, Departure, Term
from archcalc.analysis.facts import LayerFacts
from archcalc.analysis.traffic import tensor_bytes
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Node
from archcalc.layers.base import Count, elements
from archcalc.numbers.bounds import AtLeast, AtMost, Lower, at_least, causes_of, known, sum_or_unknown, times, total


class TermTotal(NamedTuple):
    """What one term adds to the total, as far as it is known: AtMost for one that is subtracted."""

    label: str
    value: int | AtLeast[int] | AtMost[int]


class Reading(NamedTuple):
    """A network as a convention counts it, for the whole batch.

    `layers` are the counts of the layers, in the network's order. `terms` add up to `total`, and begin with the plain
    MACs (unless activations are counted). `departures` say what its tool gets wrong in this network, and archcalc does
    not.
    """

    convention: Convention | Activations
    layers: tuple[Count, ...]
    terms: tuple[TermTotal, ...]
    total: Lower[int]
    departures: tuple[str, ...]

    @property
    def title(self) -> str:
        """What the number is called, such as `fvcore MACs`."""
        return self.convention.title

    @property
    def unit(self) -> str:
        """What is counted: MACs, FLOPs, operations, connections, values or bytes."""
        return self.convention.unit


def find_convention(name: str) -> Convention:
    """A convention by its name. Raises UsageError if there is none of that name."""
    if name not in CONVENTIONS:
        remedy = did_you_mean(name, CONVENTIONS)
        raise UsageError(f"no counting convention is called {quoted(name)}; {remedy}")
    return CONVENTIONS[name]


def read_as(analysed: AnalysedGraph, convention: Convention | Activations) -> Reading:
    """Read a convention off a network."""
    nodes = [*analysed.known()]
    # Most layers are like others, with which they share their facts.
    kinds = {_kind(*known): known for known in nodes}
    rows = {kind: _row(convention, *known, analysed.batch) for kind, known in kinds.items()}
    table = [rows[_kind(*known)] for known in nodes]
    names, labels = [node.name for node, _ in nodes], _labels(convention)
    columns = ([row[number] for row in table] for number in range(len(labels)))
    terms = tuple(_term(label, convention, names, column) for label, column in zip(labels, columns, strict=True))
    layers = tuple(map(sum_or_unknown, table))
    wrong = [found for found in convention.departures if any(_is_mistaken(found, *known) for known in kinds.values())]
    mistakes = tuple(departure.mistake for departure in wrong)
    sum_known = sum(known(term.value) or 0 for term in terms)
    whole = at_least(sum_known, causes_of(total(zip(names, layers, strict=True))))
    return Reading(convention, layers, terms, whole, mistakes)


def _term(label: str, convention: Convention | Activations, names: list[str], counts: Sequence[Count]) -> TermTotal:
    found = total(zip(names, counts, strict=True))
    is_subtracted = any(term.factor < 0 for term in convention.terms if term.label == label)
    return TermTotal(
        label, AtMost(found.value, found.causes) if isinstance(found, AtLeast) and is_subtracted else found
    )


def _kind(node: Node, facts: LayerFacts) -> tuple[LayerFacts, bool, bool]:
    """All that a count depends on."""
    return facts, node.functional, node.owner is not None


def _labels(convention: Convention | Activations) -> tuple[str, ...]:
    """What the terms are called; those of one name are shown as one."""
    return tuple(dict.fromkeys(term.label for term in convention.terms))


def _row(convention: Convention | Activations, node: Node, facts: LayerFacts, batch: int) -> tuple[Count, ...]:
    """What a layer adds to the terms of each label."""
    found = [(term.label, _count(term, node, facts, batch)) for term in convention.terms]
    return tuple(sum_or_unknown(count for own, count in found if own == label) for label in _labels(convention))


def _count(term: Term, node: Node, facts: LayerFacts, batch: int) -> Count:
    return times(term.factor, QUANTITIES[term.quantity](facts, batch)) if _applies(term, node, facts) else 0


def _is_mistaken(departure: Departure, node: Node, facts: LayerFacts) -> bool:
    shape, read = facts.output.shape, facts.inputs[0].shape
    wanted = (node.owner is not None or not departure.shared) and len(shape) >= departure.axes
    is_even = departure.uneven and all(size % given == 0 for size, given in zip(read, shape, strict=False))
    return wanted and not is_even and _applies(departure, node, facts)


def _applies(term: Term | Departure, node: Node, facts: LayerFacts) -> bool:
    layer = node.layer
    return (
        (not term.of or layer.type in term.of or layer.family in term.of)
        and term.functional in (None, node.functional)
        and term.rank in (None, len(facts.output.shape))
        and all(_is_as(getattr(layer, field), wanted) for field, wanted in term.where.items())
    )


def _is_as(value: Any, wanted: Any) -> bool:
    return bool(wanted(value)) if callable(wanted) else value == wanted


def _of_kind(kind: str) -> Callable[[LayerFacts, int], Count]:
    """Operations of one kind."""
    return lambda facts, batch: times(batch, facts.operations.get(kind, 0))


def _other_operations(facts: LayerFacts, batch: int) -> Count:
    return times(batch, sum_or_unknown(count for kind, count in facts.operations.items() if kind != "macs"))


def _outputs(facts: LayerFacts, batch: int) -> Count:
    return batch * int(elements(facts.output.shape))


def _unweighted(facts: LayerFacts, _batch: int) -> Count:
    """MACs of one sample that are no connections."""
    return sum_or_unknown((facts.operations.get("macs", 0), facts.biases, times(-1, facts.connections)))


# What terms are made of: counts of one layer for the batch, of what layers say of themselves for a sample.
QUANTITIES: dict[str, Callable[[LayerFacts, int], Count]] = {
    **{kind: _of_kind(kind) for kind in ("macs", "multiplications", "divisions", "comparisons", "exponentials")},
    "macs_of_further_samples": lambda facts, batch: times(batch - 1, facts.operations.get("macs", 0)),
    "other_operations": _other_operations,
    "biases": lambda facts, batch: times(batch, facts.biases),
    "biases_of_one_sample": lambda facts, _batch: facts.biases,
    "connections": lambda facts, _batch: facts.connections,
    "unweighted": _unweighted,
    "parameters": lambda facts, batch: batch * facts.parameter_count,
    "inputs": lambda facts, batch: batch * int(elements(facts.inputs[0].shape)),
    "outputs": _outputs,
    "new_outputs": lambda facts, batch: 0 if facts.layer.is_view else _outputs(facts, batch),
    "product_outputs": lambda facts, batch: times(batch, facts.product_outputs),
    "scaled_outputs": lambda facts, batch: _outputs(facts, batch) if "weight" in facts.parameters else 0,
    "bytes_of_parametrized": lambda facts, batch: tensor_bytes(facts.output, None, batch) if facts.parameters else 0,
}
