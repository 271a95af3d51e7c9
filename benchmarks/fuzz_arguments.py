"""Random command lines from the declared options of the commands: mostly valid, some strange."""

import random
import string
import tomllib
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.lint import RULES
from archcalc.analysis.summary_document import DEFAULT_COLUMNS
from archcalc.cli import COMMANDS, cli
from archcalc.devices import shipped_devices
from archcalc.diagram.quantities import LINES
from archcalc.layers import LAYER_TYPES
from archcalc.quantities import QUANTITIES

# Texts with a special meaning in a terminal, page, spreadsheet, path or parser, as TOML writes them.
STRANGE = (
    *r"\u001b[2J \u009b31m \u007f \n \t \u202e \u200b \ue000 \" \\".split(),  # noqa: SIM905
    *"=1+1 +x -x @x <b> &amp; ' ]]> {{7*7}} $x$ %s {0} / .. | ` # : , ;".split(),  # noqa: SIM905
    *("a" * 200, "層", "🦊", "é", r"\u0301" * 9, "a b"),
    *"__init__ class None training index input 0 -1".split(),  # noqa: SIM905
)
RIGHT = 0.95  # share of valid arguments
# How often a command is drawn, relative to 1. Some take a second, some always print the same, and two never end.
OFTEN = {"verify": 0.05, "bench": 0.05, "report": 0.03, "diagram": 0.5, "watch": 0.1}
OFTEN |= {"roofline": 0.4, "schema": 0.03, "layers": 0.2, "specs": 0.2}
# Arguments that end commands which would run until they are interrupted.
ENDS = {"watch": ("--port", "99999"), "bench": ("--seconds", "0.001")}
ENDINGS = {
    "report": ("html",),
    "export": ("py",) * 40 + ("onnx",),
    "bench": ("json", "csv"),
    "diagram": ("svg", "dot", "pdf"),
}
SIZES = ("1", "2", "3", "8", "32", "33", "224")


class Facts(NamedTuple):
    """Names of a valid spec that arguments can use: variables, input shapes, layers."""

    variables: dict[str, Any]
    inputs: dict[str, list[int]]
    layers: tuple[str, ...]


def facts_of(text: str) -> Facts:
    data = tomllib.loads(text)
    shapes = {name: value if isinstance(value, list) else value["shape"] for name, value in data["inputs"].items()}
    layers = tuple(entry.get("name", entry["type"]) for entry in data["layers"])
    return Facts(data.get("variables", {}), shapes, layers)


def command_name(rng: random.Random) -> str:
    return rng.choices([*COMMANDS], [OFTEN.get(name, 1) for name in COMMANDS])[0]


def arguments_of(rng: random.Random, name: str, facts: Facts) -> list[str]:
    """A command with its arguments."""
    command = cli.get_command(click.Context(cli), name)
    assert command
    chosen = [name]
    options = [option for option in command.params if isinstance(option, click.Option)]
    some = rng.sample(options, min(len(options), rng.choice((0, 1, 1, 2, 3))))
    needed = [option for option in options if _is_needed(name, option) and rng.random() < RIGHT]
    for option in dict.fromkeys([*needed, *some]):
        chosen += _given(rng, name, option, facts)
    for argument in command.params:
        if isinstance(argument, click.Argument):
            chosen += _positional(rng, name, argument, facts)
    if rng.random() < 0.02:
        chosen.insert(rng.randrange(1, len(chosen) + 1), rng.choice(("--help", "--bogus", strange(rng))))
    return [part.replace("\0", "") for part in (*chosen, *ENDS.get(name, ()))]


def strange(rng: random.Random) -> str:
    return rng.choice(STRANGE).encode().decode("unicode_escape", "ignore")


def _is_needed(name: str, option: click.Option) -> bool:
    """Whether the command is mostly an error without the option."""
    needed = {"report": "--output", "export": "--output", "roofline": "--device", "formula": "--input"}
    return needed.get(name) in option.opts


def _given(rng: random.Random, name: str, option: click.Option, facts: Facts) -> list[str]:
    if option.is_flag:
        return [rng.choice([*option.opts, *option.secondary_opts])]
    if option.opts[-1] in ("--set", "--symbol") and not facts.variables:
        return []
    word = rng.choice(option.opts)
    return [word, _value(rng, name, option, facts) if rng.random() < RIGHT else rng.choice((strange(rng), "-1", ""))]


