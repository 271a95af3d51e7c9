"""Polynomials in one variable as tuples of coefficients (whole numbers or fractions), the constant first."""

from itertools import zip_longest
from typing import Any

Coefficients = tuple[Any, ...]


def trimmed(coefficients: Coefficients) -> Coefficients:
    """The coefficients without zeros at the end."""
    count = len(coefficients)
    while count and coefficients[count - 1] == 0:
        count -= 1
    return coefficients[:count]


def add(one: Coefficients, other: Coefficients) -> Coefficients:
    """The sum of two polynomials."""
    return tuple(a + b for a, b in zip_longest(one, other, fillvalue=0))


def multiply(one: Coefficients, other: Coefficients) -> Coefficients:
    """The product of two polynomials."""
    found = [0] * (len(one) + len(other) - 1)
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            found[i + j] += a * b
    return tuple(found)


def value_at(coefficients: Coefficients, x: Any) -> Any:
    """The value p(x)."""
    value: Any = 0
    for coefficient in reversed(coefficients):
        value = value * x + coefficient
    return value


def shifted(coefficients: Coefficients, by: int) -> Coefficients:
    """The polynomial p(x + by)."""
    found = [*coefficients]
    for start in range(len(found) - 1):
        for place in range(len(found) - 2, start - 1, -1):
            found[place] += by * found[place + 1]
    return tuple(found)


def is_monotonic(coefficients: Coefficients, least: int) -> bool:
    """Whether the signs of its coefficients show that the polynomial is monotonic from `least` on."""
    _, *others = shifted(coefficients, least)
    return all(c >= 0 for c in others) or all(c <= 0 for c in others)


def first_where(holds: Any, least: int) -> int:
    """The smallest integer from `least` on for which a predicate holds that is false before and true after it."""
    step = 1
    while not holds(least + step - 1):
        step *= 2
    # It holds at `high`; it does not at `low`, or `low` lies before `least`.
    low, high = least + step // 2 - 1, least + step - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
