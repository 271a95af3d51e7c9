"""The line of every value, however TOML writes it."""

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.errors import MAX_NESTING
from archcalc.spec.document import shipped_specs
from archcalc.spec.positions import Positions

SPEC = """\
name = "x"  # a comment
inputs.image = [3, 32, 32]

# between
[variables]
width = 1.0
"quoted key" = 2
'literal.key' = 3

[[layers]]
name = "a"
kernel_size = [
  3,
  # inside
  5,
]

[[layers]]
name = "b"

[blocks.stage]
defaults = { kernel = 1, nested = { deep = 2 } }
[[blocks.stage.layers]]
type = "relu"
[[blocks.stage.layers]]
type = "tanh"
[blocks."other.one".defaults]
a.b.c = 1
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("name",), 1),
        (("inputs", "image"), 2),
        (("inputs", "image", 2), 2),
        (("inputs",), 2),
        (("variables",), 5),
        (("variables", "width"), 6),
        (("variables", "quoted key"), 7),
        (("variables", "literal.key"), 8),
        (("layers",), 10),
        (("layers", 0), 10),
        (("layers", 0, "name"), 11),
        (("layers", 0, "kernel_size"), 12),
        (("layers", 0, "kernel_size", 0), 13),
        (("layers", 0, "kernel_size", 1), 15),
        (("layers", 1), 18),
        (("layers", 1, "name"), 19),
        (("blocks",), 21),
        (("blocks", "stage", "defaults", "kernel"), 22),
        (("blocks", "stage", "defaults", "nested", "deep"), 22),
        (("blocks", "stage", "layers"), 23),
        (("blocks", "stage", "layers", 0, "type"), 24),
        (("blocks", "stage", "layers", 1), 25),
        (("blocks", "stage", "layers", 1, "type"), 26),
        (("blocks", "other.one"), 27),
        (("blocks", "other.one", "defaults", "a", "b"), 28),
    ],
)
def test_lines_of_values(path: tuple[str | int, ...], line: int) -> None:
    place = Positions("spec.toml", SPEC).place(path)
    assert place.line == line
    assert place.text == SPEC.split("\n")[line - 1].strip()
    assert str(place) == f"spec.toml:{line}"


@pytest.mark.parametrize(
    ("path", "line"),
    [
        (("layers", 1, "type"), 18),  # a key that is missing: its table
        (("layers", 0, "kernel_size", 0, 7), 13),
        (("layers", 9), 10),
        (("variables", "height"), 5),
    ],
)
def test_a_missing_key_has_the_line_of_its_table(path: tuple[str | int, ...], line: int) -> None:
    assert Positions("", SPEC).place(path).line == line


@pytest.mark.parametrize("path", [(), ("missing",), ("missing", 0, "more")])
def test_the_whole_file_has_no_line(path: tuple[str | int, ...]) -> None:
    place = Positions("spec.toml", SPEC).place(path)
    assert place.line is None
    assert str(place) == "spec.toml"


def test_carriage_returns_and_other_line_ends_of_unicode() -> None:
    text = 'name = "a\u2028b\x85"\r\nlayers = 1\r\n'
    place = Positions("", text).place(("layers",))
    assert (place.line, place.text) == (2, "layers = 1")


def test_strings_of_several_lines() -> None:
    assert Positions("", 'name = """\n[layers]\n"""\nlayers = 1').place(("layers",)).line == 4


def test_a_long_line_is_shortened() -> None:
    assert len(Positions("", f'name = "{"a" * 1000}"').place(("name",)).text) == 200


def test_an_unusual_depth() -> None:
    text = f"{'.'.join('a' * 5000)} = {'[' * 300}{']' * 300}\nb = 1"
    positions = Positions("", text)
    assert positions.place(("b",)).line == 2
    assert positions.place(("a",) * MAX_NESTING).line == 1
    assert positions.place(("a",) * 5000).line == 1
    assert positions.place(("b",) + (0,) * 100).line == 2


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from paths(item, (*path, key))


@pytest.mark.parametrize("name", shipped_specs())
def test_every_value_of_the_shipped_specs_is_found(name: str) -> None:
    text = Path(shipped_specs()[name]).read_text(encoding="utf-8")
    positions = Positions(name, text)
    for path in paths(tomllib.loads(text)):
        place = positions.place(path)
        assert place.line is not None
        if isinstance(path[-1], str):
            assert path[-1] in place.text or "." in place.text or place.text.startswith("[")
    some = [*paths(tomllib.loads(text))][::7]
    assert [*map(Positions(name, text, some).place, some)] == [*map(positions.place, some)]


KEYS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=5)
VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | KEYS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def quoted(key: str) -> str:
    escapes = {"\\": "\\\\", '"': '\\"'}
    return f'"{"".join(escapes.get(letter, letter) for letter in key)}"'


def written(value: Any) -> str:
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{quoted(key)} = {written(item)}' for key, item in value.items())} }}"
    if isinstance(value, list):
        return "[" + "".join(f"\n  {written(item)}," for item in value) + "\n]"
    return quoted(value) if isinstance(value, str) else str(value).lower()


@given(data=st.dictionaries(KEYS, VALUES, max_size=5))
@settings(max_examples=150)
def test_every_key_of_any_document_is_found(data: dict[str, Any]) -> None:
    text = "\n".join(f"{quoted(key)} = {written(value)}" for key, value in data.items())
    assert tomllib.loads(text) == data
    positions = Positions("", text)
    lines = [positions.place((key,)).line for key in data]
    assert lines == sorted(lines, key=lambda line: line or 0)
    for key, line in zip(data, lines, strict=True):
        assert line is not None
        assert text.split("\n")[line - 1].startswith(f"{quoted(key)} = ")
    for path in paths(data):
        assert positions.place(path).line is not None
        assert Positions("", text, [path]).place(path) == positions.place(path)


def test_a_table_in_an_array_of_tables_belongs_to_its_latest() -> None:
    text = "[[a]]\nx = 1\n[[a]]\n[a.b]\ny = 2\n[[a.c]]\nz = 3\n[[a.c]]\nz = 4\n[[a]]\n[[a.c]]\nz = 5\n"
    positions = Positions("", text)
    assert all(Positions("", text, [path]).place(path) == positions.place(path) for path in paths(tomllib.loads(text)))
    found = {path: positions.place(path).line for path in paths(tomllib.loads(text)) if path[-1] in ("y", "z")}
    assert found == {
        ("a", 1, "b", "y"): 5,
        ("a", 1, "c", 0, "z"): 7,
        ("a", 1, "c", 1, "z"): 9,
        ("a", 2, "c", 0, "z"): 12,
    }
