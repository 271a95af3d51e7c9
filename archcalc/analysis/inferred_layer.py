"""The properties of layers for input tensors."""

from collections.abc import Iterator
from functools import cached_property, lru_cache

from archcalc.arithmetic import Window, product
from archcalc.layers.base import (
    AXIS_NAMES,
    Count,
    Dependency,
    KernelOps,
    Layer,
    Product,
    Shape,
    Tensor,
    Tensors,
    pointwise,
)
from archcalc.layers.constraints import ConstraintError
from archcalc.numbers.bounds import Unknown

MAX_AXES = 64  # PyTorch's limit
MAX_BITS = 512  # of the number of values on an edge


class InferredLayer:
    """A layer with its input tensors; each property is computed once, when it is first read."""

    def __init__(self, layer: Layer, inputs: Tensors) -> None:
        self.layer = layer
        self.inputs = inputs

    @cached_property
    def constraint_errors(self) -> tuple[ConstraintError, ...]:
        """The constraints that the inputs break. If there are any, other properties must not be read."""
        return tuple(check_constraints(self.layer, self.inputs))

    @cached_property
    def output(self) -> Tensor:
        """The output tensor."""
        return Tensor(self.layer.output_shape(self.inputs), self.layer.output_dtype(self.inputs))

    @cached_property
    def beyond_limits(self) -> str | None:
        """The limit that the output exceeds, in words: an output must be small enough to compute and print."""
        shape = self.output.shape
        if len(shape) > MAX_AXES:
            return f"{len(shape)} axes, more than the {MAX_AXES} that a tensor can have"
        return f"more than 2^{MAX_BITS} values" if product(shape).bit_length() > MAX_BITS else None

    @cached_property
    def fits(self) -> bool:
        """Whether the inputs meet all constraints, and the output is within limits."""
        return not self.constraint_errors and self.beyond_limits is None

    @cached_property
    def dependencies(self) -> tuple[tuple[Dependency, ...], ...]:
        """The dependencies of the output's axes on the axes of every input."""
        return self.layer.dependencies(self.inputs)

    @cached_property
    def windows(self) -> dict[int, Window]:
        """The windows that slide over the first input, by axis."""
        return self.layer.windows(self.inputs)

    @cached_property
    def keeps_positions(self) -> bool:
        """Whether there is one input, and each unit reads only the unit at its own position there."""
        alike = len(self.inputs) == 1 and self.inputs[0].shape == self.output.shape
        return alike and self.dependencies[0] == pointwise(len(self.output.shape))

    @cached_property
    def parameters(self) -> dict[str, Shape]:
        """The shapes of its parameters, by name."""
        return self.layer.parameters(self.inputs)

    @cached_property
    def buffers(self) -> dict[str, Shape]:
        """The shapes of its buffers, by name."""
        return self.layer.buffers(self.inputs)

    @cached_property
    def parameter_count(self) -> int:
        """The number of values in its parameters."""
        return sum(map(product, self.parameters.values()))

    @cached_property
    def buffer_count(self) -> int:
        """The number of values in its buffers."""
        return sum(map(product, self.buffers.values()))

    @cached_property
    def inference_ops(self) -> KernelOps:
        """The kernels that PyTorch runs for it at inference."""
        return self.layer.kernel_ops(self.inputs, training=False)

    @cached_property
    def training_ops(self) -> KernelOps:
        """The kernels that PyTorch runs for it in training."""
        return self.layer.kernel_ops(self.inputs, training=True)

    def ops(self, training: bool) -> KernelOps:
        """The kernels that PyTorch runs for it, in training or at inference."""
        return self.training_ops if training else self.inference_ops

    @cached_property
    def operations(self) -> dict[str, Count]:
        """Operations for one sample, by kind."""
        return self.layer.operations(self.inputs, self.output.shape)

    @cached_property
    def biases(self) -> Count:
        """Additions of biases for one sample."""
        return self.layer.bias_additions(self.inputs, self.output.shape)

    @cached_property
    def product_outputs(self) -> Count:
        """The number of values that the MACs of one sample add up to."""
        return self.layer.product_outputs(self.inputs, self.output.shape)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The factors that its MACs multiply."""
        return self.layer.products(self.inputs, self.output.shape)

    @cached_property
    def connections(self) -> Count:
        """The number of weighted links, and one for each bias."""
        return self.layer.count_connections(self.inputs, self.output.shape)

    @cached_property
    def unknown(self) -> dict[str, str]:
        """The reason why a kind of operations, or the connections, cannot be derived, by kind."""
        counts = {**self.operations, "connections": self.connections}
        return {what: count.reason for what, count in counts.items() if isinstance(count, Unknown)}


@lru_cache(maxsize=4096)
def infer_layer(layer: Layer, inputs: Tensors) -> InferredLayer:
    """A layer with its input tensors, cached: networks repeat layers, and an edited spec keeps most of them."""
    return InferredLayer(layer, inputs)


def check_constraints(layer: Layer, inputs: Tensors) -> Iterator[ConstraintError]:
    """The constraints that these inputs break: number, dtypes and ranks, then the constraints of the layer's type."""
    found = [*_input_errors(layer, inputs)]
    yield from found
    yield from layer.check_fields() if found else layer.check(inputs)


