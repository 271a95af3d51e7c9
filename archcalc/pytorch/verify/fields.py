"""Measures receptive fields by gradients: size, jump and centre of the fields of a layer's units.

It measures consecutive units in the middle, one more than there are phases, on an input just large enough that their
fields contain no padding. Input sizes change by multiples of the jumps, so that every layer places its windows as on
the spec's own input.
"""

import math
from collections.abc import Callable, Collection, Iterator

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.resizing import extents, resized
from archcalc.measured.verification import VerificationRow
from archcalc.network import Network
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.verify.stage import Stage

SMALLEST = 32  # positions per axis of the first input that is tried
MOST_POSITIONS = 2**24  # of an enlarged input
MOST_STEP = 2**12  # the largest step of input sizes


def compare_fields(
    network: Network, names: Collection[str] | None, progress: Callable[[int, int], None]
) -> Iterator[VerificationRow]:
    """A row for every named layer; for None, for all layers but those that mix positions, as behind a flatten."""
    positions = _positions(network, names)
    rows: dict[int, VerificationRow] = {}
    for context in (*_other_sizes(network.context, positions), None):
        stage = Stage(network.context, context or network.context, last=context is None)
        for position, row in stage.compare([position for position in positions if position not in rows]):
            rows[position] = row
            progress(len(rows), len(positions))
        if len(rows) == len(positions):
            break
    yield from (rows[position] for position in positions)


def _positions(network: Network, names: Collection[str] | None) -> list[int]:
    if names is not None:
        return [*dict.fromkeys(network.position(name) for name in names)]
    fields = network.context.receptive_fields.edges[network.graph.first_edge :]
    return [position for position, field in enumerate(fields) if field is not None and not _is_mixed(field)]


def _is_mixed(field: Field | Unknown) -> bool:
    return isinstance(field, Field) and any(axis.mixed for axis in field.axes)


def _other_sizes(context: AnalysisContext, positions: list[int]) -> Iterator[AnalysisContext]:
    """The network on larger and larger inputs, on which windows lie as on the spec's own."""
    axes = extents(context)
    steps = {size: _step(context, size) for size in {extent.size for extent in axes}}
    for least in _extents_to_try(context, positions) if steps else ():
        # At least `least` positions, a whole number of steps away from the spec's own size.
        sizes = {size: size - (size - max(least, 1)) // step * step for size, step in steps.items()}
        graph = resized(context.graph, axes, sizes)
        if max(math.prod(tensor.shape) for tensor in graph.inputs.values()) > MOST_POSITIONS:
            return
        yield AnalysisContext(graph)


def _extents_to_try(context: AnalysisContext, positions: list[int]) -> Iterator[int]:
    """Input sizes to try: small ones first, then the estimated size for the largest field, and more."""
    largest = max((_needed(context, position) for position in positions), default=0)
    size = SMALLEST
    while size < largest:
        yield size
        size += size // 2
    yield from (largest, 2 * largest, 4 * largest)


def _step(context: AnalysisContext, size: int) -> int:
    """The step of an input size: the least common multiple of the jumps along its axis."""
    step = 1
    for field in context.receptive_fields.edges:
        for axis, extent in zip(field.axes, field.shape, strict=True) if isinstance(field, Field) else ():
            if extent == size and axis.advance and math.lcm(step, axis.advance) <= MOST_STEP:
                step = math.lcm(step, axis.advance)
    return step


def _needed(context: AnalysisContext, position: int) -> int:
    """The number of positions in the fields of consecutive units, with a margin for padding."""
    field = context.receptive_fields.edges[context.graph.edge(position)]
    axes = field.axes if isinstance(field, Field) else ()
    return max(((axis.size or 0) + 4 * axis.advance for axis in axes if axis.advance), default=1)
