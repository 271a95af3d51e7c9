"""A picture of the user's in a drawing: PNG and JPEG alone, told by their first bytes, put in as it is."""

import os
import stat
from base64 import b64encode
from collections.abc import Iterator
from typing import Literal, NamedTuple

from archcalc.errors import UsageError, printable

MAX_BYTES = 5 * 2**20
MAX_PIXELS = 10**8
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# Start-of-frame segments, which hold the size; the others between are tables of codes.
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}


# How an image is turned, by the number that Exif has for it: x and y of the shown one from those of the stored one,
# both from 0 to 1, as SVG writes a matrix.
_TURNS = {
    1: (1, 0, 0, 1, 0, 0),
    2: (-1, 0, 0, 1, 1, 0),
    3: (-1, 0, 0, -1, 1, 1),
    4: (1, 0, 0, -1, 0, 1),
    5: (0, 1, 1, 0, 0, 0),
    6: (0, 1, -1, 0, 1, 0),
    7: (0, -1, -1, 0, 1, 1),
    8: (0, -1, 1, 0, 0, 1),
}
_EXIF, _ORIENTATION = b"Exif\0\0", 0x0112


class Raster(NamedTuple):
    """An image and its size in pixels as it is shown; `turn` is the matrix that makes it so of what is stored."""

    mime: str
    width: int
    height: int
    data: bytes
    turn: tuple[int, ...] = _TURNS[1]

    @property
    def uri(self) -> str:
        """The image as text, for a drawing to hold."""
        return f"data:{self.mime};base64,{b64encode(self.data).decode()}"

    @property
    def is_turned(self) -> bool:
        """Whether it is shown in another way than it is stored."""
        return self.turn != _TURNS[1]

    def transform(self, x: float, y: float, width: float, height: float) -> str:
        """The attribute that puts an image of one unit by one into a rectangle, turned as it has to be."""
        a, b, c, d, e, f = self.turn
        matrix = (width * a, height * b, width * c, height * d, width * e + x, height * f + y)
        return f"matrix({' '.join(f'{number:.6g}' for number in matrix)})"


def read_raster(path: str) -> Raster:
    """Read an image. Raises UsageError for a file that cannot be read, is too large or broken, or no PNG or JPEG."""
    shown = f'"{printable(path)}"'
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # nobody may ever write into a pipe
            raise OSError("not a file")
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {shown}: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{shown} has more than {MAX_BYTES // 2**20} MiB; make it smaller")
    if data.startswith(_PNG):
        found, kind = _png(data), "PNG"
    elif data.startswith(_JPEG):
        found, kind = _jpeg(data), "JPEG"
    else:
        raise UsageError(f"{shown} is neither a PNG nor a JPEG image")
    if found and found.width * found.height > MAX_PIXELS:
        raise UsageError(f"{shown} has {found.width:,}×{found.height:,} pixels; make it smaller")
    if found is None or 0 in found[1:3]:
        raise UsageError(f"{shown} is a broken {kind} image: it has no size, or no end")
    return found


def _png(data: bytes) -> Raster | None:
    """The image, if it has a size and its last chunk."""
    place = len(_PNG)
    while place + 12 <= len(data) and data[place + 4 : place + 8] != b"IEND":
        place += 12 + _number(data[place : place + 4])
    if place + 12 > len(data) or data[12:16] != b"IHDR":
        return None
    return Raster("image/png", _number(data[16:20]), _number(data[20:24]), data)


def _jpeg(data: bytes) -> Raster | None:
    """The image, if it has a size and an end; a turn is told, and taken out, so that nobody turns it twice."""
    segments = [*_segments(data)]
    frame = next((data[start + 4 : end] for marker, start, end in segments if marker in _FRAMES), b"")
    if len(frame) < 5 or b"\xff\xd9" not in data[segments[-1][2] :]:
        return None
    height, width = _number(frame[1:3]), _number(frame[3:5])
    exif = [(start, end) for marker, start, end in segments if marker == 0xE1 and data[start + 4 :].startswith(_EXIF)]
    number = next((_orientation(data[start + 4 + len(_EXIF) : end]) for start, end in exif), 1)
    for start, end in reversed(exif):
        data = data[:start] + data[end:]
    size = (height, width) if number > 4 else (width, height)
    return Raster("image/jpeg", *size, data, _TURNS[number])


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """The segments of a JPEG before its picture: marker, start and end."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], _number(data[place + 2 : place + 4])
        if marker == 0xFF:  # fill bytes, all but the last
            place += len(data) - place - len(data[place:].lstrip(b"\xff")) - 1
            continue
        end = place + 2 + max(length, 2)
        yield marker, place, end
        if marker == 0xDA:  # the picture follows
            return
        place = end


def _orientation(exif: bytes) -> int:
    """The number of the turn in the first directory of Exif data; 1, as it is stored, where there is none."""
    order: Literal["little", "big"] = "little" if exif[:2] == b"II" else "big"

    def number(place: int, size: int) -> int:
        return int.from_bytes(exif[place : place + size], order)

    start = number(4, 4)
    for place in range(start + 2, start + 2 + 12 * number(start, 2), 12):
        if number(place, 2) == _ORIENTATION and number(place + 8, 2) in _TURNS:
            return number(place + 8, 2)
    return 1


def _number(data: bytes) -> int:
    return int.from_bytes(data, "big")
