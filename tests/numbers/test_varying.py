"""Formulas on an unspecified size agree with formulas on every size."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.analysis.size_sets import union
from archcalc.arithmetic import Window, ceil_divide, floor, maximum, minimum, same_window
from archcalc.numbers.varying import CutError, DealError, Progression, UndecidedError

Formula = Callable[[Any], Any]


def grown(smaller: st.SearchStrategy[Formula]) -> st.SearchStrategy[Formula]:
    """The formula with one more operation of the kinds that layers use."""
    small = st.integers(1, 4)
    return st.one_of(
        st.builds(lambda f, c: lambda n: f(n) + c, smaller, st.integers(-9, 9)),
        st.builds(lambda f, c: lambda n: c - f(n), smaller, st.integers(0, 30)),
        st.builds(lambda f, c: lambda n: f(n) * c, smaller, small),
        st.builds(lambda f, c: lambda n: f(n) // c, smaller, small),
        st.builds(lambda f, c: lambda n: f(n) % c, smaller, small),
        st.builds(lambda f, c: lambda n: ceil_divide(f(n), c), smaller, small),
        st.builds(lambda f, c: lambda n: floor(f(n) * c), smaller, st.sampled_from([0.5, 1.5, 2.25])),
        st.builds(lambda f, g: lambda n: f(n) + g(n), smaller, smaller),
        st.builds(lambda f, g: lambda n: f(n) - g(n), smaller, smaller),
        st.builds(lambda f, g: lambda n: f(n) * g(n), smaller, smaller),
        st.builds(lambda f, g: lambda n: maximum(f(n), g(n)), smaller, smaller),
        st.builds(lambda f, g: lambda n: minimum(f(n), g(n)), smaller, smaller),
        st.builds(lambda f, k, s: lambda n: Window(k, s).count(f(n)), smaller, small, small),
        st.builds(lambda f, k, s: lambda n: same_window(f(n), k, s, 1).before, smaller, small, small),
    )


FORMULAS = st.recursive(st.just(lambda n: n), grown, max_leaves=6)
QUESTIONS: list[Callable[[Any], bool]] = [
    lambda x: bool(x > 5),
    lambda x: bool(x <= -3),
    lambda x: bool(x == 7),
    bool,
    lambda x: bool(x % 3 == 1),
    lambda x: bool(abs(x) < 4),
]


def answered(formula: Formula, question: Callable[[Any], bool]) -> Iterator[tuple[Progression, bool]]:
    """Splits all sizes into parts with one answer each."""
    waiting = [Progression()]
    for _ in range(3000):
        if not waiting:
            return
        part = waiting.pop()
        try:
            yield part, question(formula(part.size()))
        except CutError as cut:
            waiting += part.cut(cut.k)
        except DealError as deal:
            waiting += part.dealt(deal.count)
    raise UndecidedError("too many parts")


@settings(max_examples=300)
@given(formula=FORMULAS, question=st.sampled_from(QUESTIONS))
def test_every_size_is_in_one_part(formula: Formula, question: Callable[[Any], bool]) -> None:
    try:
        parts = [*answered(formula, question)]
    except UndecidedError:
        return
    found = union([part for part, answer in parts if answer], 2**16)
    assert found is not None
    for size in (*range(1, 80), 1000, 1001, 99_999):
        assert sum(covers(part, size) for part, _ in parts) == 1
        assert (size in found) == question(formula(size)), size


def covers(part: Progression, size: int) -> bool:
    k, rest = divmod(size - part.remainder, part.modulus)
    return rest == 0 and part.first <= k and (part.stop is None or k < part.stop)


def test_the_smallest_form() -> None:
    """All even sizes, as residues of 4 and single sizes."""
    parts = [Progression(4, 0, 2), Progression(4, 2, 2), Progression(1, 0, 4, 5), Progression(1, 0, 6, 7)]
    found = union([*parts, Progression(1, 0, 1, 2)], 100)
    assert found == (((1, 1),), 4, 2, (0,), None)


@pytest.mark.parametrize(
    "formula",
    [hash, range, lambda n: floor(n * 2.3), lambda n: {n, 1}, lambda n: n**3],
)
def test_questions_that_need_a_plain_number(formula: Formula) -> None:
    with pytest.raises((UndecidedError, CutError)):
        formula(Progression(1, 0, 50).size())
