"""The receptive field of a layer in the summary, and its text."""

import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.spans import Span
from archcalc.errors import printable
from archcalc.layers.base import Shape

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction

HOLES = "°"
HOLES_NOTE = f"{HOLES} holes: a unit does not see every position from the first to the last"


class ReceptiveField(Struct, frozen=True, gc=False):
    """The receptive field of a layer's units in the network's input, per spatial axis.

    `size` is the largest field of a unit, from its first to its last position (None if no unit sees anything); with
    `holes`, the unit does not see every position between them. `jump` is the distance between neighbouring units, and
    `center` the middle of the first unit's field, 0-based. All are in input positions; in a graph network, `unit` is
    `hops`, and so is the size.

    They describe the paths that keep positions. `global_size` is the extent that all units see because a layer reads a
    whole axis, and `global_from` is the first such layer. If no path keeps positions, `jump` is 0 and the size is the
    field that all units share.
    """

    axes: tuple[AxisField, ...]
    shape: Shape = ()  # positions of the input
    global_from: str | None = None

    @property
    def size(self) -> tuple[int | None, ...]:
        """The number of positions from the first to the last one in the field."""
        return tuple([axis.size for axis in self.axes])

    @property
    def jump(self) -> "tuple[Fraction, ...]":
        """Distance between neighbouring units, an exact fraction."""
        return tuple(axis.jump for axis in self.axes)

    @property
    def center(self) -> "tuple[Fraction | None, ...]":
        """Middle of the first unit's field, an exact fraction."""
        return tuple(axis.center for axis in self.axes)

    @property
    def unit(self) -> str:
        """`pixels`, or `hops` in a graph."""
        return "hops" if any(axis.hops for axis in self.axes) else "pixels"

    @property
    def holes(self) -> tuple[bool | None, ...]:
        """Whether some unit does not see every position between its first and last; None if that is unknown."""
        return tuple([axis.holes for axis in self.axes])

    @property
    def global_size(self) -> tuple[int | None, ...]:
        """The number of positions from the first to the last one that all units share; None if they share none."""
        return tuple(_positions(span) if (span := shared_span(axis)) else None for axis in self.axes)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON, with `holes` and `global` only if there are any. Inexact fractions are text."""
        found = {
            "size": list(self.size),
            "jump": [exact(*axis.jump_ratio) for axis in self.axes],
            "center": [None if (double := axis.center_doubled) is None else exact(double, 2) for axis in self.axes],
            "unit": self.unit,
        }
        holes = {"holes": list(self.holes)} if any(hole is not False for hole in self.holes) else {}
        shared = {"size": list(self.global_size), "from": self.global_from}
        return found | holes | ({"global": shared} if self.global_from is not None else {})


def receptive_field(field: Field, names: tuple[str, ...]) -> ReceptiveField:
    """Make the summary's field, with the name of the first layer that reads a whole axis; `names` are of all edges."""
    axes = zip(field.axes, field.shape, strict=True)
    origins = [origin for axis, size in axes if size > 1 and (origin := _origin(axis)) is not None]
    return ReceptiveField(field.axes, field.shape, names[min(origins)] if origins else None)


def _origin(axis: AxisField) -> int | None:
    return axis.shared.origin if axis.shared else axis.origin


def shared_span(axis: AxisField) -> Span | None:
    """The span that all units share along an axis; None if they share none."""
    if axis.shared:
        return axis.shared.span
    return None if axis.origin is None else next(axis.spans())


def _positions(span: Span) -> int | None:
    return int(span.last - span.first + 1) if span.first <= span.last else None


def exact(numerator: int, denominator: int) -> int | float | str:
    """A fraction for JSON: a number, or text if no float holds it exactly."""
    common = math.gcd(numerator, denominator)
    top, bottom = numerator // common, denominator // common
    if bottom == 1:
        return top
    return top / bottom if bottom & (bottom - 1) == 0 and abs(top) < 2**53 else f"{top}/{bottom}"


# as text


class Marked(Struct, frozen=True, gc=False):
    """The sizes of a field, the text of each axis, and the mark behind them."""

    sizes: tuple[int | None, ...]
    parts: tuple[str, ...]
    mark: str = ""

    def text(self, times: str = "×") -> str:
        """`73×73°`, `427×427 + all`, `1×(1 + all)`, `2 hops`."""
        return times.join(self.parts) + self.mark


def marked_size(field: ReceptiveField) -> Marked:
    """The size of a field with marks for holes and for positions that all units share."""
    sizes = field.size
    parts = tuple(["–" if size is None else str(size) for size in sizes])
    unit = (" hop" if sizes == (1,) else " hops") if field.unit == "hops" else ""
    mark = unit + (HOLES if any(field.holes) else "")
    shared = [_shared_text(axis, extent) for axis, extent in zip(field.axes, field.shape, strict=True)]
    if not any(shared):
        return Marked(sizes, parts, mark)
    if all(shared):
        besides = "all" if set(shared) == {"all"} else "×".join(map(str, shared))
        return Marked(sizes, parts, f"{mark} + {besides}")
    parts = tuple(f"({one} + {other})" if other else one for one, other in zip(parts, shared, strict=True))
    return Marked(sizes, parts, mark)


def _shared_text(axis: AxisField, extent: int) -> str | None:
    """The text of the positions that all units of an axis share besides their own field; None if there are none."""
    if axis.shared is None:
        return None
    first, last, mask = axis.shared.span
    whole = first <= 0 and last >= extent - 1 and not mask
    return "all" if whole or axis.hops else f"{_positions(axis.shared.span)}{HOLES if mask else ''}"


def field_notes(fields: "Iterable[tuple[str, ReceptiveField | None]]") -> list[str]:
    """Explanations of the marks in a column of fields; each field comes with its layer's name."""
    known = [(name, field) for name, field in fields if field is not None]
    found = [HOLES_NOTE] if any(any(field.holes) for _, field in known) else []
    sharing = [field for _, field in known if any(axis.shared for axis in field.axes)]
    if sharing:
        origin = printable(sharing[0].global_from or "")
        found.append(
            f"+ all: from {origin} on, units also see what all others see, through layers that read a whole axis"
        )
    return found
