"""Random and damaged specs load, or raise an ArchcalcError."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import archcalc
from archcalc.layers import LAYER_TYPES
from archcalc.spec.document import shipped_specs
from archcalc.spec.schema import ENTRY_KEYS

quickly = settings(
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
MOST_LAYERS = 40  # largest network that is explained layer by layer

SPECS = [Path(path).read_text("utf-8") for path in shipped_specs().values()]
SMALL = [text for text in SPECS if len(text) < 4000]

FIELDS = sorted({field for layer in LAYER_TYPES.values() for field in layer.__struct_fields__})
NUMBERS = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "1.5",
    "-0.0",
    "1e9",
    "1e300",
    "nan",
    "inf",
    "2147483648",
    str(2**63),
    str(10**40),
]
WORDS = [
    "true",
    "false",
    '"same"',
    '"2 * 3"',
    '"index"',
    '"x"',
    '"1 / 0"',
    '"[1, 2]"',
    '""',
    "[]",
    "{}",
    "[1, 2]",
    "1979-05-27",
]


def check_message(error: archcalc.ArchcalcError) -> None:
    text = str(error)
    assert text.startswith("error: ") or isinstance(error, archcalc.UsageError)
    assert text.replace("\n", "").isprintable()


def survives(text: str, **arguments: Any) -> bool:
    """Whether the spec loads. If it does, every question must have an answer."""
    try:
        network = archcalc.loads(text, **arguments)
    except archcalc.ArchcalcError as error:
        check_message(error)
        return False
    assert network.to_dict()["name"] == network.name
    assert str(network)
    for row in network.layers[:MOST_LAYERS]:
        assert str(network.explain(row.name))
    assert {found.severity for found in network.check_budget()} <= {"failure"}
    return True


# random specs

VALUES = st.one_of(
    st.integers(-2, 9),
    st.sampled_from([2**31, 2**63, 10**40, 1.5, 0.5, True, False, "same", "valid", "2 * 3", "index", "x", "1 / 0", ""]),
    st.lists(st.integers(-1, 5) | st.sampled_from(["x", True]), max_size=3),
    st.lists(st.lists(st.integers(0, 3), max_size=3), max_size=3),
    st.dictionaries(st.sampled_from(["a", "shape"]), st.integers(0, 3), max_size=2),
)
SENSIBLE = st.fixed_dictionaries(
    {"out_channels": st.integers(1, 8), "kernel_size": st.integers(1, 4), "out_features": st.integers(1, 9)},
    optional={"stride": st.integers(1, 3), "padding": st.integers(0, 3), "groups": st.integers(1, 2)},
)
QUANTITY_NAMES = st.sampled_from(["parameters", "macs", "peak_memory", "receptive_field", "layers", "x"])
AMOUNTS = st.sampled_from(["1k", "2.5 MiB", "1e9", "0.5", 10**70]) | VALUES
NAMES = st.sampled_from(["a", "b", "c", "image", "input", "relu", "a.0", "a.relu", "x"])


@st.composite
def entries(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from([*LAYER_TYPES, "block", "other"]))
    layer = LAYER_TYPES.get(kind)
    known = layer.__struct_fields__ if layer else ("width", "depth")
    entry: dict[str, Any] = {"type": kind}
    entry |= {key: value for key, value in draw(SENSIBLE).items() if key in known}
    entry |= draw(st.dictionaries(st.sampled_from([*known, *known, "x"]), VALUES, max_size=2))
    entry |= draw(st.dictionaries(st.sampled_from(ENTRY_KEYS), VALUES, max_size=1)) if draw(st.booleans()) else {}
    if draw(st.booleans()):
        entry["name"] = draw(NAMES)
    if draw(st.integers(0, 3)) == 0:
        entry["inputs"] = draw(st.lists(NAMES, max_size=3))
    if draw(st.integers(0, 3)) == 0:
        entry["weights"] = draw(NAMES)
    if draw(st.integers(0, 5)) == 0:
        entry["repeat"] = draw(st.integers(0, 3) | st.sampled_from(["index + 1", "width", 10**9]))
    return entry


DOCUMENTS = st.fixed_dictionaries(
    {
        "name": st.text(max_size=5) | VALUES,
        "inputs": st.just({"image": [4, 12, 12]})
        | st.dictionaries(NAMES, st.lists(st.integers(0, 12), max_size=5) | VALUES, max_size=2),
        "layers": st.lists(entries(), min_size=1, max_size=5),
    },
    optional={
        "variables": st.dictionaries(st.sampled_from(["x", "width", "index", "y z"]), VALUES, max_size=3),
        "outputs": st.lists(NAMES, max_size=2) | VALUES,
        "source": VALUES,
        "extra": VALUES,
        "budget": st.dictionaries(
            st.sampled_from(["max", "max", "min", "x"]), st.dictionaries(QUANTITY_NAMES, AMOUNTS, max_size=2) | VALUES
        )
        | VALUES,
        "blocks": st.dictionaries(
            st.sampled_from(["block", "relu", "other"]),
            st.fixed_dictionaries(
                {"layers": st.lists(entries(), max_size=3)},
                optional={
                    "parameters": st.lists(st.sampled_from(["width", "depth", "repeat"]), max_size=2),
                    "defaults": st.dictionaries(st.sampled_from(["depth", "width"]), VALUES, max_size=2),
                    "inputs": st.lists(NAMES, max_size=2),
                },
            )
            | VALUES,
            max_size=2,
        ),
    },
)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, str):
        return (
            '"'
            + "".join(f"\\U{ord(letter):08x}" if letter in '"\\' or ord(letter) < 32 else letter for letter in value)
            + '"'
        )
    return str(value).lower()


@given(document=DOCUMENTS, training=st.booleans())
@settings(quickly, max_examples=300)
def test_random_specs(document: dict[str, Any], training: bool) -> None:
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items() if key != "blocks")
    for name, block in document.get("blocks", {}).items():
        text += f"\nblocks.{name} = {toml(block)}"
    survives(text.encode("utf-8", "replace").decode(), training=training)


@given(text=st.text(max_size=80) | st.binary(max_size=80).map(lambda content: content.decode("latin-1")))
@settings(quickly, max_examples=200)
def test_random_text(text: str) -> None:
    survives(text)
    survives(f'name = "x"\ninputs.image = [3]\nlayers = [{{ type = "relu" }}]\n{text}')
    survives(
        f"name = {toml(text.encode('utf-8', 'replace').decode())}\ninputs.image = [3]\nlayers = [{{ type = 'relu' }}]"
    )


TOKENS = ["x", "y", "0", "1", "7", "0.5", "-", "+", "*", "/", "//", "%", "**", "(", ")", "[", "]", ",", " and ", " or "]
MORE_TOKENS = [
    " if ",
    " else ",
    "not ",
    "<",
    "==",
    " in ",
    ".",
    "max(",
    "round(",
    "sqrt(",
    "'same'",
    "1e308",
    "lambda:",
    "{",
    "\\",
]


@given(tokens=st.lists(st.sampled_from([*TOKENS, *TOKENS, *MORE_TOKENS]), max_size=8), index=st.integers(-9, 9))
@settings(quickly, max_examples=400)
def test_random_expressions(tokens: list[str], index: int) -> None:
    expression = "".join(tokens)
    for text in (expression, f"max({expression}, 1)", f"y[{index}] + ({expression})", f"2 if {expression} else 3"):
        survives(
            f"name = 'x'\ninputs.image = [3, 4, 4]\n[variables]\nx = 3\ny = [1, 2]\nz = {toml(text)}\n"
            f"[[layers]]\ntype = 'conv2d'\nout_channels = {toml(text)}\nkernel_size = 'z'\nrepeat = 'z'"
        )


# damaged specs

TOKEN = re.compile(r'"[^"\n]*"|[\w.]+|\s+|.')


def damaged(text: str, chance: random.Random) -> str:
    """The text with random changes of tokens, lines or letters."""
    for _ in range(chance.choice([1, 1, 1, 2, 5])):
        text = chance.choice(DAMAGES)(text, chance)
    return text


def _at(text: str, pattern: "re.Pattern[str]", chance: random.Random) -> "re.Match[str] | None":
    found = [*pattern.finditer(text)]
    return chance.choice(found) if found else None


def replace_number(text: str, chance: random.Random) -> str:
    found = _at(text, re.compile(r"(?<![\w.])\d+(?![\w.])"), chance)
    return text[: found.start()] + chance.choice(NUMBERS) + text[found.end() :] if found else text


def replace_value(text: str, chance: random.Random) -> str:
    found = _at(text, re.compile(r'(?<== )("[^"\n]*"|\d+)'), chance)
    return text[: found.start()] + chance.choice(NUMBERS + WORDS) + text[found.end() :] if found else text


def replace_key(text: str, chance: random.Random) -> str:
    found = _at(text, re.compile(r"\w+(?= = )"), chance)
    key = chance.choice([*FIELDS, *ENTRY_KEYS])
    return text[: found.start()] + key + text[found.end() :] if found else text


def replace_word(text: str, chance: random.Random) -> str:
    found, other = _at(text, re.compile(r'"[^"\n]*"'), chance), _at(text, re.compile(r'"[^"\n]*"'), chance)
    return text[: found.start()] + other[0] + text[found.end() :] if found and other else text


def replace_type(text: str, chance: random.Random) -> str:
    found = _at(text, re.compile(r'(?<=type = ")\w+'), chance)
    return text[: found.start()] + chance.choice([*LAYER_TYPES]) + text[found.end() :] if found else text


def delete_token(text: str, chance: random.Random) -> str:
    found = _at(text, TOKEN, chance)
    return text[: found.start()] + text[found.end() :] if found else text


def double_token(text: str, chance: random.Random) -> str:
    found = _at(text, TOKEN, chance)
    return text[: found.end()] + found[0] + text[found.end() :] if found else text


def delete_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    del lines[chance.randrange(len(lines))]
    return "\n".join(lines) or text


def double_line(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    lines.insert(chance.randrange(len(lines)), chance.choice(lines))
    return "\n".join(lines)


def shuffle_lines(text: str, chance: random.Random) -> str:
    lines = text.split("\n")
    start = chance.randrange(len(lines))
    part = lines[start : start + 8]
    chance.shuffle(part)
    return "\n".join([*lines[:start], *part, *lines[start + 8 :]])


def flip_letter(text: str, chance: random.Random) -> str:
    place = chance.randrange(len(text)) if text else 0
    return text[:place] + chr(chance.choice([*range(128), 0x9B, 0x202E, 0x1F98A])) + text[place + 1 :]


def cut(text: str, chance: random.Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


DAMAGES = [
    *[replace_number, replace_value, replace_key, replace_word, replace_type] * 4,
    *[delete_token, double_token, delete_line, double_line, shuffle_lines] * 2,
    flip_letter,
    cut,
]


@pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in (1, 2, 3))])
def test_damaged_specs(start: int) -> None:
    chance = random.Random(start)
    survivors = sum(survives(damaged(chance.choice(SMALL), chance), training=chance.random() < 0.5) for _ in range(500))
    # Enough of them still load for the test to mean something.
    assert survivors > 50


def test_damaged_bytes(tmp_path: Path) -> None:
    chance = random.Random(0)
    file = tmp_path / "spec.toml"
    for _ in range(100):
        content = bytearray(chance.choice(SMALL).encode())
        for _ in range(chance.choice([1, 3, 30])):
            content[chance.randrange(len(content))] = chance.randrange(256)
        file.write_bytes(content)
        try:
            str(archcalc.load(file))
        except archcalc.ArchcalcError as error:
            check_message(error)


@given(arguments=st.fixed_dictionaries({}, optional={"C": VALUES, "width": VALUES, "training": VALUES}), shape=VALUES)
@settings(quickly, max_examples=100)
def test_random_settings_and_inputs(arguments: dict[str, Any], shape: Any) -> None:
    survives(Path(shipped_specs()["stacked_3x3"]).read_text("utf-8"), variables=arguments)
    sizes = shape if isinstance(shape, list) else [shape]
    survives(Path(shipped_specs()["stacked_3x3"]).read_text("utf-8"), inputs={"image": sizes})
