"""Predicted and measured receptive fields of units, one layer at a time."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

import torch

from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.dependence import Units, depends_on, positions_read, unit_box
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.intervals import Interval, everything
from archcalc.analysis.receptive_field import Field, links_that_share
from archcalc.arithmetic import Window
from archcalc.layers.base import AnyWindow, TableWindow
from archcalc.pytorch.verify.gradients import Cut, Measurable

Places = tuple[int, ...]  # the position of a unit along each axis of a field


class Sources(NamedTuple):
    """The inputs on which an edge has a field of the same shape, with the field on each."""

    fields: dict[str, Field]

    def along(self, number: int) -> Iterator[tuple[str, Field]]:
        """The inputs on which the edge's units have positions along an axis of the field."""
        return ((name, field) for name, field in self.fields.items() if field.axes[number].advance)


class Claims:
    """The predicted fields of a network's layers at one input size, and the links to cut for measuring them."""

    def __init__(self, context: AnalysisContext) -> None:
        self.context = context
        self._links: dict[tuple[str, int], Cut] = {}

    def field(self, position: int) -> Any:
        """The field of a layer, as in the summary."""
        return self.context.receptive_fields.edges[self.context.graph.edge(position)]

    def sources(self, edge: int, field: Field) -> Sources:
        """The inputs on which an edge has a field of the same shape."""
        found = {name: self.context.receptive_fields.on_input(edge, name) for name in self.context.graph.inputs}
        return Sources(
            {name: own for name, own in found.items() if isinstance(own, Field) and own.shape == field.shape}
        )

    def cut(self, edge: int, source: str, field: Field, number: int) -> Cut:
        """The links to cut so that only paths that keep positions remain; none if there are no others."""
        own = self.context.receptive_fields.edges[edge]
        if not isinstance(own, Field) or not any(axis.shared for axis in (field.axes[number], own.axes[number])):
            return frozenset()
        place = field.places[number]
        if (source, place) not in self._links:
            graph, shapes, fields = self.context.graph, self.context.shapes, self.context.receptive_fields
            self._links[source, place] = links_that_share(graph, shapes, fields, source, place)
        return self._links[source, place]

    def all_cuts(self, edges: Iterable[int]) -> Cut:
        """All links that are cut for one of the edges."""
        found = set[tuple[int, int]]()
        for edge in edges:
            field = self.context.receptive_fields.edges[edge]
            if isinstance(field, Field) and any(axis.shared for axis in field.axes):
                for name, own in self.sources(edge, field).fields.items():
                    for number in range(len(own.axes)):
                        found |= self.cut(edge, name, own, number)
        return frozenset(found)


