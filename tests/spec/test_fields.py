"""Wrong values of every field of layer types, inputs and entries.

Whether a value is wrong is decided by msgspec, by the field's annotation alone. The error must then name the field, the
value and what is expected, and who follows its help must not meet another error of the same field.
"""

import re
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from examples import EXAMPLES

import archcalc
from archcalc.errors import Diagnostic
from archcalc.layers import LAYER_TYPES
from archcalc.network import ShapeError
from archcalc.spec.schema import Entry, InputTable
from archcalc.spec.wanted import alternatives, format_annotation, plain

WORD = "zzqx"  # neither a word of a field nor a variable
VALUES: list[Any] = [
    WORD,
    "bicubic",
    "yes",
    "3x3",
    "",
    "2 *",
    "1.5 + 1",
    True,
    0,
    -1,
    1.5,
    [],
    [WORD],
    [0, 1],
    {"a": 1},
]
EXAMPLE = {example.layer.type: example for example in reversed(EXAMPLES)}


def toml(value: Any) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml(item)}' for key, item in value.items())} }}"
    return str(value)


def fields_of(layer_type: str) -> dict[str, Any]:
    layer = EXAMPLE[layer_type].layer
    return {key: value for key, value in layer.changed(*layer.__struct_fields__).items() if value is not None}


def words_of(annotation: Any) -> list[str]:
    return [word for part in alternatives(annotation) if get_origin(part) is Literal for word in get_args(part)]


def is_wrong(value: Any, annotation: Any) -> bool:
    """A text is an expression, unless it is a word of the field; only one of these has a value that fits."""
    if isinstance(value, str) and value not in words_of(annotation):
        value = 2.5 if value == "1.5 + 1" and not set(alternatives(annotation)) <= {str} else object()
    if isinstance(value, list) and WORD in value:
        return True
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return True
    return False


def errors(text: str) -> list[Diagnostic]:
    try:
        archcalc.loads(text)
    except ShapeError:
        return []
    except archcalc.SpecError as error:
        return [*error.diagnostics]
    return []


def layer_spec(layer_type: str, fields: dict[str, Any], variables: str = "") -> str:
    example = EXAMPLE[layer_type]
    inputs = [f'i{n} = {{ shape = {toml(t.shape)}, dtype = "{t.dtype}" }}' for n, t in enumerate(example.inputs)]
    entry = {"type": layer_type, **fields, "inputs": [f"i{n}" for n in range(len(inputs))]}
    lines = ['name = "x"', f"layers = [\n{toml(entry)},\n]", "[inputs]", *inputs, "[variables]", variables]
    return "\n".join(lines)


def followed(field: str, annotation: Any, value: Any, remedy: str) -> Iterator[tuple[Any, str]]:
    """The spec after following a remedy: another value of the field, or a new variable."""
    if found := re.match(r'did you mean "(\w+)"\?', remedy):
        yield found[1], ""
    if remedy.startswith("use "):
        yield from ((word, "") for word in re.findall(r'"(\w+)"', remedy))
    if found := re.fullmatch(rf"write (?:a number: |a list: )?{field} = (.+?)(?:, or {field} = .*)?", remedy):
        yield msgspec.toml.decode(f"x = {found[1]}")["x"], ""
    if found := re.search(r"add (\w+) = … to \[variables\]", remedy):
        right = True if bool in alternatives(annotation) else example_of(annotation)
        right = right[0] if isinstance(value, list) and isinstance(right, list) else right
        yield found[1], f"{found[1]} = {toml(right)}"
    if remedy.startswith("write ") and format_annotation(annotation) in remedy:
        yield from ((word, "") for word in words_of(annotation))
    if remedy.startswith("round it: "):
        yield remedy.split(" = ")[1].strip('"'), ""
    if "expressions are arithmetic" in remedy and NUMBERS & set(map(plain, alternatives(annotation))):
        yield "1 == 1" if bool in alternatives(annotation) else "2 - 1", ""
    elif "expressions are arithmetic" in remedy:
        yield example_of(annotation), ""


def example_of(annotation: Any) -> Any:
    """A right number, or a list of one."""
    part = next(part for part in alternatives(annotation) if get_origin(part) is not Literal)
    kind = plain(part)
    return [example_of(get_args(kind)[0])] if get_origin(kind) in (list, tuple) else 1


