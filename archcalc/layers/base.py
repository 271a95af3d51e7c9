"""What a layer type is: one class that holds all of its local facts.

A subclass with a `type` is a layer type of the spec language. Its fields are PyTorch's arguments; its methods are
formulas on them and on the input shapes. The formulas run on any kind of number (see `archcalc.arithmetic`); whatever
has to hold for them is said in `check`, which runs on ints, and on a size that is not said (`numbers/varying.py`).
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

# What the axes of a shape with channels in front are called.
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
    """What flows along an edge, without the batch.

    A sparse input has `nonzeros`; Unknown where the spec says them for another shape.
    """

    shape: Shape
    dtype: str = "float32"
    nonzeros: int | Unknown | None = None


Tensors = tuple[Tensor, ...]


Count = int | Unknown


class Factor(Struct, frozen=True, gc=False):
    """One side of a product: what it is made of. The numbers are those of the layer's inputs."""

    inputs: tuple[int, ...]
    weights: bool = False  # and of the layer's parameters


class Product(Struct, frozen=True, gc=False):
    """MACs that multiply two factors; training multiplies each of them by the gradient of the product.

    `name` says what it is, in a layer that has several.
    """

    macs: Count
    left: Factor
    right: Factor
    name: str = ""


RESULT = -1  # the result of a KernelOp, where its operands are numbered


