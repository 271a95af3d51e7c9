"""Functions of specs and layers that SymPy lacks or defines otherwise; evaluated once their arguments are numbers.

The name of each class is the name of the function in specs and formulas.
"""

import math
from typing import Any

import sympy

from archcalc.spec.expressions import round_to as nearest_multiple


class WholeFunction(sympy.Function):
    """An integer-valued function that stays unevaluated until all its arguments are numbers. Abstract."""

    is_integer = True
    is_finite = True

    @classmethod
    def eval(cls, *arguments: Any) -> Any:
        if all(argument.is_Rational or argument.is_Float for argument in arguments):
            return sympy.Integer(cls.calculate(*arguments))
        return None

    @classmethod
    def calculate(cls, *arguments: Any) -> int:
        """The value for numbers."""
        raise NotImplementedError


class round_to(WholeFunction):  # noqa: N801  # its name in specs
    """The nearest multiple of a divisor that is not more than 10 % below the number (MobileNet's rounding)."""

    is_positive = True

    @classmethod
    def calculate(cls, *arguments: Any) -> int:
        number, divisor = arguments
        plain = int(number) if number.is_integer else float(number)
        return int(nearest_multiple(plain, int(divisor)))


class gcd(WholeFunction):  # noqa: N801
    """The greatest common divisor."""

    is_positive = True

    @classmethod
    def calculate(cls, *arguments: Any) -> int:
        return math.gcd(*map(int, arguments))


class round(WholeFunction):  # noqa: N801, A001  # its name in specs
    """The nearest whole number; a half goes to the even one, as in Python."""

    @classmethod
    def calculate(cls, *arguments: Any) -> int:
        (number,) = arguments
        below: int = math.floor(number)
        rest = 2 * (number - below)
        return below + int(bool(rest > 1) or (rest == 1 and below % 2 == 1))
