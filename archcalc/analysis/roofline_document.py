"""A roofline as a document, and the known devices as a document."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from archcalc.devices import DTYPES, Device
from archcalc.numbers.bounds import AtLeast, causes_of
from archcalc.numbers.units import digits, percent
from archcalc.render.cells import fact_text
from archcalc.render.document import (
    AMOUNT,
    BYTES,
    FIGURE,
    NAME,
    NUMBER,
    SHARE,
    Column,
    Document,
    Fact,
    Facts,
    Note,
    Row,
    Table,
    notes_of,
    tree_row,
)

if TYPE_CHECKING:
    from archcalc.analysis.roofline import LayerRoofline, Roofline

UNITS = {"int8": "OP"}  # of peaks that do not count FLOPs
NOT_COUNTED = "Layers one by one, nothing fused or kept in a cache: archcalc roofline --help"

COLUMNS = (
    Column("Layer", NAME),
    Column("Operations", AMOUNT, priority=2, unit="OP"),
    Column("Read", BYTES, priority=3),
    Column("Written", BYTES, priority=3),
    Column("Op/B", NUMBER, priority=2),
    Column("Bound by", priority=1),
    Column("Time ≥", AMOUNT, unit="s"),
    Column("Share", SHARE, priority=1),
)


def roofline_document(found: "Roofline") -> Document:
    """The roofline as a document, with a row for each layer that moves bytes."""
    return Document(
        title=found.network,
        head=_head(found),
        parts=[
            Table(COLUMNS, _rows(found), totals=[_total_row(found)]),
            Facts([*_totals(found)], totals=True),
        ],
        notes=_notes(found),
        data=found.to_dict,
        records=lambda: [row.to_dict() for row in found.layers],
    )


def _rows(found: "Roofline") -> list[Row]:
    """The rows of what moves bytes."""
    time = found.time
    if found.tree:
        return [tree_row(_cells(row, time), level, is_block) for row, level, is_block in found.tree if row.seconds]
    return [Row(_cells(row, time)) for row in found.layers if row.seconds]


def unit_of(dtype: str) -> str:
    """The unit of a peak in this dtype: FLOP, or OP for integers."""
    return UNITS.get(dtype, "FLOP")


def _head(found: "Roofline") -> list[str]:
    roof, unit = found.roof, unit_of(found.dtype)
    arithmetic = fact_text(AMOUNT, f"{unit}/s", roof.operations_per_second)
    memory = fact_text(AMOUNT, "B/s", roof.bytes_per_second)
    source, _, _address = found.device.source.partition(", http")
    return [
        f"{found.device.name} · {found.dtype} · batch {found.batch}",
        f"peak {arithmetic} · memory {memory} · ridge at {digits(roof.ridge)} {unit}/B",
        source,
        *([found.device.note] if found.device.note else []),
    ]


def _cells(row: "LayerRoofline", time: float) -> list[Any]:
    intensity = "?" if row.intensity is None else row.intensity
    share = row.seconds / time
    return [
        row.name,
        row.operations,
        row.bytes_read,
        row.bytes_written,
        intensity,
        _bound(row),
        row.seconds,
        share,
    ]


def _bound(row: "LayerRoofline") -> str:
    """The bound of a layer; for a block with both bounds, the share of memory."""
    if row.bound == "both":
        return f"memory {percent(row.memory_seconds / row.seconds)}"
    return row.bound or "?"


def _total_row(found: "Roofline") -> Row:
    return Row(["Total", found.operations, found.bytes_read, found.bytes_written, "", "", found.time, ""])


def _totals(found: "Roofline") -> Iterator[Fact]:
    yield Fact("Operations", found.operations, AMOUNT, "OP")
    yield Fact("Read", found.bytes_read, BYTES)
    yield Fact("Written", found.bytes_written, BYTES)
    yield Fact("Time", f"≥ {fact_text(AMOUNT, 's', found.time)}", note=_memory_share(found))
    if rate := found.inputs_per_second:
        whole = f"{rate:,.0f}" if rate >= 100 else digits(rate)
        yield Fact(f"{'Images' if found.input == 'image' else 'Inputs'}/s", f"≤ {whole}")


def _memory_share(found: "Roofline") -> str:
    if not found.time:
        return ""
    more = " or more" if isinstance(found.operations, AtLeast) else ""
    return f"{percent(found.memory_seconds / found.time)}{more} of it bound by memory"


def _notes(found: "Roofline") -> list[Note]:
    notes = notes_of("?", causes_of(found.operations))
    still = [row.name for row in found.layers if not row.seconds]
    if still:
        shown = ", ".join(still[:3]) + (", …" if len(still) > 3 else "")
        many = len(still) > 1
        notes.append(Note(f"{len(still)} layer{'s' * many} move{'s' * (not many)} nothing: {shown}"))
    return [*notes, Note(NOT_COUNTED)]


def devices_document(devices: Mapping[str, Device]) -> Document:
    """The peaks of devices, one in each row."""
    peaks = [Column(dtype, FIGURE, priority=1 + number) for number, dtype in enumerate(DTYPES)]
    columns = [Column("Device", NAME), Column("Name", priority=9), Column("GB/s", FIGURE, priority=1), *peaks]
    rows = [
        Row([name, device.name, device.bytes_per_second / 1e9, *(_tera(device, dtype) for dtype in DTYPES)])
        for name, device in devices.items()
    ]
    return Document(
        title="Devices",
        parts=[Table(columns, rows)],
        notes=[Note("dtypes in TFLOP/s, int8 in TOP/s; dense; – where the maker publishes none")],
        data=lambda: [_record(name, device) for name, device in devices.items()],
        records=lambda: [_record(name, device) for name, device in devices.items()],
    )


def _tera(device: Device, dtype: str) -> float | None:
    peak = device.peaks.known().get(dtype)
    return None if peak is None else peak / 1e12


def _record(name: str, device: Device) -> dict[str, Any]:
    peaks = {dtype: device.peaks.known().get(dtype) for dtype in DTYPES}
    return {"device": name, "name": device.name, "bytes_per_second": device.bytes_per_second, **peaks}
