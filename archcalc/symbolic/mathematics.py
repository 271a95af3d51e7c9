"""SymPy expressions in mathematical notation: `27·C²`, `⌊(H − 5)/2⌋ + 1`, `H₁ ≥ 92`."""

from collections.abc import Callable, Iterator
from typing import Any

import sympy

from archcalc.symbolic.doubles import decimals, fl

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_RELATIONS = {"==": "=", "!=": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}

# Precedences: an expression with a lower one than its context gets parentheses.
_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 9

Written = tuple[str, int]


def write(expression: Any) -> str:
    """An expression or a condition on one line."""
    if expression.is_Relational:
        sides = (write(side) for side in expression.args)
        return f" {_RELATIONS[expression.rel_op]} ".join(sides)
    return "".join(_terms(decimals(expression)))


def _terms(expression: Any) -> Iterator[str]:
    """The terms of a sum, each with the sign before it."""
    terms = list(expression.as_ordered_terms()) if expression.is_Add else [expression]
    # A sum begins with a positive term.
    first = next((number for number, term in enumerate(terms) if not term.could_extract_minus_sign()), 0)
    for number, term in enumerate([terms[first], *terms[:first], *terms[first + 1 :]]):
        negative = term.could_extract_minus_sign() and not term.is_Add
        sign = (" − " if number else "−") if negative else " + " if number else ""
        yield sign + _within(-term if negative else term, _PRODUCT if expression.is_Add or negative else _SUM)


def _within(expression: Any, binding: int) -> str:
    text, own = _write(expression)
    return f"({text})" if own < binding else text


def _write(expression: Any) -> Written:
    if expression.is_Symbol:
        return _name(expression.name), _ATOM
    if expression.is_Integer and expression >= 0:
        return f"{int(expression):,}", _ATOM
    if expression.is_Add or expression.could_extract_minus_sign():
        return "".join(_terms(expression)), _SUM
    if expression.is_Mul or expression.is_Rational:
        return _product(expression)
    return _power(expression) if expression.is_Pow else _call(expression)


def _name(name: str) -> str:
    """A name with its index as a subscript: H₁ for H_1."""
    letter, _, number = name.rpartition("_")
    return letter + number.translate(_SUBSCRIPTS) if letter and number.isdecimal() and number.isascii() else name


def _product(expression: Any) -> Written:
    above, below = sympy.fraction(expression)
    factors = above.as_ordered_factors() if above.is_Mul else [above]
    text = "·".join(_within(factor, _PRODUCT if len(factors) > 1 or below != 1 else _SUM) for factor in factors)
    return (text if below == 1 else f"{text}/{_within(below, _POWER)}"), _PRODUCT


def _power(expression: Any) -> Written:
    base, exponent = expression.as_base_exp()
    if exponent == sympy.Rational(1, 2):
        return f"√{_within(base, _ATOM)}", _POWER
    if exponent.is_Integer and exponent > 0:
        return _within(base, _ATOM) + str(exponent).translate(_SUPERSCRIPTS), _POWER
    if exponent.could_extract_minus_sign():
        return f"1/{_within(1 / expression, _POWER)}", _PRODUCT
    return f"{_within(base, _ATOM)}^{_within(exponent, _ATOM)}", _POWER


_BRACKETS: dict[str, Callable[[str], str]] = {
    "floor": lambda inside: f"⌊{inside}⌋",
    "ceiling": lambda inside: f"⌈{inside}⌉",
    "Abs": lambda inside: f"|{inside}|",
    "Max": lambda inside: f"max({inside})",
    "Min": lambda inside: f"min({inside})",
}


def _call(expression: Any) -> Written:
    if isinstance(expression, fl):  # in brackets, so that what is rounded is calculated first
        text, binding = _write(expression.args[0])
        return text, binding if binding == _ATOM else _SUM
    name = type(expression).__name__
    arguments = sorted(expression.args, key=str) if name in ("Max", "Min") else expression.args
    inside = ", ".join(write(sympy.together(argument)) for argument in arguments)
    return (_BRACKETS[name](inside) if name in _BRACKETS else f"{name}({inside})"), _ATOM
