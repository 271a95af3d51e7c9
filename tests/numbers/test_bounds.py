"""Exact, bounded and unknown values, compared with the numbers that each can stand for."""

from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from archcalc.numbers.bounds import (
    AtLeast,
    AtMost,
    Cause,
    Unknown,
    beside,
    gathered,
    highest,
    is_at_least,
    is_at_most,
    minus,
    plus,
    quotient,
    sum_or_unknown,
    times,
    total,
    value_text,
)

WHY = (Cause("w", ("a",)),)
POSSIBLE = range(1, 9)
VALUES = [1, 3, 5, *(kind(number, WHY) for kind in (AtLeast, AtMost) for number in (2, 3, 5)), Unknown("u")]


def can_be(value: Any, number: float) -> bool:
    """Whether the value can stand for the number."""
    if isinstance(value, Unknown):
        return True
    if isinstance(value, AtLeast):
        return bool(number >= value.value)
    return bool(number <= value.value if isinstance(value, AtMost) else number == value)


def numbers(value: Any) -> list[int]:
    return [number for number in POSSIBLE if can_be(value, number)]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_decisions_hold_for_every_possible_value(value: Any) -> None:
    for limit in range(2, 8):
        for decide, holds in ((is_at_most, int.__le__), (is_at_least, int.__ge__)):
            answers = {holds(number, limit) for number in numbers(value)}
            assert decide(value, limit) is (answers.pop() if len(answers) == 1 else None)


@pytest.mark.parametrize(("one", "other"), [*product(VALUES, VALUES)], ids=str)
@pytest.mark.parametrize(
    ("function", "of_numbers"),
    [(minus, lambda a, b: a - b), (quotient, lambda a, b: a / b)],
    ids=["minus", "quotient"],
)
def test_arithmetic_of_two_values(
    function: Callable[..., Any], of_numbers: Callable[..., float], one: Any, other: Any
) -> None:
    found = function(one, other)
    results = [of_numbers(a, b) for a, b in product(numbers(one), numbers(other))]
    assert all(can_be(found, result) for result in results)
    assert (len({*results}) == 1) == isinstance(found, int | float)


def test_arithmetic_of_many_values() -> None:
    bound, unknown = AtLeast(4, WHY), Unknown("u")
    assert total([("x", 3), ("y", bound), ("z", unknown)]) == AtLeast(7, (*WHY, Cause("u", ("z",))))
    assert total([("x", 3), ("y", 4)]) == 7
    assert total([]) == 0
    assert highest([3, bound, 9]) == AtLeast(9, WHY)
    assert highest([3, 9]) == 9
    assert (times(2, bound), times(2, unknown), times(2, 3)) == (AtLeast(8, WHY), unknown, 6)
    assert plus(AtMost(4, WHY), -1) == AtMost(3, WHY)


MISTAKES: list[Callable[[Any], Any]] = [
    lambda value: value + 1,
    lambda value: 1 + value,
    lambda value: value * 2,
    lambda value: value / 2,
    lambda value: -value,
    lambda value: value < 3,
    lambda value: max(value, 3),
    lambda value: sum([value]),
    int,
    float,
    bool,
    abs,
    round,
    range,
    lambda value: [1, 2][value],
    lambda value: f"{value:,}",
    lambda value: value or 0,
]


@pytest.mark.parametrize("value", [value for value in VALUES if not isinstance(value, int)], ids=str)
@pytest.mark.parametrize("mistake", MISTAKES)
def test_inexact_values_are_not_numbers(mistake: Callable[[Any], Any], value: Any) -> None:
    with pytest.raises(TypeError):
        mistake(value)


def test_as_text_and_as_plain_values() -> None:
    values = {"exact": 1234, "least": AtLeast(1234, WHY), "most": AtMost(1234, WHY), "unknown": Unknown("u")}
    assert [value_text(value) for value in values.values()] == ["1,234", "≥ 1,234", "≤ 1,234", "?"]
    assert [str(value) for value in values.values()] == ["1234", "≥ 1234", "≤ 1234", "?"]
    assert beside({"exact": 1}) == {"exact": 1}
    assert beside({name: value for name, value in values.items() if name != "unknown"} | {"none": Unknown("u")}) == {
        "exact": 1234,
        "least": 1234,
        "most": 1234,
        "none": None,
        "lower_bounds": {"least": "a: w"},
        "upper_bounds": {"most": "a: w"},
        "unknown": {"none": "u"},
    }


def test_a_reason_of_many_layers_is_printed_once() -> None:
    causes = gathered([*(Cause("w", (f"l{number}",)) for number in range(25)), Cause("v", ("x",)), Cause("w", ("l3",))])
    assert [*map(str, causes)] == ["l0, l1, l2 and 22 more: w", "x: v"]


def test_a_sum_is_unknown_where_a_part_is() -> None:
    assert sum_or_unknown([]) == 0
    assert sum_or_unknown([1, 2]) == 3
    assert sum_or_unknown([1, Unknown("u"), Unknown("v")]) == Unknown("u")
