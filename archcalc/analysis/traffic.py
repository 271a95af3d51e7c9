"""Counts the least bytes that every layer moves, without a cache that keeps values between layers.

A layer reads its inputs, parameters and buffers once and writes its output once. An input that it has twice is read
once. Positions that no unit reads (between strides, in no row of a connection table, skipped by a resize) are not
counted. Layers that return a view of their input move no bytes; copies by a reshape of non-contiguous values are not
counted, nor are intermediate values. A sparse input is read once for all samples: the value and the two int64 indices
of each nonzero. An embedding reads at least one row of its table, because all tokens may be equal.

In training, the backward pass of a layer reads the gradient of its output and the same values as the forward pass, and
writes the gradients of the inputs and parameters that need one. The optimizer's step (plain SGD) reads each trained
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
    """Bytes that one layer moves for a whole batch: forward reads and writes, backward pass, optimizer's step."""

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
        """Bytes read and written in all phases."""
        return self.forward + self.backward + self.step


def count_traffic(context: AnalysisContext, dtype: str | None = None, training: bool = False) -> tuple[Traffic, ...]:
    """Count the bytes that every layer moves for the batch.

    `dtype` replaces the dtype of floating-point values. `training` adds the backward pass and the optimizer's step.
    """
    flow = follow_gradients(context) if training else None
    counter = _Counter(context, dtype, flow)
    return tuple(map(counter.count, range(len(context.graph.nodes))))


def tensor_bytes(tensor: Tensor, dtype: str | None, batch: int) -> int:
    """The bytes of a tensor for a batch; a sparse one does not depend on the batch, and has 0 for unknown nonzeros."""
    size = value_bytes(tensor.dtype, dtype)
    if isinstance(tensor.nonzeros, Unknown):
        return 0
    if tensor.nonzeros is not None:
        return tensor.nonzeros * (size + INDEX_BYTES)
    return batch * int(elements(tensor.shape)) * size


def check_nonzeros(graph: Graph) -> None:
    """Raise UsageError if an input's nonzeros are unknown, because its shape is not the spec's."""
    for name, tensor in graph.inputs.items():
        if isinstance(tensor.nonzeros, Unknown):
            message = f"the nonzeros of input {quoted(name)} are unknown, since the spec has them for another shape"
            raise UsageError(message, "write them as an expression, or as a variable to be set")


def value_bytes(own: str, dtype: str | None) -> int:
    """The bytes of a value of dtype `own`; `dtype` replaces it if it is floating-point."""
    return SIZES[dtype if dtype and own in FLOATING else own]


def _values_read(tensor: Tensor, reads: tuple[Dependency, ...], output: Shape) -> Tensor:
    """The input without positions that no unit reads."""
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
        inferred, read = self.context.layer_at(position), dict[int, int]()
        for source, tensor, reads in zip(node.sources, inputs, inferred.dependencies, strict=True):
            read[source] = max(read.get(source, 0), self._bytes(_values_read(tensor, reads, output.shape)))
        parameters = inferred.parameters
        if node.layer.is_lookup:
            parameters = {name: shape[1:] for name, shape in parameters.items()}
        # A buffer of a single value counts batches; inference does not read it.
        buffers = {name: shape for name, shape in inferred.buffers.items() if shape}
        return Traffic(
            sum(read.values()),
            self._values(parameters, output),
            self._values(buffers, output),
            self._bytes(output),
        )

    def _with_training(self, forward: Traffic, position: int, flow: GradientFlow) -> Traffic:
        node, (inputs, output) = self.context.graph.nodes[position], self.context.tensors_at(position)
        backward, weights = 0, self._values(self.context.layer_at(position).parameters, output)
        if self.context.graph.edge(position) in flow.edges:
            pairs = zip(node.sources, inputs, strict=True)
            gradients = sum(self._bytes(tensor) for source, tensor in pairs if source in flow.edges)
            if position in flow.nodes:
                gradients += weights
            backward = forward.total + gradients  # the output's gradient is read in place of the output
        step = 3 * weights if position in flow.owners else 0
        return forward._replace(backward=backward, step=step)

    def _bytes(self, tensor: Tensor) -> int:
        return tensor_bytes(tensor, self.dtype, self.context.batch)

    def _values(self, shapes: dict[str, Shape], output: Tensor) -> int:
        """The bytes of parameters or buffers, which have the dtype of their layer's output."""
        return value_bytes(output.dtype, self.dtype) * int(sum(map(product, shapes.values())))
