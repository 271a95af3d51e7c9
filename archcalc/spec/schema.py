"""The typed form of a spec, problems collected value by value, and the JSON Schema for editors."""

import math
import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from archcalc.errors import MAX_NESTING, Path, Problem, did_you_mean, quoted
from archcalc.spec.expressions import MAX_BITS, UNFIT

Expression = Annotated[str, Meta(description="an expression: arithmetic on numbers and variables")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^.]+$")]
Named = Annotated[dict[str, Any], Meta(max_length=1_000)]
Words = Annotated[list[str], Meta(min_length=1)]
DType = Literal["float32", "float64", "float16", "bfloat16", "int64", "int32"]

S = TypeVar("S", bound=Struct)


class InputTable(Struct, forbid_unknown_fields=True):
    """An input: its shape without the batch, its dtype, and how many entries of a sparse one are not zero."""

    shape: list[Annotated[int, Meta(ge=1)]]
    dtype: DType = "float32"
    nonzeros: Annotated[int, Meta(ge=0)] | None = None


class Block(Struct, forbid_unknown_fields=True):
    """Layers under a name, used like a layer type."""

    layers: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    parameters: Annotated[list[str], Meta(max_length=1_000)] = []
    defaults: Named = {}
    inputs: Words = msgspec.field(default_factory=lambda: ["input"])


class Spec(Struct, forbid_unknown_fields=True):
    """A whole spec."""

    name: str
    inputs: dict[str, Any]
    layers: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    source: str | None = None
    variables: Named = {}
    blocks: dict[str, Any] = {}
    outputs: Words | None = None


class Entry(Struct):
    """What every entry of `layers` may say, whatever its type."""

    type: str
    name: Name | None = None
    input: str | None = None
    inputs: Words | None = None
    repeat: Annotated[int, Meta(ge=0)] | Expression | None = None
    when: bool | Expression = True
    weights: str | None = None
    trainable: bool | Expression = True
    functional: bool | Expression = False


ENTRY_KEYS = Entry.__struct_fields__


def convert(data: Any, struct: type[S], path: Path, problems: list[Problem]) -> S | None:
    """`data` as a typed structure; None, with every problem noted, if it does not fit."""
    try:
        return msgspec.convert(data, struct)
    except msgspec.ValidationError:
        problems.extend(find_problems(data, struct, path))
        return None


def convert_rest(data: dict[str, Any], struct: type[S]) -> S:
    """What is right about data with problems, so that the search for more goes on; the rest is left empty."""
    fields = _fields(struct)
    right = {name: data[name] for name in fields if name in data and _is_right(data[name], fields[name].type)}
    empty: dict[str, Any] = {
        name: kind() for name, kind in (("name", str), ("inputs", dict), ("layers", list)) if name not in right
    }
    return struct(**right, **empty)


