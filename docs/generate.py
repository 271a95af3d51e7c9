"""Write the parts of the documentation that follow from the code.

    python docs/generate.py

A table follows a marker such as `<!-- rules -->` in a page; `tests/test_docs.py` checks that it is current.
"""

import inspect
import json
import re
import sys
import tomllib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from click import Context
from msgspec.structs import FieldInfo, fields

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.lint import RULES
from archcalc.cli import COMMANDS, cli
from archcalc.layers import LAYER_TYPES
from archcalc.layers.activation import Activation, InPlaceLayer
from archcalc.layers.base import Elementwise, Layer, size_text
from archcalc.layers.descriptions import field_descriptions
from archcalc.layers.merging import Merging
from archcalc.layers.normalization import Normalization
from archcalc.layers.shaping import Shaping
from archcalc.layers.sliding import SlidingLayer
from archcalc.quantities import QUANTITIES, Quantity
from archcalc.spec.wanted import format_annotation

FOLDER = Path(__file__).parent
GENERAL = {
    Layer,
    Elementwise,
    Activation,
    InPlaceLayer,
    Merging,
    Normalization,
    Shaping,
    SlidingLayer,
}  # their docstrings say nothing about a type
NAMES = tomllib.loads((FOLDER / "layer_names.toml").read_text("utf-8"))

sys.path.append(str(FOLDER.parent / "tests"))
from examples import EXAMPLES  # noqa: E402  # at least one of every layer type


def formats(command: str) -> str:
    """The values of a command's --format, in a sentence."""
    found = cli.get_command(Context(cli), command)
    (option,) = (option for option in found.params if "--format" in option.opts)
    *most, last = (f"`{choice}`" for choice in option.type.choices)
    return f"`--format` is {', '.join(most)} or {last}."


def one_line(text: str) -> str:
    """A text without its line breaks."""
    return " ".join(text.split())


def table(head: str, rows: list[str]) -> str:
    """A table in Markdown; head and rows are cells joined by ` | `."""
    rule = "|" + "---|" * len(head.split(" | "))
    return "\n".join([f"| {head} |", rule, *(f"| {row} |" for row in rows)])


def command_list() -> str:
    """Every command with its page."""
    rows = [f"[`{name}`]({name}.md) | {summary}" for name, summary in COMMANDS.items()]
    return table("command | what it does", rows)


def layer_list() -> str:
    """The layer types by family, each linked to its section in the family's page."""
    families = defaultdict[str, list[str]](list)
    for layer in LAYER_TYPES.values():
        families[layer.family].append(f"[`{layer.type}`]({layer.family}.md#{layer.type})")
    rows = [f"[{family}]({family}.md) | {', '.join(names)}" for family, names in families.items()]
    return table("family | types", rows)


def rule_list() -> str:
    """The checks with their pages."""
    rows = [f"[{rule.code}]({rule.code}-{rule.name}.md) | {rule.name} | {one_line(rule.summary)}" for rule in RULES]
    return table("code | name | what it finds", rows)


def quantity_list() -> str:
    """The quantities of budgets and `compare`."""
    rows = [f"{name.replace('_', '-')} | {found.summary} | {_units(found)}" for name, found in QUANTITIES.items()]
    return table("quantity | what it is | units", rows)


def _units(quantity: Quantity) -> str:
    return ", ".join(filter(None, quantity.unit.suffixes)) or "none"


def convention_list() -> str:
    """The counting conventions of tools."""
    rows = [f"`{found.name}` | {found.sentence} | {found.source or 'archcalc'}" for found in CONVENTIONS.values()]
    return table("convention | what it counts | as in", rows)


TABLES: dict[str, Callable[[], str]] = {
    "commands": command_list,
    "layers": layer_list,
    "rules": rule_list,
    "quantities": quantity_list,
    "conventions": convention_list,
}
MARKED = re.compile(r"<!-- ([a-z]+) -->\n(?:\|.*\n)*")
FINDS = re.compile(r"<!-- finds ([A-Z]\d+) -->\n.*\n")
FORMATS = re.compile(r"(<!-- formats ([a-z-]+) -->\n\n).*\n")
SUMMARIES = {rule.code: one_line(rule.summary) for rule in RULES}


