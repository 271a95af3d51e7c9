"""Counts the parameters and buffers of every layer, shared ones once."""

from collections.abc import Mapping

from msgspec import Struct

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.errors import Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Shape, size_text


class Parameters(Struct, frozen=True, gc=False):
    """The parameters and buffers of one layer, without shared ones: shapes by name, and numbers of values."""

    shapes: Mapping[str, Shape]
    buffer_shapes: Mapping[str, Shape]
    total: int
    trainable: int
    buffers: int


def count_parameters(node: Node, inferred: InferredLayer) -> Parameters:
    """The parameters and buffers of one layer; none if it uses another's."""
    if node.owner is not None:
        return Parameters({}, {}, 0, 0, 0)
    trainable = inferred.parameter_count if node.trainable else 0
    return Parameters(inferred.parameters, inferred.buffers, inferred.parameter_count, trainable, inferred.buffer_count)


def check_sharing(graph: Graph, inferred: list[InferredLayer | None]) -> list[Problem]:
    """A problem for every layer that uses weights with other names, shapes or dtype than its own."""
    problems = []
    for node, own in zip(graph.nodes, inferred, strict=True):
        if node.owner is None or own is None or (other := inferred[node.owner]) is None:
            continue
        if own.fits and other.fits and (error := _sharing_error(own, other)):
            message = f"layer {quoted(node.name)} cannot use the weights of {quoted(graph.nodes[node.owner].name)}"
            problems.append(Problem(message, (*node.path, "weights"), *error))
    return problems


def _sharing_error(own: InferredLayer, other: InferredLayer) -> tuple[str, str] | None:
    """The reason why a layer cannot use the weights of another, and the remedy; None if it can."""
    wanted, offered = own.parameters | own.buffers, other.parameters | other.buffers
    if wanted != offered:
        reason = f"{own.layer.type} {_text(wanted)}, but {other.layer.type} {_text(offered)}"
        return reason, "make the parameters equal"
    # A layer's weights have the dtype of its output.
    if wanted and own.output.dtype != other.output.dtype:
        reason = f"its weights are {own.output.dtype}, those are {other.output.dtype}"
        return reason, "give both layers inputs of one dtype"
    return None


def _text(shapes: dict[str, Shape]) -> str:
    return ", ".join(f"{name} {size_text(shape)}" for name, shape in shapes.items()) or "without parameters"
