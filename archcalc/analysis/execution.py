"""A pass through a network by the memory alone: what is made, held and let go, operation by operation.

The layers run one after the other in the order of the graph, each as its `ops` say. A value is held until the last
layer that reads it is done, inputs and outputs of the network to the end. In training every operation through which a
gradient goes holds what its backward pass needs, and the operations that made what it read.
"""

from collections import defaultdict
from typing import Literal, NamedTuple

from msgspec import structs

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.storage_tracker import Storage, StorageTracker
from archcalc.analysis.strides import (
    Laid,
    Strides,
    in_order,
    is_in_order,
    laid_out,
    permuted,
    regrouped,
)
from archcalc.analysis.traffic import tensor_bytes, value_bytes
from archcalc.arithmetic import product
from archcalc.layers.base import RESULT, KernelOp, KernelOps, Shape, TensorSpec, elements
from archcalc.numbers.bounds import Unknown

Pass = Literal["forward", "backward"]
Key = int | tuple[int, str]  # the result of an operation by its number, or a parameter by its layer and name

OUT_OF_ORDER = "PyTorch may copy what it reads, since devices differ in how values lie behind a permute"
IN_PLACE_ON_A_VIEW = "it works in place on a view, for which autograd copies gradients"


class Value(NamedTuple):
    """A tensor: what holds it, its memory, and the number of the operation that made it, if that needs a gradient.

    `bytes` are its own, whatever its memory has; `shape` begins with the batch; `strides` are None where devices
    differ.
    """

    handle: Storage
    storage: Storage
    maker: int | None
    bytes: int
    shape: Shape
    strides: Strides
    is_view: bool = False

    @property
    def laid(self) -> Laid:
        """How its values lie."""
        return self.shape, self.strides


class Target(NamedTuple):
    """What a gradient is for, and its bytes. It may be as large as the result first, and then be added up.

    `laid` says how the values lie that it is the gradient of; None for a parameter.
    """

    key: Key
    bytes: int
    added_up: bool
    laid: Laid | None = None


class Operation(NamedTuple):
    """An operation that ran, as its backward pass will need it. `backward_bytes` are alive in that at once at least."""

    handle: Storage
    op: KernelOp
    position: int
    result_bytes: int
    result: Laid
    backward_bytes: int
    targets: tuple[Target, ...]


class View(NamedTuple):
    """What becomes of values that get other axes: strides, and whether they are copied for that."""

    strides: Strides
    is_copy: bool = False


def view_of(op: KernelOp, read: Laid, shape: Shape) -> View | None:
    """The view that a step gives, or the copy in its place; None where devices differ in that."""
    _, strides = read
    if op.layout == "permuted":
        return View(permuted(strides, op.order))
    if op.layout == "same":
        return View(strides)
    if op.layout == "ordered":
        return _put_in_order(read)
    return regroup(read, shape)


def _put_in_order(read: Laid) -> View | None:
    shape, strides = read
    if strides is None:
        return None
    return View(strides) if is_in_order(shape, strides) else View(in_order(shape), is_copy=True)


def regroup(read: Laid, shape: Shape) -> View | None:
    """The same values with other axes; None if it is not known how they lie."""
    before, strides = read
    if strides is None:
        return None
    found = regrouped(before, strides, shape)
    return View(in_order(shape), is_copy=True) if found is None else View(found)


class Execution:
    """The forward pass over a batch, and what it leaves for a backward pass.

    Of every layer: `outputs`, the bytes of its output; `saved`, what it keeps and no layer before keeps; `forward` and
    `backward`, the most that was alive while it ran. `peak` is the most of all, `peak_gradients` the part of it that is
    gradients of parameters, `peak_place` the layer and the pass. `doubts` says what cannot be derived, by the position
    of the layer; what is alive from there on is then a lower bound.
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
                handle=storage, storage=storage, maker=None, bytes=size, shape=shape, strides=in_order(shape)
            )
        self.peak = self.tracker.live
        spent = self._spent()
        for position in range(len(self.graph.nodes)):
            self._run_layer(position)
            for edge in spent.get(position, ()):
                self.tracker.release(self.values.pop(edge).handle)

    @property
    def unknown_inputs(self) -> dict[str, str]:
        """Inputs whose size is not known, which are there from the start, and why."""
        found = {name: tensor.nonzeros for name, tensor in self.graph.inputs.items()}
        return {name: nonzeros.reason for name, nonzeros in found.items() if isinstance(nonzeros, Unknown)}

    def _spent(self) -> dict[int, list[int]]:
        """For every layer the edges that nobody reads after it."""
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
        if is_in_order(*first.laid):
            return inferred.ops(self.training)
        owner = self.graph.nodes[position if node.owner is None else node.owner]
        others = node.layer.strided_ops(inferred.inputs, first.strides, owner.trainable)
        return inferred.ops(self.training) if others is None else others

    def doubt(self, position: int, reason: str) -> None:
        """Something about a layer cannot be derived."""
        self.doubts.setdefault(position, reason)

    def note(self, position: int, which: Pass) -> None:
        """What was alive at most since the tracker's restart was so while a layer ran."""
        highest, rows = self.tracker.highest, self.forward if which == "forward" else self.backward
        rows[position] = max(rows[position], highest)
        if highest > self.peak:
            self.peak, self.peak_gradients, self.peak_place = highest, self.tracker.marked, (position, which)
        self.tracker.restart()


