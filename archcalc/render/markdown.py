"""Documents as GitHub's Markdown."""

import re
from collections.abc import Iterator, Sequence

from archcalc.errors import Diagnostic, printable
from archcalc.render.cells import fact_text, flat_rows, indents, table_texts, used_columns
from archcalc.render.document import (
    WORDS,
    Document,
    Equations,
    Facts,
    Findings,
    Lines,
    Part,
    Table,
    beside_totals,
    fact_remark,
)

_MARKER = re.compile(r"^(\d*)([-+=#.)])(?=[-=#]*(\s|$))")  # what starts a list or heading


def write_markdown(document: Document) -> str:
    """The document as Markdown, with its title in bold."""
    title = [f"**{escaped(document.title)}**"] if document.title else []
    head = "  \n".join([*title, *map(paragraph, document.head)])
    parts = (block for part in beside_totals(document) for block in _part(part))
    return "\n\n".join(filter(None, [head, *parts, *(paragraph(str(note)) for note in document.notes)]))


def escaped(text: str) -> str:
    """The text with markup escaped."""
    return "".join(f"\\{letter}" if letter in r"\`*_|<>[]&~@$" else letter for letter in printable(text))


def paragraph(text: str) -> str:
    """The text as a block or line of its own, whose start makes no list, heading or code."""
    return _MARKER.sub(r"\1\\\2", escaped(text.strip()))


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Findings):
        yield "\n".join(f"- {text}" for diagnostic in part.diagnostics for text in [_finding(diagnostic)])
        return
    if part.title:
        yield f"**{escaped(part.title)}**"
    if isinstance(part, Equations):
        rows = ([escaped(str(one.left)), escaped(str(one.right))] for one in part.equations)
        yield "\n".join(f"| {left} | {right} |" for left, right in [("", ""), ("---", "---"), *rows])
    elif isinstance(part, Lines):
        yield "\n\n".join(map(paragraph, part.lines)) if part.wrapped else _code(part.lines)
    elif isinstance(part, Facts):
        yield "\n".join(f"- {paragraph(label)}: {escaped(value)}" for label, value in _facts(part))
    else:
        yield _table(part)
        yield from map(paragraph, part.notes)


def _finding(diagnostic: Diagnostic) -> str:
    """A list item: the message with its code and place, then reason and remedy."""
    code = f" {diagnostic.code}" if diagnostic.code else ""
    head = f"**{diagnostic.severity}{code}** {escaped(diagnostic.message)} ({_span(str(diagnostic.place))})"
    more = [diagnostic.reason, diagnostic.help and f"help: {diagnostic.help}"]
    return "  \n  ".join([head, *(paragraph(text) for text in more if text)])


def _facts(part: Facts) -> Iterator[tuple[str, str]]:
    for fact in part.facts:
        note = f" ({more})" if (more := fact_remark(fact)) else ""
        yield fact.label, fact_text(fact.kind, fact.unit, fact.value) + note


def _span(text: str) -> str:
    """Code within a line."""
    code = printable(text)
    fence = _fence(code, 1)
    return f"{fence} {code} {fence}" if "`" in code else f"{fence}{code}{fence}"


def _code(lines: Sequence[str]) -> str:
    text = "\n".join(map(printable, lines))
    fence = _fence(text, 3)
    return f"{fence}\n{text}\n{fence}"


def _fence(text: str, least: int) -> str:
    """More backticks than any row of them in the text."""
    return "`" * max([least, *(len(found) + 1 for found in re.findall("`+", text))])


def _table(table: Table) -> str:
    """A table of pipes with columns as wide as their texts."""
    from tabulate import tabulate

    places = used_columns(table)
    headers, cells = table_texts(table, flat_rows(table))
    rows = [_row(row, places, level) for row, level in zip(cells, indents(table), strict=True)]
    text: str = tabulate(
        rows,
        headers=[escaped(headers[place]) for place in places],
        tablefmt="pipe",
        disable_numparse=True,
        colalign=["left" if table.columns[place].kind in WORDS else "right" for place in places],
    )
    return text


def _row(texts: list[str], places: list[int], level: int) -> list[str]:
    shown = [texts[0], *("" for _ in places[1:])] if len(texts) == 1 else [texts[place] for place in places]
    first, *others = map(escaped, shown)
    return ["&emsp;" * level + first, *others]
