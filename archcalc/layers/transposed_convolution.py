"""Transposed convolutions in one, two and three dimensions."""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import ClassVar

from archcalc.arithmetic import Window, named, product, transposed_count
from archcalc.layers.base import (
    FLOATING,
    MAX_PHASES,
    Count,
    Dependency,
    Layer,
    Module,
    Natural,
    PerAxis,
    PhasedWindow,
    Positive,
    Shape,
    Tensors,
    UnknownWindow,
    elements,
    per_axis,
    size_text,
    torch_module,
    weighted_links,
)
from archcalc.layers.constraints import ConstraintError, axis_errors, divides
from archcalc.layers.sliding import read_by_groups


class TransposedConvolution(Layer):
    """A transposed convolution. Abstract.

    Output size per axis: (N − 1)·S − 2P + D·(F − 1) + output_padding + 1 (PyTorch). One MAC for each weight of each
    *input* unit, including what padding then cuts off; one addition for each bias of an output unit.
    """

    layout: ClassVar[str] = "fresh|format"
    family: ClassVar[str] = "convolution"
    dimensions: ClassVar[int]
    channel_axis: ClassVar[int | None] = 0
    takes: ClassVar[tuple[str, ...]] = FLOATING
    saved: ClassVar[tuple[int, ...]] = (0,)
    label_fields: ClassVar[tuple[str, ...]] = ("stride", "padding", "output_padding", "dilation", "groups")
    shapeless: ClassVar[tuple[str, ...]] = ("groups",)

    out_channels: Positive
    """Channels of the output."""
    kernel_size: PerAxis
    """Size of the window: one number for all axes, or one per axis."""
    stride: PerAxis = 1
    """Distance between the windows of neighbouring inputs: the factor by which the output is larger."""
    padding: Natural | tuple[Natural, ...] = 0
    """Positions cut off at both ends of the output: one number, or one per axis."""
    output_padding: Natural | tuple[Natural, ...] = 0
    """Positions added at the end of the output; it selects among the sizes that the stride allows."""
    groups: Positive = 1
    """Number of groups of input and output channels; an output channel reads the input channels of its group alone."""
    bias: bool = True
    """Whether each output channel has a trainable bias."""
    dilation: PerAxis = 1
    """Distance between neighbouring positions of a window; 1 for a window without gaps."""

    def label(self) -> str:
        kernel = size_text(per_axis(self.kernel_size, self.dimensions))
        return ", ".join(text for text in (kernel, super().label()) if text)

    def _windows(self) -> tuple[Window, ...]:
        values = (per_axis(v, self.dimensions) for v in (self.kernel_size, self.stride, self.padding, self.dilation))
        return tuple(Window(f, s, p, p, d) for f, s, p, d in zip(*values, strict=True))

    def check_fields(self) -> Iterator[ConstraintError]:
        yield from divides("groups", self.groups, self.out_channels, "out_channels")
        lists = [*self._check_lists()]
        yield from lists or self._check_output_padding()

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        channels, *sizes = inputs[0].shape
        yield from divides("groups", self.groups, channels, "input channels", self.out_channels)
        yield from divides("groups", self.groups, self.out_channels, "out_channels", channels)
        lists = [*self._check_lists()]
        yield from lists or self._check_sizes(tuple(sizes))

    def _check_lists(self) -> Iterator[ConstraintError]:
        for field in ("kernel_size", "stride", "padding", "output_padding", "dilation"):
            yield from axis_errors(field, getattr(self, field), self.dimensions)

    def _check_sizes(self, sizes: Shape) -> Iterator[ConstraintError]:
        yield from self._check_output_padding()
        if min(outputs := self._spatial_output(sizes)) < 1:
            yield ConstraintError(f"padding cuts off the whole output: its sizes would be {outputs}", "padding")

    def _check_output_padding(self) -> Iterator[ConstraintError]:
        for window, extra in zip(self._windows(), per_axis(self.output_padding, self.dimensions), strict=True):
            if extra >= max(window.stride, window.dilation):
                message = f"output_padding {extra} is not smaller than stride {window.stride}"
                message += f" or dilation {window.dilation}" if window.dilation > 1 else ""
                yield ConstraintError(
                    message, "output_padding", help=f"use output_padding ≤ {max(window.stride, window.dilation) - 1}"
                )

    def _spatial_output(self, sizes: Shape) -> Shape:
        axes = zip(sizes, self._windows(), per_axis(self.output_padding, self.dimensions), strict=True)
        return tuple(transposed_count(n, window, extra) for n, window, extra in axes)

    def output_shape(self, inputs: Tensors) -> Shape:
        _, *sizes = inputs[0].shape
        return (self.out_channels, *self._spatial_output(tuple(sizes)))

    def _weight(self, inputs: Tensors) -> Shape:
        channels, *_ = inputs[0].shape
        kernel = per_axis(self.kernel_size, self.dimensions)
        return (channels, named("K/G", self.out_channels // self.groups, self.out_channels), *kernel)

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        weight = {"weight": self._weight(inputs)}
        return {**weight, "bias": (self.out_channels,)} if self.bias else weight

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        _, *positions = inputs[0].shape
        channels, *others = self._weight(inputs)
        macs = product((channels, *positions, *others))
        return {"macs": macs, "additions": elements(output)} if self.bias else {"macs": macs}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return weighted_links(self.operations(inputs, output))

    def spreads(self, inputs: Tensors) -> dict[int, Window]:
        return dict(enumerate(self._windows(), start=1))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        channels = Dependency(read_by_groups(self.groups, inputs[0].shape[0], self.out_channels), 0)
        return (
            (channels, *(Dependency(gathered(window), axis) for axis, window in enumerate(self._windows(), start=1))),
        )

    def module(self, inputs: Tensors) -> Module:
        channels = inputs[0].shape[0]
        sizes = {"in_channels": channels, "out_channels": self.out_channels, "kernel_size": self.kernel_size}
        options = self.changed("stride", "padding", "output_padding", "groups", "bias", "dilation")
        return torch_module(f"nn.ConvTranspose{self.dimensions}d", sizes, **options)


@lru_cache
def gathered(window: Window) -> Window | PhasedWindow | UnknownWindow:
    """The inputs that each output of a transposed window reads: o reads i if o + P = i·S + k·D for a k, 0 ≤ k < F."""
    if window.stride == 1:
        before = window.effective - 1 - window.before
        return Window(window.kernel, 1, before, before, window.dilation)
    if window.stride > MAX_PHASES:
        return UnknownWindow(f"a stride of {window.stride} has more than {MAX_PHASES} phases")
    first, last = zip(*(_gathered_by(phase + window.before, window) for phase in range(window.stride)), strict=True)
    return PhasedWindow(first, last, advance=1, step=window.dilation // math.gcd(window.dilation, window.stride))


def _gathered_by(position: int, window: Window) -> tuple[int, int]:
    kernel, stride, dilation = window.kernel, window.stride, window.dilation
    # Taps that meet an input recur after at most `stride` taps.
    near = [k for k in range(min(kernel, stride)) if (position - k * dilation) % stride == 0]
    if not near:
        return 1, 0
    step = next(s for s in range(1, stride + 1) if s * dilation % stride == 0)
    farthest = near[0] + (kernel - 1 - near[0]) // step * step
    return (position - farthest * dilation) // stride, (position - near[0] * dilation) // stride


class ConvTranspose1d(TransposedConvolution):
    """Transposed convolution over `channels × length`."""

    type: ClassVar[str] = "conv_transpose1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class ConvTranspose2d(TransposedConvolution):
    """Transposed convolution over `channels × height × width`."""

    type: ClassVar[str] = "conv_transpose2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class ConvTranspose3d(TransposedConvolution):
    """Transposed convolution over `channels × depth × height × width`."""

    type: ClassVar[str] = "conv_transpose3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)
