"""What one unit sees of the input, layer after layer on the way to it.

All numbers are those of `archcalc.analysis.receptive_field`. Each layer before is seen through one of its units: the
one whose field has its middle nearest to that of the unit asked for.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.receptive_field import AxisField, Field
from archcalc.errors import UsageError, quoted
from archcalc.layers.base import Shape, elements, size_text
from archcalc.numbers.bounds import Unknown

Interval = tuple[int, int]  # the first and the last position

_HOPS = "fields are counted in hops between nodes, which have no rows and columns"


class LayerField(NamedTuple):
    """What a unit of a layer sees, along each axis of positions; None for a unit that sees nothing."""

    name: str
    unit: tuple[int, ...]
    axes: tuple[AxisField, ...]
    sees: tuple[Interval, ...] | None


class UnitField(NamedTuple):
    """What a unit of the last of `layers` sees of an input, and units of the layers before it, in order."""

    network: str
    source: str  # the input
    input_shape: Shape
    extents: tuple[int, ...]  # positions of the input along each axis
    units: tuple[int, ...]  # of the layer along each axis
    layers: tuple[LayerField, ...]

    @property
    def last(self) -> LayerField:
        """The layer asked for."""
        return self.layers[-1]

    def clipped(self, layer: LayerField) -> tuple[Interval, ...] | None:
        """The part of what a layer's unit sees that is in the input; None if none is."""
        if layer.sees is None:
            return None
        inside = [
            (max(first, 0), min(last, extent - 1))
            for (first, last), extent in zip(layer.sees, self.extents, strict=True)
        ]
        return tuple(inside) if all(first <= last for first, last in inside) else None

    def overhang(self, layer: LayerField) -> tuple[Interval, ...] | None:
        """How far what a layer's unit sees reaches over the beginning and the end of the input."""
        if layer.sees is None:
            return None
        axes = zip(layer.sees, self.extents, strict=True)
        return tuple((max(-first, 0), max(last - extent + 1, 0)) for (first, last), extent in axes)

    def share(self, layer: LayerField) -> float:
        """The part of the input's positions that a layer's unit sees."""
        inside = self.clipped(layer)
        seen: int = elements(tuple(last - first + 1 for first, last in inside)) if inside else 0
        all_of_it: int = elements(self.extents)
        return seen / all_of_it


