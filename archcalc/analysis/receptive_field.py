"""Which part of the input every unit sees: size, jump and centre per axis (Araujo, Norris, Sim 2019).

For every edge and every axis of positions of the network's input, the fold keeps the first and the last position that
a unit sees, as whole numbers. Most fields are the same for all units, only moved; behind an upsampling they depend on
the unit's phase, and the largest is reported. Where branches meet it is the union. Nothing is clipped at the border.
"""

import math
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.shapes import Shapes
from archcalc.arithmetic import POINT, Window, field_size, field_start
from archcalc.errors import quoted
from archcalc.graph import Graph
from archcalc.layers.base import INTEGER, MAX_PHASES, Layer, PhasedWindow, Read, Shape, Tensor, UnknownWindow
from archcalc.numbers.bounds import Unknown

if TYPE_CHECKING:
    from fractions import Fraction

MAX_BITS = 256  # of a jump

# A unit that sees nothing has its first position behind its last; the infinities are neutral in a union.
NOTHING = (math.inf, -math.inf)
TOO_FINE = [NOTHING] * (MAX_PHASES + 1)  # more phases than are followed
MAX_READS = 2**16  # of units, to find the fields of all phases


class AxisField(NamedTuple):
    """The field along one axis of the input, for the units laid out along one axis of the tensor.

    Unit i of the first period sees `first[i]` to `last[i]`; the next period sees `advance` positions further on.
    """

    first: tuple[float, ...]
    last: tuple[float, ...]
    advance: int
    axis: int  # of the tensor
    extent: int  # units along it
    mixed: bool = False  # with other axes, by a reshape
    hops: bool = False  # counted in edges of a graph

    @property
    def period(self) -> int:
        """Units after which the field repeats."""
        return len(self.first)

    @property
    def size(self) -> int | None:
        """The number of positions from the first to the last, of the unit that sees most; in hops for a graph."""
        largest = max(last - first + 1 for first, last in zip(self.first, self.last, strict=True))
        if largest <= 0:
            return None
        return int(largest - 1) // 2 if self.hops else int(largest)

    @property
    def jump_ratio(self) -> tuple[int, int]:
        """The jump as numerator and denominator in lowest terms."""
        common = math.gcd(self.advance, self.period)
        return self.advance // common, self.period // common

    @property
    def center_doubled(self) -> int | None:
        """Twice the center, which is whole; None if the first unit sees nothing."""
        return None if self.first[0] > self.last[0] else int(self.first[0] + self.last[0])

    @property
    def jump(self) -> "Fraction":
        """The distance between neighbouring units, in input positions."""
        from fractions import Fraction

        return Fraction(*self.jump_ratio)

    @property
    def center(self) -> "Fraction | None":
        """The middle of what the first unit sees; None if it sees nothing."""
        from fractions import Fraction

        return None if self.center_doubled is None else Fraction(self.center_doubled, 2)

    def sees(self, unit: int) -> tuple[float, float]:
        """The first and the last position that a unit sees."""
        turns, phase = divmod(unit, self.period)
        return self.first[phase] + turns * self.advance, self.last[phase] + turns * self.advance

    def covered(self) -> tuple[float, float]:
        """What all units see together."""
        # Within one period of either end the field has shown all its phases.
        near = range(min(self.period, self.extent))
        far = range(max(0, self.extent - self.period), self.extent)
        return _union(self.sees(unit) for unit in (*near, *far))


class Field(NamedTuple):
    """The receptive field of an edge: one AxisField for each axis of positions of the input called `source`."""

    source: str
    shape: Shape  # of the positions
    axes: tuple[AxisField, ...]


class ReceptiveFields(NamedTuple):
    """The field on every edge: None where there are no positions to see, Unknown where it cannot be said."""

    edges: list[Field | Unknown | None]
    misaligned: dict[int, tuple[AxisField, ...]]  # by edge: branches that meet with different centres


Meet = Callable[[list[Field | Unknown]], Field | Unknown | None]  # what a unit sees through all inputs of a layer


