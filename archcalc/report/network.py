"""The result object: everything archcalc knows about one network."""

from functools import cached_property
from typing import TYPE_CHECKING, Any

from archcalc.analysis.parameters import check_sharing
from archcalc.analysis.receptive_field import ReceptiveFields, fold_receptive_fields
from archcalc.analysis.shapes import infer_shapes
from archcalc.errors import Diagnostic, SpecError, UsageError, did_you_mean, quoted
from archcalc.graph import Graph
from archcalc.layers.base import Shape, Tensor, Tensors
from archcalc.report.summary import LayerSummary, Totals, add_up, fold, summarize_layers

if TYPE_CHECKING:
    from archcalc.analysis.explain import Explanation


class ShapeError(SpecError):
    """Layers do not fit together. `network` has the rows up to the first that does not."""

    def __init__(self, diagnostics: list[Diagnostic], network: "Network") -> None:
        super().__init__(diagnostics)
        self.network = network


class Network:
    """A network and its numbers.

    Attributes: `name`, `source` (where it was published), `inputs` (name → shape without the batch), `batch`, `layers`
    (a row each), `totals`, `graph`. Each analysis runs when it is first asked for.
    """

    def __init__(self, graph: Graph, batch: int = 1) -> None:
        """Infer all shapes. Raises ShapeError with every layer that does not fit."""
        self.graph = graph
        self.batch = batch
        self.name = graph.name
        self.source = graph.source
        self.inputs: dict[str, Shape] = {name: tensor.shape for name, tensor in graph.inputs.items()}
        shapes = infer_shapes(graph)
        self.tensors: list[Tensor | None] = shapes.edges
        problems = [*shapes.problems, *check_sharing(graph, [self._inputs_of(i) for i in range(len(graph.nodes))])]
        if problems:
            raise ShapeError(graph.document.diagnostics(problems), self)

    def _inputs_of(self, position: int) -> Tensors | None:
        found = tuple(self.tensors[source] for source in self.graph.nodes[position].sources)
        known = tuple(tensor for tensor in found if tensor is not None)
        return known if len(known) == len(found) else None

    @cached_property
    def receptive_fields(self) -> ReceptiveFields:
        """The receptive field of every edge of the graph."""
        return fold_receptive_fields(self.graph, self.tensors)

    @cached_property
    def layers(self) -> tuple[LayerSummary, ...]:
        """A row per layer, in an order in which each comes after what it reads."""
        return tuple(summarize_layers(self.graph, self.tensors, self.receptive_fields.edges, self.batch))

    @cached_property
    def totals(self) -> Totals:
        """Sums over all layers."""
        return add_up(self.layers)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the layers whose outputs the network gives."""
        names = self.graph.edge_names()
        return tuple(names[edge] for edge in self.graph.outputs)

    def folded(self, depth: int | None) -> tuple[LayerSummary, ...]:
        """The rows with blocks closed below `depth`; all rows for None."""
        return self.layers if depth is None else fold(self.layers, self.graph.nodes, depth)

    def position(self, layer: str) -> int:
        """The place of a layer in `layers`. Raises UsageError if there is none of that name."""
        for position, node in enumerate(self.graph.nodes):
            if node.name == layer:
                return position
        remedy = did_you_mean(layer, [node.name for node in self.graph.nodes])
        raise UsageError(f"no layer is called {quoted(layer)}; {remedy}")

    def explain(self, layer: str) -> "Explanation":
        """How every number of a layer came about, by the formulas that made it."""
        from archcalc.analysis.explain import explain

        return explain(self, self.position(layer))

    def check(self) -> list[Diagnostic]:
        """What is odd about the network; every finding has a code, a place, a reason and a remedy."""
        from archcalc.analysis.lint import lint

        return lint(self)

    def to_dict(self, depth: int | None = None) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it."""
        return {
            "name": self.name,
            "source": self.source,
            "inputs": {name: list(shape) for name, shape in self.inputs.items()},
            "outputs": list(self.outputs),
            "batch": self.batch,
            "layers": [row.to_dict() for row in self.folded(depth)],
            "totals": self.totals.to_dict(),
        }

    def __repr__(self) -> str:
        return f"Network({self.name!r}, {len(self.graph.nodes)} layers, {self.totals.parameters:,} parameters)"

    def __str__(self) -> str:
        from archcalc.report.table import render

        return render(self, "table")

    def _repr_html_(self) -> str:
        from archcalc.report.table import render

        return render(self, "html")
