"""What a shell proposes: through click, through the program, and in a real bash."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.shell_completion import get_completion_class

import archcalc
from archcalc.cli import COMMANDS, cli
from archcalc.cli.completion import SHELLS, VARIABLE, answer
from archcalc.cli.proposals import MAX_BYTES

SPEC = (
    'name = "x"\ninputs.image = [1, 8, 8]\nlayers = [{ name = "one", type = "relu" }, { name = "two", type = "relu" }]'
)


def proposed(line: str) -> list[str]:
    """What click finds for a line whose last word is not complete; a type stands before what is no word."""
    *arguments, incomplete = line.split(" ")[1:]
    kind = get_completion_class("bash")
    assert kind is not None
    found = kind(cli, {}, "archcalc", VARIABLE).get_completions(arguments, incomplete)
    return [item.value if item.type == "plain" else f"{item.type}:{item.value}" for item in found]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_commands_and_options() -> None:
    assert proposed("archcalc ") == [*COMMANDS]
    assert proposed("archcalc re") == ["reconcile", "report", "receptive-field"]
    assert proposed("archcalc summary lenet5 --co") == ["--counting", "--columns"]
    assert proposed("archcalc --he") == ["--help"]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("layers", "schema", "completion")])
def test_every_spec_is_proposed(folder: Path, command: str) -> None:
    (folder / "lenet_own.toml").touch()
    (folder / "lenet_notes.txt").touch()
    assert proposed(f"archcalc {command} lenet") == ["lenet5", "lenet5_1998", "lenet_own.toml", "dir:lenet"]


def test_specs_in_folders(folder: Path) -> None:
    (folder / "nets").mkdir()
    (folder / "nets" / "a.toml").touch()
    assert proposed("archcalc summary nets/") == ["nets/a.toml", "dir:nets/"]
    assert proposed(f"archcalc compare lenet5 {folder}/nets/") == [f"{folder}/nets/a.toml", f"dir:{folder}/nets/"]
    assert proposed("archcalc summary missing/") == ["dir:missing/"]


def test_what_a_shell_would_obey_is_not_proposed(folder: Path) -> None:
    for name in ("$(id).toml", "a;b.toml", "a\nplain,b.toml", "`id`.toml", "a b.toml", "good.toml"):
        (folder / name).touch()
    (folder / "s.toml").write_text(SPEC.replace('"one"', '"$(id)"'))
    assert [word for word in proposed("archcalc summary ") if word.endswith(".toml")] == ["good.toml", "s.toml"]
    assert proposed("archcalc explain s.toml ") == ["two"]


LAYERS = ["C1", "C3", "C5"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("explain lenet5 C", LAYERS),
        ("explain lenet5 tanh C", LAYERS),
        ("explain --batch 2 lenet5 C", LAYERS),
        ("formula lenet5 C", LAYERS),
        ("receptive-field lenet5 --layer C", LAYERS),
        ("receptive-field --layer=C", []),
        ("explain resnet18 layer1.0.f", ["layer1.0.first", "layer1.0.first.conv", "layer1.0.first.bn"]),
        ("diagram googlenet --block inception5b.branch1", ["inception5b.branch1"]),
        ("diagram googlenet --block aux", []),
        ("diagram googlenet --training --block aux1", ["aux1", "aux1.conv"]),
        ("summary lenet5 --format ", ["table", "plain", "markdown", "latex", "html", "csv", "json"]),
        ("check lenet5 --format git", ["github"]),
        ("summary lenet5 --columns name,ty", ["name,type"]),
        ("summary lenet5 --columns type,ty", []),
        ("summary lenet5 --counting fv", ["fvcore"]),
        ("compare lenet5 m5 --quantity count", ["count"]),
        ("check lenet5 --select G301,W1", ["G301,W101", "G301,W102", "G301,W103", "G301,W104", "G301,W105"]),
        ("diagram lenet5 --show macs,par", ["macs,parameters"]),
        ("diagram lenet5 -o a", ["file:a"]),
        ("roofline lenet5 --device a100-", ["a100-pcie", "a100-40gb", "dir:a100-"]),
        ("layers conv_tr", ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]),
        ("completion ", [*SHELLS]),
    ],
)
def test_names(line: str, expected: list[str]) -> None:
    assert proposed(f"archcalc {line}") == expected


def test_settings_decide_which_layers_there_are(folder: Path) -> None:
    text = SPEC.replace("inputs", "variables.deep = false\ninputs").replace(
        '{ name = "two"', '{ when = "deep", name = "two"'
    )
    (folder / "s.toml").write_text(text)
    assert proposed("archcalc explain s.toml ") == ["one"]
    assert proposed("archcalc explain s.toml --set deep=true ") == ["one", "two"]


def test_a_spec_that_is_half_written_has_layers(folder: Path) -> None:
    (folder / "s.toml").write_text(SPEC.replace(" }]", ' }, { name = "three", type = "conv2d", out_chan = 3 }]'))
    assert proposed("archcalc explain s.toml t")[:1] == ["two"]


@pytest.mark.parametrize(
    "spec", ["missing.toml", "broken.toml", "folder", "pipe", "large.toml", "-", "binary.toml", "\x1b[2J"]
)
def test_what_cannot_be_read_proposes_nothing(folder: Path, spec: str) -> None:
    (folder / "broken.toml").write_text("name = ")
    (folder / "binary.toml").write_bytes(b"\xff\0")
    (folder / "large.toml").write_text(f"{SPEC}\n#{' ' * MAX_BYTES}")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe")
    assert [word for word in proposed(f"archcalc diagram {spec} --block ") if not word.startswith("dir:")] == []


@pytest.mark.parametrize("line", ["archcalc nonsense ", "archcalc summary --nonsense x ", "", "archcalc explain 'a "])
def test_errors_are_silent(line: str) -> None:
    done = ask(line, len(line.split()))
    assert done.stderr == ""
    assert "Traceback" not in done.stdout


def test_an_unforeseen_error_is_silent(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("archcalc.cli.proposals.shipped_specs", lambda: 1 / 0)
    monkeypatch.setenv("COMP_WORDS", "archcalc summary ")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert answer("bash_complete") == 1
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("instruction", ["", "bash", "bash_", "tcsh_source", "bash_other"])
def test_what_is_no_question_has_no_answer(instruction: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer(instruction) == 1
    assert capsys.readouterr() == ("", "")


def ask(line: str, number: int, code: str = "pass") -> "subprocess.CompletedProcess[str]":
    """The program, asked by bash for proposals."""
    environment = os.environ | {VARIABLE: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(number)}
    script = f"import sys\nfrom archcalc.cli import main\nsys.argv = ['archcalc']\ntry: main()\nfinally: {code}"
    return subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "line",
    [
        "archcalc ",
        "archcalc summary ",
        "archcalc explain resnet18 ",
        "archcalc verify lenet5 --",
        "archcalc bench lenet5 --",
    ],
)
def test_nothing_heavy_is_imported(line: str) -> None:
    heavy = "torch", "numpy", "sympy", "matplotlib", "jinja2", "tabulate", "wasmtime"
    code = f"print(*[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    done = ask(line, len(line.split(" ")) - 1, code)
    assert done.stdout.count("\n") > 2
    assert done.stderr == "\n"


BASH = """
compopt() { printf '%s ' compopt "$@"; }
propose() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
    _archcalc_completion archcalc
    printf '%s ' "${COMPREPLY[@]}"; echo
}
source script
complete -p archcalc
propose archcalc summary net
propose archcalc explain net.toml ""
propose archcalc spec
propose archcalc summary net.toml --batch = 2 --format = js
propose archcalc summary net.toml --format =
propose archcalc compare m5:n = 1 lenet5_
propose archcalc nonsense x ""
"""


def test_a_real_bash(folder: Path, program: Callable[..., Any]) -> None:
    (folder / "nets").mkdir()
    (folder / "net.toml").write_text(SPEC)
    (folder / "archcalc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m archcalc "$@"\n')
    (folder / "archcalc").chmod(0o755)
    (folder / "script").write_text(program("completion", "bash").stdout)
    paths = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(Path(archcalc.__file__).parents[1])}
    done = subprocess.run(
        ["bash", "--norc"], input=BASH, env=os.environ | paths, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stderr == ""
    assert [line.strip() for line in done.stdout.splitlines()] == [
        "complete -o nosort -F _archcalc_completion archcalc",
        "compopt -o plusdirs net.toml",
        "one two",
        "specs",
        "json",
        "table plain markdown latex html csv json",
        "compopt -o plusdirs lenet5_1998",
        "",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell(program: Callable[..., Any], shell: str) -> None:
    done = program("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{VARIABLE}={shell}_complete" in done.stdout
    assert "archcalc" in done.stdout


def test_a_shell_that_is_not_known(program: Callable[..., Any]) -> None:
    done = program("completion", "tcsh")
    assert done.returncode == 2
    assert "bash" in done.stderr
