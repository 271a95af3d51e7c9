"""Peak rates of devices: of the shipped ones, and of a user's own in a file of the same form.

`devices.toml` defines the figures.
"""

import os.path
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Annotated, Any

from msgspec import Meta, Struct

from archcalc.errors import Problem, UsageError, did_you_mean, meant, printable, quoted
from archcalc.spec.document import Kind, read_file
from archcalc.spec.problems import convert, fitting
from archcalc.spelling import closest

EXTENSION = ".toml"
DEVICE_KIND = Kind(
    "device", 'start with name = "…", bytes_per_second, source and a [operations_per_second] table', 2**20
)

Rate = Annotated[float, Meta(ge=1, le=1e30)]
Text = Annotated[str, Meta(min_length=1)]


class Peaks(Struct, frozen=True, forbid_unknown_fields=True):
    """Operations/s of matrix products by dtype, two for each MAC; None for a dtype that the device does not support."""

    float64: Rate | None = None
    float32: Rate | None = None
    tf32: Rate | None = None
    float16: Rate | None = None
    bfloat16: Rate | None = None
    int8: Rate | None = None

    def known(self) -> dict[str, float]:
        """The peaks of the dtypes that the device supports."""
        return {dtype: rate for dtype in DTYPES if (rate := getattr(self, dtype)) is not None}


DTYPES = Peaks.__struct_fields__


class DeviceTable(Struct, forbid_unknown_fields=True):
    """The table of a device in a file, before its peaks are checked."""

    name: Text
    bytes_per_second: Rate
    source: Text
    operations_per_second: dict[str, Any]
    memory_bytes: Rate | None = None
    note: Text | None = None


class Device(Struct, frozen=True):
    """The peaks of a device: bytes/s of its memory, operations/s by dtype. `source` cites where they are published."""

    name: str
    bytes_per_second: float
    source: str
    peaks: Peaks
    memory_bytes: float | None = None
    note: str | None = None

    def peak(self, dtype: str) -> float:
        """The peak operations/s in a dtype. Raises UsageError for a dtype that the device does not support."""
        if dtype not in DTYPES:
            raise UsageError(f"no dtype is called {quoted(dtype)}", did_you_mean(dtype, DTYPES))
        known = self.peaks.known()
        if dtype not in known:
            raise UsageError(f"{quoted(self.name)} has no peak for {dtype}", f"it has {', '.join(known)}")
        return known[dtype]

    def to_toml(self) -> str:
        """The device as text of a file that `find_device` reads; numbers have six significant digits."""
        found = {name: getattr(self, name) for name in ("name", "source", "note", "bytes_per_second", "memory_bytes")}
        top: dict[str, str | float] = {name: value for name, value in found.items() if value is not None}
        return "\n".join([*_lines(top), "", "[operations_per_second]", *_lines(self.peaks.known()), ""])


def _lines(values: Mapping[str, str | float]) -> Iterator[str]:
    from json import dumps  # a JSON string without control characters is a TOML string

    for key, value in values.items():
        yield f"{key} = {dumps(printable(value), ensure_ascii=False) if isinstance(value, str) else f'{value:.6g}'}"


def find_device(name_or_file: str) -> Device:
    """Return a shipped device by name, or the device in a file: a path that ends in .toml or has a folder in it.

    Raises UsageError for a name that does not exist, and SpecError for a file that is wrong.
    """
    shipped = shipped_devices()
    if name_or_file in shipped:
        return shipped[name_or_file]
    if name_or_file.endswith(EXTENSION) or os.path.basename(name_or_file) != name_or_file:
        return _devices(name_or_file, several=False)[""]
    close = closest(name_or_file, shipped)
    remedy = meant(close) if close else f"known: {', '.join(shipped)}, or a file such as my{EXTENSION}"
    raise UsageError(f"no device is called {quoted(name_or_file)}", remedy)


@cache
def shipped_devices() -> dict[str, Device]:
    """The devices that come with archcalc, by name."""
    folder = os.path.dirname(os.path.abspath(__file__))
    return _devices(os.path.join(folder, f"devices{EXTENSION}"), several=True)


def _devices(path: str, several: bool) -> dict[str, Device]:
    """The devices in a file by the keys of their tables; by "" the device of a file without such tables."""
    document, problems = read_file(path, DEVICE_KIND), list[Problem]()
    data = fitting(document.data, problems)
    tables = {(name,): table for name, table in data.items()} if several else {(): data}
    devices = {"".join(path): _device(table, path, problems) for path, table in tables.items()}
    if problems:
        raise document.error(problems)
    return {name: device for name, device in devices.items() if device}


def _device(data: dict[str, Any], path: tuple[str, ...], problems: list[Problem]) -> Device | None:
    table = convert(data, DeviceTable, path, problems)
    given, inside = data.get("operations_per_second"), (*path, "operations_per_second")
    peaks = convert(given, Peaks, inside, problems) if isinstance(given, dict) else None
    if given == {}:
        problems.append(Problem("operations_per_second is empty", inside, help=f"say one of {', '.join(DTYPES)}"))
    if table is None or peaks is None:
        return None
    return Device(
        name=table.name,
        bytes_per_second=table.bytes_per_second,
        source=table.source,
        peaks=peaks,
        memory_bytes=table.memory_bytes,
        note=table.note,
    )
