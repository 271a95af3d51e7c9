"""Closed forms with decimals equal the summary's numbers for all values: both round doubles alike."""

import random

import pytest
from networks import Drawn
from surfaces.formulas import Question, check_value
from written import written

import archcalc
from archcalc.analysis.formula import find_formula
from archcalc.spec.document import parse


def conv(channels: str) -> str:
    return f'{{ type = "conv2d", out_channels = "{channels}", kernel_size = 1 }}'


BY_DECIMAL = """
  name = "upsample by a decimal"
  inputs.x = [3, 64, 64]
  layers = [{ type = "upsample", scale_factor = 2.3 }, { type = "conv2d", out_channels = 1, kernel_size = 1 }]
"""
HALVES = 'layers = [{ type = "upsample", scale_factor = 2.5 }, { type = "max_pool2d", kernel_size = 2 }]'
SPECS = {
    "scale": BY_DECIMAL,
    "a scale for each axis": """
      inputs.x = [3, 64, 50]
      layers = [
        { type = "upsample", scale_factor = [2.3, 1.7] }, { type = "max_pool2d", kernel_size = 2 },
        { type = "upsample", scale_factor = 0.7 },
      ]""",
    "scale that is a symbol": """
      variables.s = 2.3
      inputs.x = [3, 64, 50]
      layers = [
        { type = "upsample", scale_factor = "s" },
        { type = "conv2d", out_channels = 2, kernel_size = 3, stride = 2, padding = 1 },
      ]""",
    "exact": f"inputs.x = [3, 64, 50]\n{HALVES}",
    "width": f"""
      variables.a = 0.7
      inputs.x = [3, 8, 8]
      layers = [{conv("int(30*a)")}, {conv("round_to(20*a, 4)")}, {conv("round(50*a)")}, {conv("ceil(10*a*1.1)")}]""",
    "quotients": f"""
      variables.n = 7
      inputs.x = [3, 8, 8]
      layers = [{conv("int(n / 3) + 1")}, {conv("ceil(n / 7 * 7)")}, {conv("int(n * 0.35) + 1")}]""",
    "decisions": """
      variables.a = 0.7
      inputs.x = [3, 8, 8]
      layers = [
        { type = "relu" }, { type = "conv2d", out_channels = 4, kernel_size = 1, when = "0.1 + a > 0.3" },
        { type = "conv2d", out_channels = "4 if 3 * a < 1.2 else 5", kernel_size = 1 },
      ]""",
    "whole": f"variables.a = 0.1\ninputs.x = [3, 8, 8]\nlayers = [{conv('30 * a')}, {conv('32*a*10')}]",
    "roots and powers": f"""
      variables.n = 16
      variables.a = 1.2
      inputs.x = [3, 8, 8]
      layers = [{conv("int(sqrt(n) * 3)")}, {conv("ceil(sqrt(n + 1))")}, {conv("int(16 * a ** 2) + 1")}]""",
    "remainders": f"""
      variables.a = 3.7
      inputs.x = [3, 8, 8]
      layers = [{conv("int(10 * (a % 0.3)) + 1")}, {conv("int(a // 0.1) + 1")}]""",
    "limits": f"""
      variables.a = 1.4
      inputs.x = [3, 8, 8]
      layers = [{conv("round_to(1280 * max(1.0, a) * min(a, 1.3), 8)")}]""",
    "by index": """
      variables.a = 0.7
      variables.w = [16, 24, 40]
      inputs.x = [3, 8, 8]
      layers = [{ type = "conv2d", repeat = 3, out_channels = "round_to(w[index] * a, 8)", kernel_size = 1 }]""",
    "in blocks": f"""
      variables.a = 0.7
      inputs.x = [3, 31, 31]
      blocks.b = {{ parameters = ["c"], layers = [{conv("int(c * 1.1) + 1")}] }}
      layers = [
        {{ type = "b", c = "10 * a" }}, {{ type = "upsample", scale_factor = "1 + a" }},
        {{ type = "b", c = "a * 100" }},
      ]""",
}
LETTERS = ["C", "H", "W"]


@pytest.mark.parametrize("name", SPECS)
def test_at_random_values(name: str) -> None:
    drawn = Drawn(SPECS[name] if "name =" in SPECS[name] else f'name = "x"\n{SPECS[name]}')
    numbers = archcalc.loads(drawn.text).graph.variables.items()
    variables = tuple(variable for variable, value in numbers if type(value) in (int, float))
    question, choice = Question(variables, {"x": LETTERS}), random.Random(0)
    formula = find_formula(parse(drawn.text), question.variables, {}, question.inputs, False, "N")
    for _ in range(60):
        check_value(drawn, formula, question, choice)


def test_every_size_up_to_300() -> None:
    """The exact product 2.3·50 is 115; the double product is less, and PyTorch returns 114 positions."""
    formula = find_formula(parse(BY_DECIMAL), (), {}, {"x": [3, "H", "H"]}, False, 1)
    assert formula.conditions == ()
    for size in range(1, 300):
        assert formula.value(formula.macs, {"H": size}) == 3 * int(size * 2.3) ** 2
    assert formula.value(formula.macs, {"H": 50}) == 3 * 114 * 114


def test_a_note_states_that_decimals_are_rounded() -> None:
    formula = find_formula(parse(BY_DECIMAL), (), {}, {"x": [3, "H", "H"]}, False, 1)
    for format_name in ("plain", "markdown", "latex"):
        assert "decimals are rounded to 53 bits after each operation" in written(formula, format_name)
    assert "H₁ = ⌊2.3·H⌋" in written(formula, "plain")
    assert '"H_1": "floor(2.3*H)"' in written(formula, "json")
    assert '"rounded": true' in written(formula, "json")


def test_terms_without_rounding_are_combined() -> None:
    formula = find_formula(parse(f'name = "x"\n{SPECS["exact"]}'), (), {}, {"x": [3, "H", "H"]}, False, 1)
    assert "⌊5·H/4⌋" in written(formula, "plain")
    assert "rounded" not in written(formula, "plain")
