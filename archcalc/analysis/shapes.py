"""Which shape every edge has, and what does not fit."""

from typing import NamedTuple

from archcalc.analysis.facts import LayerFacts, facts_of
from archcalc.arithmetic import product
from archcalc.errors import Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Misfit, Tensor, Tensors, size_text

MAX_AXES = 64  # PyTorch's limit
MAX_BITS = 512  # of the number of values on an edge


class Shapes(NamedTuple):
    """The tensor on every edge and the facts of every node, None behind a layer that does not fit, and the problems."""

    edges: list[Tensor | None]
    facts: list[LayerFacts | None]
    problems: list[Problem]


def infer_shapes(graph: Graph) -> Shapes:
    """The tensor on every edge of the graph, without the batch."""
    shapes = Shapes([*graph.inputs.values()], [], [])
    for node in graph.nodes:
        inputs = tuple([tensor for source in node.sources if (tensor := shapes.edges[source]) is not None])
        facts = facts_of(node.layer, inputs) if len(inputs) == len(node.sources) else None
        problems = _problems(node, facts) if facts else []
        shapes.facts.append(facts)
        shapes.edges.append(facts.output if facts and not problems else None)
        shapes.problems.extend(problems)
    return shapes


def _problems(node: Node, facts: LayerFacts) -> list[Problem]:
    if facts.misfits:
        return [_problem(node, facts.inputs, misfit) for misfit in facts.misfits]
    return _beyond_limits(node, facts.output)


def _beyond_limits(node: Node, output: Tensor) -> list[Problem]:
    """A chain of layers must not grow its sizes beyond what can be calculated and printed."""
    if len(output.shape) > MAX_AXES:
        what = f"{len(output.shape)} axes, more than the {MAX_AXES} that a tensor can have"
    elif product(output.shape).bit_length() > MAX_BITS:
        what = f"more than 2^{MAX_BITS} values"
    else:
        return []
    return [Problem(f"layer {quoted(node.name)} gives {what}", node.path, help="use smaller sizes, or fewer layers")]


def _problem(node: Node, inputs: Tensors, misfit: Misfit) -> Problem:
    shapes = ", ".join(size_text(tensor.shape) for tensor in inputs)
    path = (*node.path, misfit.field) if misfit.field else node.path
    return Problem(f"{misfit.message}: layer {quoted(node.name)} gets {shapes}", path, misfit.reason, misfit.help)
