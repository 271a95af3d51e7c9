"""Modules for layers that torch.nn lacks, or has without some of their fields. Shapes begin with the batch, B.

Exported source text contains copies of these: code lines have at most 88 letters, the limit of common formatters.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch import nn
from torch.nn import functional


class EndPadding(nn.Module):
    """Pads each end of an axis separately, then computes what the other base class does."""

    fill = 0.0

    def __init__(self, *arguments: Any, ends: Sequence[int], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.ends = tuple(ends)  # before and after, the last axis first

    def forward(self, values: torch.Tensor) -> Any:
        """Pads, then calls the other base class."""
        return super().forward(functional.pad(values, self.ends, value=self.fill))


class PaddedConv1d(EndPadding, nn.Conv1d):
    """A convolution over one axis, with a separate padding for each end."""


class PaddedConv2d(EndPadding, nn.Conv2d):
    """A convolution over two axes, with a separate padding for each end."""


class PaddedConv3d(EndPadding, nn.Conv3d):
    """A convolution over three axes, with a separate padding for each end."""


class ConnectedConv(nn.Module):
    """A convolution by a connection table, as LeNet-5's C3: output map i reads the input maps in row i.

    The weight is links × kernel, with a kernel for each link in the order of the table. Each link is convolved
    separately, so that no work is done for missing links; then the links into each map are added.
    """

    def __init__(
        self,
        connections: Sequence[Sequence[int]],
        kernel_size: Sequence[int],
        padding: int | Sequence[int] = 0,
        ends: Sequence[int] = (0, 0),
        bias: bool = True,
        **options: Any,
    ) -> None:
        super().__init__()
        targets = [target for target, row in enumerate(connections) for _ in row]
        sources = [source for row in connections for source in row]
        self.table = sources, targets
        self.places = torch.tensor(self.table)
        self.maps, self.ends = len(connections), tuple(ends)
        self.options = {**options, "padding": padding, "groups": len(sources)}
        self.convolve = getattr(functional, f"conv{len(kernel_size)}d")
        bound = 1 / math.sqrt(math.prod(kernel_size) * max(map(len, connections)))
        weight = torch.empty(len(sources), *kernel_size)
        self.weight = nn.Parameter(weight.uniform_(-bound, bound))
        shift = torch.empty(self.maps).uniform_(-bound, bound)
        self.bias = nn.Parameter(shift) if bias else None

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Convolves every link, and adds the links into each map."""
        sources, targets = self.find_places(values.device)
        read = functional.pad(values, self.ends).index_select(1, sources)
        links = self.convolve(read, self.weight.unsqueeze(1), **self.options)
        found = links.new_zeros(len(links), self.maps, *links.shape[2:])
        found = found.index_add(1, targets, links)
        if self.bias is None:
            return found
        return found + self.bias.reshape(-1, *[1] * (links.dim() - 2))

    def find_places(self, device: torch.device) -> Any:
        """The table on a device, cached: else every call would wait for a copy to the GPU."""
        if self.places.device != device:
            with torch.inference_mode(mode=False):  # training may follow
                self.places = torch.tensor(self.table, device=device)
        return self.places.unbind()


def without_late_windows(
    pooled: torch.Tensor,
    values: torch.Tensor,
    pool: Any,
) -> torch.Tensor:
    """The pooled values of the windows that do not start in the padding at the end."""
    steps, befores = pool.stride, pool.ends[::2]  # the last axis first
    if not isinstance(steps, Sequence):
        steps = (steps,) * len(befores)
    for number, (step, before) in enumerate(zip(reversed(steps), befores, strict=True)):
        axis = -1 - number
        most = (values.shape[axis] + before - 1) // step + 1
        pooled = pooled.narrow(axis, 0, min(pooled.shape[axis], most))
    return pooled


class PaddedMaxPool(EndPadding):
    """Max pooling with a separate padding for each end."""

    fill = -math.inf  # never the largest

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Pads, then pools."""
        return without_late_windows(super().forward(values), values, self)


class PaddedMaxPool1d(PaddedMaxPool, nn.MaxPool1d):
    """Over one axis."""


class PaddedMaxPool2d(PaddedMaxPool, nn.MaxPool2d):
    """Over two axes."""


class PaddedMaxPool3d(PaddedMaxPool, nn.MaxPool3d):
    """Over three axes."""


class PaddedAvgPool(EndPadding):
    """Average pooling with a separate padding for each end."""

    count_include_pad: bool

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """The mean over the window, divided by the share of its positions that count."""
        counted = torch.ones_like(values[:1, :1])
        shares = functional.pad(counted, self.ends, value=float(self.count_include_pad))
        means = super().forward(values) / super(EndPadding, self).forward(shares)
        return without_late_windows(means, values, self)


class PaddedAvgPool1d(PaddedAvgPool, nn.AvgPool1d):
    """Over one axis."""


class PaddedAvgPool2d(PaddedAvgPool, nn.AvgPool2d):
    """Over two axes."""


class PaddedAvgPool3d(PaddedAvgPool, nn.AvgPool3d):
    """Over three axes."""


class OrderedLocalResponseNorm(nn.LocalResponseNorm):
    """Normalization across channels of volumes, for which PyTorch needs a contiguous input."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Makes the input contiguous first."""
        return super().forward(values.contiguous())


