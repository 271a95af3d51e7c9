"""The exact positions of an input that one unit sees, and the fields of units in the layers before it.

`archcalc.analysis.receptive_field` has sizes and jumps; `archcalc.analysis.dependence` computes the positions, one unit
at a time. An earlier layer is represented by the unit on which the chosen unit depends and whose field's centre is
nearest to the chosen unit's.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from msgspec import Struct

from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.collapse import check_depth
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.dependence import Link, Units, depends_on, projected, unit_box
from archcalc.analysis.field import exact
from archcalc.analysis.intervals import Boxes, Interval, Intervals, along, volume
from archcalc.analysis.receptive_field import Field, links_that_share
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.layers.base import Shape, elements, size_text
from archcalc.numbers.bounds import Unknown
from archcalc.render.document import Document
from archcalc.render.result import Result

__all__ = ["Interval", "LayerField", "NeuronField", "Seen", "find_neuron_field"]

MOST_WALKED = 380_000  # layers visited in all backward walks: reached by a chain of 870 layers
_HOPS = "fields are counted in hops between nodes, which have no rows and columns"


class Seen(NamedTuple):
    """A set of positions of the input: the union of boxes.

    If not `exact`, it may contain positions that are not seen, for the reason in `cause`.
    """

    boxes: Boxes
    exact: bool
    cause: str = ""

    def axis(self, number: int) -> Intervals:
        """The positions along one axis."""
        return along(self.boxes, number)


class LayerField(NamedTuple):
    """The field of a unit of a layer, along each spatial axis.

    `sees` has the first and last position of its field, not clipped at the border; None for a unit that sees nothing.
    `seen` is the exact set of positions along paths that keep positions. If layers from `global_from` on read a whole
    axis, `everything` is the set of positions along all paths.
    """

    name: str
    unit: tuple[int, ...]
    axes: tuple[AxisField, ...]
    sees: tuple[Interval, ...] | None
    seen: Seen
    everything: Seen | None = None
    global_from: str | None = None


class NeuronField(Struct, Result, frozen=True, kw_only=True):
    """The field of a unit of the last of `layers`, and of units of the layers before it, in order."""

    network: str
    source: str  # the input
    input_shape: Shape
    extents: tuple[int, ...]  # positions of the input along each axis
    units: tuple[int, ...]  # of the layer along each axis
    layers: tuple[LayerField, ...]
    left_out: int = 0  # the number of earlier layers that are left out, because there are too many

    def __repr__(self) -> str:
        return f"NeuronField({self.network!r}, unit {self.last.unit} of {self.last.name!r})"

    def document(self) -> Document:
        """The fields as a document."""
        from archcalc.analysis.neuron_field_document import neuron_field_document

        return neuron_field_document(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; null for a unit that sees nothing."""
        return {
            "name": self.network,
            "input": self.source,
            "positions": list(self.extents),
            "layer": self.last.name,
            "unit": list(self.last.unit),
            "layers": [_plain(self, layer) for layer in self.layers],
            **({"left_out": self.left_out} if self.left_out else {}),
        }

    @property
    def last(self) -> LayerField:
        """The field of the chosen layer."""
        return self.layers[-1]

    def clipped(self, layer: LayerField) -> tuple[Interval, ...] | None:
        """The first and last position of the input that a layer's unit sees, along each axis; None if none."""
        if not layer.seen.boxes:
            return None
        axes = map(layer.seen.axis, range(len(self.extents)))
        return tuple((intervals[0][0], intervals[-1][1]) for intervals in axes)

    def overhang(self, layer: LayerField) -> tuple[Interval, ...] | None:
        """The number of positions of a unit's field before the beginning and after the end of the input, by axis."""
        if layer.sees is None:
            return None
        axes = zip(layer.sees, self.extents, strict=True)
        return tuple((max(-first, 0), max(last - extent + 1, 0)) for (first, last), extent in axes)

    def share(self, layer: LayerField) -> float:
        """The share of the input's positions that a layer's unit sees, along paths that keep positions."""
        return self.part(layer.seen)

    def part(self, seen: Seen) -> float:
        """The share of the input's positions in a set."""
        all_of_it: int = elements(self.extents)
        return volume(seen.boxes) / all_of_it


