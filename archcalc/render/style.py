"""Text in a terminal: width, emphasis and shortening."""

import re
from collections.abc import Callable

from msgspec import Struct

WIDEST = 100  # the most columns of a line of running text
FINDING_START = re.compile(r"(?:error|warning|note)(?:\[\w+\])?: |  (?:= |help: |usage: )")
_DEEPEST = len("  help: ")  # indentation of a finding's further lines, so that a code does not take their room


class Style(Struct, frozen=True, gc=False):
    """The style of text for a terminal: at most `width` columns (None for any), and functions for emphasis."""

    width: int | None = None
    bold: Callable[[str], str] = str
    dim: Callable[[str], str] = str


def shortened(text: str, width: int) -> str:
    """The text cut to a width by leaving out its middle, so that both ends of a long name can be read."""
    if display_width(text) <= width:
        return text
    tail = width // 2
    head = width - tail - 1
    while display_width(shorter := f"{text[:head]}…{text[len(text) - tail :]}") > width:
        head, tail = max(head - 1, 0), tail - (head == 0)
    return shorter


def wrap(text: str, width: int, indent: str = "", whole_words: bool = False) -> list[str]:
    """The text in lines of at most a width, broken at spaces; all but the first line begin with `indent`.

    A word that is wider than a line is broken too, unless `whole_words` are asked for, such as paths to copy.
    """
    from textwrap import wrap as wrap_text  # takes a tenth of a bare interpreter's start, and few outputs need it

    return wrap_text(text, width, subsequent_indent=indent, break_on_hyphens=False, break_long_words=not whole_words)


def wrap_finding(line: str, width: int, whole_words: bool = False) -> list[str]:
    """A line of a finding or an error: its text is wrapped to the right of `error:`, `=` or `help:`."""
    start = FINDING_START.match(line)
    if start is None or display_width(line) <= width:
        return [line]
    return wrap(line, width, " " * min(start.end(), _DEEPEST), whole_words)


def padded(text: str, width: int, left: bool = True) -> str:
    """A text padded to a width, left- or right-aligned."""
    space = " " * (width - display_width(text))
    return text + space if left else space + text


def display_width(text: str) -> int:
    """The number of terminal columns that a text takes."""
    if text.isascii() or max(text) < "\u0300":  # no wide or combining letters
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)
