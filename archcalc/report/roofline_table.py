"""A roofline as text: for a terminal, a pipe, a page, a spreadsheet or a program."""

from collections.abc import Callable
from typing import NamedTuple

from archcalc.analysis.roofline import LayerRoofline, Roofline
from archcalc.devices import DTYPES, Device
from archcalc.errors import printable
from archcalc.numbers.bounds import AtLeast, causes_of, value_text
from archcalc.numbers.units import digits, engineering, percent
from archcalc.render.json_text import json_text
from archcalc.render.text_table import Style, csv_text, escaped, page_table, reason_lines, shortened, text_table

FORMATS = ("table", "plain", "markdown", "csv", "json")
UNITS = {"int8": "OP"}  # of a peak, other than a FLOP
NOT_COUNTED = "Layers one by one, nothing fused or kept in a cache: archcalc roofline --help"


class Column(NamedTuple):
    """A column of the table; `value` gives the text of a row."""

    header: str
    value: Callable[["Shown", LayerRoofline], str]
    numeric: bool = True


COLUMNS = (
    Column("Layer", lambda _shown, row: printable(row.name), numeric=False),
    Column("Operations", lambda _shown, row: value_text(row.operations, engineering)),
    Column("Read {size}", lambda shown, row: shown.bytes(row.bytes_read)),
    Column("Written", lambda shown, row: shown.bytes(row.bytes_written)),
    Column("Op/B", lambda _shown, row: "?" if row.intensity is None else value_text(row.intensity, digits)),
    Column("Bound by", lambda _shown, row: _bound(row), numeric=False),
    Column("Time ≥", lambda _shown, row: engineering(row.seconds, "s")),
    Column("Share", lambda shown, row: percent(row.seconds / shown.time)),
)
WORDS = [number for number, column in enumerate(COLUMNS) if not column.numeric]


class Shown(NamedTuple):
    """What a table needs to know of the whole: its time, and the unit of all its sizes."""

    time: float
    size: str
    size_bytes: int

    def bytes(self, count: int) -> str:
        """A number of bytes in the unit of the table."""
        return digits(count / self.size_bytes)


def render(found: Roofline, format_name: str, style: Style | None = None) -> str:
    """The roofline in one of FORMATS."""
    if format_name == "json":
        return json_text(found.to_dict())
    if format_name == "csv":
        records = [row.to_dict() for row in found.layers]
        return csv_text([*dict.fromkeys(key for record in records for key in record)], [[*r.values()] for r in records])
    if format_name == "markdown":
        return _markdown(found)
    style = style or Style()
    ruled = 2 if format_name == "table" else 0
    table = text_table(_header(found), _rows(found), style, WORDS, narrowed=(0,), rules=ruled)
    return "\n".join([*_head(found, style), "", *table, "", *_foot(found, style)])


def unit_of(dtype: str) -> str:
    """What a peak in this dtype counts: FLOP, or OP where nothing floats."""
    return UNITS.get(dtype, "FLOP")


def _shown(found: Roofline) -> Shown:
    """Sizes are in MiB, or in KiB where no layer reads that much."""
    large = max((row.bytes_read for row in found.layers), default=0) >= 2**20
    return Shown(found.time, *(("MiB", 2**20) if large else ("KiB", 2**10)))


def _header(found: Roofline) -> list[str]:
    size = _shown(found).size
    return [column.header.format(size=size) for column in COLUMNS]


def _rows(found: Roofline) -> list[list[str]]:
    shown = _shown(found)
    return [[column.value(shown, row) for column in COLUMNS] for row in _moving(found)]


def _moving(found: Roofline) -> list[LayerRoofline]:
    """The layers that are worth a row: those that move something."""
    return [row for row in found.layers if row.seconds]


def _markdown(found: Roofline) -> str:
    table = page_table(_header(found), [*_rows(found), _total_row(found)], "markdown", WORDS)
    notes = _notes(found, Style(width=10**6))
    return "\n".join([table, *(f"\n{escaped(note, 'markdown')}" for note in notes)])


