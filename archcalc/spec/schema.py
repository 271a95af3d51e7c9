"""The typed form of a spec, and the JSON Schema for editors."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Expression = Annotated[str, Meta(description="an expression: arithmetic on numbers and variables")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^.]+$")]
Named = Annotated[dict[str, Any], Meta(max_length=1_000)]
Words = Annotated[list[str], Meta(min_length=1)]
DType = Literal["float32", "float64", "float16", "bfloat16", "int64", "int32"]


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
    budget: dict[str, Any] = {}
    ignore: list[dict[str, Any]] = []


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


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of specs, with each layer type's fields."""
    from inspect import cleandoc

    from archcalc.layers import LAYER_TYPES
    from archcalc.layers.descriptions import field_descriptions
    from archcalc.spec.budget import Budget, Limits
    from archcalc.spec.ignore import Ignore

    types = [*LAYER_TYPES.values()]
    structs = [Spec, Block, InputTable, Entry, Budget, Limits, Ignore, *types]
    _, found = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    components = {name: _without_null(schema) for name, schema in found.items()}
    for component in components.values():  # Pythons before 3.13 keep a docstring's indentation.
        if "description" in component:
            component["description"] = cleandoc(component["description"])
    common = components["Entry"]["properties"]
    for layer in types:
        properties = components[layer.__name__]["properties"]
        for name, description in field_descriptions(layer).items():
            properties[name] = {"description": description, **properties[name]}
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
    bounds = {bound: {"$ref": "#/$defs/limits"} for bound in ("max", "min")}
    spec["properties"]["budget"] = {**components["Budget"], "properties": bounds}
    spec["properties"]["ignore"]["items"] = {"$ref": "#/$defs/ignore"}
    entry = {"type": "object", "anyOf": [*references, block_use]}
    shared = {"block": block, "entry": entry, "limits": components["Limits"], "ignore": components["Ignore"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **spec,
        "title": "archcalc spec",
        "$defs": {**shared, **layers},
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
