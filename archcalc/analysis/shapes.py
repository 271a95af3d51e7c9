"""Which shape every edge has, and what does not fit."""

from msgspec import Struct

from archcalc.analysis.facts import LayerFacts, facts_of
from archcalc.errors import Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Tensor, Tensors, size_text
from archcalc.layers.misfits import Misfit
from archcalc.spec.problems import field_problems


class Shapes(Struct, frozen=True, gc=False):
    """The tensor on every edge and the facts of every node, None behind a layer that does not fit, and the problems."""

    edges: list[Tensor | None]
    facts: list[LayerFacts | None]
    problems: list[Problem]


def infer_shapes(graph: Graph) -> Shapes:
    """The tensor on every edge of the graph, without the batch."""
    shapes = Shapes([*graph.inputs.values()], [], [])
    edges, without_inputs = shapes.edges, list[Node]()
    for node in graph.nodes:
        inputs = tuple([tensor for source in node.sources if (tensor := edges[source]) is not None])
        facts = facts_of(node.layer, inputs) if len(inputs) == len(node.sources) else None
        fits = facts is not None and facts.fits
        shapes.facts.append(facts)
        edges.append(facts.output if facts and fits else None)
        if facts is None:
            without_inputs.append(node)
        elif not fits:
            shapes.problems.extend(_problems(node, facts))
    shapes.problems.extend(field_problems((node.name, node.layer, node.path) for node in without_inputs))
    return shapes


def _problems(node: Node, facts: LayerFacts) -> list[Problem]:
    if facts.misfits:
        return [_problem(node, facts.inputs, misfit) for misfit in facts.misfits]
    message = f"layer {quoted(node.name)} gives {facts.beyond_limits}"
    return [Problem(message, node.path, help="use smaller sizes, or fewer layers")]


def _problem(node: Node, inputs: Tensors, misfit: Misfit) -> Problem:
    shapes = ", ".join(size_text(tensor.shape) for tensor in inputs)
    path = (*node.path, misfit.field) if misfit.field else node.path
    return Problem(f"{misfit.message}: layer {quoted(node.name)} gets {shapes}", path, misfit.reason, misfit.help)
