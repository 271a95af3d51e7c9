"""Decimals in closed forms: rounded to 53 bits after every operation, as in Python and PyTorch.

A number that is not an integer is an expression whose value is a double: a symbol, `fl` of an exact expression of
doubles, or an expression that needs no rounding, such as half of an integer. A closed form thus equals the summary to
the last digit, and may still be rearranged: `fl` depends on nothing but the value of its argument.
"""

from typing import Any

import sympy
from sympy.printing.str import StrPrinter

from archcalc.symbolic.floors import terms_of

MAX_DENOMINATOR = 2**12  # of a decimal whose product with a size is exact
DIGITS = 40  # of an irrational number before it is rounded


class fl(sympy.Function):  # noqa: N801  # as numerical analysis writes it
    """A real number rounded to the nearest double."""

    is_real = True
    is_finite = True

    @classmethod
    def eval(cls, number: Any) -> Any:
        if number.is_Rational:
            return sympy.Rational(int(number.p) / int(number.q))  # Python rounds the quotient of two ints once
        if isinstance(number, cls) or number.is_integer:
            return number
        return None if number.free_symbols else sympy.Rational(float(number.evalf(DIGITS)))

    def _eval_is_positive(self) -> Any:
        return self.args[0].is_positive

    def _eval_is_nonnegative(self) -> Any:
        return self.args[0].is_nonnegative


def rounded(expression: Any) -> Any:
    """The result of one operation on doubles, in `fl` if it needs rounding."""
    return expression if _is_double(expression) else fl(expression)


def _is_double(expression: Any) -> bool:
    if expression.is_Symbol or expression.is_integer or isinstance(expression, fl):
        return True
    terms = terms_of(expression)
    if not all(_is_power_of_two(coefficient.q) for coefficient in terms.values()):
        return False
    if len(terms) == 1:
        ((term, coefficient),) = terms.items()
        return (_is_power_of_two(abs(coefficient.p)) and (term.is_Symbol or isinstance(term, fl))) or _is_small(terms)
    return _is_small(terms)


def _is_small(terms: dict[Any, Any]) -> bool:
    """Whether all terms are integers times fractions of a few bits."""
    return all(term.is_integer and coefficient.q <= MAX_DENOMINATOR for term, coefficient in terms.items())


def _is_power_of_two(number: int) -> bool:
    return bool(number & (number - 1) == 0)


def unrounded(number: Any) -> Any:
    """The number without `fl` if it is a quotient of two integers: rounding does not change its floor (below 2⁵³)."""
    if isinstance(number, fl) and all(map(_is_whole, number.args[0].as_numer_denom())):
        return number.args[0]
    return number


def _is_whole(number: Any) -> bool:
    """Whether it is an integer expression, and not the numerator of a decimal, which has up to 53 bits."""
    return bool(number.is_integer) and all(abs(found) <= MAX_DENOMINATOR for found in number.atoms(sympy.Integer))


def decimals(expression: Any) -> Any:
    """The expression with doubles in Python's notation, for printing: 2.3 for 2589569785738035/2**50."""
    found = [number for number in expression.atoms(sympy.Rational) if _is_decimal(number)]
    return expression.xreplace({number: _written(number) for number in found})


def _is_decimal(number: Any) -> bool:
    exact = bool(sympy.Rational(int(number.p) / int(number.q)) == number)
    return exact and number.q > MAX_DENOMINATOR


def _written(number: Any) -> Any:
    text = sympy.Symbol(repr(abs(int(number.p)) / int(number.q)), positive=True)
    return -text if number < 0 else text


class _Printer(StrPrinter):
    """Writes `fl(x)` as `(x)`, since Python's arithmetic rounds by itself."""

    def _print_fl(self, expression: Any) -> str:
        (inside,) = expression.args
        text: str = self._print(inside)
        return text if inside.is_Symbol or inside.is_Function else f"({text})"

    def _print_Function(self, expression: Any) -> str:  # noqa: N802
        inside = (argument.args[0] if isinstance(argument, fl) else argument for argument in expression.args)
        return f"{type(expression).__name__}({', '.join(map(self._print, inside))})"


def source_text(expression: Any) -> str:
    """The expression as text that Python and SymPy can read."""
    return str(_Printer().doprint(decimals(expression)))


def has_rounding(expression: Any) -> bool:
    """Whether the expression rounds to a double."""
    return bool(expression.has(fl))
