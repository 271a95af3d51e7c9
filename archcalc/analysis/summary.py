"""The summary of a network as values: a row per layer, and totals."""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from msgspec import Struct, structs

from archcalc.analysis.context import AnalysisContext, remembered
from archcalc.analysis.field import ReceptiveField, receptive_field
from archcalc.analysis.layout import missing_flattens, mistake
from archcalc.analysis.operations import Operations
from archcalc.analysis.parameters import Parameters
from archcalc.analysis.receptive_field import Field
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Count, Shape, Tensor, size_text
from archcalc.numbers.bounds import Amount, AtLeast, Lower, Unknown, known, reason_of, times, total, value_text
from archcalc.render.document import Document
from archcalc.render.result import Result
from archcalc.spec.expanded import Instance

if TYPE_CHECKING:
    from archcalc.analysis.conventions import Convention
    from archcalc.analysis.counting import ConventionCount


class LayerSummary(Struct, frozen=True, gc=False):
    """The row of a layer or of a collapsed block.

    `output_shape` excludes the batch; operations are for the whole batch. A count is a number, Unknown, or AtLeast for
    a block with an unknown layer. `unknown` has the reasons for Unknown counts and for an unknown receptive field.
    `count` and `activations` are by the summary's counting convention; None without one.
    """

    name: str
    type: str
    inputs: tuple[str, ...]
    output_shape: Shape
    parameters: int
    trainable_parameters: int
    buffers: int
    macs: Amount
    operations: dict[str, Amount]
    connections: Amount
    receptive_field: ReceptiveField | None
    unknown: dict[str, str]
    count: Amount | None = None
    activations: Amount | None = None

    def __repr__(self) -> str:
        counts = f"{self.parameters:,} parameters, {value_text(self.macs)} MACs"
        return f"LayerSummary({self.name!r}, {self.type}, {size_text(self.output_shape)}, {counts})"

    @property
    def flops(self) -> Amount:
        """Two for each MAC."""
        return times(2, self.macs)

    @property
    def counted(self) -> dict[str, Any]:
        """The counts by the counting convention."""
        return {"count": self.count, "activations": self.activations}

    @property
    def lower_bounds(self) -> dict[str, str]:
        """The reason for each count that is a lower bound."""
        return {what: value.reason for what, value in self.counts.items() if isinstance(value, AtLeast)}

    @property
    def counts(self) -> dict[str, Any]:
        """Every count that may be unknown or a bound."""
        return {**self.operations, "macs": self.macs, "connections": self.connections, **self.counted}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        field = self.receptive_field
        return {
            "name": self.name,
            "type": self.type,
            "inputs": list(self.inputs),
            "output_shape": list(self.output_shape),
            "parameters": self.parameters,
            "trainable_parameters": self.trainable_parameters,
            "buffers": self.buffers,
            "macs": known(self.macs),
            "operations": {kind: known(count) for kind, count in self.operations.items()},
            "connections": known(self.connections),
            "receptive_field": field.to_dict() if field else None,
            "unknown": self.unknown,
            "lower_bounds": self.lower_bounds,
        }


