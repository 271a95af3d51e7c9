"""Values of the same type that are swapped pass every type check: a class with many values is made by keyword."""

import ast
from collections.abc import Iterator
from pathlib import Path

import archcalc

MOST = 5  # values by position


def long_constructions(source: str) -> Iterator[str]:
    """The calls of a class with more values by position than that."""
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