def _plain(found: NeuronField, layer: LayerField) -> dict[str, Any]:
    overhang = found.overhang(layer)
    shared = layer.everything and {"from": layer.global_from, **_plain_seen(found, layer.everything)}
    return {
        "name": layer.name,
        "unit": list(layer.unit),
        "size": [axis.size for axis in layer.axes],
        "jump": [exact(*axis.jump_ratio) for axis in layer.axes],
        "center": None if layer.sees is None else [exact(first + last, 2) for first, last in layer.sees],
        "sees": None if layer.sees is None else [list(interval) for interval in layer.sees],
        "overhang": None if overhang is None else [list(ends) for ends in overhang],
        **_plain_seen(found, layer.seen),
        "global": shared or None,
    }


def _plain_seen(found: NeuronField, seen: Seen) -> dict[str, Any]:
    """A set of positions for JSON: a list of boxes, each with a list of intervals for every axis."""
    boxes = [[[list(interval) for interval in intervals] for intervals in box] for box in seen.boxes]
    return {"seen": boxes, "share": found.part(seen), "exact": seen.exact}


def find_neuron_field(
    context: AnalysisContext,
    layer: int | None = None,
    unit: Sequence[int] | None = None,
    depth: int | None = None,
    source: str | None = None,
) -> NeuronField:
    """The field of a unit; by default of the middle unit of the last layer whose units have different fields.

    `layer` is a position in the graph. `depth` collapses blocks, which are represented by their output layer. `source`
    is the input, by default the first of which the layer sees positions. Raises UsageError for a layer whose units have
    no positions, and for a unit or an input that does not exist.
    """
    position = _last_with_positions(context, source) if layer is None else layer
    chosen = _source(context, position, source)
    check_depth(depth)
    return _Question(context, chosen, position).answer(unit, depth)


