"""Floors of quotients in a canonical form, and bounds of expressions that contain them."""

import math
from typing import Any

import sympy

MAX_TERMS = 400  # of an expanded expression
MAX_NESTING = 6  # of floors that the search for a bound enters

Terms = dict[Any, Any]  # term → its coefficient


def expanded(expression: Any) -> Any:
    """The expanded expression; unchanged if it would have more than MAX_TERMS terms."""
    return sympy.expand(expression) if count_terms(expression) <= MAX_TERMS else expression


def count_terms(expression: Any) -> int:
    """An upper bound of the number of terms of the expanded expression."""
    if expression.is_Add:
        return sum(map(count_terms, expression.args))
    if expression.is_Mul:
        return math.prod(map(count_terms, expression.args))
    if expression.is_Pow and expression.exp.is_Integer and expression.exp > 0:
        terms, power = count_terms(expression.base), int(expression.exp)
        return 1 if terms == 1 else math.comb(terms + power - 1, power) if power <= MAX_TERMS else MAX_TERMS + 1
    # The argument of a floor is expanded as well.
    return max(map(count_terms, expression.args), default=1)


def floor_divide(dividend: Any, divisor: Any) -> Any:
    """⌊dividend / divisor⌋ for expanded expressions."""
    return floor(expanded(dividend / divisor))


def floor(number: Any) -> Any:
    """⌊number⌋ with integer terms outside and nested floors combined: ⌊(⌊H/2⌋ + 3)/4⌋ = ⌊(H + 6)/8⌋."""
    terms = terms_of(number)
    if not all(term.is_integer for term in terms):
        return _real_floor(terms)
    common = denominator(terms)
    return _whole_floor({term: int(coefficient * common) for term, coefficient in terms.items()}, common)


def terms_of(number: Any) -> Terms:
    """The rational coefficients of a sum by term; the constant is the coefficient of 1."""
    return {term: sympy.Rational(coefficient) for term, coefficient in number.as_coefficients_dict().items()}


def denominator(terms: Terms) -> int:
    """The least common denominator of the coefficients."""
    return math.lcm(*(int(coefficient.q) for coefficient in terms.values()))


def sum_of(terms: Terms) -> Any:
    """The sum with these terms."""
    return sympy.Add(*(coefficient * term for term, coefficient in terms.items()))


def _whole_floor(terms: Terms, divisor: int) -> Any:
    """⌊Σ terms / divisor⌋ for integer terms with integer coefficients."""
    constant = terms.pop(sympy.S.One, 0)
    outside = {term: c // divisor for term, c in terms.items() if c % divisor == 0}
    inside = {term: c for term, c in terms.items() if c % divisor}
    outside[sympy.S.One], constant = divmod(constant, divisor)
    common = math.gcd(divisor, *inside.values())
    inside = {term: c // common for term, c in inside.items()}
    constant, divisor = constant // common, divisor // common
    if not inside:
        return sum_of(outside)
    within = next((term for term, c in inside.items() if c == 1 and isinstance(term, sympy.floor)), None)
    if within is not None:
        del inside[within]
        return sum_of(outside) + floor(expanded((within.args[0] + sum_of(inside) + constant) / divisor))
    return sum_of(outside) + sympy.floor((sum_of(inside) + constant) / divisor, evaluate=False)


def _real_floor(terms: Terms) -> Any:
    """⌊Σ terms⌋ where not all terms are integers."""
    outside = {term: c for term, c in terms.items() if term.is_integer and c.is_integer}
    inside = {term: c for term, c in terms.items() if term not in outside}
    if sympy.S.One in inside:
        outside[sympy.S.One] = sympy.Integer(math.floor(inside[sympy.S.One]))
        inside[sympy.S.One] -= outside[sympy.S.One]
    return sum_of(outside) + sympy.floor(sum_of(inside), evaluate=False)


def least(expression: Any) -> Any:
    """A lower bound of an expanded expression; None if none is found."""
    whole = expression.is_integer
    bound = sympy.Integer(0)
    for _ in range(MAX_NESTING):
        terms = terms_of(expression)
        floors = {term: c for term, c in terms.items() if isinstance(term, sympy.floor)}
        if not floors:
            break
        rest = {term: c for term, c in terms.items() if term not in floors}
        bound += _cancel(floors)
        # ⌊y⌋ is y minus a fraction f, 0 ≤ f < 1.
        bound -= sum(c * _largest_fraction(term.args[0]) for term, c in floors.items() if c > 0)
        expression = expanded(sum_of(rest) + sum(c * term.args[0] for term, c in floors.items()))
    for term, coefficient in terms_of(expression).items():
        if term == 1:
            bound += coefficient
        elif coefficient < 0 or not term.is_nonnegative:
            return None
        elif term.is_integer and term.is_positive:
            bound += coefficient
    return sympy.ceiling(bound) if whole else bound


def _cancel(floors: Terms) -> Any:
    """Remove pairs of floors with opposite signs, where ⌊y⌋ − ⌊x⌋ ≥ ⌊y − x⌋; return the lower bound of their sum."""
    bound = sympy.Integer(0)
    for minus in [term for term, c in floors.items() if c < 0]:
        for plus in [term for term, c in floors.items() if c > 0]:
            difference = expanded(plus.args[0] - minus.args[0])
            if difference.is_Rational and floors[plus] >= -floors[minus]:
                bound -= floors[minus] * math.floor(difference)
                floors[plus] += floors.pop(minus)
                break
    return bound


def _largest_fraction(number: Any) -> Any:
    """The largest possible difference of a number and its floor."""
    terms = terms_of(number)
    if not all(term.is_integer for term in terms):
        return sympy.Integer(1)
    return 1 - sympy.Rational(1, denominator(terms))
