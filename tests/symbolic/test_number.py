"""Numbers with an expression: in every layer the expression equals the number, also for other values."""

from typing import Any

import pytest
import sympy
from examples import EXAMPLES, Example
from hypothesis import given, settings
from hypothesis import strategies as st
from test_four_readings import changed, facts, moderately, numbers, same, variations

from archcalc.errors import UsageError
from archcalc.numbers.bounds import Unknown
from archcalc.spec.expressions import ExpressionError, evaluate
from archcalc.symbolic.number import Algebra, Symbolic, expression_of


def symbols_for(example: Example, algebra: Algebra) -> tuple[list[Any], dict[str, Any]]:
    """A symbol for every number of an example, and all facts of the layer with them."""
    following = iter([algebra.symbol(f"n{place}", value) for place, value in enumerate(numbers(example))])
    used: list[Any] = []

    def change(_number: int) -> Any:
        used.append(next(following))
        return used[-1]

    return used, dict(facts(changed(example, change)))


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer(example: Example) -> None:
    algebra = Algebra()
    symbols, closed = symbols_for(example, algebra)
    expected = dict(facts(example))
    assert {what: value_of(found) for what, found in closed.items() if what in expected} == {
        what: expected[what] for what in closed if what in expected
    }

    @moderately
    @given(variations(example))
    def check(variant: Example) -> None:
        values = {number.expression: value for number, value in zip(symbols, numbers(variant), strict=True)}
        if not all(in_numbers(found, values, algebra) for found in algebra.conditions):
            return
        expected = dict(facts(variant))
        for what in expected.keys() & closed.keys():  # widths that may be equal make three projections of one
            assert same(in_numbers(closed[what], values, algebra), expected[what]), (what, closed[what])

    check()


def value_of(found: Any) -> Any:
    return found.value if isinstance(found, Symbolic) else found


def in_numbers(found: Any, values: dict[Any, int], algebra: Algebra) -> Any:
    if isinstance(found, Unknown):
        return found
    numbers = {symbol: sympy.Integer(value) for symbol, value in values.items()}
    for name, definition in algebra.definitions.items():
        numbers[name] = definition.xreplace(numbers)
    expression = found if isinstance(found, sympy.Basic) else expression_of(found)
    return expression.xreplace(numbers)


