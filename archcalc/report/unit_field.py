"""What one unit sees, as a table and as plain values."""

from typing import Any

from archcalc.analysis.receptive_field import AxisField
from archcalc.analysis.unit_field import Interval, LayerField, UnitField
from archcalc.errors import printable
from archcalc.layers.base import size_text
from archcalc.report.summary import exact
from archcalc.report.text_table import Style, text_table

AXES = {1: ("position",), 2: ("row", "column"), 3: ("frame", "row", "column")}


def unit_field_to_dict(found: UnitField) -> dict[str, Any]:
    """The fields as JSON has them; null where a unit sees nothing."""
    return {
        "name": found.network,
        "input": found.source,
        "positions": list(found.extents),
        "layer": found.last.name,
        "unit": list(found.last.unit),
        "layers": [_to_dict(found, layer) for layer in found.layers],
    }


def _to_dict(found: UnitField, layer: LayerField) -> dict[str, Any]:
    overhang = found.overhang(layer)
    return {
        "name": layer.name,
        "unit": list(layer.unit),
        "size": [axis.size for axis in layer.axes],
        "jump": [exact(*axis.jump_ratio) for axis in layer.axes],
        "center": None if layer.sees is None else [exact(first + last, 2) for first, last in layer.sees],
        "sees": None if layer.sees is None else [list(interval) for interval in layer.sees],
        "overhang": None if overhang is None else [list(ends) for ends in overhang],
        "share": found.share(layer),
    }


def axis_names(count: int) -> tuple[str, ...]:
    """What positions along the axes of an input are called."""
    return AXES.get(count) or tuple(f"axis {number}" for number in range(count))


def titled(found: UnitField) -> str:
    """Which unit it is."""
    units = size_text(found.units)
    return f"unit {_unit(found.last)} of {units} in {printable(found.last.name)}"


def render_unit_field(found: UnitField, style: Style | None = None) -> str:
    """A row for each layer: its unit, size and jump of its field, and what the unit sees."""
    style = style or Style()
    names = [f"{name.capitalize()}s" for name in axis_names(len(found.extents))]
    header = ["Layer", "Unit", "Size", "Jump", *names, "Over the border", "Of input"]
    rows = [_row(found, layer) for layer in found.layers]
    head = f"{printable(found.network)}: {titled(found)}"
    return "\n".join(
        [
            style.bold(head),
            f"input {printable(found.source)} {size_text(found.input_shape)}",
            "",
            *text_table(header, rows, style, narrowed=(0,), rules=int(style.width is not None)),
        ]
    )


def _row(found: UnitField, layer: LayerField) -> list[str | None]:
    sees = [None] * len(layer.axes) if layer.sees is None else [interval_text(interval) for interval in layer.sees]
    sizes = size_text(tuple("–" if axis.size is None else axis.size for axis in layer.axes))
    return [
        printable(layer.name),
        _unit(layer),
        sizes,
        "×".join(_jump(axis) for axis in layer.axes),
        *sees,
        overhang_text(found, layer),
        share_text(found.share(layer)),
    ]


def interval_text(interval: Interval) -> str:
    """The first and the last position."""
    return f"{interval[0]}…{interval[1]}".replace("-", "−")


def share_text(share: float) -> str:
    """A part in percent; less than all is never said to be all, nor more than nothing to be nothing."""
    if share in (0, 1):
        return f"{share:.0%}".replace("%", " %")
    return "< 0.1 %" if share < 0.001 else f"{min(100 * share, 99.9):.1f} %"


def overhang_text(found: UnitField, layer: LayerField) -> str | None:
    """How much is over each end, along each axis; axes alike are told once."""
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
