"""Rows of text as a table: for a terminal or a pipe, a paper, a page, or a spreadsheet, whatever they are about."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from archcalc.errors import printable
from archcalc.layers.base import size_text
from archcalc.numbers.bounds import Cause

# The names that tabulate knows formats by; it escapes what would be markup in a name, but not in Markdown.
PAGE_FORMATS = {"markdown": "pipe", "latex": "latex_booktabs", "html": "html"}
WIDEST = 100  # letters of a line of running text
LISTED = 12  # layers of a reason
MOST_INPUTS = 20  # of a network, in the head of a report
_NARROWEST = 10  # letters that a shortened name keeps


class Style(Struct, frozen=True, gc=False):
    """How text for a terminal looks: no wider than `width` (None for any), and with emphasis or without."""

    width: int | None = None
    bold: Callable[[str], str] = str
    dim: Callable[[str], str] = str


def text_table(
    header: Sequence[str],
    rows: Sequence[Sequence[str | None]],
    style: Style,
    left: Collection[int] = (0,),
    narrowed: Collection[int] = (),
    rules: int = 1,
) -> list[str]:
    """Columns side by side, those of words to the `left`, the others to the right. A row of one text, or two, runs on.

    Columns with nothing but None are left out, and so are the last ones where the width is not enough, with a note;
    `narrowed` columns of words are made shorter before that. Of `rules`, the first is under the header, the second
    under the rows.
    """
    whole = [row for row in rows if len(row) == len(header)]
    columns = [number for number in range(len(header)) if any(row[number] is not None for row in whole) or not number]
    texts = {number: {row[number] for row in (header, *whole)} for number in columns}  # each but once
    widths = {number: max(display_width(text or "–") for text in texts[number]) for number in columns}
    widths[0] = max([widths[0], *(display_width(row[0] or "") for row in rows if len(row) > 1)])
    removed = _fit(widths, style.width, narrowed) if style.width else []
    cells = {
        number: {text: _cell("–" if text is None else text, width, number in left) for text in texts[number]}
        for number, width in widths.items()
    }

    def line(row: Sequence[str | None]) -> str:
        if len(row) == 1:
            return style.dim(row[0] or "")
        if len(row) == 2 != len(header):
            return f"{padded(row[0] or '', widths[0], left=True)}  {row[1]}"
        return "  ".join([column[row[number]] for number, column in cells.items()]).rstrip()

    rule = style.dim("─" * (sum(widths.values()) + 2 * (len(widths) - 1)))
    missing = ", ".join(header[number] for number in removed if header[number].strip())
    note = [style.dim(f"(no room for: {missing})")] if missing else []
    return [
        style.bold(line(header)),
        *([rule] if rules else []),
        *map(line, rows),
        *([rule] if rules > 1 else []),
        *note,
    ]


def _cell(text: str, width: int, left: bool) -> str:
    return padded(shortened(text, width), width, left)


def _fit(widths: dict[int, int], available: int, words: Collection[int]) -> list[int]:
    """Narrow the columns of words, the widest first, until all fit; numbers keep their width.

    Where that is not enough, columns are taken out, the last first, and returned.
    """
    left_out: list[int] = []
    while (excess := sum(widths.values()) + 2 * (len(widths) - 1) - available) > 0:
        wide = sorted((width, number) for number, width in widths.items() if number in words and width > _NARROWEST)
        if wide:
            next_width = max([_NARROWEST, *(width - 1 for width, _ in wide[:-1])])
            width, widest = wide[-1]
            widths[widest] = max(width - excess, min(next_width, width - 1))
        elif len(widths) > 1:
            left_out.insert(0, widths.popitem()[0])
        else:
            break
    return left_out


def reason_lines(mark: str, causes: Iterable[Cause], style: Style) -> list[str]:
    """Why something is missing, behind a mark: each reason once, then its layers, in lines that fit."""
    from textwrap import wrap

    texts = (f"{mark} {printable(cause.text(LISTED))}" for cause in causes)
    return [line for text in texts for line in wrap(text, style.width or WIDEST, subsequent_indent="  ")]


def page_table(
    header: Sequence[str], rows: Iterable[Sequence[str | None]], format_name: str, left: Collection[int] = (0,)
) -> str:
    """The same for one of PAGE_FORMATS, with what would be markup in a text escaped."""
    from tabulate import tabulate

    table = tabulate(
        [[escaped(cell or "", format_name) for cell in row] for row in rows],
        headers=[escaped(name, format_name) for name in header],
        tablefmt=PAGE_FORMATS[format_name],
        disable_numparse=True,
        colalign=["left" if number in left else "right" for number in range(len(header))],
    )
    # LaTeX would take these at the start of a row for an option of the line above.
    return re.sub(r"^(\s*)([\[*])", r"\1{\2}", table, flags=re.MULTILINE) if format_name == "latex" else str(table)


def escaped(text: str, format_name: str) -> str:
    """The text without what would be markup in it."""
    if format_name != "markdown":
        return text
    return "".join(f"\\{letter}" if letter in r"\`*_|<>[]" else letter for letter in text)


# What a spreadsheet takes for the start of a formula, also at full width; a negative number is none.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]")
_NUMBERS = re.compile(r"[+-]?[\d.]+(x[+-]?[\d.]+)*")


def csv_cell(value: Any) -> Any:
    """A value for a spreadsheet: text that is printable and stays text; numbers stay numbers."""
    if not isinstance(value, str):
        return value
    clean = printable(value)
    return f"'{clean}" if _FORMULA.match(clean) and not _NUMBERS.fullmatch(clean) else clean


def csv_text(header: Sequence[str], rows: Iterable[Iterable[Any]]) -> str:
    """Rows as comma-separated values, without the last line's end."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(csv_cell, header))
    writer.writerows(map(csv_cell, row) for row in rows)
    return text.getvalue().rstrip("\n")


def inputs_text(shapes: Mapping[str, Any], written: Callable[[Any], str] = size_text) -> str:
    """Inputs by name with their shapes, as the head of a report has them: `image 3×224×224`."""
    shown = [f"{printable(name)} {written(shape)}" for name, shape in islice(shapes.items(), MOST_INPUTS)]
    more = [f"and {len(shapes) - MOST_INPUTS:,} more"] if len(shapes) > MOST_INPUTS else []
    return ", ".join([*shown, *more])


def shortened(text: str, width: int) -> str:
    """The text with its middle left out, so that both ends of a long name can be read."""
    if display_width(text) <= width:
        return text
    tail = width // 2
    head = width - tail - 1
    while display_width(shorter := f"{text[:head]}…{text[len(text) - tail :]}") > width:
        head, tail = max(head - 1, 0), tail - (head == 0)
    return shorter


def padded(text: str, width: int, left: bool = True) -> str:
    """A text as wide as its column, at the left or the right of it."""
    space = " " * (width - display_width(text))
    return text + space if left else space + text


def display_width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    if text.isascii() or max(text) < "\u0300":  # no wide or combining letters
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "WF") for letter in text)