EXPRESSIONS = [
    "round_to(32 * a, 8)",
    "int(32 * a) + b",
    "ceil(b / 3) * floor(a * b)",
    "max(b, 7) - min(b, 7, c)",
    "b ** 2 % (c + 1)",
    "abs(b - c) // 2",
    "-(b // -3)",
    "sqrt(b ** 2)",
    "round(a * b)",
    "2 if b > c else 3",
    "b if b == c or a > 1 else c",
    "b and c",
    "[1, 2, 3][c % 3]",
    "7 % b + 7 // b + 2 ** b",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_every_expression(text: str) -> None:
    def read(value: dict[str, Any], algebra: Algebra) -> Any:
        return evaluate(text, {name: algebra.symbol(name, number) for name, number in value.items()})

    @settings(max_examples=15)
    @given(st.sampled_from([0.25, 0.5, 0.75, 1.0, 1.5, 3.25]), st.integers(1, 40), st.integers(1, 40), st.data())
    def check(a: float, b: int, c: int, data: st.DataObject) -> None:
        algebra, own = Algebra(), {"a": a, "b": b, "c": c}
        found = read(own, algebra)
        assert value_of(found) == evaluate(text, own)
        other = {"a": data.draw(st.sampled_from([0.5, 2.0, 0.125])), "b": data.draw(st.integers(1, 40)), "c": c}
        for values in (own, other):
            put_in = {symbol_of(name, algebra, own): expression_of(value) for name, value in values.items()}
            if all(condition.xreplace(put_in) for condition in algebra.conditions):
                assert expression_of(found).xreplace(put_in) == expression_of(evaluate(text, values))

    check()


def symbol_of(name: str, algebra: Algebra, own: dict[str, Any]) -> Any:
    return algebra.symbol(name, own[name]).expression


def sizes(algebra: Algebra) -> tuple[Symbolic, Symbolic]:
    return algebra.symbol("H", 224), algebra.symbol("C", 64)


def asked(text: str, algebra: Algebra) -> Any:
    height, channels = sizes(algebra)
    return evaluate(text, {"H": height, "C": channels, "alpha": algebra.symbol("alpha", 0.75)})


@pytest.mark.parametrize(
    ("text", "truth", "condition"),
    [
        ("H > 91", True, "H >= 92"),
        ("H // 4 - 23 >= 0", True, "H >= 92"),
        ("2 * H <= 91", False, "H >= 46"),
        ("H // 4 < 57", True, "H <= 227"),
        ("H == 224", True, "Eq(H, 224)"),
        ("H != C", True, "Ne(H, C)"),
        ("not H % 2", True, "Eq(H - 2*floor(H/2), 0)"),
        ("H > C", True, "-C + H >= 1"),
        ("alpha > 0.5", True, "alpha > 1/2"),
        ("2 * alpha >= 3", False, "alpha < 3/2"),
        ("[0, 1, 2][C // 32]", 2, "Eq(floor(C/32), 2)"),
    ],
)
def test_decisions_are_conditions(text: str, truth: Any, condition: str) -> None:
    algebra = Algebra()
    assert asked(text, algebra) == truth
    assert [*map(str, algebra.conditions)] == [condition]


@pytest.mark.parametrize(
    "text",
    [
        "H > 0",
        "H + C >= 2",
        "H == H + 0",
        "H + 1 != H",
        "(H + 1) // 2 >= H // 2",
        "ceil(H / 2) * 2 >= H",
        "alpha > 0",
        "H - H // 2 >= 1",
        "H and True",
    ],
)
def test_conditions_that_always_hold_are_not_recorded(text: str) -> None:
    algebra = Algebra()
    assert asked(text, algebra) is True
    assert not algebra.conditions


def test_numbers_of_two_algebras_are_distinct() -> None:
    """A decision in one algebra is decided again in the other, where it is a condition, too."""
    one, other = Algebra(), Algebra()
    for algebra in (one, other):
        assert evaluate("1 if C > 32 else 2", {"C": algebra.symbol("C", 64)}) == 1
    assert [*map(str, one.conditions)] == [*map(str, other.conditions)] == ["C >= 33"]


def test_a_size_near_another_needs_no_name_of_its_own() -> None:
    algebra = Algebra()
    height, _ = sizes(algebra)
    first = algebra.shortened(height // 2 - 2, "H")
    beside = algebra.shortened(first - 4, "H")
    assert [name for name in algebra.definitions if name not in algebra.inline] == [first.expression]
    assert algebra.inline[beside.expression] == first.expression - 4
    assert algebra.shortened(first + 2 - 2, "H") == first


def test_no_high_powers() -> None:
    height, _ = sizes(Algebra())
    with pytest.raises(UsageError, match="a power above 256"):
        _ = height**300
    squared = height**256
    with pytest.raises(UsageError, match="a power above 256"):
        _ = squared * squared


def test_rounding_to_digits_has_no_closed_form() -> None:
    with pytest.raises(UsageError, match="round with a number of digits has no closed form"):
        asked("round(H / 3, 2)", Algebra())


def test_the_number_of_conditions_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcalc.symbolic.number.MAX_CONDITIONS", 2)
    algebra = Algebra()
    assert asked("H == 1 or H == 2", algebra) is False
    with pytest.raises(UsageError, match="more than 2 conditions"):
        asked("H == 3", algebra)


def test_the_work_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcalc.symbolic.number.MAX_TERMS", 100)
    number, _ = sizes(Algebra())
    with pytest.raises(UsageError, match="takes too many terms; use fewer symbols"):  # noqa: PT012
        for _ in range(100):
            number = (number + 1) // 2


def test_a_number_that_grows_gets_names() -> None:
    """Otherwise an expression doubled a hundred times would fill any memory."""
    algebra = Algebra()
    number, _ = sizes(algebra)
    for _ in range(30):
        number = (number + 1) * (number // 3 + 2) // 5 + 1
        number.value %= 1000
    assert number.expression.count_ops() < 200
    assert max(definition.count_ops() for definition in algebra.definitions.values()) < 200


def test_wrong_operands_stay_errors() -> None:
    algebra = Algebra()
    with pytest.raises(ExpressionError, match=r"unsupported|not a number"):
        evaluate("H + word", {"H": sizes(algebra)[0], "word": "same"})
    with pytest.raises(TypeError):
        range(algebra.symbol("alpha", 0.5))  # type: ignore[call-overload]
