"""A formula as text: for a terminal, a pipe, a paper or a program."""

import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

from archcalc.analysis.formula import Formula, LayerFormula
from archcalc.errors import UsageError, did_you_mean, printable, quoted
from archcalc.graph import is_within
from archcalc.layers.base import Shape
from archcalc.numbers.bounds import AtLeast, Unknown, causes_of, known, mapped, reason_of, value_text
from archcalc.render.json_text import json_text
from archcalc.render.text_table import Style, display_width, escaped, inputs_text, padded, shortened
from archcalc.symbolic.doubles import decimals, has_rounding, source_text
from archcalc.symbolic.mathematics import write
from archcalc.tracing import plain

WIDTH = 80  # of a line, where the terminal does not say

ROUNDED = "decimals are rounded to 53 bits after each operation, as Python and PyTorch do"

HEADERS = ("Layer", "Type", "Output", "Parameters", "MACs")


def render(formula: Formula, format_name: str, layers: Sequence[str] | None = None, style: Style | None = None) -> str:
    """The formula as plain, markdown, latex or json: the network's, or those of `layers` and blocks by name."""
    rows = None if layers is None else _chosen(formula, layers)
    if format_name == "json":
        return json_text(to_dict(formula, rows))
    return {"plain": _plain, "markdown": _markdown, "latex": _latex}[format_name](formula, rows, style or Style())


def _chosen(formula: Formula, names: Sequence[str]) -> list[LayerFormula]:
    """The rows of layers, and of all layers in blocks, by name. Raises UsageError for a name that is neither."""
    layers = [row.name for row in formula.layers]
    for name in names:
        if not any(layer == name or layer.startswith(f"{name}.") for layer in layers):
            raise UsageError(f"no layer is called {quoted(name)}; {did_you_mean(name, layers)}")
    wanted = {*names}
    return [row for row in formula.layers if is_within(row.name, wanted)]


def to_dict(formula: Formula, rows: Sequence[LayerFormula] | None) -> dict[str, Any]:
    """Plain values; expressions as text.

    SymPy reads them with their names as `locals` (its own `N` and `E` mean something else), and Python where `floor`,
    `ceiling` and `Min` are known; where `rounded` is true, numbers must be doubles, as Python's are.
    """
    shown = formula.layers if rows is None else rows
    return {
        "name": formula.name,
        "source": formula.source,
        "symbols": {symbol.name: value for symbol, value in formula.values.items()},
        "batch": str(formula.batch),
        "inputs": {name: _texts(shape) for name, shape in formula.inputs.items()},
        "outputs": {name: _texts(shape) for name, shape in formula.outputs.items()},
        "parameters": source_text(formula.parameters),
        "macs": source_text(known(formula.macs)),
        "macs_missing": reason_of(formula.macs),
        "definitions": {name.name: source_text(definition) for name, definition in formula.definitions.items()},
        "rounded": _is_rounded(formula, rows),
        "conditions": [
            f"{source_text(found.lhs)} {found.rel_op} {source_text(found.rhs)}" for found in formula.conditions
        ],
        "layers": [
            {
                "name": row.name,
                "type": row.type,
                "output_shape": _texts(row.output_shape),
                "parameters": source_text(row.parameters),
                "macs": None if isinstance(row.macs, Unknown) else source_text(row.macs),
            }
            for row in shown
        ],
    }


def _texts(shape: Shape) -> list[str]:
    return [*map(source_text, shape)]


# for people


def _plain(formula: Formula, rows: Sequence[LayerFormula] | None, style: Style) -> str:
    width = style.width or WIDTH
    inputs = inputs_text(formula.inputs, shape_text)
    source = [style.dim(shortened(printable(formula.source), style.width or 10**6))] if formula.source else []
    lines = [style.bold(printable(formula.name)), *source, f"input {inputs} · batch {write(formula.batch)}", ""]
    if rows is None:
        lines += [f"output      {text}" for text in _outputs(formula)]
        lines += _wrapped("parameters  ", write(formula.parameters), width)
        lines += _wrapped("MACs        ", value_text(formula.macs, write), width)
        lines += _notes(formula)
    else:
        lines += _rows(rows, style)
    definitions = [f"{write(name)} = {write(meaning)}" for name, meaning in used_definitions(formula, rows)]
    letters = {text[0] for text in definitions}  # H and W, whose names come in pairs, stay together
    lines += ["", "where", *_grid(definitions, width, len(letters))] if definitions else []
    lines += ["", "holds where", *_grid([*map(write, formula.conditions)], width)] if formula.conditions else []
    lines += ["", *textwrap.wrap(ROUNDED, width)] if _is_rounded(formula, rows) else []
    return "\n".join([*lines, "", *_at_own_values(formula, width)] if rows is None else lines)