NUMBERS = {int, float, bool}
CASES = [
    (layer_type, field.name, field.type, value)
    for layer_type, layer in LAYER_TYPES.items()
    for field in msgspec.structs.fields(layer)
    for value in VALUES
    if is_wrong(value, field.type)
]


@pytest.mark.parametrize("layer_type", LAYER_TYPES)
def test_wrong_values_of_every_field(layer_type: str) -> None:
    for _, field, annotation, value in (case for case in CASES if case[0] == layer_type):
        fields = fields_of(layer_type)
        found = errors(layer_spec(layer_type, {**fields, field: value}))
        assert len(found) == 1, (field, value, found)
        check(found[0], field, annotation, value)
        remedies = [*followed(field, annotation, value, found[0].help or "")]
        assert remedies, (field, value, found[0])
        for better, variables in remedies:
            changed = [better] if isinstance(value, list) and variables else better
            again = errors(layer_spec(layer_type, {**fields, field: changed}, variables))
            assert not again, (field, value, found[0].help, again)


def check(found: Diagnostic, field: str, annotation: Any, value: Any) -> None:
    """The error names the field, its value, and what is expected."""
    assert found.message.startswith(f"{field} = "), found
    assert found.place.line == 3
    if isinstance(value, int | float | str) and value != "":
        assert toml(value) in found.message, found
    words = words_of(annotation)
    if isinstance(value, str) and value in (WORD, "bicubic"):
        assert ("no variable is called" in found.message) == (not words), found
    if "expected " in found.message:
        assert format_annotation(annotation) in found.message, found
    if words and value in (WORD, "bicubic"):
        assert all(f'"{word}"' in found.message for word in words), found


def test_the_words_of_every_enumeration_are_listed() -> None:
    enumerations = {
        (layer_type, field.name): words_of(field.type)
        for layer_type, layer in LAYER_TYPES.items()
        for field in msgspec.structs.fields(layer)
        if words_of(field.type)
    }
    assert ("upsample", "mode") in enumerations
    for (layer_type, field), words in enumerations.items():
        (found,) = errors(layer_spec(layer_type, {**fields_of(layer_type), field: "bicubic"}))
        assert all(f'"{word}"' in found.message for word in words)


def test_a_word_is_not_taken_for_a_variable() -> None:
    (found,) = errors(
        'name = "x"\ninputs.q = [3, 8, 8]\nlayers = [{ type = "upsample", scale_factor = 2, mode = "bicubic" }]'
    )
    assert found.message == 'mode = "bicubic": expected "nearest", "linear", "bilinear" or "trilinear"'
    assert found.help == 'use "nearest" or "linear" or "bilinear" or "trilinear"'


@pytest.mark.parametrize(
    ("dtype", "remedy"),
    [
        ("float", 'did you mean "float32"?'),
        ("torch.float16", 'did you mean "float16"?'),
        ("half", 'did you mean "float16"?'),
        ("long", 'did you mean "int64"?'),
        ("INT32", 'did you mean "int32"?'),
        ("complex64", 'use "float32" or "float64" or "float16" or "bfloat16" or "int64" or "int32"'),
    ],
)
def test_a_wrong_dtype(dtype: str, remedy: str) -> None:
    (found,) = errors(f'name = "x"\ninputs.q = {{ shape = [3], dtype = "{dtype}" }}\nlayers = [{{ type = "relu" }}]')
    assert found.message.startswith(f'dtype = "{dtype}": expected "float32", "float64"')
    assert found.help == remedy


@pytest.mark.parametrize("struct", [Entry, InputTable])
def test_wrong_values_of_entries_and_inputs(struct: type[msgspec.Struct]) -> None:
    for field in msgspec.structs.fields(struct):
        for value in (3.5, True, 3, [3], {"a": 1}):
            if not is_wrong(value, field.type):
                continue
            written = f"{field.name} = {toml(value)}"
            entry, table = ('type = "relu"', written) if struct is InputTable else (written, "")
            entry += ', type = "relu"' * (struct is Entry and field.name != "type")
            table += ", shape = [3]" * (field.name != "shape")
            text = f'name = "x"\ninputs.q = {{ {table.strip(", ")} }}\nlayers = [{{ {entry} }}]'
            found = errors(text)
            assert len(found) == 1, (written, found)
            assert found[0].message.startswith(f"{field.name} = "), found
            assert found[0].place.line == (2 if struct is InputTable else 3)
