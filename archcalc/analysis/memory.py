"""How much memory a network takes: what is alive at once when it runs layer by layer, in the order of the graph.

A value lives until the last layer that reads it is done; inputs and outputs of the network live on, since the caller
holds them. In training a layer keeps what its backward pass needs. Autograd then runs the backward passes in reverse
order: each gets the gradient of its result, makes those of what it read, and lets go of what it kept. What a layer
makes and keeps it says itself (`Layer.steps`); here is what follows from that for the whole graph.

The backward pass begins with a gradient for each output. Gradients of parameters were None before, and the optimizer
has its state already, as in every step but the first; its step works in place. Where a value has several gradients,
they are added into a new one (PyTorch adds in place where it can, but not while a dispatch mode looks on). Counted are
tensors: workspaces of kernels, what an allocator rounds up, and PyTorch itself come on top.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.ledger import Ledger, Thing
from archcalc.analysis.traffic import SIZES, tensor_bytes, value_bytes
from archcalc.analysis.training import follow_gradients
from archcalc.arithmetic import product
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.layers.base import RESULT, Piece, Step, Tensor, Unknown, elements

DTYPES = ("float32", "bfloat16", "float16", "float64", "int8")
# How many values an optimizer keeps for each trained one.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
COUNTED = ("adam", "adamw")  # these keep, for each parameter, a count of its steps
COUNT_BYTES = SIZES["float32"]


IN_PLACE_ON_A_VIEW = "it works in place on a view, for which autograd copies gradients"
OUT_OF_ORDER = "PyTorch may copy what it reads, which does not lie in order behind a permute, slice or chunk"
GRADIENT_OUT_OF_ORDER = "PyTorch may copy its gradient, which does not lie in order before a permute or a sum"


class LayerMemory(NamedTuple):
    """Bytes of one layer, or of a block that stands for the layers in it.

    `output` is what its output takes (0 for a view), `saved` what it keeps for its backward pass and no layer before
    keeps already. `forward` and `backward` are all bytes alive at once at most while it runs, the weights and the
    values of other layers among them; `backward` is None where there is no backward pass.
    """

    name: str
    type: str
    output: int
    saved: int
    forward: int
    backward: int | None

    @property
    def live(self) -> int:
        """Bytes alive at once at most while the layer runs."""
        return max(self.forward, self.backward or 0)

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {**self._asdict(), "live": self.live}


class Memory(NamedTuple):
    """The memory of a network in bytes, and where it takes most.

    `peak` is `weights`, `buffers`, `optimizer_state`, and what of `gradients` (of parameters) and `activations` (all
    other tensors, gradients of activations among them) is alive at the peak. `peak_pass` is "forward" or "backward".
    `lower_bound` says what is missing where something cannot be derived.
    """

    name: str
    batch: int
    dtype: str | None
    training: bool
    optimizer: str | None
    weights: int
    buffers: int
    gradients: int
    optimizer_state: int
    activations: int
    peak: int
    peak_layer: str
    peak_pass: str
    layers: tuple[LayerMemory, ...]
    lower_bound: str | None

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it."""
        return {**self._asdict(), "layers": [row.to_dict() for row in self.layers]}


def measure_memory(
    analysed: AnalysedGraph,
    dtype: str | None = None,
    training: bool = False,
    optimizer: str | None = None,
    batch: int | None = None,
) -> Memory:
    """The memory of one pass over a batch, by default the network's own.

    `dtype` takes the place of that of all floating-point values. Raises UsageError for options that make no sense.
    """
    check_options(dtype, training, optimizer)
    run = _Run(analysed, dtype, batch or analysed.batch, training)
    run.run()
    weights, trained, count = _parameter_bytes(analysed, dtype, training)
    state = OPTIMIZERS[optimizer] * trained + (optimizer in COUNTED) * COUNT_BYTES * count if optimizer else 0
    return _result(run, weights, _buffer_bytes(analysed, dtype), state, optimizer)


