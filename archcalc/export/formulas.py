"""Translates a spec's expressions to Python: substitutes the spec's variables, and decides tests of `index`."""

import ast
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

from archcalc.spec.expressions import TRUTHS

FUNCTIONS = {"max", "min"}  # functions of specs that Python has under the same name
FIRST, REST = 0, 1  # copies of an entry: the one with index 0, and all others

_ALLOWED = (
    ast.Name, ast.Load, ast.Constant, ast.BinOp, ast.Add, ast.Sub, ast.Mult, ast.FloorDiv, ast.Mod, ast.UnaryOp,
    ast.USub, ast.Not, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.BoolOp, ast.And, ast.Or,
    ast.IfExp, ast.Call,
)  # fmt: skip


class PythonExpression(NamedTuple):
    """A Python expression, and the names in it."""

    text: str
    names: frozenset[str]


def translate(
    text: Any, known: Mapping[str, Any], variables: Mapping[str, Any], copies: int | None
) -> PythonExpression | None:
    """An expression in Python on `known` names alone; None if there is none.

    The spec's `variables` are replaced by their numbers. `copies`: the expression is for the first copy of an entry
    (FIRST) or for all others (REST).
    """
    if not isinstance(text, str):
        return None
    try:
        tree = ast.parse(text.strip(), mode="eval").body
        constants = {name: value for name, value in variables.items() if _is_number(value) and name not in known}
        found = _Substitution({**TRUTHS, **constants}, copies).visit(tree)
        names = frozenset(node.id for node in ast.walk(found) if isinstance(node, ast.Name)) - FUNCTIONS
        fits = all(_is_allowed(node) for node in ast.walk(found))
        return PythonExpression(ast.unparse(found), names) if fits and names <= known.keys() else None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_number(value: Any) -> bool:
    return isinstance(value, bool | int)


def _is_allowed(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords
    if isinstance(node, ast.Constant):
        return _is_number(node.value)
    return isinstance(node, _ALLOWED)


class _Substitution(ast.NodeTransformer):
    """Replaces names by values, and removes operands and branches that are then decided."""

    def __init__(self, constants: Mapping[str, Any], copies: int | None) -> None:
        self._constants = constants
        self._copies = copies

    def visit_Name(self, node: ast.Name) -> ast.expr:  # as Python calls it
        if node.id == "index" and self._copies == FIRST:
            return ast.Constant(0)
        return ast.Constant(self._constants[node.id]) if node.id in self._constants else node

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        text = ast.unparse(node)
        if self._copies is not None and text in ("index == 0", "index > 0", "index != 0", "index >= 1", "index < 1"):
            return ast.Constant((text in ("index == 0", "index < 1")) == (self._copies == FIRST))
        return ast.Compare(self.visit(node.left), node.ops, [self.visit(one) for one in node.comparators])

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        test = self.visit(node.test)
        if isinstance(test, ast.Constant):
            return cast("ast.expr", self.visit(node.body if test.value else node.orelse))
        return ast.IfExp(test, self.visit(node.body), self.visit(node.orelse))

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        """Removes operands that do not affect the result."""
        neutral = isinstance(node.op, ast.And)
        values = [self.visit(one) for one in node.values]
        kept = [one for one in values if not (isinstance(one, ast.Constant) and one.value is neutral)]
        if any(isinstance(one, ast.Constant) and one.value is not neutral for one in kept[:1]):
            return cast("ast.expr", kept[0])
        return ast.BoolOp(node.op, kept) if len(kept) > 1 else cast("ast.expr", (kept or values)[0])
