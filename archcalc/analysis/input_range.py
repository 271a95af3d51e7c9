"""Input sizes that a network accepts, those at which no stride leaves a remainder, and those that it can use.

Spatial axes that are equal in the spec are resized together; everything else stays.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.receptive_field import AxisField, Field, propagate_receptive_fields, propagate_shortest_fields
from archcalc.analysis.resized_network import ResizedNetwork
from archcalc.analysis.resizing import Extent, extents, resized
from archcalc.analysis.shapes import infer_shapes
from archcalc.analysis.size_sets import SizeSet
from archcalc.analysis.working_sizes import Progress, find_answers, part_of
from archcalc.graph import Graph
from archcalc.numbers.bounds import Unknown
from archcalc.render.document import Document
from archcalc.render.result import Result

Fields = list[Field | Unknown | None]
MOST_LAYERS = 20_000  # of networks whose fields are compared at several sizes


class SizeBound(NamedTuple):
    """A size, and the layer that determines it; `sees_more` if that layer also sees the whole map in another way."""

    size: int
    layer: str
    sees_more: bool = False


class SizeRange(NamedTuple):
    """The answers for equal axes, which are resized together.

    `works`: all layers fit. `same_weights`: also, weights have the same shapes as at the spec's size. `no_remainder`:
    also, no stride leaves more positions at the end than between two windows; what windows and slices skip elsewhere is
    not checked. Below `productive`, a convolution's windows see nothing new, because its input sees the whole image
    even along the shortest path. Above `covered`, no unit sees the whole image by windows that are the same at every
    size. Both are None if no window slides along the axes, or if fields are unknown or the network has too many layers
    to compare them; then `unknown` has the reason. `changing` is the first layer whose windows depend on the size.
    `before` is that layer, or an earlier one that reads the whole map, and may see all of it at any size.
    """

    axes: tuple[Extent, ...]
    size: int
    works: SizeSet
    same_weights: SizeSet
    no_remainder: SizeSet
    productive: SizeBound | None = None
    covered: SizeBound | None = None
    changing: str | None = None
    before: str | None = None
    unknown: str | None = None


class InputRanges(Struct, Result, frozen=True, kw_only=True):
    """The sizes of all spatial axes, with one range for axes that are resized together."""

    graph: Graph
    ranges: tuple[SizeRange, ...]

    def __repr__(self) -> str:
        return f"InputRanges({self.graph.name!r}, {len(self.ranges)} sizes)"

    def __iter__(self) -> Iterator[SizeRange]:
        return iter(self.ranges)

    def __len__(self) -> int:
        return len(self.ranges)

    def __getitem__(self, number: int) -> SizeRange:
        return self.ranges[number]

    def document(self) -> Document:
        """The ranges as a document."""
        from archcalc.analysis.input_range_document import range_document

        return range_document(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; null for what does not exist or is unknown, with the reason in `unknown`."""
        return {
            "name": self.graph.name,
            "inputs": {name: list(tensor.shape) for name, tensor in self.graph.inputs.items()},
            "ranges": [_plain(found) for found in self.ranges],
        }


def _plain(found: SizeRange) -> dict[str, Any]:
    even = found.no_remainder
    return {
        "axes": [{"input": extent.source, "axis": extent.axis} for extent in found.axes],
        "size": found.size,
        "smallest": found.works.smallest,
        "works": found.works._asdict(),
        "same_weights": found.same_weights._asdict(),
        "no_remainder": {**even._asdict(), "below": even.last_until(found.size), "above": even.next_from(found.size)},
        "productive": found.productive and found.productive._asdict(),
        "covered": found.covered and found.covered._asdict(),
        "changing": found.changing,
        "before": found.before,
        "unknown": found.unknown,
    }


def find_ranges(context: AnalysisContext, progress: Progress = lambda _done, _all: None) -> InputRanges:
    """Find a range for every size of a spatial axis of an input."""
    axes = extents(context)
    sizes = dict.fromkeys(extent.size for extent in axes)
    found: list[SizeRange] = []
    for number, size in enumerate(sizes):
        alike = [extent for extent in axes if extent.size == size]
        found.append(_range(context, alike, size, part_of(progress, number, len(sizes))))
        progress(number + 1, len(sizes))
    return InputRanges(graph=context.graph, ranges=tuple(found))


