"""Errors of settings have a remedy, errors of specs name the settings, and `specs` lists what can be set."""

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner

import archcalc
from archcalc.cli import cli

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("word", "remedy"),
    [(word, "use true or false") for word in ("yes", "no", "on")]
    + [("wide", "write true or false, a number, or a list of these")],
)
def test_a_setting_that_is_no_value(word: str, remedy: str) -> None:
    result = CliRunner().invoke(cli, ["summary", "vgg11", "--set", f"batch_norm={word}"])
    assert result.exit_code == 2
    assert f'batch_norm: no variable is called "{word}"; {remedy}' in result.output


@pytest.mark.parametrize("word", ["true", "false", "True"])
def test_a_boolean_setting(word: str) -> None:
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
def test_an_error_names_the_settings(arguments: list[str], note: str, program: Run) -> None:
    done = program(*arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert note in done.stderr.splitlines()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["summary", "vgg11", "--set", "batch_norm=true", "--set", "batch_norm=false"], "batch_norm is given twice"),
        (["summary", "lenet5", "--input", "image=1x32x32", "--input", "image=1x28x28"], "as 1x32x32 and as 1x28x28"),
        (["check", "lenet5", "--max", "macs=3", "--max", "macs=4"], "macs is given twice: as 3 and as 4"),
        (["compare", "vgg11", "vgg11:batch_norm=1,batch_norm=0"], "batch_norm is given twice: as 1 and as 0"),
    ],
)
def test_a_repeated_setting(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2
    assert message in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["formula", "lenet5", "--input", "image=1xHxW", "--batch"], "a batch of 5,000 digits is larger than any"),
        (["diagram", "lenet5", "-o", "never.svg", "--depth"], "is no depth"),
        (["summary", "lenet5", "--batch"], '--batch cannot be "999'),
    ],
)
def test_a_number_with_too_many_digits(arguments: list[str], message: str, program: Run) -> None:
    done = program(*arguments, "9" * 5000)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in " ".join(done.stderr.replace("\n  ", "").split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        (["memory", "-"], "in layer a\\|b\\_c"),
        (["roofline", "-", "--device", "t4"], "| a\\|b\\_c"),
        (["reconcile", "-"], "a\\|b\\_c: "),
    ],
)
def test_names_in_markdown(arguments: list[str], place: str) -> None:
    """A layer's name is text in the table and in the notes below it."""
    text = """
    name = "x"
    inputs.nodes = [5, 3]
    inputs.edges = [5, 5]
    layers = [{ name = "a|b_c", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 }]
    """
    output = CliRunner().invoke(cli, [*arguments, "--format", "markdown"], input=text).output
    assert place in output
    assert "a|b" not in output


def test_an_error_without_settings_has_no_note(program: Run) -> None:
    assert "note:" not in program("summary", "-", text='name = "x"').stderr


def test_inputs_and_variables_of_a_spec(program: Run) -> None:
    assert program("specs", "vgg16").stdout.splitlines() == [
        "VGG-16",
        archcalc.load("vgg16").source,
        "",
        "inputs (--input)",
        "image  [3, 224, 224]",
        "",
        "variables (--set)",
        "batch_norm      false",
        "global_average  false",
    ]
    assert "adjacency  shape [2708, 2708], nonzeros 13264" in program("specs", "gcn_cora").stdout
    assert "variables" not in program("specs", "lenet5").stdout
    assert 'did you mean "lenet5"' in program("specs", "lenet").stderr


def test_names_of_inputs_and_variables_are_escaped(program: Run) -> None:
    hostile = 'name = "\\u001b[2J"\ninputs."a\\u001b[2J" = [1]\nvariables = { "b\\u001b" = "\\u001b[2J", c = 3 }'
    done = program("specs", "-", text=hostile)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert program("specs", "-", text="name = 3\ninputs = 4\nvariables = [5]").stdout == "<stdin>\n"