def with_tables(text: str, tables: dict[str, Callable[[], str]]) -> str:
    """The page with current tables behind its markers."""

    def made(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- {name} -->\n{tables[name]()}\n" if name in tables else found[0]

    text = FORMATS.sub(lambda found: f"{found[1]}{formats(found[2])}\n", text)
    text = FINDS.sub(lambda found: f"<!-- finds {found[1]} -->\n{SUMMARIES[found[1]]}\n", text)
    return MARKED.sub(made, text)


def pages() -> dict[str, str]:
    """The completely generated pages, by their paths below docs/."""
    families = defaultdict[str, list[type[Layer]]](list)
    for layer in LAYER_TYPES.values():
        families[layer.family].append(layer)
    return {f"layers/{family}.md": family_page(family, layers) for family, layers in families.items()}


def family_page(family: str, layers: list[type[Layer]]) -> str:
    """The layer types of a family; types that differ only in the number of dimensions share a section."""
    groups = defaultdict[str, list[type[Layer]]](list)
    for layer in layers:
        groups[pattern(layer)].append(layer)
    head = f"# {family.capitalize()}\n\n<!-- This page is made by docs/generate.py. -->\n"
    return "\n".join([head, *map(layer_section, groups.values())])


def pattern(layer: type[Layer]) -> str:
    """The type with {d} in the place of its number of dimensions."""
    return re.sub(r"\dd$", "{d}d", layer.type)


def layer_section(layers: list[type[Layer]]) -> str:
    """The section of a layer type in all its dimensions: description, names elsewhere, an example, and fields."""
    first = layers[0]
    several = len(layers) > 1
    anchors = "".join(f'<a id="{layer.type}"></a>' for layer in layers) + "\n\n" if several else ""
    own = (
        [f"- `{layer.type}`: {' '.join(documentation(layer))}" for layer in layers] if several else documentation(first)
    )
    bases = [base for base in first.__mro__[1:] if issubclass(base, Layer) and base not in GENERAL]
    parts = [anchors + f"## {', '.join(layer.type for layer in layers)}"]
    parts += ["\n".join(own)] if several else own
    parts += [text for base in bases for text in documentation(base)]
    parts += [inputs_line(first), names_line(layers), example_line(layers[len(layers) // 2]), fields_table(first)]
    return "\n\n".join(filter(None, parts)) + "\n"


def inputs_line(layer: type[Layer]) -> str:
    """The inputs of a layer that has more than one, else an empty text."""
    least, most = layer.input_counts
    if most == 1:
        return ""
    names = ", ".join(f"`{name}`" for name in layer.input_names)
    count = f"{least} or more" if most is None else f"{least}" if least == most else f"{least} to {most}"
    return f"**Inputs:** {count} ({names}{', …' if most is None else ''})."


def names_line(layers: list[type[Layer]]) -> str:
    """What PyTorch and Keras call the layer types."""
    found = NAMES.get(pattern(layers[0]), {})
    kinds = {"PyTorch": found.get("torch"), "Keras": found.get("keras")}
    dimensions = [re.sub(r"\D", "", layer.type[-2:]) for layer in layers]
    shown = {tool: ", ".join(name.replace("{d}", d) for d in dimensions) for tool, name in kinds.items() if name}
    return "<br>".join(f"**{tool}:** {shown.get(tool, 'none')}" for tool in kinds)


def example_line(layer: type[Layer]) -> str:
    """The layer as a line of a spec, with its input and output shapes."""
    example = next(found for found in EXAMPLES if found.layer.type == layer.type)
    fields = {name: getattr(example.layer, name) for name in changed(example.layer)}
    entry = ", ".join(f"{name} = {json.dumps(value)}" for name, value in {"type": layer.type, **fields}.items())
    shapes = " and ".join(size_text(tensor.shape) for tensor in example.inputs)
    return f"**Example:** `{{ {entry} }}` reads {shapes} and gives {size_text(example.output)}."


def changed(layer: Layer) -> list[str]:
    """The names of fields whose value is not the default."""
    return [field.name for field in fields(layer) if field.required or getattr(layer, field.name) != field.default]


def fields_table(layer: type[Layer]) -> str:
    """The fields, with their names elsewhere."""
    if not fields(layer):
        return "It has no fields."
    found = NAMES.get(pattern(layer), {})
    texts, keras, lacking = field_descriptions(layer), found.get("fields", {}), found.get("not_in_torch", [])
    rows = []
    for field in fields(layer):
        torch_name = f"`{field.name}`" if "torch" in found and field.name not in lacking else "–"
        keras_name = re.sub(r"^\w+$", r"`\g<0>`", keras[field.name]) if field.name in keras else "–"
        cells = (texts[field.name], format_annotation(field.type), default(field), torch_name, keras_name)
        rows.append(" | ".join([f"`{field.name}`", *map(cell, cells)]))
    return table("field | meaning | values | default | PyTorch | Keras", rows)


def documentation(layer: type[Layer]) -> list[str]:
    """The paragraphs of a class's own docstring."""
    text = inspect.cleandoc(vars(layer).get("__doc__") or "").replace(" Abstract.", "")
    return [one_line(paragraph) for paragraph in text.split("\n\n") if paragraph]


def default(field: FieldInfo) -> str:
    """A field's default as a spec writes it."""
    if field.required:
        return "required"
    value = field.default
    if value is None:
        return "none"
    return f"`{str(value).lower() if isinstance(value, bool) else json.dumps(value)}`"


def cell(text: str) -> str:
    """The text, escaped for a cell of a table."""
    return text.replace("|", "\\|")


def main() -> None:
    """Write all generated pages and tables."""
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
    for page in sorted(FOLDER.rglob("*.md")):
        page.write_text(with_tables(page.read_text("utf-8"), TABLES), "utf-8")


if __name__ == "__main__":
    main()