def shape_text(shape: Shape) -> str:
    """A shape as archcalc writes it, sums in parentheses: `6×(H − 4)×(W − 4)`."""
    return "×".join(_size_text(size, alone=len(shape) == 1) for size in shape) if shape else "1 value"


def _size_text(size: Any, alone: bool) -> str:
    if size.is_Integer:
        return str(size)
    return f"({write(size)})" if size.is_Add and not alone else write(size)


def _outputs(formula: Formula) -> list[str]:
    several = len(formula.outputs) > 1
    return [(f"{printable(name)} " if several else "") + shape_text(shape) for name, shape in formula.outputs.items()]


def _wrapped(label: str, text: str, width: int) -> list[str]:
    """A formula behind a label, on as many lines as it needs, broken between terms; within brackets only if it must."""
    lines, indent = [label], " " * len(label)
    for piece in _pieces(text, 0):
        for part in [piece] if len(indent) + len(piece) <= width else _pieces(piece, 1):
            if len(lines[-1]) + len(part) > width and lines[-1].strip() and lines[-1] != label:
                lines.append(indent + part.lstrip())
            else:
                lines[-1] += part
    return lines


def _pieces(text: str, depth: int) -> list[str]:
    """A formula cut before each sign between terms that is in no more than `depth` brackets."""
    cuts, level = [0], 0
    for place, letter in enumerate(text):
        level += (letter in "(⌊⌈") - (letter in ")⌋⌉")
        if letter in "+−" and place and text[place - 1] == " " and level <= depth:
            cuts.append(place - 1)
    return [text[start:end] for start, end in zip(cuts, [*cuts[1:], len(text)], strict=True)]


