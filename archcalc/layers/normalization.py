"""Normalizations. For receptive fields, their statistics are constants, as in the literature."""

from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from msgspec import Meta, structs

from archcalc.arithmetic import product
from archcalc.layers.base import (
    FLOATING,
    Count,
    Elementwise,
    KernelOp,
    KernelOps,
    Module,
    Positive,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, divides

Epsilon = Annotated[float, Meta(ge=0)]


class Normalization(Elementwise):
    """A layer that rescales values. Abstract."""

    family: ClassVar[str] = "normalization"
    takes: ClassVar[tuple[str, ...]] = FLOATING
    saved: ClassVar[tuple[int, ...]] = (0,)

    def standardize(self, inputs: Tensors, *statistics: TensorSpec) -> KernelOp:
        """The operation that normalizes; it saves two statistics, the mean and the inverse standard deviation."""
        return KernelOp((0, *self.parameters(inputs)), saved=self.saved, saved_extra=statistics * 2, layout=self.layout)


def affine(shape: Shape, trainable: bool, bias: bool = True) -> dict[str, Shape]:
    """The parameters of an elementwise scale and shift; none if not `trainable`."""
    if not trainable:
        return {}
    return {"weight": shape, "bias": shape} if bias else {"weight": shape}


def running_statistics(channels: Any) -> dict[str, Shape]:
    """The buffers with the running statistics of each channel, by PyTorch's names."""
    return {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}


def scale_and_shift(values: Any, parameters: dict[str, Shape]) -> dict[str, int]:
    """The operations of an elementwise scale and shift: one multiplication and one addition for each value."""
    return {
        "additions": values if "bias" in parameters else 0,
        "multiplications": values if "weight" in parameters else 0,
    }


def standardization(values: Any, rows: Any, parameters: dict[str, Shape]) -> dict[str, Count]:
    """The operations of (x − mean)/√(variance + ε), with statistics for each of `rows` equal parts of the values.

    Mean: n − 1 additions, a division. Variance: n multiplications, n − 1 additions, a division. Then an addition for ε,
    a square root, n divisions; the n subtractions of the mean serve both. Scale and shift are added.
    """
    after = scale_and_shift(values, parameters)
    return {
        "additions": 3 * values - rows + after["additions"],
        "multiplications": values + after["multiplications"],
        "divisions": values + 2 * rows,
        "square_roots": rows,
    }


class BatchNorm(Normalization):
    """Normalization with each channel's running statistics (Ioffe, Szegedy 2015), over any number of positions.

    At inference it scales and shifts each value: one multiplication and one addition.
    """

    type: ClassVar[str] = "batch_norm"
    layout: ClassVar[str] = "alike|format"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    removes_bias: ClassVar[bool] = True

    eps: Epsilon = 1e-5
    """Number added to the variance before the root."""
    momentum: float = 0.1
    """Weight of the current batch in the running statistics. No count depends on it."""
    affine: bool = True
    """Whether each channel has a trainable scale and shift."""
    track_running_stats: bool = True
    """Whether the layer has running statistics, which are buffers and used at inference."""

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        channels, *_ = inputs[0].shape
        return affine((channels,), self.affine)

    def buffers(self, inputs: Tensors) -> dict[str, Shape]:
        return running_statistics(inputs[0].shape[0]) if self.track_running_stats else {}

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        if not self.track_running_stats:
            return standardization(values, output[0], self.parameters(inputs))
        return {"additions": values, "multiplications": values}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return affine_links(self.parameters(inputs), output)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        # At inference the CPU allocates no statistics; the `meta` device does.
        channel = TensorSpec(inputs[0].shape[:1], per_sample=False, wide=True)
        return (structs.replace(self.standardize(inputs, channel), always_grad=(0,)),)

    def least_batch(self, inputs: Tensors, training: bool) -> int | None:
        measures = training or not self.track_running_stats
        return 2 if measures and product(inputs[0].shape[1:]) == 1 else 1

    def module(self, inputs: Tensors) -> Module:
        channels, *positions = inputs[0].shape
        options = self.changed("eps", "momentum", "affine", "track_running_stats")
        return torch_module(f"nn.BatchNorm{max(len(positions), 1)}d", {"num_features": channels}, **options)


class LayerNorm(Normalization):
    """Normalization over the last axis, or the last axes that normalized_shape lists (Ba et al. 2016)."""

    type: ClassVar[str] = "layer_norm"
    channel_axis: ClassVar[int | None] = -1
    shapeless: ClassVar[tuple[str, ...]] = ("normalized_shape",)

    normalized_shape: Positive | tuple[Positive, ...] | None = None
    """Sizes of the last axes that are normalized together; by default the last axis alone."""
    eps: Epsilon = 1e-5
    """Number added to the variance before the root."""
    elementwise_affine: bool = True
    """Whether each normalized position has a trainable scale."""
    bias: bool = True
    """Whether each normalized position has a trainable shift as well."""

    def _normalized(self, inputs: Tensors) -> Shape:
        if self.normalized_shape is None:
            return inputs[0].shape[-1:]
        sizes = self.normalized_shape
        return sizes if isinstance(sizes, tuple) else (sizes,)

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        shape, normalized = inputs[0].shape, self._normalized(inputs)
        if not normalized or shape[-len(normalized) :] != normalized:
            message = f"normalized_shape {size_text(normalized)} is not the end of the shape {size_text(shape)}"
            yield ConstraintError(message, "normalized_shape", help="leave it out to normalize the last axis")

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        return affine(self._normalized(inputs), self.elementwise_affine, self.bias)

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values, normalized = elements(output), self._normalized(inputs)
        rows = product(output[: len(output) - len(normalized)])
        return standardization(values, rows, self.parameters(inputs))

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return affine_links(self.parameters(inputs), output)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        shape, normalized = inputs[0].shape, self._normalized(inputs)
        return (self.standardize(inputs, TensorSpec(shape[: len(shape) - len(normalized)], wide=True)),)

    def module(self, inputs: Tensors) -> Module:
        options = self.changed("eps", "elementwise_affine", "bias")
        shape = self._normalized(inputs)
        arguments = {"normalized_shape": shape if len(shape) > 1 else shape[0]}
        return torch_module("nn.LayerNorm", arguments, **options)


class GroupNorm(Normalization):
    """Normalization over groups of channels (Wu, He 2018)."""

    type: ClassVar[str] = "group_norm"
    layout: ClassVar[str] = "fresh|format"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3, 4)
    label_fields: ClassVar[tuple[str, ...]] = ("num_groups",)
    shapeless: ClassVar[tuple[str, ...]] = ("num_groups",)

    num_groups: Positive
    """Number of groups that the channels are divided into; each is normalized as a whole."""
    eps: Epsilon = 1e-5
    """Number added to the variance before the root."""
    affine: bool = True
    """Whether each channel has a trainable scale and shift."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from divides("num_groups", self.num_groups, inputs[0].shape[0], "channels")
        if elements(inputs[0].shape) == self.num_groups:
            yield ConstraintError("each group holds a single value, which has no spread to normalize", "num_groups")

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        channels, *_ = inputs[0].shape
        return affine((channels,), self.affine)

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        return standardization(elements(output), self.num_groups, self.parameters(inputs))

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return affine_links(self.parameters(inputs), output)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (self.standardize(inputs, TensorSpec((self.num_groups,))),)

    def module(self, inputs: Tensors) -> Module:
        arguments = {"num_groups": self.num_groups, "num_channels": inputs[0].shape[0]}
        return torch_module("nn.GroupNorm", arguments, **self.changed("eps", "affine"))


class InstanceNorm(Normalization):
    """Normalization of each channel of each sample (Ulyanov et al. 2016); 1d, 2d or 3d by the input's rank."""

    type: ClassVar[str] = "instance_norm"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (2, 3, 4)
    removes_bias: ClassVar[bool] = True

    eps: Epsilon = 1e-5
    """Number added to the variance before the root."""
    momentum: float = 0.1
    """Weight of the current batch in the running statistics. No count depends on it."""
    affine: bool = False
    """Whether each channel has a trainable scale and shift."""
    track_running_stats: bool = False
    """Whether the layer has running statistics, which are buffers and used at inference."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        if product(inputs[0].shape[1:]) == 1 and not self.track_running_stats:
            yield ConstraintError("each channel holds a single value, which has no spread to normalize")

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        channels, *_ = inputs[0].shape
        return affine((channels,), self.affine)

    def buffers(self, inputs: Tensors) -> dict[str, Shape]:
        return running_statistics(inputs[0].shape[0]) if self.track_running_stats else {}

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        if self.track_running_stats:
            return {"additions": values, "multiplications": values}
        return standardization(values, inputs[0].shape[0], self.parameters(inputs))

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return affine_links(self.parameters(inputs), output)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        """Batch normalization with N·C channels: parameters and statistics are repeated for each sample."""
        channel = TensorSpec(inputs[0].shape[:1])
        running = ("running_mean", "running_var") if self.track_running_stats else ()
        repeated = [*self.parameters(inputs), *running]
        places = tuple(range(1, 1 + len(repeated)))
        ordered = 1 + len(repeated)  # the number of the contiguous input
        kept = [place for place, name in zip(places, repeated, strict=True) if name != "bias"]
        statistics = [place for place, name in zip(places, repeated, strict=True) if name in running]
        values, statistic = TensorSpec(inputs[0].shape, joined=True), structs.replace(channel, wide=True)
        normalize = KernelOp((ordered, *places), values, saved=(ordered, *kept), saved_extra=(statistic,) * 2)
        steps = [KernelOp((name,), channel) for name in repeated]
        steps += [
            KernelOp(is_view=True, grad_alias=True, layout="ordered"),
            structs.replace(normalize, always_grad=(ordered,)),
        ]
        places = (*places, ordered)
        if training:
            steps += [
                KernelOp((place,), structs.replace(channel, per_sample=False), keep_alive=places)
                for place in statistics
            ]
        return (*steps, KernelOp((ordered + 1,), keep_alive=places, is_view=True, grad_alias=True, layout="regrouped"))

    def least_batch(self, inputs: Tensors, training: bool) -> int | None:
        return None if training and product(inputs[0].shape[1:]) == 1 else 1

    def module(self, inputs: Tensors) -> Module:
        channels, *positions = inputs[0].shape
        options = self.changed("eps", "momentum", "affine", "track_running_stats")
        return torch_module(f"nn.InstanceNorm{len(positions)}d", {"num_features": channels}, **options)


class LocalResponseNorm(Normalization):
    """x/(k + alpha/size·Σx²)^beta, the sum over `size` neighbouring channels (Krizhevsky et al. 2012; PyTorch's mean).

    For each value: a square, size − 1 additions, a multiplication, an addition, a power, a division.
    """

    type: ClassVar[str] = "local_response_norm"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (2, 3, 4)
    label_fields: ClassVar[tuple[str, ...]] = ("size",)

    size: Positive
    """Number of neighbouring channels in the sum."""
    alpha: float = 1e-4
    """Factor of the sum of squares."""
    beta: float = 0.75
    """Exponent of the denominator."""
    k: float = 1.0
    """Number added in the denominator."""

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        return {
            "multiplications": 2 * values,
            "additions": values * self.size,
            "powers": values,
            "divisions": values,
        }

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return self._normalize(inputs, 0)

    def strided_ops(self, inputs: Tensors, strides: tuple[int, ...] | None, trainable: bool) -> KernelOps | None:
        if len(inputs[0].shape) < 4:
            return None
        return (KernelOp(is_view=True, grad_alias=True, layout="ordered"), *self._normalize(inputs, 1))

    def _normalize(self, inputs: Tensors, read: int) -> KernelOps:
        """The operations: square, pad, average, multiply by alpha, add k, raise to beta, divide."""
        channels, *sizes = inputs[0].shape
        value = TensorSpec(inputs[0].shape)
        around = TensorSpec((channels + self.size // 2 + (self.size - 1) // 2, *sizes))
        square, padded, mean, scaled, shifted, divisor = range(read + 1, read + 7)
        return (
            KernelOp((read, read), multiplies=True, layout="alike"),
            KernelOp((square,), around),
            KernelOp((padded,), saved=(padded,)),
            KernelOp((mean,)),
            KernelOp((scaled,), keep_alive=(mean,), grad_alias=True),
            KernelOp((shifted,), keep_alive=(mean,), saved=(shifted,), backward=(value,) * 3),
            KernelOp((read, divisor), saved=(read, divisor), backward=(value,) * 4, layout="alike"),
        )

    def module(self, inputs: Tensors) -> Module:
        name = "OrderedLocalResponseNorm" if len(inputs[0].shape) == 4 else "nn.LocalResponseNorm"
        return torch_module(name, {"size": self.size}, **self.changed("alpha", "beta", "k"))


def affine_links(parameters: dict[str, Shape], output: Shape) -> Count:
    """Connections of a scale and shift: one for each value that is scaled, and one for each that is shifted."""
    links: Count = elements(output) * len(parameters)
    return links
