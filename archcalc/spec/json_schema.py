"""The JSON Schema of specs, for editors."""

from inspect import cleandoc
from typing import Any

import msgspec

from archcalc.layers import LAYER_TYPES
from archcalc.layers.descriptions import field_descriptions
from archcalc.spec.budget import Budget, Limits
from archcalc.spec.ignore import Ignore
from archcalc.spec.schema import Block, Entry, InputTable, Spec


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of specs, with each layer type's fields."""
    types = [*LAYER_TYPES.values()]
    structs = [Spec, Block, InputTable, Entry, Budget, Limits, Ignore, *types]
    _, found = msgspec.json.schema_components(structs, ref_template="#/$defs/{name}")
    components = {name: _without_null(schema) for name, schema in found.items()}
    for component in components.values():  # before Python 3.13, a docstring keeps its indentation
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
    """The properties with a string allowed in place of each value and of each number in a list: an expression."""
    return {key: _or_expression(schema) for key, schema in properties.items()}


def _or_expression(schema: dict[str, Any]) -> dict[str, Any]:
    about: dict[str, Any] = {key: schema[key] for key in ("default", "description") if key in schema}
    kind = {key: value for key, value in schema.items() if key not in about}
    options: list[dict[str, Any]] = kind.get("anyOf", [kind])
    items = [option | {"items": _or_expression(option["items"])} if "items" in option else option for option in options]
    return {**about, "anyOf": [*items, {"type": "string"}]}


def _without_null(schema: Any) -> Any:
    """The schema without null, which TOML lacks: a key that may be null may be left out."""
    if isinstance(schema, list):
        return [_without_null(item) for item in schema if item != {"type": "null"}]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _without_null(value) for key, value in schema.items() if (key, value) != ("default", None)}
    if len(kept.get("anyOf", "  ")) == 1:
        kept.update(kept.pop("anyOf")[0])
    return kept