def fitting(data: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The data with UNFIT for dates, numbers beyond any size and the like, each of which is noted."""
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
    if isinstance(value, bool | str):
        return None
    if isinstance(value, int):
        bits = value.bit_length()
        return f"is a number of {bits:,} bits, larger than any size" if bits > MAX_BITS else None
    if isinstance(value, float):
        return None if math.isfinite(value) else f"= {value}: expected a finite number"
    return f"= {shown(value)}: expected a number, text, a list or a table"


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


def _is_right(value: Any, wanted: Any) -> bool:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError:
        return False
    return True


def find_problems(
    data: Any, struct: type[Struct], path: Path, also_known: Collection[str] = (), unchecked: Collection[str] = ()
) -> Iterator[Problem]:
    """What is wrong with `data`, key by key; `also_known` keys belong to something else, `unchecked` are not ready."""
    if not isinstance(data, dict):
        yield Problem(f"expected a table, got {shown(data)}", path)
        return
    fields = _fields(struct)
    strict = struct.__struct_config__.forbid_unknown_fields
    unknown = [*unknown_keys(data, (*fields, *also_known), path)] if strict else []
    yield from unknown
    for name, field in fields.items():
        if name not in data and field.required:
            if not is_meant(name, unknown):
                yield Problem(f"{name} is missing", path, help=f"add {name} = …")
        elif name in data and name not in unchecked:
            yield from _value_problem(name, data[name], field.type, path)


@cache
def _fields(struct: type[Struct]) -> dict[str, msgspec.structs.FieldInfo]:
    return {field.name: field for field in msgspec.structs.fields(struct)}


# PyTorch's arguments that follow from the input.
INFERRED = ("in_channels", "in_features", "num_features", "num_channels", "embed_dim", "input_size")


def unknown_keys(data: dict[str, Any], known: Any, path: Path) -> Iterator[Problem]:
    """Keys that do not exist."""
    for key in data:
        if key in INFERRED and key not in known:
            yield Problem(f"unknown key {quoted(key)}", (*path, key), help="leave it out: it follows from the input")
        elif key not in known:
            yield Problem(f"unknown key {quoted(key)}", (*path, key), help=did_you_mean(key, known))


def is_meant(name: str, unknown: list[Problem]) -> bool:
    """Whether an unknown key is this one, misspelled."""
    return any(problem.help == f"did you mean {quoted(name)}?" for problem in unknown)


def _value_problem(name: str, value: Any, wanted: Any, path: Path) -> Iterator[Problem]:
    try:
        msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        if _holds_unfit(value):
            return
        message, _, where = str(error).partition(" - at `$")
        inner = tuple(int(index) for index in re.findall(r"\[(\d+)\]", where))
        message = _translated(message)
        remedy = next((remedy for part, remedy in _REMEDIES.items() if f"{name}: {message}".startswith(part)), None)
        yield Problem(f"{name} = {shown(value)}: {message}", (*path, name, *inner), help=remedy)


_REMEDIES = {
    "inputs: expected a table": "write inputs.image = [3, 224, 224], with a name of your own",
    "layers: expected a list": "write layers = [{ type = … }, { type = … }], or [[layers]] before each",
    "name: expected text without": "full stops separate the names of blocks from those of the layers in them",
}


_TERMS = {
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
    "null": "nothing",
}


def _translated(message: str) -> str:
    """A message of msgspec in the words of TOML."""

    def words(match: re.Match[str]) -> str:
        return " or ".join(_TERMS.get(term, term) for term in match[1].split(" | ") if term != "null")

    message = message.replace("`str` matching regex '^[^.]+$'", "`str` without a full stop")
    message = message.replace("`str` of length <= 200", "`str` of at most 200 letters")
    message = re.sub("`(str|array)` of length >= 1", r"`\1` that is not empty", message)
    text = re.sub(r"`([^`]*)`", words, message).replace(">=", "≥").replace("<=", "≤")
    return text[:1].lower() + text[1:]


def shown(value: Any) -> str:
    """A value as TOML would show it, shortened."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        text = f"[{', '.join(map(shown, value[:80]))}]"
    else:
        text = "a table" if isinstance(value, dict) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of specs, with each layer type's fields."""
    from archcalc.layers import LAYER_TYPES

    types = [*LAYER_TYPES.values()]
    _, found = msgspec.json.schema_components([Spec, Block, InputTable, Entry, *types], ref_template="#/$defs/{name}")
    components = {name: _without_null(schema) for name, schema in found.items()}
    common = components["Entry"]["properties"]
    layers = {layer.type: _layer_schema(layer.type, components[layer.__name__], common) for layer in types}
    block_use = {
        "title": "a block of this spec",
        "properties": {**common, "type": {"type": "string", "not": {"enum": [*layers]}}, "functional": False},
        "required": ["type"],
    }
    references: list[dict[str, Any]] = [{"$ref": f"#/$defs/{name}"} for name in layers]
    spec, block = components["Spec"], components["Block"]
    for owner in (spec, block):
        owner["properties"]["layers"]["items"] = {"$ref": "#/$defs/entry"}
    table = {**components["InputTable"], "properties": _with_expressions(components["InputTable"]["properties"])}
    spec["properties"]["blocks"]["additionalProperties"] = {"$ref": "#/$defs/block"}
    spec["properties"]["inputs"]["additionalProperties"] = {"anyOf": [table["properties"]["shape"], table]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **spec,
        "title": "archcalc spec",
        "$defs": {"block": block, "entry": {"type": "object", "anyOf": [*references, block_use]}, **layers},
    }


def _layer_schema(name: str, schema: dict[str, Any], common: dict[str, Any]) -> dict[str, Any]:
    return {
        **schema,
        "title": name,
        "properties": {"type": {"const": name}, **_with_expressions(schema["properties"]), **_all_but_type(common)},
        "required": ["type", *schema.get("required", [])],
    }


def _all_but_type(properties: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in properties.items() if key != "type"}


def _with_expressions(properties: dict[str, Any]) -> dict[str, Any]:
    """Any value of a field may be an expression, and so may any number in a list."""
    return {key: _or_expression(schema) for key, schema in properties.items()}


def _or_expression(schema: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {key: schema[key] for key in ("default", "description") if key in schema}
    kind = {key: value for key, value in schema.items() if key not in about}
    options: list[dict[str, Any]] = kind.get("anyOf", [kind])
    items = [option | {"items": _or_expression(option["items"])} if "items" in option else option for option in options]
    return {**about, "anyOf": [*items, {"type": "string"}]}


def _without_null(schema: Any) -> Any:
    """The schema for TOML, which has no null: what may be null may be left out."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if (key, value) != ("default", None)}
    if len(kept.get("anyOf", "  ")) == 1:
        kept.update(kept.pop("anyOf")[0])
    return kept