def _range(context: AnalysisContext, axes: list[Extent], size: int, progress: Progress) -> SizeRange:
    network = ResizedNetwork(context, axes, size)
    answers = find_answers(network, progress)
    if not network.windows:
        return SizeRange(tuple(axes), size, *answers)
    if len(context.graph.nodes) > MOST_LAYERS:
        reason = f"fields are compared at several sizes in networks of at most {MOST_LAYERS:,} layers"
        return SizeRange(tuple(axes), size, *answers, unknown=reason)
    useful = _UsefulSizes(context, axes, size, [*_samples(answers.works, size)])
    return SizeRange(tuple(axes), size, *answers, **useful.found())


def _samples(works: SizeSet, own: int) -> Iterator[int]:
    """Sizes that work, other than the spec's: neighbours, the smallest, and large ones."""
    wanted = (works.smallest or own, own - 1, own + 1, own + 2, 2 * own, 2 * own + 3)
    yield from {size for least in wanted if (size := works.next_from(max(1, least))) is not None} - {own}


class _UsefulSizes:
    """Bounds from the receptive fields that are the same at several sizes."""

    def __init__(self, context: AnalysisContext, axes: list[Extent], size: int, others: list[int]) -> None:
        self.context, self.axes, self.size = context, axes, size
        self.fields, self.shortest = self._fields(context.graph)
        self.changing_axes = {(extent.source, extent.axis) for extent in axes if extent.size == size}
        self.sharing = {edge for edge, field in enumerate(self.fields) if any(a.shared for a in self._along(field))}
        self.global_from = self._find_global(self.fields)
        self.changing: int | None = None
        for other in sorted(others):
            self._compare(other)

    def found(self) -> dict[str, Any]:
        """The attributes of a SizeRange that depend on fields."""
        names, ends = (
            self.context.graph.edge_names,
            [edge for edge in (self.changing, self.global_from) if edge is not None],
        )
        return {
            "productive": self.productive(),
            "covered": self.covered(),
            "changing": None if self.changing is None else names[self.changing],
            "before": names[min(ends)] if ends else None,
            "unknown": next((field.reason for field in self.fields if isinstance(field, Unknown)), None),
        }

    def _find_global(self, fields: Fields) -> int | None:
        """The first edge whose units share a part of their fields."""
        along = (self._along(field) for field in fields)
        return next((e for e, axes in enumerate(along) if any(not a.advance or a.shared for a in axes)), None)

    def _fields(self, graph: Graph) -> tuple[Fields, Fields]:
        shapes = infer_shapes(graph)
        return propagate_receptive_fields(graph, shapes).edges, propagate_shortest_fields(graph, shapes).edges

    def _compare(self, other: int) -> None:
        """Drop the fields that differ at another size."""
        resized_graph = resized(self.context.graph, self.axes, {self.size: other})
        fields_there = self._fields(resized_graph)
        if other > self.size:  # at small sizes, a single unit may be left
            self.global_from = self._find_global(fields_there[0])
        for fields, found in zip((self.fields, self.shortest), fields_there, strict=True):
            for edge, pair in enumerate(zip(fields, found, strict=True)):
                one, two = map(self._along, pair)
                if any(axis.advance for axis in one) and _extent_of(one) != _extent_of(two):
                    fields[edge] = None
                    if self.changing is None and not any(axis.mixed for axis in one):
                        self.changing = edge

    def _along(self, field: Field | Unknown | None) -> list[AxisField]:
        """A field along the axes that are resized."""
        if not isinstance(field, Field):
            return []
        pairs = zip(field.axes, field.places, strict=True)
        return [axis for axis, place in pairs if (field.source, place) in self.changing_axes]

    def productive(self) -> SizeBound | None:
        """The largest field, along the shortest path, of a convolution's input."""
        nodes = self.context.graph.nodes
        return self._largest(
            (node.name, node.sources[0], self.shortest) for node in nodes if node.layer.family == "convolution"
        )

    def covered(self) -> SizeBound | None:
        """The largest field by windows, without layers that read the whole map."""
        graph = self.context.graph
        return self._largest(
            (node.name, graph.edge(position), self.fields) for position, node in enumerate(graph.nodes)
        )

    def _largest(self, candidates: Iterable[tuple[str, int, Fields]]) -> SizeBound | None:
        found: SizeBound | None = None
        for name, edge, fields in candidates:
            if isinstance(field := fields[edge], Unknown):
                return None
            axes = self._along(field)
            if axes and all(axis.advance and not axis.hops for axis in axes):
                size = min(axis.size or 0 for axis in axes)
                found = SizeBound(size, name, edge in self.sharing) if found is None or size > found.size else found
        return found


def _extent_of(axes: list[AxisField]) -> list[tuple[int | None, int, int]]:
    """The size and jump of a field along each axis."""
    return [(axis.size, *axis.jump_ratio) for axis in axes]