class UnitFields:
    """The measured and predicted fields of units of one layer."""

    def __init__(self, claims: Claims, measurable: Measurable, edge: int, field: Field) -> None:
        self.claims, self.measurable, self.edge, self.field = claims, measurable, edge, field
        self.sources = claims.sources(edge, field)

    def interval(self, unit: Places, number: int) -> tuple[Interval, int] | None:
        """A unit's measured field along one axis, by paths that keep positions: its ends and its number of positions.

        None if the field is empty.
        """
        seen = torch.zeros(self.field.shape[number], dtype=torch.bool)
        for name, field in self.sources.along(number) if self.field.axes[number].advance else self._all():
            cut = self.claims.cut(self.edge, name, field, number)
            seen |= _along(self.measurable.seen(self.edge, self.places(unit), cut)[name], field.places[number])
        positions = seen.nonzero()
        return ((int(positions[0]), int(positions[-1])), len(positions)) if len(positions) else None

    def _all(self) -> Iterable[tuple[str, Field]]:
        return self.sources.fields.items()

    def places(self, unit: Places) -> dict[int, int]:
        """The positions of a unit, by axis of the tensor."""
        along = [axis.axis for axis in self.field.axes]
        # Units that all have the same field are measured one by one, if their axes are distinct spatial ones.
        apart = len({*along}) == len(along) and 0 not in along
        pairs = zip(self.field.axes, unit, strict=True)
        return {axis.axis: place for axis, place in pairs if axis.advance or apart}

    def hull(self, unit: Places) -> list[list[int]] | None:
        """The ends of a unit's measured field along every axis, by all paths."""
        masks = self.measurable.seen(self.edge, self.places(unit))
        return _hull(self._on_positions(masks))

    def claimed_hull(self, unit: Places) -> list[list[int]] | None:
        """The ends of a unit's predicted field along every axis, by all paths."""
        return _hull(self._on_positions({name: mask for name, (mask, _) in self.claimed(unit).items()}))

    def _on_positions(self, masks: Mapping[str, torch.Tensor]) -> torch.Tensor:
        fields = self.sources.fields.items()
        found = torch.zeros(self.field.shape, dtype=torch.bool)
        for name, field in fields:
            hidden = [axis for axis in range(masks[name].dim()) if axis not in field.places]
            found |= masks[name].amax(hidden) if hidden else masks[name]
        return found

    def claimed(self, unit: Places) -> dict[str, tuple[torch.Tensor, bool]]:
        """A unit's predicted field by all paths, as a mask of each input, and whether the mask is exact."""
        context = self.claims.context
        tensor = context.tensors[self.edge]
        assert tensor is not None  # else the edge would have no field
        found = depends_on(context, self.edge, unit_box(tensor.shape, self.places(unit)))
        return {
            name: _mask(found.get(edge, Units(())), context.graph.inputs[name].shape, field.places)
            for edge, name in enumerate(context.graph.inputs)
            if (field := self.sources.fields.get(name)) is not None
        }

    def agrees(self, unit: Places) -> bool | None:
        """Whether a unit's measured field equals the predicted one; None if it is a part of an inexact prediction."""
        masks, exact = self.measurable.seen(self.edge, self.places(unit)), True
        for name, (claimed, known) in self.claimed(unit).items():
            places = self.sources.fields[name].places
            hidden = [axis for axis in range(masks[name].dim()) if axis not in places]
            found = masks[name].amax(hidden) if hidden else masks[name]
            expected = claimed.amax(hidden) if hidden else claimed
            if torch.equal(found, expected):
                continue
            if known or bool((found & ~expected).any()):
                return False
            exact = False
        return True if exact else None

    @cached_property
    def may_see_less(self) -> bool:
        """Whether the layer's field may exceed every unit's: it treats axes separately, and all channels together."""
        context = self.claims.context
        for edge in depends_on(context, self.edge, unit_box(_shape(context, self.edge), {})):
            axes = (axis for path in context.receptive_fields.paths[edge] for axis in path.axes)
            if any(_has_gaps(axis) for axis in axes if isinstance(axis, AxisField)):
                return True
            position = context.graph.producer(edge)
            inferred = None if position is None else context.shapes.inferred[position]
            if inferred and _reads_a_part(inferred):
                return True
        return False


def _reads_a_part(inferred: InferredLayer) -> bool:
    """Whether the layer ignores some units of an input, as a slice or a connection table does."""
    return any(
        _leaves_out(read.window, inferred.output.shape[read.axis], size)
        for tensor, reads in zip(inferred.inputs, inferred.dependencies, strict=True)
        for read, size in zip(reads, tensor.shape, strict=False)
    )


def _leaves_out(window: AnyWindow, units: int, size: int) -> bool:
    if isinstance(window, TableWindow):
        return positions_read(everything(units), window, size)[0] != everything(size)
    return isinstance(window, Window) and window.kernel == window.stride == 1 and units < size


def _shape(context: AnalysisContext, edge: int) -> tuple[int, ...]:
    tensor = context.tensors[edge]
    assert tensor is not None
    return tensor.shape


def _has_gaps(axis: AxisField) -> bool:
    return any(first > last for first, last in zip(axis.first, axis.last, strict=True))


def _along(mask: torch.Tensor, axis: int) -> torch.Tensor:
    others = [other for other in range(mask.dim()) if other != axis]
    return mask.amax(others) if others else mask


def _hull(seen: torch.Tensor) -> list[list[int]] | None:
    positions = seen.nonzero()
    if not len(positions):
        return None
    return [[int(axis.min()), int(axis.max())] for axis in positions.T]


def _mask(units: Units, shape: tuple[int, ...], places: tuple[int, ...]) -> tuple[torch.Tensor, bool]:
    """Units as a mask, and whether they are exact along the spatial axes."""
    found = torch.zeros(shape, dtype=torch.bool)
    for box in units.boxes:
        part = torch.ones((), dtype=torch.bool)
        for axis, intervals in enumerate(box):
            line = torch.zeros(shape[axis], dtype=torch.bool)
            for first, last in intervals:
                line[first : last + 1] = True
            part = part & line.reshape([-1 if other == axis else 1 for other in range(len(shape))])
        found |= part
    return found, not units.loose.intersection(places)
