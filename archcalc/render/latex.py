"""Documents as LaTeX: tables with booktabs, numbers in siunitx columns."""

import re
from collections.abc import Iterator

from archcalc.errors import Diagnostic, printable
from archcalc.render.cells import fact_text, flat_rows, indents, table_texts, used_columns
from archcalc.render.document import (
    WORDS,
    Document,
    Equation,
    Equations,
    Facts,
    Findings,
    Lines,
    Math,
    Part,
    Row,
    Table,
    fact_remark,
    parts_without_totals,
)

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "×": r"$\times$",
    "≥": r"$\geq$",
    "≤": r"$\leq$",
    "−": r"$-$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
    "→": r"$\to$",
    "·": r"$\cdot$",
    "÷": r"$\div$",
    "°": r"\textdegree{}",
    "µ": r"\textmu{}",
    "…": r"\ldots{}",
    "–": "--",
    "—": "---",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}
_SUBSCRIPTS = {letter: f"$_{number}$" for number, letter in enumerate("₀₁₂₃₄₅₆₇₈₉")}
_SUPERSCRIPTS = {letter: f"$^{number}$" for number, letter in enumerate("⁰¹²³⁴⁵⁶⁷⁸⁹")}
_NUMBER = re.compile(r"[+−-]?\d[\d,]*(\.\d+)?")


def write_latex(document: Document) -> str:
    """The parts of the document, with title and head as comments before and notes as text behind them."""
    head = [f"% {printable(line)}" for line in (document.title, *document.head) if line]
    needs = "% \\usepackage{booktabs, siunitx}  \\sisetup{group-separator={,}, group-minimum-digits=4}"
    blocks = ["\n".join([*head, needs]), *(block for part in parts_without_totals(document) for block in _part(part))]
    return "\n\n".join([*blocks, *(escaped(str(note)) for note in document.notes)])


def escaped(text: str) -> str:
    """The text with commands escaped, and signs as LaTeX commands."""
    signs = _ESCAPES | _SUBSCRIPTS | _SUPERSCRIPTS
    return "".join(signs.get(letter, letter) for letter in printable(text))


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
    texts = ((fact.label, fact_text(fact.kind, fact.unit, fact.value), fact_remark(fact)) for fact in part.facts)
    rows = (f"  {' & '.join(map(escaped, text))} \\\\" for text in texts)
    return "\n".join(["\\begin{tabular}{lrl}", "  \\toprule", *rows, "  \\bottomrule", "\\end{tabular}"])


def _table(table: Table) -> str:
    places = used_columns(table)
    headers, cells = table_texts(table, flat_rows(table))
    cells = [_with_math(row, texts) for row, texts in zip(flat_rows(table), cells, strict=True)]
    kinds = [table.columns[place].kind for place in places]
    columns = [[row[place] for row in cells if len(row) > 1] for place in places]
    formats = ["l" if kind in WORDS else _format(texts) for kind, texts in zip(kinds, columns, strict=True)]
    lines = [_row(row, places, formats, level) for row, level in zip(cells, indents(table), strict=True)]
    split = len(lines) - len(table.totals)
    head = _row([*headers], places, ["l" if kind in WORDS else "h" for kind in kinds])
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


def _with_math(row: Row, texts: list[str]) -> list[str]:
    """The texts of a row, with formulas in LaTeX between dollars."""
    pairs = zip(row.cells, texts, strict=True)
    return [f"${cell.latex}$" if isinstance(cell, Math) else text for cell, text in pairs]


def _format(texts: list[str]) -> str:
    """The siunitx column of numbers, with the digits before and behind the point."""
    numbers = [text.replace(",", "") for text in texts if _NUMBER.fullmatch(text)]
    if not numbers:
        return "r"
    whole = max(len(number.partition(".")[0].lstrip("+−-")) for number in numbers)
    decimals = max(len(number.partition(".")[2]) for number in numbers)
    sign = "+" if any(number[0] in "+−-" for number in numbers) else ""
    return f"S[table-format={sign}{whole}.{decimals}]" if decimals else f"S[table-format={sign}{whole}]"


def _row(texts: list[str], places: list[int], formats: list[str], level: int = 0) -> str:
    if len(texts) == 1 != len(places):
        return f"  \\multicolumn{{{len(places)}}}{{l}}{{{escaped(texts[0])}}} \\\\"
    cells = (_cell(texts[place], kind) for place, kind in zip(places, formats, strict=True))
    indent = "\\quad " * level
    return f"  {indent}{' & '.join(cells)} \\\\"


def _cell(text: str, column: str) -> str:
    """A number as siunitx reads it; other text in a column of numbers is in braces."""
    if column.startswith("S") and _NUMBER.fullmatch(text):
        return text.replace(",", "").replace("−", "-")
    if text.startswith("$") and text.endswith("$") and len(text) > 1:
        return text
    # LaTeX would read a bracket or star at the start of a row as an option of the line above.
    return f"{{{escaped(text)}}}" if column[0] in "Sh" or text[:1] in ("[", "*") else escaped(text)
