"""Convolutions in one, two and three dimensions."""

from collections.abc import Iterator
from typing import Any, ClassVar

from archcalc.arithmetic import named, product
from archcalc.layers.base import (
    FLOATING,
    AnyWindow,
    Count,
    KernelOp,
    KernelOps,
    Module,
    Natural,
    PerAxis,
    Positive,
    Shape,
    TableWindow,
    Tensors,
    TensorSpec,
    elements,
    per_axis,
    torch_module,
    weighted_links,
)
from archcalc.layers.constraints import ConstraintError, divides
from archcalc.layers.sliding import Padding, SlidingLayer, padded, read_by_groups, torch_padding


class Convolution(SlidingLayer):
    """A convolution (cross-correlation). Abstract.

    Output size per axis: ⌊(N + 2P − D·(F − 1) − 1)/S⌋ + 1 (PyTorch). One MAC for each weight of each output unit, one
    addition for each bias.
    """

    family: ClassVar[str] = "convolution"
    takes: ClassVar[tuple[str, ...]] = FLOATING
    label_fields: ClassVar[tuple[str, ...]] = ("groups",)
    shapeless: ClassVar[tuple[str, ...]] = ("groups", "connections")

    out_channels: Positive
    """Channels of the output: one for each filter."""
    kernel_size: PerAxis
    """Size of the window: one number for all axes, or one per axis."""
    stride: PerAxis = 1
    """Distance between neighbouring windows: one number, or one per axis."""
    padding: Padding = 0
    """Zeros added at both ends of each axis: a number, one per axis, or a pair (before, after) per axis. "valid" adds
    none; "same" gives ⌈N/S⌉ outputs."""
    dilation: PerAxis = 1
    """Distance between neighbouring positions of a window; 1 for a window without gaps."""
    groups: Positive = 1
    """Number of groups of input and output channels; an output channel reads the input channels of its group alone."""
    bias: bool = True
    """Whether each output channel has a trainable bias."""
    connections: tuple[tuple[Natural, ...], ...] | None = None
    """For each output channel, the input channels that it reads (counted from 0); all of them by default."""

    def geometry(self) -> dict[str, Any]:
        return {
            "kernel_size": self.kernel_size,
            "stride": self.stride,
            "padding": self.padding,
            "dilation": self.dilation,
        }

    def check_fields(self) -> Iterator[ConstraintError]:
        yield from divides("groups", self.groups, self.out_channels, "out_channels")
        yield from self._check_table(None)
        yield from super().check_fields()

    def _check_table(self, channels: int | None) -> Iterator[ConstraintError]:
        if self.connections is not None:
            yield from table_errors(self.connections, self.out_channels, channels, self.groups)

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        channels, *_ = inputs[0].shape
        yield from divides("groups", self.groups, channels, "input channels", self.out_channels)
        yield from divides("groups", self.groups, self.out_channels, "out_channels", channels)
        yield from self._check_table(channels)
        yield from super().check(inputs)

    def output_shape(self, inputs: Tensors) -> Shape:
        _, *sizes = inputs[0].shape
        return (self.out_channels, *self.spatial_output(tuple(sizes)))

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        kernel = per_axis(self.kernel_size, self.dimensions)
        weight = {"weight": (*self._kernels(inputs), *kernel)}
        return {**weight, "bias": (self.out_channels,)} if self.bias else weight

    def _kernels(self, inputs: Tensors) -> Shape:
        """The shape of the kernels: output maps × input maps per group, or the links of the connection table."""
        if self.connections is not None:
            return (sum(map(len, self.connections)),)
        channels, *_ = inputs[0].shape
        return (self.out_channels, named("C/G", channels // self.groups, channels))

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        _, *positions = output
        kernels = self._kernels(inputs)
        kernel = per_axis(self.kernel_size, self.dimensions)
        macs = product((*kernels[:1], *positions, *kernels[1:], *kernel))
        return {"macs": macs, "additions": elements(output)} if self.bias else {"macs": macs}

    def constants(self, inputs: Tensors) -> tuple[TensorSpec, ...]:
        places = TensorSpec((2, *self._kernels(inputs)), "int64", per_sample=False)
        return () if self.connections is None else (places,)

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return weighted_links(self.operations(inputs, output))

    def channel_window(self, inputs: Tensors) -> AnyWindow:
        if self.connections is not None:
            return TableWindow(self.connections)
        return read_by_groups(self.groups, inputs[0].shape[0], self.out_channels)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        windows = tuple(self.windows(inputs).values())
        weights = tuple(self.parameters(inputs))
        if self.connections is not None:
            values = (
                padded(inputs[0].shape, windows) if "ends" in torch_padding(windows) else TensorSpec(inputs[0].shape)
            )
            return self._connected_ops(values, inputs)
        if "ends" not in torch_padding(windows):
            return (KernelOp((0, *weights), saved=(0,), layout="fresh|format"),)
        pad = KernelOp(output=padded(inputs[0].shape, windows), layout="format")
        return (pad, KernelOp((1, *weights), saved=(1,), layout="fresh|format"))

    def _connected_ops(self, values: TensorSpec, inputs: Tensors) -> KernelOps:
        """The operations of `ConnectedConv`: pad, gather maps, convolve each link, add links to zeros, add bias."""
        _, *sizes = values.shape
        links, (_, *positions) = self._kernels(inputs), self.output_shape(inputs)
        read = TensorSpec((*links, *sizes))
        steps = (
            KernelOp(output=values, layout="format"),
            KernelOp((1,), read, backward=(values, values)),
            KernelOp((2, "weight"), TensorSpec((*links, *positions)), saved=(2,)),
            KernelOp(()),
            KernelOp((4, 3), saved=(3,), keep_alive=(2,)),
        )
        return (
            (*steps, KernelOp((5, "bias"), keep_alive=(2, 3), grad_alias=True, broadcasts=True)) if self.bias else steps
        )

    def module(self, inputs: Tensors) -> Module:
        channels, *spatial = inputs[0].shape
        windows = self.spatial_windows(tuple(spatial))
        options = self.changed("stride") | torch_padding(windows) | self.changed("dilation", "groups", "bias")
        if self.connections is not None:
            kernel = per_axis(self.kernel_size, self.dimensions)
            return torch_module("ConnectedConv", {"connections": self.connections, "kernel_size": kernel}, **options)
        name = f"PaddedConv{self.dimensions}d" if "ends" in options else f"nn.Conv{self.dimensions}d"
        sizes = {"in_channels": channels, "out_channels": self.out_channels, "kernel_size": self.kernel_size}
        return torch_module(name, sizes, **options)


class Conv1d(Convolution):
    """Convolution over `channels × length`."""

    type: ClassVar[str] = "conv1d"
    dimensions: ClassVar[int] = 1
    ranks: ClassVar[tuple[int, ...]] = (2,)


class Conv2d(Convolution):
    """Convolution over `channels × height × width`."""

    type: ClassVar[str] = "conv2d"
    dimensions: ClassVar[int] = 2
    ranks: ClassVar[tuple[int, ...]] = (3,)


class Conv3d(Convolution):
    """Convolution over `channels × depth × height × width`."""

    type: ClassVar[str] = "conv3d"
    dimensions: ClassVar[int] = 3
    ranks: ClassVar[tuple[int, ...]] = (4,)


def table_errors(
    table: tuple[tuple[int, ...], ...], maps: int, channels: int | None, groups: int
) -> Iterator[ConstraintError]:
    """Check that each row of a connection table lists existing input maps once; `channels` is None if unknown."""
    if groups != 1:
        yield ConstraintError(
            "a connection table and groups exclude each other", "connections", help="leave out groups"
        )
    if len(table) != maps:
        remedy = f"write {maps} lists, one for each output map"
        yield ConstraintError(f"connections has {len(table)} rows for {maps} output maps", "connections", help=remedy)
    for number, row in enumerate(table):
        if not row or len(set(row)) < len(row) or (channels is not None and max(row) >= channels):
            first = ", ".join(map(str, row[:10])) + (", …" if len(row) > 10 else "")
            message = f"row {number} of connections, [{first}], is not a set of input maps"
            end = "on" if channels is None else f"to {channels - 1}"
            yield ConstraintError(message, "connections", help=f"name maps from 0 {end}, each once")
