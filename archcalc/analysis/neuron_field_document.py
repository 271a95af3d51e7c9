"""The field of one unit as a document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.field import HOLES, HOLES_NOTE
from archcalc.analysis.intervals import Intervals
from archcalc.layers.base import size_text
from archcalc.render.document import NAME, RIGHT, Column, Document, Note, Row, Table

if TYPE_CHECKING:
    from archcalc.analysis.neuron_field import Interval, LayerField, NeuronField


AXES = {1: ("position",), 2: ("row", "column"), 3: ("frame", "row", "column")}
SHOWN = 3  # intervals in a cell


def axis_names(count: int) -> tuple[str, ...]:
    """The names of positions along the axes of an input."""
    return AXES.get(count) or tuple(f"axis {number}" for number in range(count))


def titled(found: NeuronField) -> str:
    """The unit and its layer, as a title."""
    units = size_text(found.units)
    return f"unit {_unit(found.last)} of {units} in {found.last.name}"


def neuron_field_document(found: NeuronField) -> Document:
    """A row for each layer: its unit, the size and jump of its field, and the positions that the unit sees."""
    names = [f"{name.capitalize()}s" for name in axis_names(len(found.extents))]
    columns = [
        Column("Layer", NAME),
        Column("Unit", RIGHT, priority=1),
        Column("Size", RIGHT),
        Column("Jump", RIGHT, priority=2),
        *(Column(name, RIGHT, priority=1) for name in names),
        Column("Over the border", RIGHT, priority=3),
        Column("Of input", RIGHT, priority=2),
    ]
    return Document(
        title=f"{found.network}: {titled(found)}",
        head=[f"input {found.source} {size_text(found.input_shape)}"],
        parts=[Table(columns, [Row(_cells(found, layer)) for layer in found.layers])],
        notes=[*map(Note, _notes(found))],
        data=found.to_dict,
        records=lambda: [_record(found, layer) for layer in found.layers],
    )


def _cells(found: NeuronField, layer: LayerField) -> list[str | None]:
    axes = range(len(layer.axes))
    seen = [intervals_text(layer.seen.axis(axis)) if layer.seen.boxes else None for axis in axes]
    sizes = size_text(tuple("–" if axis.size is None else axis.size for axis in layer.axes))
    return [
        layer.name,
        _unit(layer),
        sizes + (HOLES if any(axis.holes for axis in layer.axes) else ""),
        "×".join(_jump(axis) for axis in layer.axes),
        *seen,
        overhang_text(found, layer),
        seen_text(found, layer),
    ]


def _record(found: NeuronField, layer: LayerField) -> dict[str, Any]:
    """The extent of a unit's field, axis by axis."""
    ends = found.clipped(layer) or ((None, None),) * len(found.extents)
    names = axis_names(len(found.extents))
    return {
        "layer": layer.name,
        "unit": _unit(layer),
        "size": "x".join("" if axis.size is None else str(axis.size) for axis in layer.axes),
        "jump": "x".join(_jump(axis) for axis in layer.axes),
        **{f"first_{name}": first for name, (first, _) in zip(names, ends, strict=True)},
        **{f"last_{name}": last for name, (_, last) in zip(names, ends, strict=True)},
        "share": found.share(layer),
        "exact": layer.seen.exact,
    }


def _notes(found: NeuronField) -> list[str]:
    """Explanations of the marks in the table."""
    notes = [HOLES_NOTE] if any(axis.holes for layer in found.layers for axis in layer.axes) else []
    causes = dict.fromkeys(layer.seen.cause for layer in found.layers if not layer.seen.exact)
    notes += [f"≤: at most these; {cause}" for cause in causes]
    crossing = [layer for layer in found.layers if len(layer.seen.boxes) > 1]
    if crossing:
        names = f"{axis_names(2)[0]}s and {axis_names(2)[1]}s" if len(found.extents) == 2 else "axes"
        parts = f"it sees {len(crossing[-1].seen.boxes)} parts, which --format json lists"
        notes.append(f"{crossing[-1].name}: not at every crossing of these {names}: {parts}")
    if found.left_out:
        notes.append(f"{found.left_out:,} layers before these are left out: --layer NAME asks for one of them")
    if not found.last.seen.boxes:
        notes.append(f"the unit of {found.last.name} sees nothing of the input")
    shared = next((layer for layer in found.layers if layer.everything), None)
    if shared:
        origin = shared.global_from or ""
        notes.append(f"+ all: from {origin} on, which reads whole axes, units also see what all others see")
    return notes


def seen_text(found: NeuronField, layer: LayerField) -> str:
    """The share of the input that a unit sees, and its share through layers that read a whole axis."""
    own = f"{'' if layer.seen.exact else '≤ '}{share_text(found.share(layer))}"
    if layer.everything is None:
        return own
    return f"{own} + {'all' if (part := found.part(layer.everything)) == 1 else share_text(part)}"


def intervals_text(intervals: Intervals) -> str:
    """Positions: `8…15`, `3`, `0…7, 16…23`; the middle of many intervals is left out."""
    texts = [interval_text(interval) if interval[0] < interval[1] else str(interval[0]) for interval in intervals]
    if len(texts) == 1:
        return interval_text(intervals[0])
    if len(texts) <= SHOWN + 1:
        return ", ".join(texts)
    return ", ".join([*texts[: SHOWN - 1], "…", texts[-1]])


def interval_text(interval: Interval) -> str:
    """The first and last position."""
    return f"{interval[0]}…{interval[1]}".replace("-", "−")


def share_text(share: float) -> str:
    """A share in percent; only 0 and 1 are rounded to 0 % and 100 %."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    return "< 0.1 %" if share < 0.001 else f"{min(100 * share, 99.9):.1f} %"


def overhang_text(found: NeuronField, layer: LayerField) -> str | None:
    """The overhang at both ends of each axis; equal axes are printed once."""
    overhang = found.overhang(layer)
    if overhang is None:
        return None
    axes = ["0" if ends == (0, 0) else f"{ends[0]}+{ends[1]}" for ends in overhang]
    return axes[0] if len({*axes}) == 1 else " × ".join(axes)


def _unit(layer: LayerField) -> str:
    return ",".join(map(str, layer.unit))


def _jump(axis: AxisField) -> str:
    numerator, denominator = axis.jump_ratio
    return str(numerator) if denominator == 1 else f"{numerator}/{denominator}"
