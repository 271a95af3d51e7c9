"""Max and average pooling, and LeNet's subsampling."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from archcalc.arithmetic import POINT, Window, product
from archcalc.layers.base import (
    FLOATING,
    Count,
    KernelOp,
    KernelOps,
    Module,
    PerAxis,
    Positive,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    per_axis,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError
from archcalc.layers.sliding import (
    POOLED,
    Padding,
    SlidingLayer,
    last_axis_first,
    on_two_axes,
    padded,
    torch_padding,
    trace_window,
)
from archcalc.tracing import Traced


class Pooling(SlidingLayer):
    """A window that reduces each channel by itself. Abstract.

    Operations count every position of every window, padding included.
    """

    family: ClassVar[str] = "pooling"
    takes: ClassVar[tuple[str, ...]] = FLOATING
    saved: ClassVar[tuple[int, ...]] = (0,)

    def output_shape(self, inputs: Tensors) -> Shape:
        channels, *sizes = inputs[0].shape
        return (channels, *self.spatial_output(tuple(sizes)))

    def channel_window(self, inputs: Tensors) -> Window:
        return POINT

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return on_two_axes(KernelOp(saved=self.saved, layout=POOLED[self.dimensions]), self.dimensions)

    def positions(self) -> Any:
        """The number of positions in a window."""
        return product(per_axis(self.geometry()["kernel_size"], self.dimensions))


class CeilPooling(Pooling):
    """Pooling that may round its output size up. Abstract.

    With ceil_mode, size per axis: min(⌈(N + 2P − E)/S⌉ + 1, ⌊(N + P − 1)/S⌋ + 1): the last window may hang over the
    end, but may not start in the padding (PyTorch).
    """

    label_fields: ClassVar[tuple[str, ...]] = ("ceil_mode",)

    kernel_size: PerAxis
    """Size of the window: one number for all axes, or one per axis."""
    stride: PerAxis | None = None
    """Distance between neighbouring windows: one number, or one per axis; by default the size of the window."""
    padding: Padding = 0
    """Positions added at both ends of each axis: a number, one per axis, or a pair (before, after) per axis. "valid"
    adds none; "same" gives ⌈N/S⌉ outputs."""
    ceil_mode: bool = False
    """Whether the output size is rounded up, so that a last window may reach over the end."""

    def spatial_output(self, sizes: Shape) -> Shape:
        if not self.ceil_mode:
            return super().spatial_output(sizes)
        return tuple(window.count_ceil(n) for window, n in zip(self.spatial_windows(sizes), sizes, strict=True))

    def traced_count(self, window: Window, size: int) -> Traced:
        if not self.ceil_mode:
            return super().traced_count(window, size)
        traced: Traced = trace_window(window).count_ceil(Traced(size, "N"))
        return traced

    def pads_first(self, windows: Sequence[Window]) -> bool:
        """Whether a separate padding is needed: PyTorch's own is symmetric, and at most half of the kernel."""
        return any(window.before != window.after or 2 * window.before > window.kernel for window in windows)

    def pool_padded(self, values: TensorSpec, windows: Sequence[Window]) -> Shape:
        """The shape of a pooling's output for values that are already padded."""
        channels, *sizes = values.shape
        bare = [window._replace(before=0, after=0) for window in windows]
        counts = (w.count_ceil(n) if self.ceil_mode else w.count(n) for w, n in zip(bare, sizes, strict=True))
        return (channels, *counts)

    def without_late_windows(self, pooled: Shape, output: Shape, first: int) -> tuple[KernelOp, ...]:
        """Views that cut result number `first` to the output's size, one axis after the other, the last axis first."""
        steps = list[KernelOp]()
        for axis in reversed(range(1, len(output))):
            pooled = (*pooled[:axis], output[axis], *pooled[axis + 1 :])
            steps.append(KernelOp((first + len(steps),), TensorSpec(pooled), is_view=True, layout="same"))
        return tuple(steps)

    def pooling_module(self, name: str, inputs: Tensors, options: dict[str, Any]) -> Module:
        """The pooling module of torch.nn, or archcalc's own if the padding is a separate operation."""
        _, *sizes = inputs[0].shape
        windows = self.spatial_windows(tuple(sizes))
        kernel = {"kernel_size": self.kernel_size}
        if not self.pads_first(windows):
            return torch_module(f"nn.{name}{self.dimensions}d", kernel, **options, **torch_padding(windows))
        ends = last_axis_first([(window.before, window.after) for window in windows])
        return torch_module(f"Padded{name}{self.dimensions}d", kernel, **options, ends=ends)

    def check_geometry(self) -> Iterator[ConstraintError]:
        lists = [*super().check_geometry()]
        yield from lists or self._check_padding()

    def takes_padding(self, padding: int, window: Window) -> bool:
        return bool(2 * padding <= window.kernel)

    def _check_padding(self) -> Iterator[ConstraintError]:
        if self.geometry()["padding"] == "same":
            return  # never more than half of the effective size
        for window in self.spatial_windows((1,) * self.dimensions):  # any size will do: only "same" depends on it
            padding = max(window.before, window.after)
            if 2 * padding > window.kernel:
                message = f"padding {padding} is more than half of kernel_size {window.kernel}"
                yield ConstraintError(message, "padding", help=f"use padding ≤ {window.kernel // 2}")
                return