def _grid(texts: Sequence[str], width: int, together: int = 1) -> list[str]:
    """Short texts side by side, in columns; where there is room, `together` of them always share a row."""
    widest = max(map(display_width, texts))
    columns = max(1, (width - 2 + 3) // (widest + 3))
    columns -= columns % together if columns > together else 0
    rows = [texts[start : start + columns] for start in range(0, len(texts), columns)]
    return ["  " + "   ".join(padded(text, widest) for text in row).rstrip() for row in rows]


def _is_rounded(formula: Formula, rows: Sequence[LayerFormula] | None) -> bool:
    meanings = [meaning for _, meaning in used_definitions(formula, rows)]
    return any(map(has_rounding, [*_shown(formula, rows), *meanings]))


def _shown(formula: Formula, rows: Sequence[LayerFormula] | None) -> list[Any]:
    """The expressions and the conditions that are shown."""
    shown: list[Any] = [*formula.conditions]
    if rows is None:
        shown += [
            formula.parameters,
            known(formula.macs),
            *(size for shape in formula.outputs.values() for size in shape),
        ]
    for row in rows or ():
        shown += [row.parameters, row.macs, *row.output_shape]
    return [expression for expression in shown if not isinstance(expression, Unknown)]


def used_definitions(formula: Formula, rows: Sequence[LayerFormula] | None) -> list[tuple[Any, Any]]:
    """The names that what is shown is written in, with what they mean."""
    used = {symbol for expression in _shown(formula, rows) for symbol in expression.free_symbols}
    for name, meaning in reversed(formula.definitions.items()):
        if name in used:
            used |= meaning.free_symbols
    return [(name, meaning) for name, meaning in formula.definitions.items() if name in used]


def _at_own_values(formula: Formula, width: int) -> list[str]:
    values = ", ".join(f"{write(symbol)} = {plain(value)}" for symbol, value in formula.values.items())
    parameters, macs = (formula.value(expression) for expression in (formula.parameters, formula.macs))
    counts = f"{int(parameters):,} parameters, {value_text(mapped(macs, int))} MACs"
    return [text] if len(text := f"at {values}: {counts}") <= width else [f"at {values}:", f"  {counts}"]


def _cells(row: LayerFormula) -> tuple[str, ...]:
    macs = "?" if isinstance(row.macs, Unknown) else write(row.macs)
    return printable(row.name), row.type, shape_text(row.output_shape), write(row.parameters), macs


def _rows(rows: Sequence[LayerFormula], style: Style) -> list[str]:
    """A table, or a paragraph for each layer where that is wider than the terminal."""
    cells = [_cells(row) for row in rows]
    widths = [max(map(display_width, column)) for column in zip(HEADERS, *cells, strict=True)]
    if style.width and sum(widths) + 2 * (len(widths) - 1) > style.width:
        return [line for row in cells for line in _paragraph(row, style)][:-1]

    def line(texts: Sequence[str]) -> str:
        return "  ".join(padded(text, width) for text, width in zip(texts, widths, strict=True)).rstrip()

    return [style.bold(line(HEADERS)), *map(line, cells)]


def _paragraph(cells: tuple[str, ...], style: Style) -> list[str]:
    name, kind, shape, parameters, macs = cells
    width = style.width or WIDTH
    counts = [("parameters", parameters), ("MACs", macs)]
    lines = [part for label, text in counts if text != "0" for part in _wrapped(f"  {label:<10}  ", text, width)]
    return [f"{style.bold(name)}  {kind}  {shape}", *lines, ""]


# for pages and papers


def _markdown(formula: Formula, rows: Sequence[LayerFormula] | None, _style: Style) -> str:
    if rows is None:
        body = [("output", text) for text in _outputs(formula)]
        body += [("parameters", write(formula.parameters)), ("MACs", value_text(formula.macs, write))]
        lines = _pipes(("", printable(formula.name)), body)
    else:
        lines = _pipes(HEADERS, [_cells(row) for row in rows])
    definitions = [f"{write(name)} = {write(meaning)}" for name, meaning in used_definitions(formula, rows)]
    for label, texts in (("where", definitions), ("holds where", [*map(write, formula.conditions)])):
        lines += ["", f"{label} {', '.join(escaped(text, 'markdown') for text in texts)}"] if texts else []
    notes = [*_notes(formula), *([ROUNDED] if _is_rounded(formula, rows) else [])]
    return "\n".join([*lines, *(f"\n{escaped(note, 'markdown')}" for note in notes)])


def _notes(formula: Formula) -> list[str]:
    """What is missing."""
    return [f"? {printable(str(cause))}" for cause in causes_of(formula.macs)]


def _pipes(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [header, *rows]
    texts = [f"| {' | '.join(escaped(printable(cell), 'markdown') for cell in line)} |" for line in lines]
    return [texts[0], "|" + "---|" * len(header), *texts[1:]]


def _latex(formula: Formula, rows: Sequence[LayerFormula] | None, _style: Style) -> str:
    from sympy import latex

    def math(expression: Any) -> str:
        if isinstance(expression, Unknown):
            return r"\text{unknown}"
        words = {name: rf"\mathit{{{_latex_text(str(name))}}}" for name in expression.free_symbols if is_word(name)}
        return str(latex(decimals(expression), mul_symbol="dot", symbol_names=words))

    def shape(sizes: Shape) -> str:
        parts = (rf"\left({math(size)}\right)" if size.is_Add and len(sizes) > 1 else math(size) for size in sizes)
        return r" \times ".join(parts) if sizes else "1"

    lines: list[str] = []
    relation = r"\geq" if isinstance(formula.macs, AtLeast) else "="
    if rows is None:
        lines = [(rf"\text{{output}} &= {shape(sizes)}") for sizes in formula.outputs.values()]
        lines += [rf"\text{{parameters}} &= {math(formula.parameters)}"]
        lines += [rf"\text{{MACs}} &{relation} {math(known(formula.macs))}"]
    else:
        for row in rows:
            counts = f"{math(row.parameters)} & {math(row.macs)}"
            lines.append(rf"\text{{{_latex_text(row.name)}}} &: {shape(row.output_shape)} & {counts}")
    lines += [rf"{math(name)} &= {math(meaning)}" for name, meaning in used_definitions(formula, rows)]
    lines += [rf"&\text{{where }} {math(found)}" for found in formula.conditions]
    lines += [rf"&\text{{{ROUNDED}}}"] if _is_rounded(formula, rows) else []
    return "\n".join([r"\begin{align*}", " \\\\\n".join(lines), r"\end{align*}"])


def is_word(symbol: Any) -> bool:
    """Whether a symbol is several letters, which LaTeX would multiply."""
    return len(str(symbol)) > 1 and str(symbol).isalpha()


def _latex_text(text: str) -> str:
    return "".join(f"\\{letter}" if letter in "&%$#_{}" else letter for letter in printable(text))
