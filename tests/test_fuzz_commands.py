"""The fuzzer of commands draws commands that run, and notices faults."""

import sys
from pathlib import Path

import click
import pytest

from archcalc.cli import COMMANDS, cli

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

import fuzz_arguments
import fuzz_commands
from fuzz_cases import case
from fuzz_commands import Outcome, faults_of

LIGHT = {"summary", "explain", "memory", "check", "compare", "roofline", "reconcile"}


def test_drawn_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", sys.argv)  # which are restored
    monkeypatch.setattr(sys, "stdin", sys.stdin)
    chosen = {number: case(number) for number in range(1, 60)}
    ends = []
    for number, drawn in chosen.items():
        if drawn.arguments[0] in LIGHT:
            outcome, found = fuzz_commands.run(number, drawn, tmp_path)
            assert not found, (number, found)
            ends.append(outcome.code)
    assert ends.count(0) > len(ends) / 4


def test_the_same_number_is_the_same_command() -> None:
    assert case(5) == case(5)


def test_tables_name_options_that_exist() -> None:
    options = {}
    for name in COMMANDS:
        command = cli.get_command(click.Context(cli), name)
        assert command
        options |= {f"{name} {option.opts[-1]}": option.opts[-1] for option in command.params}
    assert {*fuzz_arguments.VALUES} <= {*options, *options.values()}
    assert {*fuzz_arguments.OFTEN, *fuzz_arguments.ENDS, *fuzz_arguments.ENDINGS} <= {*COMMANDS}


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (
            Outcome(1, "", 'Traceback (most recent call last):\n  File "/a/archcalc/graph.py", line 7\nKeyError: 1'),
            "traceback: archcalc/graph.py:7: KeyError",
        ),
        (Outcome(3, "", ""), "exit code 3"),
        (Outcome(2, "", "error: the network is too large for the memory of this machine"), "memory"),
        (Outcome(0, "a\x1b[2J", ""), r"raw '\x1b' in output"),
        (Outcome(2, "", "a\u202eb"), r"raw '\u202e' in errors"),
    ],
)
def test_a_fault_is_found(outcome: Outcome, kind: str) -> None:
    assert [fault.kind for fault in faults_of(outcome, [])] == [kind]


def test_output_files_are_checked(tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text("a\x9bb", "utf-8")
    assert [fault.kind for fault in faults_of(Outcome(0, "", ""), tmp_path.iterdir())] == [r"raw '\x9b' in .svg"]
