"""Descriptions of the fields of layer types, and their names in PyTorch and Keras."""

import inspect
import re
from typing import Any

import pytest
import torch
from documents import load_generator

from archcalc.layers import LAYER_TYPES
from archcalc.layers.descriptions import field_descriptions
from archcalc.spec.json_schema import json_schema

GENERATOR = load_generator()
NAMES: dict[str, Any] = GENERATOR.NAMES
PATTERNS = {GENERATOR.pattern(layer): layer for layer in LAYER_TYPES.values()}


@pytest.mark.parametrize("name", LAYER_TYPES)
def test_every_field_has_a_description(name: str) -> None:
    found = field_descriptions(LAYER_TYPES[name])
    assert [*found] == [*LAYER_TYPES[name].__struct_fields__]
    assert all(re.fullmatch(r"[A-Z\"].*\S\.", text) for text in found.values())


def test_the_schema_has_the_descriptions() -> None:
    definitions = json_schema()["$defs"]
    for name, layer in LAYER_TYPES.items():
        for field, text in field_descriptions(layer).items():
            assert definitions[name]["properties"][field]["description"] == text


@pytest.mark.parametrize("name", NAMES)
def test_names_elsewhere_are_of_types_and_fields_that_exist(name: str) -> None:
    named = {*NAMES[name].get("fields", ()), *NAMES[name].get("not_in_torch", ())}
    assert named <= {*PATTERNS[name].__struct_fields__}


@pytest.mark.parametrize("name", [name for name in NAMES if NAMES[name].get("torch", "").startswith("nn.")])
def test_pytorch_has_the_classes_with_these_arguments(name: str) -> None:
    fields = {*PATTERNS[name].__struct_fields__} - {*NAMES[name].get("not_in_torch", ())}
    for path in NAMES[name]["torch"].replace("{d}", "2").split(", "):
        found = getattr(torch.nn, path.removeprefix("nn."))
        assert fields <= {*inspect.signature(found).parameters}, path


def test_pytorch_has_the_functions() -> None:
    functions = [NAMES[name]["torch"] for name in NAMES if NAMES[name]["torch"].startswith("torch.")]
    assert functions
    assert all(callable(getattr(torch, path.removeprefix("torch."))) for path in functions)
