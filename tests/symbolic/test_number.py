"""Numbers with an expression: in every layer the expression comes to the number, for other values too."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
import sympy
from examples import EXAMPLES, Example
from hypothesis import given, settings
from hypothesis import strategies as st
from test_four_readings import changed, facts, moderately, numbers, same, variations

from archcalc.errors import UsageError
from archcalc.layers.base import Unknown
from archcalc.spec.expressions import ExpressionError, evaluate
from archcalc.symbolic.number import Algebra, Symbolic, expression_of


def symbols_for(example: Example, algebra: Algebra) -> tuple[list[Any], dict[str, Any]]:
    """A symbol for every number of an example, and all that the layer gives with them."""
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

    @settings(deadline=None, derandomize=True, max_examples=15, database=None)
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


@pytest.mark.parametrize(
    ("ask", "truth", "condition"),
    [
        (lambda h, c: h > 91, True, "H >= 92"),
        (lambda h, c: h // 4 - 23 >= 0, True, "H >= 92"),
        (lambda h, c: 2 * h <= 91, False, "H >= 46"),
        (lambda h, c: h // 4 < 57, True, "H <= 227"),
        (lambda h, c: h == 224, True, "Eq(H, 224)"),
        (lambda h, c: h != c, True, "Ne(H, C)"),
        (lambda h, c: bool(h % 2), False, "Eq(H - 2*floor(H/2), 0)"),
        (lambda h, c: h > c, True, "-C + H >= 1"),
        (lambda h, c: [1] * 300 and list(range(300))[h] == 224, True, "Eq(H, 224)"),
    ],
)
def test_decisions_are_conditions(ask: Callable[[Any, Any], bool], truth: bool, condition: str) -> None:
    algebra = Algebra()
    assert ask(*sizes(algebra)) is truth
    assert [*map(str, algebra.conditions)] == [condition]


@pytest.mark.parametrize(
    "ask",
    [
        lambda h, c: h > 0,
        lambda h, c: h + c >= 2,
        lambda h, c: h == h + 0,
        lambda h, c: h + 1 != h,
        lambda h, c: (h + 1) // 2 >= h // 2,
        lambda h, c: -(-h // 2) * 2 >= h,
        lambda h, c: bool(h),
    ],
)
def test_what_always_holds_is_no_condition(ask: Callable[[Any, Any], bool]) -> None:
    algebra = Algebra()
    assert ask(*sizes(algebra)) is True
    assert not algebra.conditions


def test_numbers_of_two_algebras_are_not_taken_for_each_other() -> None:
    """What one decided must be decided anew by the other, for which it is a condition, too."""
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


def test_limits() -> None:
    algebra = Algebra()
    height, _ = sizes(algebra)
    with pytest.raises(UsageError, match="a power above 256"):
        _ = height**300
    with pytest.raises(UsageError, match="a power above 256"):
        squared = height
        for _ in range(12):
            squared = squared * squared
    with pytest.raises(UsageError, match="no closed form"):
        evaluate("round(H / 3, 2)", {"H": height})
    with pytest.raises(UsageError, match="more than 1,000 conditions"):
        for number in range(1, 1100):
            operator.eq(height, number)
    algebra._operations = 10**6
    with pytest.raises(UsageError, match="operations: use fewer symbols"):
        _ = height + 1


def test_a_number_that_grows_gets_names() -> None:
    """Or else an expression doubled a hundred times would fill any memory."""
    algebra = Algebra()
    number, _ = sizes(algebra)
    for _ in range(100):
        number = (number + 1) * (number // 3 + 2) // 5 + 1
        number.value %= 1000
    assert number.expression.count_ops() < 1000


def test_what_is_no_number_stays_an_error() -> None:
    algebra = Algebra()
    with pytest.raises(ExpressionError, match="unsupported|no number"):
        evaluate("H + word", {"H": sizes(algebra)[0], "word": "same"})
    with pytest.raises(TypeError):
        range(algebra.symbol("alpha", 0.5))  # type: ignore[call-overload]
