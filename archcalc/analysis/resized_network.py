"""A network at other sizes of its inputs, layer by layer: at given sizes, or at a varying one."""

from collections.abc import Iterator
from typing import Any

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.in_place import check_in_place, memory_effects
from archcalc.analysis.inferred_layer import InferredLayer, check_constraints, infer_layer
from archcalc.analysis.resizing import Extent, resized
from archcalc.arithmetic import Window
from archcalc.layers.base import Dependency, Layer, Tensor, Tensors
from archcalc.numbers.varying import Varying

Edges = list[Tensor | None]


class ResizedNetwork:
    """A network with another size along some axes of its inputs, which are equal and are resized together."""

    def __init__(self, context: AnalysisContext, axes: list[Extent], size: int) -> None:
        self.graph, self.axes, self.size = context.graph, axes, size
        self.own = [inferred for inferred in context.shapes.inferred if inferred is not None]  # none is None here
        self.windows: dict[int, list[int]] = {}
        for position, axis in sliding_windows(context, axes):
            self.windows.setdefault(position, []).append(axis)
        self.sharing: dict[int, list[int]] = {}  # by layer, the earlier layers with the same weights
        for position, node in enumerate(self.graph.nodes):
            if node.owner is not None:
                self.sharing.setdefault(max(position, node.owner), []).append(min(position, node.owner))
        self.has_layers_in_place = any(node.layer.works_in_place for node in self.graph.nodes)
        self.last_reads = self._find_last_reads(len(context.graph.edge_names))

    def inputs(self, size: Any) -> tuple[Tensor | None, ...]:
        """The inputs at a size."""
        return tuple(resized(self.graph, self.axes, {self.size: size}).inputs.values())

    def inferred(self, position: int, edges: Edges, known: dict[Any, InferredLayer | None]) -> InferredLayer | None:
        """The inferred layer at a position for the tensors on its edges; None if it does not fit."""
        found = self._own_layer(position, edges, known)
        others = (self._own_layer(other, edges, known) for other in self.sharing.get(position, ()))
        fits = found is not None and all(other is not None and _weights(other) == _weights(found) for other in others)
        return found if fits else None

    def _own_layer(self, position: int, edges: Edges, known: dict[Any, InferredLayer | None]) -> InferredLayer | None:
        return _inferred(self.graph.nodes[position].layer, self._read(position, edges), known)

    def _find_last_reads(self, count: int) -> list[int]:
        """The last layer that needs each edge; a layer also needs the inputs of earlier layers with its weights."""
        last = [-1] * count
        for position in range(len(self.graph.nodes)):
            for reader in (position, *self.sharing.get(position, ())):
                for edge in self.graph.nodes[reader].sources:
                    last[edge] = position
        return last

    def _read(self, position: int, edges: Edges) -> Tensors:
        return tuple(tensor for source in self.graph.nodes[position].sources if (tensor := edges[source]) is not None)

    def keeps_weights(self, position: int, inferred: InferredLayer) -> bool:
        """Whether the layer's parameters and buffers have the same shapes as at the spec's size."""
        return inferred is self.own[position] or _weights(inferred) == _weights(self.own[position])

    def keeps_memory(self, position: int, inferred: InferredLayer) -> bool:
        """Whether the layer is as safe for in-place layers as at the spec's size."""
        if not self.has_layers_in_place or inferred is self.own[position]:
            return True
        return memory_effects(inferred) == memory_effects(self.own[position])

    def overwrites(self, size: int) -> bool:
        """Whether a layer overwrites a value that is still needed."""
        return bool(check_in_place(AnalysisContext(resized(self.graph, self.axes, {self.size: size}))))

    def drops(self, position: int, inferred: InferredLayer) -> bool:
        """Whether a window along the resized axes leaves positions at the end unread."""
        return any(_drops(inferred, axis) for axis in self.windows.get(position, ()))

    def still_read(self, edges: Edges, position: int) -> tuple[Tensor | None, ...]:
        """The tensors that layers from a position on read; None for others."""
        return tuple(tensor if last >= position else None for tensor, last in zip(edges, self.last_reads, strict=False))


def _inferred(layer: Layer, inputs: Tensors, known: dict[Any, InferredLayer | None]) -> InferredLayer | None:
    if not any(isinstance(size, Varying) for tensor in inputs for size in tensor.shape):
        inferred = infer_layer(layer, inputs)
        return inferred if inferred.fits else None
    key = layer, *map(_key, inputs)
    if key not in known:
        known[key] = None if next(check_constraints(layer, inputs), None) else InferredLayer(layer, inputs)
    return known[key]


def _key(tensor: Tensor) -> tuple[Any, ...]:
    """A hashable key of a tensor: varying sizes cannot be hashed themselves."""
    return (tensor._replace(shape=()), *(n.key if isinstance(n, Varying) else n for n in tensor.shape))


def _weights(inferred: InferredLayer) -> dict[str, Any]:
    return inferred.parameters | inferred.buffers


def _drops(inferred: InferredLayer, axis: int) -> bool:
    window: Window = inferred.windows[axis]
    return window.stride != 1 and bool(window.dropped(inferred.inputs[0].shape[axis], inferred.output.shape[axis]))


def sliding_windows(context: AnalysisContext, axes: list[Extent]) -> Iterator[tuple[int, int]]:
    """The layers with a window along the resized axes, each with the axis of its input."""
    graph = context.graph
    along: list[set[int]] = [{extent.axis for extent in axes if extent.source == name} for name in graph.inputs]
    for position, node in enumerate(graph.nodes):
        inferred = context.shapes.inferred[position]
        assert inferred is not None  # the network has no problems
        yield from ((position, axis) for axis in inferred.windows if axis in along[node.sources[0]])
        moved = set[int]()
        for edge, reads in zip(node.sources, inferred.dependencies, strict=True):
            moved |= {read.axis for axis, read in enumerate(reads) if axis in along[edge] and _moves(read)}
        along.append(moved)


def _moves(read: Dependency) -> bool:
    """Whether each unit along the output axis reads another part of the input axis."""
    return not read.mixed and not (isinstance(read.window, Window) and read.window.stride == 0)
