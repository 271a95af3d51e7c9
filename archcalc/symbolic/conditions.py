"""Conditions under which a closed form holds, in a canonical form."""

import operator
from typing import Any

import sympy

from archcalc.symbolic.floors import denominator, expanded, least, terms_of

OPPOSITES: dict[Any, Any] = {
    operator.eq: operator.ne,
    operator.ne: operator.eq,
    operator.lt: operator.ge,
    operator.ge: operator.lt,
    operator.gt: operator.le,
    operator.le: operator.gt,
}


def is_certain(relation: Any, difference: Any) -> bool:
    """Whether a relation of the difference to 0 provably has the same outcome for all values of its symbols."""
    if difference.is_Rational or difference.is_positive or difference.is_negative:
        return True
    below, above = least(difference), least(-difference)
    if relation in (operator.eq, operator.ne):
        return _exceeds_zero(below) or _exceeds_zero(above)
    if relation in (operator.lt, operator.ge):
        return _exceeds_zero(above) or _reaches_zero(below)
    return _exceeds_zero(below) or _reaches_zero(above)


def is_never_negative(difference: Any) -> bool:
    """Whether an expression is provably 0 or more for all values of its symbols."""
    return _reaches_zero(least(difference))


def _exceeds_zero(bound: Any) -> bool:
    return bound is not None and bool(bound > 0)


def _reaches_zero(bound: Any) -> bool:
    return bound is not None and bool(bound >= 0)


def condition(relation: Any, difference: Any, sides: tuple[Any, Any]) -> Any:
    """The relation of two sides; a bound of the symbol if there is only one: H ≥ 92 for ⌊H/4⌋ > 22."""
    if relation is operator.eq:
        return sympy.Eq(*sides, evaluate=False)
    if relation is operator.ne:
        return sympy.Ne(*sides, evaluate=False)
    if relation in (operator.lt, operator.le):
        relation, difference = {operator.lt: operator.gt, operator.le: operator.ge}[relation], -difference
    if not difference.is_integer:
        return _real_bound(difference, strict=relation is operator.gt)
    return _bound(difference - 1 if relation is operator.gt else difference)


def _bound(number: Any) -> Any:
    """The condition for an integer expression to be 0 or more."""
    terms = terms_of(number)
    constant = terms.pop(sympy.S.One, sympy.Integer(0))
    if len(terms) != 1:
        return sympy.Ge(number - constant, -constant, evaluate=False)
    ((term, coefficient),) = terms.items()
    # The bound of an integer term is an integer.
    limit = sympy.floor(-constant / coefficient) if coefficient < 0 else sympy.ceiling(-constant / coefficient)
    if isinstance(term, sympy.floor) and all(part.is_integer for part in terms_of(term.args[0])):
        inside = term.args[0]
        parts = denominator(terms_of(inside))
        least_excess = inside - limit if coefficient > 0 else limit + 1 - sympy.Rational(1, parts) - inside
        return _bound(expanded(least_excess * parts))
    kind = sympy.Le if coefficient < 0 else sympy.Ge
    return kind(term, limit, evaluate=False)


def _real_bound(number: Any, strict: bool) -> Any:
    """The condition for a real expression to be 0 or more, or (`strict`) more than 0."""
    terms = terms_of(number)
    constant = terms.pop(sympy.S.One, sympy.Integer(0))
    kinds = (sympy.Gt, sympy.Lt) if strict else (sympy.Ge, sympy.Le)
    if len(terms) != 1:
        return kinds[0](number - constant, -constant, evaluate=False)
    ((term, coefficient),) = terms.items()
    return kinds[bool(coefficient < 0)](term, -constant / coefficient, evaluate=False)


def strongest(conditions: list[Any]) -> list[Any]:
    """The conditions without those bounds that other conditions imply."""
    kept: dict[Any, Any] = {}
    for found in conditions:
        bound = found.rhs.is_Rational and isinstance(found, sympy.Ge | sympy.Le)
        key = (type(found), found.lhs) if bound else found
        other = kept.get(key)
        weaker = other is not None and bound and (found.rhs <= other.rhs) == isinstance(found, sympy.Ge)
        kept[key] = other if weaker else found
    return [*kept.values()]
