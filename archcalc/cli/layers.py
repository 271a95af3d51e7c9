"""`archcalc layers`."""

import inspect
from typing import Any

import click
import msgspec

from archcalc.cli.terminal import echo
from archcalc.errors import UsageError, quoted
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer
from archcalc.layers.descriptions import field_descriptions
from archcalc.spec.remedies import type_remedy
from archcalc.spec.wanted import described


@click.command("layers", short_help="List the layer types and their fields.")
@click.argument("type_name", metavar="[TYPE]", required=False)
@click.pass_context
def command(context: click.Context, type_name: str | None) -> None:
    """List the layer types, or all about TYPE: its fields with their defaults, and what is counted."""
    formatter = context.make_formatter()
    if type_name is None:
        _list(formatter)
    elif type_name in LAYER_TYPES:
        _describe(LAYER_TYPES[type_name], formatter)
    else:
        raise UsageError(f"no layer type is called {quoted(type_name)}; {type_remedy(type_name, (), None)}")
    echo(formatter.getvalue().rstrip())


def _list(formatter: click.HelpFormatter) -> None:
    families: dict[str, list[type[Layer]]] = {}
    for layer in LAYER_TYPES.values():
        families.setdefault(layer.family, []).append(layer)
    for family, layers in families.items():
        with formatter.section(family):
            formatter.write_dl([(layer.type, _documentation(layer).partition("\n")[0]) for layer in layers])


def _describe(layer: type[Layer], formatter: click.HelpFormatter) -> None:
    least, most = layer.input_counts
    inputs = ", ".join(layer.input_names) + (", …" if most is None else "")
    optional = f" (only the first {least} required)" if most and least < most else ""
    formatter.write(f"{layer.type} ({layer.family}), inputs: {inputs}{optional}\n")
    for base in layer.__mro__:
        if issubclass(base, Layer) and base is not Layer:
            for paragraph in _documentation(base).split("\n\n"):
                formatter.write_paragraph()
                formatter.write_text(paragraph)
    if fields := msgspec.structs.fields(layer):
        with formatter.section("Fields"):
            described_fields = field_descriptions(layer)
            formatter.write_dl([(field.name, _field(field, described_fields.get(field.name))) for field in fields])


def _field(field: msgspec.structs.FieldInfo, description: str | None) -> str:
    values = f"{described(field.type)}; {_default(field)}"
    return values if description is None else f"{description} Values: {values}."


def _documentation(layer: type[Layer]) -> str:
    return inspect.cleandoc(layer.__doc__ or "").replace(" Abstract.", "")


def _default(field: msgspec.structs.FieldInfo) -> str:
    return "required" if field.required else f"default {_value(field.default)}"


def _value(value: Any) -> str:
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else f'"{value}"' if isinstance(value, str) else str(value)
