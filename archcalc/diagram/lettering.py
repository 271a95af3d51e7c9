"""Measures texts. The SVG declares each width, so that the text fits in any font."""

from functools import lru_cache
from typing import NamedTuple

from archcalc.render.style import display_width


class Lettering(NamedTuple):
    """Font size, line height and weight of a line of text."""

    size: float
    height: float
    bold: bool = False


# Widths of Helvetica's letters in thousandths of their size, from its public metrics (AFM), in ASCII order. Arial,
# Liberation Sans and the font in `fonts/` have the same.
_REGULAR = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 "
    "278 278 584 584 584 556 1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 667 778 722 667 "
    "611 722 667 944 667 667 611 278 278 278 469 556 333 556 556 500 556 556 278 556 556 222 222 500 222 833 "
    "556 556 556 556 333 500 278 556 500 722 500 500 500 334 260 334 584 "
)
_BOLD = (
    "278 333 474 556 556 889 722 238 333 333 389 584 278 333 278 278 556 556 556 556 556 556 556 556 556 556 "
    "333 333 584 584 584 611 975 722 722 722 722 667 611 778 722 278 556 722 611 833 722 778 667 778 722 667 "
    "611 722 667 944 667 667 611 333 278 333 584 556 333 556 611 556 611 556 333 611 611 278 278 556 278 889 "
    "611 611 611 611 389 556 333 611 556 778 556 556 500 389 280 389 584 "
)
_BEYOND = {"×": 584, "·": 333, "…": 1000, "→": 1000, "≥": 549, "≤": 549, "−": 584, "–": 556, "—": 1000, "\u00a0": 278}
_OTHER = 0.6  # the width of a letter that is not listed
_WIDE = 1.0  # the width of a letter that takes two columns in a terminal


def _table(widths: str) -> dict[str, float]:
    ascii_widths = {chr(32 + number): int(width) / 1000 for number, width in enumerate(widths.split())}
    return ascii_widths | {letter: width / 1000 for letter, width in _BEYOND.items()}


WIDTHS = {False: _table(_REGULAR), True: _table(_BOLD)}  # for regular and bold letters


def text_width(text: str, lettering: Lettering) -> float:
    """The width of a text: exact for the listed letters of Helvetica, approximate for others."""
    return sum(_letter_width(letter, lettering.bold) for letter in text) * lettering.size


def text_length(text: str, lettering: Lettering) -> dict[str, str]:
    """The attributes that give a text its measured width in every font."""
    width = text_width(text, lettering)
    return {"textLength": f"{width:.2f}", "lengthAdjust": "spacingAndGlyphs"} if width else {}


@lru_cache(4096)
def _letter_width(letter: str, bold: bool) -> float:
    known = WIDTHS[bold].get(letter)
    if known is not None:
        return known
    from unicodedata import normalize

    base = WIDTHS[bold].get(normalize("NFD", letter)[0])  # é is as wide as e
    if base is not None:
        return base
    columns = display_width(letter)
    return _WIDE if columns > 1 else _OTHER * columns
