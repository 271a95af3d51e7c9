"""Commands that nobody would write, by number: mutated, random and hostile specs, all options, right and wrong."""

import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from networks import network_of

import archcalc
from archcalc.cli import COMMANDS
from archcalc.devices import shipped_devices

SHIPPED = {name: Path(path).read_text("utf-8") for name, path in archcalc.shipped_specs().items()}
SMALL = [name for name, text in SHIPPED.items() if len(text) < 2500]
# Letters that a terminal, a page, a spreadsheet, a path or a parser takes for more than letters.
STRANGE = (
    "\\u001b[2J",
    "\\u009b31m",
    "\\u007f",
    "\\n",
    "\\t",
    "\\u202e",
    "\\u200b",
    "\\ue000",
    "=1+1",
    "+x",
    "-x",
    "@x",
    "<b>",
    "&amp;",
    "'",
    '\\"',
    "]]>",
    "{{ 7 * 7 }}",
    "$x$",
    "%s",
    "{0}",
    "\\\\",
    "/",
    "..",
    "|",
    "`",
    "#",
    ":",
    ",",
    ";",
    "a" * 200,
    "層",
    "🦊",
    "é",
    "\\u0301" * 9,
    "__init__",
    "class",
    "None",
    "training",
    "index",
    "input",
    "0",
    "-1",
)
VALUES = (
    "0",
    "1",
    "-1",
    "2",
    "3",
    "7",
    "255",
    "256",
    "99999",
    "10000000000",
    "0.5",
    "1e308",
    "-0.0",
    "nan",
    "inf",
    "true",
    "false",
    '""',
    '"same"',
    '"valid"',
    "[]",
    "[1]",
    "[2, 2]",
    "[1, 2, 3]",
    "{}",
    '"width"',
    '"training"',
    '"index"',
    '"1 / 0"',
    '"2 ** 9"',
    '"max(3, 4)"',
    "1979-05-27",
    "0x7f",
    '"input"',
    '["a", "b"]',
    "[[1, 1], [2, 2]]",
    '"relu"',
    '"gelu"',
    "9" * 30,
)
PARTS = {
    "summary": ["--batch 3", "--depth 1", "--counting fvcore", "--columns name,type,fields,macs", "--format F"],
    "explain": [],
    "reconcile": ["--target 1.2G", "--batch 2", "--format F"],
    "formula": ["--symbols width", "--layers", "--batch N", "--format F"],
    "memory": ["--batch 2", "--dtype float16", "--optimizer adam", "--fits 1GiB", "--depth 1", "--format F"],
    "diagram": [
        "--depth 1",
        "--depth all",
        "--show parameters",
        "--heat macs",
        "--direction LR",
        "--style paper",
        "--volumes",
        "--every-copy",
        "--to dot",
        "--to svg",
        "-o O.svg",
        "-o O.dot",
        "-o O.pdf",
    ],
    "report": ["-o O.html", "--batch 2", "--bench B"],
    "watch": [],
    "export": ["--to source", "-o O.py"],
    "compare": ["--depth 1", "--differences", "--batch 2", "--format F", "--counting ptflops"],
    "check": [
        "--select W",
        "--ignore P201",
        "--strict",
        "--max parameters=1M",
        "--min macs=1G",
        "--format F",
        "--batch 2",
    ],
    "range": ["--format F"],
    "verify": ["--device meta", "--fields none", "--no-memory", "--differences", "--format F"],
    "receptive-field": ["--layer L", "--unit 0,0", "--unit 3", "--depth 1", "--style dark", "--format F", "-o O.svg"],
    "bench": ["--batch 0", "--dtype S"],
    "roofline": ["--device D", "--dtype float16", "--batch 2", "--depth 1", "--format F", "--list-devices", "-o O.svg"],
    "layers": [],
    "specs": ["--paths"],
    "schema": [],
}
# What would serve a page, or measure, until somebody ends it.
ENDS = {"watch": ("--port", "99999"), "bench": ("--device", "nowhere")}
FORMATS = ("table", "plain", "markdown", "latex", "html", "csv", "json", "text", "github")
SLOW = {"verify": 40, "bench": 40, "report": 6, "diagram": 2}  # one in so many of a command's turns is run
COMMON = (
    "--training",
    "--set width=2",
    "--set S",
    "--input image=3x32x32",
    "--input I",
    "--help",
    "--bogus",
    "--batch 10",
)


class Case(NamedTuple):
    """A command, and the spec that it reads as `net.toml`."""

    arguments: list[str]
    text: str


