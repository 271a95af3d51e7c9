"""Propagates receptive fields along the graph: size, jump and centre per axis (Araujo, Norris, Sim 2019).

Every axis of every input is propagated separately (`archcalc.analysis.axis_field`). One axis may hold channels or
features instead of positions: it is the first axis of an input with more than two axes; for an input with two axes, the
first layer on the path that reads one as features decides; an input of integers has no such axis. Where branches meet,
the field is the union of the branches' fields.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, reduce

from msgspec import Struct, structs

from archcalc.analysis.axis_field import CURRENT_LAYER, AnyAxis, AxisField, Unplaced, read_axis
from archcalc.analysis.branches import unite_axes
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.shapes import Shapes
from archcalc.arithmetic import POINT
from archcalc.errors import quoted
from archcalc.graph import Graph
from archcalc.layers.base import INTEGER, Dependency, Shape, Tensor, size_text
from archcalc.numbers.bounds import Unknown

__all__ = ["AxisField", "Field", "Path", "ReceptiveFields", "propagate_receptive_fields", "propagate_shortest_fields"]


class Path(Struct, frozen=True, gc=False):
    """The fields of an edge's units on one input, along each axis that may hold positions.

    `places` are these axes of the input. `features` are the axes among them that hold channels or features; None while
    no layer on the path has decided. The decision of a layer without a window is not `firm`: a later layer may change
    it.
    """

    source: str
    places: tuple[int, ...]
    shape: Shape
    axes: tuple[AnyAxis, ...]
    features: tuple[int, ...] | None = ()
    firm: bool = True


class Field(Struct, frozen=True, gc=False):
    """The receptive field of an edge: one AxisField for each spatial axis of the input called `source`."""

    source: str
    shape: Shape  # of the positions
    axes: tuple[AxisField, ...]
    places: tuple[int, ...] = ()  # of the axes in the input


class ReceptiveFields(Struct, frozen=True, gc=False):
    """The field of every edge: None if no input has positions, Unknown if it cannot be derived.

    `paths` has the fields of every edge by input. Inputs with the same numbers of positions share a field.
    """

    edges: list[Field | Unknown | None]
    misaligned: dict[int, tuple[AxisField, ...]]  # by edge: branches that meet with different centres
    paths: list[tuple[Path, ...]]
    roles: dict[str, set[tuple[int, ...]]]  # by input: the axes that layers read as features

    def on_input(self, edge: int, source: str) -> Field | Unknown | None:
        """The field of an edge on one input."""
        found = (_positions(path, self.roles[source]) for path in self.paths[edge] if path.source == source)
        return next(found, None)


Paths = tuple[Path, ...]
Meet = Callable[[Paths], Path]  # combines the fields of branches


def propagate_receptive_fields(graph: Graph, shapes: Shapes) -> ReceptiveFields:
    """The receptive field of every edge whose shape is known."""
    return _Fold(graph, shapes, _unite).fields()


def propagate_shortest_fields(graph: Graph, shapes: Shapes) -> ReceptiveFields:
    """The receptive field of every edge along the shortest path: where branches meet, the smallest field."""
    return _Fold(graph, shapes, _narrowest).fields()


class _Fold:
    """Propagates the paths of all inputs along the graph."""

    def __init__(self, graph: Graph, shapes: Shapes, meet: Meet) -> None:
        self.graph, self.shapes, self.meet = graph, shapes, meet
        # The axes that layers read as features, by input, and whether firmly.
        self.roles: dict[tuple[str, bool], set[tuple[int, ...]]] = {}
        self.misaligned: dict[int, tuple[AxisField, ...]] = {}
        self.paths: list[Paths] = [_of_input(name, tensor) for name, tensor in graph.inputs.items()]
        for position in range(len(graph.nodes)):
            self.paths.append(self._behind(position))

    def fields(self) -> ReceptiveFields:
        """The paths and fields of all edges."""
        roles = {name: self._role(name) for name in self.graph.inputs}
        edges: list[Field | Unknown | None] = [
            _field_of_input(paths, roles) if edge < len(roles) else _field(paths, roles)
            for edge, paths in enumerate(self.paths)
        ]
        for position, tensor in enumerate(self.shapes.edges[len(roles) :]):
            if tensor is None:
                edges[len(roles) + position] = Unknown("the shape is not known")
        return ReceptiveFields(edges, self.misaligned, self.paths, roles)

    def _role(self, name: str) -> set[tuple[int, ...]]:
        return self.roles.get((name, True)) or self.roles.get((name, False)) or set()

    def _behind(self, position: int) -> Paths:
        node, inferred = self.graph.nodes[position], self.shapes.inferred[position]
        edge = self.graph.edge(position)
        if inferred is None or self.shapes.edges[edge] is None:
            return ()
        if inferred.keeps_positions:
            return self._read_by_role(self.paths[node.sources[0]], inferred, 0)
        behind: dict[str, list[Path]] = {}
        for number, (source, reads) in enumerate(zip(node.sources, inferred.dependencies, strict=True)):
            if reads or not inferred.inputs[number].shape:
                for path in self._read_by_role(self.paths[source], inferred, number):
                    behind.setdefault(path.source, []).append(_through(path, reads, inferred.output.shape))
        if len(node.sources) > 1 and (apart := _misaligned(behind.values())):
            self.misaligned[edge] = apart
        met = [
            _filled(self.meet(tuple(paths)) if len(paths) > 1 else paths[0], len(paths) == len(node.sources))
            for paths in behind.values()
        ]
        return tuple([_with_edge(path, edge) for path in met])

    def _read_by_role(self, paths: Paths, inferred: InferredLayer, number: int) -> Paths:
        """The paths as a layer reads them; a layer that combines channels decides which axis holds them."""
        if inferred.layer.channel_axis is None or all(path.firm for path in paths):
            return paths
        axis = inferred.layer.channel_axis % len(inferred.inputs[number].shape)
        firm = any(read.window != POINT for read in inferred.dependencies[number])
        decided = tuple([_decided(path, axis, firm) for path in paths])
        for before, path in zip(paths, decided, strict=True):
            if path is not before and path.features is not None:
                self.roles.setdefault((path.source, firm), set()).add(path.features)
        return decided


def _of_input(name: str, tensor: Tensor) -> Paths:
    """The path of an input on itself; without its first axis if that holds channels."""
    places = tuple(range(len(tensor.shape)))
    undecided = tensor.dtype not in INTEGER and len(places) == 2
    if tensor.dtype not in INTEGER and not undecided:
        places = places[1:]
    axes = tuple([AxisField((0,), (0,), 1, axis, tensor.shape[axis]) for axis in places])
    shape = tuple([tensor.shape[axis] for axis in places])
    return (
        (
            Path(
                source=name,
                places=places,
                shape=shape,
                axes=axes,
                features=None if undecided else (),
                firm=not undecided,
            ),
        )
        if axes
        else ()
    )


def _decided(path: Path, axis: int, firm: bool) -> Path:
    """The path with the input axis as features that lies along a tensor's axis, if there is exactly one."""
    if path.firm or (path.features is not None and not firm):
        return path
    along = [place for place, field in zip(path.places, path.axes, strict=True) if _lies_along(field, axis)]
    return structs.replace(path, features=(along[0],), firm=firm) if len(along) == 1 else path


