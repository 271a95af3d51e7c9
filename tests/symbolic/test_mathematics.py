"""Expressions as text."""

from typing import Any

import pytest
import sympy

from archcalc.symbolic.functions import gcd, round_to
from archcalc.symbolic.mathematics import write

C, H, W, N = (sympy.Symbol(name, integer=True, positive=True) for name in ("C", "H", "W", "N"))
H1, C12 = sympy.Symbol("H_1", integer=True), sympy.Symbol("C_12", integer=True)
ALPHA = sympy.Symbol("alpha", positive=True)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (27 * C**2, "27·C²"),
        (84672 * C**2 + 1000, "84,672·C² + 1,000"),
        (sympy.Integer(0), "0"),
        (sympy.Integer(-3), "−3"),
        (sympy.Rational(3, 4), "3/4"),
        (H - 5, "H − 5"),
        (5 - H, "5 − H"),
        (-H - W, "−H − W"),
        (-2 * H * W, "−2·H·W"),
        (150 * ((H - 4) * (W - 4)) + 840, "150·(H − 4)·(W − 4) + 840"),
        ((H + 1) ** 12, "(H + 1)¹²"),
        (sympy.floor((H - 5) / 2) + 1, "⌊(H − 5)/2⌋ + 1"),
        (sympy.ceiling(H / 32), "⌈H/32⌉"),
        (H1 * C12, "C₁₂·H₁"),
        (H * W / 2, "H·W/2"),
        (H / W, "H/W"),
        (C / (H * W), "C/(H·W)"),
        ((H + 1) / (W + 1), "(H + 1)/(W + 1)"),
        (sympy.sqrt(H), "√H"),
        (sympy.sqrt(H + 1), "√(H + 1)"),
        (1 / H, "1/H"),
        (2**H, "2^H"),
        (sympy.Pow(H, ALPHA), "H^alpha"),
        (sympy.Max(0, H - W), "max(0, H − W)"),
        (sympy.Min(H, W, evaluate=False), "min(H, W)"),
        (sympy.Abs(H - W), "|H − W|"),
        (8 * round_to(32 * ALPHA, 8), "8·round_to(32·alpha, 8)"),
        (H + 3 - gcd(H, 3), "H − gcd(H, 3) + 3"),
        (N * (H1 + 1), "N·(H₁ + 1)"),
        (H - ALPHA * (H + W), "H − alpha·(H + W)"),
        (sympy.Ge(H, 92), "H ≥ 92"),
        (sympy.Ne(H1, 2 * W), "H₁ ≠ 2·W"),
        (sympy.Eq(C, 64), "C = 64"),
        (sympy.Gt(ALPHA, sympy.Rational(1, 2)), "alpha > 1/2"),
    ],
)
def test_expressions_as_text(expression: Any, text: str) -> None:
    assert write(expression) == text
