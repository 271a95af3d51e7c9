"""Closed forms of parameters, MACs and shapes: the formulas of layers, run on numbers with SymPy expressions.

The spec is expanded a second time, with symbols in place of some of its numbers. The values of these numbers still
decide the structure (`repeat`, `when`, comparisons), and each decision is a condition of the closed form.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import count
from operator import methodcaller
from typing import Any, NamedTuple

import sympy
from msgspec import Struct, structs

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.in_place import check_in_place
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.operations import count_operations
from archcalc.analysis.parameters import count_parameters
from archcalc.errors import UsageError, quoted
from archcalc.graph import Graph, Node, connect, connect_sound
from archcalc.layers.base import AXIS_NAMES, Layer, Shape, Tensor, Tensors
from archcalc.numbers.bounds import Unknown, at_least, causes_of, known, mapped, total
from archcalc.render.document import Document
from archcalc.render.result import Result
from archcalc.spec.document import SpecDocument
from archcalc.spec.expansion import expand
from archcalc.symbolic.conditions import strongest
from archcalc.symbolic.forms import readable, tidy
from archcalc.symbolic.number import Algebra, Symbolic, expression_of
from archcalc.symbolic.symbol_binding import place

# The first letter of an intermediate result's name, by its field or axis.
FIELD_LETTERS = {"out_channels": "C", "out_features": "F", "groups": "G", "padding": "P", "kernel_size": "K"}
AXIS_LETTERS = {"channels": "C", "features": "F", "length": "L", "depth": "D", "height": "H", "width": "W"}


class LayerFormula(NamedTuple):
    """The closed forms of one layer, as SymPy expressions. A layer that uses another's weights has 0 parameters."""

    name: str
    type: str
    output_shape: Shape
    parameters: Any
    macs: Any  # an expression, or Unknown


class Formula(Struct, Result, frozen=True, kw_only=True):
    """The closed forms of a network, as SymPy expressions in `symbols` and in the names of `definitions`.

    They equal the results of `load` for all values for which layers fit and `conditions` hold. `values` has the spec's
    value of every symbol. `macs` count the whole `batch`, and are AtLeast if a layer's count is unknown.
    """

    name: str
    source: str | None
    values: dict[Any, Any]
    batch: Any
    inputs: dict[str, Shape]
    outputs: dict[str, Shape]
    parameters: Any
    macs: Any  # an expression, or AtLeast with one
    layers: tuple[LayerFormula, ...]
    definitions: dict[Any, Any]
    conditions: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"Formula({self.name!r} in {', '.join(map(str, self.values))})"

    def document(self, layers: Sequence[str] | None = None) -> Document:
        """The closed forms as a document; with `layers` only of these layers and blocks."""
        from archcalc.analysis.formula_document import formula_document

        return formula_document(self, layers)

    @property
    def symbols(self) -> tuple[Any, ...]:
        """The symbols, without the names of intermediate results."""
        return tuple(self.values)

    def substituted(self, expression: Any) -> Any:
        """An expression of this formula with all definitions substituted, in `symbols` alone."""
        for name, definition in reversed(self.definitions.items()):
            expression = mapped(expression, methodcaller("xreplace", {name: definition}))
        return expression

    def numbers(self, values: Mapping[str, Any] | None = None) -> dict[Any, Any]:
        """The values of symbols and definitions, as SymPy's `xreplace` takes them.

        `values` has the values of symbols by name; other symbols have their value in the spec.
        """
        replaced = {} if values is None else values
        found = {symbol: expression_of(replaced.get(symbol.name, own)) for symbol, own in self.values.items()}
        for name, definition in self.definitions.items():
            found[name] = definition.xreplace(found)
        return found

    def value(self, expression: Any, values: Mapping[str, Any] | None = None) -> Any:
        """The value of an expression or condition for values of the symbols by name; by default the spec's."""
        return mapped(expression, methodcaller("xreplace", self.numbers(values)))


class SymbolicLayer(NamedTuple):
    """A layer's numbers before they get their final form."""

    node: Node
    output: Tensor
    parameters: Any
    macs: Any


