"""Simulates the memory of a forward pass: allocation and release of storages, operation by operation.

The layers run in the order of the graph, each by its kernels. A value is held until the last layer that reads it has
run; inputs and outputs of the network are held to the end. In training, every operation with a gradient holds the
tensors that its backward pass needs, and the operations that made its operands.
"""

from collections import defaultdict
from typing import Literal, NamedTuple

from msgspec import structs

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.storage_tracker import Storage, StorageTracker
from archcalc.analysis.strides import (
    StridedShape,
    Strides,
    contiguous,
    is_contiguous,
    permuted,
    regrouped,
    result_strides,
)
from archcalc.analysis.traffic import tensor_bytes, value_bytes
from archcalc.arithmetic import product
from archcalc.layers.base import RESULT, KernelOp, KernelOps, Shape, TensorSpec, elements
from archcalc.numbers.bounds import Unknown

Pass = Literal["forward", "backward"]
Key = int | tuple[int, str]  # the number of an operation, for its result, or a parameter's layer and name

UNKNOWN_STRIDES = "PyTorch may copy its input, since devices differ in the strides behind a permute"
IN_PLACE_ON_A_VIEW = "it works in place on a view, for which autograd copies gradients"


class Value(NamedTuple):
    """A tensor in the simulation.

    `handle` keeps it alive, `storage` is its memory, and `maker` is the number of the operation that made it, if that
    needs a gradient. `bytes` is its own size, not its storage's; `shape` begins with the batch; `strides` are None if
    devices differ.
    """

    handle: Storage
    storage: Storage
    maker: int | None
    bytes: int
    shape: Shape
    strides: Strides
    is_view: bool = False

    @property
    def strided(self) -> StridedShape:
        """Its shape and strides."""
        return self.shape, self.strides


class Target(NamedTuple):
    """The operand that a gradient belongs to, and the gradient's bytes.

    With `reduced` the gradient has the size of the operation's result at first, and is then reduced. `strided` is the
    operand's shape and strides; None for a parameter.
    """

    key: Key
    bytes: int
    reduced: bool
    strided: StridedShape | None = None


class Operation(NamedTuple):
    """An operation that ran, as its backward pass needs it. `backward_bytes` are the least bytes alive in that."""

    handle: Storage
    op: KernelOp
    position: int
    result_bytes: int
    result: StridedShape
    backward_bytes: int
    targets: tuple[Target, ...]


class View(NamedTuple):
    """The strides of a reshaped tensor, and whether it is a copy."""

    strides: Strides
    is_copy: bool = False


def view_of(op: KernelOp, read: StridedShape, shape: Shape) -> View | None:
    """The view that a kernel returns, or a copy instead; None if devices differ."""
    _, strides = read
    if op.layout == "permuted":
        return View(permuted(strides, op.order))
    if op.layout == "same":
        return View(strides)
    if op.layout == "ordered":
        return _made_contiguous(read)
    return regroup(read, shape)


def _made_contiguous(read: StridedShape) -> View | None:
    shape, strides = read
    if strides is None:
        return None
    return View(strides) if is_contiguous(shape, strides) else View(contiguous(shape), is_copy=True)


def regroup(read: StridedShape, shape: Shape) -> View | None:
    """A tensor in another shape; None if its strides are unknown."""
    before, strides = read
    if strides is None:
        return None
    found = regrouped(before, strides, shape)
    return View(contiguous(shape), is_copy=True) if found is None else View(found)


