"""Compares exported text with the network: modules, names, weights, states, and all calls in order."""

import ast
from collections.abc import Iterator
from functools import lru_cache

from archcalc.analysis.context import AnalysisContext
from archcalc.export.calls import Calls, Expression, numbered
from archcalc.export.construct import make_layer
from archcalc.export.layout import literal
from archcalc.export.making import CONTAINERS, Made, ModuleTensor, make
from archcalc.export.names import is_readable
from archcalc.export.reading import Text, UnreadableError
from archcalc.export.weights import Weights
from archcalc.structure import Group, find_structure


def find_fault(context: AnalysisContext, text: str) -> str | None:
    """The first difference between exported text and the network; None if they agree."""
    try:
        read = Text(text)
        network = make(read)
        proof = _Proof(context, read, network)
        return next(proof.faults(), None)
    except UnreadableError as error:
        return str(error)


class _Proof:
    def __init__(self, context: AnalysisContext, text: Text, network: Made) -> None:
        self._context = context
        self._nodes = context.graph.nodes
        self._text = text
        self._network = network
        self._root = find_structure(context.graph)
        self._positions = {tuple(node.name.split(".")): position for position, node in enumerate(self._nodes)}
        self._modules = [node.layer.module(context.tensors_at(at)[0]) for at, node in enumerate(self._nodes)]
        self._numbers: dict[object, int] = {}  # of tensors, by the layer or expression and its inputs
        self._made: dict[int, Made] = {}  # modules by layer
        self._seen: list[int] = []  # tensors in the order in which the text computes them

    def faults(self) -> Iterator[str]:
        """All differences."""
        yield from self._modules_that_differ()
        yield from self._weights_that_differ()
        yield from self._calls_that_differ()

    # modules

    def _modules_that_differ(self) -> Iterator[str]:
        for keys, made in self._network.every():
            position = self._positions.get(keys)
            name = ".".join(keys)
            if position is not None:
                self._made[position] = made
                if (found := _written(made)) != (expected := self._expected(position, made)):
                    yield f"{name} is made by {found}, not {expected}"
            elif made.kind not in (*CONTAINERS, *self._text.classes) and _written(made) != "nn.Identity()":
                yield f"{name} is a module that the network does not have"
        for position, node in enumerate(self._nodes):
            if position not in self._made and self._modules[position].expression is None:
                yield f"{node.name} is not made"

    def _expected(self, position: int, made: Made) -> str:
        """The constructor call of a layer, including options that the text sets to their default."""
        call = make_layer(self._nodes[position].layer, self._modules[position])
        options = {name: call.defaults[name] for name in made.options if name in call.defaults} | call.options
        return _call(call.name, tuple(call.arguments.values()), options)

    # weights

    def _weights_that_differ(self) -> Iterator[str]:
        weights = Weights(self._context, self._root)
        owners: dict[ModuleTensor, int] = {}
        for position, made in self._made.items():
            node, state = self._nodes[position], weights.layers[position]
            owner = position if node.owner is None else node.owner
            tensors = weights.tensors(position)
            if tensors and owner not in self._made:
                yield f"{node.name} shares the weights of a missing layer"
                return
            for tensor in tensors:
                holder, name = original = made.holder(tensor)
                if original != self._made[owner].holder(tensor) or owners.setdefault(original, owner) != owner:
                    yield f"{node.name}.{tensor} is not {self._nodes[owner].name}'s"
                if state.dtype is not None and holder.dtype != state.dtype:
                    yield f"{node.name}.{tensor} is {holder.dtype}"
                if state.frozen is not None and holder.is_frozen(name) != state.frozen:
                    yield f"{node.name}.{tensor} is {'trained' if state.frozen else 'frozen'}"

    # calls

    def _calls_that_differ(self) -> Iterator[str]:
        graph = self._context.graph
        inputs = (*range(graph.first_edge),)
        self._numbers = {("input", number): number for number in inputs}
        edges = [*inputs]
        for position, node in enumerate(self._nodes):
            edges.append(self._number(position, tuple(edges[source] for source in node.sources)))
        calls = Calls(self._text, self._called, self._evaluated)
        outputs = calls.outputs(self._network, inputs)
        if outputs != (expected := tuple(edges[edge] for edge in graph.outputs)):
            yield f"the outputs are {outputs}, not {expected}"
        yield from self._order_that_differs(edges[len(inputs) :])

    def _order_that_differs(self, edges: list[int]) -> Iterator[str]:
        """Check that layers are called once, in the order of the built module; unread expressions may be missing."""
        seen = iter(self._seen)
        found = next(seen, None)
        for position in _in_order(self._root):
            if edges[position] == found:
                found = next(seen, None)
            elif self._modules[position].expression is None:
                yield f"{self._nodes[position].name} is not called in order"
                return
        if found is not None:
            yield "the text calls more than the network"

    def _number(self, position: int, reads: tuple[int, ...]) -> int:
        """The number of a layer's output for some inputs."""
        template = self._modules[position].expression
        if template is None or not is_readable(template):
            return self._add((position, reads))
        text, order = _numbered(template, len(reads))
        return self._add(Expression(text, tuple(reads[number] for number in order)))

    def _add(self, how: object) -> int:
        return self._numbers.setdefault(how, len(self._numbers))

    def _called(self, keys: tuple[str, ...], reads: tuple[int, ...]) -> int:
        position = self._positions.get(keys)
        if position is None:
            if len(reads) != 1:
                raise UnreadableError(f"{'.'.join(keys)} cannot be called")
            return reads[0]  # nn.Identity, as the modules were checked before
        self._seen.append(self._number(position, reads))
        return self._seen[-1]

    def _evaluated(self, expression: Expression) -> int:
        if expression not in self._numbers:
            raise UnreadableError(f"the network has no {expression.text} of {expression.reads}")
        self._seen.append(self._numbers[expression])
        return self._seen[-1]


@lru_cache(maxsize=1024)
def _numbered(template: str, inputs: int) -> tuple[str, tuple[int, ...]]:
    """A layer's expression in the form of `numbered`, and its inputs in order."""
    names = (f"input_{number}" for number in range(inputs))
    text, found = numbered(ast.parse(template.format(*names), mode="eval").body)
    return text, tuple(int(name.removeprefix("input_")) for name in found)


def _in_order(group: Group) -> Iterator[int]:
    """The layers in the order in which the built module calls them."""
    for unit in group.called:
        if isinstance(unit, Group):
            yield from _in_order(unit)
        else:
            yield unit


def _written(made: Made) -> str:
    return _call(made.kind, made.arguments, made.options)


def _call(kind: str, arguments: tuple[object, ...], options: dict[str, object]) -> str:
    items = [*map(literal, arguments), *(f"{name}={literal(options[name])}" for name in sorted(options))]
    return f"{kind}({', '.join(items)})"
