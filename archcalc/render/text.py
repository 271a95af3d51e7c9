"""Documents in a terminal, as wide as it is and with emphasis; or plain, for a pipe."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from msgspec import structs

from archcalc.errors import printable
from archcalc.render.cells import fact_text, table_texts, used_columns
from archcalc.render.document import NAME, TEXT, WORDS, Document, Facts, Lines, Note, Part, Row, Table
from archcalc.render.layout import Layout, fit, short_name, shortest_name
from archcalc.render.text_table import WIDEST, Style, display_width, padded, shortened


def write_text(document: Document, style: Style, ruled: bool = True) -> str:
    """The document as text; `ruled` has lines around tables and shows how rows nest."""
    head = [style.bold(printable(document.title)), *(_head_line(line, style) for line in document.head)]
    summed = any(isinstance(part, Facts) and part.totals for part in document.parts)
    blocks = [head, *(_part(part, style, ruled, summed) for part in document.parts)]
    blocks.append([line for note in document.notes for line in note_lines(note, style)])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _head_line(line: str, style: Style) -> str:
    text = printable(line)
    return style.dim(shortened(text, style.width)) if style.width else text


def _part(part: Part, style: Style, ruled: bool, summed: bool) -> list[str]:
    title = [style.bold(printable(part.title))] if part.title else []
    if isinstance(part, Facts):
        return [*title, *_facts(part, style)]
    if isinstance(part, Lines):
        return [*title, *_lines(part, style)]
    return [*title, *_table(structs.replace(part, totals=()) if summed else part, style, ruled)]


def note_lines(note: Note, style: Style) -> list[str]:
    """A note in lines that fit."""
    width = min(style.width or WIDEST, WIDEST)
    return wrap(printable(str(note)), width, subsequent_indent="  " if note.mark else "", break_on_hyphens=False)


def _lines(part: Lines, style: Style) -> Iterator[str]:
    emphasize = {"strong": style.bold, "faint": style.dim}.get(part.emphasis, str)
    width = min(style.width or WIDEST, WIDEST)
    for line in map(printable, part.lines):
        for shown in wrap(line, width, break_on_hyphens=False) if part.wrapped else [line]:
            yield emphasize(shown)


def _facts(part: Facts, style: Style) -> Iterator[str]:
    texts = [
        (printable(fact.label), printable(fact_text(fact.kind, fact.unit, fact.value)), fact.short)
        for fact in part.facts
    ]
    labels, values, shorts = (max(map(display_width, column)) for column in zip(*texts, strict=True))
    for fact, (label, value, short) in zip(part.facts, texts, strict=True):
        line = f"{padded(label, labels)}  {padded(value, values, left=False)}"
        line += f"  {padded(short, shorts, left=False)}" if shorts else ""
        yield from _with_note(line.rstrip(), printable(fact.note), style)


def _with_note(line: str, note: str, style: Style) -> list[str]:
    """A line with a note behind it, or below it where there is no room."""
    if not note:
        return [line]
    if style.width is None or display_width(line) + 2 + display_width(note) <= style.width:
        return [line + style.dim(f"  {note}")]
    return [line, *(style.dim(f"  {text}") for text in wrap(note, max(style.width - 2, 10)))]


# tables


class _Shown(NamedTuple):
    """A row with its cells as text; `branch` are the lines of the tree before its name."""

    row: Row
    texts: list[str]
    branch: str = ""


def _table(table: Table, style: Style, ruled: bool) -> list[str]:
    """The header, the rows and the totals, with rules between."""
    rows = [row for row in table.rows if ruled or not row.group]
    headers, cells = table_texts(table, [*rows, *table.totals])
    texts = [[*map(printable, row)] for row in cells]
    body = _nested(rows, texts[: len(rows)]) if ruled else _indented(table, rows, texts)
    totals = [*map(_Shown, table.totals, texts[len(rows) :])]
    layout = _fitted(table, headers, [*body, *totals], style.width)
    kinds = [column.kind for column in table.columns]
    above, below = ([_shown_line(shown, kinds, layout, style) for shown in part] for part in (body, totals))
    rule = [style.dim("─" * layout.total)] if ruled and table.ruled else []
    head = style.bold(_line(_Shown(Row(headers), headers), kinds, layout))
    return [head, *rule, *above, *rule, *below, *_left_out(headers, layout, style), *_notes(table, style)]


def _nested(rows: Sequence[Row], texts: Sequence[list[str]]) -> list[_Shown]:
    """The rows as a tree: each behind its branch, with its name relative to the group that it is in."""
    if not any(row.level for row in rows):
        return [*map(_Shown, rows, texts)]
    shown, groups = [], dict[int, str]()
    for row, branch, cells in zip(rows, _branches(rows), texts, strict=True):
        name = cells[0].removeprefix(f"{groups[row.level - 1]}.") if row.level else cells[0]
        groups[row.level] = cells[0]
        shown.append(_Shown(row, [name, *cells[1:]], branch))
    return shown


def _indented(table: Table, rows: Sequence[Row], texts: Sequence[list[str]]) -> list[_Shown]:
    """The rows without a tree: paths say themselves how they nest, and other names are indented."""
    is_path = table.columns[0].kind == NAME
    return [_Shown(row, cells, "" if is_path else "  " * row.level) for row, cells in zip(rows, texts, strict=False)]


def _branches(rows: Sequence[Row]) -> list[str]:
    """The lines that lead to every row of a tree: `├ `, `│ └ `."""
    found, following = [], set[int]()  # levels that have a row further below, within the same group
    for row in reversed(rows):
        following = {level for level in following if level <= row.level}
        bars = "".join("│ " if level in following else "  " for level in range(1, row.level))
        found.append(bars + ("├ " if row.level in following else "└ ") if row.level else "")
        following.add(row.level)
    return found[::-1]


def _fitted(table: Table, headers: list[str], rows: Sequence[_Shown], width: int | None) -> Layout:
    whole = [shown for shown in rows if len(shown.texts) == len(headers)]
    widths = {
        place: max(map(display_width, {headers[place], *(shown.texts[place] for shown in whole)}))
        for place in used_columns(table)
    }
    names = {shown.branch + shown.texts[0] for shown in rows if len(shown.texts) > 1}
    widths[0] = max([widths[0], *map(display_width, names)])
    texts = [place for place in widths if place and table.columns[place].kind == TEXT]
    is_path = width is not None and table.columns[0].kind == NAME
    shortest = max((len(shown.branch) + shortest_name(shown.texts[0]) for shown in whole), default=0) if is_path else 0
    return fit(widths, width, texts, [column.priority for column in table.columns], shortest)


def _shown_line(shown: _Shown, kinds: Sequence[str], layout: Layout, style: Style) -> str:
    emphasize = {"strong": style.bold, "faint": style.dim}.get(shown.row.emphasis, str)
    return emphasize(_line(shown, kinds, layout))


def _line(shown: _Shown, kinds: Sequence[str], layout: Layout) -> str:
    if len(shown.texts) == 1 != len(kinds):
        return shown.texts[0]
    cells = []
    for place, width in layout.widths.items():
        branch = "" if place else shown.branch
        room, text = width - len(branch), shown.texts[place]
        if len(text) > room:  # or else it fits, but for wide letters
            text = short_name(text, room) if kinds[place] == NAME else shortened(text, room)
        cells.append(padded(branch + text, width, kinds[place] in WORDS))
    return "  ".join(cells).rstrip()


def _left_out(headers: Sequence[str], layout: Layout, style: Style) -> list[str]:
    missing = ", ".join(headers[place] for place in layout.left_out if headers[place].strip())
    return [style.dim(f"(no room for: {missing})")] if missing else []


def _notes(table: Table, style: Style) -> list[str]:
    width = min(style.width or WIDEST, WIDEST)
    return [style.dim(line) for note in table.notes for line in wrap(printable(note), width)]