def case(number: int) -> Case:
    """The command of a number; the same for the same number and the same shipped specs."""
    rng = random.Random(number)
    text = _text(rng, number)
    turns = [name for name in COMMANDS if rng.randrange(SLOW.get(name, 1)) == 0]
    command = rng.choice(turns)
    arguments = [command, *_subject(rng, command), *ENDS.get(command, ())]
    for option in rng.sample(PARTS[command], min(len(PARTS[command]), rng.choice((0, 1, 1, 2, 3)))):
        arguments += option.split()
    if rng.random() < 0.25:
        arguments += rng.choice(COMMON).split()
    return Case([_filled(rng, part) for part in arguments], text)


def _subject(rng: random.Random, command: str) -> list[str]:
    if command in ("layers", "schema"):
        return [rng.choice(("conv2d", "nothing", "S"))] * (rng.random() < 0.3)
    spec = rng.choice(("net.toml",) * 12 + ("lenet5", "S", "", ".", "/dev/null", "net.toml:width=2"))
    others = [rng.choice(("lenet5", "mnist_cnn", "net.toml", "net.toml:S=1"))] if command == "compare" else []
    named = [rng.choice(("conv", "relu", "S", "C1"))] if command == "explain" and rng.random() < 0.3 else []
    return [spec, *others, *named]


def _filled(rng: random.Random, part: str) -> str:
    """An argument with its letters for what is chosen."""
    if part == "F":
        return rng.choice(FORMATS)
    if part == "D":
        return rng.choice((*shipped_devices(), "nothing", "net.toml", "S"))
    if part in ("L", "S", "I", "B", "S=1") or "S" in part.rsplit(":", maxsplit=1)[-1][:1]:
        strange = rng.choice(STRANGE).encode().decode("unicode_escape", "ignore").replace("\0", "")
        return f"{strange}={rng.randrange(9)}" if part in ("S=1", "I") else part.replace("S", strange)
    return part.replace("O.", f"out{rng.randrange(2)}.")


def _text(rng: random.Random, number: int) -> str:
    kind = rng.randrange(10)
    if kind < 3 and (drawn := network_of(number)):
        text = drawn.text
        mutations = rng.choice((0, 0, 1, 2))
    else:
        name = rng.choice(SMALL if kind < 8 else [*SHIPPED])
        text, mutations = SHIPPED[name], rng.choice((1, 1, 2, 3, 6))
    for _ in range(mutations):
        text = rng.choice(MUTATIONS)(rng, text)
    return text


# mutations of a text


def _without_line(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    del lines[rng.randrange(len(lines))]
    return "\n".join(lines)


def _line_again(rng: random.Random, text: str) -> str:
    lines = text.split("\n")
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return "\n".join(lines)


def _cut(rng: random.Random, text: str) -> str:
    return text[: rng.randrange(len(text) + 1)]


def _other_letter(rng: random.Random, text: str) -> str:
    place = rng.randrange(len(text) + 1)
    return text[:place] + rng.choice("[]{}=\"'.,\n#x0 \x00\x1b\u202e") + text[place + rng.randrange(2) :]


def _replaced(pattern: str, choose: Callable[[random.Random, str], str]) -> Callable[[random.Random, str], str]:
    def mutate(rng: random.Random, text: str) -> str:
        found = [*re.finditer(pattern, text)]
        if not found:
            return text
        match = rng.choice(found)
        return text[: match.start()] + choose(rng, match[0]) + text[match.end() :]

    return mutate


def _strange(rng: random.Random, word: str) -> str:
    strange = rng.choice(STRANGE)
    return f'"{strange}"' if rng.random() < 0.5 else f'"{word.strip(chr(34))}{strange}"'


def _key(rng: random.Random, found: str) -> str:
    strange = _strange(rng, found.removesuffix("=").strip())
    return f"{rng.choice((strange, 'unknown', 'type', 'name', 'repeat', 'when'))} ="


MUTATIONS = (
    _without_line,
    _line_again,
    _cut,
    _other_letter,
    _replaced(r"\b\d+\b", lambda rng, _: rng.choice(VALUES)),
    _replaced(r"\b\d+\b", lambda rng, _: str(rng.randrange(12))),
    _replaced(r'"[^"\n]*"', _strange),
    _replaced(r'"[^"\n]*"', lambda rng, _: rng.choice(VALUES)),
    _replaced(r'(?<=type = )"\w+"', lambda rng, _: f'"{rng.choice(TYPES)}"'),
    _replaced(r"\b\w+ =", _key),
    _replaced(r"(?m)^inputs\.\w+|(?<=\[inputs\]\n)\w+", lambda rng, _: f'inputs."{rng.choice(STRANGE)}"'),
)


def _types() -> list[str]:
    from archcalc.layers import LAYER_TYPES

    return [*LAYER_TYPES, "nothing"]


TYPES = _types()
