"""`archcalc layers`."""

import inspect
from collections.abc import Iterator
from typing import Any

import click
import msgspec

from archcalc.cli.options import format_option, proposing
from archcalc.cli.terminal import show
from archcalc.errors import UsageError, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.layers.descriptions import field_descriptions
from archcalc.render.document import NAME, Column, Document, Lines, Row, Table
from archcalc.spec.remedies import type_remedy
from archcalc.spec.wanted import format_annotation


@click.command("layers", short_help="List the layer types and their fields.")
@click.argument("type_name", metavar="[TYPE]", required=False, shell_complete=proposing(LAYER_TYPES))
@format_option
def command(type_name: str | None, format_name: str) -> None:
    """List the layer types; or describe TYPE: its fields with defaults, and what is counted."""
    if type_name is None:
        show(_list(), format_name)
    elif type_name in LAYER_TYPES:
        show(_describe(LAYER_TYPES[type_name]), format_name)
    else:
        raise UsageError(f"no layer type is called {quoted(type_name)}", type_remedy(type_name, (), None))


def _list() -> Document:
    """All types by family, each with its first sentence."""
    families: dict[str, list[type[Layer]]] = {}
    for layer in LAYER_TYPES.values():
        families.setdefault(layer.family, []).append(layer)
    rows = [row for family, layers in families.items() for row in _rows(family, layers)]
    return Document(
        title="Layer types",
        parts=[Table([Column("Type", NAME), Column("What it is", wrapped=True)], rows)],
        data=lambda: [_plain(layer) for layer in LAYER_TYPES.values()],
        records=lambda: [{key: _plain(layer)[key] for key in ("type", "family", "about")} for layer in _every()],
    )


def _every() -> list[type[Layer]]:
    return [*LAYER_TYPES.values()]


def _rows(family: str, layers: list[type[Layer]]) -> Iterator[Row]:
    yield Row([family], emphasis="strong")
    yield from (Row([layer.type, _documentation(layer).partition("\n")[0]]) for layer in layers)


def _describe(layer: type[Layer]) -> Document:
    """One type: its inputs, its description with those of its base classes, and its fields."""
    least, most = layer.input_counts
    inputs = ", ".join(layer.input_names) + (", …" if most is None else "")
    optional = f" (only the first {least} required)" if most and least < most else ""
    paragraphs = [
        " ".join(paragraph.split())
        for base in layer.__mro__
        if issubclass(base, Layer) and base is not Layer
        for paragraph in _documentation(base).split("\n\n")
    ]
    columns = [Column("Field", NAME), Column("Default"), Column("What it is", wrapped=True)]
    fields = [Row([field["name"], _default(field), _about(field)]) for field in _fields(layer)]
    return Document(
        title=f"{layer.type} ({layer.family})",
        head=[f"inputs: {inputs}{optional}"],
        parts=[
            *(Lines([paragraph], wrapped=True) for paragraph in paragraphs),
            *([Table(columns, fields, ruled=False)] if fields else []),
        ],
        data=lambda: _plain(layer),
        records=lambda: [*_fields(layer)],
        columns=("name", "values", "required", "default", "about"),
    )


def _default(field: dict[str, Any]) -> str:
    return "required" if field["required"] else _value(field["default"])


def _about(field: dict[str, Any]) -> str:
    """The meaning of a field, and its values."""
    return f"{field['about']} Values: {field['values']}.".strip()


def _plain(layer: type[Layer]) -> dict[str, Any]:
    return {
        "type": layer.type,
        "family": layer.family,
        "about": _documentation(layer).partition("\n")[0],
        "inputs": list(layer.input_names),
        "fields": [*_fields(layer)],
    }


def _fields(layer: type[Layer]) -> Iterator[dict[str, Any]]:
    about = field_descriptions(layer)
    for field in msgspec.structs.fields(layer):
        yield {
            "name": field.name,
            "values": format_annotation(field.type),
            "required": field.required,
            "default": None if field.required else field.default,
            "about": about.get(field.name, ""),
        }


def _documentation(layer: type[Layer]) -> str:
    return inspect.cleandoc(layer.__doc__ or "").replace(" Abstract.", "")


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
