"""Finds what is wrong with the values of a file, key by key, with what each key takes and a remedy."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import cache, partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, structs

from archcalc.errors import MAX_NESTING, Path, Problem, Remedy, quoted
from archcalc.spec.expressions import MAX_BITS, UNFIT
from archcalc.spec.values import format_value, is_right, kind_of
from archcalc.spec.wanted import format_annotation, plain
from archcalc.tracing import Number

S = TypeVar("S", bound=Struct)


def convert(data: Any, struct: type[S], path: Path, problems: list[Problem]) -> S | None:
    """`data` as a typed structure; None, with every problem noted, if it does not fit."""
    try:
        return msgspec.convert(data, struct)
    except msgspec.ValidationError:
        from archcalc.spec.numbers import convert_numbers

        if converted := convert_numbers(data, struct):
            return converted
        problems.extend(find_problems(data, struct, path))
        return None


def convert_rest(data: dict[str, Any], struct: type[S]) -> S:
    """The valid fields of invalid data as a structure, so that the search for problems goes on; the rest is empty."""
    fields = _fields(struct)
    right = {name: data[name] for name in fields if name in data and is_right(data[name], fields[name].type)}
    if "layers" in fields and isinstance(data.get("layers"), list):
        right["layers"] = _tables(data["layers"])
    empty = {"name": str, "type": str, "inputs": dict, "layers": list}
    missing = {name: empty[name]() for name, field in fields.items() if field.required and name not in right}
    return struct(**right, **missing)


def _tables(entries: list[Any]) -> list[dict[str, Any]]:
    """The entries, with a placeholder for each that is not a table, so that the others keep their indices."""
    return [entry if isinstance(entry, dict) else {"type": UNFIT} for entry in entries]


def fitting(data: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The data with UNFIT in place of dates, numbers that are too large and the like; each adds a problem."""
    unfit = [*_unfit_values(data)]
    problems.extend(unfit)
    return _without(data, (), {problem.path for problem in unfit}) if unfit else data


def _unfit_values(data: dict[str, Any]) -> Iterator[Problem]:
    # A list that grows instead of recursion: a stranger's file may nest deeply.
    waiting: list[tuple[Any, Path]] = [(data, ())]
    for container, path in waiting:
        items: Any = container.items() if isinstance(container, dict) else enumerate(container)
        for key, value in items:
            if isinstance(value, dict | list):
                if len(path) + 1 < MAX_NESTING:
                    waiting.append((value, (*path, key)))
                else:
                    yield Problem("lists or tables are nested too deeply", (*path, key))
            elif message := _unfit(value):
                name = next(part for part in (key, *reversed(path)) if isinstance(part, str))
                yield Problem(f"{name} {message}", (*path, key))


def _unfit(value: Any) -> str | None:
    if isinstance(value, bool | str | Number):
        return None
    if isinstance(value, int):
        bits = value.bit_length()
        return f"is a number of {bits:,} bits, larger than any size" if bits > MAX_BITS else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"= {value}: expected a finite number"
    return f"= {format_value(value)}: expected a number, text, a list or a table"


def _without(value: Any, path: Path, unfit: set[Path]) -> Any:
    if path in unfit:
        return UNFIT
    if isinstance(value, dict):
        return {key: _without(item, (*path, key), unfit) for key, item in value.items()}
    return [_without(item, (*path, i), unfit) for i, item in enumerate(value)] if isinstance(value, list) else value


def _holds_unfit(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_holds_unfit, value.values() if isinstance(value, dict) else value))
    return value is UNFIT


def find_problems(
    data: Any,
    struct: type[Struct],
    path: Path,
    *,
    also_known: Collection[str] = (),
    unchecked: Collection[str] = (),
    written: Mapping[str, Any] = {},
) -> Iterator[Problem]:
    """What is wrong with `data`, key by key.

    `also_known` are keys that are allowed beside the structure's fields, `unchecked` are fields whose expressions are
    not evaluated yet. `written` holds the values before evaluation.
    """
    if not isinstance(data, dict):
        yield Problem(f"expected a table, got {format_value(data)}", path)
        return
    fields = _fields(struct)
    strict = struct.__struct_config__.forbid_unknown_fields
    unknown = [key for key in data if key not in fields and key not in also_known] if strict else []
    yield from unknown_keys(data, unknown, (*fields, *also_known), path)
    for name, field in fields.items():
        if name not in data and field.required:
            problem = Problem(f"{name} is missing", path, help=Remedy(name, partial(_addition, name, field.type)))
            yield structs.replace(problem, unless=unless_meant(name, unknown, (*fields, *also_known)))
        elif name in data and name not in unchecked:
            yield from value_problems(name, data[name], field.type, path, written.get(name))


