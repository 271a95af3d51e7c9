"""A graph with the answers to all questions; each analysis runs when it is first asked for."""

from collections.abc import Iterator
from functools import cached_property

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.operations import Operations, count_operations
from archcalc.analysis.parameters import Parameters, check_sharing, count_parameters
from archcalc.analysis.receptive_field import ReceptiveFields, fold_receptive_fields
from archcalc.analysis.shapes import infer_shapes
from archcalc.errors import Problem
from archcalc.graph import Graph, Node
from archcalc.layers.base import Tensor, Tensors


class AnalysisContext:
    """A graph and what is known of it.

    Attributes: `graph`, `batch`, `tensors` (one for each edge; None behind a layer that does not fit), `shapes` and
    `problems`.
    """

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        self.graph = graph
        self.batch = batch
        shapes = infer_shapes(graph)
        self.tensors: list[Tensor | None] = shapes.edges
        self.shapes = shapes
        self.problems: list[Problem] = [*shapes.problems, *check_sharing(graph, shapes.inferred)]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all edges, by number."""
        return (*self.graph.inputs, *(node.name for node in self.graph.nodes))

    def edge(self, position: int) -> int:
        """The number of the edge that comes out of a node."""
        return len(self.graph.inputs) + position

    def tensors_at(self, position: int) -> tuple[Tensors, Tensor]:
        """What a node reads and what it gives, in a network whose layers all fit."""
        inferred, output = self.layer_at(position), self.tensors[self.edge(position)]
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
        return fold_receptive_fields(self.graph, self.shapes)

    @cached_property
    def parameters(self) -> tuple[Parameters, ...]:
        """The parameters of every node that fits."""
        return tuple([count_parameters(node, inferred) for node, inferred in self.known()])

    @cached_property
    def operations(self) -> tuple[Operations, ...]:
        """The operations of every node that fits, for the whole batch."""
        return tuple([count_operations(inferred, self.batch) for _, inferred in self.known()])

    def known(self) -> Iterator[tuple[Node, InferredLayer]]:
        """Every node that fits, and its facts."""
        for node, inferred in zip(self.graph.nodes[: self.fitting], self.shapes.inferred, strict=False):
            assert inferred is not None  # or else it would not fit
            yield node, inferred