def _lies_along(field: AnyAxis, axis: int) -> bool:
    if isinstance(field, Unknown):
        return False
    return field.axis == axis and not (isinstance(field, AxisField) and field.mixed)


# Networks repeat layers, so the same arguments recur.
@lru_cache(maxsize=4096)
def _through(path: Path, reads: tuple[Dependency, ...], output: Shape) -> Path:
    axes = [_through_axis(before, reads, output) for before in path.axes]
    return structs.replace(path, axes=tuple(axes))


def _through_axis(before: AnyAxis, reads: tuple[Dependency, ...], output: Shape) -> AnyAxis:
    if isinstance(before, Unknown):
        return before
    read = reads[before.axis] if reads else Dependency(POINT, 0)
    return read_axis(before, read, output[read.axis] if output else 1)


def _filled(path: Path, everywhere: bool) -> Path:
    """The path behind a concatenation: if all inputs have it (`everywhere`), units can share one field."""
    if not everywhere or not any(isinstance(axis, Unplaced) and axis.alike for axis in path.axes):
        return path
    axes = [axis.alike if isinstance(axis, Unplaced) and axis.alike else axis for axis in path.axes]
    return structs.replace(path, axes=tuple(axes))


def _with_edge(path: Path, edge: int) -> Path:
    """The path with the number of the layer's edge in place of CURRENT_LAYER."""
    if all(not isinstance(axis, AxisField) or CURRENT_LAYER not in _origins(axis) for axis in path.axes):
        return path
    return structs.replace(path, axes=tuple([_with_origin(axis, edge) for axis in path.axes]))


def _origins(axis: AxisField) -> tuple[int | None, ...]:
    return axis.origin, axis.shared.origin if axis.shared else None


def _with_origin(axis: AnyAxis, edge: int) -> AnyAxis:
    if not isinstance(axis, AxisField):
        return axis
    shared = axis.shared._replace(origin=edge) if axis.shared and axis.shared.origin == CURRENT_LAYER else axis.shared
    return axis._replace(origin=edge if axis.origin == CURRENT_LAYER else axis.origin, shared=shared)