def check_options(dtype: str | None, training: bool, optimizer: str | None) -> None:
    """Raises UsageError for options that make no sense."""
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"no dtype of a network is called {quoted(dtype)}; {did_you_mean(dtype, DTYPES)}")
    if optimizer is not None and optimizer not in OPTIMIZERS:
        raise UsageError(f"no optimizer is called {quoted(optimizer)}; {did_you_mean(optimizer, OPTIMIZERS)}")
    if optimizer is not None and not training:
        raise UsageError("an optimizer works in training alone: ask for training, or leave it out")
    if training and dtype == "int8":
        raise UsageError("int8 is for inference: training needs gradients, which are floating-point")


def largest_batch(limit: int, peak_at: Callable[[int], int]) -> int:
    """The largest batch whose peak is within the limit; 0 if not even one sample's is.

    The peak never falls as the batch grows: the order of events is the same for every batch, and no size falls.
    """
    if peak_at(1) > limit:
        return 0
    fits, too_large = 1, 2
    while peak_at(too_large) <= limit:
        fits, too_large = too_large, 2 * too_large
    while too_large - fits > 1:
        middle = (fits + too_large) // 2
        fits, too_large = (middle, too_large) if peak_at(middle) <= limit else (fits, middle)
    return fits


def _owned(analysed: AnalysedGraph) -> Iterator[tuple[int, Tensor]]:
    """The layers that have weights of their own, and their outputs."""
    for position, node in enumerate(analysed.graph.nodes):
        if node.owner is None:
            yield position, analysed.tensors_at(position)[1]


def _parameter_bytes(analysed: AnalysedGraph, dtype: str | None, training: bool) -> tuple[int, int, int]:
    """Bytes of all parameters and of the trained ones, and how many tensors the trained ones are."""
    all_bytes = trained = count = 0
    gradients = follow_gradients(analysed).owners if training else frozenset()
    for position, output in _owned(analysed):
        found = analysed.parameters[position]
        size = value_bytes(output.dtype, dtype) * found.total
        all_bytes += size
        if position in gradients:
            trained, count = trained + size, count + len(found.shapes)
    return all_bytes, trained, count


def _buffer_bytes(analysed: AnalysedGraph, dtype: str | None) -> int:
    """Bytes of all buffers, and of other tensors that modules keep; a buffer of a single value is a count, an int64."""
    total = 0
    for position, node in enumerate(analysed.graph.nodes):
        inputs, output = analysed.tensors_at(position)
        total += sum(piece_bytes(piece, output.dtype, dtype, 1) for piece in node.layer.constants(inputs))
    for position, output in _owned(analysed):
        for shape in analysed.parameters[position].buffer_shapes.values():
            total += product(shape) * value_bytes(output.dtype if shape else "int64", dtype)
    return total


def piece_bytes(piece: Piece, own: str, dtype: str | None, batch: int) -> int:
    """The size of a piece of a layer whose output's dtype is `own`, or `dtype` in its place."""
    size = value_bytes(piece.dtype or own, dtype)
    return (batch if piece.per_sample else 1) * int(elements(piece.shape)) * (max(size, 4) if piece.wide else size)


class _Value(NamedTuple):
    """A tensor: what holds it, its memory, and the operation that made it, if that needs a gradient."""

    thing: Thing
    storage: Thing
    maker: "int | None"
    bytes: int  # of its own, whatever its storage has
    elements: int  # of a sample
    is_view: bool = False
    scattered: bool = False


class _Target(NamedTuple):
    """What a gradient is for: the result of an operation by number, or a parameter by layer and name."""

    key: int | tuple[int, str]
    bytes: int
    added_up: bool  # the gradient is as large as the result first


class _Operation(NamedTuple):
    """One operation that ran, for its backward pass."""

    thing: Thing
    step: Step
    position: int
    result_bytes: int
    backward_bytes: int
    targets: tuple[_Target, ...]


