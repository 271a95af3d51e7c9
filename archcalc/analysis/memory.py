"""How much memory a network takes, and where most of it is alive at once: for inference, and for a step of training.

`execution.py` and `backward.py` follow what is alive; here are its sums, the weights, and what an optimizer keeps. That
has its state already, as in every step but the first, and works in place, as fused optimizers do; gradients of
parameters were None before. Counted are tensors, as a dispatch mode sees them that follows every storage: workspaces of
kernels, what an allocator rounds up, and PyTorch itself come on top.
"""

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any, NamedTuple

from archcalc.analysis.backward import Backward
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.execution import Execution, Pass, spec_bytes
from archcalc.analysis.least_batch import check_batch
from archcalc.analysis.traffic import SIZES, value_bytes
from archcalc.analysis.training import follow_gradients
from archcalc.arithmetic import product
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.layers.base import Tensor
from archcalc.numbers.bounds import (
    Amount,
    AtLeast,
    AtMost,
    Cause,
    Causes,
    Lower,
    Unknown,
    at_least,
    causes_of,
    floor_of,
    gathered,
    highest,
    known,
    reason_of,
    reason_text,
)

DTYPES = ("float32", "bfloat16", "float16", "float64", "int8")
# How many values an optimizer keeps for each trained one.
OPTIMIZERS = {"sgd": 0, "momentum": 1, "adam": 2, "adamw": 2}
COUNTED = ("adam", "adamw")  # these keep, for each parameter, a count of its steps
COUNT_BYTES = SIZES["float32"]


class LayerMemory(NamedTuple):
    """Bytes of one layer, or of a block that stands for the layers in it.

    `output` is what its output takes (0 for a view), `saved` what it keeps for its backward pass and no layer before
    keeps already. `forward` and `backward` are all bytes alive at once at most while it runs, the weights and the
    values of other layers among them; `backward` is None where there is no backward pass. What cannot be derived as a
    whole is AtLeast.
    """

    name: str
    type: str
    output: int
    saved: Lower[int]
    forward: Lower[int]
    backward: Lower[int] | None

    @property
    def live(self) -> Lower[int]:
        """Bytes alive at once at most while the layer runs."""
        return self.forward if self.backward is None else highest((self.forward, self.backward))

    def to_dict(self) -> dict[str, Any]:
        """The row as JSON has it."""
        sizes = {"saved": self.saved, "forward": self.forward, "backward": self.backward, "live": self.live}
        plain = {what: None if size is None else known(size) for what, size in sizes.items()}
        return {**self._asdict(), **plain, "lower_bound": isinstance(self.live, AtLeast)}


