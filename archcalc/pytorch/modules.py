"""Modules for layers that torch.nn lacks, or has without some of their fields. Shapes here begin with the batch, B."""

from collections.abc import Sequence
from functools import reduce
from math import prod
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from archcalc.arithmetic import Window

CONVOLUTIONS: dict[int, Any] = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
CONVOLVE: dict[int, Any] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
MAX_POOLS: dict[int, Any] = {1: nn.MaxPool1d, 2: nn.MaxPool2d, 3: nn.MaxPool3d}
AVERAGE_POOLS: dict[int, Any] = {1: nn.AvgPool1d, 2: nn.AvgPool2d, 3: nn.AvgPool3d}

Pairs = Sequence[tuple[int, int]]
Shape = Sequence[int]


def pad(values: torch.Tensor, pairs: Pairs, value: float = 0) -> torch.Tensor:
    """Pads the last axes, a pair for each; F.pad wants the last axis first."""
    return functional.pad(values, [side for pair in reversed(pairs) for side in pair], value=value)


def symmetric_padding(windows: Sequence[Window]) -> tuple[int, ...] | None:
    """The padding as torch.nn takes it; None where the two ends of an axis differ."""
    if any(window.before != window.after for window in windows):
        return None
    return tuple(window.before for window in windows)


def geometry(windows: Sequence[Window]) -> tuple[tuple[int, ...], ...]:
    """Kernel size, stride and dilation, each with a value per axis."""
    kernel, stride, _, _, dilation = zip(*windows, strict=True)
    return kernel, stride, dilation


def convolution(
    channels: int,
    maps: int,
    windows: Sequence[Window],
    groups: int,
    bias: bool,
    table: Sequence[Sequence[int]] | None,
) -> nn.Module:
    """B × channels × sizes to B × maps × sizes, by a connection table if there is one."""
    kernel, stride, dilation = geometry(windows)
    padding = symmetric_padding(windows)
    plain: nn.Module = CONVOLUTIONS[len(windows)](channels, maps, kernel, stride, padding or 0, dilation, groups, bias)
    if table is not None:
        return ConnectedConvolution(plain, windows, table)
    return plain if padding is not None else PaddedConvolution(plain, windows)


class PaddedConvolution(nn.Module):
    """A convolution with any number of zeros at each end. It takes over the parameters of `plain`."""

    def __init__(self, plain: Any, windows: Sequence[Window]) -> None:
        super().__init__()
        self.weight, self.bias = plain.weight, plain.bias
        self.stride, self.dilation, self.groups = plain.stride, plain.dilation, plain.groups
        self.padding = [(window.before, window.after) for window in windows]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Pads, then convolves."""
        return self.convolve(pad(values, self.padding), self.weight, self.bias, self.groups)

    def convolve(self, values: torch.Tensor, weight: Any, bias: Any, groups: int) -> torch.Tensor:
        """The convolution without padding."""
        convolve = CONVOLVE[len(self.padding)]
        found: torch.Tensor = convolve(values, weight, bias, self.stride, 0, self.dilation, groups)
        return found


class ConnectedConvolution(PaddedConvolution):
    """A convolution by a connection table, as LeNet-5's C3: output map i reads the input maps in row i.

    The weight is links × kernel, a kernel for each link in the order of the table. Each link is convolved by itself,
    so that the work done is that of the links there are; then the links into a map are added up.
    """

    def __init__(self, plain: Any, windows: Sequence[Window], table: Sequence[Sequence[int]]) -> None:
        super().__init__(plain, windows)
        self.targets = [target for target, row in enumerate(table) for _ in row]
        self.sources = [source for row in table for source in row]
        self.weight = nn.Parameter(plain.weight.detach()[self.targets, self.sources].clone())
        self.maps = len(table)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Pads, convolves every link, adds up."""
        read = pad(values, self.padding)[:, self.sources]
        links = self.convolve(read, self.weight.unsqueeze(1), None, len(self.sources))
        targets = torch.tensor(self.targets, device=links.device)
        found = links.new_zeros(len(links), self.maps, *links.shape[2:]).index_add(1, targets, links)
        return found if self.bias is None else found + self.bias.reshape(-1, *[1] * len(self.padding))


