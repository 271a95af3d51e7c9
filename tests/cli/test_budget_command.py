"""Budgets on the command line and in specs: exit codes, formats, and the hook that runs them."""

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archcalc.cli import COMMANDS, cli

ROOT = Path(__file__).parent.parent.parent
BUDGET = """name = "x"
inputs.image = [3, 32, 32]
layers = [{ name = "conv", type = "conv2d", out_channels = 8, kernel_size = 3, padding = 1 }]
[budget]
max = { parameters = 223 }
"""


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["check", *arguments], input=text, catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--max", "parameters=25.6M", "--max", "macs=4.2G", "--min", "receptive-field=224"], 0),
        (["--max", "peak-memory=120MiB"], 0),
        (["--max", "peak-memory=100MiB"], 1),
        (["--max", "peak-memory=120MiB", "--batch", "8"], 1),
        (["--max", "parameters=25557032"], 0),
        (["--max", "parameters=25557031"], 1),
        (["--min", "receptive-field=427"], 0),
        (["--min", "receptive-field=428"], 1),
        (["--max", "parameters=25557032", "--select", "W101"], 0),
        (["--max", "parameters=25557031", "--select", "W101"], 1),  # a budget is no warning
    ],
)
def test_exit_codes(arguments: list[str], code: int) -> None:
    assert invoke("resnet50", *arguments).exit_code == code


def test_a_wrong_spec_counts_more_than_a_breach(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("name = 3")
    assert invoke(str(wrong), "resnet50", "--max", "layers=1").exit_code == 2


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("params=3", 'no quantity is called "params"; did you mean "parameters"?'),
        ("parameters=3Q", 'parameters: "3Q" has the unit "Q"; known here: k, M, G, B, T'),
        ("parameters=120MiB", 'has the unit "MiB"'),
        ("parameters", "is not of the form NAME=AMOUNT"),
        ("parameters=", "is not of the form NAME=AMOUNT"),
        ("parameters=lots", '"lots" is no amount; write it as 25.6M'),
        ("weights=3", 'no quantity is called "weights"; known: "activations", "buffers"'),
    ],
)
def test_refused_arguments(option: str, message: str) -> None:
    for bound in ("--max", "--min"):
        result = invoke("lenet5", bound, option)
        assert result.exit_code == 2
        assert message in result.output
        assert bound in result.output


def test_breaches_have_the_place_in_the_spec() -> None:
    result = invoke("-", "--select", "W101", text=BUDGET)
    assert result.exit_code == 1
    assert result.output.splitlines() == [
        "failure[B501]: parameters: 224, which is 1 (0.4 %) more than the maximum of 223",
        "  ┌ <stdin>:5",
        "  │ max = { parameters = 223 }",
        '  = most is in layer "conv": 224 (100.0 %)',
        "",
        "1 failure in 1 spec",
    ]


def test_the_command_line_replaces_the_limits_of_the_spec() -> None:
    assert invoke("-", "--max", "parameters=224", text=BUDGET).exit_code == 0
    result = invoke("-", "--max", "parameters=222", "--select", "W101", text=BUDGET)
    assert "  ┌ <stdin>\n  │ --max parameters=222\n" in result.output
    assert "1 failure in 1 spec" in result.output


def test_the_budget_of_every_spec_is_its_own(tmp_path: Path) -> None:
    for name, most in (("a", 224), ("b", 200)):
        (tmp_path / f"{name}.toml").write_text(BUDGET.replace("223", str(most)))
    result = invoke(str(tmp_path / "a.toml"), str(tmp_path / "b.toml"), "--select", "W101", "--format", "json")
    (found,) = json.loads(result.output)
    assert (found["file"], found["line"]) == (str(tmp_path / "b.toml"), 5)


def test_json_and_github() -> None:
    (found,) = json.loads(invoke("-", "--select", "W101", "--format", "json", text=BUDGET).output)
    assert (found["code"], found["severity"], found["line"]) == ("B501", "failure", 5)
    assert found["reason"] == 'most is in layer "conv": 224 (100.0 %)'
    line = invoke("-", "--select", "W101", "--format", "github", text=BUDGET).output.strip()
    assert line.startswith("::error file=<stdin>,line=5,title=B501::parameters: 224")
    assert len(line.splitlines()) == 1


def test_a_wrong_budget_is_a_wrong_spec() -> None:
    text = BUDGET.replace("parameters = 223", 'parameters = "223Q"')
    for command in ("check", "summary"):
        result = CliRunner().invoke(cli, [command, "-"], input=text)
        assert result.exit_code != 0
    assert "<stdin>:5" in invoke("-", text=text).output
    assert invoke("-", text=text).exit_code == 2


def test_hostile_names_are_text() -> None:
    text = BUDGET.replace('"conv"', '"\\u001b[2Jconv"')
    for format_name in ("text", "json", "github"):
        assert "\x1b" not in invoke("-", "--format", format_name, text=text).output


# the pre-commit hook

HOOKS = (ROOT / ".pre-commit-hooks.yaml").read_text("utf-8")
HOOK = dict(re.findall(r"^[- ] (\w+): (.*)$", HOOKS, flags=re.MULTILINE))


def test_the_hook_runs_a_command_that_exists() -> None:
    program, command = HOOK["entry"].split()
    assert program == "archcalc"
    assert command in COMMANDS
    assert (HOOK["id"], HOOK["language"]) == ("archcalc-check", "python")
    assert HOOK.keys() == {"id", "name", "description", "entry", "language", "files"}


def test_the_hook_takes_specs_and_no_other_toml() -> None:
    pattern = re.compile(HOOK["files"].strip("'"))
    shipped = [f"specs/{path.name}" for path in (ROOT / "specs").glob("*.toml")]
    assert shipped
    assert all(map(pattern.search, shipped))
    assert pattern.search("models/specs/small.toml")
    assert not any(map(pattern.search, ("pyproject.toml", "tests/data/published.toml", "specs/archcalc.schema.json")))