class Subsample(nn.Module):
    """B × channels × height × width: the sum of each window, times a weight and plus a bias for each channel."""

    def __init__(
        self,
        channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride
        sides = (kernel_size,) * 2 if isinstance(kernel_size, int) else kernel_size
        self.area = math.prod(sides)
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """weight·Σ + bias."""
        means = functional.avg_pool2d(values, self.kernel_size, self.stride)
        sums = means * self.area  # not divisor_override, which ONNX lacks
        return sums * self.weight[:, None, None] + self.bias[:, None, None]


class Rbf(nn.Module):
    """B × … × features to B × … × out_features: squared distances to fixed vectors of −1 and 1."""

    weight: torch.Tensor

    def __init__(self, features: int, out_features: int) -> None:
        super().__init__()
        self.out_features = out_features
        signs = torch.randint(2, (out_features, features)) * 2.0 - 1
        self.register_buffer("weight", signs)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Σ(x − w)²."""
        return (values.unsqueeze(-2) - self.weight).square().sum(-1)


class Reshape(nn.Module):
    """Another shape for the same values of each sample."""

    def __init__(self, shape: Sequence[int]) -> None:
        super().__init__()
        self.shape = shape

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Reshapes all axes but the batch."""
        return values.reshape(len(values), *self.shape)


class Permute(nn.Module):
    """Another order of the axes, the batch counted."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Axis i is axis dims[i] of the input."""
        return values.permute(self.dims)


class Slice(nn.Module):
    """Positions `start` to before `stop` of axis `dim`, the batch counted."""

    def __init__(self, dim: int, start: int, stop: int | None) -> None:
        super().__init__()
        self.places = (*[slice(None)] * dim, slice(start, stop))

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """A part of the axis."""
        return values[self.places]


class Chunk(nn.Module):
    """Part number `index` of axis `dim`, the batch counted, cut into `chunks` parts."""

    def __init__(self, chunks: int, index: int, dim: int) -> None:
        super().__init__()
        self.chunks, self.index, self.dim = chunks, index, dim

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """A part of the axis."""
        return values.chunk(self.chunks, self.dim)[self.index]


class Cat(nn.Module):
    """The concatenation of its inputs along axis `dim`, the batch counted."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Concatenates the inputs."""
        return torch.cat(inputs, self.dim)


class Add(nn.Module):
    """The sum of inputs of up to `rank` axes after the batch; `inplace` overwrites the first."""

    def __init__(self, rank: int, inplace: bool = False) -> None:
        super().__init__()
        self.rank, self.inplace = rank, inplace

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Accumulates the inputs in order."""
        first, *others = inputs
        values = (expanded(value, self.rank) for value in others)
        if self.inplace:
            return reduce(torch.Tensor.add_, values, first)
        return reduce(torch.add, values, expanded(first, self.rank))


class Mul(nn.Module):
    """The product of inputs of up to `rank` axes after the batch."""

    def __init__(self, rank: int) -> None:
        super().__init__()
        self.rank = rank

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
        """Accumulates the inputs in order."""
        return reduce(torch.mul, (expanded(values, self.rank) for values in inputs))


def expanded(values: torch.Tensor, rank: int) -> torch.Tensor:
    """Inserts axes of size 1 after the batch up to `rank`: broadcasting alone would insert them before it."""
    missing = rank + 1 - values.dim()
    return values.reshape(len(values), *[1] * missing, *values.shape[1:])


class Attention(nn.MultiheadAttention):
    """B × queries × features, or query, key and value, to B × queries × features, without the attention weights."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options, batch_first=True)

    def forward(self, *inputs: torch.Tensor) -> Any:  # type: ignore[override, unused-ignore]  # one input or three
        """Uses a single input as query, key and value."""
        query, key, value = inputs * 3 if len(inputs) == 1 else inputs
        return super().forward(query, key, value, need_weights=False)[0]


class GcnConv(nn.Module):
    """B × nodes × features and the adjacency to B × nodes × out_features.

    The adjacency is B × nodes × nodes, or one nodes × nodes for all samples; only the latter may be sparse.
    """

    def __init__(self, features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        linear = nn.Linear(features, out_features, bias=bias)
        self.weight, self.bias = linear.weight, linear.bias

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        """ÂXW + b, computed as Â(XW) + b."""
        if adjacency.shape[-2:] != (features.shape[-2],) * 2:
            raise ValueError("the adjacency is not nodes × nodes")
        found = aggregate(adjacency, functional.linear(features, self.weight))
        return found if self.bias is None else found + self.bias


def aggregate(adjacency: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """The adjacency times the features of every sample."""
    if adjacency.layout == torch.strided:
        return torch.matmul(adjacency, features)
    # A sparse matrix multiplies matrices only: the samples are put side by side.
    batch, nodes, width = features.shape
    side_by_side = features.transpose(0, 1).reshape(nodes, batch * width)
    found = torch.mm(adjacency, side_by_side)
    return found.reshape(nodes, batch, width).transpose(0, 1).contiguous()


class GraphReadout(nn.Module):
    """B × nodes × features to B × features."""

    def __init__(self, reduction: str) -> None:
        super().__init__()
        self.reduction = reduction

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """The mean, sum or maximum over the nodes."""
        if self.reduction == "max":
            return features.amax(1)
        return features.mean(1) if self.reduction == "mean" else features.sum(1)