class _Question:
    """Finds the fields of a layer on an input."""

    def __init__(self, context: AnalysisContext, source: str, position: int) -> None:
        self.context, self.source, self.position = context, source, position
        self.field = _field_with_positions(context, position, source)
        self.input_edge = [*context.graph.inputs].index(source)
        self._links: dict[int, frozenset[Link]] = {}

    def answer(self, unit: Sequence[int] | None, depth: int | None) -> NeuronField:
        """The fields of a unit of the layer, and of units of the layers before it."""
        context, field = self.context, self.field
        units = _units(field)
        chosen = tuple(extent // 2 for extent in units) if unit is None else _checked(unit, units)
        edge = context.graph.edge(self.position)
        read = depends_on(context, edge, self._box(edge, field, chosen))
        own = self._layer_field(edge, context.graph.edge_names[edge], field, chosen, read)
        known = [*self._before(edge, depth).items()]
        walked = accumulate(min(other, len(read)) for other, _ in reversed(known))
        left_out = sum(steps > MOST_WALKED for steps in walked)
        before = [
            self._layer_field(other, name, found, _nearest_units(found, own, read.get(other)))
            for other, (name, found) in known[left_out:]
        ]
        shape = context.graph.inputs[self.source].shape
        return NeuronField(
            network=context.graph.name,
            source=self.source,
            input_shape=shape,
            extents=field.shape,
            units=units,
            layers=(*before, own),
            left_out=left_out,
        )

    def _box(self, edge: int, field: Field, unit: tuple[int, ...]) -> tuple[Intervals, ...]:
        tensor = self.context.tensors[edge]
        assert tensor is not None  # it has a field
        return unit_box(tensor.shape, _places(field, unit))

    def _layer_field(
        self, edge: int, name: str, field: Field, unit: tuple[int, ...], read: Mapping[int, Units] | None = None
    ) -> LayerField:
        """The field of a unit; `read` has the units that it depends on, if they are known already."""
        spans = [axis.span(index) for axis, index in zip(field.axes, unit, strict=True)]
        nothing = any(span.first > span.last for span in spans)
        sees = None if nothing else tuple((int(span.first), int(span.last)) for span in spans)
        box = self._box(edge, field, unit)
        places = [place for axis, place in zip(field.axes, field.places, strict=True) if axis.shared]
        everything = self._seen(field, depends_on(self.context, edge, box) if read is None else read)
        if not places:
            return LayerField(name, unit, field.axes, sees, everything)
        cut = frozenset().union(*map(self._links_along, places))
        origin = self.context.graph.edge_names[min(axis.shared.origin for axis in field.axes if axis.shared)]
        own = self._seen(field, depends_on(self.context, edge, box, cut))
        return LayerField(
            name=name, unit=unit, axes=field.axes, sees=sees, seen=own, everything=everything, global_from=origin
        )

    def _seen(self, field: Field, read: Mapping[int, Units]) -> Seen:
        positions = projected(read.get(self.input_edge, Units(())), field.places)
        return Seen(positions.boxes, not positions.loose, positions.cause)

    def _links_along(self, place: int) -> frozenset[Link]:
        if place not in self._links:
            graph, shapes, fields = self.context.graph, self.context.shapes, self.context.receptive_fields
            self._links[place] = links_that_share(graph, shapes, fields, self.source, place)
        return self._links[place]

    def _before(self, edge: int, depth: int | None) -> dict[int, tuple[str, Field]]:
        """The layers that a layer depends on, in order, with names and fields; collapsed blocks count as one layer."""
        graph, chosen = self.context.graph, self.context.graph.producer(edge)
        assert chosen is not None
        found: dict[int, tuple[str, Field]] = {}
        around = {instance.name for instance in graph.nodes[chosen].instances}
        for other in sorted(graph.ancestors([edge]) - {edge}):
            field = self.context.receptive_fields.on_input(other, self.source)
            position = graph.producer(other)
            if position is None or not isinstance(field, Field) or not _are_like(field, self.field):
                continue
            node = graph.nodes[position]
            name = node.instances[depth - 1].name if depth and len(node.instances) >= depth else node.name
            if name in around:
                continue  # an earlier layer of the chosen layer's own block
            if name == node.name or graph.block_outputs.get(name) == node.name:
                found[other] = (name, field)
        return found


def _are_like(field: Field, own: Field) -> bool:
    """Whether two fields fit in one table: they have the same axes, and no axis is mixed by a reshape."""
    return field.places == own.places and not any(axis.mixed for axis in field.axes)


def _units(field: Field) -> tuple[int, ...]:
    """The number of units along each axis; 1 along axes where all units have the same field."""
    return tuple(axis.extent if axis.advance else 1 for axis in field.axes)


def _places(field: Field, unit: tuple[int, ...]) -> dict[int, int]:
    """The indices of a unit along the axes of the tensor."""
    return {axis.axis: index for axis, index in zip(field.axes, unit, strict=True) if axis.advance}


# choice of the layer and the input


def _source(context: AnalysisContext, position: int, source: str | None) -> str:
    """The input; by default the first of which the layer sees positions."""
    inputs = context.graph.inputs
    if source is not None:
        if source not in inputs:
            raise UsageError(f"no input is called {quoted(source)}", did_you_mean(source, inputs))
        return source
    edge = context.graph.edge(position)
    seen = (name for name in inputs if isinstance(context.receptive_fields.on_input(edge, name), Field))
    return next(seen, next(iter(inputs)))


def _last_with_positions(context: AnalysisContext, source: str | None) -> int:
    """The last layer with several units and different fields; the first of the layers that share these fields."""
    edges = context.receptive_fields.edges
    if any(isinstance(field, Field) and any(axis.hops for axis in field.axes) for field in edges):
        raise UsageError(f"{quoted(context.graph.name)} is of a graph: {_HOPS}")
    for several in (True, False):
        for position in reversed(range(len(context.graph.nodes))):
            chosen = _source(context, position, source)
            field = context.receptive_fields.on_input(context.graph.edge(position), chosen)
            if not isinstance(field, Field) or _why_not(context, position, chosen):
                continue
            if not several or any(axis.advance and axis.extent > 1 for axis in field.axes):
                return _origin(context, position)
    raise UsageError(f"no layer of {quoted(context.graph.name)} has units with positions on an input")


def _origin(context: AnalysisContext, position: int) -> int:
    """The first layer in the same block with the same field."""
    graph, paths = context.graph, context.receptive_fields.paths
    while True:
        source = graph.nodes[position].sources[0]
        before = graph.producer(source)
        if before is None or paths[source] != paths[graph.edge(position)]:
            return position
        if graph.nodes[before].instances != graph.nodes[position].instances:
            return position
        position = before


def _field_with_positions(context: AnalysisContext, position: int, source: str) -> Field:
    if reason := _why_not(context, position, source):
        raise UsageError(f"layer {quoted(context.graph.nodes[position].name)} {reason}")
    field = context.receptive_fields.on_input(context.graph.edge(position), source)
    assert isinstance(field, Field)  # there is no reason against it
    return field


def _why_not(context: AnalysisContext, position: int, source: str) -> str:
    """The reason why the units of a layer have no positions; empty if they have."""
    edge = context.graph.edge(position)
    field = context.receptive_fields.on_input(edge, source)
    if isinstance(field, Unknown):
        return f"has an unknown field: {field.reason}"
    if field is None:
        return _why_unseen(context, edge, source)
    return _why_without_positions(context, position, field)


def _why_unseen(context: AnalysisContext, edge: int, source: str) -> str:
    known = [name for name in context.graph.inputs if context.receptive_fields.on_input(edge, name) is not None]
    if known:
        return f"sees no positions of {quoted(source)}, but of {', '.join(map(quoted, known))}"
    return "has no positions: it depends on no input that has any"


def _why_without_positions(context: AnalysisContext, position: int, field: Field) -> str:
    if any(axis.hops for axis in field.axes):
        return f"is of a graph: {_HOPS}"
    _, output = context.tensors_at(position)
    moving = [axis for axis in field.axes if axis.advance]
    places = [axis.axis for axis in moving]
    if any(axis.mixed for axis in field.axes) or len({*places}) < len(places):
        return "has no positions: a reshape put its units in one row"
    alike = not moving and any(output.shape[axis.axis] > 1 for axis in field.axes)
    if alike or any(output.shape[axis.axis] != axis.extent for axis in moving):
        return f"has no positions: every unit sees {size_text(tuple(axis.size or 0 for axis in field.axes))}"
    return ""


def _checked(unit: Sequence[int], units: tuple[int, ...]) -> tuple[int, ...]:
    if len(unit) != len(units):
        axes = f"{len(units)} number{'s' * (len(units) > 1)}"
        raise UsageError(f"unit {_listed(unit)} must have {axes}: units are {size_text(units)}")
    if not all(0 <= index < extent for index, extent in zip(unit, units, strict=True)):
        ranges = " and ".join(f"0 to {extent - 1}" for extent in units)
        raise UsageError(f"unit {_listed(unit)} does not exist: units are {size_text(units)}, counted {ranges}")
    return tuple(unit)


def _listed(unit: Iterable[int]) -> str:
    return ",".join(map(str, unit))


# units of the layers before


def _nearest_units(field: Field, own: LayerField, read: Units | None) -> tuple[int, ...]:
    """The unit among those in `read` whose field's centre is nearest to that of `own`, along each axis."""
    middles = [first + last for first, last in own.sees] if own.sees else [axis.extent for axis in own.axes]
    return tuple(
        _read_and_nearest(axis, middle, read) if axis.advance else 0
        for axis, middle in zip(field.axes, middles, strict=True)
    )


def _read_and_nearest(axis: AxisField, doubled: int, read: Units | None) -> int:
    unit = _nearest(axis, doubled)
    intervals = along(read.boxes, axis.axis) if read else ()
    ends = (min(max(unit, first), last) for first, last in intervals)
    return min(ends, key=lambda other: abs(other - unit), default=unit)


def _nearest(axis: AxisField, doubled: int) -> int:
    """The unit along an axis whose field's centre is nearest to `doubled` / 2; the first of two at equal distance."""
    found = []
    for phase, span in enumerate(axis.spans()):
        if phase >= axis.extent or span.first > span.last:
            continue
        middle, step, turns = int(span.first + span.last), 2 * axis.advance, (axis.extent - 1 - phase) // axis.period
        turn = (doubled - middle) // step
        nearest = {min(max(turn, 0), turns), min(max(turn + 1, 0), turns)}
        found += [(abs(middle + near * step - doubled), phase + near * axis.period) for near in nearest]
    return min(found, default=(0, 0))[1]