class MaxPooling(CeilPooling):
    """The largest value of each window: F·F − 1 comparisons. Abstract."""

    dilation: PerAxis = 1
    """Distance between neighbouring positions of a window; 1 for a window without gaps."""

    def geometry(self) -> dict[str, Any]:
        stride = self.kernel_size if self.stride is None else self.stride
        return {
            "kernel_size": self.kernel_size,
            "stride": stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        return {"comparisons": elements(output) * (self.positions() - 1)}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        windows, output = tuple(self.windows(inputs).values()), self.output_shape(inputs)
        layout = "line" if self.dimensions == 1 else "format"
        if not self.pads_first(windows):
            pool = KernelOp(saved=(0,), saved_extra=(TensorSpec(output, "int64"),), layout=layout)
            return on_two_axes(pool, self.dimensions)
        values = padded(inputs[0].shape, windows)
        pooled = self.pool_padded(values, windows)
        pool = KernelOp((1,), TensorSpec(pooled), saved=(1,), saved_extra=(TensorSpec(pooled, "int64"),), layout=layout)
        return (KernelOp(output=values, layout="format"), pool, *self.without_late_windows(pooled, output, 2))

    def module(self, inputs: Tensors) -> Module:
        return self.pooling_module("MaxPool", inputs, self.changed("stride", "dilation", "ceil_mode"))


class MaxPool1d(MaxPooling):
    """Max pooling over `channels × length`."""

    type: ClassVar[str] = "max_pool1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class MaxPool2d(MaxPooling):
    """Max pooling over `channels × height × width`."""

    type: ClassVar[str] = "max_pool2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class MaxPool3d(MaxPooling):
    """Max pooling over `channels × depth × height × width`."""

    type: ClassVar[str] = "max_pool3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)


class AveragePooling(CeilPooling):
    """The mean of each window: F·F − 1 additions and a division. Abstract."""

    count_include_pad: bool = True
    """Whether the zeros of the padding count in the mean."""

    def geometry(self) -> dict[str, Any]:
        stride = self.kernel_size if self.stride is None else self.stride
        return {"kernel_size": self.kernel_size, "stride": stride, "padding": self.padding, "dilation": 1}

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        units = elements(output)
        return {"additions": units * (self.positions() - 1), "divisions": units}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        windows, output = tuple(self.windows(inputs).values()), self.output_shape(inputs)
        if not self.pads_first(windows):
            return super().kernel_ops(inputs, training)
        values = padded(inputs[0].shape, windows)
        pooled = self.pool_padded(values, windows)
        one, shares, averaged = (
            TensorSpec((1, *shape[1:]), per_sample=False) for shape in (inputs[0].shape, values.shape, pooled)
        )
        return (
            KernelOp((), one),
            KernelOp((1,), shares),
            KernelOp(output=values, keep_alive=(1,), layout="format"),
            KernelOp((3,), TensorSpec(pooled), saved=(3,), keep_alive=(1,), layout=POOLED[self.dimensions]),
            KernelOp((2,), averaged, keep_alive=(1,)),
            KernelOp((4, 5), TensorSpec(pooled), saved=(5,), keep_alive=(1, 2), layout="alike"),
            *self.without_late_windows(pooled, output, 6),
        )

    def module(self, inputs: Tensors) -> Module:
        return self.pooling_module("AvgPool", inputs, self.changed("stride", "ceil_mode", "count_include_pad"))


class AvgPool1d(AveragePooling):
    """Average pooling over `channels × length`."""

    type: ClassVar[str] = "avg_pool1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class AvgPool2d(AveragePooling):
    """Average pooling over `channels × height × width`."""

    type: ClassVar[str] = "avg_pool2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class AvgPool3d(AveragePooling):
    """Average pooling over `channels × depth × height × width`."""

    type: ClassVar[str] = "avg_pool3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)

    def check_fit(self, sizes: Shape) -> Iterator[ConstraintError]:
        """Check that the kernel fits even without padding, as PyTorch requires here unless padding is separate."""
        padded_before = self.pads_first(self.spatial_windows(sizes))
        for size, kernel in zip(sizes, per_axis(self.kernel_size, self.dimensions), strict=True):
            if kernel > size and not padded_before:
                message = (
                    f"kernel_size {kernel} is larger than {size} positions, which avg_pool3d refuses even with padding"
                )
                yield ConstraintError(message, "kernel_size", help=f"use kernel_size ≤ {size}, or zero_pad before it")
                return
        yield from super().check_fit(sizes)


class Subsample(Pooling):
    """LeNet's S layers: a window's sum, times a trainable coefficient, plus a bias (LeCun et al. 1998).

    Coefficient and bias are one each per map. Per unit F·F − 1 additions, a multiplication, an addition for the bias.
    """

    type: ClassVar[str] = "subsample"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)

    kernel_size: PerAxis = 2
    """Size of the window: one number for all axes, or one per axis."""
    stride: Positive | tuple[Positive, ...] | None = None
    """Distance between neighbouring windows; by default the size of the window."""

    def geometry(self) -> dict[str, Any]:
        stride = self.kernel_size if self.stride is None else self.stride
        return {"kernel_size": self.kernel_size, "stride": stride, "padding": 0, "dilation": 1}

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        channels, *_ = inputs[0].shape
        return {"weight": (channels,), "bias": (channels,)}

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        units = elements(output)
        return {"additions": units * self.positions(), "multiplications": units}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        links: Count = elements(output) * (self.positions() + 1)
        return links

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (
            KernelOp(saved=(0,), layout="format"),
            KernelOp((1,), layout="alike"),
            KernelOp((2, "weight"), keep_alive=(1,), multiplies=True, broadcasts=True, layout="alike"),
            KernelOp((3, "bias"), keep_alive=(1, 2), grad_alias=True, broadcasts=True, layout="alike"),
        )

    def module(self, inputs: Tensors) -> Module:
        sizes = {"channels": inputs[0].shape[0], "kernel_size": self.kernel_size}
        return torch_module("Subsample", sizes, **self.changed("stride"))
