"""The measurable network: a positive linear map, whose gradients are non-zero exactly on the receptive field.

Weights are positive constants, biases zero, max pooling sums its window, and activations and normalizations pass their
input on. With constant weights, all output channels of a convolution are equal; one is computed and stands for all, so
that a gradient through ResNet-50 takes milliseconds. Kernel size, stride, padding and all else that determines the
receptive field are those of PyTorch's own modules.
"""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional

from archcalc.pytorch import modules

ROUNDING = 1e-9  # smaller weights of an interpolation are zero


class Signal(NamedTuple):
    """The values on an edge, for one sample.

    `counts` is the number of equal channels that each channel of `values` stands for; None if each stands for itself.
    """

    values: torch.Tensor
    counts: tuple[int, ...] | None = None

    def all_channels(self) -> torch.Tensor:
        """The values of every channel."""
        if self.counts is None:
            return self.values
        return self.values.repeat_interleave(torch.tensor(self.counts), 1)

    def mean_channel(self) -> torch.Tensor:
        """The mean over all channels."""
        if self.counts is None:
            return self.values.mean(1, keepdim=True)
        shares = torch.tensor(self.counts, dtype=torch.double) / sum(self.counts)
        return (self.values * shares.reshape(-1, *[1] * (self.values.dim() - 2))).sum(1, keepdim=True)


def pass_through(module: nn.Module, inputs: Sequence[Signal]) -> Signal:
    """The output of a module's measurable form. The module is on the meta device, and is changed."""
    for kinds, measure in _MEASURES:
        if isinstance(module, kinds):
            return measure(module, inputs)
    if type(module).__module__ in _PASSED_ON:
        return inputs[0]
    return _by_itself(module, inputs)


def _by_itself(module: nn.Module, inputs: Sequence[Signal]) -> Signal:
    module = module.to_empty(device="cpu").double().eval()
    _make_positive(module)
    return Signal(module(*(signal.all_channels() for signal in inputs)))


def _make_positive(module: nn.Module) -> None:
    for buffer in module.buffers():
        buffer.fill_(1)
    for name, parameter in module.named_parameters():
        shape = parameter.shape
        scale = 1.0 if len(shape) < 2 else 1 / (shape[1] * math.sqrt(shape[2:].numel()))
        nn.init.constant_(parameter, 0.0 if name.endswith("bias") else scale)


def _pass_on(_module: Any, inputs: Sequence[Signal]) -> Signal:
    return inputs[0]


def _channels_apart(module: Any, inputs: Sequence[Signal]) -> Signal:
    """The output of a module that treats each channel separately, and all alike."""
    if len({(signal.counts, signal.values.shape) for signal in inputs}) == 1:
        return inputs[0]._replace(values=module(*(signal.values for signal in inputs)))
    return Signal(module(*(signal.all_channels() for signal in inputs)))


