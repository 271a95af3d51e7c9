"""The JSON Schema that editors complete specs with."""

import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from archcalc.layers import LAYER_TYPES
from archcalc.spec.document import shipped_specs
from archcalc.spec.json_schema import json_schema
from archcalc.spec.schema import ENTRY_KEYS

SCHEMA = json_schema()
VALIDATOR = Draft202012Validator(SCHEMA)

RIGHT = """
name = "x"
source = "somewhere"
inputs = { image = [3, "size", 32], ids = { shape = [7], dtype = "int64", nonzeros = 3 } }
variables = { size = 32, double = "2 * size", kernels = [1, 7], deep = true }
outputs = ["a"]
layers = [
{ name = "a", type = "conv2d", out_channels = "size", kernel_size = [3, "2 + 1"], padding = [[0, 1], 1], bias = false },
  { type = "max_pool2d", kernel_size = 2, repeat = 3, when = "deep", input = "a", trainable = false },
  { type = "add", inputs = ["a", "a"], weights = "a", repeat = "size", trainable = "deep", when = true },
  { type = "relu", functional = true },
  { type = "block", width = "2 * size", mode = "same", list = [1, 2] },
]
[budget]
max = { parameters = "25.6M", macs = 4200000000, peak_memory = "120MiB" }
min = { receptive_field = 224 }
[blocks.block]
parameters = ["width"]
defaults = { list = [1, 2], mode = "same" }
inputs = ["left", "right"]
layers = [{ type = "dropout", p = 0.5 }]
"""


def errors(text: str) -> list[Any]:
    return [*VALIDATOR.iter_errors(tomllib.loads(text))]


def test_the_schema_is_valid() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("name", shipped_specs())
def test_shipped_specs_validate(name: str) -> None:
    text = Path(shipped_specs()[name]).read_text(encoding="utf-8")
    assert errors(text) == []
    assert text.startswith("#:schema archcalc.schema.json\n")


def test_a_right_spec_validates() -> None:
    assert errors(RIGHT) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('max = { parameters = "25.6M"', 'maximum = { parameters = "25.6M"'),
        ('parameters = "25.6M"', "params = 3"),
        ('parameters = "25.6M"', "parameters = true"),
        ("macs = 4200000000", "macs = -1"),
        ("{ receptive_field = 224 }", "224"),
        ('name = "x"\n', ""),
        ('name = "x"\n', "name = 3\n"),
        ('source = "somewhere"', "sauce = 3"),
        ('outputs = ["a"]', "outputs = []"),
        ('outputs = ["a"]', 'outputs = "a"'),
        ('[3, "size", 32]', "[3, 0, 32]"),
        ('[3, "size", 32]', "[3, 1.5]"),
        ('[3, "size", 32]', "true"),
        ('dtype = "int64"', "dtype = 64"),
        ("nonzeros = 3", "nonzeros = -3"),
        ("nonzeros = 3", "zeros = 3"),
        ('type = "conv2d"', 'tipe = "conv2d"'),
        ('type = "conv2d"', "type = 3"),
        ('out_channels = "size",', ""),
        ('out_channels = "size"', "out_channels = 0"),
        ('out_channels = "size"', "out_channels = 1.5"),
        ('out_channels = "size"', "out_channel = 1"),
        ('kernel_size = [3, "2 + 1"]', "kernel_size = [3, false]"),
        ("padding = [[0, 1], 1]", "padding = [[0, 1, 2], 1]"),
        ("padding = [[0, 1], 1]", "padding = -1"),
        ("bias = false", "bias = 0"),
        ('name = "a"', 'name = "a.b"'),
        ('name = "a"', 'name = ""'),
        ("repeat = 3", "repeat = -3"),
        ("repeat = 3", "repeat = true"),
        ('when = "deep"', "when = 1"),
        ('input = "a"', 'input = ["a"]'),
        ('inputs = ["a", "a"]', "inputs = []"),
        ('weights = "a"', "weights = true"),
        ("trainable = false", "trainable = 1"),
        ("functional = true", "functional = 1"),
        ("list = [1, 2] },", "functional = true },"),
        ("p = 0.5", "p = true"),
        ("p = 0.5", "q = 0.5"),
        ('inputs = ["left", "right"]', "inputs = []"),
        ('parameters = ["width"]', 'parameters = "width"'),
        ('defaults = { list = [1, 2], mode = "same" }', "defaults = 3"),
        ('layers = [{ type = "dropout", p = 0.5 }]', "layers = []"),
        ('layers = [{ type = "dropout", p = 0.5 }]', ""),
    ],
)
def test_wrong_specs_do_not_validate(right: str, wrong: str) -> None:
    assert RIGHT.count(right) == 1
    assert errors(RIGHT.replace(right, wrong))


def test_every_layer_type_and_field_is_in_it() -> None:
    definitions = SCHEMA["$defs"]
    for name, layer in LAYER_TYPES.items():
        definition = definitions[name]
        assert definition["properties"]["type"] == {"const": name}
        assert definition["properties"].keys() == {*layer.__struct_fields__, *ENTRY_KEYS}
        required = {field.name for field in msgspec.structs.fields(layer) if field.required}
        assert {*definition["required"]} == {"type", *required}
        assert definition["additionalProperties"] is False
        assert definition["description"]
    choices = definitions["entry"]["anyOf"]
    assert {choice["$ref"] for choice in choices if "$ref" in choice} == {f"#/$defs/{name}" for name in LAYER_TYPES}


def test_the_schema_describes_the_keys_of_entries() -> None:
    assert "expression" in str(SCHEMA["$defs"]["relu"]["properties"]["repeat"])


def test_every_reference_exists() -> None:
    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            found = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
            return found.union(*map(references, value.values()))
        return set[str]().union(*map(references, value)) if isinstance(value, list) else set()

    assert references(SCHEMA) <= {f"#/$defs/{name}" for name in SCHEMA["$defs"]}


def test_nothing_may_be_null() -> None:
    assert "null" not in str(SCHEMA)
    assert "None" not in str(SCHEMA)
