"""A spec's variables and inputs, with the values that a user sets in their place."""

from collections.abc import Collection, Mapping
from typing import Any

from msgspec import Struct

from archcalc.errors import Path, Problem, did_you_mean, quoted
from archcalc.layers.base import INTEGER
from archcalc.spec.evaluation import Evaluator, Variables
from archcalc.spec.expressions import Unfit, Value
from archcalc.spec.problems import convert, value_problems
from archcalc.spec.schema import InputTable, Spec
from archcalc.spec.templates import MAX_NAME, TemplateReader, variables_in
from archcalc.spec.values import format_value
from archcalc.spec.wanted import Wanted, wanted


class ExpandedInput(Struct, frozen=True, gc=False):
    """An input of the network. `other_nonzeros`: the spec's nonzeros are of another shape than the one in use."""

    name: str
    table: InputTable
    path: Path
    other_nonzeros: bool = False


def read_variables(
    spec: Spec, settings: Variables, training: bool, read: TemplateReader, evaluate: Evaluator
) -> Variables:
    """The values of the spec's variables, in the spec's order; `settings` replace them."""
    problems = evaluate.problems
    for name in settings:
        if name not in spec.variables:
            remedy = did_you_mean(name, spec.variables) or "the spec has no variables"
            problems.append(Problem(f"no variable is called {quoted(name)}", (), help=remedy))
    known: dict[str, Value] = {"training": training}
    evaluate.declared = spec.variables
    for name, value in spec.variables.items():
        path: Path = ("variables", name)
        read.check_name(name, path, "variable")
        known[name] = evaluate.value(settings.get(name, value), {**known}, path)
        if isinstance(value, bool) and not isinstance(known[name], bool | Unfit):
            message = f"variable {quoted(name)} is true or false, and cannot be {format_value(known[name])}"
            problems.append(Problem(message, path, help=f"write {name} = true, or {name} = false"))
    return known


def read_inputs(
    spec: Spec,
    data: dict[str, Any],
    shapes: Mapping[str, list[Any]],
    settings: Collection[str],
    variables: Variables,
    evaluate: Evaluator,
) -> tuple[list[ExpandedInput], set[str]]:
    """The inputs, and the names of those that are wrong; `shapes` replace the spec's shapes. `data` is the whole spec.

    `settings` are the names of the variables that a user set.
    """
    for name in shapes:
        if name not in spec.inputs:
            remedy = did_you_mean(name, spec.inputs)
            evaluate.problems.append(Problem(f"no input is called {quoted(name)}", ("inputs",), help=remedy))
    if data.get("inputs") == {}:
        evaluate.problems.append(Problem("the network has no input", ("inputs",), help="add image = [3, 224, 224]"))
    changed = _depending(spec.variables, settings)
    found = {
        name: _input(name, written, shapes.get(name), changed, variables, evaluate)
        for name, written in spec.inputs.items()
    }
    return [item for item in found.values() if item], {name for name, item in found.items() if item is None}


def _depending(variables: Mapping[str, Any], settings: Collection[str]) -> set[str]:
    """The variables that a user set, and those whose expressions depend on them."""
    found = {*settings}
    for name, value in variables.items() if settings else ():
        if found & {*variables_in([value])}:
            found.add(name)
    return found


def _input(
    name: str, data: Any, shape: list[Any] | None, changed: set[str], variables: Variables, evaluate: Evaluator
) -> ExpandedInput | None:
    path: Path = ("inputs", name)
    if not name or "." in name or len(name) > MAX_NAME:
        remedy = f"use a word of at most {MAX_NAME} letters, without a full stop"
        evaluate.problems.append(Problem(f"{quoted(name)} cannot be the name of an input", path, help=remedy))
    kinds = wanted(InputTable)
    if not isinstance(data, dict):
        return _plain_input(name, data if shape is None else shape, variables, evaluate, kinds["shape"])
    written = data if shape is None else _reshaped(data, shape, changed, variables, path)
    known = {key: value for key, value in written.items() if key in kinds}
    value = written | evaluate.fields(known, variables, path, kinds)
    table = convert(value, InputTable, path, evaluate.problems)
    if table is None:
        return None
    return ExpandedInput(name, table, path, data.get("nonzeros") is not None and table.nonzeros is None)


def _plain_input(
    name: str, written: Any, variables: Variables, evaluate: Evaluator, kind: Wanted
) -> ExpandedInput | None:
    """An input that is written as its shape alone: `image = [3, 224, 224]`."""
    value = evaluate.value(written, variables, ("inputs", name), kind)
    problems: list[Problem] = []
    table = convert({"shape": value}, InputTable, ("inputs", name), problems)
    if table is None:
        evaluate.problems.extend(value_problems(name, value, kind.annotation, ("inputs",), written))
    return ExpandedInput(name, table, ("inputs", name)) if table else None


def _reshaped(
    written: dict[str, Any], shape: list[Any], changed: set[str], variables: Variables, path: Path
) -> dict[str, Any]:
    """An input's table with another shape; without its nonzeros, unless these depend on `changed` variables."""
    own = Evaluator([]).value(written.get("shape"), variables, path)
    # A symbol is never the same size as a number, whatever its value.
    same = all(type(size) is int for size in shape) and own == shape
    kept = written if same or changed & {*variables_in([written.get("nonzeros")])} else {**written, "nonzeros": None}
    return {**kept, "shape": shape}


def dimensions(inputs: Mapping[str, Any]) -> int | None:
    """How many spatial axes (1 to 3) all inputs have; None if they differ.

    All axes of an integer input are spatial: an embedding adds the channels.
    """
    tables = [data if isinstance(data, dict) else {"shape": data} for data in inputs.values()]
    ranks = {
        len(shape) - (table.get("dtype") not in INTEGER)
        for table in tables
        if isinstance(shape := table.get("shape"), list)
    }
    return ranks.pop() if len(ranks) == 1 and ranks <= {1, 2, 3} else None