def spec_bytes(spec: TensorSpec, own: str, dtype: str | None, batch: int) -> int:
    """The size of a piece of a layer whose output's dtype is `own`, or `dtype` in its place."""
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
        self.values = [execution.values[source] for source in node.sources]  # then the results

    def run(self) -> Value:
        """Run all steps; returns what the last one gives."""
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
            held.append(self.tracker.hold(operands[0].handle))  # autograd knows what it is a view of
        # What works in place gives the tensor that it read, which from now on holds what made it.
        handle = self.tracker.add(operands[0].handle, held) if op.in_place else self.tracker.make(0, held)
        self.tracker.release(*held, *saved_extra)
        return Value(
            handle=handle, storage=storage, maker=maker, bytes=size, shape=shape, strides=strides, is_view=is_view
        )

    def _place(self, op: KernelOp, size: int, shape: Shape, operands: list[Value]) -> tuple[Storage, Strides, bool]:
        """The memory of a result, how it lies there, and whether autograd knows it as a view."""
        if op.in_place:
            return self.tracker.hold(operands[0].storage), operands[0].strides, False
        if not op.is_view:
            self.execution.outputs[self.position] = size
            return self.tracker.make(size), laid_out(op.layout, shape, tuple(value.laid for value in operands)), False
        found = view_of(op, operands[0].laid, shape)
        if found is None:  # the least of what either would take: a view keeps the whole, a copy is there beside it
            self.execution.doubt(self.position, OUT_OF_ORDER)
            self.execution.saved_storages.add(operands[0].storage)  # if it is a view that is kept
            return self.tracker.make_remains(size, operands[0].storage), None, op.layout != "refolded"
        if found.is_copy:
            self.execution.outputs[self.position] = size
            return self.tracker.make(size), found.strides, False
        return self.tracker.hold(operands[0].storage), found.strides, op.layout != "refolded"

    def _record(
        self, op: KernelOp, size: int, result: Laid, storage: Storage, saved_extra: list[Storage]
    ) -> Operation | None:
        """The operation with what its backward pass needs, if there is one."""
        targets = [self._target(op, source, result[0]) for source in op.operands]
        found = tuple(target for target in targets if target)
        if not found:
            return None
        copies = [self.tracker.make(size)] if op.copies else []
        numbers = op.saved_operands([target is not None for target in targets])
        read = [self.values[number] for number in numbers if number != RESULT]
        saved = [*saved_extra, *copies, *([storage] if RESULT in numbers else [])]
        self._note_saved([*saved, *(value.storage for value in read)])
        if op.unclear:  # it may keep all that it reads and gives, and nobody keeps that for the first time
            touched = [self.values[source].storage for source in op.operands if isinstance(source, int)]
            self.execution.saved_storages |= {storage, *touched}
        saved += [value.handle for value in read]  # tensors, with what made them
        made = [size if target.added_up else target.bytes for target in found]
        unasked = [source for source, target in zip(op.operands, targets, strict=True) if not target]
        made += [size if op.broadcasts else self._read_bytes(source) for source in unasked if source in op.always_grad]
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
        """Where the gradient of something read goes; None if it needs none."""
        if isinstance(source, int):
            value = self.values[source]
            added_up = op.broadcasts and product(value.shape) != product(result)
            return None if value.maker is None else Target(value.maker, value.bytes, added_up, value.laid)
        if not self.trained or source not in self.parameters:
            return None
        # A weight that is passed a gradient has fewer axes, over which PyTorch sums even if they have one position.
        added_up = op.broadcasts and (op.grad_alias or product(self.parameters[source]) != product(result))
        return Target((self.owner, source), self._read_bytes(source), added_up)

    def _read_bytes(self, source: int | str) -> int:
        if isinstance(source, int):
            return self.values[source].bytes
        return self._bytes(TensorSpec(self.parameters[source], per_sample=False))

    def _bytes(self, spec: TensorSpec) -> int:
        return spec_bytes(spec, self.output.dtype, self.execution.dtype, self.execution.batch)
