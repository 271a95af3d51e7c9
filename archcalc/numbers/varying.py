"""Numbers that depend on one size n: layers' formulas run on them for many sizes at once.

A progression is the set of sizes n = modulus·k + remainder for a finite or infinite range of k. A number is a
polynomial in a quotient ⌊(a·k + b)/d⌋. A comparison must have the same outcome for all sizes of the progression; if it
has not, SplitError says into which parts to split it. An operation that needs a plain number raises UndecidedError.
"""

import math
from fractions import Fraction
from typing import Any, NamedTuple, NoReturn

from archcalc.numbers.polynomials import (
    Coefficients,
    add,
    first_where,
    is_monotonic,
    multiply,
    trimmed,
    value_at,
)
from archcalc.tracing import Number

MAX_DENOMINATOR = 2**12  # of a decimal factor of sizes: up to it, their product is exact in a double


class UndecidedError(Exception):
    """A formula needs a plain number in place of an unknown size."""


class SplitError(Exception):
    """A decision is not the same for all sizes of a progression, but may be within each of its parts."""


class CutError(SplitError):
    """The decision may be the same for all sizes before `k`, and for all from there on."""

    def __init__(self, k: int) -> None:
        super().__init__(f"cut at {k}")
        self.k = k


class DealError(SplitError):
    """The decision may be the same for every `count`-th size."""

    def __init__(self, count: int) -> None:
        super().__init__(f"deal out to {count}")
        self.count = count