def links_that_share(
    graph: Graph, shapes: Shapes, fields: ReceptiveFields, source: str, place: int
) -> frozenset[tuple[int, int]]:
    """The links that keep no positions along an axis of an input: a layer's edge, and the number of its input.

    All units of the layer have the same field through such a link.
    """
    found = set[tuple[int, int]]()
    for edge, (node, inferred) in enumerate(zip(graph.nodes, shapes.inferred, strict=True), start=graph.first_edge):
        if inferred is None or not inferred.fits:
            continue
        for number, read in enumerate(node.sources):
            for path in fields.paths[read]:
                reads = inferred.dependencies[number]
                if path.source == source and place in path.places and (reads or not inferred.inputs[number].shape):
                    axis = _through_axis(path.axes[path.places.index(place)], reads, inferred.output.shape)
                    if isinstance(axis, AxisField) and axis.advance == 0:
                        found.add((edge, number))
    return frozenset(found)


# where branches meet


@lru_cache(maxsize=4096)
def _unite(paths: Paths) -> Path:
    axes = tuple(map(unite_axes, zip(*(path.axes for path in paths), strict=True)))
    return structs.replace(reduce(_in_common, paths), axes=axes)


def _in_common(one: Path, other: Path) -> Path:
    """A path with the features that two paths agree on, or those of one if the other has not decided."""
    if one.firm != other.firm or one.features is None or other.features is None:
        return max(one, other, key=lambda path: (path.features is not None, path.firm))
    return structs.replace(one, features=tuple(place for place in one.features if place in other.features))


def _narrowest(paths: Paths) -> Path:
    """The smallest field on every axis."""
    axes = tuple(map(_smallest, zip(*(path.axes for path in paths), strict=True)))
    return structs.replace(reduce(_in_common, paths), axes=axes)


def _smallest(axes: Sequence[AnyAxis]) -> AnyAxis:
    found, placed = unite_axes(axes), [axis for axis in axes if isinstance(axis, AxisField)]
    if isinstance(found, AxisField) and len(placed) == len(axes):
        return min(placed, key=lambda axis: (axis.advance == 0, axis.size or 0))
    return found


def _misaligned(sources: Iterable[list[Path]]) -> tuple[AxisField, ...]:
    """The fields along the first axis on which units of equal index have fields with different centres."""
    for paths in sources:
        for axes in zip(*(_axes_to_print(path) for path in paths), strict=False):
            moving = [axis for axis in axes if isinstance(axis, AxisField) and axis.advance and axis.period == 1]
            if len({axis.first[0] + axis.last[0] for axis in moving}) > 1:
                return tuple(moving)
    return ()


def _axes_to_print(path: Path) -> list[AnyAxis]:
    hidden = path.features or ()
    return [axis for place, axis in zip(path.places, path.axes, strict=True) if place not in hidden]


# the field of an edge


def _field(paths: Paths, roles: dict[str, set[tuple[int, ...]]]) -> Field | Unknown | None:
    """The union of the fields on all inputs; Unknown if inputs of different sizes meet."""
    fields = [field for path in paths if (field := _positions(path, roles[path.source])) is not None]
    if not fields:
        return None
    found = fields[0]
    for other in fields[1:]:
        if isinstance(found, Unknown):
            return found
        if isinstance(other, Unknown):
            return other
        found = _unite_inputs(found, other)
    return found


def _field_of_input(paths: Paths, roles: dict[str, set[tuple[int, ...]]]) -> Field | Unknown | None:
    """The field of an input on itself, along the axes that no layer reads as features."""
    if not paths:
        return None
    (path,) = paths
    if path.features is not None:
        return _positions(path, set())
    hidden = {place for places in roles[path.source] for place in places} or {0}
    return _positions(structs.replace(path, features=tuple(hidden)), set())


def _positions(path: Path, roles: set[tuple[int, ...]]) -> Field | Unknown | None:
    """The field along the spatial axes of a path; None if there are none.

    If the path has not decided on features, other paths do if they agree; else the first axis holds channels.
    """
    hidden = path.features
    if hidden is None:
        hidden = next(iter(roles)) if len(roles) == 1 else (0,)
    axes = [axis for place, axis in zip(path.places, path.axes, strict=True) if place not in hidden]
    places = tuple([place for place in path.places if place not in hidden])
    shape = tuple([size for place, size in zip(path.places, path.shape, strict=True) if place not in hidden])
    return _known(path.source, shape, axes, places) if axes else None


def _known(source: str, shape: Shape, axes: list[AnyAxis], places: tuple[int, ...]) -> Field | Unknown:
    placed: list[AxisField] = []
    for axis in axes:
        if not isinstance(axis, AxisField):
            return axis if isinstance(axis, Unknown) else Unknown(axis.reason)
        placed.append(axis)
    return Field(source, shape, tuple(placed), places)


@lru_cache(maxsize=4096)
def _unite_inputs(one: Field, other: Field) -> Field | Unknown:
    if one.shape != other.shape:
        sizes = f"{size_text(one.shape)} and {size_text(other.shape)}"
        names = f"{quoted(one.source)} and {quoted(other.source)}"
        return Unknown(f"positions of inputs {names} of different sizes meet: {sizes}")
    axes: list[AnyAxis] = [unite_axes(pair) for pair in zip(one.axes, other.axes, strict=True)]
    return _known(one.source, one.shape, axes, one.places)