def max_pool(windows: Sequence[Window], sizes: Shape, counts: Shape, ceil_mode: bool) -> nn.Module:
    """B × channels × sizes to B × channels × counts."""
    kernel, stride, dilation = geometry(windows)
    pool = MAX_POOLS[len(windows)]
    padding = symmetric_padding(windows)
    if padding is None or any(2 * window.before > window.kernel for window in windows):
        return PaddedMaxPool(pool(kernel, stride, dilation=dilation), reach(windows, sizes, counts))
    plain: nn.Module = pool(kernel, stride, padding, dilation=dilation, ceil_mode=ceil_mode)
    return plain


def average_pool(
    windows: Sequence[Window], sizes: Shape, counts: Shape, ceil_mode: bool, count_include_pad: bool
) -> nn.Module:
    """B × channels × sizes to B × channels × counts."""
    kernel, stride, _ = geometry(windows)
    pool = AVERAGE_POOLS[len(windows)]
    padding = symmetric_padding(windows)
    if padding is None:
        counted = [(window.before, window.after) if count_include_pad else (0, 0) for window in windows]
        return PaddedAveragePool(pool(kernel, stride), reach(windows, sizes, counts), counted)
    plain: nn.Module = pool(kernel, stride, padding, ceil_mode, count_include_pad)
    return plain


def reach(windows: Sequence[Window], sizes: Shape, counts: Shape) -> list[tuple[int, int]]:
    """The padding with which all windows fit exactly, whether the last one hangs over the end or falls short of it."""
    axes = zip(windows, sizes, counts, strict=True)
    return [(w.before, (count - 1) * w.stride + w.effective - size - w.before) for w, size, count in axes]


class PaddedMaxPool(nn.Module):
    """Max pooling with a different padding at each end."""

    def __init__(self, pool: nn.Module, padding: Pairs) -> None:
        super().__init__()
        self.pool, self.padding = pool, padding

    def forward(self, values: torch.Tensor) -> Any:
        """Pads with what is never the largest, then pools."""
        return self.pool(pad(values, self.padding, -torch.inf))


class PaddedAveragePool(nn.Module):
    """Average pooling with a different padding at each end; `counted` is the padding that a mean counts as values."""

    def __init__(self, pool: nn.Module, padding: Pairs, counted: Pairs) -> None:
        super().__init__()
        self.pool, self.padding, self.counted = pool, padding, counted

    def forward(self, values: torch.Tensor) -> Any:
        """The mean over the window, divided by the share of it that counts."""
        ones = pad(torch.ones_like(values[:1, :1]), self.counted, 1)
        pairs = zip(self.padding, self.counted, strict=True)
        rest = [
            (before - before_counted, after - after_counted)
            for (before, after), (before_counted, after_counted) in pairs
        ]
        return self.pool(pad(values, self.padding)) / self.pool(pad(ones, rest))


class Subsample(nn.Module):
    """B × channels × height × width: the sum of each window, times a weight and plus a bias for each channel."""

    def __init__(self, channels: int, windows: Sequence[Window]) -> None:
        super().__init__()
        self.kernel, self.stride, _ = geometry(windows)
        self.weight = nn.Parameter(torch.full((channels,), 1 / prod(self.kernel)))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """weight·Σ + bias."""
        sums = functional.avg_pool2d(values, self.kernel, self.stride, divisor_override=1)
        return sums * self.weight[:, None, None] + self.bias[:, None, None]


