"""The README's examples are run, and what it prints is what the program prints."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from references import memory_table, reference_table

import archcalc
from archcalc.analysis.conventions import CONVENTIONS
from archcalc.analysis.lint import RULES
from archcalc.cli import COMMANDS
from archcalc.layers import LAYER_TYPES
from archcalc.quantities import QUANTITIES, Quantity

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
TEXT = README.read_text("utf-8")


Run = Callable[[str], str]


@pytest.fixture
def run(program: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Run:
    """What a command of the README prints, errors after the rest."""
    monkeypatch.chdir(ROOT)

    def run_command(command: str) -> str:
        name, *arguments = shlex.split(command)
        alone = name == "archcalc" and not {"|", ">", "&&", ";"} & {*arguments}
        done = program(*arguments) if alone else in_a_shell(command)
        # An installed spec has another path than one in the checkout; PyTorch's version may be any.
        text = re.sub(r"┌ \S*specs/", "┌ specs/", done.stdout + done.stderr)
        return re.sub(r"PyTorch \d\S*", "PyTorch 2", text).rstrip()

    return run_command


def in_a_shell(command: str) -> "subprocess.CompletedProcess[str]":
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "PYTHONUTF8": "1"}
    return subprocess.run(
        ["bash", "-c", command.replace("archcalc ", f"{sys.executable} -m archcalc ")],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )


def layer_list() -> str:
    families: dict[str, list[str]] = {}
    for layer in LAYER_TYPES.values():
        families.setdefault(layer.family, []).append(f"`{layer.type}`")
    rows = (f"| {family} | {', '.join(names)} |" for family, names in families.items())
    return "\n".join(["| family | types |", "|---|---|", *rows])


def rule_list() -> str:
    rows = (f"| {rule.code} | {rule.name} | {' '.join(rule.summary.split())} |" for rule in RULES)
    return "\n".join(["| code | name | what it finds |", "|---|---|---|", *rows])


def quantity_list() -> str:
    rows = (f"| {name.replace('_', '-')} | {found.summary} | {_units(found)} |" for name, found in QUANTITIES.items())
    return "\n".join(["| quantity | what it is | units |", "|---|---|---|", *rows])


def _units(quantity: Quantity) -> str:
    return ", ".join(filter(None, quantity.unit.suffixes)) or "none"


def convention_list() -> str:
    rows = (f"| `{found.name}` | {found.sentence} | {found.source or 'archcalc'} |" for found in CONVENTIONS.values())
    return "\n".join(["| convention | what it counts | as in |", "|---|---|---|", *rows])


def current(run: Run) -> str:
    """The README with everything that the program prints made anew."""

    def with_output(block: re.Match[str]) -> str:
        return f"```console\n$ {block[1]}\n{run(block[1])}\n```"

    text = re.sub(r"```console\n\$ ([^\n]*)\n.*?```", with_output, TEXT, flags=re.DOTALL)
    tables = {
        "layers": layer_list(),
        "rules": rule_list(),
        "references": reference_table(),
        "memory": memory_table(),
        "quantities": quantity_list(),
        "conventions": convention_list(),
    }
    for marker, table in tables.items():
        text = re.sub(rf"<!-- {marker} -->\n(\|.*\n)*", lambda _, m=marker, t=table: f"<!-- {m} -->\n{t}\n", text)
    return text


def test_every_output_is_what_the_program_prints(run: Run, pytestconfig: pytest.Config) -> None:
    text = current(run)
    if pytestconfig.getoption("--overwrite-golden"):
        README.write_text(text, "utf-8")
    assert README.read_text("utf-8") == text


@pytest.mark.parametrize("spec", re.findall(r"```toml\n(.*?)```", TEXT, flags=re.DOTALL))
def test_every_spec_loads(spec: str) -> None:
    assert archcalc.loads(spec).layers
    assert archcalc.loads(spec, training=True).layers


def test_python_session() -> None:
    failures, tried = doctest.testfile(str(README), module_relative=False)
    assert tried > 5
    assert failures == 0


def test_every_command_is_listed() -> None:
    for command in COMMANDS:
        assert f"`archcalc {command}" in TEXT


def test_two_commands_set_everything_up() -> None:
    commands = re.findall(r"```sh\n(.*?)```", TEXT, flags=re.DOTALL)
    assert len(commands) == 1
    assert len(commands[0].strip().splitlines()) == 2
