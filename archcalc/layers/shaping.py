"""Layers that move values without computing anything."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, ClassVar

from msgspec import Meta

from archcalc.arithmetic import POINT, Window, ceil_divide, maximum, minimum, product
from archcalc.layers.base import (
    MAX_PHASES,
    Dependency,
    Elementwise,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    Natural,
    PhasedWindow,
    Positive,
    Shape,
    Tensors,
    TensorSpec,
    UnknownWindow,
    elements,
    pointwise,
    resolve_axis,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, dim_errors, divides
from archcalc.tracing import Number

Dimension = Annotated[int, Meta(ge=-1)]  # -1 for the size that follows from the others


class Shaping(Layer):
    """A layer that rearranges values. Abstract."""

    family: ClassVar[str] = "shaping"


class Identity(Elementwise):
    """The input itself; a name for an edge."""

    type: ClassVar[str] = "identity"
    family: ClassVar[str] = "shaping"
    is_identity: ClassVar[bool] = True
    is_view: ClassVar[bool] = True

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return ()

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Identity")


class Regrouping(Shaping):
    """A layer that keeps the values and their order, and changes the axes. Abstract."""

    is_view: ClassVar[bool] = True

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (KernelOp(is_view=True, grad_alias=True, layout="regrouped"),)


class Flatten(Regrouping):
    """Joins the axes from start_dim to end_dim, counted without the batch."""

    type: ClassVar[str] = "flatten"

    start_dim: int = 0
    """First axis to join, counted without the batch."""
    end_dim: int = -1
    """Last axis to join; negative from the end."""

    def _range(self, rank: int) -> tuple[int, int]:
        return resolve_axis(self.start_dim, rank), resolve_axis(self.end_dim, rank) + 1

    def check_fields(self) -> Iterator[ConstraintError]:
        if (self.start_dim < 0) == (self.end_dim < 0) and self.start_dim > self.end_dim:
            yield self._wrong_order(self.end_dim)

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        rank = len(inputs[0].shape)
        if not rank:
            return
        found = [*dim_errors(self.start_dim, rank, "start_dim"), *dim_errors(self.end_dim, rank, "end_dim")]
        yield from found
        start, end = self._range(rank)
        if found:
            yield from self.check_fields()
        elif start >= end:
            yield self._wrong_order(end - 1)

    def _wrong_order(self, largest: int) -> ConstraintError:
        message = f"start_dim {self.start_dim} comes after end_dim {self.end_dim}"
        return ConstraintError(message, "start_dim", help=f"use start_dim ≤ {largest}")

    def output_shape(self, inputs: Tensors) -> Shape:
        shape = inputs[0].shape
        if not shape:
            return (1,)
        start, end = self._range(len(shape))
        return (*shape[:start], product(shape[start:end]), *shape[end:])

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (regrouped(inputs[0].shape, self.output_shape(inputs)),)

    def module(self, inputs: Tensors) -> Module:
        rank = len(inputs[0].shape)
        if not rank:
            return torch_module("nn.Unflatten", {"dim": 0, "unflattened_size": (-1, 1)})
        start, end = self._range(rank)
        ends = {} if end == rank else {"end_dim": end}
        starts = {"start_dim": start + 1} if start else {}
        return Module("nn.Flatten", {}, starts | ends)


class Reshape(Regrouping):
    """The same values in another shape (the batch not counted); one size may be -1."""

    type: ClassVar[str] = "reshape"

    shape: tuple[Dimension, ...]
    """Shape of the output without the batch; one size may be -1, which is then calculated."""

    def check_fields(self) -> Iterator[ConstraintError]:
        shape = size_text(self.shape)
        if 0 in self.shape:
            yield ConstraintError(
                f"shape {shape} has a size of 0", "shape", help="use sizes ≥ 1, or -1 for one that is calculated"
            )
        elif self.shape.count(-1) > 1:
            yield ConstraintError(f"shape {shape} leaves two sizes open", "shape", help="only one size may be -1")

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        found = [*self.check_fields()]
        yield from found or self._check_values(inputs)

    def _check_values(self, inputs: Tensors) -> Iterator[ConstraintError]:
        values, shape = elements(inputs[0].shape), size_text(self.shape)
        known = product(size for size in self.shape if size != -1)
        if (values % known if -1 in self.shape else values != known) or not values:
            message = f"{size_text(inputs[0].shape)} has {values} values, which do not make {shape}"
            yield ConstraintError(message, "shape", f"{'·'.join(map(str, inputs[0].shape))} = {values}")

    def output_shape(self, inputs: Tensors) -> Shape:
        known = product(size for size in self.shape if not is_open(size))
        return tuple(elements(inputs[0].shape) // known if is_open(size) else size for size in self.shape)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (regrouped(inputs[0].shape, self.output_shape(inputs)),)

    def module(self, inputs: Tensors) -> Module:
        listed = ", ".join(map(str, self.shape))
        return torch_module("Reshape", {"shape": self.shape}, expression=f"{{0}}.reshape(len({{0}}), {listed})")


def is_open(size: Any) -> bool:
    """Whether a size is -1; a symbol is by its value, an array never."""
    return isinstance(size, int | Number) and size == -1


def regrouped(before: Shape, after: Shape) -> tuple[Dependency, ...]:
    """The dependencies of a reshape: an input axis may stay, be joined with others, or be split.

    Axes of size 1 are ignored.
    """
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [axis for axis, size in enumerate(after) if size != 1]
    reads = {axis: Dependency(POINT, 0, mixed=True) for axis in range(len(before))}
    done = start = 0
    while done < len(old):
        joined, split = _group([before[axis] for axis in old], done, [after[axis] for axis in new], start)
        window = UnknownWindow("a reshape splits an axis of positions") if split > 1 else POINT
        for axis in old[done : done + joined]:
            reads[axis] = Dependency(window, new[start], mixed=(joined, split) != (1, 1))
        done, start = done + joined, start + split
    return tuple(reads.values())


def _group(before: Sequence[int], i: int, after: Sequence[int], j: int) -> tuple[int, int]:
    """The smallest numbers of axes, of `before` from `i` on and of `after` from `j` on, with equally many values."""
    joined, split, left, right = 1, 0, before[i], 1
    while left != right or not split:
        if (right < left or not split) and j + split < len(after):
            right *= after[j + split]
            split += 1
        elif i + joined < len(before):
            left *= before[i + joined]
            joined += 1
        else:
            break
    return joined, split


class Permute(Shaping):
    """Reorders the axes: output axis i is input axis dims[i], counted without the batch."""

    type: ClassVar[str] = "permute"
    is_view: ClassVar[bool] = True

    dims: tuple[int, ...]
    """For each axis of the output, the axis of the input, counted without the batch."""

    def label(self) -> str:
        return f"dims {', '.join(map(str, self.dims))}"

    def _order(self) -> tuple[int, ...]:
        return tuple(resolve_axis(dim, len(self.dims)) for dim in self.dims)

    def check_fields(self) -> Iterator[ConstraintError]:
        yield from self._check_order(len(self.dims))

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from self._check_order(len(inputs[0].shape))

    def _check_order(self, rank: int) -> Iterator[ConstraintError]:
        if sorted(self._order()) != list(range(rank)):
            message = f"dims {list(self.dims)} do not name each of the {rank} axes once"
            yield ConstraintError(
                message, "dims", help=f"use each of {list(range(rank))} once; the batch is not counted"
            )

    def output_shape(self, inputs: Tensors) -> Shape:
        return tuple(inputs[0].shape[dim] for dim in self._order())

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        order = self._order()
        return (tuple(Dependency(POINT, order.index(axis)) for axis in range(len(order))),)

    def _whole_order(self) -> tuple[int, ...]:
        """The order of the axes, the batch included."""
        return (0, *(axis + 1 for axis in self._order()))

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (KernelOp(is_view=True, grad_alias=True, layout="permuted", order=self._whole_order()),)

    def module(self, inputs: Tensors) -> Module:
        order = self._whole_order()
        return torch_module("Permute", {"dims": order}, expression=f"{{0}}.permute{order}")


class ChannelShuffle(Elementwise):
    """Interleaves the channels of `groups` groups (Zhang et al. 2018)."""

    type: ClassVar[str] = "channel_shuffle"
    family: ClassVar[str] = "shaping"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (2, 3, 4)
    label_fields: ClassVar[tuple[str, ...]] = ("groups",)

    groups: Positive
    """Number of groups whose channels are interleaved."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from divides("groups", self.groups, inputs[0].shape[0], "channels")

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        channels, *_ = inputs[0].shape
        _, *positions = pointwise(len(inputs[0].shape))
        if self.groups in (1, channels):
            return ((Dependency(POINT, 0), *positions),)
        if self.groups > MAX_PHASES:
            unknown = UnknownWindow(f"{self.groups} groups are more than {MAX_PHASES}", channels)
            return ((Dependency(unknown, 0), *positions),)
        dealt = tuple(range(0, channels, channels // self.groups))
        return ((Dependency(PhasedWindow(dealt, dealt, 1), 0), *positions),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        # PyTorch returns a view if the order of the channels stays the same.
        kept = self.groups in (1, inputs[0].shape[0])
        return (
            (KernelOp(is_view=True, grad_alias=True, layout="same"),)
            if kept
            else Elementwise.kernel_ops(self, inputs, training)
        )

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.ChannelShuffle", {"groups": self.groups})


class Slice(Shaping):
    """The positions from `start` to before `stop` of one axis (by default the channels), as Python slices."""

    type: ClassVar[str] = "slice"
    is_view: ClassVar[bool] = True
    label_fields: ClassVar[tuple[str, ...]] = ("start", "stop", "dim")

    start: int = 0
    """First position of the slice; negative from the end."""
    stop: int | None = None
    """Position after the last of the slice; by default the end of the axis."""
    dim: int = 0
    """Axis that is cut, counted without the batch."""

    def _bounds(self, size: Any) -> tuple[Any, Any]:
        return clamped(self.start, size), size if self.stop is None else clamped(self.stop, size)

    def check_fields(self) -> Iterator[ConstraintError]:
        if self.stop == 0:
            yield self._empty("use another stop, or leave it out")
        elif self.stop is not None and (self.start < 0) == (self.stop < 0) and self.start >= self.stop:
            yield self._empty("use a start below the stop")

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        found = [*dim_errors(self.dim, len(inputs[0].shape))]
        yield from found
        if found:
            yield from self.check_fields()
        else:
            size = inputs[0].shape[self.dim]
            start, stop = self._bounds(size)
            if start >= stop:
                yield self._empty(f"the axis has positions 0 to {size - 1}")

    def _empty(self, remedy: str) -> ConstraintError:
        message = f"the slice from {self.start} to {'the end' if self.stop is None else self.stop} is empty"
        return ConstraintError(message, "start", help=remedy)

    def output_shape(self, inputs: Tensors) -> Shape:
        shape = list(inputs[0].shape)
        start, stop = self._bounds(shape[self.dim])
        shape[self.dim] = stop - start
        return tuple(shape)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        start, _ = self._bounds(inputs[0].shape[self.dim])
        return (moved(len(inputs[0].shape), self.dim, start),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        # A slice of the whole axis is the same tensor in PyTorch, and its gradient an alias.
        is_whole = not self.start and self.output_shape(inputs) == inputs[0].shape
        return (KernelOp(is_view=True, grad_alias=is_whole, layout="same"),)

    def module(self, inputs: Tensors) -> Module:
        dim = resolve_axis(self.dim, len(inputs[0].shape)) + 1
        bounds = f"{self.start or ''}:{'' if self.stop is None else self.stop}"
        expression = f"{{0}}[{':, ' * dim}{bounds}]"
        return torch_module("Slice", {"dim": dim, "start": self.start, "stop": self.stop}, expression)


def clamped(position: int, size: Any) -> Any:
    """The position of a slice's bound, which may count from the end or lie outside, by Python's rules."""
    return maximum(size + position, 0) if position < 0 else minimum(position, size)


class Chunk(Shaping):
    """Part number `index` of an axis (by default the channels) cut into `chunks` parts of ⌈N/chunks⌉ (PyTorch)."""

    type: ClassVar[str] = "chunk"
    is_view: ClassVar[bool] = True
    label_fields: ClassVar[tuple[str, ...]] = ("chunks", "index", "dim")

    chunks: Positive
    """Number of parts that the axis is cut into."""
    index: Natural
    """Number of the part that is the output, counted from 0."""
    dim: int = 0
    """Axis that is cut, counted without the batch."""

    def check_fields(self) -> Iterator[ConstraintError]:
        if self.index >= self.chunks:
            message = f"index {self.index} is not one of {self.chunks} parts"
            yield ConstraintError(message, "index", help=f"use 0 to {self.chunks - 1}")

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        found = [*dim_errors(self.dim, len(inputs[0].shape))]
        yield from found
        if found:
            yield from self.check_fields()
        else:
            size = inputs[0].shape[self.dim]
            parts = ceil_divide(size, ceil_divide(size, self.chunks))
            if self.index >= parts:
                message = f"index {self.index} is not one of the {parts} parts of {size} positions"
                yield ConstraintError(message, "index", help=f"use 0 to {parts - 1}")

    def output_shape(self, inputs: Tensors) -> Shape:
        shape = list(inputs[0].shape)
        step = ceil_divide(shape[self.dim], self.chunks)
        shape[self.dim] = minimum(step, shape[self.dim] - self.index * step)
        return tuple(shape)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        step = ceil_divide(inputs[0].shape[self.dim], self.chunks)
        return (moved(len(inputs[0].shape), self.dim, self.index * step),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        # The backward pass allocates zeros for the other parts, and concatenates them with this part's gradient.
        shape, axis = list(inputs[0].shape), resolve_axis(self.dim, len(inputs[0].shape))
        shape[axis] -= self.output_shape(inputs)[axis]
        return (
            KernelOp(
                is_view=True,
                of_many=True,
                layout="same",
                backward=(TensorSpec(tuple(shape)), TensorSpec(inputs[0].shape)),
            ),
        )

    def module(self, inputs: Tensors) -> Module:
        dim = resolve_axis(self.dim, len(inputs[0].shape)) + 1
        expression = f"{{0}}.chunk({self.chunks}, {dim})[{self.index}]"
        return torch_module("Chunk", {"chunks": self.chunks, "index": self.index, "dim": dim}, expression)


def moved(rank: int, dim: int, start: int) -> tuple[Dependency, ...]:
    """The dependencies of a slice: unit i reads position `start` + i along one axis."""
    reads = list(pointwise(rank))
    axis = resolve_axis(dim, rank)
    reads[axis] = Dependency(Window(1, 1, -start), axis)
    return tuple(reads)
