"""A picture of the user's in a drawing: PNG and JPEG alone, told by their first bytes, put in as it is."""

from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple

from archcalc.errors import UsageError, printable

MAX_BYTES = 5 * 2**20
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start-of-frame segments, which hold the size; the others between are tables of codes.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


class Raster(NamedTuple):
    """An image and its size in pixels."""

    mime: str
    width: int
    height: int
    data: bytes

    @property
    def uri(self) -> str:
        """The image as text, for a drawing to hold."""
        return f"data:{self.mime};base64,{b64encode(self.data).decode()}"


def read_raster(path: str) -> Raster:
    """Read an image. Raises UsageError for a file that cannot be read, is too large, or is neither PNG nor JPEG."""
    shown = f'"{printable(path)}"'
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {shown}: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{shown} has more than {MAX_BYTES // 2**20} MiB; make it smaller")
    mime, size = _measured(data)
    if not mime:
        raise UsageError(f"{shown} is neither a PNG nor a JPEG image")
    if size is None or 0 in size:
        raise UsageError(f"{shown} is a broken {mime.removeprefix('image/').upper()} image: its size cannot be read")
    return Raster(mime, *size, data)


def _measured(data: bytes) -> tuple[str, tuple[int, int] | None]:
    """The kind of an image and its width and height; no kind for what is none."""
    if data.startswith(_PNG):
        whole = len(data) >= 24 and data[12:16] == b"IHDR"
        return "image/png", (_number(data[16:20]), _number(data[20:24])) if whole else None
    if data.startswith(_JPEG):
        frame = next((segment for marker, segment in _segments(data) if marker in _FRAMES and len(segment) >= 5), None)
        return "image/jpeg", (_number(frame[3:5]), _number(frame[1:3])) if frame else None
    return "", None


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The segments of a JPEG before its picture: marker and content."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], _number(data[place + 2 : place + 4])
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        yield marker, data[place + 4 : place + 2 + length]
        place += 2 + max(length, 2)


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
