"""Networks side by side: their totals, their layers where these match, and how far each is from the first."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.analysis.alignment import Key, align
from archcalc.analysis.collapse import collapse
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.counting import find_convention
from archcalc.analysis.field import exact
from archcalc.analysis.measures import MEASURES, NO_FIELD, Measure, Measured, by_convention
from archcalc.analysis.summary import LayerSummary, Summary, sum_of, summarize
from archcalc.errors import UsageError
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Amount, AtLeast, Value, beside, known, minus, quotient, reason_of
from archcalc.quantities import QUANTITIES
from archcalc.render.document import Document
from archcalc.render.result import Result
from archcalc.spec.expense import MAX_LAYERS

Arguments = Mapping[str, Any]
Sums = dict[str, Amount]  # by the name of a layer, or of a closed block
Values = tuple[Amount, ...]  # one for each network


class Difference(NamedTuple):
    """How far a value is from the first network's: `first + absolute`, and `first · ratio`, which is an exact fraction.

    Bounds or unknown where a value is. None where values are of different kinds; the ratio also where the first is 0.
    """

    absolute: Value[int] | None
    ratio: Value[Any] | None

    def to_dict(self) -> dict[str, Any]:
        """The difference as JSON has it, and beside it why a part is a bound or unknown."""
        return beside(self._asdict())


def difference(first: Amount, other: Amount) -> Difference:
    """How far a value is from that of the first network."""
    return Difference(minus(other, first), None if known(first) == 0 else quotient(other, first, exact))


class ComparedTotal(NamedTuple):
    """One quantity of each network as a whole."""

    title: str
    readings: tuple[Measured, ...]

    @property
    def values(self) -> Values:
        """That of each."""
        return tuple(reading.value for reading in self.readings)

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """Why each is unknown, or a lower bound; None where it is neither."""
        return tuple(map(reason_of, self.values))

    @property
    def differences(self) -> tuple[Difference, ...]:
        """Of every network but the first; hops are not set against pixels, nor anything against what is not there."""
        first, *others = self.readings
        return tuple(
            difference(first.value, other.value)
            if other.unit == first.unit and NO_FIELD not in (first, other)
            else Difference(None, None)
            for other in others
        )

    def to_dict(self) -> dict[str, Any]:
        """The total as JSON has it."""
        found: dict[str, Any] = _side_by_side(self.values, self.differences)
        if any(reading.sizes for reading in self.readings):
            found |= {"sizes": [list(reading.sizes) for reading in self.readings]}
        if any(reading.layer for reading in self.readings):
            found |= {"layers": [reading.layer for reading in self.readings]}
        return found


class Change(NamedTuple):
    """What is not the same in a layer as in that of the first network: its type, or an argument of it."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        """`avg_pool2d → max_pool2d`, `padding 0 → 2`."""
        name = "" if self.what == "type" else f"{self.what.replace('_', ' ')} "
        return f"{name}{self.before} → {self.after}"


class ComparedLayer(NamedTuple):
    """A layer, or a block that stands for the layers in it, in each network; None where it has no counterpart.

    `changes` has those of every network but the first; none where either has no such layer.
    """

    layers: tuple[LayerSummary | None, ...]
    sums: dict[str, Values]  # by quantity; 0 in a network that has no such layer
    changes: tuple[tuple[Change, ...], ...]

    def differences(self, quantity: str) -> tuple[Difference, ...]:
        """Of every network but the first."""
        first, *others = self.sums[quantity]
        return tuple(difference(first, other) for other in others)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON has it."""
        quantities = {name: _side_by_side(values, self.differences(name)) for name, values in self.sums.items()}
        return {
            "names": [layer and layer.name for layer in self.layers],
            "types": [layer and layer.type for layer in self.layers],
            "output_shapes": [list(layer.output_shape) if layer else None for layer in self.layers],
            "changes": [[change._asdict() for change in changes] for changes in self.changes],
            **quantities,
        }


class Comparison(Struct, Result, frozen=True, kw_only=True):
    """Networks side by side. `labels` are short names for them, `networks` their summaries.

    `counting` is the convention by which there is a quantity `count`, if one was chosen.
    """

    labels: tuple[str, ...]
    networks: tuple[Summary, ...]
    totals: dict[str, ComparedTotal]
    layers: tuple[ComparedLayer, ...]
    counting: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it."""
        heads = [summary.to_dict() for summary in self.networks]
        keys = ("name", "source", "inputs", "outputs", "batch")
        labelled = zip(self.labels, heads, strict=True)
        return {
            "networks": [{"label": label, **{key: head[key] for key in keys}} for label, head in labelled],
            "totals": {name: total.to_dict() for name, total in self.totals.items()},
            "layers": [row.to_dict() for row in self.layers],
            **({"counting": self.counting} if self.counting else {}),
        }

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.labels)})"

    def document(self, quantity: str = "macs", only_differences: bool = False) -> Document:
        """The comparison for any writer, with the layers' share of one quantity."""
        from archcalc.analysis.comparison_table import comparison_document

        return comparison_document(self, quantity, only_differences)


