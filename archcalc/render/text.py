"""Documents as text, for a terminal or plain for a pipe."""

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import NamedTuple

from msgspec import structs

from archcalc.errors import printable
from archcalc.render.cells import fact_text, indent, table_texts, used_columns
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
from archcalc.render.layout import NARROWEST_TEXT, Layout, fit, name_lines, shortest_width
from archcalc.render.style import WIDEST, Style, display_width, padded, shortened, wrap, wrap_finding

_QUOTED = ("  ┌ ", "  │ ")  # lines of a finding with its place and the line of the spec


def write_text(document: Document, style: Style, ruled: bool = True) -> str:
    """The document as text; with `ruled`, tables have lines around them, and nested rows form a tree."""
    head = [*_title(document.title, style), *(text for line in document.head for text in _head_lines(line, style))]
    parts, legend = _with_room(document, style, ruled)
    summed = any(isinstance(part, Facts) and part.totals for part in document.parts)
    blocks = [head, legend, *(_part(part, style, ruled, summed) for part in parts)]
    blocks.append([line for note in document.notes for line in note_lines(note, style)])
    return "\n\n".join("\n".join(lines) for lines in blocks if lines)


def _title(title: str, style: Style) -> list[str]:
    return [style.bold(line) for line in _wrapped(printable(title), style.width) if line]


def _wrapped(text: str, width: int | None) -> list[str]:
    """A text in lines of at most a width; each further line stands below the first, or two to the right of it."""
    return wrap(text, width, text[: len(text) - len(text.lstrip())] or "  ") if width else [text]


def _with_room(document: Document, style: Style, ruled: bool) -> tuple[Sequence[Part], list[str]]:
    """The parts and a legend of short headers, which all tables have if one of them would leave out columns."""
    tables = [part for part in document.parts if isinstance(part, Table) and any(one.short for one in part.columns)]
    if not style.width or not any(_TextTable(table, style, ruled).layout.left_out for table in tables):
        return document.parts, []
    legend = {one.short: f"{one.short}  {printable(one.header)}" for table in tables for one in table.columns}
    legend.pop("", None)
    return [_with_short_headers(part) if part in tables else part for part in document.parts], [*legend.values()]


def _with_short_headers(table: Part) -> Table:
    assert isinstance(table, Table)
    columns = [structs.replace(column, header=column.short or column.header) for column in table.columns]
    return structs.replace(table, columns=columns)


def _head_lines(line: str, style: Style) -> Iterator[str]:
    """The lines of a line of the head: facts between points wrap, and a single fact, such as a source, is cut."""
    facts = printable(line).split(" · ")
    lines = [facts[0]]
    for fact in facts[1:]:
        if style.width and display_width(f"{lines[-1]} · {fact}") > style.width:
            lines.append(f"  {fact}")
        else:
            lines[-1] += f" · {fact}"
    for text in lines:
        if style.width and len(facts) > 1:
            yield from map(style.dim, wrap(text, style.width, indent="  "))
        else:
            yield style.dim(shortened(text, style.width)) if style.width else text


def _part(part: Part, style: Style, ruled: bool, summed: bool) -> list[str]:
    if isinstance(part, Findings):
        return _findings(part, style)
    title = _title(part.title, style)
    if isinstance(part, Facts):
        return [*title, *_facts(part, style)]
    if isinstance(part, Lines):
        return [*title, *_lines(part, style)]
    if isinstance(part, Equations):
        from archcalc.render.equations import equation_lines

        return [*title, *equation_lines(part, style)]
    return [*title, *_table(structs.replace(part, totals=()) if summed else part, style, ruled)]


def note_lines(note: Note, style: Style) -> list[str]:
    """The lines of a note, wrapped to the width."""
    width = min(style.width or WIDEST, WIDEST)
    return wrap(printable(str(note)), width, indent="  " if note.mark else "")


def _lines(part: Lines, style: Style) -> Iterator[str]:
    emphasize = {"strong": style.bold, "faint": style.dim}.get(part.emphasis, str)
    width = min(style.width or WIDEST, WIDEST)
    for line in map(printable, part.lines):
        for shown in wrap(line, width) if part.wrapped else [line]:
            yield emphasize(shown)


def _findings(part: Findings, style: Style) -> list[str]:
    """The lines of each finding, the first emphasized."""
    lines: list[str] = []
    for diagnostic in part.diagnostics[: part.most]:
        first, *others = str(diagnostic).split("\n")
        wrapped = [part for line in others for part in _finding_lines(line, style)]
        lines += [*([""] if lines else []), *map(style.bold, _finding_lines(first, style)), *wrapped]
    hidden = len(part.diagnostics) - part.most
    return [*lines, *(["", f"… and {hidden:,} more"] if hidden > 0 else [])]