class _Run:
    """One forward pass, and with `training` one backward pass."""

    def __init__(self, analysed: AnalysedGraph, dtype: str | None, batch: int, training: bool) -> None:
        self.analysed, self.graph, self.dtype = analysed, analysed.graph, dtype
        self.batch, self.training = batch, training
        self.ledger = Ledger()
        self.values: dict[int, _Value] = {}
        self.operations: list[_Operation] = []
        count = len(self.graph.nodes)
        self.outputs, self.saved, self.forward, self.backward = ([0] * count for _ in range(4))
        self.peak = self.peak_gradients = 0
        self.peak_place = 0, "forward"
        self.unknown: dict[str, str] = {}
        self.kept = set[Thing]()

    def run(self) -> None:
        """Runs all layers, then all backward passes."""
        for edge, tensor in enumerate(self.graph.inputs.values()):
            size = tensor_bytes(tensor, self.dtype, self.batch)
            storage = self.ledger.make(size)
            self.values[edge] = _Value(storage, storage, None, size, elements(tensor.shape))
        last_reader = dict.fromkeys(self.values, -1)
        for position, node in enumerate(self.graph.nodes):
            last_reader[self.analysed.edge(position)] = position
            last_reader.update(dict.fromkeys(node.sources, position))
        spent: dict[int, list[int]] = {}
        for edge, position in last_reader.items():
            if edge >= len(self.graph.inputs) and edge not in self.graph.outputs:
                spent.setdefault(position, []).append(edge)
        for position in range(len(self.graph.nodes)):
            self._run_layer(position)
            for edge in spent.get(position, ()):
                self.ledger.release(self.values.pop(edge).thing)
        if self.training:
            _Backward(self).run()

    def doubt(self, position: int, reason: str) -> None:
        """Something about a layer cannot be derived."""
        self.unknown.setdefault(self.graph.nodes[position].name, reason)

    def note(self, position: int, which: str) -> None:
        """What was alive at most since the last note belongs to a layer."""
        highest, rows = self.ledger.highest, self.forward if which == "forward" else self.backward
        rows[position] = max(rows[position], highest)
        if highest > self.peak:
            self.peak, self.peak_gradients, self.peak_place = highest, self.ledger.marked, (position, which)
        self.ledger.highest = self.ledger.live

    def _run_layer(self, position: int) -> None:
        node = self.graph.nodes[position]
        inputs, _ = self.analysed.tensors_at(position)
        steps = node.layer.steps(inputs, self.training)
        if isinstance(steps, Unknown):
            self.doubt(position, steps.reason)
            steps = (Step((*range(len(inputs)), *node.layer.parameters(inputs))),)
        self.ledger.highest = self.ledger.live
        results = _Layer(self, position, steps).run()
        self.values[self.analysed.edge(position)] = results
        self.note(position, "forward")


