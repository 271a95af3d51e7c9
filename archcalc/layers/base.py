"""The base class of layer types: one class holds all local facts of a type.

A subclass with a `type` is a layer type of the spec language. Its fields are PyTorch's arguments; its methods are
formulas on them and on the input shapes. The formulas run on any kind of number (see `archcalc.arithmetic`); their
constraints are in `check`, which runs on ints and on unknown sizes (`numbers/varying.py`).
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Annotated, Any, ClassVar, NamedTuple

from msgspec import NODEFAULT, Meta, Struct, structs

from archcalc.arithmetic import POINT, Window, product
from archcalc.layers.constraints import ConstraintError
from archcalc.numbers.bounds import Unknown

Shape = tuple[Any, ...]  # sizes without the batch; ints, or any number that a formula can run on

Positive = Annotated[int, Meta(ge=1)]
Natural = Annotated[int, Meta(ge=0)]
Probability = Annotated[float, Meta(ge=0, le=1)]
PerAxis = Positive | tuple[Positive, ...]

# Names of the axes of a channels-first shape, by rank.
AXIS_NAMES = {
    1: ("features",),
    2: ("channels", "length"),
    3: ("channels", "height", "width"),
    4: ("channels", "depth", "height", "width"),
}

FLOATING = ("float32", "float64", "float16", "bfloat16")
INTEGER = ("int64", "int32")


NONZEROS_UNKNOWN = "the adjacency input does not say its number of nonzeros at this size"


class Tensor(NamedTuple):
    """A tensor on an edge, without the batch.

    `nonzeros` is set for a sparse input; Unknown if the spec's number is for another shape.
    """

    shape: Shape
    dtype: str = "float32"
    nonzeros: int | Unknown | None = None


Tensors = tuple[Tensor, ...]


Count = int | Unknown


class Factor(Struct, frozen=True, gc=False):
    """One factor of a product, computed from `inputs` (by number) and, with `weights`, the layer's parameters."""

    inputs: tuple[int, ...]
    weights: bool = False


class Product(Struct, frozen=True, gc=False):
    """MACs that multiply two factors; the backward pass multiplies each factor by the gradient of the product.

    `name` identifies the product in a layer with several.
    """

    macs: Count
    left: Factor
    right: Factor
    name: str = ""


RESULT = -1  # the number of a KernelOp's result among its operands


class TensorSpec(Struct, frozen=True, gc=False):
    """A tensor that an operation allocates: its shape, by default per sample and in the dtype of the layer's output.

    `wide` values have at least 32 bits, as PyTorch's statistics do. `joined` folds the batch into the first axis.
    """

    shape: Shape
    dtype: str | None = None
    per_sample: bool = True
    wide: bool = False
    joined: bool = False

    def whole_shape(self, batch: int) -> Shape:
        """The shape with the batch."""
        if self.joined:
            return (batch * self.shape[0], *self.shape[1:])
        return (batch, *self.shape) if self.per_sample else self.shape