def constraints_of_any_input(layer: Layer, count: int) -> Iterator[ConstraintError]:
    """The constraints that a number of inputs, and the layer's fields, break for any input."""
    yield from input_count_errors(layer, count)
    yield from layer.check_fields()


def input_count_errors(layer: Layer, count: int) -> Iterator[ConstraintError]:
    """The error of a layer that does not take `count` inputs."""
    least, most = layer.input_counts
    if not least <= count <= (most or count):
        wanted = "input" if most == 1 else f"inputs ({', '.join(layer.input_names)}{', …' if most is None else ''})"
        number = f"{least} or more" if most is None else str(least) if most == least else f"{least} to {most}"
        remedy = "list them in inputs = […]" if count < least else "leave out the others"
        yield ConstraintError(f"{layer.type} takes {number} {wanted}, not {count}", help=remedy)


def _input_errors(layer: Layer, inputs: Tensors) -> Iterator[ConstraintError]:
    if wrong_count := [*input_count_errors(layer, len(inputs))]:
        yield from wrong_count
        return
    for number, tensor in enumerate(inputs):
        if tensor.nonzeros is not None and number not in layer.takes_sparse:
            message = f"{layer.type} takes a tensor for each sample, not an input with nonzeros"
            yield ConstraintError(
                message, help="nonzeros make an input one sparse matrix for all samples: leave them out"
            )
        if tensor.dtype not in layer.takes:
            wanted = " or ".join(layer.takes)
            yield ConstraintError(f"{layer.type} takes {wanted}, not {tensor.dtype}", help=_say_dtype(layer.takes[0]))
    dtypes = [*dict.fromkeys(tensor.dtype for tensor in inputs)]
    if layer.takes_one_dtype and len(dtypes) > 1:
        message = f"{layer.type} takes inputs of one dtype, not {' and '.join(dtypes)}"
        yield ConstraintError(message, help=_say_dtype(dtypes[0]))
    rank = len(inputs[0].shape)
    if layer.ranks and rank not in layer.ranks:
        shapes = [" × ".join(AXIS_NAMES[wanted]) for wanted in layer.ranks]
        wanted = " or ".join(shapes) if layer.channel_axis == 0 else "tokens × features"
        remedy = "put flatten, reshape or permute before it, or change the input; shapes never include the batch"
        yield ConstraintError(f"{layer.type} takes {wanted}, not {rank} {'axis' if rank == 1 else 'axes'}", help=remedy)


def _say_dtype(dtype: str) -> str:
    return f'declare the dtype of an input: {{ shape = […], dtype = "{dtype}" }}; the default is float32'