def derive(graph: Graph, algebra: Algebra, symbols: Mapping[str, Symbolic], batch: Any) -> Formula:
    """Derive the closed forms of a graph with symbols in its layers and inputs."""
    edges = [_named_sizes(tensor, None, algebra) for tensor in graph.inputs.values()]
    layers = [*_layers(graph, edges, batch, algebra)]
    counted = [layer.macs for layer in layers if not isinstance(layer.macs, Unknown)]
    missing = causes_of(total([(row.node.name, row.macs) for row in layers if isinstance(row.macs, Unknown)]))
    names = [*graph.inputs, *(node.name for node in graph.nodes)]
    publish = Publisher(algebra, {number.expression for number in symbols.values()})
    conditions = map(publish.condition, strongest([*algebra.conditions]))
    return Formula(
        name=graph.name,
        source=graph.source,
        values={number.expression: number.value for number in symbols.values()},
        batch=publish(batch),
        inputs={name: publish.shape(tensor.shape) for name, tensor in zip(graph.inputs, edges, strict=False)},
        outputs={names[edge]: publish.shape(edges[edge].shape) for edge in graph.outputs},
        parameters=publish(sympy.Add(*(expression_of(layer.parameters) for layer in layers))),
        macs=at_least(publish(sympy.Add(*map(expression_of, counted))), missing),
        layers=tuple(publish.layer(layer) for layer in layers),
        definitions=publish.definitions,
        conditions=tuple(found for found in conditions if found.free_symbols),
    )


def _layers(graph: Graph, edges: list[Tensor], batch: Any, algebra: Algebra) -> Iterator[SymbolicLayer]:
    """The layers in order; appends the output of each to `edges`."""
    found: dict[tuple[Layer, Tensors], InferredLayer] = {}
    for node in graph.nodes:
        layer = _named_fields(node.layer, algebra)
        key = layer, tuple(edges[source] for source in node.sources)
        if key not in found:
            inferred = found[key] = InferredLayer(*key)
            inferred.output = _named_sizes(inferred.output, layer, algebra)  # operations are counted in these names
        inferred = found[key]
        edges.append(inferred.output)
        macs = count_operations(inferred, 1).macs
        whole = macs if isinstance(macs, Unknown) else batch * macs
        yield SymbolicLayer(node, inferred.output, count_parameters(node, inferred).total, whole)


def _named_fields(layer: Layer, algebra: Algebra) -> Layer:
    """The layer with names in place of fields that are more than a product of symbols."""

    def named(value: Any, letter: str) -> Any:
        return tuple(named(item, letter) for item in value) if isinstance(value, tuple) else shortened(value, letter)

    shortened = algebra.shortened
    fields = {field: getattr(layer, field) for field in layer.__struct_fields__}
    return type(layer)(**{field: named(value, FIELD_LETTERS.get(field, "n")) for field, value in fields.items()})


def _named_sizes(tensor: Tensor, layer: Layer | None, algebra: Algebra) -> Tensor:
    """The tensor with names in place of sizes that are more than a product of symbols."""
    rank = len(tensor.shape)
    axes = AXIS_NAMES.get(rank, ("",) * rank)
    if layer is not None and layer.channel_axis == -1 and rank == 2:
        axes = ("tokens", "features")
    letters = (AXIS_LETTERS.get(axis, axis[:1].upper() or "n") for axis in axes)
    shape = tuple(
        algebra.shortened(size, letter, positive=True) for size, letter in zip(tensor.shape, letters, strict=True)
    )
    return Tensor(shape, tensor.dtype, tensor.nonzeros)


