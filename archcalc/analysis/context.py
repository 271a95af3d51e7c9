"""A graph with the results of its analyses, each of which runs when it is first used."""

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
    """A graph and the results of its analyses.

    Attributes: `graph`, `batch`, `tensors` (one for each edge; None behind a layer that does not fit), `shapes` and
    `problems` (of shapes and shared weights).
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
        """The input tensors and the output tensor of a node, in a network whose layers all fit."""
        inferred, output = self.layer_at(position), self.tensors[self.graph.edge(position)]
        if output is None:
            raise ValueError(f"the shape of {self.graph.nodes[position].name} is not known")
        return inferred.inputs, output

    def layer_at(self, position: int) -> InferredLayer:
        """The inferred layer of a node, in a network whose layers all fit."""
        inferred = self.shapes.inferred[position]
        if inferred is None:
            raise ValueError(f"the shape of {self.graph.nodes[position].name} is not known")
        return inferred

    @cached_property
    def fitting(self) -> int:
        """The number of nodes before the first with an unknown shape; all, unless there are problems."""
        outputs = self.tensors[self.graph.first_edge :]
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
        """Every node before the first with an unknown shape, with its inferred layer."""
        for node, inferred in zip(self.graph.nodes[: self.fitting], self.shapes.inferred, strict=False):
            assert inferred is not None  # its shape is known
            yield node, inferred


def remembered(analysis: Callable[[AnalysisContext], Answer]) -> Callable[[AnalysisContext], Answer]:
    """Wrap an analysis so that it runs once for each context."""

    @wraps(analysis)
    def answer(context: AnalysisContext) -> Answer:
        if analysis not in context.answers:
            context.answers[analysis] = analysis(context)
        found: Answer = context.answers[analysis]
        return found

    return answer
