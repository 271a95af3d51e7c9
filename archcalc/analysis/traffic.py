"""How many bytes every layer moves at least: each layer by itself, nothing kept in a cache between two of them.

A layer reads its inputs, parameters and buffers once and writes its output once. An input that it takes twice is read
once, and of positions that none of its units reads (between strides, in no row of a connection table, passed over by a
resize) nothing is read. Layers that give a view of their input move nothing (a reshape of values that do not lie side
by side would copy them; that is not counted). What a layer computes in between is not counted. A sparse input is read
once for all samples: the value and the two int64 indices of each nonzero. An embedding reads one row of its table at
least: all tokens may be the same.

In training, the backward pass of a layer reads the gradient of its output and once more what the forward pass read, and
writes the gradients of those inputs and parameters that need one. The optimizer's step (plain SGD) reads each trained
parameter and its gradient, and writes the parameter.
"""

from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.dependence import count_read
from archcalc.analysis.training import GradientFlow, follow_gradients
from archcalc.arithmetic import product
from archcalc.errors import UsageError, quoted
from archcalc.graph import Graph
from archcalc.layers.base import FLOATING, Dependency, Shape, Tensor, elements
from archcalc.numbers.bounds import Unknown

SIZES = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4, "int8": 1, "bool": 1}
INDEX_BYTES = 2 * SIZES["int64"]  # of a nonzero


class Traffic(NamedTuple):
    """Bytes that one layer moves for a whole batch: what it reads and writes in the forward pass, then the rest."""

    inputs: int = 0
    parameters: int = 0
    buffers: int = 0
    outputs: int = 0
    backward: int = 0
    step: int = 0

    @property
    def reads(self) -> int:
        """Bytes read in the forward pass."""
        return self.inputs + self.parameters + self.buffers

    @property
    def forward(self) -> int:
        """Bytes read and written in the forward pass."""
        return self.reads + self.outputs

    @property
    def total(self) -> int:
        """All of them."""
        return self.forward + self.backward + self.step


def count_traffic(context: AnalysisContext, dtype: str | None = None, training: bool = False) -> tuple[Traffic, ...]:
    """The bytes that every layer moves for the batch.

    `dtype` takes the place of that of all floating-point values. With `training`, the backward pass and the
    optimizer's step are counted, too.
    """
    flow = follow_gradients(context) if training else None
    counter = _Counter(context, dtype, flow)
    return tuple(map(counter.count, range(len(context.graph.nodes))))


def tensor_bytes(tensor: Tensor, dtype: str | None, batch: int) -> int:
    """The size of a batch of a tensor; a sparse one is that of one, or 0 if its nonzeros are not known."""
    size = value_bytes(tensor.dtype, dtype)
    if isinstance(tensor.nonzeros, Unknown):
        return 0
    if tensor.nonzeros is not None:
        return tensor.nonzeros * (size + INDEX_BYTES)
    return batch * int(elements(tensor.shape)) * size


def check_nonzeros(graph: Graph) -> None:
    """Raises UsageError if bytes depend on nonzeros that the spec says for another shape than an input was given."""
    for name, tensor in graph.inputs.items():
        if isinstance(tensor.nonzeros, Unknown):
            message = f"input {quoted(name)} is given another shape than the spec says its nonzeros for"
            raise UsageError(message, "write them as an expression, or as a variable to be set")


def value_bytes(own: str, dtype: str | None) -> int:
    """The size of a value: of `dtype` if there is one and the value is floating-point."""
    return SIZES[dtype if dtype and own in FLOATING else own]


def _values_read(tensor: Tensor, reads: tuple[Dependency, ...], output: Shape) -> Tensor:
    """An input without the positions that no unit reads."""
    if not output or any(read.mixed for read in reads):
        return tensor
    sizes = [count_read(output[read.axis], read.window, size) for read, size in zip(reads, tensor.shape, strict=False)]
    return tensor._replace(shape=tuple(sizes) or tensor.shape)


class _Counter:
    def __init__(self, context: AnalysisContext, dtype: str | None, flow: GradientFlow | None) -> None:
        self.context, self.dtype, self.flow = context, dtype, flow

    def count(self, position: int) -> Traffic:
        """The traffic of one layer."""
        layer = self.context.graph.nodes[position].layer
        if layer.is_view and not (self.flow and layer.acts_in_training):
            return Traffic()
        forward = self._forward(position)
        return self._with_training(forward, position, self.flow) if self.flow else forward

    def _forward(self, position: int) -> Traffic:
        node, (inputs, output) = self.context.graph.nodes[position], self.context.tensors_at(position)
        layer, parameters, read = node.layer, node.layer.parameters(inputs), dict[int, int]()
        for source, tensor, reads in zip(node.sources, inputs, layer.dependencies(inputs), strict=True):
            read[source] = max(read.get(source, 0), self._bytes(_values_read(tensor, reads, output.shape)))
        if layer.is_lookup:
            parameters = {name: shape[1:] for name, shape in parameters.items()}
        # A buffer of a single value is the count of batches, which inference does not read.
        buffers = {name: shape for name, shape in layer.buffers(inputs).items() if shape}
        return Traffic(
            sum(read.values()),
            self._values(parameters, output),
            self._values(buffers, output),
            self._bytes(output),
        )

    def _with_training(self, forward: Traffic, position: int, flow: GradientFlow) -> Traffic:
        node, (inputs, output) = self.context.graph.nodes[position], self.context.tensors_at(position)
        backward = 0
        if self.context.graph.edge(position) in flow.edges:
            pairs = zip(node.sources, inputs, strict=True)
            gradients = sum(self._bytes(tensor) for source, tensor in pairs if source in flow.edges)
            if position in flow.nodes:
                gradients += self._values(node.layer.parameters(inputs), output)
            backward = forward.total + gradients  # the gradient of the output is read in place of the output
        step = 3 * self._values(node.layer.parameters(inputs), output) if position in flow.owners else 0
        return forward._replace(backward=backward, step=step)

    def _bytes(self, tensor: Tensor) -> int:
        return tensor_bytes(tensor, self.dtype, self.context.batch)

    def _values(self, shapes: dict[str, Shape], output: Tensor) -> int:
        """The bytes of parameters or buffers, which have the dtype of their layer's output."""
        return value_bytes(output.dtype, self.dtype) * int(sum(map(product, shapes.values())))
