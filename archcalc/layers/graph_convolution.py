"""Graph networks: convolution with a sparse adjacency, and readout."""

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from msgspec import structs

from archcalc.arithmetic import POINT, product, whole
from archcalc.layers.base import (
    FLOATING,
    NONZEROS_UNKNOWN,
    ONE_HOP,
    RESULT,
    Count,
    Dependency,
    Factor,
    KernelOp,
    KernelOps,
    Layer,
    Module,
    Positive,
    Product,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError
from archcalc.numbers.bounds import Unknown


class GcnConv(Layer):
    """A graph convolution ÂXW + b (Kipf, Welling 2017): features `nodes × features`, and the adjacency `nodes × nodes`.

    The features are multiplied by the weights first; then each nonzero of the adjacency costs one MAC for each output
    feature. The adjacency input declares their number: `{ shape = [2708, 2708], nonzeros = 13264 }`.
    """

    type: ClassVar[str] = "gcn_conv"
    family: ClassVar[str] = "graph"
    input_names: ClassVar[tuple[str, ...]] = ("features", "adjacency")
    input_counts: ClassVar[tuple[int, int | None]] = (2, 2)
    channel_axis: ClassVar[int | None] = -1
    ranks: ClassVar[tuple[int, ...]] = (2,)
    takes: ClassVar[tuple[str, ...]] = FLOATING
    takes_sparse: ClassVar[tuple[int, ...]] = (1,)
    takes_one_dtype: ClassVar[bool] = True

    out_features: Positive
    """Features of the output, for each node."""
    bias: bool = True
    """Whether each output feature has a trainable bias."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        features, adjacency = inputs[0].shape, inputs[1].shape
        if adjacency != (features[0], features[0]):
            message = f"the adjacency of {features[0]} nodes must be {features[0]}×{features[0]}"
            remedy = "use the same number of nodes for both inputs, also with --input"
            yield ConstraintError(f"{message}, but is {size_text(adjacency)}", help=remedy)
        elif not isinstance(inputs[1].nonzeros, Unknown | None) and inputs[1].nonzeros > features[0] ** 2:
            room = f"the adjacency has room for {features[0] ** 2} entries"
            remedy = "nonzeros belong to the adjacency's own shape: use fewer nonzeros, or more nodes"
            yield ConstraintError(f"{room}, not for {inputs[1].nonzeros} nonzeros", help=remedy)

    def output_shape(self, inputs: Tensors) -> Shape:
        nodes, _ = inputs[0].shape
        return (nodes, self.out_features)

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        _, features = inputs[0].shape
        weight = {"weight": (self.out_features, features)}
        return {**weight, "bias": (self.out_features,)} if self.bias else weight

    def _aggregation(self, inputs: Tensors) -> Count:
        nonzeros = inputs[1].nonzeros
        if isinstance(nonzeros, Unknown | None):
            return Unknown(NONZEROS_UNKNOWN)
        return nonzeros * self.out_features

    def _weighting(self, inputs: Tensors, output: Shape) -> Any:
        _, features = inputs[0].shape
        return product((*output, features))

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        aggregation = self._aggregation(inputs)
        unknown = isinstance(aggregation, Unknown)
        macs = {"macs": aggregation if unknown else self._weighting(inputs, output) + aggregation}
        return {**macs, "additions": elements(output)} if self.bias else macs

    def product_outputs(self, inputs: Tensors, output: Shape) -> Count:
        values: Count = 2 * elements(output)  # weighted features, and their sums
        return values

    def products(self, inputs: Tensors, output: Shape) -> tuple[Product, ...]:
        features, weights = Factor((0,)), Factor((), weights=True)
        weighted = Product(self._weighting(inputs, output), features, weights)
        return weighted, Product(self._aggregation(inputs), Factor((1,)), Factor((0,), weights=True))

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        aggregation = self._aggregation(inputs)
        if isinstance(aggregation, Unknown):
            return aggregation
        _, features = inputs[0].shape
        biases = elements(output) if self.bias else 0
        links: Count = elements(output) * features + aggregation + biases
        return links

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        _, features = inputs[0].shape
        return ((Dependency(ONE_HOP, 0, hop=True), Dependency(whole(features), 1)), ())

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        steps = (KernelOp((0, "weight"), multiplies=True), *self._aggregation_ops(inputs))
        return (*steps, KernelOp((len(steps) + 1, "bias"), grad_alias=True, broadcasts=True)) if self.bias else steps

    def strided_ops(self, inputs: Tensors, strides: tuple[int, ...] | None, trainable: bool) -> KernelOps | None:
        first, *others = self.kernel_ops(inputs, trainable)
        return (structs.replace(first, unclear="PyTorch may copy features that are not contiguous"), *others)

    def _aggregation_ops(self, inputs: Tensors) -> tuple[KernelOp, ...]:
        """The operations of ÂX: a dense adjacency multiplies each sample, a sparse one all samples side by side."""
        if inputs[1].nonzeros is None:
            return (KernelOp((1, 2), multiplies=True),)
        nonzeros = 0 if isinstance(inputs[1].nonzeros, Unknown) else inputs[1].nonzeros
        # The backward pass transposes the adjacency: the value of each nonzero, and its row and column.
        turned = (TensorSpec((nonzeros,), per_sample=False), TensorSpec((2, nonzeros), "int64", per_sample=False))
        multiply = KernelOp((1, 3), keep_alive=(2,), backward=(TensorSpec(self.output_shape(inputs)), *turned))
        nodes, width = self.output_shape(inputs)
        beside = KernelOp((2,), folds_batch=True, is_view=1 in (nodes, width), grad_alias=nodes == 1)
        apart = KernelOp((4,), keep_alive=(2, 3), folds_batch=True, is_view=nodes == 1, grad_alias=1 in (nodes, width))
        return beside, multiply, apart

    def module(self, inputs: Tensors) -> Module:
        sizes = {"features": inputs[0].shape[1], "out_features": self.out_features}
        return torch_module("GcnConv", sizes, **self.changed("bias"))


class GraphReadout(Layer):
    """One vector for a whole graph: the mean, sum or maximum over its nodes."""

    type: ClassVar[str] = "graph_readout"
    family: ClassVar[str] = "graph"
    channel_axis: ClassVar[int | None] = -1
    ranks: ClassVar[tuple[int, ...]] = (2,)
    takes: ClassVar[tuple[str, ...]] = FLOATING
    label_fields: ClassVar[tuple[str, ...]] = ("reduction",)

    reduction: Literal["mean", "sum", "max"] = "mean"
    """How the features of all nodes are reduced to one vector."""

    def output_shape(self, inputs: Tensors) -> Shape:
        _, features = inputs[0].shape
        return (features,)

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        nodes, features = inputs[0].shape
        reductions = (nodes - 1) * features
        if self.reduction == "max":
            return {"comparisons": reductions}
        return (
            {"additions": reductions, "divisions": features} if self.reduction == "mean" else {"additions": reductions}
        )

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return ((Dependency(whole(inputs[0].shape[0]), 0), Dependency(POINT, 0)),)

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        if self.reduction != "max":
            summed = self.reduction == "sum"
            return (KernelOp(grad_alias=summed, expands=1 if summed else None),)
        # The mask of the largest values, their number, the gradient per value, and the input's gradient.
        value, output = TensorSpec(inputs[0].shape), TensorSpec(self.output_shape(inputs))
        found = (structs.replace(value, dtype="bool"), structs.replace(output, dtype="int64"), output, value)
        return (KernelOp(saved=(0, RESULT), backward=found),)

    def module(self, inputs: Tensors) -> Module:
        function = "amax" if self.reduction == "max" else self.reduction
        return torch_module("GraphReadout", {"reduction": self.reduction}, expression=f"{{0}}.{function}(1)")
