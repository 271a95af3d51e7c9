"""Each formula has the same result on ints, NumPy arrays, SymPy symbols and tracing numbers."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import numpy
import pytest
import sympy
from examples import EXAMPLES, STRUCTURAL, Example
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.analysis.explain import trace_inputs, trace_layer
from archcalc.analysis.inferred_layer import check_constraints
from archcalc.arithmetic import product
from archcalc.layers.base import Layer, Tensor
from archcalc.numbers.bounds import Unknown
from archcalc.tracing import Traced, untraced

moderately = settings(max_examples=6)

Reader = Callable[[int], Any]


def is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def mapped(value: Any, change: Reader) -> Any:
    """A field or shape with a function applied to every number in it."""
    if isinstance(value, tuple):
        return tuple(mapped(item, change) for item in value)
    return change(value) if is_number(value) and value != -1 else value  # −1 leaves a size open


def changed(example: Example, change: Reader) -> Example:
    """The example with a function applied to every number that formulas use, fields first, in a fixed order."""
    fields = {
        field: value if field in STRUCTURAL else mapped(value, change)
        for field, value in msgspec.structs.asdict(example.layer).items()
    }
    inputs = tuple(
        Tensor(mapped(shape, change), dtype, mapped(nonzeros, change)) for shape, dtype, nonzeros in example.inputs
    )
    return Example(type(example.layer)(**fields), inputs)


def numbers(example: Example) -> list[int]:
    found: list[int] = []
    changed(example, lambda number: found.append(number) or number)
    return found


def with_numbers(example: Example, values: list[int]) -> Example:
    following = iter(values)
    return changed(example, lambda _number: next(following))


def facts(example: Example) -> Iterator[tuple[str, Any]]:
    """All numbers of a layer, by name."""
    layer: Layer = example.layer
    inputs, output = example.inputs, example.output
    yield from ((f"output axis {axis}", size) for axis, size in enumerate(output))
    for kind in ("parameters", "buffers"):
        for name, shape in getattr(layer, kind)(inputs).items():
            yield from ((f"{kind} {name} axis {axis}", size) for axis, size in enumerate(shape))
        yield f"{kind} in all", sum(map(product, getattr(layer, kind)(inputs).values()))
    yield from layer.operations(inputs, output).items()
    yield "connections", layer.count_connections(inputs, output)


@st.composite
def variations(draw: st.DrawFn, example: Example) -> Example:
    """The example with other numbers, each kept only if the layer still fits."""
    values = numbers(example)
    for position in range(len(values)):
        other = draw(st.integers(1, 12))
        tried = [*values[:position], other, *values[position + 1 :]]
        if not [*check_constraints(*with_numbers(example, tried))]:
            values = tried
    return with_numbers(example, values)


each_example = pytest.mark.parametrize("example", EXAMPLES, ids=repr)


@each_example
def test_arrays(example: Example) -> None:
    @moderately
    @given(st.lists(variations(example), min_size=2, max_size=4))
    def check(variants: list[Example]) -> None:
        columns = iter(zip(*map(numbers, variants), strict=True))
        swept = dict(facts(changed(example, lambda _number: numpy.array(next(columns)))))
        for number, variant in enumerate(variants):
            expected = dict(facts(variant))
            for what in comparable(example, expected, swept):
                assert same(element(swept[what], number), expected[what]), what

    check()


def comparable(example: Example, expected: dict[str, Any], found: dict[str, Any]) -> set[str]:
    if example.layer.type == "multi_head_attention":
        # Projections of one width are one parameter, and widths that merely may be equal make three.
        return expected.keys() & found.keys()
    assert expected.keys() == found.keys()
    return {*expected}


def element(found: Any, number: int) -> Any:
    return found[number] if isinstance(found, numpy.ndarray) else found


def same(found: Any, value: Any) -> bool:
    return isinstance(found, Unknown) if isinstance(value, Unknown) else bool(found == value)


@each_example
def test_symbols(example: Example) -> None:
    symbols = [sympy.Symbol(f"n{place}", integer=True, positive=True) for place in range(len(numbers(example)))]
    following = iter(symbols)
    closed = dict(facts(changed(example, lambda _number: next(following))))

    @moderately
    @given(variations(example))
    def check(variant: Example) -> None:
        values = dict(zip(symbols, map(sympy.Integer, numbers(variant)), strict=True))
        expected = dict(facts(variant))
        for what in comparable(example, expected, closed):
            assert same(evaluated(closed[what], values), expected[what]), (what, closed[what])

    check()


def evaluated(form: Any, values: dict[sympy.Symbol, sympy.Integer]) -> Any:
    if not isinstance(form, sympy.Basic):
        return form
    return form.xreplace(values).replace(sympy.Function("gcd"), sympy.igcd)


@each_example
def test_tracing_numbers(example: Example) -> None:
    @moderately
    @given(variations(example))
    def check(variant: Example) -> None:
        traced = dict(facts(changed(variant, lambda number: Traced(number, "n"))))
        expected = dict(facts(variant))
        assert expected.keys() == traced.keys()
        for what, value in expected.items():
            assert same(untraced(traced[what]), value), what

    check()


@each_example
def test_the_explanation(example: Example) -> None:
    """The tracing numbers that explanations use, fractions included."""
    layer, inputs = example
    traced = dict(facts(Example(trace_layer(layer), trace_inputs(inputs, layer))))
    expected = dict(facts(example))
    assert {what: untraced(found) for what, found in traced.items()} == expected


def test_a_formula_that_branches_on_a_size_is_found() -> None:
    """The checks above can fail."""
    with pytest.raises((TypeError, ValueError)):
        next(iter(facts(changed(branching(), lambda _number: sympy.Symbol("n", integer=True)))))


def branching() -> Example:
    class Branching(Layer):
        type = "branching"  # type: ignore[misc]

        def output_shape(self, inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
            (size,) = inputs[0].shape
            return (1 if size < 3 else size,)

    return Example(Branching(), (Tensor((4,)),))