class _Layer:
    """The forward pass of one layer."""

    def __init__(self, run: _Run, position: int, steps: tuple[Step, ...]) -> None:
        self.run_, self.ledger, self.position, self.steps = run, run.ledger, position, steps
        node = run.graph.nodes[position]
        inputs, self.output = run.analysed.tensors_at(position)
        self.owner = position if node.owner is None else node.owner
        self.parameters = node.layer.parameters(inputs)
        self.trained = run.training and run.graph.nodes[self.owner].trainable
        self.values: list[_Value | None] = [run.values[source] for source in node.sources]
        self.first = len(self.values)
        last_use = {self.first + number: number for number in range(len(steps))}
        for number, step in enumerate(steps):
            last_use.update({read: number for read in (*step.reads, *step.holds) if isinstance(read, int)})
        self.last_use = last_use

    def run(self) -> _Value:
        """Runs all steps; returns what the last one gives."""
        for number, step in enumerate(self.steps):
            self.values.append(self._run_step(step))
            done = range(self.first, len(self.values) - (number == len(self.steps) - 1))
            for place in done:
                value = self.values[place]
                if value and self.last_use[place] <= number:
                    self.ledger.release(value.thing)
                    self.values[place] = None
        result = self.values[-1]
        assert result is not None
        return result

    def _run_step(self, step: Step) -> _Value:
        if step.regroups and self.run_.batch == 1:
            step = step._replace(is_view=True, passes=True)
        piece = step.gives or Piece(self.output.shape)
        size, count = self._bytes(piece), int(elements(piece.shape))
        reads = [self._read(source) for source in step.reads if isinstance(source, int)]
        scattered = any(value.scattered for value in reads)
        if scattered and step.orders:
            self.run_.doubt(self.position, OUT_OF_ORDER)
        if step.is_view and scattered and step.orders:
            # A view would keep the whole that it is of, a copy would not.
            storage = self.ledger.make_remains(size, reads[0].storage)
        elif step.is_view or step.in_place:
            storage = self.ledger.hold(reads[0].storage)
        else:
            storage = self.ledger.make(size)
            self.run_.outputs[self.position] = size
        beside = [self.ledger.make(self._bytes(piece)) for piece in step.beside]
        operation = self._record(step, size, count, storage, beside) if self.run_.training else None
        maker = None if operation is None else len(self.run_.operations) - 1
        held = [storage] if operation is None else [storage, operation.thing]
        thing = self.ledger.make(0, held)
        self.ledger.release(*held, *beside)
        if step.in_place and reads[0].is_view and operation:
            self.run_.doubt(self.position, IN_PLACE_ON_A_VIEW)
        return _Value(
            thing, storage, maker, size, count, step.is_view, step.scatters or (scattered and not step.orders)
        )

    def _record(self, step: Step, size: int, count: int, storage: Thing, beside: list[Thing]) -> _Operation | None:
        """Keep what the backward pass needs, if there is one."""
        targets = [self._target(step, source, count) for source in step.reads]
        if not any(targets):
            return None
        unasked = [
            source for source, target in zip(step.reads, targets, strict=True) if not target and source in step.makes
        ]
        numbers = [*step.keeps]
        if step.multiplies:
            pairs = zip(step.reads[:2], (targets[1], targets[0]), strict=True)
            numbers += [factor for factor, other in pairs if other and isinstance(factor, int)]
        copies = [self.ledger.make(size)] if step.copies else []
        kept = [*beside, *copies]
        for number in numbers:
            value = None if number == RESULT else self._read(number)
            if value and value.scattered and step.orders:
                copies.append(self.ledger.make_remains(value.bytes, value.storage))
                kept.append(copies[-1])
            else:
                kept.append(value.storage if value else storage)
        run = self.run_
        run.saved[self.position] += sum(map(self.ledger.size, {*kept} - run.kept))
        run.kept.update(kept)
        found = tuple(target for target in targets if target)
        makers = [run.operations[target.key].thing for target in found if isinstance(target.key, int)]
        made = [size if target.added_up else target.bytes for target in found]
        made += [size if step.broadcasts else self._read_bytes(source) for source in unasked]
        at_once = max(sum(map(self._bytes, step.backward)), sum(made))
        thing = self.ledger.make(0, [*kept, *makers])
        self.ledger.release(*copies)
        operation = _Operation(thing, step, self.position, size, at_once, found)
        run.operations.append(operation)
        return operation

    def _target(self, step: Step, source: int | str, result: int) -> _Target | None:
        """Where the gradient of something read goes; None if it needs none."""
        if isinstance(source, int):
            value = self._read(source)
            added_up = step.broadcasts and value.elements != result
            return None if value.maker is None else _Target(value.maker, value.bytes, added_up)
        if not self.trained or source not in self.parameters:
            return None
        return _Target((self.owner, source), self._read_bytes(source), step.broadcasts)

    def _read_bytes(self, source: int | str) -> int:
        if isinstance(source, int):
            return self._read(source).bytes
        return self._bytes(Piece(self.parameters[source], per_sample=False))

    def _read(self, number: int) -> _Value:
        value = self.values[number]
        assert value is not None  # it is read or held later, or else it would be gone
        return value

    def _bytes(self, piece: Piece) -> int:
        return piece_bytes(piece, self.output.dtype, self.run_.dtype, self.run_.batch)


