"""Documents as LaTeX: tables with booktabs, numbers in siunitx columns."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from archcalc.errors import Diagnostic, printable
from archcalc.render.cells import fact_text, flat_rows, indents, table_texts, used_columns
from archcalc.render.document import (
    WORDS,
    Document,
    Equation,
    Equations,
    Fact,
    Facts,
    Findings,
    Lines,
    Math,
    NumberText,
    Part,
    Table,
    beside_totals,
    fact_remark,
)

_SIGNS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "[": "{[}",  # behind the end of a line, a bracket or a star would be an option
    "*": "{*}",
    "°": r"\textdegree{}",
    "µ": r"\textmu{}",
    "…": r"\ldots{}",
    "–": r"\textendash{}",
    "—": r"\textemdash{}",
    "Â": r"\^{A}",
    "\N{REPLACEMENT CHARACTER}": "?",
}
_MATH = {
    "×": r"\times",
    "≥": r"\geq",
    "≤": r"\leq",
    "≠": r"\neq",
    "≈": r"\approx",
    "∞": r"\infty",
    "−": "-",
    "⌊": r"\lfloor",
    "⌋": r"\rfloor",
    "⌈": r"\lceil",
    "⌉": r"\rceil",
    "→": r"\to",
    "·": r"\cdot",
    "÷": r"\div",
    "±": r"\pm",
    "√": r"\surd",
    "½": r"\frac{1}{2}",
    "Σ": r"\Sigma",
    "π": r"\pi",
    "◀": r"\triangleleft",
    "ᵀ": r"^{\mathrm{T}}",
    "ˣ": "^{x}",
    "ᵏ": "^{k}",
    "⁻": "^{-}",
}
_ESCAPES = {
    **_SIGNS,
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
    **{letter: f"${command}$" for letter, command in _MATH.items()},
    **{letter: f"$_{number}$" for number, letter in enumerate("₀₁₂₃₄₅₆₇₈₉")},
    **{letter: f"$^{number}$" for number, letter in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")},
}
_NEEDS = (
    r"% \usepackage{amsmath, booktabs, siunitx}",
    r"% \sisetup{group-separator={,}, group-minimum-digits=4, retain-explicit-plus}",
)
_LIGATURE = re.compile(r"([-`',])(?=\1)|[?!](?=`)")  # letters that fonts join to another one with the next
_NUMBER = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?")


def write_latex(document: Document) -> str:
    """The parts of the document, with title and head as comments before and notes as text behind them."""
    head = [f"% {printable(line)}" for line in (document.title, *document.head) if line]
    parts = (block for part in beside_totals(document) for block in _part(part))
    notes = (escaped(str(note)) for note in document.notes)
    return "\n\n".join(filter(None, ["\n".join([*head, *_NEEDS]), *parts, *notes]))


def escaped(text: str) -> str:
    """The text with commands escaped, and signs as LaTeX commands."""
    letters = "".join(_ESCAPES.get(letter, letter) for letter in printable(text))
    return _LIGATURE.sub(r"\g<0>{}", letters)


def _part(part: Part) -> Iterator[str]:
    if isinstance(part, Findings):
        items = (f"  \\item {_finding(diagnostic)}" for diagnostic in part.diagnostics)
        yield "\n".join(["\\begin{itemize}", *items, "\\end{itemize}"]) if part.diagnostics else ""
        return
    if part.title:
        yield f"\\paragraph{{{escaped(part.title)}}}"
    if isinstance(part, Equations):
        yield _equations(part)
    elif isinstance(part, Lines):
        yield "\\\\\n".join(map(escaped, part.lines))
    elif isinstance(part, Facts):
        yield _facts(part)
    else:
        yield _table(part)
        yield from map(escaped, part.notes)


def _finding(diagnostic: Diagnostic) -> str:
    code = f" {diagnostic.code}" if diagnostic.code else ""
    more = [diagnostic.reason, diagnostic.help and f"help: {diagnostic.help}"]
    texts = [f"{diagnostic.severity}{code}: {diagnostic.message} ({diagnostic.place})", *filter(None, more)]
    return "\\\\\n    ".join(map(escaped, texts))


_RELATIONS = {"≥": r"\geq", "≤": r"\leq"}


def _equations(part: Equations) -> str:
    lines = (_equation(equation) for equation in part.equations)
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


def _equation(equation: Equation) -> str:
    left = equation.left.latex if isinstance(equation.left, Math) else rf"\text{{{escaped(equation.left)}}}"
    if not str(equation.left):
        return f"&{equation.right.latex}"
    return f"{left} &{_RELATIONS.get(equation.relation, equation.relation)} {equation.right.latex}"


def _facts(part: Facts) -> str:
    texts = ((escaped(fact.label), _value(fact), escaped(fact_remark(fact))) for fact in part.facts)
    rows = (f"  {' & '.join(text)} \\\\" for text in texts)
    return "\n".join(["\\begin{tabular}{lrl}", "  \\toprule", *rows, "  \\bottomrule", "\\end{tabular}"])


def _value(fact: Fact) -> str:
    """The value of a fact: a number for siunitx, and its unit."""
    text = fact_text(fact.kind, fact.unit, fact.value)
    number, space, unit = text.partition(" ")
    if isinstance(fact.value, int | float) and _NUMBER.fullmatch(number):
        return f"\\num{{{_plain(number)}}}{space}{escaped(unit)}"
    return escaped(text)


def _table(table: Table) -> str:
    places = used_columns(table)
    rows = flat_rows(table)
    headers, texts = table_texts(table, rows)
    cells = [[*map(_cell, row.cells, line)] for row, line in zip(rows, texts, strict=True)]
    columns = [[row[place] for row in cells if len(row) > 1] for place in places]
    formats = [_format(table.columns[place].kind, column) for place, column in zip(places, columns, strict=True)]
    lines = [_row(row, places, formats, level) for row, level in zip(cells, indents(table), strict=True)]
    split = len(lines) - len(table.totals)
    head = _row([_Cell(escaped(header)) for header in headers], places, formats)
    rule = ["  \\midrule"] if table.totals and split else []
    return "\n".join(
        [
            f"\\begin{{tabular}}{{{''.join(formats)}}}",
            "  \\toprule",
            head,
            "  \\midrule",
            *lines[:split],
            *rule,
            *lines[split:],
            "  \\bottomrule",
            "\\end{tabular}",
        ]
    )


class _Cell(NamedTuple):
    """A cell in LaTeX; `is_number` if siunitx reads it."""

    latex: str
    is_number: bool = False


def _cell(value: Any, text: str) -> _Cell:
    """The cell of a value, whose type decides: text from a spec may look like a formula or a number."""
    if isinstance(value, Math):
        return _Cell(f"${value.latex}$")
    if isinstance(value, int | float | NumberText) and _NUMBER.fullmatch(text):
        return _Cell(_plain(text), is_number=True)
    return _Cell(escaped(text))


def _plain(number: str) -> str:
    """A number as siunitx reads it."""
    return number.replace(",", "").replace("−", "-")


def _format(kind: str, cells: list[_Cell]) -> str:
    """The alignment of a column; for numbers the siunitx column with the digits before and behind the point."""
    numbers = [cell.latex for cell in cells if cell.is_number]
    if kind in WORDS or not numbers:
        return "l" if kind in WORDS else "r"
    whole = max(len(number.partition(".")[0].lstrip("+-")) for number in numbers)
    decimals = max(len(number.partition(".")[2]) for number in numbers)
    sign = "+" if any(number[0] in "+-" for number in numbers) else ""
    return f"S[table-format={sign}{whole}.{decimals}]" if decimals else f"S[table-format={sign}{whole}]"


def _row(cells: list[_Cell], places: list[int], formats: list[str], level: int = 0) -> str:
    """A row of a table; other text in a column of numbers is in braces."""
    if len(cells) == 1 != len(places):
        return f"  \\multicolumn{{{len(places)}}}{{l}}{{{cells[0].latex}}} \\\\"
    shown = [(cells[place], column) for place, column in zip(places, formats, strict=True)]
    texts = (f"{{{cell.latex}}}" if column[0] == "S" and not cell.is_number else cell.latex for cell, column in shown)
    indent = "\\quad " * level
    return f"  {indent}{' & '.join(texts)} \\\\"