class KernelOp(Struct, frozen=True, gc=False):
    """An operation that PyTorch runs for a layer, with what it allocates and what it saves for the backward pass.

    Forward pass:
    `operands`: the layer's inputs by number, then the results of earlier operations; parameters and buffers by name.
    `output`: its result, by default the layer's output.
    `saved`: operands that autograd saves for the backward pass, RESULT for the result.
    `saved_extra`: further results that only the backward pass reads: indices, statistics, noise.
    `keep_alive`: results that a variable in PyTorch's code references while the operation runs.
    `is_view`: the result is a view of the first operand. `in_place`: the result overwrites it.
    `of_many`: it is one of several views of one call, which autograd forbids to overwrite.
    `layout`: the result's layout in memory: "fresh" is contiguous, "alike" is that of elementwise operations, "format"
    is channels last if the first operand is; "|" separates the layouts of different devices. Of a view: "same" has the
    operand's strides, "permuted" has the axes in `order`, "regrouped" has other axes ("refolded" where autograd records
    no view), "ordered" is contiguous; the last three copy if the strides require it.
    `unclear`: why it may allocate more than this.

    Backward pass:
    `copies`: it needs a copy of the first operand.
    `grad_alias`: the input's gradient aliases the output's, or is a view of it. Else each gradient is a new tensor.
    `multiplies`: each of the last two operands is saved if the other one needs a gradient.
    `broadcasts`: gradients are computed at the result's size and then summed.
    `expands`: the axis along which the gradient is expanded, counted with the batch.
    `always_grad`: operands whose gradient is always allocated.
    `folds_batch`: it folds the batch into another axis, or unfolds it; for batch 1 a view that aliases the gradient.
    `backward`: all tensors allocated at the same time, gradients included, if there are more than the gradients.
    """

    operands: tuple[int | str, ...] = (0,)
    output: TensorSpec | None = None
    saved: tuple[int, ...] = ()
    saved_extra: tuple[TensorSpec, ...] = ()
    keep_alive: tuple[int, ...] = ()
    is_view: bool = False
    in_place: bool = False
    of_many: bool = False
    layout: str = "fresh"
    order: tuple[int, ...] = ()
    expands: int | None = None
    unclear: str | None = None
    copies: bool = False
    grad_alias: bool = False
    multiplies: bool = False
    broadcasts: bool = False
    always_grad: tuple[int | str, ...] = ()
    folds_batch: bool = False
    backward: tuple[TensorSpec, ...] = ()

    def saved_operands(self, needs_grad: Sequence[bool]) -> list[int]:
        """The operands that autograd saves; `needs_grad` says for each operand whether it needs a gradient."""
        if not self.multiplies:
            return [*self.saved]
        factors = zip(self.operands[-2:], (needs_grad[-1], needs_grad[-2]), strict=True)
        return [*self.saved, *(factor for factor, other in factors if other and isinstance(factor, int))]


KernelOps = tuple[KernelOp, ...]  # none where a layer returns its input itself

MAX_PHASES = 512  # of a window that depends on the unit; what is finer is not followed


class PhasedWindow(Struct, frozen=True, gc=False):
    """The positions that output units read along one axis, where they depend on the unit's phase (upsampling).

    Unit i of a period reads positions `first[i]` to `last[i]`, `step` apart (none if first > last); the next period
    reads `advance` positions further on.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    advance: int
    step: int = 1


class TableWindow(Struct, frozen=True, gc=False):
    """A window from a table: unit i reads the positions `rows[i]`."""

    rows: tuple[tuple[int, ...], ...]


class UnknownWindow(Struct, frozen=True, gc=False):
    """A window whose positions are unknown, and why; all units together read `least` positions or more."""

    reason: str
    least: int = 0


AnyWindow = Window | PhasedWindow | TableWindow | UnknownWindow

ONE_HOP = Window(3, 1, 1)  # a graph convolution sees one hop in every direction


class Dependency(Struct, frozen=True, gc=False):
    """The positions along one input axis that an output unit depends on (`window`), and the unit's output `axis`.

    `mixed`: the output axis combines several input axes (flatten). `hop`: positions are nodes of a graph.
    `shared_axis`: other inputs lie on the same output axis (`cat`); for their units the window reads padding.
    `loose`: a unit reads a part of the window, which depends on the unit's position along other axes.
    """

    window: AnyWindow
    axis: int
    mixed: bool = False
    hop: bool = False
    shared_axis: bool = False
    loose: bool = False


class Module(Struct, frozen=True, gc=False):
    """The constructor call of a layer's PyTorch module.

    `name` is a class of torch.nn, such as `nn.Conv2d`, or one of `archcalc.pytorch.modules`. `arguments` are passed by
    position, `options` by keyword. `expression` computes the same without a module, in Python on the inputs `{0}`,
    `{1}` …, where a person would write it so.
    """

    name: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    expression: str | None = None


def torch_module(
    name: str, arguments: dict[str, Any] | None = None, expression: str | None = None, **options: Any
) -> Module:
    """A module by its class and its constructor's arguments."""
    return Module(name, arguments or {}, options, expression)