def _total_row(found: Roofline) -> tuple[str, ...]:
    moved = map(_shown(found).bytes, (found.bytes_read, found.bytes_written))
    return ("Total", _operations(found), *moved, "", "", engineering(found.time, "s"), "")


def _operations(found: Roofline) -> str:
    return value_text(found.operations, engineering)


def _bound(row: LayerRoofline) -> str:
    """What bounds a layer; of a block that both bound, the share of the memory."""
    if row.bound == "both":
        return f"memory {percent(row.memory_seconds / row.seconds)}"
    return row.bound or "?"


# what stands above and below


def _head(found: Roofline, style: Style) -> list[str]:
    roof, unit = found.roof, unit_of(found.dtype)
    device = f"{printable(found.device.name)} · {found.dtype} · batch {found.batch}"
    arithmetic = engineering(roof.operations_per_second, f"{unit}/s")
    memory = engineering(roof.bytes_per_second, "B/s")
    lines = [
        f"peak {arithmetic} · memory {memory} · ridge at {digits(roof.ridge)} {unit}/B",
        *(style.dim(shortened(printable(text), style.width or 10**6)) for text in _said(found.device)),
    ]
    return [style.bold(printable(found.network)), device, *lines]


def _said(device: Device) -> list[str]:
    title, _, _address = device.source.partition(", http")
    return [title, *([device.note] if device.note else [])]


def _foot(found: Roofline, style: Style) -> list[str]:
    shown = _shown(found)
    lines = [
        ("Operations", _operations(found), ""),
        ("Read", f"{shown.bytes(found.bytes_read)} {shown.size}", ""),
        ("Written", f"{shown.bytes(found.bytes_written)} {shown.size}", ""),
        ("Time", f"≥ {engineering(found.time, 's')}", _memory_share(found)),
    ]
    if rate := found.inputs_per_second:
        lines.append((f"{'Images' if found.input == 'image' else 'Inputs'}/s", f"≤ {_whole(rate)}", ""))
    width = max(len(value) for _, value, _ in lines)
    text = [f"{label:<10}  {value:>{width}}" + (style.dim(f"  {note}") if note else "") for label, value, note in lines]
    return [*text, "", *map(style.dim, _notes(found, style))]


def _whole(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else digits(rate)


def _memory_share(found: Roofline) -> str:
    if not found.time:
        return ""
    more = " or more" if isinstance(found.operations, AtLeast) else ""
    return f"{percent(found.memory_seconds / found.time)}{more} of it bound by memory"


def _notes(found: Roofline, style: Style) -> list[str]:
    still = [row for row in found.layers if not row.seconds]
    notes = reason_lines("?", causes_of(found.operations), style)
    if still:
        shown = ", ".join(printable(row.name) for row in still[:3]) + (", …" if len(still) > 3 else "")
        many = len(still) > 1
        notes.append(f"{len(still)} layer{'s' * many} move{'s' * (not many)} nothing: {shown}")
    return [*notes, NOT_COUNTED]


# the devices there are


def render_devices(devices: dict[str, Device], style: Style | None = None) -> str:
    """What the shipped devices reach, one a line."""
    style = style or Style()
    rows = [
        [name, device.name, _giga(device.bytes_per_second), *map(_tera, (device.peaks.known().get(d) for d in DTYPES))]
        for name, device in devices.items()
    ]
    header = ["Device", "Name", "GB/s", *DTYPES]
    table = text_table(header, rows, style, (0, 1), narrowed=(1,), rules=2 if style.width else 0)
    return "\n".join([*table, "", "dtypes in TFLOP/s, int8 in TOP/s; dense; – where the maker gives none"])


def _tera(peak: float | None) -> str:
    return "–" if peak is None else f"{peak / 1e12:,.5g}"


def _giga(rate: float) -> str:
    return f"{rate / 1e9:,.5g}"