class Execution:
    """The forward pass over a batch; `Backward` continues it.

    All sizes are in bytes. For every layer, `outputs` has the size of its output; `saved` the size of storages that no
    earlier layer saves; `forward` and `backward` the most bytes alive while it runs. `peak` is the maximum, of which
    `peak_gradients` are gradients of parameters, and `peak_place` is its layer and pass. `doubts` has a reason for
    every layer, by position, with a size that cannot be derived; sizes from that layer on are lower bounds.
    """

    def __init__(self, context: AnalysisContext, dtype: str | None, batch: int, training: bool) -> None:
        self.context, self.graph = context, context.graph
        self.dtype, self.batch, self.training = dtype, batch, training
        self.tracker = StorageTracker()
        self.values: dict[int, Value] = {}
        self.operations: list[Operation] = []
        self.saved_storages = set[Storage]()
        self.doubts: dict[int, str] = {}
        self.outputs, self.saved, self.forward, self.backward = ([0] * len(self.graph.nodes) for _ in range(4))
        self.peak = self.peak_gradients = 0
        self.peak_place: tuple[int, Pass] = (0, "forward")

    def run(self) -> None:
        """Run all layers."""
        for edge, tensor in enumerate(self.graph.inputs.values()):
            size = tensor_bytes(tensor, self.dtype, self.batch)
            storage = self.tracker.make(size)
            shape = (self.batch, *tensor.shape)
            self.values[edge] = Value(
                handle=storage, storage=storage, maker=None, bytes=size, shape=shape, strides=contiguous(shape)
            )
        self.peak = self.tracker.live
        spent = self._spent()
        for position in range(len(self.graph.nodes)):
            self._run_layer(position)
            for edge in spent.get(position, ()):
                self.tracker.release(self.values.pop(edge).handle)

    @property
    def unknown_inputs(self) -> dict[str, str]:
        """The inputs of unknown size, with the reasons."""
        found = {name: tensor.nonzeros for name, tensor in self.graph.inputs.items()}
        return {name: nonzeros.reason for name, nonzeros in found.items() if isinstance(nonzeros, Unknown)}

    def _spent(self) -> dict[int, list[int]]:
        """The edges that no layer reads after a layer, by its position."""
        last = {self.context.graph.edge(position): position for position in range(len(self.graph.nodes))}
        for position, node in enumerate(self.graph.nodes):
            last.update({edge: position for edge in node.sources if edge in last})
        spent: dict[int, list[int]] = {}
        for edge, position in last.items():
            if edge not in self.graph.outputs:
                spent.setdefault(position, []).append(edge)
        return spent

    def _run_layer(self, position: int) -> None:
        self.tracker.restart()
        self.values[self.context.graph.edge(position)] = _Layer(self, position, self._ops(position)).run()
        self.note(position, "forward")

    def _ops(self, position: int) -> KernelOps:
        node, inferred = self.graph.nodes[position], self.context.layer_at(position)
        first = self.values[node.sources[0]]
        if is_contiguous(*first.strided):
            return inferred.ops(self.training)
        owner = self.graph.nodes[position if node.owner is None else node.owner]
        others = node.layer.strided_ops(inferred.inputs, first.strides, owner.trainable)
        return inferred.ops(self.training) if others is None else others

    def doubt(self, position: int, reason: str) -> None:
        """Record that a size of a layer cannot be derived."""
        self.doubts.setdefault(position, reason)

    def note(self, position: int, which: Pass) -> None:
        """Record the most bytes alive since the tracker's restart as those of a layer."""
        highest, rows = self.tracker.highest, self.forward if which == "forward" else self.backward
        rows[position] = max(rows[position], highest)
        if highest > self.peak:
            self.peak, self.peak_gradients, self.peak_place = highest, self.tracker.marked, (position, which)
        self.tracker.restart()


def spec_bytes(spec: TensorSpec, own: str, dtype: str | None, batch: int) -> int:
    """The bytes of a tensor of a layer with output dtype `own`; `dtype` replaces a floating-point dtype."""
    size = value_bytes(spec.dtype or own, dtype)
    return (batch if spec.per_sample else 1) * int(elements(spec.shape)) * (max(size, 4) if spec.wide else size)