def fold_receptive_fields(graph: Graph, shapes: Shapes) -> ReceptiveFields:
    """The receptive field of every edge whose shape is known."""
    return _fold(graph, shapes, _meet)


def fold_shortest_fields(graph: Graph, shapes: Shapes) -> ReceptiveFields:
    """The same along the path that widens it least: where branches meet, the smallest of their fields."""
    return _fold(graph, shapes, _narrowest)


def _fold(graph: Graph, shapes: Shapes, meet: Meet) -> ReceptiveFields:
    tensors, first = shapes.edges, len(graph.inputs)
    channel_axes = _channel_axes(graph, tensors)
    edges: list[Field | Unknown | None] = [
        _input_field(name, tensor, channel_axes[edge]) for edge, (name, tensor) in enumerate(graph.inputs.items())
    ]
    misaligned: dict[int, tuple[AxisField, ...]] = {}
    for position, (node, facts) in enumerate(zip(graph.nodes, shapes.facts, strict=True)):
        output = tensors[first + position]
        if facts is None or output is None:
            edges.append(Unknown("the shape is not known"))
            continue
        if facts.keeps_positions:
            edges.append(edges[node.sources[0]])
            continue
        behind = _behind_layer([edges[source] for source in node.sources], facts.reads, output.shape)
        edges.append(meet(behind))
        if len(behind) > 1 and (apart := _misaligned(behind)):
            misaligned[first + position] = apart
    return ReceptiveFields(edges, misaligned)


def _input_field(name: str, tensor: Tensor, channel_axis: int | None) -> Field | None:
    positions = [axis for axis in range(len(tensor.shape)) if axis != channel_axis]
    axes = tuple(AxisField((0,), (0,), 1, axis, tensor.shape[axis]) for axis in positions)
    return Field(name, tuple(tensor.shape[axis] for axis in positions), axes) if axes else None


def _channel_axes(graph: Graph, tensors: list[Tensor | None]) -> dict[int, int | None]:
    """The axis of every input that holds channels or features, not positions.

    It is the first one, and every axis of an input of integers holds positions. Only an input of two axes may be
    `channels × length` or `tokens × features`: the first layer with an opinion decides.
    """
    found: dict[int, int | None] = {}
    # By edge, the undecided inputs whose values it holds, and where their two axes have come to lie.
    open_edges: dict[int, dict[int, tuple[int, ...]]] = {}
    for edge, tensor in enumerate(graph.inputs.values()):
        found[edge] = None if tensor.dtype in INTEGER else 0
        if len(tensor.shape) == 2 and tensor.dtype not in INTEGER:
            open_edges[edge] = {edge: (0, 1)}
    decided: set[int] = set()
    for number, node in enumerate(graph.nodes, start=len(graph.inputs)):
        if not open_edges or len(decided) == len(graph.inputs):
            break
        origins = [open_edges.get(source, {}) for source in node.sources]
        if any(origins) and node.layer.channel_axis is None:
            open_edges[number] = _moved_axes(node.layer, origins, [tensors[source] for source in node.sources])
        for origin, axes in (item for items in origins for item in items.items()):
            if node.layer.channel_axis is not None and origin not in decided:
                decided.add(origin)
                found[origin] = axes.index(node.layer.channel_axis % 2)
    return found


def _moved_axes(
    layer: Layer, origins: list[dict[int, tuple[int, ...]]], inputs: list[Tensor | None]
) -> dict[int, tuple[int, ...]]:
    """Where the axes of inputs lie behind a layer that leaves every unit its position; the others are not followed."""
    known = tuple(tensor for tensor in inputs if tensor is not None)
    if len(known) < len(inputs):
        return {}
    moved: dict[int, tuple[int, ...]] = {}
    for found, reads in zip(origins, layer.reads(known), strict=True):
        if len(reads) == 2 and all(read.window == POINT and not read.mixed for read in reads):
            moved |= {origin: tuple(reads[axis].axis for axis in axes) for origin, axes in found.items()}
    return moved