class Publisher:
    """Names intermediate results, and brings expressions into their final form."""

    def __init__(self, algebra: Algebra, taken: set[Any]) -> None:
        self.algebra = algebra
        self.names: dict[Any, Any] = {}
        self.definitions: dict[Any, Any] = {}
        self._taken = {symbol.name for symbol in taken}
        self._numbers: dict[str, Iterator[int]] = {}
        self._published: dict[Any, Any] = {}
        for name in algebra.definitions:
            if name not in algebra.inline:
                self._define(name)

    def _define(self, name: Any) -> None:
        numbers = self._numbers.setdefault(name.name, count(1))
        final = next(final for number in numbers if (final := f"{name.name}_{number}") not in self._taken)
        self.names[name] = sympy.Symbol(final, **name.assumptions0)
        self.definitions[self.names[name]] = tidy(self._final(self.algebra.definitions[name]))

    def _final(self, expression: Any) -> Any:
        return expression.xreplace(self.algebra.inline).xreplace(self.names)

    def __call__(self, number: Any) -> Any:
        if isinstance(number, Unknown):
            return number
        expression = number if isinstance(number, sympy.Basic) else expression_of(number)
        if expression not in self._published:
            self._published[expression] = readable(self._final(expression))
        return self._published[expression]

    def shape(self, sizes: Shape) -> Shape:
        """Sizes in their final form."""
        return tuple(map(self, sizes))

    def layer(self, layer: SymbolicLayer) -> LayerFormula:
        """A layer's numbers in their final form."""
        shape = self.shape(layer.output.shape)
        return LayerFormula(layer.node.name, layer.node.layer.type, shape, self(layer.parameters), self(layer.macs))

    def condition(self, relation: Any) -> Any:
        """A condition in its final form."""
        return type(relation)(*(tidy(self(side)) for side in relation.args), evaluate=False)


def find_formula(
    document: SpecDocument,
    names: Iterable[str],
    variables: Mapping[str, Any],
    inputs: Mapping[str, Sequence[int | str]],
    training: bool,
    batch: int | str,
) -> Formula:
    """Derive the closed forms of a spec, with symbols in place of some of its numbers. Raises SpecError, UsageError."""
    algebra = Algebra()
    placed = place(document, names, variables, inputs, training, algebra)
    # The spec is expanded with its numbers first, which finds all its faults.
    context = AnalysisContext(connect_sound(document, expand(document, placed.variables, placed.inputs, training)))
    if problems := [*context.graph.problems, *context.problems] or check_in_place(context):
        raise document.error(problems)
    symbolic = expand(document, placed.symbolic_variables, placed.symbolic_inputs, training)
    symbols = placed.symbols
    if isinstance(batch, str):
        symbols = {**symbols, batch: _batch(batch, symbols, context.graph, algebra)}
    graph = connect(document, symbolic)
    formula = derive(graph, algebra, symbols, symbols.get(str(batch), batch))
    _check(formula, AnalysisContext(_with_nonzeros_of(graph, context.graph)))
    return formula


def _with_nonzeros_of(symbolic: Graph, graph: Graph) -> Graph:
    """The graph, in which nonzeros are unknown where the symbolic graph does not know them."""
    unknown = {
        name: tensor.nonzeros for name, tensor in symbolic.inputs.items() if isinstance(tensor.nonzeros, Unknown)
    }
    inputs = {name: graph.inputs[name]._replace(nonzeros=nonzeros) for name, nonzeros in unknown.items()}
    return structs.replace(graph, inputs={**graph.inputs, **inputs})


def _batch(name: str, symbols: Mapping[str, Symbolic], graph: Graph, algebra: Algebra) -> Symbolic:
    if not name.isidentifier() or name in symbols or name in graph.variables:
        raise UsageError(
            f"{quoted(name)} cannot stand for the batch", "use a letter that means nothing else, such as N"
        )
    return algebra.symbol(name, 1)


def _check(formula: Formula, context: AnalysisContext) -> None:
    """Raise UsageError unless the closed forms equal the summary at the spec's own values."""
    macs = sum(row.macs for row in context.operations if not isinstance(row.macs, Unknown))
    expected = [sum(row.total for row in context.parameters), macs * formula.value(formula.batch)]
    found = [formula.value(formula.parameters), formula.value(known(formula.macs))]
    for name, shape in formula.outputs.items():
        expected.extend(context.tensors[context.graph.edge_names.index(name)].shape)  # type: ignore[union-attr]  # all fit
        found.extend(map(formula.value, shape))
    if found != expected:
        message = "the closed form differs from the summary: intermediate numbers are too large for decimals"
        raise UsageError(message, "give the symbols other values, or leave one out")
