"""Measures which input positions a unit depends on: where its gradient in the measurable network is not zero."""

from collections.abc import Iterable, Mapping

import torch

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.dependence import Link
from archcalc.pytorch.build import make_module
from archcalc.pytorch.verify.signals import Signal, pass_through

MOST_KEPT = 16  # cached gradients of units, for layers that pass their input on

Cut = frozenset[Link]
Masks = dict[str, torch.Tensor]  # by input: which of its values a unit depends on


class Measurable:
    """A run of the measurable network through all layers that some of its edges depend on.

    `cuts` are the links that may be cut: a cut link passes no gradient.
    """

    def __init__(self, context: AnalysisContext, edges: Iterable[int], cuts: Cut) -> None:
        self.context, self.cuts = context, cuts
        self.inputs = {
            name: (torch.rand(1, *tensor.shape, dtype=torch.double) + 0.5).requires_grad_()
            for name, tensor in context.graph.inputs.items()
        }
        self.signals: dict[int, Signal] = {edge: Signal(values) for edge, values in enumerate(self.inputs.values())}
        self.cut: Cut = frozenset()
        self.known: dict[tuple[int, tuple[tuple[int, int], ...], Cut], Masks] = {}
        for edge in sorted(context.graph.ancestors(edges) - {*self.signals}):
            self.signals[edge] = self._pass(edge)

    def _pass(self, edge: int) -> Signal:
        """Run a layer."""
        position = edge - self.context.graph.first_edge
        node = self.context.graph.nodes[position]
        tensors, _ = self.context.tensors_at(position)
        inputs = [self._linked(self.signals[source], (edge, number)) for number, source in enumerate(node.sources)]
        with torch.device("meta"):  # its weights are replaced by constants
            module = make_module(node.layer.module(tensors))
        return pass_through(module, inputs)

    def _linked(self, signal: Signal, link: Link) -> Signal:
        """The signal with a gradient of zero while the link is cut."""
        if link not in self.cuts or not signal.values.requires_grad:
            return signal
        values = signal.values.view_as(signal.values)
        values.register_hook(lambda gradient: torch.zeros_like(gradient) if link in self.cut else None)
        return signal._replace(values=values)

    def seen(self, edge: int, places: Mapping[int, int], cut: Cut = frozenset()) -> Masks:
        """The values of every input that the units at `places` (positions by axis of the tensor) depend on."""
        signal = self.signals[edge]
        # One channel stands for all equal ones, unless the unit has a position along the channels.
        values = signal.all_channels() if 0 in places else signal.values
        # Layers that pass their input on share its values.
        key = (id(signal.values), tuple(sorted(places.items())), cut)
        if key not in self.known:
            index = [places.get(axis, slice(None)) for axis in range(values.dim() - 1)]
            while len(self.known) >= MOST_KEPT:
                del self.known[next(iter(self.known))]
            self.known[key] = self._differentiate(values[(0, *index)].sum(), cut)
        return self.known[key]

    def _differentiate(self, unit_values: torch.Tensor, cut: Cut) -> Masks:
        if not unit_values.requires_grad:
            return {name: torch.zeros(values.shape[1:], dtype=torch.bool) for name, values in self.inputs.items()}
        self.cut = cut
        found = torch.autograd.grad(unit_values, [*self.inputs.values()], retain_graph=True, materialize_grads=True)
        return {name: gradient[0].ne(0) for name, gradient in zip(self.inputs, found, strict=True)}
