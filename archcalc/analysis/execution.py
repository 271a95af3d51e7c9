"""A pass through a network by the memory alone: what is made, held and let go, operation by operation.

The layers run one after the other in the order of the graph, each as its `steps` say. A value is held until the last
layer that reads it is done, inputs and outputs of the network to the end. In training every operation through which a
gradient goes holds what its backward pass needs, and the operations that made what it read.
"""

from typing import Literal, NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.ledger import Ledger, Thing
from archcalc.analysis.traffic import tensor_bytes, value_bytes
from archcalc.layers.base import RESULT, Piece, Step, elements
from archcalc.numbers.bounds import Unknown

Pass = Literal["forward", "backward"]
Key = int | tuple[int, str]  # the result of an operation by its number, or a parameter by its layer and name

OUT_OF_ORDER = "PyTorch may copy what it reads, which does not lie in order behind a permute, slice or chunk"
IN_PLACE_ON_A_VIEW = "it works in place on a view, for which autograd copies gradients"


class Value(NamedTuple):
    """A tensor: what holds it, its memory, and the number of the operation that made it, if that needs a gradient.

    `bytes` are its own, whatever its memory has, `elements` those of a sample. `scattered` values do not lie in order.
    """

    thing: Thing
    storage: Thing
    maker: int | None
    bytes: int
    elements: int
    is_view: bool = False
    scattered: bool = False


class Target(NamedTuple):
    """What a gradient is for, and its bytes. It may be as large as the result first, and then be added up."""

    key: Key
    bytes: int
    added_up: bool


class Operation(NamedTuple):
    """An operation that ran, as its backward pass will need it. `backward_bytes` are alive in that at once at least."""

    thing: Thing
    step: Step
    position: int
    result_bytes: int
    backward_bytes: int
    targets: tuple[Target, ...]


class Execution:
    """The forward pass over a batch, and what it leaves for a backward pass.

    Of every layer: `outputs`, the bytes of its output; `saved`, what it keeps and no layer before keeps; `forward` and
    `backward`, the most that was alive while it ran. `peak` is the most of all, `peak_gradients` the part of it that is
    gradients of parameters, `peak_place` the layer and the pass. `doubts` says what cannot be derived, by the position
    of the layer; what is alive from there on is then a lower bound.
    """

    def __init__(self, analysed: AnalysedGraph, dtype: str | None, batch: int, training: bool) -> None:
        self.analysed, self.graph = analysed, analysed.graph
        self.dtype, self.batch, self.training = dtype, batch, training
        self.ledger = Ledger()
        self.values: dict[int, Value] = {}
        self.operations: list[Operation] = []
        self.kept = set[Thing]()
        self.doubts: dict[int, str] = {}
        self.outputs, self.saved, self.forward, self.backward = ([0] * len(self.graph.nodes) for _ in range(4))
        self.peak = self.peak_gradients = 0
        self.peak_place: tuple[int, Pass] = (0, "forward")

    def run(self) -> None:
        """Run all layers."""
        for edge, tensor in enumerate(self.graph.inputs.values()):
            size = tensor_bytes(tensor, self.dtype, self.batch)
            storage = self.ledger.make(size)
            self.values[edge] = Value(storage, storage, None, size, int(elements(tensor.shape)))
        self.peak = self.ledger.live
        spent = self._spent()
        for position in range(len(self.graph.nodes)):
            self._run_layer(position)
            for edge in spent.get(position, ()):
                self.ledger.release(self.values.pop(edge).thing)

    def _spent(self) -> dict[int, list[int]]:
        """For every layer the edges that nobody reads after it."""
        last = {self.analysed.edge(position): position for position in range(len(self.graph.nodes))}
        for position, node in enumerate(self.graph.nodes):
            last.update({edge: position for edge in node.sources if edge in last})
        spent: dict[int, list[int]] = {}
        for edge, position in last.items():
            if edge not in self.graph.outputs:
                spent.setdefault(position, []).append(edge)
        return spent

    def _run_layer(self, position: int) -> None:
        self.ledger.restart()
        layer, (inputs, _) = self.graph.nodes[position].layer, self.analysed.tensors_at(position)
        steps = layer.steps(inputs, self.training)
        if isinstance(steps, Unknown):
            self.doubt(position, steps.reason)
            steps = (Step((*range(len(inputs)), *layer.parameters(inputs))),)
        self.values[self.analysed.edge(position)] = _Layer(self, position, steps).run()
        self.note(position, "forward")

    def doubt(self, position: int, reason: str) -> None:
        """Something about a layer cannot be derived."""
        self.doubts.setdefault(position, reason)

    def note(self, position: int, which: Pass) -> None:
        """What was alive at most since the ledger's restart was so while a layer ran."""
        highest, rows = self.ledger.highest, self.forward if which == "forward" else self.backward
        rows[position] = max(rows[position], highest)
        if highest > self.peak:
            self.peak, self.peak_gradients, self.peak_place = highest, self.ledger.marked, (position, which)
        self.ledger.restart()


def piece_bytes(piece: Piece, own: str, dtype: str | None, batch: int) -> int:
    """The size of a piece of a layer whose output's dtype is `own`, or `dtype` in its place."""
    size = value_bytes(piece.dtype or own, dtype)
    return (batch if piece.per_sample else 1) * int(elements(piece.shape)) * (max(size, 4) if piece.wide else size)


