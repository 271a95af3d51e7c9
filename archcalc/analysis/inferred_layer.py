"""What layers say of themselves for the tensors that they read."""

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
    """A layer with what it reads; each answer is found once, when it is first asked for."""

    def __init__(self, layer: Layer, inputs: Tensors) -> None:
        self.layer = layer
        self.inputs = inputs

    @cached_property
    def constraint_errors(self) -> tuple[ConstraintError, ...]:
        """Why the layer cannot take its inputs. If there are any, nothing else can be asked."""
        return tuple(check_constraints(self.layer, self.inputs))

    @cached_property
    def output(self) -> Tensor:
        """What it gives."""
        return Tensor(self.layer.output_shape(self.inputs), self.layer.output_dtype(self.inputs))

    @cached_property
    def beyond_limits(self) -> str | None:
        """What is too much of the output: a chain of layers must not grow beyond what can be calculated and printed."""
        shape = self.output.shape
        if len(shape) > MAX_AXES:
            return f"{len(shape)} axes, more than the {MAX_AXES} that a tensor can have"
        return f"more than 2^{MAX_BITS} values" if product(shape).bit_length() > MAX_BITS else None

    @cached_property
    def fits(self) -> bool:
        """Whether the layer can take what it reads, and gives what can be calculated with."""
        return not self.constraint_errors and self.beyond_limits is None

    @cached_property
    def dependencies(self) -> tuple[tuple[Dependency, ...], ...]:
        """How it reads the axes of every input."""
        return self.layer.dependencies(self.inputs)

    @cached_property
    def windows(self) -> dict[int, Window]:
        """The windows that slide over its first input, by axis."""
        return self.layer.windows(self.inputs)

    @cached_property
    def keeps_positions(self) -> bool:
        """Whether each unit reads the unit in its own place of the only input, and nothing else."""
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
        """How many values its parameters have."""
        return sum(map(product, self.parameters.values()))

    @cached_property
    def buffer_count(self) -> int:
        """How many values its buffers have."""
        return sum(map(product, self.buffers.values()))

    @cached_property
    def inference_ops(self) -> KernelOps:
        """What PyTorch runs for it at inference."""
        return self.layer.kernel_ops(self.inputs, training=False)

    @cached_property
    def training_ops(self) -> KernelOps:
        """What PyTorch runs for it in training."""
        return self.layer.kernel_ops(self.inputs, training=True)

    def ops(self, training: bool) -> KernelOps:
        """What PyTorch runs for it, in training or at inference."""
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
        """Values into which the MACs of one sample add up."""
        return self.layer.product_outputs(self.inputs, self.output.shape)

    @cached_property
    def products(self) -> tuple[Product, ...]:
        """The factors that its MACs multiply."""
        return self.layer.products(self.inputs, self.output.shape)

    @cached_property
    def connections(self) -> Count:
        """Weighted links, and one for each bias."""
        return self.layer.count_connections(self.inputs, self.output.shape)

    @cached_property
    def unknown(self) -> dict[str, str]:
        """Why a kind of operations, or the connections, cannot be derived."""
        counts = {**self.operations, "connections": self.connections}
        return {what: count.reason for what, count in counts.items() if isinstance(count, Unknown)}


@lru_cache(maxsize=4096)
def infer_layer(layer: Layer, inputs: Tensors) -> InferredLayer:
    """A layer with what it reads. Networks are made of layers that are alike, and a change leaves most as they were."""
    return InferredLayer(layer, inputs)


def check_constraints(layer: Layer, inputs: Tensors) -> Iterator[ConstraintError]:
    """Why a layer cannot take these inputs: their number, dtypes and ranks, then what its type asks for."""
    found = [*_input_errors(layer, inputs)]
    yield from found
    yield from layer.check_fields() if found else layer.check(inputs)


def constraints_of_any_input(layer: Layer, count: int) -> Iterator[ConstraintError]:
    """Why a layer cannot take so many inputs, whatever these are, nor be what its fields say."""
    yield from input_count_errors(layer, count)
    yield from layer.check_fields()


def input_count_errors(layer: Layer, count: int) -> Iterator[ConstraintError]:
    """That a layer does not take so many inputs."""
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
    return f'an input says its dtype so: {{ shape = […], dtype = "{dtype}" }}; the default is float32'
