"""Reads a PNG or JPEG for a drawing; Pillow decodes, rotates and re-encodes it."""

import re
from base64 import b64encode
from io import BytesIO
from itertools import islice
from typing import Any, NamedTuple
from warnings import catch_warnings

from archcalc.errors import UsageError, printable
from archcalc.reading import read_bytes

MAX_BYTES = 5 * 2**20
MAX_PIXELS = 5 * 10**7  # of an image that is decoded
LONGEST = 2000  # pixels of a side of an embedded image
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_STARTS = {_PNG: "PNG", _JPEG: "JPEG"}
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)  # Exif's tag, and its values that swap height and width

# Parts that are rare, but slow in Pillow: each rereads what came before, or goes over every pixel. In a JPEG these are
# segments of applications and comments, fill bytes and scans (none occurs within compressed data); in a PNG, colour
# profiles.
_LIMITS = {
    _JPEG: {re.compile(rb"\xff[\xe0-\xef\xfe]"): 4000, re.compile(rb"\xff\xff"): 100_000, re.compile(rb"\xff\xda"): 60},
    _PNG: {re.compile(rb"iCCP"): 16},
}


class Raster(NamedTuple):
    """An upright image. `width` and `height` are of the file; `data` may have fewer pixels."""

    mime: str
    width: int
    height: int
    data: bytes

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        return f"data:{self.mime};base64,{b64encode(self.data).decode()}"


def read_raster(path: str) -> Raster:
    """Read an image. Raises UsageError without Pillow, and for a file that is too large, broken, or no PNG or JPEG."""
    name = f'"{printable(path)}"'
    try:
        data = read_bytes(path, MAX_BYTES)
    except (OSError, ValueError) as error:  # ValueError: a name with a null byte
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read {name}: {reason.lower()}") from None
    if len(data) > MAX_BYTES:
        raise UsageError(f"{name} has more than {MAX_BYTES // 2**20} MiB", "make it smaller")
    return _decoded(data, name)


def _decoded(data: bytes, name: str) -> Raster:
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise UsageError("an image needs Pillow, which is not installed", "pip install 'archcalc[image]'") from None
    start = next((start for start in _STARTS if data.startswith(start)), None)
    if start is None:
        raise UsageError(f"{name} is neither a PNG nor a JPEG image")
    if any(_has_more(data, *limit) for limit in _LIMITS[start].items()):
        raise UsageError(f"{name} has more parts than a {_STARTS[start]} of any camera or program")
    try:
        with catch_warnings(action="ignore"), Image.open(BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.width * image.height <= MAX_PIXELS:
                return _drawable(image)
    except Image.DecompressionBombError:
        pass
    except MemoryError:
        raise
    except Exception as error:  # a decoder may raise anything for a broken file
        raise UsageError(f"{name} is a broken {_STARTS[start]} image: {printable(str(error))}") from None
    raise UsageError(f"{name} has more than {MAX_PIXELS:,} pixels", "make it smaller")  # before decoding


def _has_more(data: bytes, part: re.Pattern[bytes], most: int) -> bool:
    return next(islice(part.finditer(data), most, None), None) is not None


def _drawable(image: Any) -> Raster:
    """The image rotated upright, reduced to LONGEST, and without metadata."""
    from PIL import ImageOps

    width, height = image.size
    kind = "PNG" if image.format == "PNG" else "JPEG"
    image.draft(None, (LONGEST, LONGEST))  # decodes a large JPEG at lower resolution
    upright = ImageOps.exif_transpose(image)
    if image.getexif().get(_ORIENTATION, 1) in _LYING:
        width, height = height, width
    upright = _of_eight_bits(upright)
    upright.thumbnail((LONGEST, LONGEST))
    upright.info.clear()
    content = BytesIO()
    upright.save(content, kind, quality=90)
    return Raster(f"image/{kind.lower()}", width, height, content.getvalue())


def _of_eight_bits(image: Any) -> Any:
    """Convert to a mode that both formats support and that can be resized."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    if "transparency" in image.info:
        return image.convert("RGBA")
    return image if image.mode in ("L", "LA", "RGB", "RGBA") else image.convert("RGB")