class _Backward:
    """The backward passes, as the engine of autograd runs them."""

    def __init__(self, run: _Run) -> None:
        self.run_, self.ledger = run, run.ledger
        self.gradients: dict[int | tuple[int, str], Thing] = {}
        self.scattered: set[int | tuple[int, str]] = set()  # those whose gradient does not lie in order

    def run(self) -> None:
        """The last operation first: everything that reads a result has run before what made it."""
        for operation in self.run_.operations:
            self.ledger.hold(operation.thing)
        for edge in self.run_.graph.outputs:
            value = self.run_.values[edge]
            if value.maker is not None:
                self._deliver(value.maker, self.ledger.make(value.bytes))
                self.run_.note(self.run_.operations[value.maker].position, "backward")
        for number in reversed(range(len(self.run_.operations))):
            if number in self.gradients:
                self._run_operation(number, self.run_.operations[number], self.gradients.pop(number))

    def _is_scattered(self, number: int, operation: _Operation) -> bool:
        """Whether the gradients that an operation makes may not lie in order."""
        step, given = operation.step, number in self.scattered
        if given and step.orders:
            self.run_.doubt(operation.position, GRADIENT_OUT_OF_ORDER)
        if step.scatters or step.expands:
            return step.passes
        return given and not step.orders

    def _run_operation(self, number: int, operation: _Operation, gradient: Thing) -> None:
        step, found = operation.step, list[Thing]()
        for target in operation.targets:
            if step.passes:
                found.append(self.ledger.hold(gradient))
            else:
                size = operation.result_bytes if target.added_up else target.bytes
                found.append(self.ledger.make(size, mark=not isinstance(target.key, int)))
        more = operation.backward_bytes - sum(map(self.ledger.size, found))
        self.ledger.release(self.ledger.make(max(more, 0)))
        for place, target in enumerate(operation.targets):
            if target.added_up:
                whole, found[place] = found[place], self.ledger.make(target.bytes)
                self.ledger.release(whole)
        self.ledger.empty(operation.thing)
        self.ledger.release(gradient)
        scattered = self._is_scattered(number, operation)
        for target, made in zip(operation.targets, found, strict=True):
            self._deliver(target.key, made)
            self.scattered.update([target.key] if scattered else [])
        self.run_.note(operation.position, "backward")

    def _deliver(self, key: int | tuple[int, str], gradient: Thing) -> None:
        """A gradient arrives; where there is one already, the two are added."""
        old = self.gradients.get(key)
        if old is None:
            self.gradients[key] = gradient
        else:
            self.gradients[key] = self.ledger.make(max(map(self.ledger.size, (old, gradient))))
            self.ledger.release(old, gradient)
        if not isinstance(key, int):
            self.ledger.mark(self.gradients[key])


def _result(run: _Run, weights: int, buffers: int, state: int, optimizer: str | None) -> Memory:
    fixed = weights + buffers + state
    position, which = run.peak_place
    names = [node.name for node in run.graph.nodes]
    rows = zip(run.graph.nodes, run.outputs, run.saved, run.forward, run.backward, strict=True)
    layers = tuple(
        LayerMemory(node.name, node.layer.type, output, saved, fixed + forward, fixed + backward if backward else None)
        for node, output, saved, forward, backward in rows
    )
    missing = "; ".join(f"{name}: {reason}" for name, reason in run.unknown.items())
    return Memory(
        run.graph.name,
        run.batch,
        run.dtype,
        run.training,
        optimizer,
        weights,
        buffers,
        run.peak_gradients,
        state,
        run.peak - run.peak_gradients,
        fixed + run.peak,
        names[position],
        which,
        layers,
        missing or None,
    )