class Layer(Struct, kw_only=True, forbid_unknown_fields=True):
    """A layer of some type. Abstract; every concrete subclass defines its `type`."""

    type: ClassVar[str]
    family: ClassVar[str]  # convolution, pooling, normalization, activation, dense, shaping, merging …
    input_names: ClassVar[tuple[str, ...]] = ("input",)
    input_counts: ClassVar[tuple[int, int | None]] = (1, 1)  # the fewest and the most; None for any number
    ranks: ClassVar[tuple[int, ...]] = ()  # of the first input; empty for any
    channel_axis: ClassVar[int | None] = None  # the axis of channels (0) or features (-1); None if it has none
    removes_bias: ClassVar[bool] = False  # subtracts a mean per channel, so that a bias before it has no effect
    is_identity: ClassVar[bool] = False  # the output is the input
    is_view: ClassVar[bool] = False  # the output is a view of the input
    acts_in_training: ClassVar[bool] = False  # it computes something in training, even if not at inference
    orders_inputs: ClassVar[bool] = True  # the output depends on the order of the inputs
    sums_to_one: ClassVar[bool] = False  # the output, or its exponential, sums to 1 along `dim`
    is_lookup: ClassVar[bool] = False  # each output value is one of the weights
    label_fields: ClassVar[tuple[str, ...]] = ()  # fields in the label, if they differ from their default
    shapeless: ClassVar[tuple[str, ...]] = ()  # fields that may be wrong while the output shape is still known
    takes: ClassVar[tuple[str, ...]] = FLOATING + INTEGER
    takes_sparse: ClassVar[tuple[int, ...]] = ()  # inputs by number that may be one sparse matrix for all samples
    operation_names: ClassVar[dict[str, str]] = {}  # by kind of operation, their purpose; in explanations
    takes_one_dtype: ClassVar[bool] = False  # all inputs must have the same dtype; else PyTorch promotes them
    saved: ClassVar[tuple[int, ...]] = ()  # for its backward pass: inputs by number, RESULT for the output
    layout: ClassVar[str] = "fresh"  # of its output in memory, as in `KernelOp`

    def check_fields(self) -> Iterator[ConstraintError]:
        """Errors in the fields that do not depend on the inputs. `check` finds them too, perhaps with more detail."""
        yield from ()

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        """The violated constraints of the layer on its inputs and fields, as PyTorch checks them."""
        yield from self.check_fields()

    def output_shape(self, inputs: Tensors) -> Shape:
        """The output's shape, without the batch. By default the first input's."""
        return inputs[0].shape

    def output_dtype(self, inputs: Tensors) -> str:
        """The output's dtype."""
        return inputs[0].dtype

    def parameters(self, inputs: Tensors) -> dict[str, Shape]:
        """The shape of each parameter, by PyTorch's name."""
        return {}

    def buffers(self, inputs: Tensors) -> dict[str, Shape]:
        """The shape of each buffer, by PyTorch's name."""
        return {}

    def constants(self, inputs: Tensors) -> tuple[TensorSpec, ...]:
        """Tensors that PyTorch's module stores besides its parameters and buffers."""
        return ()

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        """Elementary operations of one inference pass for one sample, by kind."""
        return {}

    def bias_additions(self, inputs: Tensors, output: Shape) -> Count:
        """The number of additions of a bias, for one sample. By default one per output value, if there is a bias."""
        return elements(output) if "bias" in self.parameters(inputs) else 0

    def product_outputs(self, inputs: Tensors, output: Shape) -> Count:
        """The number of values that the MACs of one sample sum up to. By default the output's, if there are MACs."""
        return elements(output) if "macs" in self.operations(inputs, output) else 0

    def products(self, inputs: Tensors, output: Shape) -> tuple[Product, ...]:
        """The MACs of one sample as products, on ints alone. By default the first input times the weights."""
        macs = self.operations(inputs, output).get("macs", 0)
        return (Product(macs, Factor((0,)), Factor((), weights=True)),)

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        """Weighted links into all units, and one for each bias (LeCun et al. 1998)."""
        return 0

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        """The dependencies of an output unit along each axis of each input. By default the same position.

        Empty for an input that selects what is read, such as an adjacency.
        """
        return tuple(pointwise(len(tensor.shape)) for tensor in inputs)

    def windows(self, inputs: Tensors) -> dict[int, Window]:
        """The sliding window along each axis of the first input that has one, by axis."""
        return {}

    def spreads(self, inputs: Tensors) -> dict[int, Window]:
        """The window of a transposed convolution, from one input to several outputs, by axis of the input."""
        return {}

    @property
    def works_in_place(self) -> bool:
        """Whether the output overwrites the input in memory."""
        return False

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        """The operations that PyTorch runs for the layer; by default one, on all inputs and parameters.

        The workspace of kernels is left out; where devices differ, the operations are those of the `meta` device.
        """
        if self.is_view:
            return (KernelOp(is_view=True, grad_alias=True, layout="same"),)
        return (KernelOp((*range(len(inputs)), *self.parameters(inputs)), saved=self.saved, layout=self.layout),)

    def strided_ops(self, inputs: Tensors, strides: tuple[int, ...] | None, trainable: bool) -> KernelOps | None:
        """The operations if the first input is not contiguous; None if they are the same as in `kernel_ops`.

        `strides` are the first input's, starting with the batch's; None if unknown. `trainable`: the weights are.
        """
        return None

    def least_batch(self, inputs: Tensors, training: bool) -> int | None:
        """The smallest batch that PyTorch accepts; None if it refuses every batch."""
        return 1

    def label(self) -> str:
        """What distinguishes the layer from others of its type: `3×3, stride 2`; without sizes of the output."""
        return ", ".join(field_text(field, value) for field, value in self.changed(*self.label_fields).items())

    def module(self, inputs: Tensors) -> Module:
        """The PyTorch module that computes the same."""
        raise NotImplementedError(self.type)

    def __hash__(self) -> int:
        """A hash of type and fields, which do not change after construction."""
        return hash((self.type, *structs.astuple(self)))

    def changed(self, *fields: str) -> dict[str, Any]:
        """The values of those `fields` that differ from their default, which is PyTorch's."""
        defaults, values = self.defaults(), {field: getattr(self, field) for field in fields}
        return {field: value for field, value in values.items() if value != defaults.get(field, NODEFAULT)}

    def defaults(self) -> dict[str, Any]:
        """The default of every field that has one."""
        count = len(self.__struct_defaults__)  # of the last fields; NODEFAULT for a field without one
        pairs = zip(self.__struct_fields__[-count:], self.__struct_defaults__, strict=True) if count else ()
        return {field: default for field, default in pairs if default is not NODEFAULT}


