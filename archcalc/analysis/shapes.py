"""Infers the shape of every edge, and finds layers that do not fit."""

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from archcalc.analysis.inferred_layer import InferredLayer, constraints_of_any_input, infer_layer
from archcalc.errors import Path, Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Layer, Tensor, Tensors, size_text
from archcalc.layers.constraints import ConstraintError
from archcalc.spec.expanded import ExpandedLayer
from archcalc.spec.expense import MAX_PROBLEMS


class Shapes(Struct, frozen=True, gc=False):
    """The tensor of every edge, the inferred layer of every node (None behind a misfit), and the problems."""

    edges: list[Tensor | None]
    inferred: list[InferredLayer | None]
    problems: list[Problem]


def infer_shapes(graph: Graph) -> Shapes:
    """Infer the tensor of every edge of the graph, without the batch axis."""
    return _Inference(graph).run()


class _Inference:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = Shapes([*graph.inputs.values()], [], [])
        self.presumed: dict[int, Tensor] = {}  # the outputs that layers would have without their errors, by edge
        self.known: dict[tuple[int, Tensors], InferredLayer] = {}  # a large layer hashes slowly
        self.reported: set[tuple[Path, str | None]] = set()  # an entry and a field

    def run(self) -> Shapes:
        unread: list[Node | ExpandedLayer] = []
        for node in self.graph.nodes:
            found = [self.shapes.edges[source] for source in node.sources]
            inputs = tuple([tensor for tensor in found if tensor is not None])
            inferred = self._inferred(node.layer, inputs) if len(inputs) == len(found) else None
            fits = inferred is not None and inferred.fits
            self.shapes.inferred.append(inferred)
            if inferred is None and not self._presume(node):
                unread.append(node)
            elif inferred and not fits:
                self._note(node, inferred, inferred.constraint_errors)
            self.shapes.edges.append(inferred.output if inferred and fits else None)
        problems = self._of_any_input([*unread, *self.graph.others])
        self.shapes.problems.extend(islice(problems, MAX_PROBLEMS))
        return self.shapes

    def _inferred(self, layer: Layer, inputs: Tensors) -> InferredLayer:
        key = (id(layer), inputs)
        if key not in self.known:
            self.known[key] = infer_layer(layer, inputs)
        return self.known[key]

    def _presume(self, node: Node) -> bool:
        """Report constraint errors of a layer with presumed inputs; False if there are no such inputs."""
        found = [self.shapes.edges[source] or self.presumed.get(source) for source in node.sources]
        inputs = tuple([tensor for tensor in found if tensor is not None])
        if len(inputs) < len(found):
            return False
        inferred = self._inferred(node.layer, inputs)
        self._note(
            node,
            inferred,
            [error for error in inferred.constraint_errors if (node.path, error.field) not in self.reported],
        )
        return True

    def _note(self, node: Node, inferred: InferredLayer, constraint_errors: Iterable[ConstraintError]) -> None:
        """Report constraint errors, and record the output that the layer would have without them."""
        reads = ", ".join(size_text(tensor.shape) for tensor in inferred.inputs)
        for error in constraint_errors:
            self.reported.add((node.path, error.field))
            self.shapes.problems.append(error.problem(node.name, node.path, reads))
        if all(error.field in node.layer.shapeless for error in inferred.constraint_errors):
            if inferred.beyond_limits is None:
                self.presumed[len(self.shapes.edges)] = inferred.output
            else:
                message = f"the output of layer {quoted(node.name)} has {inferred.beyond_limits}"
                remedy = "use smaller sizes, or fewer layers"
                self.shapes.problems.append(Problem(message, node.path, help=remedy))

    def _of_any_input(self, layers: Iterable[Node | ExpandedLayer]) -> Iterator[Problem]:
        """The constraint errors of layers with unknown inputs; equal copies are reported once."""
        checked: set[tuple[Path, int]] = set()
        for item in layers:
            key = (item.path, id(item.layer))
            if key not in checked and item.sources:
                checked.add(key)
                for error in constraints_of_any_input(item.layer, len(item.sources)):
                    if (item.path, error.field) not in self.reported:
                        self.reported.add((item.path, error.field))
                        yield error.problem(item.name, item.path)
