"""Networks with the same layers on inputs of other sizes."""

from typing import NamedTuple

from msgspec import structs

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.receptive_field import Field
from archcalc.graph import Graph
from archcalc.layers.base import NONZEROS_UNKNOWN, size_text
from archcalc.numbers.bounds import Unknown


class Extent(NamedTuple):
    """A spatial axis of an input; equal axes are resized together."""

    source: str
    axis: int
    size: int


def extents(context: AnalysisContext) -> list[Extent]:
    """Every spatial axis of every input, and every axis of a control input such as an adjacency."""
    graph, found = context.graph, list[Extent]()
    controls = control_inputs(context)
    for edge, (name, tensor) in enumerate(graph.inputs.items()):
        field = context.receptive_fields.edges[edge]
        if isinstance(field, Field):
            found += [Extent(name, axis.axis, axis.extent) for axis in field.axes]
        if edge in controls:
            found += [Extent(name, axis, size) for axis, size in enumerate(tensor.shape)]
    return [*dict.fromkeys(found)]


def format_axes(graph: Graph, axes: list[Extent]) -> str:
    """The resized inputs, with n for the sizes that change: `image 3×n×n`."""
    found = []
    for name in dict.fromkeys(extent.source for extent in axes):
        changing = {extent.axis for extent in axes if extent.source == name}
        sizes = ("n" if axis in changing else size for axis, size in enumerate(graph.inputs[name].shape))
        found.append(f"{name} {size_text(tuple(sizes))}")
    return ", ".join(found)


def control_inputs(context: AnalysisContext) -> set[int]:
    """The edges that control a layer but are no part of receptive fields, such as an adjacency."""
    found = set[int]()
    for node, inferred in zip(context.graph.nodes, context.shapes.inferred, strict=True):
        if inferred is not None and inferred.fits:
            reads = zip(node.sources, inferred.dependencies, strict=True)
            found.update(edge for edge, axes in reads if not axes)
    return found


def resized(graph: Graph, axes: list[Extent], sizes: dict[int, int]) -> Graph:
    """The graph with new sizes of axes, by old size. Nonzeros of resized inputs become unknown."""
    inputs = dict(graph.inputs)
    for extent in axes:
        if extent.size in sizes:
            tensor = inputs[extent.source]
            shape = list(tensor.shape)
            shape[extent.axis] = sizes[extent.size]
            nonzeros = None if tensor.nonzeros is None else Unknown(NONZEROS_UNKNOWN)
            inputs[extent.source] = tensor._replace(shape=tuple(shape), nonzeros=nonzeros)
    return structs.replace(graph, inputs=inputs)
