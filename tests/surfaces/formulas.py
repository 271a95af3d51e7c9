"""Closed forms at random values of their symbols equal the summary's numbers, if their conditions hold."""

import random
from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any, NamedTuple

from networks import Drawn

import archcalc
from archcalc.analysis.formula import Formula, find_formula
from archcalc.errors import ArchcalcError, SpecError, UsageError
from archcalc.numbers.bounds import Unknown, known
from archcalc.spec.document import parse
from surfaces.runner import loaded

TRIES = 20  # by network, shared among its questions
DECIMALS = [0.1, 0.3, 0.35, 0.5, 0.7, 0.75, 1.0, 1.1, 1.4, 1.5, 2.0, 2.3, 2.9, 1 / 3]


class Question(NamedTuple):
    """The symbols of a formula: variables, and letters for sizes of inputs."""

    variables: tuple[str, ...]
    inputs: dict[str, list[Any]]


def check_formula(drawn: Drawn) -> None:
    """Tries a letter for every size of every input, and every variable that is a number."""
    choice, asked = random.Random(drawn.text), [*questions(loaded(drawn))]
    for question in asked:
        try:
            formula = find_formula(
                parse(drawn.text), question.variables, dict(drawn.variables), question.inputs, drawn.training, "N"
            )
        except (UsageError, SpecError):
            continue  # such as a repeat that depends on a symbol
        for _ in range(ceil(TRIES / len(asked))):
            check_value(drawn, formula, question, choice)


def questions(network: archcalc.Network) -> Iterator[Question]:
    variables = tuple(name for name, value in network.graph.variables.items() if type(value) in (int, float))
    sizes = {
        name: [f"s{number}_{axis}" for axis in range(len(tensor.shape))]
        for number, (name, tensor) in enumerate(network.graph.inputs.items())
        if tensor.nonzeros is None
    }
    yield Question((), sizes)
    yield from (Question((name,), {}) for name in variables)
    if variables:
        yield Question(variables, sizes)


def check_value(drawn: Drawn, formula: Formula, question: Question, choice: random.Random) -> None:
    own = {symbol.name: value for symbol, value in formula.values.items()}
    changed = choice.sample(sorted(own), choice.randint(1, len(own)))
    values = {name: another(value, choice) if name in changed else value for name, value in own.items()}
    variables = {name: values[name] for name in question.variables}
    inputs = {name: [values[letter] for letter in shape] for name, shape in question.inputs.items()}
    try:
        network = drawn.load(variables=variables, inputs=inputs, batch=values["N"])
    except ArchcalcError:
        return  # these values do not fit
    if not all(formula.value(condition, values) for condition in formula.conditions):
        return
    compare(formula, network, values)


def another(value: Any, choice: random.Random) -> Any:
    if isinstance(value, float):
        return choice.choice([*DECIMALS, round(choice.uniform(0.05, 4), 2), choice.uniform(0.05, 4)])
    return choice.choice([1, 2, 3, value + 1, 2 * value, choice.randint(1, 12), choice.randint(1, 300)])


def compare(formula: Formula, network: archcalc.Network, values: Mapping[str, Any]) -> None:
    numbers = formula.numbers(values)
    assert [row.name for row in formula.layers] == [row.name for row in network.layers], values
    for row, layer in zip(formula.layers, network.layers, strict=True):
        assert tuple(size.xreplace(numbers) for size in row.output_shape) == layer.output_shape, (row.name, values)
        assert row.parameters.xreplace(numbers) == layer.parameters, (row.name, row.parameters, values)
        evaluated = row.macs if isinstance(row.macs, Unknown) else row.macs.xreplace(numbers)
        assert evaluated == layer.macs, (row.name, row.macs, values)
    assert formula.parameters.xreplace(numbers) == network.totals.parameters, values
    assert known(formula.macs).xreplace(numbers) == known(network.totals.macs), values