class _Layer:
    """The forward pass of one layer."""

    def __init__(self, execution: Execution, position: int, steps: tuple[Step, ...]) -> None:
        self.execution, self.ledger, self.position, self.steps = execution, execution.ledger, position, steps
        node = execution.graph.nodes[position]
        inputs, self.output = execution.analysed.tensors_at(position)
        self.owner = position if node.owner is None else node.owner
        self.parameters = node.layer.parameters(inputs)
        self.trained = execution.training and execution.graph.nodes[self.owner].trainable
        self.values = [execution.values[source] for source in node.sources]  # then the results

    def run(self) -> Value:
        """Run all steps; returns what the last one gives."""
        first, last_step = len(self.values), len(self.steps) - 1
        last_use = {first + number: number for number in range(last_step)}
        for number, step in enumerate(self.steps):
            last_use.update({read: number for read in (*step.reads, *step.holds) if read in last_use})
        for number, step in enumerate(self.steps):
            if step.regroups and self.execution.batch == 1:
                step = step._replace(is_view=True, passes=True)  # noqa: PLW2901
            self.values.append(self._run_step(step))
            self.ledger.release(*(self.values[place].thing for place, last in last_use.items() if last == number))
        return self.values[-1]

    def _run_step(self, step: Step) -> Value:
        piece = step.gives or Piece(self.output.shape)
        size, count = self._bytes(piece), int(elements(piece.shape))
        reads = [self.values[source] for source in step.reads if isinstance(source, int)]
        scattered = any(value.scattered for value in reads)
        storage = self._storage(step, size, reads, scattered)
        beside = [self.ledger.make(self._bytes(piece)) for piece in step.beside]
        held, maker = [storage], None
        if self.execution.training and (operation := self._record(step, size, count, storage, beside)):
            maker = len(self.execution.operations)
            self.execution.operations.append(operation)
            held.append(operation.thing)
            if step.in_place and reads[0].is_view:
                self.execution.doubt(self.position, IN_PLACE_ON_A_VIEW)
        thing = self.ledger.make(0, held)
        self.ledger.release(*held, *beside)
        out_of_order = step.scatters or (scattered and not step.orders)
        return Value(thing, storage, maker, size, count, step.is_view, out_of_order)

    def _storage(self, step: Step, size: int, reads: list[Value], scattered: bool) -> Thing:
        """The memory of a result."""
        if scattered and step.orders:
            self.execution.doubt(self.position, OUT_OF_ORDER)
            if step.is_view:
                return self._view_or_copy(size, reads[0])
        if step.is_view or step.in_place:
            return self.ledger.hold(reads[0].storage)
        self.execution.outputs[self.position] = size
        return self.ledger.make(size)

    def _view_or_copy(self, size: int, value: Value) -> Thing:
        """The least of what either would take: a view keeps the whole that it is of, a copy is there beside it."""
        return self.ledger.make_remains(size, value.storage)

    def _record(self, step: Step, size: int, count: int, storage: Thing, beside: list[Thing]) -> Operation | None:
        """The operation with what its backward pass needs, if there is one."""
        targets = [self._target(step, source, count) for source in step.reads]
        found = tuple(target for target in targets if target)
        if not found:
            return None
        copies = [self.ledger.make(size)] if step.copies else []
        kept = [*beside, *copies]
        for number in step.kept([target is not None for target in targets]):
            value = None if number == RESULT else self.values[number]
            if value and value.scattered and step.orders:
                copies.append(self._view_or_copy(value.bytes, value))
                kept.append(copies[-1])
            else:
                kept.append(value.storage if value else storage)
        self._note_saved(kept)
        made = [size if target.added_up else target.bytes for target in found]
        unasked = [source for source, target in zip(step.reads, targets, strict=True) if not target]
        made += [size if step.broadcasts else self._read_bytes(source) for source in unasked if source in step.makes]
        makers = [self.execution.operations[target.key].thing for target in found if isinstance(target.key, int)]
        thing = self.ledger.make(0, [*kept, *makers])
        self.ledger.release(*copies)
        at_once = max(sum(map(self._bytes, step.backward)), sum(made))
        return Operation(thing, step, self.position, size, at_once, found)

    def _note_saved(self, kept: list[Thing]) -> None:
        new = {*kept} - self.execution.kept
        self.execution.saved[self.position] += sum(map(self.ledger.size, new))
        self.execution.kept |= new

    def _target(self, step: Step, source: int | str, result: int) -> Target | None:
        """Where the gradient of something read goes; None if it needs none."""
        if isinstance(source, int):
            value = self.values[source]
            added_up = step.broadcasts and value.elements != result
            return None if value.maker is None else Target(value.maker, value.bytes, added_up)
        if not self.trained or source not in self.parameters:
            return None
        return Target((self.owner, source), self._read_bytes(source), step.broadcasts)

    def _read_bytes(self, source: int | str) -> int:
        if isinstance(source, int):
            return self.values[source].bytes
        return self._bytes(Piece(self.parameters[source], per_sample=False))

    def _bytes(self, piece: Piece) -> int:
        return piece_bytes(piece, self.output.dtype, self.execution.dtype, self.execution.batch)