@cache
def _fields(struct: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


def _addition(name: str, annotation: Any) -> str:
    return f"add {name} = …, {format_annotation(annotation)}"


def unknown_keys(
    data: dict[str, Any],
    unknown: Collection[str],
    known: Collection[str],
    path: Path,
    remedy_of: Callable[[str], str] | None = None,
) -> list[Problem]:
    """A problem for each unknown key; `remedy_of` finds its remedy, by default among the `known` keys."""

    def problem(key: str) -> Problem:
        remedy = Remedy(key, partial(remedy_of, key) if remedy_of else partial(_key_remedy, key, known, data))
        return Problem(f"unknown key {quoted(key)}", (*path, key), help=remedy)

    return [problem(key) for key in unknown]


def _key_remedy(key: str, known: Collection[str], data: dict[str, Any]) -> str:
    from archcalc.spec.remedies import key_remedy

    return key_remedy(key, known, data)


def unless_meant(name: str, unknown: Collection[str], known: Collection[str]) -> Callable[[], bool] | None:
    """A test whether one of the unknown keys is the missing key `name`; None if there are no unknown keys."""
    return partial(is_meant, name, unknown, known) if unknown else None


def is_meant(name: str, unknown: Collection[str], known: Collection[str]) -> bool:
    """Whether one of the unknown keys is the key `name`, under another name or misspelled."""
    from archcalc.spec.remedies import meant_key

    return any(name == meant_key(key, known) for key in unknown)


def is_any_meant(unknown: Collection[str], known: Collection[str]) -> bool:
    """Whether one of the unknown keys may be a known one under another name or misspelled."""
    from archcalc.spec.remedies import meant_keys

    return any(meant_keys(key, known) for key in unknown)


def value_problems(name: str, value: Any, annotation: Any, path: Path, written: Any) -> Iterator[Problem]:
    """What is wrong with the value of a key `name` in the table at `path`."""
    if value is UNFIT:
        return
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError as error:
        if isinstance(value, list) and value and plain(annotation) == list[dict[str, Any]]:
            yield from _no_tables(name, value, annotation, path)
            return
        if _holds_unfit(value):
            return
        _, _, where = str(error).partition(" - at `$")
        inner = tuple(int(index) for index in re.findall(r"\[(\d+)\]", where))
        yield wrong_value(name, value, annotation, (*path, name, *inner), written)


def _no_tables(name: str, value: list[Any], annotation: Any, path: Path) -> Iterator[Problem]:
    """A problem for each item of a list of tables that is not a table."""
    remedy = Remedy(name, partial(_value_remedy, name, value, annotation, None))
    for number, item in enumerate(value):
        if not isinstance(item, dict) and item is not UNFIT:
            message = f"{name} has {format_value(item)} in it: expected tables, got {kind_of(item)}"
            yield Problem(message, (*path, name, number), help=remedy)


def wrong_value(name: str, value: Any, annotation: Any, path: Path, written: Any = None) -> Problem:
    """The problem of a value that a field does not take."""
    text = f"{name} = {format_value(value if written is None else written)}"
    if written not in (None, value):
        text += f" gives {format_value(value)}"
    expected = format_annotation(annotation)
    where = path[len(path) - path[::-1].index(name) :]
    got = _got(value, where, expected)
    remedy = Remedy(name, partial(_value_remedy, name, value, annotation, written))
    return Problem(f"{text}: expected {expected}{got}", path, help=remedy)


def _value_remedy(name: str, value: Any, annotation: Any, written: Any) -> str | None:
    from archcalc.spec.remedies import value_remedy

    return value_remedy(name, value, annotation, written)


def _got(value: Any, where: Path, expected: str) -> str:
    """The kind of the wrong value (`, got text`); empty where the message shows that the kind is right."""
    for index in where:
        value = value[index]
    if where:
        return f", got {format_value(value)} in it"
    kind = kind_of(value)
    fitting = kind in expected or kind.replace("whole ", "") in expected  # the kind is right and a bound is not met
    word = isinstance(value, str) and expected.endswith('"')  # one of several words is expected
    return "" if fitting or word else f", got {kind}"
