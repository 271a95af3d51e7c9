"""Receptive fields measured by gradients: the size, jump and centre of what the units of a layer really see.

Units in the middle are looked at, as many in a row as there are phases and one more, on an input that is just large
enough (or cropped) for them to see no padding. Sizes change by whole multiples of the jumps, so that every layer places
its windows as it does on the spec's own input.
"""

import math
from collections.abc import Callable, Collection, Iterator

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.resizing import extents, resized
from archcalc.measured.verification import Comparison
from archcalc.network import Network
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.verify.stage import Stage

SMALLEST = 32  # positions per axis of the first input that is tried
MOST_POSITIONS = 2**24  # of an input that is made larger
MOST_STEP = 2**12  # positions by which an input may have to grow to keep all windows in their places


def compare_fields(
    network: Network, names: Collection[str] | None, progress: Callable[[int, int], None]
) -> Iterator[Comparison]:
    """A row for every layer of that name; for None, for all whose units do not mix positions, as behind a flatten."""
    wanted = _wanted(network, names)
    rows: dict[int, Comparison] = {}
    for context in (*_other_sizes(network.context, wanted), None):
        stage = Stage(network.context, context or network.context, last=context is None)
        for position, row in stage.compare([position for position in wanted if position not in rows]):
            rows[position] = row
            progress(len(rows), len(wanted))
        if len(rows) == len(wanted):
            break
    yield from (rows[position] for position in wanted)


def _wanted(network: Network, names: Collection[str] | None) -> list[int]:
    if names is not None:
        return [*dict.fromkeys(network.position(name) for name in names)]
    fields = network.context.receptive_fields.edges[len(network.graph.inputs) :]
    return [position for position, field in enumerate(fields) if field is not None and not _is_mixed(field)]


def _is_mixed(field: Field | Unknown) -> bool:
    return isinstance(field, Field) and any(axis.mixed for axis in field.axes)


def _other_sizes(context: AnalysisContext, wanted: list[int]) -> Iterator[AnalysisContext]:
    """The network on larger and larger inputs, on which windows lie as on its own."""
    axes = extents(context)
    steps = {size: _step(context, size) for size in {extent.size for extent in axes}}
    for least in _extents_to_try(context, wanted) if steps else ():
        # At least so many, and at least one.
        sizes = {size: size - (size - max(least, 1)) // step * step for size, step in steps.items()}
        graph = resized(context.graph, axes, sizes)
        if max(math.prod(tensor.shape) for tensor in graph.inputs.values()) > MOST_POSITIONS:
            return
        yield AnalysisContext(graph)


def _extents_to_try(context: AnalysisContext, wanted: list[int]) -> Iterator[int]:
    """Sizes for small fields first, then what two neighbours of the largest field should take, and more."""
    largest = max((_needed(context, position) for position in wanted), default=0)
    size = SMALLEST
    while size < largest:
        yield size
        size += size // 2
    yield from (largest, 2 * largest, 4 * largest)


def _step(context: AnalysisContext, size: int) -> int:
    """By what a size of the input may change: the least common multiple of the jumps along it."""
    step = 1
    for field in context.receptive_fields.edges:
        for axis, extent in zip(field.axes, field.shape, strict=True) if isinstance(field, Field) else ():
            if extent == size and axis.advance and math.lcm(step, axis.advance) <= MOST_STEP:
                step = math.lcm(step, axis.advance)
    return step


def _needed(context: AnalysisContext, position: int) -> int:
    """The positions that units in a row see together, and a little more for padding."""
    field = context.receptive_fields.edges[context.graph.edge(position)]
    axes = field.axes if isinstance(field, Field) else ()
    return max(((axis.size or 0) + 4 * axis.advance for axis in axes if axis.advance), default=1)