class Memory(NamedTuple):
    """The memory of a network in bytes, and where it takes most.

    `peak` is `weights`, `buffers`, `optimizer_state`, and what of `gradients` (of parameters) and `activations` (all
    other tensors, gradients of activations among them) is alive at the peak. `peak_pass` is "forward" or "backward".
    Where something cannot be derived, the peak is AtLeast, which says what, and its place is that of the bound.
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

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain values, as `--format json` prints it; `unknown` says why the peak is a lower bound."""
        sizes = {"gradients": self.gradients, "activations": self.activations, "peak": self.peak}
        return {
            **self._asdict(),
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

    `dtype` takes the place of that of all floating-point values. Raises UsageError for options that make no sense, and
    for a batch that PyTorch refuses to train.
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
    """Raises UsageError for options that make no sense."""
    if dtype is not None and dtype not in DTYPES:
        raise UsageError(f"no dtype of a network is called {quoted(dtype)}; {did_you_mean(dtype, DTYPES)}")
    if optimizer is not None and optimizer not in OPTIMIZERS:
        raise UsageError(f"no optimizer is called {quoted(optimizer)}; {did_you_mean(optimizer, OPTIMIZERS)}")
    if optimizer is not None and not training:
        raise UsageError("an optimizer works in training alone: add --training (training=True), or leave it out")
    if training and dtype == "int8":
        raise UsageError("int8 is for inference: training needs gradients, which are floating-point")


class _Peak(NamedTuple):
    batch: int
    bytes: int


def largest_batch(limit: int, peak_at: Callable[[int], Lower[int]], least: int = 1) -> int | AtMost[int]:
    """The largest batch whose peak is within the limit; 0 if not even that of the least one is.

    Where peaks are lower bounds, so many samples fit at most; if those of the least one are too large, none does.
    """
    found = _largest(limit, lambda batch: floor_of(peak_at(batch)), least)
    causes = causes_of(peak_at(found)) if found else ()
    return AtMost(found, causes) if causes else found


def _largest(limit: int, peak_at: Callable[[int], int], least: int) -> int:
    """The largest batch whose peak is within the limit.

    The peak never falls as the batch grows: the order of events is the same for every batch, and no size falls. It
    mostly grows in proportion, which says where to look first. Raises UsageError for a network in which nothing grows
    with the batch.
    """
    fits, too_large = (_Peak(batch, peak_at(batch)) for batch in (least, least + 1))
    if fits.bytes > limit:
        return 0
    while too_large.bytes <= limit:
        if too_large.batch > limit:  # though a sample would take a byte at least
            raise UsageError("every batch fits: the network has one sparse input for all samples, and no other")
        batch = max(_in_proportion(limit, fits, too_large) + 1, 2 * too_large.batch)
        fits, too_large = too_large, _Peak(batch, peak_at(batch))
    for looks_between in cycle((_in_proportion, _in_proportion, _in_the_middle)):
        if too_large.batch - fits.batch == 1:
            return fits.batch
        batch = min(max(looks_between(limit, fits, too_large), fits.batch + 1), too_large.batch - 1)
        found = _Peak(batch, peak_at(batch))
        fits, too_large = (found, too_large) if found.bytes <= limit else (fits, found)
    raise AssertionError  # a cycle has no end


def _in_proportion(limit: int, one: _Peak, other: _Peak) -> int:
    """Where a straight line through two peaks comes to the limit; the batch of the first if it is level."""
    growth = other.bytes - one.bytes
    return one.batch + (limit - one.bytes) * (other.batch - one.batch) // growth if growth else one.batch


def _in_the_middle(_limit: int, one: _Peak, other: _Peak) -> int:
    return (one.batch + other.batch) // 2


def _owned(context: AnalysisContext) -> Iterator[tuple[int, Tensor]]:
    """The layers that have weights of their own, and their outputs."""
    for position, node in enumerate(context.graph.nodes):
        if node.owner is None:
            yield position, context.tensors_at(position)[1]


def _parameter_bytes(context: AnalysisContext, dtype: str | None, training: bool) -> tuple[int, int, int]:
    """Bytes of all parameters and of the trained ones, and how many tensors the trained ones are."""
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
    """Bytes of all buffers, and of other tensors that modules keep; a buffer of a single value is a count, an int64."""
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
    # From there on all are lower bounds.
    first = 0 if run.unknown_inputs else min(run.doubts, default=len(names))
    layers = tuple(
        LayerMemory(
            node.name,
            node.layer.type,
            output,
            at_least(saved, causes if place >= first else ()),
            at_least(fixed + forward, causes if place >= first else ()),
            at_least(fixed + backward, causes) if backward else None,
        )
        for place, (node, output, saved, forward, backward) in enumerate(rows)
    )
    return Memory(
        run.graph.name,
        run.batch,
        run.dtype,
        run.training,
        optimizer,
        weights,
        buffers,
        *_parts(run, causes, state),
        at_least(fixed + run.peak, causes),
        names[position] if names else next(iter(run.graph.inputs)),
        which,
        layers,
    )


def _parts(run: Execution, causes: Causes, state: int) -> tuple[int | Unknown, int, Amount]:
    """Gradients of parameters at the peak, the optimizer's state, and the rest that is alive there.

    Where the peak itself may be elsewhere, its parts in training are unknown; in inference there are no gradients.
    """
    if causes and run.training:
        unknown = Unknown(reason_text(causes))
        return unknown, state, unknown
    return run.peak_gradients, state, at_least(run.peak - run.peak_gradients, causes)