class _Layer:
    """The forward pass of one layer."""

    def __init__(self, execution: Execution, position: int, ops: tuple[KernelOp, ...]) -> None:
        self.execution, self.tracker, self.position, self.ops = execution, execution.tracker, position, ops
        node = execution.graph.nodes[position]
        inferred = execution.context.layer_at(position)
        self.owner = position if node.owner is None else node.owner
        self.output, self.parameters = inferred.output, inferred.parameters
        self.trained = execution.training and execution.graph.nodes[self.owner].trainable
        self.values = [execution.values[source] for source in node.sources]  # inputs, then results of kernels

    def run(self) -> Value:
        """Run all kernels and return the result of the last one."""
        if not self.ops:
            self.tracker.hold(self.values[0].handle)
            return self.values[0]
        first, last_step = len(self.values), len(self.ops) - 1
        last_use = {first + number: number for number in range(last_step)}
        for number, op in enumerate(self.ops):
            last_use.update({read: number for read in (*op.operands, *op.keep_alive) if read in last_use})
        last_used = defaultdict[int, list[int]](list)
        for place, last in last_use.items():
            last_used[last].append(place)
        for number, op in enumerate(self.ops):
            if op.folds_batch and self.execution.batch == 1:
                op = structs.replace(op, is_view=True, grad_alias=True)  # noqa: PLW2901
            self.values.append(self._run_op(op))
            self.tracker.release(*[self.values[place].handle for place in last_used[number]])
        return self.values[-1]

    def _run_op(self, op: KernelOp) -> Value:
        spec = op.output or TensorSpec(self.output.shape)
        size, shape = self._bytes(spec), spec.whole_shape(self.execution.batch)
        operands = [self.values[source] for source in op.operands if isinstance(source, int)]
        storage, strides, is_view = self._place(op, size, shape, operands)
        saved_extra = [self.tracker.make(self._bytes(spec)) for spec in op.saved_extra]
        if op.unclear:
            self.execution.doubt(self.position, op.unclear)
        held, maker = [storage], None
        if self.execution.training and (operation := self._record(op, size, (shape, strides), storage, saved_extra)):
            maker = len(self.execution.operations)
            self.execution.operations.append(operation)
            held.append(operation.handle)
            if op.in_place and operands[0].is_view:
                self.execution.doubt(self.position, IN_PLACE_ON_A_VIEW)
        if is_view and storage == operands[0].storage:
            held.append(self.tracker.hold(operands[0].handle))  # autograd keeps the base of a view
        # An in-place kernel returns its operand, which then also holds the kernel's operation.
        handle = self.tracker.add(operands[0].handle, held) if op.in_place else self.tracker.make(0, held)
        self.tracker.release(*held, *saved_extra)
        return Value(
            handle=handle, storage=storage, maker=maker, bytes=size, shape=shape, strides=strides, is_view=is_view
        )

    def _place(self, op: KernelOp, size: int, shape: Shape, operands: list[Value]) -> tuple[Storage, Strides, bool]:
        """The storage and strides of a result, and whether autograd treats it as a view."""
        if op.in_place:
            return self.tracker.hold(operands[0].storage), operands[0].strides, False
        if not op.is_view:
            self.execution.outputs[self.position] = size
            strides = result_strides(op.layout, shape, tuple(value.strided for value in operands))
            return self.tracker.make(size), strides, False
        found = view_of(op, operands[0].strided, shape)
        if found is None:  # the least of both: a view keeps the whole storage, a copy takes its own
            self.execution.doubt(self.position, UNKNOWN_STRIDES)
            self.execution.saved_storages.add(operands[0].storage)  # a view would be saved by this storage
            return self.tracker.make_deferred(size, operands[0].storage), None, op.layout != "refolded"
        if found.is_copy:
            self.execution.outputs[self.position] = size
            return self.tracker.make(size), found.strides, False
        return self.tracker.hold(operands[0].storage), found.strides, op.layout != "refolded"

    def _record(
        self, op: KernelOp, size: int, result: StridedShape, storage: Storage, saved_extra: list[Storage]
    ) -> Operation | None:
        """The operation with the tensors that its backward pass needs; None if it has no backward pass."""
        targets = [self._target(op, source, result[0]) for source in op.operands]
        found = tuple(target for target in targets if target)
        if not found:
            return None
        copies = [self.tracker.make(size)] if op.copies else []
        numbers = op.saved_operands([target is not None for target in targets])
        read = [self.values[number] for number in numbers if number != RESULT]
        saved = [*saved_extra, *copies, *([storage] if RESULT in numbers else [])]
        self._note_saved([*saved, *(value.storage for value in read)])
        if op.unclear:  # it may save all of these, so that no later layer is the first to save them
            touched = [self.values[source].storage for source in op.operands if isinstance(source, int)]
            self.execution.saved_storages |= {storage, *touched}
        saved += [value.handle for value in read]  # tensors, with the operations that made them
        made = [size if target.reduced else target.bytes for target in found]
        others = [source for source, target in zip(op.operands, targets, strict=True) if not target]
        made += [size if op.broadcasts else self._read_bytes(source) for source in others if source in op.always_grad]
        makers = [self.execution.operations[target.key].handle for target in found if isinstance(target.key, int)]
        handle = self.tracker.make(0, [*saved, *makers])
        self.tracker.release(*copies)
        at_once = max(sum(map(self._bytes, op.backward)), 0 if op.grad_alias else sum(made))
        return Operation(
            handle=handle,
            op=op,
            position=self.position,
            result_bytes=size,
            result=result,
            backward_bytes=at_once,
            targets=found,
        )

    def _note_saved(self, saved: list[Storage]) -> None:
        new = {*saved} - self.execution.saved_storages
        self.execution.saved[self.position] += sum(map(self.tracker.size, new))
        self.execution.saved_storages |= new

    def _target(self, op: KernelOp, source: int | str, result: Shape) -> Target | None:
        """The target of an operand's gradient; None if the operand needs no gradient."""
        if isinstance(source, int):
            value = self.values[source]
            reduced = op.broadcasts and product(value.shape) != product(result)
            return None if value.maker is None else Target(value.maker, value.bytes, reduced, value.strided)
        if not self.trained or source not in self.parameters:
            return None
        # A weight whose gradient aliases the result's has fewer axes; PyTorch sums over the others, even of size 1.
        reduced = op.broadcasts and (op.grad_alias or product(self.parameters[source]) != product(result))
        return Target((self.owner, source), self._read_bytes(source), reduced)

    def _read_bytes(self, source: int | str) -> int:
        if isinstance(source, int):
            return self.values[source].bytes
        return self._bytes(TensorSpec(self.parameters[source], per_sample=False))

    def _bytes(self, spec: TensorSpec) -> int:
        return spec_bytes(spec, self.output.dtype, self.execution.dtype, self.execution.batch)