class Progression(NamedTuple):
    """The sizes modulus·k + remainder with first ≤ k < stop; infinite if `stop` is None."""

    modulus: int = 1
    remainder: int = 0
    first: int = 1
    stop: int | None = None

    @property
    def start(self) -> int:
        """The smallest size."""
        return self.modulus * self.first + self.remainder

    @property
    def is_single(self) -> bool:
        """Whether it has a single size."""
        return self.stop == self.first + 1

    def size(self) -> Any:
        """The size n, as a number for formulas."""
        if self.is_single:
            return self.start
        return Varying(self, (1, 0, 1), (self.remainder, self.modulus))

    def cut(self, k: int) -> "list[Progression]":
        """The non-empty parts before k and from k on."""
        return [self._replace(stop=k), self._replace(first=k)]

    def dealt(self, count: int) -> "list[Progression]":
        """The `count` progressions of every `count`-th size."""
        return [part for number in range(count) if not (part := self._every(count, number)).is_empty]

    def _every(self, count: int, number: int) -> "Progression":
        first = -((number - self.first) // count)
        stop = None if self.stop is None else -((number - self.stop) // count)
        return Progression(self.modulus * count, self.remainder + self.modulus * number, first, stop)

    @property
    def is_empty(self) -> bool:
        """Whether it has no size."""
        return self.stop is not None and self.stop <= self.first


Basis = tuple[int, int, int]  # a, b, d of the quotient ⌊(a·k + b)/d⌋; a and d have no common divisor, 0 ≤ b < d


class Varying(Number):
    """A polynomial in a quotient of k; never constant, since a constant is a plain number."""

    __slots__ = ("basis", "coefficients", "sizes")

    def __init__(self, sizes: Progression, basis: Basis, coefficients: Coefficients) -> None:
        self.sizes, self.basis, self.coefficients = sizes, basis, coefficients

    @property
    def key(self) -> tuple[Basis, Coefficients]:
        """What distinguishes the number from others of its progression."""
        return self.basis, self.coefficients

    def on(self, part: Progression) -> Any:
        """The same number on a part of the progression."""
        whole, (a, b, d) = self.sizes, self.basis
        every, skipped = part.modulus // whole.modulus, (part.remainder - whole.remainder) // whole.modulus
        if part.is_single:
            return value_at(self.coefficients, (a * (every * part.first + skipped) + b) // d)
        if every == 1:
            return Varying(part, self.basis, self.coefficients)
        return value_at(self.coefficients, _quotient(part, a * every, a * skipped + b, d))

    def _made(self, coefficients: Coefficients) -> Any:
        """The number with these coefficients; a plain one if it is constant."""
        found = trimmed(coefficients)
        if len(found) > 1:
            return Varying(self.sizes, self.basis, found)
        constant = found[0] if found else 0
        return int(constant) if constant.denominator == 1 else constant

    def _coefficients_of(self, other: Any) -> Coefficients:
        """The coefficients of another number as a polynomial in the same quotient."""
        if isinstance(other, Varying):
            if other.basis != self.basis:
                raise DealError(max(other.basis[2], self.basis[2]))
            return other.coefficients
        if isinstance(other, int):
            return (other,)
        exact = Fraction(other)
        if exact.denominator > MAX_DENOMINATOR:
            raise UndecidedError(f"the product of a size with {other} is rounded")
        return (exact,)

    def __add__(self, other: Any) -> Any:
        return self._made(add(self.coefficients, self._coefficients_of(other)))

    __radd__ = __add__

    def __mul__(self, other: Any) -> Any:
        return self._made(multiply(self.coefficients, self._coefficients_of(other)))

    __rmul__ = __mul__

    def __neg__(self) -> Any:
        return self * -1

    def __sub__(self, other: Any) -> Any:
        return self + -1 * other

    def __rsub__(self, other: Any) -> Any:
        return -self + other

    def __pow__(self, exponent: Any) -> Any:
        if exponent != 2:
            raise UndecidedError(f"a size to the power of {exponent}")
        return self * self

    # quotients

    def __floordiv__(self, other: Any) -> Any:
        if isinstance(other, Varying):
            return _varying_quotient(self, other)
        if not isinstance(other, int) or other < 1:
            raise UndecidedError(f"a size divided by {other}")
        common = math.lcm(*(c.denominator for c in self.coefficients))
        return self._divided(tuple(int(c * common) for c in self.coefficients), other * common)

    def __rfloordiv__(self, other: Any) -> Any:
        return _varying_quotient(other, self)

    def _divided(self, whole: Coefficients, divisor: int) -> Any:
        """⌊whole/divisor⌋ for whole coefficients."""
        constant, *others = whole
        if others[-1] < 0:  # ⌊x/s⌋ = −⌊(s − 1 − x)/s⌋, so that what is rounded rises
            return -1 * self._divided((divisor - 1 - constant, *(-c for c in others)), divisor)
        if all(c % divisor == 0 for c in others):
            return self._made((constant // divisor, *(c // divisor for c in others)))
        a, b, d = self.basis
        common = math.gcd(others[0], divisor)
        if len(others) == 1 and (others[0] == common or d == 1):
            # Quotients of quotients are one: ⌊(c·F + e)/s⌋ with c = common·m is ⌊(m·F + ⌊e/common⌋)/(s/common)⌋.
            factor, divisor = others[0] // common, divisor // common
            return _quotient(self.sizes, a * factor, b * factor + constant // common * d, d * divisor)
        raise DealError(d if d > 1 else divisor // math.gcd(divisor, *others))

    def __mod__(self, other: Any) -> Any:
        return self - other * (self // other)

    # decisions

    def sign(self) -> int:
        """The sign (−1, 0 or 1); raises SplitError if it is not the same for all sizes."""
        a, b, d = self.basis
        least = (a * self.sizes.first + b) // d
        most = None if self.sizes.stop is None else (a * (self.sizes.stop - 1) + b) // d
        if most is not None and least == most:
            return _sign(value_at(self.coefficients, least))
        if not is_monotonic(self.coefficients, least):
            raise CutError(self._middle(least, most))
        return self._sign_along(1 if self.coefficients[-1] > 0 else -1, least, most)

    def _sign_along(self, direction: int, least: int, most: int | None) -> int:
        """The sign of a polynomial that rises (direction 1) or falls from `least` to `most`."""
        first = _sign(value_at(self.coefficients, least))
        if first == direction or (most is not None and first == _sign(value_at(self.coefficients, most))):
            return first

        def changed(x: int) -> bool:
            return _sign(value_at(self.coefficients, x)) != first

        raise CutError(self._reaching(first_where(changed, least)))

    def _middle(self, least: int, most: int | None) -> int:
        """The k at which to cut a polynomial that is not monotonic."""
        if most is not None:
            return self._reaching((least + most + 1) // 2)
        return self._reaching(first_where(lambda x: is_monotonic(self.coefficients, x), least))

    def _reaching(self, quotient: int) -> int:
        """The first k at which the quotient has this value or a larger one."""
        a, b, d = self.basis
        return -((b - quotient * d) // a)

    def __lt__(self, other: Any) -> bool:
        return _sign_of(self - other) < 0

    def __le__(self, other: Any) -> bool:
        return _sign_of(self - other) <= 0

    def __gt__(self, other: Any) -> bool:
        return _sign_of(self - other) > 0

    def __ge__(self, other: Any) -> bool:
        return _sign_of(self - other) >= 0

    def __eq__(self, other: object) -> bool:
        return bool(_sign_of(self - other) == 0)

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __bool__(self) -> bool:
        return self.sign() != 0

    def __abs__(self) -> Any:
        return self if self.sign() >= 0 else -self

    def equals(self, other: Any) -> bool:
        return bool(self == other)

    def __hash__(self) -> int:
        """Raises UndecidedError: a set would separate numbers that are equal for some sizes."""
        raise UndecidedError("a size in a set")

    def __index__(self) -> NoReturn:
        raise UndecidedError("a size as a plain number")

    def apply(self, function: Any, form: str, operands: tuple[Any, ...]) -> Any:
        if form == "⌊⌋":
            return self // 1
        if form == "⌈⌉":
            dividend, divisor = operands
            return -1 * (-1 * dividend // divisor)
        if form in ("min", "max"):
            one, other = operands
            return one if (one <= other) == (form == "min") else other
        raise UndecidedError(f"{form} of a size")

    def __repr__(self) -> str:
        return f"size({', '.join(map(str, self.coefficients))})"


def _sign(number: Any) -> int:
    return int(number > 0) - int(number < 0)


def _sign_of(number: Any) -> int:
    return number.sign() if isinstance(number, Varying) else _sign(number)


def _quotient(sizes: Progression, a: int, b: int, d: int) -> Any:
    """⌊(a·k + b)/d⌋ in its canonical form: integer terms are outside the floor."""
    common = math.gcd(a, d)
    a, b, d = a // common, b // common, d // common
    if d == 1:
        return Varying(sizes, (1, 0, 1), (b, a))
    return Varying(sizes, (a, b % d, d), (b // d, 1))


def _varying_quotient(dividend: Any, divisor: Varying) -> Any:
    """⌊dividend/divisor⌋, if it is the same for all sizes; else raises SplitError or UndecidedError."""
    if isinstance(dividend, Varying) and dividend.basis == divisor.basis:
        fast = len(dividend.coefficients) > len(divisor.coefficients)
        ratio = Fraction(dividend.coefficients[-1], 1) / divisor.coefficients[-1]
        quotient = math.floor(ratio) if len(dividend.coefficients) == len(divisor.coefficients) else 0
    else:
        fast, quotient = isinstance(dividend, Varying), 0
        if fast:
            raise DealError(max(dividend.basis[2], divisor.basis[2]))
    if fast or not divisor > 0:
        raise UndecidedError("a quotient of two sizes")
    while dividend - quotient * divisor < 0:
        quotient -= 1
    while dividend - (quotient + 1) * divisor >= 0:
        quotient += 1
    return quotient
