"""A graph with the answers to all questions; each analysis runs when it is first asked for."""

from collections.abc import Callable, Iterator
from functools import cached_property, wraps
from typing import Any, TypeVar

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.operations import Operations, count_operations
from archcalc.analysis.parameters import Parameters, check_sharing, count_parameters
from archcalc.analysis.receptive_field import ReceptiveFields, propagate_receptive_fields
from archcalc.analysis.shapes import infer_shapes
from archcalc.errors import Problem
from archcalc.graph import Graph, Node
from archcalc.layers.base import Tensor, Tensors

Answer = TypeVar("Answer")


class AnalysisContext:
    """A graph and what is known of it.

    Attributes: `graph`, `batch`, `tensors` (one for each edge; None behind a layer that does not fit), `shapes` and
    `problems`.
    """

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        self.graph = graph
        self.batch = batch
        self.answers: dict[Callable[..., Any], Any] = {}  # of the analyses that are `remembered`
        shapes = infer_shapes(graph)
        self.tensors: list[Tensor | None] = shapes.edges
        self.shapes = shapes
        self.problems: list[Problem] = [*shapes.problems, *check_sharing(graph, shapes.inferred)]

    def tensors_at(self, position: int) -> tuple[Tensors, Tensor]:
        """What a node reads and what it gives, in a network whose layers all fit."""
        inferred, output = self.layer_at(position), self.tensors[self.graph.edge(position)]
        if output is None:
            raise ValueError(f"the shape of {self.graph.nodes[position].name} is not known")
        return inferred.inputs, output

    def layer_at(self, position: int) -> InferredLayer:
        """What a node says of itself, in a network whose layers all fit."""
        inferred = self.shapes.inferred[position]
        if inferred is None:
            raise ValueError(f"the shape of {self.graph.nodes[position].name} is not known")
        return inferred

    @cached_property
    def fitting(self) -> int:
        """How many nodes from the first on have a known shape; all, unless there are problems."""
        outputs = self.tensors[len(self.graph.inputs) :]
        return outputs.index(None) if None in outputs else len(outputs)

    @cached_property
    def receptive_fields(self) -> ReceptiveFields:
        """The receptive field of every edge."""
        return propagate_receptive_fields(self.graph, self.shapes)

    @cached_property
    def parameters(self) -> tuple[Parameters, ...]:
        """The parameters of every node that fits."""
        return tuple([count_parameters(node, inferred) for node, inferred in self.known()])

    @cached_property
    def operations(self) -> tuple[Operations, ...]:
        """The operations of every node that fits, for the whole batch."""
        return tuple([count_operations(inferred, self.batch) for _, inferred in self.known()])

    def known(self) -> Iterator[tuple[Node, InferredLayer]]:
        """Every node that fits, and what it says of itself."""
        for node, inferred in zip(self.graph.nodes[: self.fitting], self.shapes.inferred, strict=False):
            assert inferred is not None  # or else it would not fit
            yield node, inferred


def remembered(analysis: Callable[[AnalysisContext], Answer]) -> Callable[[AnalysisContext], Answer]:
    """Run an analysis once for each context."""

    @wraps(analysis)
    def answer(context: AnalysisContext) -> Answer:
        if analysis not in context.answers:
            context.answers[analysis] = analysis(context)
        found: Answer = context.answers[analysis]
        return found

    return answer