def _behind_layer(
    fields: list[Field | Unknown | None], reads: tuple[tuple[Read, ...], ...], output: Shape
) -> list[Field | Unknown]:
    """The field of each input as a unit of the output sees it; inputs without positions are left out."""
    return [
        field if isinstance(field, Unknown) else _through(field, read, output)
        for field, read in zip(fields, reads, strict=True)
        if field is not None and read
    ]


# Networks repeat themselves, and so do these questions.
@lru_cache(maxsize=4096)
def _through(field: Field, reads: tuple[Read, ...], output: Shape) -> Field | Unknown:
    axes: list[AxisField] = []
    for before in field.axes:
        read = reads[before.axis]
        after = _read_axis(before, read, output[read.axis] if output else 1)
        if isinstance(after, Unknown):
            return after
        axes.append(after)
    return Field(field.source, field.shape, tuple(axes))


def _read_axis(field: AxisField, read: Read, extent: int) -> AxisField | Unknown:
    window = read.window
    if (
        window == POINT
        and (read.axis, extent) == (field.axis, field.extent)
        and not (read.mixed or field.mixed or read.hop)
    ):
        return field
    if field.advance == 0:
        # All units see the same, so whichever are read, nothing is added.
        return field._replace(axis=read.axis, extent=extent, mixed=False)
    if isinstance(window, Window) and window.stride == 0 and (window.kernel > 1 or field.mixed):
        first, last = (0, field.extent - 1) if field.hops else field.covered()
        return AxisField((first,), (last,), 0, read.axis, extent)
    if read.mixed or field.mixed:
        return _mix(field, read)
    return _read_moving(field, read, extent)


def _read_moving(field: AxisField, read: Read, extent: int) -> AxisField | Unknown:
    """The field behind a window of which each unit has its own."""
    window = read.window
    if isinstance(window, UnknownWindow):
        return Unknown(window.reason)
    if isinstance(window, PhasedWindow):
        first_and_last, advance = _read_phased(field, window)
    elif field.period == 1:
        first_and_last, advance = [_read_plain(field, window)], field.advance * window.stride
    else:
        first_and_last, advance = _read_by_phase(field, window)
    if len(first_and_last) > MAX_PHASES:
        return Unknown(f"the field has more than {MAX_PHASES} phases")
    if advance.bit_length() > MAX_BITS:
        return Unknown("the strides together are larger than any input")
    firsts, lasts = zip(*first_and_last, strict=True)
    return AxisField(firsts, lasts, advance, read.axis, extent, hops=field.hops or read.hop)


def _mix(field: AxisField, read: Read) -> AxisField | Unknown:
    if field.extent == 1:
        return field._replace(axis=read.axis, advance=0)
    if isinstance(read.window, UnknownWindow):
        return Unknown(read.window.reason)
    if read.window != Window(1):
        return Unknown("positions were mixed by a reshape")
    return field._replace(axis=read.axis, mixed=True)


def _read_plain(field: AxisField, window: Window) -> tuple[float, float]:
    """What unit 0 sees through a window where all units see alike."""
    if field.first[0] > field.last[0]:
        return NOTHING
    start = field_start(field.first[0], window.before, field.advance)
    size = field_size(field.last[0] - field.first[0] + 1, window.effective, field.advance)
    return start, start + size - 1


def _read_by_phase(field: AxisField, window: Window) -> tuple[list[tuple[float, float]], int]:
    common = math.gcd(field.period, window.stride) if window.stride else field.period
    taps = min(window.kernel, field.period)
    # The first and the last taps that meet every phase reach furthest.
    ends = {*range(taps), *range(window.kernel - taps, window.kernel)}
    period = field.period // common
    if period > MAX_PHASES or period * len(ends) > MAX_READS:
        return TOO_FINE, 0
    starts = (unit * window.stride - window.before for unit in range(period))
    seen = [_union(field.sees(start + tap * window.dilation) for tap in ends) for start in starts]
    return seen, field.advance * window.stride // common


