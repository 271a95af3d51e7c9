"""Every command that prints a result prints it in every format, and loses nothing on the way."""

import csv
import io
import json
import re
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from archcalc.cli import COMMANDS, cli
from archcalc.layers import LAYER_TYPES
from archcalc.render.write import FORMATS

# By command: its arguments, and a text that its result contains in every format.
RESULTS = {
    "summary": (["resnet18"], "layer1"),
    "explain": (["lenet5", "C1"], "weight"),
    "reconcile": (["lenet5"], "fvcore"),
    "formula": (["stacked_3x3", "--symbol", "C"], "C"),
    "memory": (["resnet18", "--depth", "1"], "layer1"),
    "compare": (["lenet5", "lenet5_1998"], "C1"),
    "check": (["densenet121", "--all"], "R401"),
    "range": (["lenet5"], "32"),
    "verify": (["lenet5", "--device", "meta"], "C1"),
    "receptive-field": (["lenet5"], "C1"),
    "bench": (["lenet5", "--seconds", "0.01"], "lenet5"),
    "roofline": (["lenet5", "--device", "a100"], "C1"),
    "layers": ([], "conv2d"),
    "specs": ([], "lenet5"),
}
# Their texts have signs.
LAYERS = [name for name, layer in LAYER_TYPES.items() if not (layer.__doc__ or "").isascii()]
# These write or draw what has a form of its own.
OTHERS = {"diagram", "report", "watch", "export", "schema", "completion"}


def output(command: str, format_name: str) -> str:
    arguments, _ = RESULTS[command]
    found = CliRunner().invoke(cli, [command, *arguments, "--format", format_name], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.stdout


def test_the_table_has_every_command() -> None:
    assert {*RESULTS, *OTHERS} == {*COMMANDS}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("command", RESULTS)
def test_every_command_prints_every_format(command: str, format_name: str) -> None:
    text = output(command, format_name)
    assert RESULTS[command][1] in text
    assert "\N{REPLACEMENT CHARACTER}" not in text
    CHECKS[format_name](text)


@pytest.mark.parametrize("arguments", [["check", "lenet5"], ["layers", "tanh"]])
def test_an_empty_result_has_no_empty_blocks(arguments: list[str]) -> None:
    for format_name in FORMATS:
        found = CliRunner().invoke(cli, [*arguments, "--format", format_name], catch_exceptions=False)
        assert found.exit_code == 0
        assert found.stdout.strip()
        assert "\n\n\n" not in found.stdout
        assert not found.stdout.startswith("\n")
        if format_name == "csv":
            (header,) = csv.reader(io.StringIO(found.stdout))
            assert len(header) > 4


def _is_text(text: str) -> None:
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def _is_markdown(text: str) -> None:
    """Every row of a table has as many cells as its header."""
    for block in text.split("\n\n"):
        lines = [re.sub(r"\\\|", "", line).count("|") for line in block.splitlines() if line.startswith("|")]
        assert len({*lines}) <= 1, block


def _is_latex(text: str) -> None:
    """Environments are closed, and every row has as many cells as its table has columns."""
    begun, ended = (re.findall(rf"\\{word}{{(\w+\*?)}}", text) for word in ("begin", "end"))
    assert sorted(begun) == sorted(ended) != []
    assert _unknown_to_pdflatex(text) == set()
    for columns, body in re.findall(r"\\begin{tabular}{([^\n]*)}\n(.*?)\\end{tabular}", text, flags=re.DOTALL):
        count = len(re.findall(r"S\[[^]]*\]|[lr]", columns))
        rows = [line for line in body.splitlines() if line.endswith("\\\\") and "multicolumn" not in line]
        assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {count}, columns


def _unknown_to_pdflatex(text: str) -> set[str]:
    """The characters outside of comments that it has no sign for."""
    return {letter for line in text.splitlines() if not line.startswith("%") for letter in line if not letter.isascii()}


@pytest.mark.parametrize(
    "arguments", [["explain", "gcn_cora"], ["range", "unet"], *(["layers", one] for one in LAYERS)]
)
def test_latex_has_every_sign(arguments: list[str]) -> None:
    found = CliRunner().invoke(cli, [*arguments, "--format", "latex"], catch_exceptions=False)
    assert found.exit_code == 0
    assert _unknown_to_pdflatex(found.stdout) == set()


def _is_html(text: str) -> None:
    ElementTree.fromstring(f"<div>{text.replace('<br>', '<br/>').replace('&emsp;', ' ')}</div>")


def _is_csv(text: str) -> None:
    header, *rows = csv.reader(io.StringIO(text))
    assert rows
    assert {len(row) for row in rows} == {len(header)}
    assert all(header)


CHECKS = {
    "table": _is_text,
    "plain": _is_text,
    "markdown": _is_markdown,
    "latex": _is_latex,
    "html": _is_html,
    "csv": _is_csv,
    "json": json.loads,
}
