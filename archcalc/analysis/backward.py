"""Simulates the memory of the backward pass, as the autograd engine runs it in one thread.

It begins with a gradient for each output and runs the operations in reverse order, so consumers run before producers.
An operation allocates the gradients of its operands, then releases its saved tensors and its output's gradient. Two
gradients of the same value are added into a new tensor (PyTorch adds in place where it can, but not under a dispatch
mode).
"""

from typing import NamedTuple

from archcalc.analysis.execution import Execution, Key, Operation, Target, regroup
from archcalc.analysis.storage_tracker import Storage
from archcalc.analysis.strides import (
    StridedShape,
    Strides,
    contiguous,
    elementwise,
    inverse,
    is_contiguous,
    permuted,
    regrouped,
)
from archcalc.analysis.strides import gradient as gradient_strides
from archcalc.layers.base import KernelOp

UNKNOWN_STRIDES = "PyTorch may copy its gradient, since devices differ in the strides of gradients behind a permute"


class Gradient(NamedTuple):
    """The storage and strides of a gradient."""

    handle: Storage
    strides: Strides


class Backward:
    """The backward pass of an execution, which it continues."""

    def __init__(self, execution: Execution) -> None:
        self.execution, self.tracker = execution, execution.tracker
        self.gradients: dict[Key, Gradient] = {}

    def run(self) -> None:
        """Run the backward passes of all operations whose output has a gradient."""
        operations = self.execution.operations
        self.tracker.restart()
        for operation in operations:
            self.tracker.hold(operation.handle)
        outputs = [self.execution.values[edge] for edge in self.execution.graph.outputs]
        trained = [(value.maker, value) for value in outputs if value.maker is not None]
        grad_output = [Gradient(self.tracker.make(value.bytes), contiguous(value.shape)) for _, value in trained]
        for (maker, value), gradient in zip(trained, grad_output, strict=True):
            self._deliver(Target(maker, value.bytes, reduced=False, strided=value.strided), gradient)
            self.execution.note(operations[maker].position, "backward")
        for number in reversed(range(len(operations))):
            if number in self.gradients:
                self._run_operation(operations[number], self.gradients.pop(number))

    def _run_operation(self, operation: Operation, grad_output: Gradient) -> None:
        if operation.op.unclear:
            self._run_unclear(operation, grad_output)
            return
        made = [*self._make_gradients(operation, grad_output)]
        self.tracker.empty(operation.handle)
        self.tracker.release(grad_output.handle)
        for target, gradient in _delivery_order(operation.op, [*zip(operation.targets, made, strict=True)]):
            self._deliver(target, gradient)
        self.execution.note(operation.position, "backward")

    def _run_unclear(self, operation: Operation, grad_output: Gradient) -> None:
        """Run an unclear operation with the least memory: release first, and deliver each gradient before the next."""
        self.tracker.empty(operation.handle)
        self.tracker.release(grad_output.handle)
        for target in reversed(operation.targets):
            self._deliver(target, self._make(operation, target, grad_output.strides))
        self.execution.note(operation.position, "backward")

    def _make_gradients(self, operation: Operation, grad_output: Gradient) -> list[Gradient]:
        """Allocate the gradients of the operands; those that must be reduced have the size of the result at first."""
        if operation.op.grad_alias:
            made = [self._pass_on(operation, target, grad_output) for target in operation.targets]
        else:
            made = [self._make(operation, target, grad_output.strides) for target in operation.targets]
        more = operation.backward_bytes - sum(self.tracker.size(one.handle) for one in made)
        self.tracker.release(self.tracker.make(max(more, 0)))
        for place, target in enumerate(operation.targets):
            if target.reduced:
                large = made[place].handle
                strides = self._reduced_strides(operation, target, grad_output.strides)
                made[place] = Gradient(self.tracker.make(target.bytes, mark=is_weight(target.key)), strides)
                self.tracker.release(large)
        return made

    def _make(self, operation: Operation, target: Target, grad_strides: Strides) -> Gradient:
        """A gradient with a storage of its own."""
        size = operation.result_bytes if target.reduced else target.bytes
        handle = self.tracker.make(size, mark=is_weight(target.key))
        return Gradient(handle, _own_strides(operation, target, grad_strides))

    def _pass_on(self, operation: Operation, target: Target, grad_output: Gradient) -> Gradient:
        """A gradient that aliases the output's gradient, or a copy of it if no view has the shape of the target."""
        op, (shape, _) = operation.op, operation.result
        if target.strided is None or not op.is_view or op.layout in ("same", "ordered"):
            strides = _passed_strides(operation, target, grad_output.strides)
            return Gradient(self.tracker.hold(grad_output.handle), strides)
        if op.layout == "permuted":
            return Gradient(self.tracker.hold(grad_output.handle), permuted(grad_output.strides, inverse(op.order)))
        found = regroup((shape, grad_output.strides), target.strided[0])
        if found is None:
            self.execution.doubt(operation.position, UNKNOWN_STRIDES)
            return Gradient(self.tracker.make_deferred(target.bytes, grad_output.handle), None)
        handle = self.tracker.make(target.bytes) if found.is_copy else self.tracker.hold(grad_output.handle)
        return Gradient(handle, found.strides)

    def _reduced_strides(self, operation: Operation, target: Target, grad_strides: Strides) -> Strides:
        ordered = target.strided and is_contiguous(operation.result[0], grad_strides) and is_contiguous(*target.strided)
        return contiguous(target.strided[0]) if target.strided and ordered else None

    def _deliver(self, target: Target, gradient: Gradient) -> None:
        """Accumulate a gradient: the first is kept, and a second is added into a new storage."""
        old = self.gradients.get(target.key)
        if old is None:
            self.gradients[target.key] = gradient
            return
        shape = target.strided[0] if target.strided else ()
        strides = elementwise(shape, ((shape, old.strides), (shape, gradient.strides))) if shape else None
        self.gradients[target.key] = Gradient(self.tracker.make(target.bytes, mark=is_weight(target.key)), strides)
        self.tracker.release(old.handle, gradient.handle)