def find_unit_field(
    analysed: AnalysedGraph, layer: int | None = None, unit: Sequence[int] | None = None, depth: int | None = None
) -> UnitField:
    """What a unit of a layer, by its place in the graph, sees; of the last one whose units differ, and the middle one.

    `depth` folds blocks, of which only the last layer is then told. Raises UsageError for a layer whose units have no
    positions, and for a unit that it does not have.
    """
    position = _last_with_positions(analysed) if layer is None else layer
    field = _field_with_positions(analysed, position)
    units = tuple(axis.extent for axis in field.axes)
    chosen = tuple(extent // 2 for extent in units) if unit is None else _checked(unit, units)
    own = _layer_field(analysed.graph.nodes[position].name, field, chosen)
    before = [
        _layer_field(name, found, _nearest_units(found, own))
        for name, found in _fields_before(analysed, position, depth)
        if found.source == field.source and not any(axis.mixed for axis in found.axes)
    ]
    shape = analysed.graph.inputs[field.source].shape
    return UnitField(analysed.graph.name, field.source, shape, field.shape, units, (*before, own))


def _last_with_positions(analysed: AnalysedGraph) -> int:
    """The last layer with several units that see different parts; of layers that see alike the first."""
    inputs, edges = len(analysed.graph.inputs), analysed.receptive_fields.edges
    if any(isinstance(field, Field) and any(axis.hops for axis in field.axes) for field in edges):
        raise UsageError(f"{quoted(analysed.graph.name)} is of a graph: {_HOPS}")
    for several in (True, False):
        for position in reversed(range(len(analysed.graph.nodes))):
            field = edges[inputs + position]
            if _why_not(analysed, position) or not isinstance(field, Field):
                continue
            if not several or any(axis.advance and axis.extent > 1 for axis in field.axes):
                return _origin(analysed, position)
    raise UsageError(f"no layer of {quoted(analysed.graph.name)} has units with positions on an input")


def _origin(analysed: AnalysedGraph, position: int) -> int:
    """The layer that made a field which others of its block pass on."""
    nodes, inputs, edges = analysed.graph.nodes, len(analysed.graph.inputs), analysed.receptive_fields.edges
    while True:
        source = nodes[position].sources[0]
        if source < inputs or edges[source] != edges[inputs + position]:
            return position
        if nodes[source - inputs].instances != nodes[position].instances:
            return position
        position = source - inputs


def _field_with_positions(analysed: AnalysedGraph, position: int) -> Field:
    if reason := _why_not(analysed, position):
        raise UsageError(f"layer {quoted(analysed.graph.nodes[position].name)} {reason}")
    field = analysed.receptive_fields.edges[len(analysed.graph.inputs) + position]
    assert isinstance(field, Field)  # or else there is a reason
    return field


def _why_not(analysed: AnalysedGraph, position: int) -> str:
    """Why the units of a layer cannot be told by their positions; nothing if they can."""
    field = analysed.receptive_fields.edges[len(analysed.graph.inputs) + position]
    if isinstance(field, Unknown):
        return f"has a field that is not known: {field.reason}"
    if field is None:
        return "has no positions: it depends on no input that has any"
    if any(axis.hops for axis in field.axes):
        return f"is of a graph: {_HOPS}"
    _, output = analysed.tensors_at(position)
    places = [axis.axis for axis in field.axes]
    if any(axis.mixed for axis in field.axes) or len({*places}) < len(places):
        return "has no positions: its units are in one row, whatever they see"
    if any(not axis.advance and output.shape[axis.axis] > 1 for axis in field.axes) or any(
        output.shape[axis.axis] != axis.extent for axis in field.axes
    ):
        return f"has no positions: every unit sees {size_text(tuple(axis.size or 0 for axis in field.axes))}"
    return ""


def _checked(unit: Sequence[int], units: tuple[int, ...]) -> tuple[int, ...]:
    if len(unit) != len(units):
        axes = f"{len(units)} number{'s' * (len(units) > 1)}"
        raise UsageError(f"unit {_listed(unit)} has not {axes}: units are {size_text(units)}")
    if not all(0 <= index < extent for index, extent in zip(unit, units, strict=True)):
        ranges = " and ".join(f"0 to {extent - 1}" for extent in units)
        raise UsageError(f"unit {_listed(unit)} does not exist: units are {size_text(units)}, counted {ranges}")
    return tuple(unit)


def _listed(unit: Iterable[int]) -> str:
    return ",".join(map(str, unit))


def _layer_field(name: str, field: Field, unit: tuple[int, ...]) -> LayerField:
    sees = [axis.sees(index) for axis, index in zip(field.axes, unit, strict=True)]
    nothing = any(first > last for first, last in sees)
    return LayerField(name, unit, field.axes, None if nothing else tuple((int(a), int(b)) for a, b in sees))


def _fields_before(analysed: AnalysedGraph, position: int, depth: int | None) -> Iterable[tuple[str, Field]]:
    """The layers that one depends on, in order, with their fields; those folded into a block by its name."""
    graph, inputs = analysed.graph, len(analysed.graph.inputs)
    needed, waiting = set[int](), [inputs + position]
    while waiting:
        edge = waiting.pop()
        if edge not in needed:
            needed.add(edge)
            waiting.extend(graph.nodes[edge - inputs].sources if edge >= inputs else ())
    found: dict[str, Field] = {}
    around = {instance.name for instance in graph.nodes[position].instances}
    for edge in sorted(needed - {inputs + position}):
        field = analysed.receptive_fields.edges[edge]
        if isinstance(field, Field) and edge >= inputs:
            node = graph.nodes[edge - inputs]
            closed = node.instances[depth - 1].name if depth and len(node.instances) >= depth else node.name
            if closed in around:
                continue  # what comes before it in its own block
            if closed == node.name or graph.block_outputs.get(closed) == node.name:
                found[closed] = field
    return found.items()


def _nearest_units(field: Field, own: LayerField) -> tuple[int, ...]:
    """The unit whose field has its middle nearest to that of another, along each axis."""
    if own.sees is None:
        return tuple(0 for _ in field.axes)
    return tuple(_nearest(axis, first + last) for axis, (first, last) in zip(field.axes, own.sees, strict=True))


def _nearest(axis: AxisField, doubled: int) -> int:
    """The unit along an axis whose middle, doubled, is nearest; the first of two as near."""
    if not axis.advance:
        return 0
    found = []
    for phase, (first, last) in enumerate(zip(axis.first, axis.last, strict=True)):
        if phase >= axis.extent or first > last:
            continue
        middle, step, turns = int(first + last), 2 * axis.advance, (axis.extent - 1 - phase) // axis.period
        turn = (doubled - middle) // step
        nearest = {min(max(turn, 0), turns), min(max(turn + 1, 0), turns)}
        found += [(abs(middle + near * step - doubled), phase + near * axis.period) for near in nearest]
    return min(found, default=(0, 0))[1]
