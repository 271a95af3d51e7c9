"""Closed forms as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import is_within
from archcalc.layers.base import Shape
from archcalc.numbers.bounds import AtLeast, Unknown, causes_of, known, mapped, reason_of, value_text
from archcalc.render.document import (
    NAME,
    Column,
    Document,
    Equation,
    Equations,
    Lines,
    Math,
    Note,
    Part,
    Row,
    Table,
    notes_of,
)
from archcalc.render.latex import escaped
from archcalc.render.words import inputs_text
from archcalc.symbolic.doubles import decimals, has_rounding, source_text
from archcalc.symbolic.mathematics import write
from archcalc.tracing import plain

if TYPE_CHECKING:
    from archcalc.analysis.formula import Formula, LayerFormula


ROUNDED = "decimals are rounded to 53 bits after each operation, as Python and PyTorch do"

HEADERS = ("Layer", "Type", "Output", "Parameters", "MACs")


def formula_document(formula: Formula, layers: Sequence[str] | None = None) -> Document:
    """The closed forms of the network as a document, or only those of `layers` and blocks by name."""
    rows = None if layers is None else _chosen(formula, layers)
    return Document(
        title=formula.name,
        head=_head(formula),
        parts=[*_parts(formula, rows)],
        notes=_notes(formula, rows),
        data=lambda: to_dict(formula, rows),
        records=lambda: [_record(layer) for layer in to_dict(formula, rows)["layers"]],
    )


def _head(formula: Formula) -> list[str]:
    source = [formula.source] if formula.source else []
    return [*source, f"input {inputs_text(formula.inputs, shape_text)} · batch {write(formula.batch)}"]


def _parts(formula: Formula, rows: Sequence[LayerFormula] | None) -> Iterator[Part]:
    if rows is None:
        yield Equations([*_totals(formula)])
    else:
        columns = [Column("Layer", NAME), *map(Column, HEADERS[1:])]
        yield Table(columns, [Row(_cells(row)) for row in rows], ruled=False, stacked=True)
    definitions = [Equation(math(meaning), math(name)) for name, meaning in used_definitions(formula, rows)]
    if definitions:
        letters = {str(equation.left)[0] for equation in definitions}  # such as H and W, which come in pairs
        yield Equations(definitions, title="where", short=True, together=len(letters))
    if formula.conditions:
        yield Equations([Equation(math(found)) for found in formula.conditions], title="holds where", short=True)
    if rows is None:
        yield Lines([_at_own_values(formula)], wrapped=True)


def _totals(formula: Formula) -> Iterator[Equation]:
    several = len(formula.outputs) > 1
    for name, shape in formula.outputs.items():
        yield Equation(shape_math(shape), f"output {name}" if several else "output")
    yield Equation(math(formula.parameters), "parameters")
    relation = "≥" if isinstance(formula.macs, AtLeast) else "="
    right = Math(value_text(formula.macs, write), latex_of(known(formula.macs)))
    yield Equation(right, "MACs", relation)


def _chosen(formula: Formula, names: Sequence[str]) -> list[LayerFormula]:
    """The rows of layers, and of all layers in blocks, by name. Raises UsageError for an unknown name."""
    layers = [row.name for row in formula.layers]
    for name in names:
        if not any(layer == name or layer.startswith(f"{name}.") for layer in layers):
            raise UsageError(f"no layer is called {quoted(name)}", did_you_mean(name, layers))
    wanted = {*names}
    return [row for row in formula.layers if is_within(row.name, wanted)]


def to_dict(formula: Formula, rows: Sequence[LayerFormula] | None) -> dict[str, Any]:
    """Plain values for JSON, with expressions as text.

    SymPy parses them with the names as `locals` (its own `N` and `E` mean something else), and Python if `floor`,
    `ceiling` and `Min` are defined. If `rounded` is true, numbers must be doubles, as Python's are.
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


def _record(layer: dict[str, Any]) -> dict[str, Any]:
    """A layer with its shape as one text, with brackets around sums: `6x(H - 4)`."""
    sizes = (f"({size})" if " " in size else size for size in layer["output_shape"])
    return layer | {"output_shape": "x".join(sizes)}


def _texts(shape: Shape) -> list[str]:
    return [*map(source_text, shape)]


# for people


def math(expression: Any) -> Math:
    """An expression or condition as text and in LaTeX; `?` if it is unknown."""
    return Math("?" if isinstance(expression, Unknown) else write(expression), latex_of(expression))


def shape_math(shape: Shape) -> Math:
    """A shape as text and in LaTeX, with sums in parentheses."""
    parts = (rf"\left({latex_of(size)}\right)" if size.is_Add and len(shape) > 1 else latex_of(size) for size in shape)
    return Math(shape_text(shape), r" \times ".join(parts) if shape else "1")


def shape_text(shape: Shape) -> str:
    """A shape as text, with sums in parentheses: `6×(H − 4)×(W − 4)`."""
    return "×".join(_size_text(size, alone=len(shape) == 1) for size in shape) if shape else "1 value"


def _size_text(size: Any, alone: bool) -> str:
    if size.is_Integer:
        return str(size)
    return f"({write(size)})" if size.is_Add and not alone else write(size)


def _is_rounded(formula: Formula, rows: Sequence[LayerFormula] | None) -> bool:
    meanings = [meaning for _, meaning in used_definitions(formula, rows)]
    return any(map(has_rounding, [*_expressions_of(formula, rows), *meanings]))


def _expressions_of(formula: Formula, rows: Sequence[LayerFormula] | None) -> list[Any]:
    """The expressions and conditions in the document."""
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
    """The names that the document's expressions use, with their definitions."""
    used = {symbol for expression in _expressions_of(formula, rows) for symbol in expression.free_symbols}
    for name, meaning in reversed(formula.definitions.items()):
        if name in used:
            used |= meaning.free_symbols
    return [(name, meaning) for name, meaning in formula.definitions.items() if name in used]


def _at_own_values(formula: Formula) -> str:
    values = ", ".join(f"{write(symbol)} = {plain(value)}" for symbol, value in formula.values.items())
    parameters, macs = (formula.value(expression) for expression in (formula.parameters, formula.macs))
    return f"at {values}: {int(parameters):,} parameters, {value_text(mapped(macs, int))} MACs"


def _cells(row: LayerFormula) -> list[Any]:
    return [row.name, row.type, shape_math(row.output_shape), math(row.parameters), math(row.macs)]


def _notes(formula: Formula, rows: Sequence[LayerFormula] | None) -> list[Note]:
    """Notes about unknown counts, and about the rounding of decimals."""
    rounded = [Note(ROUNDED)] if _is_rounded(formula, rows) else []
    return [*(notes_of("?", causes_of(formula.macs)) if rows is None else ()), *rounded]


def latex_of(expression: Any) -> str:
    """An expression in LaTeX; a word is one name, not a product of letters."""
    if isinstance(expression, Unknown):
        return r"\text{unknown}"
    from sympy import latex

    # Signs of a name may need math of their own, which text within math can have.
    words = {name: rf"\textit{{{escaped(str(name))}}}" for name in expression.free_symbols if not str(name).isascii()}
    words |= {name: rf"\mathit{{{name}}}" for name in expression.free_symbols if is_word(name) and str(name).isascii()}
    return str(latex(decimals(expression), mul_symbol="dot", symbol_names=words))


def is_word(symbol: Any) -> bool:
    """Whether a symbol has several letters, which LaTeX would typeset as a product."""
    return len(str(symbol)) > 1 and str(symbol).isalpha()