def _convolve(module: Any, inputs: Sequence[Signal]) -> Signal:
    """A convolution with constant weights: it convolves the mean over the channels of each group."""
    (signal,) = inputs
    kernel = torch.full((1, 1, *module.kernel_size), 1 / math.sqrt(math.prod(module.kernel_size)))
    groups, maps = module.groups, module.out_channels
    one = _with_weight(module, kernel.double())
    if groups == 1 or (signal.counts and len(signal.counts) == 1):
        return Signal(one(signal.mean_channel()), (maps,))
    grouped = signal.all_channels().unflatten(1, (groups, -1)).mean(2)
    found = one(grouped.transpose(0, 1)).transpose(0, 1)
    return Signal(found, (maps // groups,) * groups)


def _with_weight(module: Any, weight: torch.Tensor) -> Any:
    """The convolution with another weight, for one channel, one group and no bias."""
    module.weight, module.bias, module.groups = nn.Parameter(weight, requires_grad=False), None, 1
    return module


def _concatenate(module: Any, inputs: Sequence[Signal]) -> Signal:
    counts = [signal.counts for signal in inputs if signal.counts]
    if module.dim != 1 or len(counts) < len(inputs):
        return _by_itself(module, inputs)
    return Signal(torch.cat([signal.values for signal in inputs], 1), tuple(itertools.chain(*counts)))


def _sum_windows(module: Any, inputs: Sequence[Signal]) -> Signal:
    return _channels_apart(WindowSum(module), inputs)


class WindowSum(nn.Module):
    """The sum over the windows of a max pooling, which it finds by pooling indices of positions."""

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Every output is the sum over its window."""
        axes = values.dim() - 2
        kernel, stride, dilation = (
            size if isinstance(size, tuple) else (size,) * axes
            for size in (self.pool.kernel_size, self.pool.stride, self.pool.dilation)
        )
        counts = self.pool(values.detach()).shape[2:]
        padded = functional.pad(values, _ends(self.pool, axes, stride))
        weight = torch.ones(1, 1, *kernel, dtype=values.dtype)
        convolve: Any = getattr(functional, f"conv{axes}d")
        found = convolve(padded.flatten(0, 1).unsqueeze(1), weight, stride=stride, dilation=dilation)
        for axis, count in enumerate(counts, start=2):
            found = found.narrow(axis, 0, count)
        return found.reshape(*values.shape[:2], *counts)


def _ends(pool: Any, axes: int, stride: Sequence[int]) -> list[int]:
    """The padding at both ends, the last axis first; the far ends have room for one more window."""
    if hasattr(pool, "ends"):
        ends = list(pool.ends)
    else:
        sizes = pool.padding if isinstance(pool.padding, tuple) else (pool.padding,) * axes
        ends = [size for size in reversed(sizes) for _ in range(2)]
    return [end + (number % 2) * stride[axes - 1 - number // 2] for number, end in enumerate(ends)]


def _average_adaptively(module: Any, inputs: Sequence[Signal]) -> Signal:
    axes = type(module).__name__[-2:]
    return _channels_apart(getattr(nn, f"AdaptiveAvgPool{axes}")(module.output_size), inputs)


def _interpolate(module: Any, inputs: Sequence[Signal]) -> Signal:
    """Linear or nearest upsampling; weights that are non-zero by rounding alone are set to zero."""
    found = inputs[0].values
    if module.mode == "nearest":
        return inputs[0]._replace(values=take_nearest(module, found))
    for axis, size in enumerate(module(found.detach()).shape[2:], start=2):
        line = torch.eye(found.shape[axis], dtype=found.dtype).unsqueeze(0)
        weights = functional.interpolate(line, size=size, mode="linear", align_corners=module.align_corners)[0]
        weights = weights.where(weights > ROUNDING, 0)
        found = torch.tensordot(found, weights, ([axis], [0])).movedim(-1, axis)
    return inputs[0]._replace(values=found)


def take_nearest(module: Any, values: torch.Tensor) -> torch.Tensor:
    """Nearest upsampling with the positions of float32; kernels for float64 round differently."""
    for axis, size in enumerate(module(values.detach()).shape[2:], start=2):
        line = torch.arange(values.shape[axis], dtype=torch.float32).reshape(1, 1, -1)
        taken = functional.interpolate(line, size=size, mode="nearest").long()
        values = values.index_select(axis, taken.flatten())
    return values


def _attend(module: Any, inputs: Sequence[Signal]) -> Signal:
    """Attention plus the mean of its inputs: its own gradients are zero if all keys are equal, or there is only one."""
    query, *others = (signal.all_channels() for signal in inputs)
    read = query.mean(2, keepdim=True) if others else query.mean((1, 2), keepdim=True)
    for other in others:
        read = read + other.mean((1, 2), keepdim=True)
    return Signal(_by_itself(module, inputs).values + read)


def _connect_all(module: Any, inputs: Sequence[Signal]) -> Signal:
    """The mean over the features, for a dense layer with constant weights, and for distances.

    Gradients of repeated squares would soon be zero or infinite.
    """
    values = inputs[0].all_channels().mean(-1, keepdim=True)
    return Signal(values.expand(*values.shape[:-1], module.out_features))


def _add(module: Any, inputs: Sequence[Signal]) -> Signal:
    """A sum, also for a product: a factor of zero would hide the other one. Never in place."""
    return _channels_apart(modules.Add(module.rank), inputs)


def _average_axis(module: Any, inputs: Sequence[Signal]) -> Signal:
    """The values plus their mean along the axis of a softmax, whose own gradients may underflow."""
    values = inputs[0].all_channels()
    return Signal(values + values.mean(module.dim, keepdim=True))


def _hop(module: Any, inputs: Sequence[Signal]) -> Signal:
    """A graph convolution on a path graph with self-loops, so that a hop is a position."""
    features = inputs[0].all_channels()
    count = features.shape[1]
    nodes = torch.arange(count)
    rows, columns = torch.cat([nodes, nodes[1:], nodes[:-1]]), torch.cat([nodes, nodes[:-1], nodes[1:]])
    ones = torch.ones(len(rows), dtype=torch.double)
    edges = torch.sparse_coo_tensor(torch.stack([rows, columns]), ones, (count, count), check_invariants=True)
    return _by_itself(module, [inputs[0], Signal(edges)])


def _average_nodes(_module: Any, inputs: Sequence[Signal]) -> Signal:
    """The mean over the nodes, for a readout, which may depend on the largest alone."""
    return Signal(inputs[0].all_channels().mean(1))


def _look_up(module: Any, inputs: Sequence[Signal]) -> Signal:
    """The output of an embedding for floating-point numbers in place of integers."""
    return Signal(inputs[0].values.unsqueeze(-1).expand(*inputs[0].values.shape, module.embedding_dim))


# The first matching type applies; a module of another type runs unchanged with positive weights.
_MEASURES: tuple[tuple[Any, Callable[[Any, Sequence[Signal]], Signal]], ...] = (
    (nn.LocalResponseNorm, _pass_on),  # also archcalc's own, for volumes
    (nn.modules.conv._ConvNd, _convolve),
    ((nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d), _sum_windows),
    ((nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d), _average_adaptively),
    ((nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d), _channels_apart),
    ((nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d), _channels_apart),
    ((nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d), _channels_apart),
    (nn.Upsample, _interpolate),
    (modules.Attention, _attend),
    ((modules.Add, modules.Mul), _add),
    (modules.Cat, _concatenate),
    ((nn.Softmax, nn.LogSoftmax), _average_axis),
    (modules.GcnConv, _hop),
    (modules.GraphReadout, _average_nodes),
    (nn.Embedding, _look_up),
    ((nn.Linear, modules.Rbf), _connect_all),
)
_PASSED_ON = {
    f"torch.nn.modules.{name}" for name in ("activation", "batchnorm", "instancenorm", "normalization", "dropout")
}
