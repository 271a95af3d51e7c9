"""Which shape every edge has, and what does not fit."""

from collections.abc import Iterable, Iterator
from itertools import islice

from msgspec import Struct

from archcalc.analysis.facts import LayerFacts, facts_of, misfits_of_any_input
from archcalc.errors import Path, Problem, quoted
from archcalc.graph import Graph, Node
from archcalc.layers.base import Layer, Tensor, Tensors, size_text
from archcalc.layers.misfits import Misfit
from archcalc.spec.expanded import ExpandedLayer
from archcalc.spec.expense import MAX_PROBLEMS


class Shapes(Struct, frozen=True, gc=False):
    """The tensor on every edge and the facts of every node, None behind a layer that does not fit, and the problems."""

    edges: list[Tensor | None]
    facts: list[LayerFacts | None]
    problems: list[Problem]


def infer_shapes(graph: Graph) -> Shapes:
    """The tensor on every edge of the graph, without the batch."""
    return _Inference(graph).run()


class _Inference:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.shapes = Shapes([*graph.inputs.values()], [], [])
        self.presumed: dict[int, Tensor] = {}  # what layers that do not fit would give, by edge
        self.known: dict[tuple[int, Tensors], LayerFacts] = {}  # since a large layer hashes slowly
        self.said: set[tuple[Path, str | None]] = set()

    def run(self) -> Shapes:
        unread: list[Node | ExpandedLayer] = []
        for node in self.graph.nodes:
            found = [self.shapes.edges[source] for source in node.sources]
            inputs = tuple([tensor for tensor in found if tensor is not None])
            facts = self._facts(node.layer, inputs) if len(inputs) == len(found) else None
            fits = facts is not None and facts.fits
            self.shapes.facts.append(facts)
            if facts is None and not self._presume(node):
                unread.append(node)
            elif facts and not fits:
                self._note(node, facts, facts.misfits)
            self.shapes.edges.append(facts.output if facts and fits else None)
        problems = self._of_any_input([*unread, *self.graph.others])
        self.shapes.problems.extend(islice(problems, MAX_PROBLEMS))
        return self.shapes

    def _facts(self, layer: Layer, inputs: Tensors) -> LayerFacts:
        key = (id(layer), inputs)
        if key not in self.known:
            self.known[key] = facts_of(layer, inputs)
        return self.known[key]

    def _presume(self, node: Node) -> bool:
        """Look for misfits of a layer behind others that do not fit; False if what it reads cannot be presumed."""
        found = [self.shapes.edges[source] or self.presumed.get(source) for source in node.sources]
        inputs = tuple([tensor for tensor in found if tensor is not None])
        if len(inputs) < len(found):
            return False
        facts = self._facts(node.layer, inputs)
        self._note(node, facts, [misfit for misfit in facts.misfits if (node.path, misfit.field) not in self.said])
        return True

    def _note(self, node: Node, facts: LayerFacts, misfits: Iterable[Misfit]) -> None:
        """Note misfits, and the tensor that the layer would give without them."""
        reads = ", ".join(size_text(tensor.shape) for tensor in facts.inputs)
        for misfit in misfits:
            self.said.add((node.path, misfit.field))
            self.shapes.problems.append(misfit.problem(node.name, node.path, reads))
        if all(misfit.field in node.layer.shapeless for misfit in facts.misfits):
            if facts.beyond_limits is None:
                self.presumed[len(self.shapes.edges)] = facts.output
            else:
                message = f"layer {quoted(node.name)} gives {facts.beyond_limits}"
                remedy = "use smaller sizes, or fewer layers"
                self.shapes.problems.append(Problem(message, node.path, help=remedy))

    def _of_any_input(self, layers: Iterable[Node | ExpandedLayer]) -> Iterator[Problem]:
        """What is wrong with layers of which it is not known what they read; of copies that are alike, once."""
        looked_at: set[tuple[Path, int]] = set()
        for item in layers:
            key = (item.path, id(item.layer))
            if key not in looked_at and item.sources:
                looked_at.add(key)
                for misfit in misfits_of_any_input(item.layer, len(item.sources)):
                    if (item.path, misfit.field) not in self.said:
                        self.said.add((item.path, misfit.field))
                        yield misfit.problem(item.name, item.path)
