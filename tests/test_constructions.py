"""Classes with many values are made by keyword, since swapped values of one type pass every type check."""

import ast
from collections.abc import Iterator
from pathlib import Path

import archcalc

MOST = 5  # positional values


def long_constructions(source: str) -> Iterator[str]:
    """The calls of a class with more positional values."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or len(node.args) <= MOST:
            continue
        if isinstance(node.func, ast.Name) and node.func.id.lstrip("_")[:1].isupper():
            yield f"{node.lineno}: {node.func.id}"


def test_classes_with_many_values_are_made_by_keyword() -> None:
    files = sorted(Path(archcalc.__file__).parent.rglob("*.py"))
    assert [f"{file}:{found}" for file in files for found in long_constructions(file.read_text())] == []


def test_the_check_can_fail() -> None:
    assert [*long_constructions("Box(1, 2, 3, 4, 5, 6)")] == ["1: Box"]
