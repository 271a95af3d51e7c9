"""Random commands by number: mutated, random and hostile files, valid and invalid options."""

import random
import re
from base64 import b64decode
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from fuzz_arguments import STRANGE, arguments_of, command_name, facts_of
from networks import network_of

import archcalc
from archcalc.layers import LAYER_TYPES

SHIPPED = {name: Path(path).read_text("utf-8") for name, path in archcalc.shipped_specs().items()}
SMALL = [name for name, text in SHIPPED.items() if len(text) < 2500]
VALUES = (
    *"0 1 -1 2 3 7 255 256 99999 10000000000 0.5 1e308 -0.0 nan inf true false [] [1] {} 1979-05-27 0x7f".split(),  # noqa: SIM905
    *'"" "same" "valid" "width" "training" "index" "input" "relu" "gelu" "1/0" "2**9" "max(3,4)"'.split(),  # noqa: SIM905
    *("[2, 2]", "[1, 2, 3]", '["a", "b"]', "[[1, 1], [2, 2]]", "9" * 30),
)
DEVICE = """name = "A device"
bytes_per_second = 3.35e12
memory_bytes = 80e9
source = "its datasheet"
[operations_per_second]
float32 = 67e12
float16 = 989.5e12
"""
BENCH = """{"rows": [{"network": "A", "batch": 8, "dtype": "float32", "status": "measured",
"seconds": {"median": 0.0123, "ci_low": 0.012, "ci_high": 0.0125}},
{"network": "B", "batch": 8, "dtype": "float32", "status": "out of memory", "seconds": null}]}"""
IMAGE = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEUlEQVR4nGP4z8AARAxg8j8AG/ID/fPnS7EAAAAASUVORK5CYII="
)


facts, random_network = lru_cache(100)(facts_of), lru_cache(2)(network_of)
RUN = ("verify", "bench", "export")  # commands that may run the network
TINY = "conv_2x2_on_3x3 dense_3x3 dense_mnist lenet5 lenet5_1998 mnist_cnn gcn_classifier".split()  # noqa: SIM905


class Case(NamedTuple):
    """A command, and the files that it can read; the first is the spec."""

    arguments: list[str]
    files: dict[str, bytes]

    @property
    def text(self) -> str:
        return self.files["net.toml"].decode("utf-8", "replace")


def case(number: int) -> Case:
    """The command of a number; it depends only on the number and the shipped specs."""
    rng = random.Random(number)
    name = command_name(rng)
    base, mutations = _base(rng, number, name in RUN)
    text = _mutated(rng, base, mutations)
    arguments = arguments_of(rng, name, facts(base))
    others = {"device.toml": DEVICE, "bench.json": BENCH}
    texts = {"net.toml": text} | {
        name: _mutated(rng, other, rng.choice((0, 0, 1, 2))) for name, other in others.items()
    }
    files = {name: content.encode("utf-8", "surrogateescape") for name, content in texts.items()}
    return Case(arguments, {**files, "image.png": _damaged(rng, IMAGE)})


def _base(rng: random.Random, number: int, tiny: bool) -> tuple[str, int]:
    """A valid spec, and how often to mutate it."""
    if rng.random() < 0.4 and (drawn := random_network(number // 20)):
        return drawn.text, rng.choice((0, 0, 0, 1, 2))
    known = rng.choice((TINY, TINY, SMALL))
    return SHIPPED[rng.choice(TINY if tiny else known)], rng.choice((0, 0, 0, 1, 1, 2, 4))


def _mutated(rng: random.Random, text: str, mutations: int) -> str:
    for _ in range(mutations):
        text = rng.choice(MUTATIONS)(rng, text)
    return text


def _damaged(rng: random.Random, content: bytes) -> bytes:
    damaged = bytearray(content)
    for _ in range(rng.choice((0, 0, 1, 5))):
        damaged[rng.randrange(len(damaged))] = rng.randrange(256)
    return bytes(damaged)


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
    lambda rng, text: rng.choice((_without_line, _line_again, _cut, _other_letter))(rng, text),
    _replaced(r"\b\d+\b", lambda rng, _: rng.choice(VALUES)),
    _replaced(r"\b\d+\b", lambda rng, _: str(rng.randrange(12))),
    _replaced(r'"[^"\n]*"', _strange),
    _replaced(r'"[^"\n]*"', lambda rng, _: rng.choice(VALUES)),
    _replaced(r'(?<=type = )"\w+"', lambda rng, _: f'"{rng.choice([*LAYER_TYPES, "nothing"])}"'),
    _replaced(r"\b\w+ =", _key),
    _replaced(r"(?m)^inputs\.\w+|(?<=\[inputs\]\n)\w+", lambda rng, _: f'inputs."{rng.choice(STRANGE)}"'),
)