class Totals(Struct, frozen=True, gc=False):
    """Sums over the network; AtLeast if a layer's count is unknown."""

    parameters: int
    trainable_parameters: int
    buffers: int
    macs: Lower[int]
    connections: Lower[int]

    @property
    def frozen_parameters(self) -> int:
        """Parameters that are not trained."""
        return self.parameters - self.trainable_parameters

    @property
    def flops(self) -> Lower[int]:
        """Two for each MAC."""
        return times(2, self.macs)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `lower_bounds` has the reason for each total that is a lower bound."""
        counts = {"macs": self.macs, "flops": self.flops, "connections": self.connections}
        return {
            "parameters": self.parameters,
            "trainable_parameters": self.trainable_parameters,
            "buffers": self.buffers,
            **{what: known(value) for what, value in counts.items()},
            "lower_bounds": {what: reason_of(value) for what, value in counts.items() if isinstance(value, AtLeast)},
        }


class Counting(Struct, frozen=True, gc=False):
    """The operations and activations of a network by a counting convention."""

    convention: "Convention"
    operations: "ConventionCount"
    activations: "ConventionCount"

    @property
    def counts(self) -> "dict[str, ConventionCount]":
        """The counts of operations and activations, by the names of their columns."""
        return {"count": self.operations, "activations": self.activations}

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `lower_bounds` has the reason for each total that is a lower bound."""
        return {
            "name": self.convention.name,
            "source": self.convention.source,
            "counts": self.convention.sentence,
            "unit": self.operations.unit,
            "activations_unit": self.activations.unit,
            **{what: known(count.total) for what, count in self.counts.items()},
            "lower_bounds": {
                what: reason for what, count in self.counts.items() if (reason := reason_of(count.total)) is not None
            },
        }


class Layers(tuple[LayerSummary, ...]):
    """The rows of layers, indexed by number or name."""

    __slots__ = ()

    def __repr__(self) -> str:
        ends = [row.name for row in (self[0], self[-1])] if self else []
        return f"Layers({len(self):,}: {' … '.join(dict.fromkeys(ends))})"

    def __getitem__(self, key: Any) -> Any:
        """A row by number or name, or several by a slice. Raises UsageError for an unknown name."""
        if not isinstance(key, str):
            return super().__getitem__(key)
        for row in self:
            if row.name == key:
                return row
        raise UsageError(f"no layer is called {quoted(key)}", did_you_mean(key, [row.name for row in self]))


class TreeRow(NamedTuple):
    """A row of a tree: a layer, or a block above its layers, with the numbers of an analysis."""

    row: Any
    level: int
    is_block: bool


