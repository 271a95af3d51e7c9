"""Chooses the most readable form of a closed form."""

from collections.abc import Iterator
from typing import Any

import sympy
from sympy.core.sorting import default_sort_key

from archcalc.symbolic.floors import count_terms, denominator, sum_of, terms_of

MAX_TERMS = 60  # of an expression for which other forms are tried
MAX_FACTORED = 20  # terms of an expression that is factored
MAX_VARIABLES = 4  # symbols in it
MAX_POWER = 8  # powers in it


def readable(expression: Any) -> Any:
    """The expression unchanged, expanded, grouped or factored: the form with the fewest operations."""
    if expression.is_Symbol or expression.is_Number or count_terms(expression) > MAX_TERMS:
        return expression
    multiplied = sympy.expand(expression)
    forms = [expression, multiplied, *_collected(multiplied), sympy.factor_terms(multiplied)]
    if _can_be_factored(multiplied):
        forms.append(sympy.factor(multiplied))
    return min(forms, key=lambda form: form.count_ops())  # the first of equally short forms


def _can_be_factored(multiplied: Any) -> bool:
    """Whether factoring is fast."""
    few = len(multiplied.args) <= MAX_FACTORED and len(multiplied.free_symbols) <= MAX_VARIABLES
    return few and all(power.exp.is_Integer and power.exp <= MAX_POWER for power in multiplied.atoms(sympy.Pow))


def _collected(multiplied: Any) -> Iterator[Any]:
    """The sum with its terms grouped by symbol, once for each of two orders of the symbols."""
    symbols = sorted(multiplied.free_symbols, key=default_sort_key)
    for order in (symbols, symbols[::-1]):
        waiting, groups = [*sympy.Add.make_args(multiplied)], []
        for symbol in order:
            groups.append([term for term in waiting if term.has(symbol)])
            waiting = [term for term in waiting if not term.has(symbol)]
        yield sympy.Add(*(sympy.gcd_terms(sympy.Add(*group)) for group in groups), *waiting)


def tidy(expression: Any) -> Any:
    """The expression with ⌈H/2⌉ for ⌊(H + 1)/2⌋, and with a constant moved into a floor where that is shorter."""
    terms = terms_of(expression)
    floors = [term for term in terms if isinstance(term, sympy.floor)]
    if len(floors) == 1 and len(terms) <= 2 and terms[floors[0]] == 1 and len(terms) - 1 == (sympy.S.One in terms):
        return _tidy_floor(floors[0].args[0], terms.get(sympy.S.One, sympy.Integer(0)))
    if not expression.has(sympy.floor):
        return expression
    return expression.replace(lambda part: isinstance(part, sympy.floor), lambda part: _tidy_floor(part.args[0], 0))


def _tidy_floor(number: Any, beside: Any) -> Any:
    """⌊number⌋ + beside in its shortest form."""
    terms = terms_of(number)
    constant = terms.pop(sympy.S.One, sympy.Integer(0))
    if all(term.is_integer for term in terms):
        common = denominator({**terms, sympy.S.One: constant})
        if constant and constant * common == common - 1:
            return sympy.ceiling(sum_of(terms), evaluate=False) + beside
    if not constant:
        return sympy.floor(number, evaluate=False) + beside
    return sympy.floor(number + beside, evaluate=False)
