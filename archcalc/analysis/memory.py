"""The memory of a network and its peak, at inference and in a training step.

`execution.py` and `backward.py` simulate allocation and release; this module adds weights, buffers and the optimizer's
state. The optimizer has its state already, as in every step but the first, and works in place, as fused optimizers do;
gradients of parameters are None before the step. Only storages of tensors count: workspaces of kernels, the allocator's
rounding and PyTorch itself come on top.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from msgspec import Struct, structs

from archcalc.analysis.backward import Backward
from archcalc.analysis.collapse import Collapsed, collapse
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.execution import Execution, Pass, spec_bytes
from archcalc.analysis.least_batch import check_batch
from archcalc.analysis.summary import TreeRow, nest_like
from archcalc.analysis.traffic import SIZES, value_bytes
from archcalc.analysis.training import follow_gradients
from archcalc.arithmetic import product
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Graph
from archcalc.layers.base import Shape, Tensor
from archcalc.numbers.bounds import (
    Amount,
    AtLeast,
    Cause,
    Causes,
    Lower,
    Unknown,
    at_least,
    gathered,
    highest,
    known,
    plus,
    reason_of,
    reason_text,
    total,
    value_text,
)
from archcalc.render.document import Document
from archcalc.render.result import Result

DTYPES = ("float32", "bfloat16", "float16", "float64", "int8")
# The number of values that an optimizer keeps for each trained parameter.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
COUNTED = ("adam", "adamw")  # optimizers that keep a step count for each parameter tensor
COUNT_BYTES = SIZES["float32"]


class LayerMemory(NamedTuple):
    """Bytes of one layer, or of a collapsed block.

    `output` is the size of its output (0 for a view), `saved` what it saves for its backward pass, without what an
    earlier layer saves already. `forward` and `backward` are the most bytes alive while it runs, including weights and
    values of other layers; `backward` is None without a backward pass. A lower bound is AtLeast.
    """

    name: str
    type: str
    output: int
    saved: Lower[int]
    forward: Lower[int]
    backward: Lower[int] | None

    @property
    def live(self) -> Lower[int]:
        """The most bytes alive while the layer runs."""
        return self.forward if self.backward is None else highest((self.forward, self.backward))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        sizes = {"saved": self.saved, "forward": self.forward, "backward": self.backward, "live": self.live}
        plain = {what: None if size is None else known(size) for what, size in sizes.items()}
        return {**self._asdict(), **plain, "lower_bound": isinstance(self.live, AtLeast)}


class Memory(Struct, Result, frozen=True, kw_only=True):
    """The memory of a network in bytes, and the place of its peak.

    `peak` is the sum of `weights`, `buffers`, `optimizer_state`, and the `gradients` (of parameters) and `activations`
    (all other tensors, including gradients of activations) alive at the peak. `peak_pass` is "forward" or "backward".
    `tree` has the rows of layers and of their blocks, if `nested` made it.
    If something cannot be derived, the peak is AtLeast with the causes, and its place is the place of that bound.
    """

    name: str
    batch: int
    dtype: str | None
    training: bool
    optimizer: str | None
    weights: int
    buffers: int
    gradients: int | Unknown
    optimizer_state: int
    activations: Amount
    peak: Lower[int]
    peak_layer: str
    peak_pass: Pass
    layers: tuple[LayerMemory, ...]
    inputs: dict[str, Shape]
    tree: tuple[TreeRow, ...] = ()

    def __repr__(self) -> str:
        return f"Memory({self.name!r}, {self.mode}, batch {self.batch}, peak {value_text(self.peak)} bytes)"

    @property
    def mode(self) -> str:
        """`inference`, `training`, or `training with adam`."""
        return f"training with {self.optimizer}" if self.optimizer else "training" if self.training else "inference"

    @property
    def fixed(self) -> int:
        """Bytes alive all the time: weights, buffers and the state of the optimizer."""
        return self.weights + self.buffers + self.optimizer_state

    def values_alive(self, row: LayerMemory) -> Lower[int]:
        """Bytes of values, and of gradients, alive at once at most while the layer of a row runs."""
        return plus(row.live, -self.fixed)

    def document(self) -> Document:
        """The memory as a document."""
        from archcalc.analysis.memory_document import memory_document

        return memory_document(self)

    def collapsed(self, graph: Graph, depth: int | None) -> "Memory":
        """The same with blocks collapsed below `depth`: a block's output, all it saves, and the most alive in it."""
        names = graph.edge_names
        before = {node.name: names[node.sources[0]] for node in graph.nodes}
        return structs.replace(
            self, layers=tuple(_sum_up(group, before) for group in collapse(self.layers, graph, depth))
        )

    def nested(self, graph: Graph, depth: int | None, tree: Sequence[TreeRow]) -> "Memory":
        """The same, collapsed below `depth`, with a `tree` of blocks and layers like the summary's of that depth."""
        own = nest_like(tree, lambda level: self.collapsed(graph, level).layers)
        return structs.replace(self.collapsed(graph, depth), tree=own)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `unknown` is the reason why the peak is a lower bound, or null."""
        sizes = {"gradients": self.gradients, "activations": self.activations, "peak": self.peak}
        return {
            **{key: value for key, value in structs.asdict(self).items() if key not in ("inputs", "tree")},
            **{what: known(size) for what, size in sizes.items()},
            "layers": [row.to_dict() for row in self.layers],
            "lower_bound": isinstance(self.peak, AtLeast),
            "unknown": reason_of(self.peak),
        }


def measure_memory(
    context: AnalysisContext,
    dtype: str | None = None,
    training: bool = False,
    optimizer: str | None = None,
    batch: int | None = None,
) -> Memory:
    """The memory of one pass over a batch, by default the network's own.

    `dtype` replaces the dtype of floating-point values. Raises UsageError for invalid options, and for a batch that
    PyTorch refuses to train.
    """
    check_options(dtype, training, optimizer)
    if batch is not None and (type(batch) is not int or batch < 1):
        raise UsageError(f"batch must be a whole number, 1 or more, and is {batch!r}")
    samples = context.batch if batch is None else batch
    if training:
        check_batch(context, samples, training)
    run = Execution(context, dtype, samples, training)
    run.run()
    if training:
        Backward(run).run()
    weights, trained, count = _parameter_bytes(context, dtype, training)
    state = OPTIMIZERS[optimizer] * trained + (optimizer in COUNTED) * COUNT_BYTES * count if optimizer else 0
    return _result(run, weights, _buffer_bytes(context, dtype), state, optimizer)


def check_options(dtype: str | None, training: bool, optimizer: str | None) -> None:
    """Raise UsageError for invalid options."""
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"no dtype of a network is called {quoted(dtype)}", did_you_mean(dtype, DTYPES))
    if optimizer is not None and optimizer not in OPTIMIZERS:
        raise UsageError(f"no optimizer is called {quoted(optimizer)}", did_you_mean(optimizer, OPTIMIZERS))
    if optimizer is not None and not training:
        raise UsageError("an optimizer works in training alone", "add --training (training=True), or leave it out")
    if training and dtype == "int8":
        raise UsageError("int8 is for inference: training needs gradients, which are floating-point")


def _owned(context: AnalysisContext) -> Iterator[tuple[int, Tensor]]:
    """The layers with weights of their own, and their outputs."""
    for position, node in enumerate(context.graph.nodes):
        if node.owner is None:
            yield position, context.tensors_at(position)[1]


def _parameter_bytes(context: AnalysisContext, dtype: str | None, training: bool) -> tuple[int, int, int]:
    """Bytes of all parameters and of the trained ones, and the number of trained tensors."""
    all_bytes = trained = count = 0
    gradients = follow_gradients(context).owners if training else frozenset()
    for position, output in _owned(context):
        found = context.parameters[position]
        size = value_bytes(output.dtype, dtype) * found.total
        all_bytes += size
        if position in gradients:
            trained, count = trained + size, count + len(found.shapes)
    return all_bytes, trained, count


def _buffer_bytes(context: AnalysisContext, dtype: str | None) -> int:
    """Bytes of all buffers and of modules' constant tensors; a buffer of a single value is an int64 counter."""
    total = 0
    for position, node in enumerate(context.graph.nodes):
        inputs, output = context.tensors_at(position)
        total += sum(spec_bytes(piece, output.dtype, dtype, 1) for piece in node.layer.constants(inputs))
    for position, output in _owned(context):
        for shape in context.parameters[position].buffer_shapes.values():
            total += product(shape) * value_bytes(output.dtype if shape else "int64", dtype)
    return total


