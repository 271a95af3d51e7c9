"""What units of the measurable network see of its inputs: where the gradient is not zero."""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import nn

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.receptive_field import Field
from archcalc.pytorch.build import make_module
from archcalc.pytorch.verify.signals import Signal, pass_through

Interval = tuple[int, int]


class Measurable:
    """A run of the network, as measurable, through the layers that lead to some of its edges."""

    def __init__(self, analysed: AnalysedGraph, steering: set[int], edges: Iterable[int]) -> None:
        self.analysed = analysed
        self.inputs = [
            _neighbours(tensor.shape) if edge in steering else _positive(tensor.shape)
            for edge, tensor in enumerate(analysed.graph.inputs.values())
        ]
        self.signals: dict[int, Signal] = {edge: Signal(values) for edge, values in enumerate(self.inputs)}
        self.holes: set[int] = set()  # edges behind a layer some of whose units may see nothing
        self.known: dict[tuple[int, str, tuple[int, ...]], list[Interval] | None] = {}
        for edge in _ancestors(analysed, edges):
            self.signals[edge] = self._pass(edge - len(self.inputs))

    def _pass(self, position: int) -> Signal:
        """Runs a layer."""
        node = self.analysed.graph.nodes[position]
        tensors, _ = self.analysed.tensors_at(position)
        inputs = [self.signals[source] for source in node.sources]
        with torch.device("meta"):  # weights are not needed before it is known which
            module = make_module(node.layer.module(tensors))
        if _leaves_holes(module) or any(source in self.holes for source in node.sources):
            self.holes.add(position + len(self.inputs))
        return pass_through(module, inputs)

    def seen(self, edge: int, field: Field, units: Sequence[int] | None) -> list[Interval] | None:
        """The first and the last position that a unit sees, along each axis; None if it sees nothing.

        `units` has its place for each axis of the field; None is for all units together.
        """
        signal = self.signals[edge]
        # One channel stands for all that are equal, unless a field has units along the channels.
        values = signal.all_channels() if units and any(axis.axis == 0 for axis in field.axes) else signal.values
        places: list[int | slice] = [slice(None)] * (values.dim() - 1)
        for axis, unit in zip(field.axes, units, strict=True) if units else ():
            places[axis.axis] = unit
        # Layers that pass their input on have the very same values.
        key = (id(signal.values), str(places), field.shape)
        if key not in self.known:
            self.known[key] = self._differentiate(values[(0, *places)].sum(), field)
        return self.known[key]

    def _differentiate(self, unit_values: torch.Tensor, field: Field) -> list[Interval] | None:
        leaves = self._leaves(field)
        if not unit_values.requires_grad or not leaves:
            return None
        gradients = torch.autograd.grad(unit_values, leaves, retain_graph=True, materialize_grads=True)
        return _union([self._intervals(leaf, gradient) for leaf, gradient in zip(leaves, gradients, strict=True)])

    def _leaves(self, field: Field) -> list[torch.Tensor]:
        """The inputs with positions like those of the field."""
        fields = self.analysed.receptive_fields.edges
        return [
            values
            for edge, values in enumerate(self.inputs)
            if values.requires_grad and isinstance(own := fields[edge], Field) and own.shape == field.shape
        ]

    def _intervals(self, leaf: torch.Tensor, gradient: torch.Tensor) -> list[Interval] | None:
        """From where to where the gradient is not zero, along each axis of positions."""
        edge = next(edge for edge, values in enumerate(self.inputs) if values is leaf)
        own = self.analysed.receptive_fields.edges[edge]
        seen, found = gradient.ne(0), []
        for axis in own.axes if isinstance(own, Field) else ():
            others = [other for other in range(gradient.dim()) if other != axis.axis + 1]
            positions = seen.sum(others).nonzero()
            if not len(positions):
                return None
            found.append((int(positions[0]), int(positions[-1])))
        return found


def _leaves_holes(module: nn.Module) -> bool:
    """Whether a transposed convolution leaves units between those that its kernel fills."""
    if not isinstance(module, nn.modules.conv._ConvTransposeNd):
        return False
    axes = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    return any(kernel < stride or math.gcd(dilation, stride) > 1 for kernel, stride, dilation in axes)


def _union(found: list[list[Interval] | None]) -> list[Interval] | None:
    seen = [intervals for intervals in found if intervals]
    if not seen:
        return None
    return [(min(first for first, _ in axis), max(last for _, last in axis)) for axis in zip(*seen, strict=True)]


def _positive(shape: Sequence[int]) -> torch.Tensor:
    return (torch.rand(1, *shape, dtype=torch.double) + 0.5).requires_grad_()


def _neighbours(shape: Sequence[int]) -> torch.Tensor:
    """The adjacency of nodes in a row, each with its neighbours and itself; a hop is then a position."""
    count = min(shape)
    nodes = torch.arange(count)
    rows, columns = torch.cat([nodes, nodes[1:], nodes[:-1]]), torch.cat([nodes, nodes[:-1], nodes[1:]])
    ones = torch.ones(len(rows), dtype=torch.double)
    return torch.sparse_coo_tensor(torch.stack([rows, columns]), ones, tuple(shape), check_invariants=True)


def _ancestors(analysed: AnalysedGraph, edges: Iterable[int]) -> list[int]:
    """The edges of layers that lead to these, and these, in order."""
    inputs, found = len(analysed.graph.inputs), set[int]()
    waiting = [*edges]
    while waiting:
        edge = waiting.pop()
        if edge >= inputs and edge not in found:
            found.add(edge)
            waiting.extend(analysed.graph.nodes[edge - inputs].sources)
    return sorted(found)
