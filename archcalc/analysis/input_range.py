"""Which sizes of an input a network takes, which it reads without loss, and which are of use to it.

Axes of positions that have one size in the spec change together; all else stays. Sizes without loss recur: after as
many positions as the strides before a layer multiply to, its windows lie as before.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.receptive_field import AxisField, Field, fold_shortest_fields
from archcalc.analysis.resizing import Extent, extents, resized
from archcalc.analysis.shapes import Shapes, infer_shapes
from archcalc.graph import Graph
from archcalc.numbers.bounds import Unknown

TRIED = 512  # sizes at most, one after the other; from there on, one that works is taken to mean that larger ones do
PERIODS = 4  # of sizes without loss that are tried: small inputs may be exceptions
MAX_LAYERS_TRIED = 500_000  # layers times sizes

Progress = Callable[[int, int], None]


class ExactSizes(NamedTuple):
    """From `start` on, the sizes n at which no stride drops a position: those with n mod `modulus` in `remainders`.

    `below` and `above` are those nearest to the network's own size, which is both if it is one.
    """

    start: int
    modulus: int
    remainders: tuple[int, ...]
    below: int | None
    above: int | None


class Bound(NamedTuple):
    """A size, and the layer that makes it so."""

    size: int
    layer: str


class SizeRange(NamedTuple):
    """The answers for axes of one size, which change together.

    `smallest` is the least size that every layer takes. Below `productive`, a convolution sees nothing new, since
    what it reads sees the whole input even along the shortest path; above `covered`, no unit sees the whole input. None
    where no window slides along the axes, or where fields are not known.
    """

    axes: tuple[Extent, ...]
    size: int
    smallest: int | None
    exact: ExactSizes | Unknown
    productive: Bound | None
    covered: Bound | None


def find_ranges(analysed: AnalysedGraph, progress: Progress = lambda _done, _all: None) -> tuple[SizeRange, ...]:
    """The answers for every size that an axis of positions of an input has."""
    axes = extents(analysed)
    sizes = dict.fromkeys(extent.size for extent in axes)
    return tuple(_Sizes(analysed, axes, size).range(progress) for size in sizes)


def find_smallest(works: Callable[[int], bool], largest: int, tried: int = TRIED) -> int | None:
    """The smallest size up to `largest` that works; up to `tried`, sizes are tried one after the other."""
    for size in range(1, min(tried, largest) + 1):
        if works(size):
            return size
    if largest <= tried or not works(largest):
        return None
    low, high = tried, largest  # one that does not work, and one that does
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if works(middle) else (middle, high)
    return high


class _Sizes:
    """The axes of one size."""

    def __init__(self, analysed: AnalysedGraph, axes: list[Extent], size: int) -> None:
        self.analysed, self.size = analysed, size
        self.axes = [extent for extent in axes if extent.size == size]
        self.sources = {extent.source for extent in self.axes}

    def range(self, progress: Progress) -> SizeRange:
        tried = min(TRIED, MAX_LAYERS_TRIED // max(len(self.analysed.graph.nodes), 1))
        smallest = find_smallest(lambda size: not infer_shapes(self._at(size)).problems, self.size, tried)
        windows = [*self._windows_along()]
        exact = (
            self._exact(smallest, windows, progress) if smallest else Unknown("no size up to the network's own works")
        )
        useful = (self._productive(), self._covered()) if windows else (None, None)
        return SizeRange(tuple(self.axes), self.size, smallest, exact, *useful)

    def _at(self, size: int) -> Graph:
        return resized(self.analysed.graph, self.axes, {self.size: size})

    # sizes without loss

    def _exact(self, smallest: int, windows: list[tuple[int, int]], progress: Progress) -> ExactSizes | Unknown:
        fields = self.analysed.receptive_fields.edges
        if any(isinstance(field, Unknown) for field in fields):
            return Unknown("the receptive field of a layer is not known")
        moving = [axis for field in fields for axis in self._along(field) if axis.advance]
        period = math.lcm(*(axis.jump_ratio[0] for axis in moving))
        count = PERIODS * period
        if count * len(self.analysed.graph.nodes) > MAX_LAYERS_TRIED:
            return Unknown(f"the strides together move by {period:,} positions, too many to try all sizes between")
        found = []
        for number in range(count):
            progress(number, count)
            found.append(self._loses_nothing(smallest + number, windows))
        return _recurring(found, smallest, period, self.size)

    def _along(self, field: Field | Unknown | None) -> list[AxisField]:
        """A field along the axes in question."""
        if not isinstance(field, Field) or field.source not in self.sources:
            return []
        return [axis for axis, size in zip(field.axes, field.shape, strict=True) if size == self.size]

    def _windows_along(self) -> Iterator[tuple[int, int]]:
        """The layers with a window that slides along the axes in question, and the axis of what they read."""
        for position, node in enumerate(self.analysed.graph.nodes):
            windows = node.layer.windows(self.analysed.tensors_at(position)[0])
            for axis in self._along(self.analysed.receptive_fields.edges[node.sources[0]]):
                if axis.advance and axis.axis in windows:
                    yield position, axis.axis

    def _loses_nothing(self, size: int, windows: list[tuple[int, int]]) -> bool:
        shapes = infer_shapes(self._at(size))
        return not shapes.problems and not any(_drops(shapes, position, axis) for position, axis in windows)

    # useful sizes

    def _productive(self) -> Bound | None:
        """The largest field, along the shortest path, of what a convolution reads."""
        graph = self.analysed.graph
        shortest = fold_shortest_fields(graph, self.analysed.shapes).edges
        return self._largest(
            (node.name, shortest[node.sources[0]]) for node in graph.nodes if node.layer.family == "convolution"
        )

    def _covered(self) -> Bound | None:
        """The largest field that windows make, not a layer that reads the whole map."""
        names, edges, first = self.analysed.names, self.analysed.receptive_fields.edges, len(self.analysed.graph.inputs)
        return self._largest(zip(names[first:], edges[first:], strict=True))

    def _largest(self, fields: Iterable[tuple[str, Field | Unknown | None]]) -> Bound | None:
        found: Bound | None = None
        for name, field in fields:
            if isinstance(field, Unknown):
                return None
            axes = self._along(field)
            if axes and all(axis.advance and not axis.hops for axis in axes):
                size = min(axis.size or 0 for axis in axes)
                found = Bound(size, name) if found is None or size > found.size else found
        return found


def _drops(shapes: Shapes, position: int, axis: int) -> bool:
    facts = shapes.facts[position]
    assert facts is not None  # or else there would be problems
    window = facts.layer.windows(facts.inputs)[axis]
    return bool(window.dropped(facts.inputs[0].shape[axis], facts.output.shape[axis]))


def _recurring(found: list[bool], smallest: int, period: int, own: int) -> ExactSizes:
    """The sizes that were found, the first of which is `smallest`, as remainders of the smallest modulus."""
    remainders = {(smallest + number) % period for number in range(len(found) - period, len(found)) if found[number]}
    start = smallest + len(found)
    while start > smallest and found[start - 1 - smallest] == ((start - 1) % period in remainders):
        start -= 1
    divisors = (divisor for divisor in range(1, period + 1) if period % divisor == 0)
    modulus = next(
        d for d in divisors if all(((r + d) % period in remainders) == (r in remainders) for r in range(period))
    )
    least = tuple(sorted({remainder % modulus for remainder in remainders}))
    below = next((n for n in range(own, max(start, own - modulus) - 1, -1) if n % modulus in least), None)
    above = next((n for n in range(max(start, own), max(start, own) + modulus) if n % modulus in least), None)
    return ExactSizes(start, modulus, least, below, above)
