"""Layers in which every output reads every input feature, and embeddings."""

from collections.abc import Iterator
from typing import ClassVar

from msgspec import structs

from archcalc.arithmetic import product, whole
from archcalc.layers.base import (
    FLOATING,
    INTEGER,
    Count,
    Dependency,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    Natural,
    Positive,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    pointwise,
    torch_module,
    weighted_links,
)
from archcalc.layers.constraints import ConstraintError


def read_features(shape: Shape) -> tuple[Dependency, ...]:
    """The dependencies of a unit that reads the whole last axis, and its own position along the others."""
    last = len(shape) - 1
    return (*pointwise(last), Dependency(whole(shape[-1]), last))


class Linear(Layer):
    """A dense layer on the last axis, y = xWᵀ + b; the other axes are kept.

    One MAC for each weight of each output row, one addition for each bias.
    """

    type: ClassVar[str] = "linear"
    family: ClassVar[str] = "dense"
    channel_axis: ClassVar[int | None] = -1
    takes: ClassVar[tuple[str, ...]] = FLOATING

    out_features: Positive
    """Features of the output."""
    bias: bool = True
    """Whether each output feature has a trainable bias."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from needs_features(inputs[0].shape)

    def output_shape(self, inputs: Tensors) -> Shape:
        *rows, _ = inputs[0].shape
        return (*rows, self.out_features)

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        *_, features = inputs[0].shape
        weight = {"weight": (self.out_features, features)}
        return {**weight, "bias": (self.out_features,)} if self.bias else weight

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        *_, features = inputs[0].shape
        macs = elements(output) * features
        return {"macs": macs, "additions": elements(output)} if self.bias else {"macs": macs}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return weighted_links(self.operations(inputs, output))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (read_features(inputs[0].shape),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return self._multiply(inputs, 0)

    def _multiply(self, inputs: Tensors, read: int) -> tuple[KernelOp, ...]:
        """One product that includes the bias; PyTorch multiplies all rows at once and returns a view of the result."""
        # Operands are in the order in which autograd computes gradients; folded rows come last, behind a view.
        if len(inputs[0].shape) == 1:
            return (KernelOp(("bias", read, "weight") if self.bias else (read, "weight"), multiplies=True),)
        reads = ("bias", "weight", read) if self.bias else (read, "weight")
        folded = folded_rows(self.output_shape(inputs))
        view = KernelOp((read + 1,), is_view=True, grad_alias=True, layout="regrouped" if self.bias else "refolded")
        return KernelOp(reads, folded, multiplies=True), view

    def strided_ops(self, inputs: Tensors, strides: tuple[int, ...] | None, trainable: bool) -> KernelOps | None:
        if len(inputs[0].shape) == 1:
            return None
        fold = KernelOp(output=folded_rows(inputs[0].shape), is_view=True, grad_alias=True, layout="regrouped")
        if strides is None:
            return (fold, *self._multiply(inputs, 1))
        return multiply_rows(inputs[0].shape, self.output_shape(inputs), strides, trainable, self.bias)

    def module(self, inputs: Tensors) -> Module:
        sizes = {"in_features": inputs[0].shape[-1], "out_features": self.out_features}
        return torch_module("nn.Linear", sizes, **self.changed("bias"))


class Rbf(Layer):
    """LeNet's output: each unit is the squared Euclidean distance Σ(x − w)² to a fixed vector (LeCun et al. 1998).

    The vectors are set by hand and not trained, so they are a buffer. Each of their components costs one subtraction
    and one MAC (square and add).
    """

    type: ClassVar[str] = "rbf"
    family: ClassVar[str] = "dense"
    channel_axis: ClassVar[int | None] = -1
    takes: ClassVar[tuple[str, ...]] = FLOATING

    out_features: Positive
    """Features of the output: the number of vectors that inputs are compared with."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from needs_features(inputs[0].shape)

    def output_shape(self, inputs: Tensors) -> Shape:
        *rows, _ = inputs[0].shape
        return (*rows, self.out_features)

    def buffers(self, inputs: Tensors) -> dict[str, Shape]:
        *_, features = inputs[0].shape
        return {"weight": (self.out_features, features)}

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        *_, features = inputs[0].shape
        components = elements(output) * features
        return {"macs": components, "additions": components}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        return self.operations(inputs, output)["macs"]

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (read_features(inputs[0].shape),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        differences = TensorSpec((*self.output_shape(inputs), inputs[0].shape[-1]))
        return (
            KernelOp((0, "weight"), differences, grad_alias=True, broadcasts=True),
            KernelOp((1,), differences, saved=(1,), layout="alike", backward=(differences,) * 3),
            KernelOp((2,), grad_alias=True, expands=len(inputs[0].shape) + 1),
        )

    def module(self, inputs: Tensors) -> Module:
        return torch_module("Rbf", {"features": inputs[0].shape[-1], "out_features": self.out_features})


class Embedding(Layer):
    """A table of vectors, looked up by integers: a new last axis of `embedding_dim`. No arithmetic.

    Each output value is one weight: one connection.
    """

    type: ClassVar[str] = "embedding"
    family: ClassVar[str] = "dense"
    takes: ClassVar[tuple[str, ...]] = INTEGER
    is_lookup: ClassVar[bool] = True
    saved: ClassVar[tuple[int, ...]] = (0,)
    label_fields: ClassVar[tuple[str, ...]] = ("num_embeddings",)
    shapeless: ClassVar[tuple[str, ...]] = ("padding_idx",)

    num_embeddings: Positive
    """Number of vectors in the table; inputs are integers below it."""
    embedding_dim: Positive
    """Length of each vector."""
    padding_idx: Natural | None = None
    """Row of the table that gets no gradient."""

    def check_fields(self) -> Iterator[ConstraintError]:
        if self.padding_idx is not None and self.padding_idx >= self.num_embeddings:
            message = f"padding_idx {self.padding_idx} is not a row of {self.num_embeddings} embeddings"
            yield ConstraintError(message, "padding_idx", help=f"use 0 to {self.num_embeddings - 1}")

    def output_shape(self, inputs: Tensors) -> Shape:
        return (*inputs[0].shape, self.embedding_dim)

    def output_dtype(self, inputs: Tensors) -> str:
        return "float32"

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        links: Count = elements(output)
        return links

    def module(self, inputs: Tensors) -> Module:
        sizes = {"num_embeddings": self.num_embeddings, "embedding_dim": self.embedding_dim}
        return torch_module("nn.Embedding", sizes, **self.changed("padding_idx"))


def folded_rows(shape: Shape) -> TensorSpec:
    """The rows of all samples as one matrix."""
    *rows, features = shape
    return TensorSpec((product(rows), features), joined=True)


def multiply_rows(
    shape: Shape, output: Shape, strides: tuple[int, ...], trainable: bool, bias: bool
) -> tuple[KernelOp, ...]:
    """A dense layer on non-contiguous rows, as PyTorch's `matmul` runs it.

    If the weights are trained, or the strides allow a view, it folds all rows into one matrix (a copy if the strides
    require it); else it multiplies a batch of matrices. The bias is added afterwards.
    """
    *rows, features = shape
    pairs = zip(strides, strides[1:], shape, strict=False)
    if trainable or all(step == below * size for step, below, size in pairs):
        steps = [KernelOp(output=folded_rows(shape), is_view=True, grad_alias=True, layout="regrouped")]
        found = folded_rows(output)
    else:
        matrices = TensorSpec((product(rows[:-1]), rows[-1], features), joined=len(rows) > 1)
        matrices = matrices if len(rows) > 1 else TensorSpec(shape)
        steps = [KernelOp(output=matrices, is_view=True, grad_alias=True, layout="regrouped")]
        found = structs.replace(matrices, shape=(*matrices.shape[:-1], output[-1]))
    steps += [
        KernelOp((1, "weight"), found, multiplies=True),
        KernelOp((2,), is_view=True, grad_alias=True, layout="refolded"),
    ]
    return (*steps, KernelOp((3, "bias"), grad_alias=True, broadcasts=True, layout="alike")) if bias else (*steps,)


def needs_features(shape: Shape) -> Iterator[ConstraintError]:
    """Check that the shape has an axis of features."""
    if not shape:
        yield ConstraintError("a single value has no axis of features", help="add an axis with reshape")
