"""Documents as HTML for notebooks and pages, without style sheets or scripts."""

from collections.abc import Iterator
from html import escape

from archcalc.errors import printable
from archcalc.render.cells import fact_text, flat_rows, indents, table_texts, used_columns
from archcalc.render.document import (
    WORDS,
    Document,
    Equations,
    Facts,
    Findings,
    Part,
    Table,
    beside_totals,
    fact_remark,
)


def write_html(document: Document) -> str:
    """The document as elements that fit in any page."""
    title = [f"<strong>{escaped(document.title)}</strong>"] if document.title else []
    head = "<br>\n".join([*title, *map(escaped, document.head)])
    blocks = [
        *([f"<p>{head}</p>"] if head else []),
        *(block for part in beside_totals(document) for block in _part(part)),
    ]
    return "\n".join([*blocks, *(f"<p>{escaped(str(note))}</p>" for note in document.notes)])


def escaped(text: str) -> str:
    """The text with markup escaped."""
    return escape(printable(text))


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Findings):
        yield from (f"<pre>{escape(_lines_of(str(diagnostic)))}</pre>" for diagnostic in part.diagnostics)
        return
    if isinstance(part, Table):
        yield _table(part)
        yield from (f"<p>{escaped(note)}</p>" for note in part.notes)
        return
    if part.title:
        yield f"<p><strong>{escaped(part.title)}</strong></p>"
    if isinstance(part, Equations):
        rows = (
            f"<tr><td>{escaped(str(one.left))}</td><td>{escaped(str(one.right))}</td></tr>" for one in part.equations
        )
        yield "\n".join(["<table>", *rows, "</table>"])
    elif isinstance(part, Facts):
        yield _facts(part)
    elif part.wrapped:
        yield from (f"<p>{escaped(line)}</p>" for line in part.lines)
    else:
        yield f"<pre>{escape(_lines_of(chr(10).join(part.lines)))}</pre>"


def _lines_of(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def _facts(part: Facts) -> str:
    rows = (
        f"<tr><th scope='row' style='text-align: left'>{escaped(fact.label)}</th>"
        f"<td style='text-align: right'>{escaped(fact_text(fact.kind, fact.unit, fact.value))}</td>"
        f"<td style='text-align: left'>{escaped(fact_remark(fact))}</td></tr>"
        for fact in part.facts
    )
    return "\n".join(["<table>", *rows, "</table>"])


def _table(table: Table) -> str:
    places = used_columns(table)
    headers, cells = table_texts(table, flat_rows(table))
    levels = indents(table)
    sides = ["left" if table.columns[place].kind in WORDS else "right" for place in places]
    split = len(cells) - len(table.totals)
    caption = [f"<caption>{escaped(table.title)}</caption>"] if table.title else []
    foot = ["<tfoot>", *(_row(row, places, sides, "td") for row in cells[split:]), "</tfoot>"] if table.totals else []
    head = f"<thead>{_row(headers, places, sides, 'th')}</thead>"
    rows = zip(cells[:split], levels, strict=False)
    body = ["<tbody>", *(_row(row, places, sides, "td", level) for row, level in rows), "</tbody>"]
    return "\n".join(["<table>", *caption, head, *body, *foot, "</table>"])


def _row(texts: list[str], places: list[int], sides: list[str], tag: str, level: int = 0) -> str:
    if len(texts) == 1 != len(places):
        return f"<tr><th colspan='{len(places)}' style='text-align: left'>{escaped(texts[0])}</th></tr>"
    indents_of_row = ["&emsp;" * level, *("" for _ in places[1:])]
    cells = (
        f"<{tag} style='text-align: {side}'>{indent}{escaped(texts[place])}</{tag}>"
        for place, side, indent in zip(places, sides, indents_of_row, strict=True)
    )
    return f"<tr>{''.join(cells)}</tr>"
