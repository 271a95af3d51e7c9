"""Compares networks: totals, matched layers, and the difference of each network from the first."""

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
from archcalc.graph import is_within
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Amount, AtLeast, Value, beside, known, minus, quotient, reason_of
from archcalc.quantities import QUANTITIES
from archcalc.render.document import Document
from archcalc.render.result import Result
from archcalc.spec.expense import MAX_LAYERS

Arguments = Mapping[str, Any]
Sums = dict[str, Amount]  # by the name of a layer or collapsed block
Values = tuple[Amount, ...]  # one for each network


class Difference(NamedTuple):
    """The difference of a value from the first network's: it is `first + absolute` and `first · ratio`, exactly.

    Both are bounds or unknown if a value is, and None if the values cannot be compared; the ratio also if the first
    value is 0.
    """

    absolute: Value[int] | None
    ratio: Value[Any] | None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with the reason if a value is a bound or unknown."""
        return beside(self._asdict())


def difference(first: Amount, other: Amount) -> Difference:
    """The difference of a value from the first network's."""
    return Difference(minus(other, first), None if known(first) == 0 else quotient(other, first, exact))


class ComparedTotal(NamedTuple):
    """One quantity of all networks."""

    title: str
    measured: tuple[Measured, ...]

    @property
    def values(self) -> Values:
        """The quantity's value for each network."""
        return tuple(found.value for found in self.measured)

    @property
    def reasons(self) -> tuple[str | None, ...]:
        """The reason why each value is unknown or a lower bound; None for exact values."""
        return tuple(map(reason_of, self.values))

    @property
    def differences(self) -> tuple[Difference, ...]:
        """The difference of every network but the first; None for different units and missing fields."""
        first, *others = self.measured
        return tuple(
            difference(first.value, other.value)
            if other.unit == first.unit and NO_FIELD not in (first, other)
            else Difference(None, None)
            for other in others
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        found: dict[str, Any] = _side_by_side(self.values, self.differences)
        if any(one.sizes for one in self.measured):
            found |= {"sizes": [list(one.sizes) for one in self.measured]}
        if any(one.layer for one in self.measured):
            found |= {"layers": [one.layer for one in self.measured]}
        return found


class Change(NamedTuple):
    """A difference of a layer from its counterpart in the first network: in its type, or in an argument."""

    what: str
    before: str
    after: str

    def __str__(self) -> str:
        """`avg_pool2d → max_pool2d`, `padding 0 → 2`."""
        name = "" if self.what == "type" else f"{self.what.replace('_', ' ')} "
        return f"{name}{self.before} → {self.after}"


class ComparedLayer(NamedTuple):
    """A layer or collapsed block in each network; None for networks without a counterpart.

    `changes` has the changes of every network but the first; none if one of the two layers is missing.
    """

    layers: tuple[LayerSummary | None, ...]
    sums: dict[str, Values]  # by quantity; 0 for a network without the layer
    changes: tuple[tuple[Change, ...], ...]

    def differences(self, quantity: str) -> tuple[Difference, ...]:
        """The difference of every network but the first in a quantity."""
        first, *others = self.sums[quantity]
        return tuple(difference(first, other) for other in others)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        quantities = {name: _side_by_side(values, self.differences(name)) for name, values in self.sums.items()}
        return {
            "names": [layer and layer.name for layer in self.layers],
            "types": [layer and layer.type for layer in self.layers],
            "output_shapes": [list(layer.output_shape) if layer else None for layer in self.layers],
            "changes": [[change._asdict() for change in changes] for changes in self.changes],
            **quantities,
        }


class ComparedBlock(NamedTuple):
    """A block whose arguments differ, and which is not a row itself; `changes` as for a layer."""

    name: str
    changes: tuple[tuple[Change, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"name": self.name, "changes": [[change._asdict() for change in changes] for changes in self.changes]}


class Comparison(Struct, Result, frozen=True, kw_only=True):
    """A comparison of networks. `labels` are their short names, `networks` their summaries.

    `blocks` are common blocks that are no rows, and whose type or arguments differ. `counting` is the counting
    convention of the quantity `count`, if there is one.
    """

    labels: tuple[str, ...]
    networks: tuple[Summary, ...]
    totals: dict[str, ComparedTotal]
    layers: tuple[ComparedLayer, ...]
    blocks: tuple[ComparedBlock, ...] = ()
    counting: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        heads = [summary.to_dict() for summary in self.networks]
        keys = ("name", "source", "inputs", "outputs", "batch")
        labelled = zip(self.labels, heads, strict=True)
        return {
            "networks": [{"label": label, **{key: head[key] for key in keys}} for label, head in labelled],
            "totals": {name: total.to_dict() for name, total in self.totals.items()},
            "layers": [row.to_dict() for row in self.layers],
            "blocks": [block.to_dict() for block in self.blocks],
            **({"counting": self.counting} if self.counting else {}),
        }

    def __repr__(self) -> str:
        return f"Comparison({', '.join(self.labels)})"

    def document(self, quantity: str = "macs", only_differences: bool = False) -> Document:
        """The comparison as a document, with one quantity of the layers."""
        from archcalc.analysis.comparison_document import comparison_document

        return comparison_document(self, quantity, only_differences)


def _side_by_side(values: Values, differences: Iterable[Difference]) -> dict[str, Any]:
    """Plain values for JSON: null for unknown values; `unknown` has the reasons of these and of lower bounds."""
    return {
        "values": [known(value) for value in values],
        "lower_bound": [isinstance(value, AtLeast) for value in values],
        "unknown": [reason_of(value) for value in values],
        "differences": [found.to_dict() for found in differences],
    }


def compare(
    networks: Mapping[str, AnalysisContext], depth: int | None = None, counting: str | None = None
) -> Comparison:
    """Compare networks, by their labels, with the first one. `depth` collapses blocks.

    Layers are matched by name, and between matched layers by type, keeping the order of every network. `counting` is a
    counting convention and adds the quantity `count`. Raises UsageError for fewer than two networks, for too many
    layers, and for an unknown convention.
    """
    if len(networks) < 2:
        raise UsageError(f"a comparison takes two networks or more, and gets {len(networks)}")
    every = tuple(networks.values())
    layers = sum(len(context.graph.nodes) for context in every)
    if layers > MAX_LAYERS:
        raise UsageError(f"{layers:,} layers are too many to compare; all networks together may have {MAX_LAYERS:,}")
    titles = {name: quantity.title for name, quantity in QUANTITIES.items()}
    measures = dict(MEASURES)
    if counting is not None:
        titles["count"], measures["count"] = find_convention(counting).title, by_convention(counting)
    totals = {
        name: ComparedTotal(title=titles[name], measured=tuple(measure.whole(context) for context in every))
        for name, measure in measures.items()
    }
    summaries = tuple(summarize(context).collapsed(context.graph, depth) for context in every)
    sums = [_sums(context, measures, depth) for context in every]
    arguments = [_arguments(context) for context in every]
    rows = tuple(_layers(summaries, sums, arguments))
    return Comparison(
        labels=tuple(networks),
        networks=summaries,
        totals=totals,
        layers=rows,
        blocks=tuple(_blocks(every, rows, arguments)),
        counting=counting,
    )


def distinct(labels: Sequence[str]) -> list[str]:
    """The labels, made unique by a number behind repeated ones."""
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


def _blocks(
    every: Sequence[AnalysisContext], rows: Sequence[ComparedLayer], arguments: Sequence[dict[str, Arguments]]
) -> Iterator[ComparedBlock]:
    """The common blocks that are no rows, and whose type or arguments differ from the first network's."""
    names = {row.layers[0].name for row in rows if row.layers[0]}
    first, *others = (
        {block.name: (block.type, own[block.name]) for node in context.graph.nodes for block in node.instances}
        for context, own in zip(every, arguments, strict=True)
    )
    for name, block in first.items():
        if not is_within(name, names) and all(name in other for other in others):
            changes = tuple(tuple(_changes(block, other[name])) for other in others)
            if any(changes):
                yield ComparedBlock(name, changes)


def _arguments(context: AnalysisContext) -> dict[str, Arguments]:
    """The arguments of every layer and instance of a block, by name."""
    found: dict[str, Arguments] = {}
    for node in context.graph.nodes:
        for block in node.instances:
            found.setdefault(block.name, block.arguments)
        found[node.name] = {field: getattr(node.layer, field) for field in node.layer.__struct_fields__}
    return found


def _changes(first: tuple[str, Arguments], other: tuple[str, Arguments]) -> Iterator[Change]:
    """The differences in type and in the arguments that both layers have."""
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
    """The matched layers of all networks; each network is aligned with the ones before it."""
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
    """The layers' values of additive quantities, with collapsed blocks added up."""
    columns = {name: measure.layers(context) for name, measure in measures.items() if measure.layers}
    rows = zip((node.name for node in context.graph.nodes), *columns.values(), strict=True)
    sums: dict[str, Sums] = {name: {} for name in columns}
    for group in collapse(rows, context.graph, depth):
        names, *values = zip(*group.rows, strict=True)
        for name, own in zip(columns, values, strict=True):
            sums[name][group.name] = sum_of(names, own)
    return sums
