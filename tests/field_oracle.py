"""Receptive fields measured by gradients in PyTorch: all positions of all inputs, channels included."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn
from torch.nn import functional

import archcalc
from archcalc.layers.activation import SoftmaxLayer
from archcalc.layers.adaptive_pooling import AdaptiveMaxPooling
from archcalc.layers.attention import MultiHeadAttention
from archcalc.layers.base import Tensors
from archcalc.layers.dense import Embedding, Rbf
from archcalc.layers.graph_convolution import GcnConv, GraphReadout
from archcalc.layers.merging import Mul
from archcalc.layers.pooling import MaxPooling
from archcalc.layers.resizing import Upsample
from archcalc.pytorch.build import make_module
from archcalc.pytorch.modules import Add
from archcalc.pytorch.verify.signals import take_nearest

SMALLEST = 1e-12  # relative to the largest gradient: rounding errors of zero are smaller


class Sum(nn.Module):
    """Sums the windows of a max pooling, so that every position has a gradient."""

    def __init__(self, layer: MaxPooling, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, *sizes = shape
        windows, outputs = layer.spatial_windows(tuple(sizes)), layer.spatial_output(tuple(sizes))
        axes = zip(windows, sizes, outputs, strict=True)
        self.padding = [(w.before, (m - 1) * w.stride + w.effective - n - w.before) for w, n, m in axes]
        self.weight = torch.ones(channels, 1, *(window.kernel for window in windows), dtype=torch.double)
        self.steps = {"stride": [w.stride for w in windows], "dilation": [w.dilation for w in windows]}
        self.convolve: Any = getattr(functional, f"conv{len(sizes)}d")

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        ends = [end for pair in reversed(self.padding) for end in pair]
        return self.convolve(functional.pad(values, ends), self.weight, groups=len(self.weight), **self.steps)


class FunctionModule(nn.Module):
    """A module that calls a function."""

    def __init__(self, function: Any) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        return self.function(*inputs)


def attend(query: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
    """Every token reads its own query, and all keys and values."""
    read = query.mean(2, keepdim=True) if others else query.mean((1, 2), keepdim=True)
    for other in others:
        read = read + other.mean((1, 2), keepdim=True)
    return read.expand(query.shape)


def look_up(layer: Any) -> nn.Module:
    return FunctionModule(lambda values: values.unsqueeze(-1).expand(*values.shape, layer.embedding_dim))


def average_along(layer: Any, inputs: Tensors) -> nn.Module:
    dim = layer.dim % len(inputs[0].shape) + 1
    return FunctionModule(lambda values: values + values.mean(dim, keepdim=True))


def connect_all(layer: Any) -> nn.Module:
    return FunctionModule(lambda values: values.mean(-1, keepdim=True).expand(*values.shape[:-1], layer.out_features))


def hop(layer: Any) -> nn.Module:
    """A graph convolution on a chain of nodes, whatever the adjacency: a node sees its neighbours and itself."""

    def read(features: torch.Tensor, _adjacency: torch.Tensor) -> torch.Tensor:
        nodes = features.mean(2, keepdim=True)
        around = functional.pad(nodes, (0, 0, 1, 1))
        return (around[:, :-2] + nodes + around[:, 2:]).expand(*nodes.shape[:2], layer.out_features)

    return FunctionModule(read)


def resized_in_float32(layer: Any, inputs: Tensors) -> nn.Module:
    """Nearest upsampling takes other positions in float64; linear runs as it is."""
    module: Any = make_module(layer.module(inputs))
    return FunctionModule(lambda values: take_nearest(module, values)) if layer.mode == "nearest" else module


# Replacements of modules whose gradients can be zero at positions that they read: maxima, products and sums.
STAND_INS: dict[type[Any], Any] = {
    Upsample: resized_in_float32,
    MaxPooling: lambda layer, inputs: Sum(layer, inputs[0].shape),
    AdaptiveMaxPooling: lambda layer, _: getattr(nn, f"AdaptiveAvgPool{layer.dimensions}d")(layer.output_size),
    Mul: lambda _, inputs: Add(max(len(tensor.shape) for tensor in inputs)),
    MultiHeadAttention: lambda _layer, _inputs: FunctionModule(attend),
    Embedding: lambda layer, _: look_up(layer),
    SoftmaxLayer: average_along,
    Rbf: lambda layer, _: connect_all(layer),
    GcnConv: lambda layer, _: hop(layer),
    GraphReadout: lambda _layer, _inputs: FunctionModule(lambda values: values.mean(1)),
}


def stand_in(layer: Any, inputs: Tensors) -> nn.Module | None:
    """The module that replaces a layer's own in measurements, or None."""
    for kind, make in STAND_INS.items():
        if isinstance(layer, kind):
            return make(layer, inputs)
    return nn.Identity() if layer.family in ("activation", "normalization") else None


def positive(module: nn.Module) -> nn.Module:
    """The module with positive weights, so that gradients do not cancel."""
    for name, parameter in [*module.named_parameters(), *module.named_buffers()]:
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else 0.1)
    return module.double().eval()


class Oracle:
    """A run of a network on positive inputs. Links (an edge, and the number of an input) can be cut."""

    def __init__(self, network: archcalc.Network) -> None:
        self.network, self.cut = network, frozenset[tuple[int, int]]()
        self.inputs = {
            name: (torch.rand(1, *shape, dtype=torch.double) + 0.5).requires_grad_()
            for name, shape in network.inputs.items()
        }
        self.values: list[torch.Tensor] = [*self.inputs.values()]
        for position, node in enumerate(network.graph.nodes):
            tensors = network.context.tensors_at(position)[0]
            module = stand_in(node.layer, tensors) or positive(make_module(node.layer.module(tensors)))
            edge = len(self.values)
            inputs = [self._linked(self.values[source], (edge, number)) for number, source in enumerate(node.sources)]
            self.values.append(module(*inputs))

    def _linked(self, values: torch.Tensor, link: tuple[int, int]) -> torch.Tensor:
        linked = values.view_as(values)
        if linked.requires_grad:
            linked.register_hook(lambda gradient: gradient * 0 if link in self.cut else None)
        return linked

    def seen(self, edge: int, places: dict[int, int], cut: Iterable[tuple[int, int]] = ()) -> dict[str, torch.Tensor]:
        """For every input, the positions on which units of an edge depend; `places` fixes the units along axes."""
        index = [slice(None) if axis not in places else places[axis] for axis in range(self.values[edge].dim() - 1)]
        self.cut = frozenset(cut)
        unit = self.values[edge][(0, *index)].sum()
        none = {name: torch.zeros(values.shape[1:], dtype=torch.bool) for name, values in self.inputs.items()}
        if not unit.requires_grad:
            return none
        gradients = torch.autograd.grad(unit, list(self.inputs.values()), retain_graph=True, materialize_grads=True)
        largest = max(float(gradient.max()) for gradient in gradients if gradient.numel())
        pairs = zip(self.inputs, gradients, strict=True)
        return {name: gradient[0] > SMALLEST * largest for name, gradient in pairs}