class Summary(Struct, Result, frozen=True, gc=False, kw_only=True):
    """A network as rows and totals. `inputs` has shapes without the batch. `complete` is False if a layer does not fit.

    `hints` has likely mistakes in words. `counting` is the counting convention of the rows' `count` and `activations`,
    if there is one. `tree` has the rows of layers and of their blocks, if `nested` made it.
    """

    name: str
    source: str | None
    inputs: dict[str, Shape]
    outputs: tuple[str, ...]
    batch: int
    layers: Layers
    totals: Totals
    complete: bool
    hints: tuple[str, ...] = ()
    counting: Counting | None = None
    tree: tuple[TreeRow, ...] = ()

    def __repr__(self) -> str:
        return f"Summary({self.name!r}, {len(self.layers):,} rows, {self.totals.parameters:,} parameters)"

    def document(self, columns: Sequence[str] | None = None) -> Document:
        """The summary as a document. Raises UsageError for columns of a convention if there is none."""
        from archcalc.analysis.summary_document import DEFAULT_COLUMNS, summary_document

        return summary_document(self, columns or DEFAULT_COLUMNS)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as `--format json` prints them."""
        rows = [row.to_dict() for row in self.layers]
        if self.counting:
            for row, plain in zip(self.layers, rows, strict=True):
                plain |= {what: known(value) for what, value in row.counted.items()}
        return {
            "name": self.name,
            "source": self.source,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": list(self.outputs),
            "batch": self.batch,
            "layers": rows,
            "totals": self.totals.to_dict(),
            **({"counting": self.counting.to_dict()} if self.counting else {}),
        }

    def counted(self, counting: Counting) -> "Summary":
        """The same with a `count` and `activations` in every row."""
        rows = zip(self.layers, counting.operations.layers, counting.activations.layers, strict=True)
        return structs.replace(self, layers=Layers(_with_counts(*found) for found in rows), counting=counting)

    def nested(self, graph: Graph) -> "Summary":
        """The same with a `tree`, which has a row of sums above the rows of each block."""
        return structs.replace(self, tree=_nest(self.layers, graph))

    def collapsed(self, graph: Graph, depth: int | None) -> "Summary":
        """The same with blocks collapsed below `depth`, and unchanged totals; None opens all blocks."""
        return self if depth is None else structs.replace(self, layers=Layers(_collapse(self.layers, graph, depth)))


@remembered
def summarize(context: AnalysisContext) -> Summary:
    """The rows of a network up to the first layer of unknown shape, and their totals."""
    graph, names, first = context.graph, context.graph.edge_names, context.graph.first_edge
    fields = context.receptive_fields.edges[first:]
    columns = graph.nodes, context.tensors[first:], context.parameters, context.operations, fields
    rows = Layers([_summarize_layer(names, *found) for found in zip(*columns, strict=False)])
    return Summary(
        name=graph.name,
        source=graph.source,
        inputs={name: tensor.shape for name, tensor in graph.inputs.items()},
        outputs=tuple(names[edge] for edge in graph.outputs),
        batch=context.batch,
        layers=rows,
        totals=_add_up(rows),
        complete=len(rows) == len(graph.nodes),
        hints=_hints(context),
    )


def _hints(context: AnalysisContext) -> tuple[str, ...]:
    """The most common mistake: a missing flatten before a dense layer."""
    found = missing_flattens(context)
    if not found:
        return ()
    first, more = found[0], f" (and so do {len(found) - 1} more)" if len(found) > 1 else ""
    read = f"{quoted(first.node.name)} reads the last axis of {size_text(first.shape)} alone{more}"
    return (f"{mistake(context, first)}: {read}; archcalc check says more",)


def _summarize_layer(
    names: tuple[str, ...],
    node: Node,
    output: Tensor | None,
    parameters: Parameters,
    operations: Operations,
    field: Field | Unknown | None,
) -> LayerSummary:
    assert output is not None  # the columns of parameters and operations end before such a layer
    unknown = {**operations.unknown}
    if isinstance(field, Unknown):
        unknown["receptive_field"] = field.reason
    return LayerSummary(
        name=node.name,
        type=node.layer.type,
        inputs=tuple([names[source] for source in node.sources]),
        output_shape=output.shape,
        parameters=parameters.total,
        trainable_parameters=parameters.trainable,
        buffers=parameters.buffers,
        macs=operations.macs,
        operations=dict(operations.by_kind),
        connections=operations.connections,
        receptive_field=receptive_field(field, names) if isinstance(field, Field) else None,
        unknown=unknown,
    )


def _with_counts(row: LayerSummary, count: Count, activations: Count) -> LayerSummary:
    counts = {"count": count, "activations": activations}
    unknown = {what: found.reason for what, found in counts.items() if isinstance(found, Unknown)}
    return structs.replace(row, **counts, unknown=row.unknown | unknown)


def _add_up(rows: tuple[LayerSummary, ...]) -> Totals:
    """The totals of all rows."""
    return Totals(
        sum([row.parameters for row in rows]),
        sum([row.trainable_parameters for row in rows]),
        sum([row.buffers for row in rows]),
        total((row.name, row.macs) for row in rows),
        total((row.name, row.connections) for row in rows),
    )


def _nest(rows: tuple[LayerSummary, ...], graph: Graph) -> tuple[TreeRow, ...]:
    """Rows of layers, with the rows of all blocks above their own layers."""
    blocks, by_name = _blocks_of(graph), {row.name: row for row in rows}
    instances = {block.name: block for around in blocks.values() for block in around}
    members: dict[str, list[LayerSummary]] = {}
    parts: dict[str, dict[str, None]] = {"": {}}  # of the network and of every block, by their first layer
    for row in rows:
        for block in blocks[row.name]:
            members.setdefault(block.name, []).append(row)
        for around, part in pairwise(["", *(block.name for block in blocks[row.name]), row.name]):
            parts.setdefault(around, {})[part] = None
    found, waiting = [], [(name, 0) for name in reversed(parts[""])]
    while waiting:
        name, level = waiting.pop()
        row = by_name[name] if name in by_name else _sum_up(instances[name], members[name], graph)
        found.append(TreeRow(row, level, is_block=name not in by_name))
        waiting += [(part, level + 1) for part in reversed(parts.get(name, {}))]
    return tuple(found)


def nest_like(tree: Sequence[TreeRow], rows_at: Callable[[int | None], Iterable[Any]]) -> tuple[TreeRow, ...]:
    """A tree of the same layers and blocks with rows of another analysis; `rows_at` collapses them below a depth."""
    deepest = max((found.level for found in tree), default=0) + 1
    rows = {row.name: row for depth in (None, *range(1, deepest + 1)) for row in rows_at(depth)}
    return tuple(found._replace(row=rows[found.row.name]) for found in tree)


def _blocks_of(graph: Graph) -> dict[str, tuple[Instance, ...]]:
    """The blocks around each layer and each block, outermost first."""
    found: dict[str, tuple[Instance, ...]] = {}
    for node in graph.nodes:
        found[node.name] = node.instances
        for level, block in enumerate(node.instances):
            found.setdefault(block.name, node.instances[:level])
    return found


def _sum_up(block: Instance, rows: list[LayerSummary], graph: Graph) -> LayerSummary:
    output = graph.block_outputs.get(block.name)
    last = next((row for row in rows if row.name == output), rows[-1])
    return add_rows(block.name, block.type, (), rows, last)


def _collapse(rows: tuple[LayerSummary, ...], graph: Graph, depth: int) -> tuple[LayerSummary, ...]:
    """Rows with the blocks at `depth` collapsed."""
    from archcalc.analysis.collapse import collapse

    groups = collapse(rows, graph, depth)
    group_of = {row.name: group.name for group in groups for row in group.rows}
    collapsed = []
    for name, block, own, last in groups:
        sources = dict.fromkeys(group_of.get(source, source) for row in own for source in row.inputs)
        inputs = tuple(source for source in sources if source != name)
        alone = len(own) == 1 and last.name == name
        collapsed.append(structs.replace(last, inputs=inputs) if alone else add_rows(name, block, inputs, own, last))
    return tuple(collapsed)


def add_rows(
    name: str, block: str, inputs: tuple[str, ...], rows: list[LayerSummary], last: LayerSummary
) -> LayerSummary:
    """The row of a block; `last` is the row of the block's output layer."""
    names = [row.name for row in rows]
    kinds = dict.fromkeys(kind for row in rows for kind in row.operations)
    macs, connections = sum_of(names, [row.macs for row in rows]), sum_of(names, [row.connections for row in rows])
    operations = {kind: sum_of(names, [row.operations.get(kind, 0) for row in rows]) for kind in kinds}
    counted = {
        what: None if values[0] is None else sum_of(names, values)
        for what in ("count", "activations")
        if (values := [getattr(row, what) for row in rows])
    }
    every = {**operations, "macs": macs, "connections": connections, **counted}
    unknown = {what: value.reason for what, value in every.items() if isinstance(value, Unknown)}
    field = {what: why for what, why in last.unknown.items() if what == "receptive_field"}
    return LayerSummary(
        name=name,
        type=block,
        inputs=inputs,
        output_shape=last.output_shape,
        parameters=sum(row.parameters for row in rows),
        trainable_parameters=sum(row.trainable_parameters for row in rows),
        buffers=sum(row.buffers for row in rows),
        macs=macs,
        operations=operations,
        connections=connections,
        receptive_field=last.receptive_field,
        unknown=unknown | field,
        **counted,
    )


def sum_of(names: Sequence[str], values: Sequence[Amount]) -> Amount:
    """The sum over layers; unknown if all known values are 0, or a lower bound if some values are unknown."""
    found = total(zip(names, values, strict=True))
    return Unknown(found.reason) if isinstance(found, AtLeast) and not found.value else found
