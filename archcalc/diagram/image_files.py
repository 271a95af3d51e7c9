"""Converts SVG drawings to PDF and PNG, with the bundled font, so that all three look alike."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcalc.diagram.style import FONTS
from archcalc.errors import UsageError, printable, quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FORMATS = ("svg", "pdf", "png")
MAX_PIXELS = 5 * 10**7  # of a PNG, four bytes each
SCALE = 2.0  # pixels for each pixel of the SVG, for high-density screens
SMALLEST, LARGEST = 0.05, 20.0  # allowed scales
MAX_POINTS = 14_400  # the longest side of a page that PDF programs show
_PIXELS_PER_POINT = 96 / 72
_SPACE = "{http://www.w3.org/2000/svg}"
_FOLDER = Path(__file__).parent / "fonts"
_FAMILY = "Archcalc Sans"
_FILES = ("ArchcalcSans-Regular.ttf", "ArchcalcSans-Bold.ttf")
# The ranges of letters in the font: Latin, Greek, Cyrillic, arrows and signs of mathematics.
LETTERS = (
    *((" ", "~"), ("\u00a0", "ſ"), ("Α", "Ρ"), ("Σ", "ώ"), ("А", "я"), ("‒", "•"), ("…", "…"), ("←", "↕")),
    *(("−", "−"), ("√", "√"), ("∞", "∞"), ("≈", "≈"), ("≠", "≡"), ("≤", "≥")),
)
# The elements of a drawing. The libraries get no others, so that they have nothing to fetch or to run.
ELEMENTS = {"svg", "g", "title", "desc", "rect", "path", "polygon", "polyline", "circle", "text", "image"}
_IMAGES = ("data:image/png;base64,", "data:image/jpeg;base64,")
_DOCUMENT = """
#set page(width: auto, height: auto, margin: 0pt)
#set document(title: sys.inputs.title, date: none)
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.width) * 1pt)
"""


def image_format(path: str) -> str:
    """The format for the ending of a file name. Raises UsageError for an unknown ending."""
    for file_format in FORMATS:
        if path.lower().endswith(f".{file_format}"):
            return file_format
    raise UsageError(f"{quoted(path)} has no known ending", "name a file that ends in .svg, .pdf or .png")


def convert_svg(svg: str, file_format: str, scale: float = SCALE) -> str | bytes:
    """Convert a drawing to PNG (at `scale`) or PDF; return the text for any other format.

    Raises UsageError as `svg_to_png` and `svg_to_pdf` do.
    """
    return svg_to_png(svg, scale) if file_format == "png" else svg_to_pdf(svg) if file_format == "pdf" else svg


def svg_to_png(svg: str, scale: float = SCALE) -> bytes:
    """Convert a drawing of archcalc to PNG, with `scale` pixels for each pixel of the SVG.

    Raises UsageError without resvg, for a scale out of range, and for an image that is too large.
    """
    try:
        import resvg_py
    except ImportError:
        raise UsageError("PNG needs resvg-py, which is not installed", "pip install resvg-py") from None
    check_scale(scale)
    width, height = (ceil(side * scale) for side in _size(_read(svg)))
    if width * height > MAX_PIXELS:
        raise UsageError(
            f"a PNG of {width:,}×{height:,} pixels is more than {MAX_PIXELS:,} pixels",
            "take a smaller --scale, collapse blocks with --depth, or write SVG or PDF",
        )
    files = [str(_FOLDER / name) for name in _FILES]
    options: Any = {"font_files": files, "skip_system_fonts": _is_covered(svg)}
    return _call_library(
        "resvg", lambda: resvg_py.svg_to_bytes(svg_string=_use_bundled_font(svg), zoom=scale, **options)
    )


def svg_to_pdf(svg: str) -> bytes:
    """Convert a drawing of archcalc to a PDF of one page, with shapes as vectors and text as text.

    Raises UsageError without the library for PDF.
    """
    try:
        import typst
    except ImportError:
        raise UsageError("PDF needs typst, which is not installed", "pip install 'archcalc[pdf]'") from None
    root = _read(svg)
    points = [side / _PIXELS_PER_POINT for side in _size(root)]
    width = points[0] * min(1.0, MAX_POINTS / max(points))
    texts = {"svg": _use_bundled_font(svg), "width": f"{width:.4f}", "title": root.findtext(f"{_SPACE}title", "")}
    # The stubs of the library want the path of the fonts as bytes.
    options: Any = {"font_paths": [str(_FOLDER)], "ignore_system_fonts": _is_covered(svg), "sys_inputs": texts}
    return _call_library("Typst", lambda: typst.compile(_DOCUMENT.encode(), format="pdf", **options))


def _call_library(library: str, draw: Callable[[], Any]) -> bytes:
    """The output of a library. Raises UsageError if it fails."""
    try:
        return bytes(draw())
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{library} cannot draw this: {printable(str(error))[:200]}") from None


def check_scale(scale: float) -> None:
    """Raises UsageError for a scale out of range."""
    if not SMALLEST <= scale <= LARGEST:  # which also refuses nan
        raise UsageError(f"scale must be between {SMALLEST:g} and {LARGEST:g}, and is {scale:g}")


def _read(svg: str) -> "Element":
    """Parse a drawing. Raises ValueError if it may refer to anything outside of it."""
    from xml.etree.ElementTree import fromstring

    if not svg.startswith("<svg "):  # a DOCTYPE could define entities
        raise ValueError("a drawing begins with <svg")
    root = fromstring(svg)
    for element in root.iter():
        if element.tag.removeprefix(_SPACE) not in ELEMENTS:
            raise ValueError(f"a drawing has no {element.tag}")
        for name, value in element.attrib.items():
            if (name.endswith("href") and not value.startswith(_IMAGES)) or "url(" in value or name == "style":
                raise ValueError(f"a drawing refers to nothing, and has {name}={value[:80]!r}")
    return root


def _use_bundled_font(svg: str) -> str:
    """The SVG text with the bundled font."""
    return svg.replace(f'font-family="{FONTS}"', f'font-family="{_FAMILY}, {FONTS}"', 1)


def _size(root: "Element") -> tuple[float, float]:
    """The width and height in pixels."""
    return float(root.attrib["width"]), float(root.attrib["height"])


def _is_covered(svg: str) -> bool:
    """Whether the font has all letters; searching the fonts of the system for others takes time."""
    return svg.isascii() or all(any(first <= letter <= last for first, last in LETTERS) for letter in {*svg} - {"\n"})
