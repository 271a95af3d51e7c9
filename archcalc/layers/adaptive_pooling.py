"""Pooling to a given output size; size 1 is global pooling."""

import math
from typing import TYPE_CHECKING, Any, ClassVar

from archcalc.arithmetic import POINT, Window, adaptive_reads, product
from archcalc.layers.base import (
    FLOATING,
    MAX_PHASES,
    Count,
    Dependency,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    PerAxis,
    PhasedWindow,
    Shape,
    Tensors,
    TensorSpec,
    UnknownWindow,
    elements,
    per_axis,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, axis_errors
from archcalc.layers.sliding import POOLED, on_two_axes

if TYPE_CHECKING:
    from collections.abc import Iterator


class AdaptivePooling(Layer):
    """Pooling whose window i of M runs from ⌊i·N/M⌋ to ⌈(i + 1)·N/M⌉ (PyTorch). Abstract."""

    family: ClassVar[str] = "pooling"
    dimensions: ClassVar[int]
    torch_name: ClassVar[str]
    channel_axis: ClassVar[int | None] = 0
    takes: ClassVar[tuple[str, ...]] = FLOATING
    label_fields: ClassVar[tuple[str, ...]] = ("output_size",)

    output_size: PerAxis
    """Size of the output: one number for all axes, or one per axis."""

    def check_fields(self) -> "Iterator[ConstraintError]":
        yield from axis_errors("output_size", self.output_size, self.dimensions)

    def output_shape(self, inputs: Tensors) -> Shape:
        channels, *_ = inputs[0].shape
        return (channels, *per_axis(self.output_size, self.dimensions))

    def positions_read(self, inputs: Tensors) -> Any:
        """Positions in all windows together."""
        channels, *sizes = inputs[0].shape
        outputs = per_axis(self.output_size, self.dimensions)
        return product((channels, *(adaptive_reads(n, m) for n, m in zip(sizes, outputs, strict=True))))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        _, *sizes = inputs[0].shape
        outputs = per_axis(self.output_size, self.dimensions)
        spatial = (adaptive_window(n, m) for n, m in zip(sizes, outputs, strict=True))
        return ((Dependency(POINT, 0), *(Dependency(window, axis) for axis, window in enumerate(spatial, start=1))),)

    def module(self, inputs: Tensors) -> Module:
        return torch_module(f"nn.{self.torch_name}{self.dimensions}d", {"output_size": self.output_size})


def adaptive_window(size: int, output: int) -> Window | PhasedWindow | UnknownWindow:
    """The windows of an adaptive pooling along one axis."""
    if size % output == 0:
        # A single unit reads everything; its stride means nothing.
        return Window(size // output, size // output if output > 1 else 0)
    common = math.gcd(size, output)
    advance, period = size // common, output // common
    if period > MAX_PHASES:
        return UnknownWindow(f"pooling {size} positions to {output} has more than {MAX_PHASES} different windows", size)
    first = tuple(phase * advance // period for phase in range(period))
    last = tuple(-(-(phase + 1) * advance // period) - 1 for phase in range(period))
    return PhasedWindow(first, last, advance)


class AdaptiveAveragePooling(AdaptivePooling):
    """The mean of each window: an addition for all but one of its positions, and a division. Abstract."""

    torch_name: ClassVar[str] = "AdaptiveAvgPool"

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        units = elements(output)
        return {"additions": self.positions_read(inputs) - units, "divisions": units}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        # With one window, PyTorch takes the mean of all positions, which saves nothing.
        kept = () if product(self.output_shape(inputs)[1:]) == 1 else (0,)
        return on_two_axes(KernelOp(saved=kept, layout=POOLED[self.dimensions]), self.dimensions)


class AdaptiveMaxPooling(AdaptivePooling):
    """The largest value of each window: a comparison for all but one of its positions. Abstract."""

    torch_name: ClassVar[str] = "AdaptiveMaxPool"

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        return {"comparisons": self.positions_read(inputs) - elements(output)}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        indices = TensorSpec(self.output_shape(inputs), "int64")
        return on_two_axes(
            KernelOp(saved=(0,), saved_extra=(indices,), layout=POOLED[self.dimensions]), self.dimensions
        )


class AdaptiveAvgPool1d(AdaptiveAveragePooling):
    """Average pooling of `channels × length` to a given length."""

    type: ClassVar[str] = "adaptive_avg_pool1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class AdaptiveAvgPool2d(AdaptiveAveragePooling):
    """Average pooling of `channels × height × width` to a given size."""

    type: ClassVar[str] = "adaptive_avg_pool2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class AdaptiveAvgPool3d(AdaptiveAveragePooling):
    """Average pooling of `channels × depth × height × width` to a given size."""

    type: ClassVar[str] = "adaptive_avg_pool3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)


class AdaptiveMaxPool1d(AdaptiveMaxPooling):
    """Max pooling of `channels × length` to a given length."""

    type: ClassVar[str] = "adaptive_max_pool1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class AdaptiveMaxPool2d(AdaptiveMaxPooling):
    """Max pooling of `channels × height × width` to a given size."""

    type: ClassVar[str] = "adaptive_max_pool2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class AdaptiveMaxPool3d(AdaptiveMaxPooling):
    """Max pooling of `channels × depth × height × width` to a given size."""

    type: ClassVar[str] = "adaptive_max_pool3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)
