"""Wrong settings say how to be right, errors name the settings they come with, and specs say what can be set."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import archcalc
from archcalc.cli import cli


def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "archcalc", *arguments]
    return subprocess.run(command, capture_output=True, text=True, input=text, check=False)


@pytest.mark.parametrize("word", ["yes", "no", "on", "wide"])
def test_a_word_that_is_no_value(word: str) -> None:
    result = CliRunner().invoke(cli, ["summary", "vgg11", "--set", f"batch_norm={word}"])
    assert result.exit_code == 2
    assert f'batch_norm: no variable is called "{word}"; write true or false, a number' in result.output


@pytest.mark.parametrize("word", ["true", "false", "True"])
def test_a_truth(word: str) -> None:
    assert CliRunner().invoke(cli, ["summary", "vgg11", "--set", f"batch_norm={word}"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        (["summary", "lenet5", "--input", "image=1x28x28"], "note: this is with --input image=1x28x28"),
        (["explain", "vgg11", "--set", "batch_norm=3"], "note: this is with --set batch_norm=3"),
        (
            ["export", "mobilenet_v1", "--set", "alpha=0.001", "--input", "image=3×9×9"],
            "note: this is with --set alpha=0.001, --input image=3x9x9",
        ),
        (["compare", "lenet5", "lenet5:image=1x28x28"], "note: this is with image=1x28x28"),
    ],
)
def test_an_error_names_the_settings(arguments: list[str], note: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert done.stderr.splitlines()[-1] == note


def test_an_error_without_settings_has_no_note() -> None:
    assert "note:" not in run("summary", "-", text='name = "x"').stderr


def test_what_can_be_set_in_a_spec(tmp_path: Path) -> None:
    assert run("specs", "vgg16").stdout.splitlines() == [
        "VGG-16",
        archcalc.load("vgg16").source,
        "",
        "inputs (--input)",
        "  image  [3, 224, 224]",
        "",
        "variables (--set)",
        "  batch_norm      false",
        "  global_average  false",
    ]
    assert "  adjacency  shape [2708, 2708], nonzeros 13264" in run("specs", "gcn_cora").stdout
    assert "variables" not in run("specs", "lenet5").stdout
    assert 'did you mean "lenet5"' in run("specs", "lenet").stderr


def test_what_can_be_set_is_text() -> None:
    hostile = 'name = "\\u001b[2J"\ninputs."a\\u001b[2J" = [1]\nvariables = { "b\\u001b" = "\\u001b[2J", c = 3 }'
    done = run("specs", "-", text=hostile)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert run("specs", "-", text="name = 3\ninputs = 4\nvariables = [5]").stdout == "\n"