def _finding_lines(line: str, style: Style) -> list[str]:
    """A line of a finding: a place and a quoted line of a spec are cut, an example is kept to be copied."""
    if not style.width:
        return [line]
    return [shortened(line, style.width)] if line.startswith(_QUOTED) else wrap_finding(line, style.width)


def _facts(part: Facts, style: Style) -> Iterator[str]:
    texts = [
        (printable(fact.label), printable(fact_text(fact.kind, fact.unit, fact.value)), printable(fact.short))
        for fact in part.facts
    ]
    labels, values, shorts = (max(map(display_width, column)) for column in zip(*texts, strict=True))
    beside = not style.width or labels + values + shorts + 4 <= style.width  # otherwise short values are below
    words = all(fact.kind in WORDS for fact in part.facts)
    for fact, (label, value, short) in zip(part.facts, texts, strict=True):
        line = f"{padded(label, labels)}  {padded(value, values, left=words)}"
        line += f"  {padded(short, shorts, left=False)}" if shorts and beside else ""
        note = "\n".join(map(printable, fact.note.split("\n")))
        note = note if beside or not short else f"{short}\n{note}" if note else short
        yield from _with_note(line, note, labels + 2, style)


def _with_note(line: str, note: str, indent: int, style: Style) -> list[str]:
    """A line with a note behind it, or below it if there is no room or the note has several lines."""
    width = min(style.width or WIDEST, WIDEST)
    room = max(width - indent, width // 2)
    if "\n" not in note and (style.width is None or display_width(line) + 2 + display_width(note) <= style.width):
        return [f"{line}{style.dim(f'  {note}')}" if note else line.rstrip()]
    first = wrap(line, style.width, " " * (width - room)) if style.width else [line.rstrip()]
    texts = [text for part in note.strip().split("\n") for text in wrap(part, room)]
    return [*first, *(style.dim(f"{' ' * (width - room)}{text}") for text in texts)]


# tables


class _TextRow(NamedTuple):
    """A row with its cells as text; `branch` has the tree's lines before its name."""

    row: Row
    texts: list[str]
    branch: str = ""


class _TextTable:
    """A table as text, with the widths of its columns."""

    def __init__(self, table: Table, style: Style, ruled: bool) -> None:
        rows = [row for row in table.rows if ruled or not row.group]
        headers, cells = table_texts(table, [*rows, *table.totals])
        self.headers = [*map(printable, headers)]
        self.texts = [[*map(printable, row)] for row in cells]
        nested = ruled and table.ruled
        self.body = _nested(rows, self.texts[: len(rows)]) if nested else _indented(table, rows, self.texts)
        self.totals = [*map(_TextRow, table.totals, self.texts[len(rows) :])]
        self.layout = _fitted(table, self.headers, [*self.body, *self.totals], style.width)


def _table(table: Table, style: Style, ruled: bool) -> list[str]:
    """The lines of a table: header, rows and totals, with rules between them, and notes."""
    laid = _TextTable(table, style, ruled)
    headers, layout = laid.headers, laid.layout
    if table.stacked and style.width and _width_of(headers, laid.texts) > style.width:
        return _paragraphs(headers, laid.texts, style)
    above, below = ([*_shown_lines(part, table, layout, style)] for part in (laid.body, laid.totals))
    rule = [style.dim("─" * layout.total)] if ruled and table.ruled else []
    titles = [shortened(headers[place], width) for place, width in layout.widths.items()]
    head = [style.bold(_line(titles, table, layout))] if any(headers) else []
    return [*head, *rule, *above, *rule, *below, *_left_out(headers, layout, style), *_notes(table, style)]


def _width_of(headers: Sequence[str], texts: Sequence[Sequence[str]]) -> int:
    return sum(max(map(display_width, column)) + 2 for column in zip(headers, *texts, strict=True)) - 2


def _paragraphs(headers: Sequence[str], texts: Sequence[Sequence[str]], style: Style) -> list[str]:
    from archcalc.render.equations import paragraph

    return [line for row in texts for line in ["", *paragraph(headers, row, style)]][1:]


def _nested(rows: Sequence[Row], texts: Sequence[list[str]]) -> list[_TextRow]:
    """The rows as a tree: each with its branch, and its name relative to its group."""
    if not any(row.level for row in rows):
        return [*map(_TextRow, rows, texts)]
    shown, groups = [], dict[int, str]()
    for row, branch, cells in zip(rows, _branches(rows), texts, strict=True):
        name = cells[0].removeprefix(f"{groups[row.level - 1]}.") if row.level else cells[0]
        groups[row.level] = cells[0]
        shown.append(_TextRow(row, [name, *cells[1:]], branch))
    return shown


def _indented(table: Table, rows: Sequence[Row], texts: Sequence[list[str]]) -> list[_TextRow]:
    """The rows without a tree."""
    return [_TextRow(row, cells, "  " * indent(table, row)) for row, cells in zip(rows, texts, strict=False)]


def _branches(rows: Sequence[Row]) -> list[str]:
    """The tree's lines before every row: `├ `, `│ └ `."""
    found, following = [], set[int]()  # levels with a row further below in the same group
    for row in reversed(rows):
        following = {level for level in following if level <= row.level}
        bars = "".join("│ " if level in following else "  " for level in range(1, row.level))
        found.append(bars + ("├ " if row.level in following else "└ ") if row.level else "")
        following.add(row.level)
    return found[::-1]


def _fitted(table: Table, headers: list[str], rows: Sequence[_TextRow], width: int | None) -> Layout:
    whole = [shown for shown in rows if len(shown.texts) == len(headers)]
    widths = {
        place: max(map(display_width, {headers[place], *(shown.texts[place] for shown in whole)}))
        for place in used_columns(table)
    }
    names = {shown.branch + shown.texts[0] for shown in rows if len(shown.texts) > 1}
    widths[0] = max([widths[0], *map(display_width, names)])
    half = (width or 0) // 2  # of a line, for text that wraps
    texts = {
        place: half if table.columns[place].wrapped else NARROWEST_TEXT
        for place in widths
        if place and table.columns[place].kind == TEXT
    }
    is_path = width is not None and table.columns[0].kind == NAME
    shortest = max((len(shown.branch) + shortest_width(shown.texts[0]) for shown in whole), default=0) if is_path else 0
    return fit(widths, width, texts, [column.priority for column in table.columns], shortest)


def _shown_lines(rows: Sequence[_TextRow], table: Table, layout: Layout, style: Style) -> Iterator[str]:
    for shown, names in zip(rows, _names(rows, table, layout), strict=True):
        emphasize = {"strong": style.bold, "faint": style.dim}.get(shown.row.emphasis, str)
        if len(shown.texts) == 1 != len(table.columns):
            yield from map(emphasize, _wrapped(f"{shown.branch}{shown.texts[0]}", style.width))
        else:
            yield from map(emphasize, _row_lines([names, *_cells(shown, table, layout)], shown.branch, table, layout))


def _names(rows: Sequence[_TextRow], table: Table, layout: Layout) -> list[list[str]]:
    """The lines of each row's first cell."""
    texts, width = [shown.texts[0] for shown in rows], layout.widths[0]
    if table.columns[0].kind == NAME:
        return name_lines(texts, [len(shown.branch) for shown in rows], width)
    return [[shortened(text, width - len(shown.branch))] for text, shown in zip(texts, rows, strict=True)]


def _cells(shown: _TextRow, table: Table, layout: Layout) -> Iterator[list[str]]:
    """The lines of the other cells."""
    for place, width in layout.widths.items():
        if place:
            text = shown.texts[place]
            yield wrap(text, width) if table.columns[place].wrapped else [shortened(text, width)]


def _row_lines(cells: Sequence[list[str]], branch: str, table: Table, layout: Layout) -> Iterator[str]:
    for number, texts in enumerate(zip_longest(*cells, fillvalue="")):
        first = f"{'' if number else branch}{texts[0]}"
        yield _line([first, *texts[1:]], table, layout)


def _line(texts: Sequence[str], table: Table, layout: Layout) -> str:
    """A line of the columns that have room."""
    cells = [
        padded(text, width, table.columns[place].kind in WORDS)
        for text, (place, width) in zip(texts, layout.widths.items(), strict=True)
    ]
    return "  ".join(cells).rstrip()


def _left_out(headers: Sequence[str], layout: Layout, style: Style) -> list[str]:
    missing = ", ".join(dict.fromkeys(headers[place] for place in layout.left_out if headers[place].strip()))
    width = style.width or WIDEST
    return [style.dim(line) for line in wrap(f"(no room for: {missing})", width)] if missing else []


def _notes(table: Table, style: Style) -> list[str]:
    width = min(style.width or WIDEST, WIDEST)
    return [style.dim(line) for note in table.notes for line in wrap(printable(note), width)]
