"""Activations. Each docstring is the formula whose operations are counted for every value."""

from typing import TYPE_CHECKING, ClassVar, Literal

from archcalc.arithmetic import whole
from archcalc.layers.base import (
    FLOATING,
    RESULT,
    Count,
    Dependency,
    Elementwise,
    KernelOp,
    KernelOps,
    Module,
    Positive,
    Probability,
    Shape,
    Tensors,
    TensorSpec,
    elements,
    field_text,
    pointwise,
    resolve_axis,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, dim_errors

if TYPE_CHECKING:
    from collections.abc import Iterator


class Activation(Elementwise):
    """A function of each value. Abstract."""

    layout: ClassVar[str] = "alike"
    family: ClassVar[str] = "activation"
    saved: ClassVar[tuple[int, ...]] = (0,)
    takes: ClassVar[tuple[str, ...]] = FLOATING
    costs: ClassVar[dict[str, int]]  # operations for each value, by kind

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        return {kind: values * count for kind, count in self.costs.items()}


class InPlaceLayer(Elementwise):
    """With inplace = true, the output overwrites the input. Abstract."""

    layout: ClassVar[str] = "alike"
    output_is_enough: ClassVar[bool] = False  # for the backward pass; else a copy of the input is saved

    inplace: bool = False
    """Whether the output overwrites the input in memory."""

    @property
    def works_in_place(self) -> bool:
        return self.inplace

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        if not self.inplace:
            return super().kernel_ops(inputs, training)
        enough = self.output_is_enough
        return (KernelOp(saved=(RESULT,) if enough else (), in_place=True, copies=not enough, layout="alike"),)


class Relu(InPlaceLayer, Activation):
    """max(0, x)."""

    type: ClassVar[str] = "relu"
    output_is_enough: ClassVar[bool] = True
    saved: ClassVar[tuple[int, ...]] = (RESULT,)
    costs: ClassVar[dict[str, int]] = {"comparisons": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.ReLU", **self.changed("inplace"))


class Relu6(InPlaceLayer, Activation):
    """min(max(0, x), 6)."""

    type: ClassVar[str] = "relu6"
    costs: ClassVar[dict[str, int]] = {"comparisons": 2}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.ReLU6", **self.changed("inplace"))


class LeakyRelu(InPlaceLayer, Activation):
    """x where x > 0, else negative_slope·x."""

    type: ClassVar[str] = "leaky_relu"
    output_is_enough: ClassVar[bool] = True
    costs: ClassVar[dict[str, int]] = {"comparisons": 1, "multiplications": 1}
    label_fields: ClassVar[tuple[str, ...]] = ("negative_slope",)

    negative_slope: float = 0.01
    """Factor of negative values."""

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.LeakyReLU", **self.changed("negative_slope", "inplace"))


class Prelu(Activation):
    """x where x > 0, else a·x with a trainable a: one for all channels, or (num_parameters) one for each."""

    type: ClassVar[str] = "prelu"
    costs: ClassVar[dict[str, int]] = {"comparisons": 1, "multiplications": 1}
    shapeless: ClassVar[tuple[str, ...]] = ("num_parameters",)

    num_parameters: Positive = 1
    """Number of trainable slopes: 1 for all channels, or one for each channel."""

    def check(self, inputs: Tensors) -> "Iterator[ConstraintError]":
        channels = inputs[0].shape[0] if inputs[0].shape else 1
        if self.num_parameters not in (1, channels):
            message = f"num_parameters {self.num_parameters} is neither 1 nor the {channels} channels"
            yield ConstraintError(message, "num_parameters", help=f"use 1 or {channels}")

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        return {"weight": (self.num_parameters,)}

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        links: Count = elements(output)
        return links

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        return (KernelOp((0, "weight"), saved=self.saved, broadcasts=True, always_grad=(0, "weight"), layout="alike"),)

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.PReLU", **self.changed("num_parameters"))


class Elu(InPlaceLayer, Activation):
    """x where x > 0, else alpha·(eˣ − 1)."""

    type: ClassVar[str] = "elu"
    output_is_enough: ClassVar[bool] = True
    costs: ClassVar[dict[str, int]] = {"comparisons": 1, "exponentials": 1, "additions": 1, "multiplications": 1}

    alpha: float = 1.0
    """Factor of the exponential, and so the limit for very negative values."""

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.ELU", **self.changed("alpha", "inplace"))


class Gelu(Activation):
    """½x·(1 + erf(x/√2)), or with approximate = "tanh" ½x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""

    type: ClassVar[str] = "gelu"

    approximate: Literal["none", "tanh"] = "none"
    """"tanh" computes the usual approximation, "none" the exact function."""

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        if self.approximate == "tanh":
            return {"multiplications": 6 * values, "additions": 2 * values, "tanh": values}
        return {"multiplications": 3 * values, "additions": values, "error_functions": values}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.GELU", **self.changed("approximate"))


class Silu(InPlaceLayer, Activation):
    """x/(1 + e⁻ˣ), also called Swish."""

    type: ClassVar[str] = "silu"
    costs: ClassVar[dict[str, int]] = {"exponentials": 1, "additions": 1, "divisions": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.SiLU", **self.changed("inplace"))


class Sigmoid(Activation):
    """1/(1 + e⁻ˣ)."""

    type: ClassVar[str] = "sigmoid"
    saved: ClassVar[tuple[int, ...]] = (RESULT,)
    costs: ClassVar[dict[str, int]] = {"exponentials": 1, "additions": 1, "divisions": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Sigmoid")


class Hardsigmoid(InPlaceLayer, Activation):
    """min(max(0, x + 3), 6)/6."""

    type: ClassVar[str] = "hardsigmoid"
    costs: ClassVar[dict[str, int]] = {"additions": 1, "comparisons": 2, "divisions": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Hardsigmoid", **self.changed("inplace"))


class Hardswish(InPlaceLayer, Activation):
    """x·min(max(0, x + 3), 6)/6."""

    type: ClassVar[str] = "hardswish"
    costs: ClassVar[dict[str, int]] = {"additions": 1, "comparisons": 2, "divisions": 1, "multiplications": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Hardswish", **self.changed("inplace"))


class Tanh(Activation):
    """tanh x, counted as an operation of its own."""

    type: ClassVar[str] = "tanh"
    saved: ClassVar[tuple[int, ...]] = (RESULT,)
    costs: ClassVar[dict[str, int]] = {"tanh": 1}

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Tanh")


class Softplus(Activation):
    """log(1 + e^(beta·x))/beta, and x itself above threshold."""

    type: ClassVar[str] = "softplus"
    costs: ClassVar[dict[str, int]] = {
        "multiplications": 1,
        "comparisons": 1,
        "exponentials": 1,
        "additions": 1,
        "logarithms": 1,
        "divisions": 1,
    }

    beta: float = 1.0
    """Factor of the input: the larger, the closer to a ReLU."""
    threshold: float = 20.0
    """Above this beta·x, the output is x itself."""

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Softplus", **self.changed("beta", "threshold"))


class SoftmaxLayer(Elementwise):
    """A normalised exponential along one axis, `dim`, counted without the batch. Abstract.

    As in frameworks, the largest of the n values is subtracted first.
    """

    family: ClassVar[str] = "activation"
    takes: ClassVar[tuple[str, ...]] = FLOATING
    saved: ClassVar[tuple[int, ...]] = (RESULT,)
    label_fields: ClassVar[tuple[str, ...]] = ("dim",)
    sums_to_one: ClassVar[bool] = True

    dim: int = -1
    """Axis along which the values sum to 1, counted without the batch; negative from the end."""

    def check(self, inputs: Tensors) -> "Iterator[ConstraintError]":
        yield from dim_errors(self.dim, len(inputs[0].shape))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        rank = len(inputs[0].shape)
        axis = resolve_axis(self.dim, rank)
        reads = list(pointwise(rank))
        reads[axis] = Dependency(whole(inputs[0].shape[axis]), axis)
        return (tuple(reads),)


class Softmax(SoftmaxLayer):
    """e^(x − max)/Σe^(x − max) along `dim`.

    For n values n − 1 comparisons, n − 1 + n additions, n exponentials, n divisions.
    """

    type: ClassVar[str] = "softmax"

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        rows = values // output[self.dim]
        return {
            "comparisons": values - rows,
            "additions": 2 * values - rows,
            "exponentials": values,
            "divisions": values,
        }

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Softmax", dim=resolve_axis(self.dim, len(inputs[0].shape)) + 1)


class LogSoftmax(SoftmaxLayer):
    """x − max − log Σe^(x − max) along `dim`.

    For n values n − 1 comparisons, n − 1 + 2n additions, n exponentials, a logarithm.
    """

    type: ClassVar[str] = "log_softmax"

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        values = elements(output)
        rows = values // output[self.dim]
        return {
            "comparisons": values - rows,
            "additions": 3 * values - rows,
            "exponentials": values,
            "logarithms": rows,
        }

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.LogSoftmax", dim=resolve_axis(self.dim, len(inputs[0].shape)) + 1)


class Dropout(InPlaceLayer):
    """Sets a share p of the values to zero in training; does and costs nothing at inference."""

    type: ClassVar[str] = "dropout"
    family: ClassVar[str] = "activation"
    is_view: ClassVar[bool] = True
    acts_in_training: ClassVar[bool] = True
    takes: ClassVar[tuple[str, ...]] = FLOATING

    p: Probability = 0.5
    """Share of the values that training sets to zero."""

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        if not training or self.p == 0:
            return ()
        # The noise is as large as the values; with p = 1 it is a single zero. CUDA saves a bool for each value instead.
        noise = TensorSpec((), per_sample=False) if self.p == 1 else TensorSpec(inputs[0].shape)
        return (KernelOp(saved_extra=(noise,), in_place=self.inplace, layout="alike"),)

    def label(self) -> str:
        return field_text("p", self.p)

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.Dropout", **self.changed("p", "inplace"))