def _side_by_side(values: Values, differences: Iterable[Difference]) -> dict[str, Any]:
    """Values for JSON: null where they are unknown, and in `unknown` why they are, or are lower bounds."""
    return {
        "values": [known(value) for value in values],
        "lower_bound": [isinstance(value, AtLeast) for value in values],
        "unknown": [reason_of(value) for value in values],
        "differences": [found.to_dict() for found in differences],
    }


def compare(
    networks: Mapping[str, AnalysisContext], depth: int | None = None, counting: str | None = None
) -> Comparison:
    """Networks side by side by their labels, each set against the first. `depth` collapses blocks.

    Layers are beside each other where their names are the same, and between those where their types are, in an order
    that keeps that of every network. `counting` adds a quantity `count`: operations as that convention has them. Raises
    UsageError for fewer than two networks, for more layers in all than one may have, and for a convention that does not
    exist.
    """
    if len(networks) < 2:
        raise UsageError(f"a comparison takes two networks or more, and gets {len(networks)}")
    every = tuple(networks.values())
    layers = sum(len(context.graph.nodes) for context in every)
    if layers > MAX_LAYERS:
        raise UsageError(f"{layers:,} layers are too many to compare; {MAX_LAYERS:,} in all networks together are not")
    titles = {name: quantity.title for name, quantity in QUANTITIES.items()}
    measures = dict(MEASURES)
    if counting is not None:
        titles["count"], measures["count"] = find_convention(counting).title, by_convention(counting)
    totals = {
        name: ComparedTotal(title=titles[name], readings=tuple(measure.whole(context) for context in every))
        for name, measure in measures.items()
    }
    summaries = tuple(summarize(context).collapsed(context.graph, depth) for context in every)
    sums = [_sums(context, measures, depth) for context in every]
    rows = tuple(_layers(summaries, sums, [_arguments(context) for context in every]))
    return Comparison(labels=tuple(networks), networks=summaries, totals=totals, layers=rows, counting=counting)


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels, each with a number behind it where it is there already."""
    found: dict[str, None] = {}
    for label in labels:
        numbered = (f"{label} ({number})" for number in range(2, len(labels) + 1))
        found[label if label not in found else next(text for text in numbered if text not in found)] = None
    return [*found]


def _layers(
    summaries: Sequence[Summary], sums: Sequence[dict[str, Sums]], arguments: Sequence[dict[str, Arguments]]
) -> Iterable[ComparedLayer]:
    for row in _aligned([summary.layers for summary in summaries]):
        values = {
            name: tuple(0 if layer is None else own[name][layer.name] for layer, own in zip(row, sums, strict=True))
            for name in sums[0]
        }
        first, *others = [layer and (layer.type, own[layer.name]) for layer, own in zip(row, arguments, strict=True)]
        changes = tuple(tuple(_changes(first, other)) if first and other else () for other in others)
        yield ComparedLayer(layers=tuple(row), sums=values, changes=changes)


def _arguments(context: AnalysisContext) -> dict[str, Arguments]:
    """The arguments of every layer and of every block, by name."""
    found: dict[str, Arguments] = {}
    for node in context.graph.nodes:
        for block in node.instances:
            found.setdefault(block.name, block.arguments)
        found[node.name] = {field: getattr(node.layer, field) for field in node.layer.__struct_fields__}
    return found


def _changes(first: tuple[str, Arguments], other: tuple[str, Arguments]) -> Iterator[Change]:
    """The type, and arguments that both have."""
    (kind, before), (other_kind, after) = first, other
    if kind != other_kind:
        yield Change("type", kind, other_kind)
    for name in before:
        if name in after and name != "index" and before[name] != after[name]:
            yield Change(name, _argument_text(before[name]), _argument_text(after[name]))


def _argument_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple) and any(isinstance(part, tuple) for part in value):
        return f"a list of {len(value)}"
    return size_text(value) if isinstance(value, tuple) and value else str(value)


def _aligned(columns: Sequence[Sequence[LayerSummary]]) -> list[list[LayerSummary | None]]:
    """The rows of all networks, each network aligned with those before it."""
    rows: list[list[LayerSummary | None]] = [[layer] for layer in columns[0]]
    for count, column in enumerate(columns[1:], start=1):
        known = [next(layer for layer in row if layer) for row in rows]
        pairs = align([_key(layer) for layer in known], [_key(layer) for layer in column])
        rows = [
            [
                *(rows[left] if left is not None else [None] * count),
                column[right] if right is not None else None,
            ]
            for left, right in pairs
        ]
    return rows


def _key(layer: LayerSummary) -> Key:
    return Key(layer.name, layer.type)


def _sums(context: AnalysisContext, measures: Mapping[str, Measure], depth: int | None) -> dict[str, Sums]:
    """What every layer adds to those of the quantities that are sums over layers, with closed blocks added up."""
    columns = {name: measure.layers(context) for name, measure in measures.items() if measure.layers}
    rows = zip((node.name for node in context.graph.nodes), *columns.values(), strict=True)
    sums: dict[str, Sums] = {name: {} for name in columns}
    for group in collapse(rows, context.graph, depth):
        names, *values = zip(*group.rows, strict=True)
        for name, own in zip(columns, values, strict=True):
            sums[name][group.name] = sum_of(names, own)
    return sums
