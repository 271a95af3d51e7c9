"""Forms of floor quotients keep their values, and bounds hold."""

import math
from fractions import Fraction
from typing import Any

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.symbolic.floors import expanded, floor, floor_divide, least
from archcalc.symbolic.forms import readable, tidy

H = sympy.Symbol("H", integer=True, positive=True)
W = sympy.Symbol("W", integer=True, positive=True)
ALPHA = sympy.Symbol("alpha", positive=True)

thoroughly = settings(max_examples=60)
sizes = st.integers(1, 300)
small = st.integers(-9, 9)


class Both:
    """A Python function of H and W, and the tested functions' expression for the same steps."""

    def __init__(self, number: int, expression: Any) -> None:
        self.number = number
        self.expression = expression


@st.composite
def quotients(draw: st.DrawFn) -> tuple[int, int, int, Any]:
    """Values of H and W, and a random formula of sums, products and floor quotients of them, in both forms."""
    height, width = draw(sizes), draw(sizes)
    made = [Both(height, H), Both(width, W)]
    for _ in range(draw(st.integers(1, 6))):
        one, other = draw(st.sampled_from(made)), draw(st.sampled_from(made))
        first, second, constant, divisor = draw(small), draw(small), draw(small), draw(st.integers(1, 9))
        number = first * one.number + second * other.number + constant
        expression = expanded(first * one.expression + second * other.expression + constant)
        made.append(Both(number // divisor, floor_divide(expression, sympy.Integer(divisor))))
    return height, width, made[-1].number, made[-1].expression


@thoroughly
@given(quotients())
def test_quotients(found: tuple[int, int, int, Any]) -> None:
    height, width, number, expression = found
    for form in (expression, tidy(expression), readable(expression)):
        assert form.subs({H: height, W: width}) == number, form


@thoroughly
@given(quotients())
def test_bounds(found: tuple[int, int, int, Any]) -> None:
    _, _, number, expression = found
    for bound, value in ((least(expression), number), (least(-expression), -number)):
        assert bound is None or bound <= value


@pytest.mark.parametrize("divisor", [2, 3, 4, 6])
@pytest.mark.parametrize("beside", range(-3, 8))
def test_the_bound_of_a_difference_of_floors_is_reached(beside: int, divisor: int) -> None:
    """⌊(H + k)/n⌋ − ⌊H/n⌋ is never below its bound, and reaches it."""
    difference = expanded(floor((H + beside) / divisor) - floor(H / divisor))
    assert least(difference) == min((n + beside) // divisor - n // divisor for n in range(1, 50))


@pytest.mark.parametrize("divisor", [2, 4, 6, 12])
@pytest.mark.parametrize("factor", [2, 3, 4, -2, -6])
def test_common_factors(factor: int, divisor: int) -> None:
    for constant in range(-5, 6):
        form = floor((factor * H + constant) / divisor)
        assert [form.subs(H, n) for n in range(1, 14)] == [(factor * n + constant) // divisor for n in range(1, 14)]


@thoroughly
@given(st.fractions(Fraction(1, 9), 9, max_denominator=64), small, small, st.integers(1, 16))
def test_real_numbers(alpha: Fraction, factor: int, constant: int, divisor: int) -> None:
    within = floor(expanded(factor * ALPHA + sympy.Rational(constant, 3)))
    expression = floor(expanded((within + constant) / divisor))
    number = (math.floor(factor * alpha + Fraction(constant, 3)) + constant) // divisor
    assert expression.subs(ALPHA, sympy.Rational(alpha.numerator, alpha.denominator)) == number


@pytest.mark.parametrize(
    ("nested", "merged"),
    [
        (floor((floor(H / 2) + 3) / 4), "floor(H/8 + 3/4)"),
        (floor((floor((H - 1) / 2) + 1 - 1) / 2) + 1, "floor(H/4 + 3/4)"),
        (floor((2 * H + 6) / 4), "floor(H/2 + 1/2) + 1"),
        (floor((6 * H + 9) / 3), "2*H + 3"),
        (floor((H * W + 8) / 4), "floor(H*W/4) + 2"),
        (floor((2 * floor(H / 2) + 1) / 2), "floor(H/2)"),
    ],
)
def test_equal_quotients_have_one_form(nested: Any, merged: str) -> None:
    assert str(nested) == merged


@pytest.mark.parametrize(
    ("expression", "short"),
    [
        (floor((H + 1) / 2), "ceiling(H/2)"),
        (floor((H - 5) / 2) + 1, "ceiling(H/2) - 2"),
        (floor((H - 76) / 16), "floor(H/16 - 19/4)"),
        (floor((H + W + 2) / 3) * W, "W*ceiling(H/3 + W/3)"),
    ],
)
def test_tidy(expression: Any, short: str) -> None:
    assert str(tidy(expression)) == short


@pytest.mark.parametrize(
    ("sum_of_layers", "form"),
    [
        (9 * H**2 + 9 * H**2 + 9 * H**2, "27*H**2"),
        (49 * H**2, "49*H**2"),
        (150 * ((H - 4) * (W - 4)) + 840, "150*(H - 4)*(W - 4) + 840"),
        (H * (H + 1) - H, "H**2"),
        (H * W + 9 * H + W**2 + 9 * W, "(H + W)*(W + 9)"),
        (sympy.Integer(0), "0"),
        (sympy.Integer(61706), "61706"),
    ],
)
def test_the_readable_form(sum_of_layers: Any, form: str) -> None:
    assert str(readable(sum_of_layers)) == form


@thoroughly
@given(st.lists(st.tuples(small, st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=8))
def test_the_readable_form_is_equal(terms: list[tuple[int, int, int]]) -> None:
    expression = sympy.Add(*(factor * (H - 1) ** one * W**other for factor, one, other in terms))
    assert sympy.expand(readable(expression) - expression) == 0