class Rbf(nn.Module):
    """B × … × features to B × … × out_features: squared distances to fixed vectors of −1 and 1."""

    weight: torch.Tensor

    def __init__(self, features: int, out_features: int) -> None:
        super().__init__()
        signs = torch.randint(2, (out_features, features)) * 2.0 - 1
        self.register_buffer("weight", signs)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Σ(x − w)²."""
        return (values.unsqueeze(-2) - self.weight).square().sum(-1)


class Reshape(nn.Module):
    """Another shape for the same values of each sample."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The batch is kept."""
        return values.reshape(len(values), *self.shape)


class Permute(nn.Module):
    """Another order of the axes behind the batch."""

    def __init__(self, order: Sequence[int]) -> None:
        super().__init__()
        self.order = [0, *(axis + 1 for axis in order)]

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The batch stays in front."""
        return values.permute(self.order)


class ZeroPad(nn.Module):
    """Zeros around the last axes, a pair for each."""

    def __init__(self, pairs: Pairs) -> None:
        super().__init__()
        self.pairs = pairs

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Zeros before and after."""
        return pad(values, self.pairs)


class Slice(nn.Module):
    """Positions `start` to `stop` − 1 of axis `dim`, the batch counted."""

    def __init__(self, dim: int, start: int, stop: int) -> None:
        super().__init__()
        self.dim, self.start, self.stop = dim, start, stop

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """A part of the axis."""
        return values.narrow(self.dim, self.start, self.stop - self.start)


class Cat(nn.Module):
    """Its inputs side by side along axis `dim`, the batch counted."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """One behind the other."""
        return torch.cat(inputs, self.dim)


class Add(nn.Module):
    """The sum of inputs of up to `rank` axes behind the batch."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """One input after the other."""
        return reduce(torch.add, (expanded(values, self.rank) for values in inputs))


class Mul(nn.Module):
    """The product of inputs of up to `rank` axes behind the batch."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """One input after the other."""
        return reduce(torch.mul, (expanded(values, self.rank) for values in inputs))


def expanded(values: torch.Tensor, rank: int) -> torch.Tensor:
    """Axes of size 1 behind the batch until there are `rank`: broadcasting alone would put them in front of it."""
    missing = rank + 1 - values.dim()
    return values.reshape(len(values), *[1] * missing, *values.shape[1:])


class Attention(nn.MultiheadAttention):
    """B × queries × features, or query, key and value, to B × queries × features, without the attention weights."""

    def __init__(self, features: Sequence[int], num_heads: int, bias: bool, dropout: float) -> None:
        embedding, key, value = features
        super().__init__(embedding, num_heads, dropout, bias, kdim=key, vdim=value, batch_first=True)

    def forward(self, *inputs: torch.Tensor) -> Any:  # type: ignore[override, unused-ignore]  # one input or three
        """A single input is query, key and value."""
        query, key, value = inputs * 3 if len(inputs) == 1 else inputs
        return super().forward(query, key, value, need_weights=False)[0]


class GcnConv(nn.Module):
    """B × nodes × features and the adjacency to B × nodes × out_features.

    The adjacency is B × nodes × nodes, or nodes × nodes for all samples, which alone may be sparse.
    """

    def __init__(self, features: int, out_features: int, bias: bool) -> None:
        super().__init__()
        linear = nn.Linear(features, out_features, bias=bias)
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """ÂXW + b, the features multiplied by the weights first."""
        found = aggregate(adjacency, functional.linear(features, self.weight))
        return found if self.bias is None else found + self.bias


def aggregate(adjacency: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The adjacency times the features of every sample."""
    if adjacency.layout == torch.strided:
        return torch.matmul(adjacency, features)
    # A sparse matrix multiplies matrices only: the samples go side by side.
    batch, nodes, width = features.shape
    side_by_side = features.transpose(0, 1).reshape(nodes, batch * width)
    return torch.mm(adjacency, side_by_side).reshape(nodes, batch, width).transpose(0, 1)


class GraphReadout(nn.Module):
    """B × nodes × features to B × features."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The mean, sum or largest over the nodes."""
        if self.reduction == "max":
            return features.amax(1)
        return features.mean(1) if self.reduction == "mean" else features.sum(1)
