"""PDF and PNG of a drawing, made of its SVG with the font that comes with archcalc, so that all three look alike."""

from collections.abc import Callable
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archcalc.diagram.style import FONTS
from archcalc.errors import UsageError, printable, quoted

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

FORMATS = ("svg", "pdf", "png")
MAX_PIXELS = 5 * 10**7  # of a PNG: each takes four bytes
SCALE = 2.0  # pixels for each of the SVG, for screens with small pixels
SMALLEST, LARGEST = 0.05, 20.0  # scales
MAX_POINTS = 14_400  # of a side of a page, which PDF programs show
_PIXELS_PER_POINT = 96 / 72
_SPACE = "{http://www.w3.org/2000/svg}"
_FOLDER = Path(__file__).parent / "fonts"
_FAMILY = "Archcalc Sans"
_FILES = ("ArchcalcSans-Regular.ttf", "ArchcalcSans-Bold.ttf")
# Letters that the font has, from one to another: Latin, Greek and Cyrillic ones, arrows and signs of mathematics.
LETTERS = (
    *((" ", "~"), ("\u00a0", "ſ"), ("Α", "Ρ"), ("Σ", "ώ"), ("А", "я"), ("‒", "•"), ("…", "…"), ("←", "↕")),
    *(("−", "−"), ("√", "√"), ("∞", "∞"), ("≈", "≈"), ("≠", "≡"), ("≤", "≥")),
)
# What a drawing is made of. Nothing else is given to the libraries, so that they have nothing to fetch or to run.
ELEMENTS = {"svg", "g", "title", "desc", "rect", "path", "polygon", "polyline", "circle", "text", "image"}
_IMAGES = ("data:image/png;base64,", "data:image/jpeg;base64,")
_DOCUMENT = """
#set page(width: auto, height: auto, margin: 0pt)
#set document(title: sys.inputs.title, date: none)
#image(bytes(sys.inputs.svg), format: "svg", width: float(sys.inputs.width) * 1pt)
"""


def image_format(path: str) -> str:
    """The format that the name of a file says. Raises UsageError for another ending."""
    for file_format in FORMATS:
        if path.lower().endswith(f".{file_format}"):
            return file_format
    raise UsageError(f"{quoted(path)} does not say what picture it is: let its name end in .svg, .pdf or .png")


def convert_svg(svg: str, file_format: str, scale: float = SCALE) -> str | bytes:
    """A drawing of archcalc as PNG or PDF; for another format the text that it is. `scale` is for PNG.

    Raises UsageError as those below do.
    """
    return svg_to_png(svg, scale) if file_format == "png" else svg_to_pdf(svg) if file_format == "pdf" else svg


def svg_to_png(svg: str, scale: float = SCALE) -> bytes:
    """A drawing of archcalc as PNG, `scale` pixels for each of its own.

    Raises UsageError without the library that draws it, for a scale out of range, and for an image that is too large.
    """
    try:
        import resvg_py
    except ImportError:
        raise UsageError("PNG needs resvg-py, which is not installed: pip install resvg-py") from None
    check_scale(scale)
    width, height = (ceil(side * scale) for side in _size(_read(svg)))
    if width * height > MAX_PIXELS:
        raise UsageError(
            f"a PNG of {width:,}×{height:,} pixels is more than {MAX_PIXELS:,} pixels: "
            "take a smaller --scale, fold blocks with --depth, or write SVG or PDF"
        )
    files = [str(_FOLDER / name) for name in _FILES]
    options: Any = {"font_files": files, "skip_system_fonts": _is_covered(svg)}
    return _call_library(
        "resvg", lambda: resvg_py.svg_to_bytes(svg_string=_use_bundled_font(svg), zoom=scale, **options)
    )


def svg_to_pdf(svg: str) -> bytes:
    """A drawing of archcalc as PDF of one page: shapes as vectors, words as text.

    Raises UsageError without the library that draws it.
    """
    try:
        import typst
    except ImportError:
        raise UsageError("PDF needs typst, which is not installed: pip install 'archcalc[pdf]'") from None
    root = _read(svg)
    points = [side / _PIXELS_PER_POINT for side in _size(root)]
    width = points[0] * min(1.0, MAX_POINTS / max(points))
    texts = {"svg": _use_bundled_font(svg), "width": f"{width:.4f}", "title": root.findtext(f"{_SPACE}title", "")}
    # Its types want the folder of fonts as bytes, like the document.
    options: Any = {"font_paths": [str(_FOLDER)], "ignore_system_fonts": _is_covered(svg), "sys_inputs": texts}
    return _call_library("Typst", lambda: typst.compile(_DOCUMENT.encode(), format="pdf", **options))


def _call_library(library: str, draw: Callable[[], Any]) -> bytes:
    """What a library makes. Raises UsageError where it fails."""
    try:
        return bytes(draw())
    except (ValueError, RuntimeError) as error:
        raise UsageError(f"{library} cannot draw this: {printable(str(error))[:200]}") from None


def check_scale(scale: float) -> None:
    """Raises UsageError for a scale at which nothing can be drawn."""
    if not SMALLEST <= scale <= LARGEST:  # nor for nan
        raise UsageError(f"scale must be between {SMALLEST:g} and {LARGEST:g}, and is {scale:g}")


def _read(svg: str) -> "Element":
    """The elements of a drawing. Raises ValueError for one that could refer to anything outside of it."""
    from xml.etree.ElementTree import fromstring

    if not svg.startswith("<svg "):  # but with a DOCTYPE, whose entities could be anything
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
    """The text with the font that comes with archcalc."""
    return svg.replace(f'font-family="{FONTS}"', f'font-family="{_FAMILY}, {FONTS}"', 1)


def _size(root: "Element") -> tuple[float, float]:
    """Width and height in pixels."""
    return float(root.attrib["width"]), float(root.attrib["height"])


def _is_covered(svg: str) -> bool:
    """Whether the font has all letters; others are looked for in the fonts of the system, which takes time."""
    return svg.isascii() or all(any(first <= letter <= last for first, last in LETTERS) for letter in {*svg} - {"\n"})