def _result(run: Execution, weights: int, buffers: int, state: int, optimizer: str | None) -> Memory:
    fixed = weights + buffers + state
    position, which = run.peak_place
    names = [node.name for node in run.graph.nodes]
    rows = zip(run.graph.nodes, run.outputs, run.saved, run.forward, run.backward, strict=True)
    doubts = [(names[place], reason) for place, reason in run.doubts.items()]
    causes = gathered(Cause(reason, (name,)) for name, reason in (*run.unknown_inputs.items(), *doubts))
    # The sizes of this layer and all later ones are lower bounds.
    first = 0 if run.unknown_inputs else min(run.doubts, default=len(names))
    layers = tuple(
        LayerMemory(
            name=node.name,
            type=node.layer.type,
            output=output,
            saved=at_least(saved, causes if place >= first else ()),
            forward=at_least(fixed + forward, causes if place >= first else ()),
            backward=at_least(fixed + backward, causes) if backward else None,
        )
        for place, (node, output, saved, forward, backward) in enumerate(rows)
    )
    gradients, activations = _parts(run, causes)
    return Memory(
        name=run.graph.name,
        batch=run.batch,
        dtype=run.dtype,
        training=run.training,
        optimizer=optimizer,
        weights=weights,
        buffers=buffers,
        gradients=gradients,
        optimizer_state=state,
        activations=activations,
        peak=at_least(fixed + run.peak, causes),
        peak_layer=names[position] if names else next(iter(run.graph.inputs)),
        peak_pass=which,
        layers=layers,
        inputs={name: tensor.shape for name, tensor in run.graph.inputs.items()},
    )


def _parts(run: Execution, causes: Causes) -> tuple[int | Unknown, Amount]:
    """Gradients of parameters at the peak, and the rest that is alive there.

    In training they are unknown if the peak is a lower bound, because it may be elsewhere; at inference there are no
    gradients.
    """
    if causes and run.training:
        unknown = Unknown(reason_text(causes))
        return unknown, unknown
    return run.peak_gradients, at_least(run.peak - run.peak_gradients, causes)


def _sum_up(group: Collapsed[LayerMemory], before: dict[str, str]) -> LayerMemory:
    backward = [row.backward for row in group.rows if row.backward is not None]
    return LayerMemory(
        name=group.name,
        type=group.type,
        output=_output(group, before),
        saved=total((row.name, row.saved) for row in group.rows),
        forward=highest(row.forward for row in group.rows),
        backward=highest(backward) if backward else None,
    )


def _output(group: Collapsed[LayerMemory], before: dict[str, str]) -> int:
    """The bytes of a group's output. The output of a view, or of an in-place layer, has its first input's storage."""
    outputs = {row.name: row.output for row in group.rows}
    name = group.last.name
    while not outputs.get(name, 1):
        name = before[name]
    return outputs.get(name, 0)
