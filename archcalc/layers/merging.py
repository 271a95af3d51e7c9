"""Layers that merge branches."""

from collections.abc import Iterator
from typing import Any, ClassVar

from msgspec import structs

from archcalc.arithmetic import POINT, SAME_FOR_ALL, Window, maximum
from archcalc.layers.base import (
    Count,
    Dependency,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    pointwise,
    resolve_axis,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, dim_errors


class Merging(Layer):
    """A layer with two or more inputs. Abstract."""

    family: ClassVar[str] = "merging"
    input_names: ClassVar[tuple[str, ...]] = ("first", "second")
    input_counts: ClassVar[tuple[int, int | None]] = (2, None)

    def output_dtype(self, inputs: Tensors) -> str:
        return promoted({tensor.dtype for tensor in inputs})


DTYPES = ("int32", "int64", "bfloat16", "float16", "float32", "float64")  # the later one wins


def promoted(dtypes: set[str]) -> str:
    """The dtype to which PyTorch promotes values of several dtypes."""
    widest = max(dtypes, key=DTYPES.index)
    return "float32" if widest == "float16" and "bfloat16" in dtypes else widest


class Broadcasting(Merging):
    """An elementwise operation; axes of size 1 are repeated, missing leading axes added (PyTorch). Abstract.

    Shapes exclude the batch: `64` broadcasts to `128×64`, never along the batch.
    """

    orders_inputs: ClassVar[bool] = False

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        for axis, sizes in enumerate(zip(*_aligned([tensor.shape for tensor in inputs]), strict=True)):
            wide = [size for size in sizes if size != 1]
            if any(size != wide[0] for size in wide[1:]):
                shapes = ", ".join(size_text(tensor.shape) for tensor in inputs)
                yield ConstraintError(
                    f"shapes do not broadcast: {shapes}",
                    None,
                    f"axis {axis} has sizes {', '.join(map(str, sizes))}",
                    "make the sizes equal, or 1",
                )
                return

    def output_shape(self, inputs: Tensors) -> Shape:
        return broadcast(inputs)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        output = self.output_shape(inputs)
        return tuple(_spread(tensor.shape, output) for tensor in inputs)


def broadcast(inputs: Tensors) -> Shape:
    """The shape to which the inputs broadcast."""
    return _together([tensor.shape for tensor in inputs])


def _together(shapes: list[Shape]) -> Shape:
    return tuple(_largest(sizes) for sizes in zip(*_aligned(shapes), strict=True))


def _aligned(shapes: list[Shape]) -> list[Shape]:
    rank = max(map(len, shapes))
    return [(1,) * (rank - len(shape)) + shape for shape in shapes]


def _largest(sizes: tuple[Any, ...]) -> Any:
    largest, *others = sizes
    for size in others:
        # The same object needs no comparison: for a symbol, a comparison would add a condition.
        largest = largest if size is largest else maximum(largest, size)
    return largest


def _spread(shape: Shape, output: Shape) -> tuple[Dependency, ...]:
    offset = len(output) - len(shape)
    return tuple(
        Dependency(SAME_FOR_ALL if size == 1 and output[offset + axis] != 1 else POINT, offset + axis)
        for axis, size in enumerate(shape)
    )


def elementwise(name: str, expression: str, inputs: Tensors, **options: Any) -> Module:
    """The module of a broadcasting operation; an expression only if ranks agree, since PyTorch aligns the batch too."""
    ranks = {len(tensor.shape) for tensor in inputs}
    return torch_module(name, {"rank": max(ranks)}, expression=expression if len(ranks) == 1 else None, **options)


def joined(operator: str, inputs: Tensors) -> str:
    """An operator between all inputs: `{0} + {1} + {2}`."""
    return operator.join(f"{{{number}}}" for number in range(len(inputs)))


def pairwise(inputs: Tensors, step: KernelOp) -> KernelOps:
    """The operation on the first two inputs, then on each result and the next input."""
    last, steps, shape, dtype = 0, [], inputs[0].shape, inputs[0].dtype
    for number in range(1, len(inputs)):
        shape = _together([shape, inputs[number].shape])
        dtype = promoted({dtype, inputs[number].dtype})
        steps.append(structs.replace(step, operands=(last, number), output=TensorSpec(shape, dtype)))
        last = len(inputs) + number - 1
    return tuple(steps)


class Add(Broadcasting):
    """The sum of its inputs: one addition for each value and each further input.

    With inplace = true, it overwrites the first input, as in PyTorch's `x += y`.
    """

    type: ClassVar[str] = "add"

    inplace: bool = False
    """Whether the output overwrites the first input in memory."""

    @property
    def works_in_place(self) -> bool:
        return self.inplace

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from super().check(inputs)
        if not self.inplace:
            return
        first, remedy = inputs[0], "put the input with the sum's shape and dtype first, or leave inplace out"
        if first.shape != broadcast(inputs):
            message = f"a sum of {size_text(broadcast(inputs))} cannot overwrite {size_text(first.shape)}"
            yield ConstraintError(message, "inplace", help=remedy)
        elif first.dtype != self.output_dtype(inputs):
            message = f"a sum of {self.output_dtype(inputs)} cannot overwrite {first.dtype}"
            yield ConstraintError(message, "inplace", help=remedy)

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        return {"additions": elements(output) * (len(inputs) - 1)}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return pairwise(inputs, KernelOp(grad_alias=True, broadcasts=True, in_place=self.inplace, layout="alike"))

    def module(self, inputs: Tensors) -> Module:
        added = "".join(f".add_({{{number}}})" for number in range(1, len(inputs)))
        written = f"{{0}}{added}" if self.inplace else joined(" + ", inputs)
        return elementwise("Add", written, inputs, **self.changed("inplace"))


class Mul(Broadcasting):
    """The product of its inputs: one multiplication for each value and each further input."""

    type: ClassVar[str] = "mul"

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        return {"multiplications": elements(output) * (len(inputs) - 1)}

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return pairwise(inputs, KernelOp(multiplies=True, broadcasts=True, layout="alike"))

    def module(self, inputs: Tensors) -> Module:
        return elementwise("Mul", joined(" * ", inputs), inputs)


class Cat(Merging):
    """The concatenation of its inputs along `dim` (by default the channels), counted without the batch."""

    type: ClassVar[str] = "cat"
    label_fields: ClassVar[tuple[str, ...]] = ("dim",)

    dim: int = 0
    """Axis along which the inputs are concatenated, counted without the batch."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        shapes = [tensor.shape for tensor in inputs]
        found = [*dim_errors(self.dim, len(shapes[0]))]
        yield from found
        first, *others = (_without(shape, self.dim, len(shapes[0])) for shape in shapes)
        if not found and any(other != first for other in others):
            listed = ", ".join(map(size_text, shapes))
            axis = resolve_axis(self.dim, len(shapes[0]))
            yield ConstraintError(
                f"shapes differ outside of axis {axis}: {listed}",
                "dim",
                help="make all other sizes equal, by padding, stride or slice",
            )

    def output_shape(self, inputs: Tensors) -> Shape:
        shape = list(inputs[0].shape)
        for tensor in inputs[1:]:
            shape[self.dim] = shape[self.dim] + tensor.shape[self.dim]
        return tuple(shape)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        rank, reads = len(inputs[0].shape), []
        axis = resolve_axis(self.dim, rank)
        total, before = sum(tensor.shape[axis] for tensor in inputs), 0
        for tensor in inputs:
            size = tensor.shape[axis]
            beside = list(pointwise(rank))
            beside[axis] = Dependency(Window(1, 1, before, total - before - size), axis, shared_axis=True)
            reads.append(tuple(beside))
            before += size
        return tuple(reads)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (KernelOp(tuple(range(len(inputs))), grad_alias=True, layout="joined"),)

    def module(self, inputs: Tensors) -> Module:
        dim = resolve_axis(self.dim, len(inputs[0].shape)) + 1
        listed = ", ".join(f"{{{number}}}" for number in range(len(inputs)))
        return torch_module("Cat", {"dim": dim}, expression=f"torch.cat(({listed}), {dim})")


def _without(shape: Shape, dim: int, rank: int) -> tuple[int | Shape, Shape]:
    axis = resolve_axis(dim, rank)
    return (len(shape), (*shape[:axis], *shape[axis + 1 :]))
