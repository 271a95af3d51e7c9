"""Which shape every edge has, and what does not fit."""

from collections.abc import Iterator
from typing import NamedTuple

from archcalc.arithmetic import product
from archcalc.errors import Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import AXIS_NAMES, Layer, Misfit, Tensor, Tensors, size_text

MAX_AXES = 64  # PyTorch's limit
MAX_BITS = 512  # of the number of values on an edge


class Shapes(NamedTuple):
    """The tensor on every edge, None behind a layer that does not fit, and the problems.

    `twins`: for every node the first one of the same layer and inputs, whose local facts are its own, too.
    """

    edges: list[Tensor | None]
    problems: list[Problem]
    twins: list[int]


def infer_shapes(graph: Graph) -> Shapes:
    """The tensor on every edge of the graph, without the batch."""
    edges: list[Tensor | None] = [*graph.inputs.values()]
    problems: list[Problem] = []
    seen: dict[tuple[int, Tensors], int] = {}
    twins: list[int] = []
    for position, node in enumerate(graph.nodes):
        inputs = tuple(tensor for source in node.sources if (tensor := edges[source]) is not None)
        # Copies of an entry share the object of their layer.
        twin = seen.setdefault((id(node.layer), inputs), position)
        twins.append(twin)
        if len(inputs) < len(node.sources):
            edges.append(None)
        elif twin < position and (known := edges[len(graph.inputs) + twin]):
            edges.append(known)
        elif misfits := [*find_misfits(node.layer, inputs)]:
            problems.extend(_problem(node, inputs, misfit) for misfit in misfits)
            edges.append(None)
        else:
            output = Tensor(node.layer.output_shape(inputs), node.layer.output_dtype(inputs))
            too_large = _beyond_limits(node, output)
            problems.extend(too_large)
            edges.append(None if too_large else output)
    return Shapes(edges, problems, twins)


def _beyond_limits(node: Node, output: Tensor) -> list[Problem]:
    """A chain of layers must not grow its sizes beyond what can be calculated and printed."""
    if len(output.shape) > MAX_AXES:
        what = f"{len(output.shape)} axes, more than the {MAX_AXES} that a tensor can have"
    elif product(output.shape).bit_length() > MAX_BITS:
        what = f"more than 2^{MAX_BITS} values"
    else:
        return []
    return [Problem(f"layer {quoted(node.name)} gives {what}", node.path, help="use smaller sizes, or fewer layers")]


def find_misfits(layer: Layer, inputs: Tensors) -> Iterator[Misfit]:
    """Why a layer cannot take these inputs: their number, dtypes and ranks, then what its type asks for."""
    found = [*_general_misfits(layer, inputs)]
    yield from found or layer.check(inputs)


def _general_misfits(layer: Layer, inputs: Tensors) -> Iterator[Misfit]:
    least, most = layer.input_counts
    if not least <= len(inputs) <= (most or len(inputs)):
        wanted = "input" if most == 1 else f"inputs ({', '.join(layer.input_names)}{', …' if most is None else ''})"
        count = f"{least} or more" if most is None else str(least) if most == least else f"{least} to {most}"
        remedy = "list them in inputs = […]" if len(inputs) < least else "leave out the others"
        yield Misfit(f"{layer.type} takes {count} {wanted}, not {len(inputs)}", help=remedy)
        return
    for tensor in inputs:
        if tensor.dtype not in layer.takes:
            remedy = (
                f'an input says its dtype so: {{ shape = […], dtype = "{layer.takes[0]}" }}; the default is float32'
            )
            yield Misfit(f"{layer.type} takes {' or '.join(layer.takes)}, not {tensor.dtype}", help=remedy)
    rank = len(inputs[0].shape)
    if layer.ranks and rank not in layer.ranks:
        shapes = [" × ".join(AXIS_NAMES[wanted]) for wanted in layer.ranks]
        wanted = " or ".join(shapes) if layer.channel_axis == 0 else "tokens × features"
        remedy = "change the axes before with flatten, reshape or permute; shapes never include the batch"
        yield Misfit(f"{layer.type} takes {wanted}, not {rank} {'axis' if rank == 1 else 'axes'}", help=remedy)


def _problem(node: Node, inputs: Tensors, misfit: Misfit) -> Problem:
    shapes = ", ".join(size_text(tensor.shape) for tensor in inputs)
    path = (*node.path, misfit.field) if misfit.field else node.path
    return Problem(f"{misfit.message}: layer {quoted(node.name)} gets {shapes}", path, misfit.reason, misfit.help)
