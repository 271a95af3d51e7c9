"""A network at other sizes of its inputs, layer by layer: plain sizes, or one that is not said."""

from collections.abc import Iterator
from typing import Any

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.facts import LayerFacts, facts_of, find_misfits
from archcalc.analysis.in_place import check_in_place, memory_of
from archcalc.analysis.resizing import Extent, resized
from archcalc.arithmetic import Window
from archcalc.layers.base import Layer, Read, Tensor, Tensors
from archcalc.numbers.varying import Varying

Edges = list[Tensor | None]


class ResizedNetwork:
    """A network with other sizes along some axes of its inputs: those of one size, which change together."""

    def __init__(self, analysed: AnalysedGraph, axes: list[Extent], size: int) -> None:
        self.graph, self.axes, self.size = analysed.graph, axes, size
        self.own = [facts for facts in analysed.shapes.facts if facts is not None]  # all: it has no problems
        self.windows: dict[int, list[int]] = {}
        for position, axis in sliding_windows(analysed, axes):
            self.windows.setdefault(position, []).append(axis)
        self.sharing: dict[int, list[int]] = {}  # by layer, those before it with the same weights
        for position, node in enumerate(self.graph.nodes):
            if node.owner is not None:
                self.sharing.setdefault(max(position, node.owner), []).append(min(position, node.owner))
        self.has_layers_in_place = any(node.layer.works_in_place for node in self.graph.nodes)
        self.last_reads = self._find_last_reads(len(analysed.names))

    def inputs(self, size: Any) -> tuple[Tensor | None, ...]:
        """The inputs at a size."""
        return tuple(resized(self.graph, self.axes, {self.size: size}).inputs.values())

    def facts(self, position: int, edges: Edges, known: dict[Any, LayerFacts | None]) -> LayerFacts | None:
        """What the layer at a position says of itself with what it reads; None if it does not fit."""
        found = self._own_facts(position, edges, known)
        others = (self._own_facts(other, edges, known) for other in self.sharing.get(position, ()))
        fits = found is not None and all(other is not None and _weights(other) == _weights(found) for other in others)
        return found if fits else None

    def _own_facts(self, position: int, edges: Edges, known: dict[Any, LayerFacts | None]) -> LayerFacts | None:
        return _facts(self.graph.nodes[position].layer, self._read(position, edges), known)

    def _find_last_reads(self, count: int) -> list[int]:
        """The last layer that needs each edge; one with the weights of another before it needs what that reads."""
        last = [-1] * count
        for position in range(len(self.graph.nodes)):
            for reader in (position, *self.sharing.get(position, ())):
                for edge in self.graph.nodes[reader].sources:
                    last[edge] = position
        return last

    def _read(self, position: int, edges: Edges) -> Tensors:
        return tuple(tensor for source in self.graph.nodes[position].sources if (tensor := edges[source]) is not None)

    def keeps_weights(self, position: int, facts: LayerFacts) -> bool:
        """Whether the layer's parameters and buffers have the shapes that they have at the spec's own size."""
        return facts is self.own[position] or _weights(facts) == _weights(self.own[position])

    def keeps_memory(self, position: int, facts: LayerFacts) -> bool:
        """Whether layers in place find the same there as at the spec's own size, at which they overwrite nothing."""
        if not self.has_layers_in_place or facts is self.own[position]:
            return True
        return memory_of(facts) == memory_of(self.own[position])

    def overwrites(self, size: int) -> bool:
        """Whether a layer in place overwrites what is still needed."""
        return bool(check_in_place(AnalysedGraph(resized(self.graph, self.axes, {self.size: size}))))

    def drops(self, position: int, facts: LayerFacts) -> bool:
        """Whether a window that slides along the axes in question leaves positions at the end unread."""
        return any(_drops(facts, axis) for axis in self.windows.get(position, ()))

    def still_read(self, edges: Edges, position: int) -> tuple[Tensor | None, ...]:
        """The tensors that layers from a position on read."""
        return tuple(tensor if last >= position else None for tensor, last in zip(edges, self.last_reads, strict=False))


def _facts(layer: Layer, inputs: Tensors, known: dict[Any, LayerFacts | None]) -> LayerFacts | None:
    if not any(isinstance(size, Varying) for tensor in inputs for size in tensor.shape):
        facts = facts_of(layer, inputs)
        return facts if facts.fits else None
    key = layer, *map(_key, inputs)
    if key not in known:
        known[key] = None if next(find_misfits(layer, inputs), None) else LayerFacts(layer, inputs)
    return known[key]


def _key(tensor: Tensor) -> tuple[Any, ...]:
    """What tells a tensor from others at the same sizes; a size that is not said cannot be hashed itself."""
    return (tensor._replace(shape=()), *(n.key if isinstance(n, Varying) else n for n in tensor.shape))


def _weights(facts: LayerFacts) -> dict[str, Any]:
    return facts.parameters | facts.buffers


def _drops(facts: LayerFacts, axis: int) -> bool:
    window: Window = facts.windows[axis]
    return window.stride != 1 and bool(window.dropped(facts.inputs[0].shape[axis], facts.output.shape[axis]))


def sliding_windows(analysed: AnalysedGraph, axes: list[Extent]) -> Iterator[tuple[int, int]]:
    """The layers with a window that slides along the axes in question, and the axis of what they read."""
    graph = analysed.graph
    along: list[set[int]] = [{extent.axis for extent in axes if extent.source == name} for name in graph.inputs]
    for position, node in enumerate(graph.nodes):
        facts = analysed.shapes.facts[position]
        assert facts is not None  # or else there would be problems
        yield from ((position, axis) for axis in facts.windows if axis in along[node.sources[0]])
        moved = set[int]()
        for edge, reads in zip(node.sources, facts.reads, strict=True):
            moved |= {read.axis for axis, read in enumerate(reads) if axis in along[edge] and _moves(read)}
        along.append(moved)


def _moves(read: Read) -> bool:
    """Whether the units of a layer lie along an axis of its input, and each reads another part of it."""
    return not read.mixed and not (isinstance(read.window, Window) and read.window.stride == 0)