def _read_phased(field: AxisField, window: PhasedWindow) -> tuple[list[tuple[float, float]], int]:
    common = math.gcd(field.period, window.advance)
    turns = field.period // common
    if turns * len(window.first) > MAX_PHASES:
        return TOO_FINE, 0
    seen = [
        _union(field.sees(turn * window.advance + unit) for unit in _ends(first, last, field.period))
        for turn in range(turns)
        for first, last in zip(window.first, window.last, strict=True)
    ]
    return seen, field.advance * window.advance // common


def _ends(first: int, last: int, period: int) -> Iterable[int]:
    if last - first < 2 * period:
        return range(first, last + 1)
    return (*range(first, first + period), *range(last - period + 1, last + 1))


def _union(intervals: Iterable[tuple[float, float]]) -> tuple[float, float]:
    first, last = NOTHING
    for start, end in intervals:
        first, last = min(first, start), max(last, end)
    return first, last


def _meet(fields: list[Field | Unknown]) -> Field | Unknown | None:
    """The union of the fields of all inputs of a layer."""
    if not fields:
        return None
    field = fields[0]
    for other in fields[1:]:
        if isinstance(field, Unknown):
            return field
        if isinstance(other, Unknown):
            return other
        field = _unite(field, other)
    return field


def _narrowest(fields: list[Field | Unknown]) -> Field | Unknown | None:
    """On every axis, the smallest of the fields of all inputs of a layer."""
    found = _meet(fields)
    if not isinstance(found, Field):
        return found
    known = [field for field in fields if isinstance(field, Field)]
    axes = (min(choices, key=lambda axis: axis.size or 0) for choices in zip(*(f.axes for f in known), strict=True))
    return found._replace(axes=tuple(axes))


@lru_cache(maxsize=4096)
def _unite(one: Field, other: Field) -> Field | Unknown:
    if one.shape != other.shape:
        return Unknown(f"inputs {quoted(one.source)} and {quoted(other.source)} of different sizes meet")
    axes = []
    for first, second in zip(one.axes, other.axes, strict=True):
        axis = _unite_axes(first, second)
        if isinstance(axis, Unknown):
            return axis
        axes.append(axis)
    return one._replace(axes=tuple(axes))


def _unite_axes(one: AxisField, other: AxisField) -> AxisField | Unknown:
    if one == other:
        return one
    if one.advance == 0 and other.advance == 0:
        first, last = _union((one.sees(0), other.sees(0)))
        return one._replace(first=(first,), last=(last,))
    for fixed, moving in ((one, other), (other, one)):
        # Whoever sees everything sees no more by the other branch.
        if fixed.advance == 0 and _union((fixed.sees(0), moving.covered())) == fixed.sees(0):
            return fixed
    if one.axis != other.axis or one.mixed != other.mixed:
        return Unknown("branches meet whose units are laid out differently")
    if one.advance * other.period == other.advance * one.period:
        return _unite_phases(one, other, math.lcm(one.period, other.period))
    return Unknown("branches meet of which one moves faster over the input than the other")


def _unite_phases(one: AxisField, other: AxisField, period: int) -> AxisField | Unknown:
    if period > MAX_PHASES:
        return Unknown(f"the union of branches has more than {MAX_PHASES} phases")
    firsts, lasts = zip(*[_union((one.sees(unit), other.sees(unit))) for unit in range(period)], strict=True)
    advance = one.advance * period // one.period
    return one._replace(first=firsts, last=lasts, advance=advance, hops=one.hops or other.hops)


def _misaligned(fields: list[Field | Unknown]) -> tuple[AxisField, ...]:
    """The fields along the first axis on which units of equal position look at different centres."""
    known = [field for field in fields if isinstance(field, Field)]
    if len(known) < 2 or len({len(field.axes) for field in known}) > 1:
        return ()
    for axes in zip(*(field.axes for field in known), strict=True):
        moving = [axis for axis in axes if axis.advance and axis.period == 1]
        if len({axis.first[0] + axis.last[0] for axis in moving}) > 1:
            return tuple(moving)
    return ()
