"""Documents in a terminal, as wide as it is and with emphasis; or plain, for a pipe."""

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import NamedTuple

from msgspec import structs

from archcalc.errors import printable
from archcalc.render.cells import fact_text, table_texts, used_columns
from archcalc.render.document import (
    NAME,
    TEXT,
    WORDS,
    Document,
    Equations,
    Facts,
    Findings,
    Lines,
    Note,
    Part,
    Row,
    Table,
)
from archcalc.render.layout import Layout, fit, short_name, shortest_name
from archcalc.render.text_table import WIDEST, Style, display_width, padded, shortened


def write_text(document: Document, style: Style, ruled: bool = True) -> str:
    """The document as text; `ruled` has lines around tables and shows how rows nest."""
    title = [style.bold(printable(document.title))] if document.title else []
    head = [*title, *(_head_line(line, style) for line in document.head)]
    summed = any(isinstance(part, Facts) and part.totals for part in document.parts)
    blocks = [head, *(_part(part, style, ruled, summed) for part in document.parts)]
    blocks.append([line for note in document.notes for line in note_lines(note, style)])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _head_line(line: str, style: Style) -> str:
    text = printable(line)
    return style.dim(shortened(text, style.width)) if style.width else text


def _part(part: Part, style: Style, ruled: bool, summed: bool) -> list[str]:
    if isinstance(part, Findings):
        return _findings(part, style)
    title = [style.bold(printable(part.title))] if part.title else []
    if isinstance(part, Facts):
        return [*title, *_facts(part, style)]
    if isinstance(part, Lines):
        return [*title, *_lines(part, style)]
    if isinstance(part, Equations):
        from archcalc.render.equations import equation_lines

        return [*title, *equation_lines(part, style)]
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


def _findings(part: Findings, style: Style) -> list[str]:
    """Each in lines of its own, the first of them emphasized."""
    lines: list[str] = []
    for diagnostic in part.diagnostics[: part.most]:
        first, *others = str(diagnostic).split("\n")
        lines += [*([""] if lines else []), style.bold(first), *others]
    hidden = len(part.diagnostics) - part.most
    return [*lines, *(["", f"… and {hidden:,} more"] if hidden > 0 else [])]


def _facts(part: Facts, style: Style) -> Iterator[str]:
    texts = [
        (printable(fact.label), printable(fact_text(fact.kind, fact.unit, fact.value)), fact.short)
        for fact in part.facts
    ]
    labels, values, shorts = (max(map(display_width, column)) for column in zip(*texts, strict=True))
    words = all(fact.kind in WORDS for fact in part.facts)
    for fact, (label, value, short) in zip(part.facts, texts, strict=True):
        line = f"{padded(label, labels)}  {padded(value, values, left=words)}"
        line += f"  {padded(short, shorts, left=False)}" if shorts else ""
        yield from _with_note(line, "\n".join(map(printable, fact.note.split("\n"))), style)


def _with_note(line: str, note: str, style: Style) -> list[str]:
    """A line with a note behind it, or below it where there is no room."""
    if not note:
        return [line.rstrip()]
    if "\n" in note:
        texts = [text for part in note.split("\n") for text in wrap(part, min(style.width or WIDEST, WIDEST) - 4)]
        return [line.rstrip(), *(style.dim(f"    {text}") for text in texts)]
    if style.width is None or display_width(line) + 2 + display_width(note) <= style.width:
        return [line + style.dim(f"  {note}")]
    return [line.rstrip(), *(style.dim(f"    {text}") for text in wrap(note, max(style.width - 4, 10)))]


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
    legend: list[str] = []
    if table.stacked and style.width and _width_of(headers, texts) > style.width:
        return _paragraphs(headers, texts, style)
    layout = _fitted(table, headers, [*body, *totals], style.width)
    if layout.left_out and any(column.short for column in table.columns):
        legend = [f"{column.short}  {printable(column.header)}" for column in table.columns if column.short]
        headers = [column.short or header for column, header in zip(table.columns, headers, strict=True)]
        layout = _fitted(table, headers, [*body, *totals], style.width)
    kinds = [column.kind for column in table.columns]
    above, below = ([*_shown_lines(part, table, layout, style)] for part in (body, totals))
    rule = [style.dim("─" * layout.total)] if ruled and table.ruled else []
    head = [style.bold(_line(_Shown(Row(headers), headers), kinds, layout))] if any(headers) else []
    return [*legend, *head, *rule, *above, *rule, *below, *_left_out(headers, layout, style), *_notes(table, style)]


def _width_of(headers: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    return sum(max(map(display_width, column)) + 2 for column in zip(headers, *texts, strict=True)) - 2


def _paragraphs(headers: Sequence[str], texts: Sequence[Sequence[str]], style: Style) -> list[str]:
    from archcalc.render.equations import paragraph

    return [line for row in texts for line in ["", *paragraph(headers, row, style)]][1:]


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


def _shown_lines(rows: Sequence[_Shown], table: Table, layout: Layout, style: Style) -> Iterator[str]:
    kinds = [column.kind for column in table.columns]
    last = len(kinds) - 1
    wraps = table.columns[last].wrapped and last in layout.widths
    for shown in rows:
        emphasize = {"strong": style.bold, "faint": style.dim}.get(shown.row.emphasis, str)
        if len(shown.texts) == 1 != len(kinds):
            yield from map(emphasize, wrap(shown.texts[0], style.width) if style.width else shown.texts)
        elif wraps and display_width(shown.texts[last]) > layout.widths[last]:
            yield from map(emphasize, _wrapped_row(shown, kinds, layout))
        else:
            yield emphasize(_line(shown, kinds, layout))


def _wrapped_row(shown: _Shown, kinds: Sequence[str], layout: Layout) -> Iterator[str]:
    """A row whose last cell takes several lines."""
    *before, text = shown.texts
    for number, piece in enumerate(wrap(text, layout.widths[len(before)], break_on_hyphens=False)):
        texts = [*(before if not number else [""] * len(before)), piece]
        yield _line(shown._replace(texts=texts, branch=shown.branch if not number else ""), kinds, layout)


def _line(shown: _Shown, kinds: Sequence[str], layout: Layout) -> str:
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
