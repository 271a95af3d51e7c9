"""The base of convolution and pooling: a window that slides along every spatial axis."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from archcalc.arithmetic import Window, same_window, whole
from archcalc.layers.base import (
    MAX_PHASES,
    AnyWindow,
    Dependency,
    KernelOp,
    Layer,
    Natural,
    PhasedWindow,
    Shape,
    Tensors,
    TensorSpec,
    UnknownWindow,
    field_text,
    per_axis,
    size_text,
)
from archcalc.layers.constraints import ConstraintError, axis_errors
from archcalc.tracing import Traced

Pair = Annotated[tuple[Natural, ...], Meta(min_length=2, max_length=2)]  # before and after
Padding = Natural | tuple[Natural | Pair, ...] | Literal["same", "valid"]


class SlidingLayer(Layer):
    """A layer with a window that slides over the spatial axes of a channels-first shape. Abstract."""

    dimensions: ClassVar[int]
    channel_axis: ClassVar[int | None] = 0

    def geometry(self) -> dict[str, Any]:
        """The values of kernel_size, stride, padding and dilation, with defaults resolved."""
        raise NotImplementedError

    def label(self) -> str:
        geometry = self.geometry()
        kernel = size_text(per_axis(geometry.pop("kernel_size"), self.dimensions))
        moved = (field_text(field, value) for field, value in geometry.items() if not _is_neutral(field, value))
        return ", ".join(text for text in (kernel, *moved, super().label()) if text)

    def spatial_windows(self, sizes: Shape) -> tuple[Window, ...]:
        """The window along each spatial axis."""
        geometry = self.geometry()
        padding = geometry.pop("padding")
        kernel = per_axis(geometry["kernel_size"], self.dimensions)
        stride = per_axis(geometry["stride"], self.dimensions)
        dilation = per_axis(geometry["dilation"], self.dimensions)
        axes = [*zip(sizes, kernel, stride, dilation, strict=True)]
        if isinstance(padding, str) and padding == "same":  # an array would compare each of its values
            return tuple([same_window(n, f, s, d) for n, f, s, d in axes])
        pads = per_axis(0 if isinstance(padding, str) else padding, self.dimensions)
        ends = [pad if isinstance(pad, tuple) else (pad, pad) for pad in pads]
        return tuple([Window(f, s, before, after, d) for (_, f, s, d), (before, after) in zip(axes, ends, strict=True)])

    def spatial_output(self, sizes: Shape) -> Shape:
        """The output's spatial sizes."""
        return tuple(window.count(n) for window, n in zip(self.spatial_windows(sizes), sizes, strict=True))

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        _, *sizes = inputs[0].shape
        found = [*self.check_geometry()]
        yield from found or self.check_fit(tuple(sizes))

    def check_fields(self) -> Iterator[ConstraintError]:
        yield from self.check_geometry()

    def check_geometry(self) -> Iterator[ConstraintError]:
        """Check that every list has a value for each axis."""
        for field, value in self.geometry().items():
            yield from axis_errors(field, value, self.dimensions)

    def check_fit(self, sizes: Shape) -> Iterator[ConstraintError]:
        """Check that at least one window fits on every axis."""
        counts = self.spatial_output(sizes)
        axis = next((axis for axis, count in enumerate(counts) if count < 1), None)
        if axis is not None:
            yield self._does_not_fit(self.spatial_windows(sizes)[axis], sizes[axis])

    def _does_not_fit(self, window: Window, size: int) -> ConstraintError:
        formula = self.traced_count(window, size)
        message = f"kernel_size {size_text((window.kernel,))} does not fit"
        if window.dilation != 1:
            message += f": with dilation {window.dilation} it reaches over {window.effective} positions"
        largest = (size + window.padding - 1) // window.dilation + 1
        smallest_padding = -(-(window.effective - size) // 2)
        remedies = [f"kernel_size ≤ {largest}"] if largest >= 1 else []
        if self.takes_padding(smallest_padding, window):
            remedies.append(f"padding ≥ {smallest_padding}")
        remedy = f"use {', or '.join(remedies)}" if remedies else "use a larger input, or fewer layers that shrink it"
        return ConstraintError(message, "kernel_size", f"{formula!r}", remedy)

    def takes_padding(self, padding: int, window: Window) -> bool:
        """Whether PyTorch accepts this much padding at an end; pooling limits it."""
        return True

    def traced_count(self, window: Window, size: int) -> Traced:
        """The number of windows along one axis, with its derivation."""
        traced: Traced = trace_window(window).count(Traced(size, "N"))
        return traced

    def windows(self, inputs: Tensors) -> dict[int, Window]:
        _, *sizes = inputs[0].shape
        return dict(enumerate(self.spatial_windows(tuple(sizes)), start=1))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        spatial = self.windows(inputs).items()
        return ((Dependency(self.channel_window(inputs), 0), *(Dependency(window, axis) for axis, window in spatial)),)

    def channel_window(self, inputs: Tensors) -> AnyWindow:
        """The window along the channel axis."""
        raise NotImplementedError


def read_by_groups(groups: int, channels: int, maps: int) -> Window | PhasedWindow | UnknownWindow:
    """The window of output maps along input channels: each map reads all channels of its group."""
    if groups == 1:
        return whole(channels)
    wide, high = channels // groups, maps // groups
    if high == 1:
        return Window(wide, wide)
    if high > MAX_PHASES:
        return UnknownWindow(f"a group has {high} maps, more than {MAX_PHASES}", channels)
    return PhasedWindow((0,) * high, (wide - 1,) * high, wide)


def _is_neutral(field: str, value: Any) -> bool:
    """Whether the value is that of a dense, unpadded window with stride 1."""
    return value == "valid" or set(per_axis(value, 1)) == {0 if field == "padding" else 1}


def trace_window(window: Window) -> Window:
    """The same window in tracing numbers, with the symbols of the convolution literature."""
    before = Traced(window.before, "P")
    after = before if window.before == window.after else Traced(window.after, "P′")
    kernel, stride, dilation = Traced(window.kernel, "F"), Traced(window.stride, "S"), Traced(window.dilation, "D")
    return Window(kernel, stride, before, after, dilation)


def torch_padding(windows: Sequence[Window]) -> dict[str, Any]:
    """The padding option of PyTorch's module; `ends` of archcalc's own module if an axis is padded asymmetrically."""
    if any(window.before != window.after for window in windows):
        return {"ends": last_axis_first([(window.before, window.after) for window in windows])}
    sizes = tuple(window.before for window in windows)
    return {"padding": sizes[0] if len(set(sizes)) == 1 else sizes} if any(sizes) else {}


def padded(shape: Shape, windows: Sequence[Window]) -> TensorSpec:
    """The padded input, as a separate tensor."""
    channels, *sizes = shape
    return TensorSpec((channels, *(size + w.before + w.after for size, w in zip(sizes, windows, strict=True))))


POOLED = {1: "line", 2: "format", 3: "fresh"}  # the layout of a pooling's output, by its number of spatial axes


def on_two_axes(step: KernelOp, dimensions: int) -> tuple[KernelOp, ...]:
    """The operations of a pooling; PyTorch pools one axis as two, and returns a view of the result."""
    return (step, KernelOp((1,), is_view=True, grad_alias=True, layout="same")) if dimensions == 1 else (step,)


def last_axis_first(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """The padding of every axis as one flat tuple, in the order of F.pad."""
    return tuple(end for pair in reversed(pairs) for end in pair)