class TensorSpec(Struct, frozen=True, gc=False):
    """A tensor that an operation allocates: its shape, by default in the dtype of the layer's output, per sample.

    `wide` values have at least 32 bits, as PyTorch keeps statistics of narrower ones. `joined` folds the batch into the
    first axis.
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
    """One of the operations that PyTorch runs for a layer: what it allocates, and saves for its backward pass.

    Forward pass:
    `operands`: the layer's inputs by number, then the results of the operations before; parameters and buffers by name.
    `output`: its result, by default the layer's output.
    `saved`: operands that autograd saves for the backward pass, RESULT for the result.
    `saved_extra`: further results that only the backward pass reads: indices, statistics, noise.
    `keep_alive`: results that a variable in PyTorch's code references while the operation runs.
    `is_view`: the result is a view of the first operand. `in_place`: the result overwrites it.
    `of_many`: it is one of several views made together, which autograd lets nobody overwrite.
    `layout`: how the result lies in memory: "fresh" is contiguous, "alike" as elementwise operations lay it out,
    "format" is channels last if the first operand is; "|" separates layouts of different devices. Of a view: "same"
    has the operand's strides, "permuted" has the axes in `order`, "regrouped" has other axes ("refolded" where autograd
    records no view), "ordered" is contiguous; the last three copy where strides demand it.
    `unclear`: why it may allocate more than it says.

    Backward pass:
    `copies`: it needs a copy of the first operand.
    `grad_alias`: the input's gradient aliases the output's, or is a view of it. Else each gradient is a new tensor.
    `multiplies`: each of the last two operands is saved if the other one needs a gradient.
    `broadcasts`: gradients have the result's size first, and are then summed.
    `expands`: the axis of the gradient, counted with the batch, along which it is expanded.
    `always_grad`: operands whose gradient is always allocated.
    `folds_batch`: it folds the batch into another axis, or unfolds it; a view that aliases the gradient for batch 1.
    `backward`: the tensors allocated at once, gradients included, where these are more than the gradients.
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
    """What output units read along one axis where it depends on the unit's phase, as behind an upsampling.

    Unit i of a period reads positions `first[i]` to `last[i]`, `step` apart (none where first > last); the next period
    reads `advance` positions further on.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    advance: int
    step: int = 1


class TableWindow(Struct, frozen=True, gc=False):
    """Unit i reads the positions `rows[i]`."""

    rows: tuple[tuple[int, ...], ...]


class UnknownWindow(Struct, frozen=True, gc=False):
    """The positions read cannot be said, and why; `least` of them all units together read at least."""

    reason: str
    least: int = 0


AnyWindow = Window | PhasedWindow | TableWindow | UnknownWindow

ONE_HOP = Window(3, 1, 1)  # a graph convolution sees one hop in every direction


class Dependency(Struct, frozen=True, gc=False):
    """Which positions along one axis of an input an output unit depends on, and along which output axis units lie.

    `mixed`: the output axis runs over several input axes at once, as behind a flatten. `hop`: positions are nodes.
    `shared_axis`: other inputs lie on the same output axis (`cat`); for their units the window reads padding.
    `loose`: a unit reads some of what the window says, which of it depends on its place along other axes.
    """

    window: AnyWindow
    axis: int
    mixed: bool = False
    hop: bool = False
    shared_axis: bool = False
    loose: bool = False


class Module(Struct, frozen=True, gc=False):
    """The PyTorch module that does what a layer does, by the call that makes it.

    `name` is a class of torch.nn, such as `nn.Conv2d`, or else one of `archcalc.pytorch.modules`. `arguments` are given
    by position, and have their names only to tell what they are. `expression` does the same without a module, in
    Python on the inputs `{0}`, `{1}` …, where a person would write it so.
    """

    name: str
    arguments: dict[str, Any]
    options: dict[str, Any]
    expression: str | None = None


def torch_module(
    name: str, arguments: dict[str, Any] | None = None, expression: str | None = None, **options: Any
) -> Module:
    """A module by its class and what its constructor takes."""
    return Module(name, arguments or {}, options, expression)


class Layer(Struct, kw_only=True, forbid_unknown_fields=True):
    """A layer of some type. Abstract; every concrete subclass says its `type`."""

    type: ClassVar[str]
    family: ClassVar[str]  # convolution, pooling, normalization, activation, dense, shaping, merging …
    input_names: ClassVar[tuple[str, ...]] = ("input",)
    input_counts: ClassVar[tuple[int, int | None]] = (1, 1)  # the fewest and the most; None for any number
    ranks: ClassVar[tuple[int, ...]] = ()  # of the first input; empty for any
    channel_axis: ClassVar[int | None] = None  # where the layer looks for channels or features: 0, -1, or it does not
    removes_bias: ClassVar[bool] = False  # subtracts a mean per channel, so that a bias before it has no effect
    is_identity: ClassVar[bool] = False  # gives what it gets
    is_view: ClassVar[bool] = False  # gives its input, or a part of it, without moving a value
    acts_in_training: ClassVar[bool] = False  # whatever it is at inference, training computes something
    orders_inputs: ClassVar[bool] = True  # with others in their places it would give something else
    sums_to_one: ClassVar[bool] = False  # what it gives adds up to 1 along `dim`, or is the logarithm of that
    is_lookup: ClassVar[bool] = False  # reads only those of its weights that it gives out
    label_fields: ClassVar[tuple[str, ...]] = ()  # fields that a label gives, where they are not their default
    shapeless: ClassVar[tuple[str, ...]] = ()  # fields that may not fit, and do not decide about the output's shape
    takes: ClassVar[tuple[str, ...]] = FLOATING + INTEGER
    takes_sparse: ClassVar[tuple[int, ...]] = ()  # inputs by number that may be one sparse matrix for all samples
    operation_names: ClassVar[dict[str, str]] = {}  # by kind, what operations of it are for; in explanations
    takes_one_dtype: ClassVar[bool] = False  # PyTorch promotes inputs of other dtypes, unless this is so
    saved: ClassVar[tuple[int, ...]] = ()  # for its backward pass: inputs by number, RESULT for the output
    layout: ClassVar[str] = "fresh"  # of its output in memory, as `KernelOp` has it

    def check_fields(self) -> Iterator[ConstraintError]:
        """What of its fields is wrong whatever the layer reads. `check` says that, too, and may say it better."""
        yield from ()

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        """What has to hold before the formulas mean anything, as PyTorch checks it."""
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
        """Tensors that PyTorch's module keeps beside its parameters and buffers."""
        return ()

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        """Elementary operations of one inference pass for one sample, by kind."""
        return {}

    def bias_additions(self, inputs: Tensors, output: Shape) -> Count:
        """Those of the additions that add a bias, for one sample. By default one for each value, if there is a bias."""
        return elements(output) if "bias" in self.parameters(inputs) else 0

    def product_outputs(self, inputs: Tensors, output: Shape) -> Count:
        """Values into which the MACs of one sample add up. By default the outputs of a layer that has MACs."""
        return elements(output) if "macs" in self.operations(inputs, output) else 0

    def products(self, inputs: Tensors, output: Shape) -> tuple[Product, ...]:
        """The MACs of one sample as products. By default of the first input with the weights; runs on ints alone."""
        macs = self.operations(inputs, output).get("macs", 0)
        return (Product(macs, Factor((0,)), Factor((), weights=True)),)

    def count_connections(self, inputs: Tensors, output: Shape) -> Count:
        """Weighted links into all units, and one for each bias (LeCun et al. 1998)."""
        return 0

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        """For every input and each of its axes, what an output unit reads. By default the same position.

        Nothing for an input that steers and is not seen, as an adjacency.
        """
        return tuple(pointwise(len(tensor.shape)) for tensor in inputs)

    def windows(self, inputs: Tensors) -> dict[int, Window]:
        """The sliding window along each axis of the first input that has one; what `check` looks at."""
        return {}

    def spreads(self, inputs: Tensors) -> dict[int, Window]:
        """The window along each axis of the input that goes from it to several outputs: a transposed convolution's."""
        return {}

    @property
    def works_in_place(self) -> bool:
        """Whether its output takes the place of its input."""
        return False

    def kernel_ops(self, inputs: Tensors, training: bool) -> KernelOps:
        """What PyTorch runs for the layer, by the memory it takes; by default one operation on inputs and parameters.

        What a kernel takes for itself alone is left out; where devices differ, it is the device `meta` that counts.
        """
        if self.is_view:
            return (KernelOp(is_view=True, grad_alias=True, layout="same"),)
        return (KernelOp((*range(len(inputs)), *self.parameters(inputs)), saved=self.saved, layout=self.layout),)

    def strided_ops(self, inputs: Tensors, strides: tuple[int, ...] | None, trainable: bool) -> KernelOps | None:
        """The same where the values of the first input do not lie in order, but with these strides, the batch's first.

        The strides are None where they are not known. `trainable`: its weights. None where nothing changes.
        """
        return None

    def least_batch(self, inputs: Tensors, training: bool) -> int | None:
        """The fewest samples that PyTorch runs it on at once; None if it refuses any number of them."""
        return 1

    def label(self) -> str:
        """What tells it apart from others of its type, in a few words: `3×3, stride 2`. Sizes of the output are not."""
        return ", ".join(field_text(field, value) for field, value in self.changed(*self.label_fields).items())

    def module(self, inputs: Tensors) -> Module:
        """The PyTorch module that does the same."""
        raise NotImplementedError(self.type)

    def __hash__(self) -> int:
        """No field changes once the layer is made."""
        return hash((self.type, *structs.astuple(self)))

    def changed(self, *fields: str) -> dict[str, Any]:
        """Those of the fields whose value is not their default, which is PyTorch's too."""
        defaults, values = self.defaults(), {field: getattr(self, field) for field in fields}
        return {field: value for field, value in values.items() if value != defaults.get(field, NODEFAULT)}

    def defaults(self) -> dict[str, Any]:
        """The default of every field that has one."""
        count = len(self.__struct_defaults__)  # of the last fields; NODEFAULT among them where a field has none
        pairs = zip(self.__struct_fields__[-count:], self.__struct_defaults__, strict=True) if count else ()
        return {field: default for field, default in pairs if default is not NODEFAULT}


class Elementwise(Layer):
    """A layer whose every output value comes from the input value in its place. Abstract."""

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        return (pointwise(len(inputs[0].shape)),)


@cache
def pointwise(rank: int) -> tuple[Dependency, ...]:
    """Each output unit reads the position that it has itself."""
    return tuple(Dependency(POINT, axis) for axis in range(rank))


def weighted_links(operations: dict[str, Count]) -> Count:
    """Connections of a layer whose MACs are all weights and whose additions are all biases."""
    macs, biases = operations["macs"], operations.get("additions", 0)
    return macs if isinstance(macs, Unknown) or isinstance(biases, Unknown) else macs + biases


def elements(shape: Shape) -> Any:
    """How many values a tensor of this shape holds."""
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
    """The index of an axis of the shape (the batch not counted) that may be counted from the end."""
    return dim + rank if dim < 0 else dim