def _delivery_order(op: KernelOp, pairs: list[tuple[Target, Gradient]]) -> list[tuple[Target, Gradient]]:
    """The order of the operands, reversed if inputs broadcast: expanding an input is an operation of its own."""
    views = op.broadcasts and not op.in_place and all(isinstance(read, int) for read in op.operands)
    return pairs[::-1] if views else pairs


def _own_strides(operation: Operation, target: Target, grad_strides: Strides) -> Strides:
    """The strides of a gradient that an operation allocates: contiguous behind a slice, else those of its kernel."""
    op = operation.op
    if target.strided is None:
        return None
    if op.is_view:  # a slice or a chunk, with zeros around
        return contiguous(target.strided[0])
    if op.multiplies and any(isinstance(read, str) for read in op.operands[-2:]):
        return _of_matrix(target.strided)
    ordered = is_contiguous(operation.result[0], grad_strides) and all(
        other.strided is None or is_contiguous(*other.strided) for other in operation.targets
    )
    if op.multiplies and len(operation.targets) > 1 and not ordered:
        return None
    return gradient_strides(op.layout, target.strided, grad_strides, operation.result)


def _of_matrix(read: StridedShape) -> Strides:
    """The strides of the gradient of a matrix that weights multiply: column-major if the matrix is, else row-major."""
    shape, strides = read
    if strides is None:
        return None
    by_columns = len(shape) == 2 and strides == (1, shape[0])
    return strides if by_columns else contiguous(shape)


def _passed_strides(operation: Operation, target: Target, grad_strides: Strides) -> Strides:
    """The strides of an aliased gradient: expanded along an axis, or without axes that broadcasting added."""
    expands, (shape, _) = operation.op.expands, operation.result
    if grad_strides is None or target.strided is None:
        return grad_strides
    if expands is not None:
        return (*grad_strides[:expands], 0, *grad_strides[expands:])
    return grad_strides if len(shape) == len(target.strided[0]) else regrouped(shape, grad_strides, target.strided[0])


def is_weight(key: Key) -> bool:
    """Whether a gradient belongs to a parameter."""
    return not isinstance(key, int)
