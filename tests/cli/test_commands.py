"""The other commands, help, and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import archcalc
from archcalc.cli import COMMANDS, cli
from archcalc.layers import LAYER_TYPES
from archcalc.spec.json_schema import json_schema

ROOT = Path(__file__).parent.parent.parent
ALEXNET = """
name = "x"
inputs.image = [3, 224, 224]
layers = [{ name = "conv1", type = "conv2d", out_channels = 96, kernel_size = 11, stride = 4 }]
"""


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=text, catch_exceptions=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str) -> None:
    output = invoke(command, "--help").output
    assert output.startswith(f"Usage: cli {command}")
    assert len(output.splitlines()) > 4


@pytest.mark.parametrize("command", COMMANDS)
def test_the_list_has_the_summaries_of_the_commands(command: str) -> None:
    import importlib

    module = importlib.import_module(f"archcalc.cli.{command.replace('-', '_')}")
    assert module.command.short_help == COMMANDS[command]


def test_version() -> None:
    assert invoke("--version").output == f"archcalc, version {archcalc.__version__}\n"


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", sorted(archcalc.shipped_specs()))
def test_every_command_on_every_spec(spec: str) -> None:
    assert invoke("summary", spec).exit_code == 0
    assert invoke("check", spec).exit_code == 0
    layers = [row.name for row in archcalc.load(spec).layers]
    explained = invoke("explain", spec).output
    assert [name for name in layers if f"{name}  " not in explained] == []


def test_specs_lists_the_folder() -> None:
    names = [line.split()[0] for line in invoke("specs").output.splitlines()[3:]]
    assert names == sorted(path.stem for path in (ROOT / "specs").glob("*.toml"))
    paths = [line.split()[-1] for line in invoke("specs", "--paths").output.splitlines()[3:]]
    assert all(Path(path).is_file() for path in paths)


def test_schema_is_the_one_beside_the_specs() -> None:
    assert json.loads(invoke("schema").output) == json_schema()
    # Made by: archcalc schema > specs/archcalc.schema.json
    assert (ROOT / "specs" / "archcalc.schema.json").read_text("utf-8") == invoke("schema").output


def test_layers_lists_every_type() -> None:
    listed = [line.split()[0] for line in invoke("layers").output.splitlines() if line]
    assert set(LAYER_TYPES) <= set(listed)


@pytest.mark.parametrize("name", LAYER_TYPES)
def test_layers_describes_every_field(name: str) -> None:
    output = invoke("layers", name).output
    assert all(f"\n{field} " in output for field in LAYER_TYPES[name].__struct_fields__)


def test_check_finds_and_strict_fails() -> None:
    assert "[W101]" in invoke("check", "-", text=ALEXNET).output
    assert invoke("check", "-", text=ALEXNET).exit_code == 0
    assert invoke("check", "-", "--strict", text=ALEXNET).exit_code == 1
    assert invoke("check", "-", "--strict", "--ignore", "W,R", text=ALEXNET).exit_code == 0
    assert invoke("check", "lenet5", "--strict").exit_code == 0


def test_check_as_json_and_for_github() -> None:
    (finding,) = json.loads(invoke("check", "-", "--select", "W101", "--format", "json", text=ALEXNET).output)
    assert (finding["code"], finding["line"], finding["file"], finding["severity"]) == ("W101", 4, "<stdin>", "warning")
    line = invoke("check", "-", "--select", "W101", "--format", "github", text=ALEXNET).output.strip()
    assert line.startswith("::warning file=<stdin>,line=4,title=W101::")
    assert len(line.splitlines()) == 1


def test_check_goes_on_after_a_wrong_spec(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text(ALEXNET.replace("conv2d", "conv2"))
    output = invoke("check", str(wrong), "mnist_cnn", "--all")
    assert output.exit_code == 2
    assert 'did you mean "conv2d"' in output.output
    assert "[P202]" in output.output
    assert "1 error, 1 warning in 2 specs" in output.output


def test_exit_codes_of_the_program(program: Callable[..., Any]) -> None:
    assert program("summary", "lenet5").returncode == 0
    assert program("summary", "lenet55").returncode == 2
    assert program("sumary", "lenet5").returncode == 2
    assert program("summary", "lenet5", "--batch", "0").returncode == 2
    assert program("check", "mnist_cnn", "--strict").returncode == 0
    assert program("check", "mnist_cnn", "--strict", "--all").returncode == 1


def test_errors_go_to_stderr(program: Callable[..., Any]) -> None:
    done = program("summary", "lenet5", "--set", "width=3")
    assert done.stdout == ""
    assert done.stderr.startswith('error: no variable is called "width"')