class Elementwise(Layer):
    """A layer whose output value at each position depends on the input value there. Abstract."""

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (pointwise(len(inputs[0].shape)),)


@cache
def pointwise(rank: int) -> tuple[Dependency, ...]:
    """The dependencies of an elementwise layer: each unit reads its own position."""
    return tuple(Dependency(POINT, axis) for axis in range(rank))


def weighted_links(operations: dict[str, Count]) -> Count:
    """Connections of a layer in which each MAC is a weighted link and each addition a bias."""
    macs, biases = operations["macs"], operations.get("additions", 0)
    return macs if isinstance(macs, Unknown) or isinstance(biases, Unknown) else macs + biases


def elements(shape: Shape) -> Any:
    """The number of values in a tensor of this shape."""
    return product(shape)


def size_text(shape: Shape) -> str:
    """A shape as archcalc writes it: `6×28×28`; `1 value` for the empty one."""
    return "×".join(map(str, shape)) if shape else "1 value"


def field_text(field: str, value: Any) -> str:
    """A field of a layer in a few words: `stride 2`, `padding 1×3`, `ceil mode`; a pair is `1+2`."""
    name = field.replace("_", " ")
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, tuple):
        return f"{name} {size_text(tuple(map(_size_of_field, value)))}"
    return f"{name} {_size_of_field(value)}"


def _size_of_field(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def per_axis(value: Any, dimensions: int) -> tuple[Any, ...]:
    """One value for each axis."""
    return value if isinstance(value, tuple) else (value,) * dimensions


def resolve_axis(dim: int, rank: int) -> int:
    """The index of an axis, counted without the batch; a negative `dim` counts from the end."""
    return dim + rank if dim < 0 else dim
