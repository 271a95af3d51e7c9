"""The backward pass by its memory, as the engine of autograd runs it in one thread.

It begins with a gradient for each output, and takes the operations in the reverse of the order in which they ran: so
everything that read a result has been there before what made it. An operation makes the gradients of what it read, then
lets go of what it kept and of the gradient that it was given. A gradient that meets another one for the same value is
added to it, into a new tensor (PyTorch adds in place where it can, but not while a dispatch mode looks on).
"""

from archcalc.analysis.execution import Execution, Key, Operation
from archcalc.analysis.ledger import Thing

OUT_OF_ORDER = "PyTorch may copy its gradient, which does not lie in order before a permute or a sum"


class Backward:
    """The backward pass of what an execution has left."""

    def __init__(self, execution: Execution) -> None:
        self.execution, self.ledger = execution, execution.ledger
        self.gradients: dict[Key, Thing] = {}
        self.scattered: set[Key] = set()  # those whose gradient does not lie in order

    def run(self) -> None:
        """Run the backward passes of all operations that have a gradient."""
        operations = self.execution.operations
        self.ledger.restart()
        for operation in operations:
            self.ledger.hold(operation.thing)
        for edge in self.execution.graph.outputs:
            value = self.execution.values[edge]
            if value.maker is not None:
                self._deliver(value.maker, self.ledger.make(value.bytes), value.bytes)
                self.execution.note(operations[value.maker].position, "backward")
        for number in reversed(range(len(operations))):
            if number in self.gradients:
                self._run_operation(number, operations[number])

    def _run_operation(self, number: int, operation: Operation) -> None:
        gradient = self.gradients.pop(number)
        made = self._make_gradients(operation, gradient)
        self.ledger.empty(operation.thing)
        self.ledger.release(gradient)
        scattered = self._is_scattered(number, operation)
        for target, thing in zip(operation.targets, made, strict=True):
            self._deliver(target.key, thing, target.bytes)
            if scattered:
                self.scattered.add(target.key)
        self.execution.note(operation.position, "backward")

    def _make_gradients(self, operation: Operation, gradient: Thing) -> list[Thing]:
        """The gradients of what an operation read; those as large as its result are added up one after the other."""
        if operation.step.passes:
            made = [self.ledger.hold(gradient) for _ in operation.targets]
        else:
            whole = operation.result_bytes
            made = [
                self.ledger.make(whole if to.added_up else to.bytes, mark=is_weight(to.key)) for to in operation.targets
            ]
        more = operation.backward_bytes - sum(map(self.ledger.size, made))
        self.ledger.release(self.ledger.make(max(more, 0)))
        for place, target in enumerate(operation.targets):
            if target.added_up:
                large, made[place] = made[place], self.ledger.make(target.bytes, mark=is_weight(target.key))
                self.ledger.release(large)
        return made

    def _deliver(self, key: Key, gradient: Thing, size: int) -> None:
        """A gradient of so many bytes, which may be a part of a larger thing; a sum of two is a thing of its own."""
        old = self.gradients.get(key)
        if old is None:
            self.gradients[key] = gradient
        else:
            self.gradients[key] = self.ledger.make(size, mark=is_weight(key))
            self.ledger.release(old, gradient)

    def _is_scattered(self, number: int, operation: Operation) -> bool:
        """Whether the gradients that an operation makes may not lie in order."""
        step, given = operation.step, number in self.scattered
        if given and step.orders:
            self.execution.doubt(operation.position, OUT_OF_ORDER)
        if step.scatters or step.expands:
            return step.passes
        return given and not step.orders


def is_weight(key: Key) -> bool:
    """Whether a gradient is that of a parameter."""
    return not isinstance(key, int)