def _value(rng: random.Random, name: str, option: click.Option, facts: Facts) -> str:
    draw = VALUES.get(f"{name} {option.opts[-1]}") or VALUES.get(option.opts[-1])
    if draw:
        return str(draw(rng, facts))
    if isinstance(option.type, click.Choice):
        return str(rng.choice(option.type.choices))
    if option.opts[-1] == "--output":
        return f"out{rng.randrange(2)}.{rng.choice(ENDINGS.get(name, ('svg',)))}"
    return rng.choice(("1", "2", "3", "10"))


def _positional(rng: random.Random, name: str, argument: click.Argument, facts: Facts) -> list[str]:
    if argument.name not in ("spec", "specs"):
        known = [*LAYER_TYPES] if name == "layers" else facts.layers
        return [rng.choice((rng.choice(known), rng.choice(known), strange(rng)))] * (rng.random() < 0.3)
    count = 2 if name == "compare" else 1
    if argument.nargs == -1 and rng.random() < 0.2:
        count += 1
    return [_spec(rng, name, facts) for _ in range(count)]


def _spec(rng: random.Random, name: str, facts: Facts) -> str:
    if rng.random() > RIGHT:
        return rng.choice((strange(rng), "", ".", "/dev/null", "image.png", "device.toml", "-"))
    if name in ("compare", "report") and facts.variables and rng.random() < 0.3:
        return f"net.toml:{_setting(rng, facts)}"
    return rng.choice(("net.toml",) * 12 + ("lenet5",))


def _setting(rng: random.Random, facts: Facts) -> str:
    name = rng.choice([*facts.variables])
    values = ("true", "false") if isinstance(facts.variables[name], bool) else SIZES
    return f"{name}={rng.choice(values)}"


def _shape(rng: random.Random, facts: Facts, sizes: tuple[str, ...] = SIZES) -> str:
    """An input shape with another size of one axis."""
    name = rng.choice([*facts.inputs])
    shape = [*map(str, facts.inputs[name])]
    shape[rng.randrange(len(shape))] = rng.choice(sizes)
    return f"{name}={'x'.join(shape)}"


def _symbolic(rng: random.Random, facts: Facts) -> str:
    return _shape(rng, facts, (*SIZES, *string.ascii_uppercase))


def _unit(rng: random.Random, _: Facts) -> str:
    return ",".join(str(rng.randrange(9)) for _ in range(rng.choice((1, 2, 2, 3))))


def _amount(rng: random.Random, _: Facts) -> str:
    return f"{rng.choice([*QUANTITIES])}={rng.choice(('0', '7', '25.6M', '1e9', '1.5 MiB', '3G'))}"


def _some(*words: str, count: int = 1) -> Callable[[random.Random, Facts], str]:
    return lambda rng, _: ",".join(rng.choices(words, k=rng.randint(1, count)))


VALUES: dict[str, Callable[[random.Random, Facts], Any]] = {
    "--set": _setting,
    "--input": _shape,
    "formula --input": _symbolic,
    "formula --batch": _some("1", "3", "N", "B"),
    "--symbol": lambda rng, facts: rng.choice([*facts.variables]),
    "--counting": _some(*CONVENTIONS),
    "--columns": _some(*DEFAULT_COLUMNS, "fields", "operations", "activations", "count", "inputs", count=5),
    "--target": _some("1.2G", "0", "61k", "4.1 GMACs", "1e99"),
    "--fits": _some("1GiB", "16 MiB", "1", "80GB"),
    "diagram --depth": _some("all", "0", "1", "2", "9"),
    "--show": _some(*LINES, count=3),
    "--quantity": _some(*QUANTITIES),
    "--select": _some(*(rule.code for rule in RULES), "W", "I", count=3),
    "--ignore": _some(*(rule.code for rule in RULES), "W", "I", count=3),
    "--max": _amount,
    "--min": _amount,
    "verify --device": _some("meta", "cpu", "nothing"),
    "bench --device": _some("cpu", "cpu", "nothing"),
    "bench --batch": _some("1", "2", "0", count=2),
    "bench --dtype": _some("float32", "bfloat16", "float64", "int8", count=2),
    "--fields": _some("all", "none", "conv", "relu", count=2),
    "roofline --device": _some(*shipped_devices(), "device.toml", "device.toml", "net.toml"),
    "roofline --dtype": _some("float32", "tf32", "float16", "int8"),
    "--layer": lambda rng, facts: rng.choice(facts.layers),
    "--of": lambda rng, facts: rng.choice([*facts.inputs]),
    "--unit": _unit,
    "--image": _some("image.png", "image.png", "net.toml"),
    "report --bench": _some("bench.json", "bench.json", "net.toml"),
    "export --to": _some(*["source"] * 20, "onnx"),
    "--write-device": _some("device2.toml"),
    "--seconds": _some("0.001"),
}
