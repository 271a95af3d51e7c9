"""Whatever a spec, a file or an argument contains, the output controls no terminal and runs in no spreadsheet."""

import csv
import io
import json
import re
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

import archcalc
from archcalc.cli import main
from archcalc.cli.terminal import cleaned
from archcalc.render.csv_text import csv_cell, write_csv
from archcalc.render.json_text import json_text

PACKAGE = Path(archcalc.__file__).parent
# An escape, its one-byte form, a deletion, a line end, a change of direction, a zero-width and a private letter.
STRANGE = ("\x1b[2J", "\x9b31m", "\x7f", "\nerror: ", "\u202e", "\u200b", "\ue000")
SPEC = r"""
name = "n\u001b[2J\u009b31m\u202e"
source = "s\u001b[8m\nerror: fake"
inputs."\u001b[2J\u007f\u009b" = [3, 8, 8]
layers = [
    { name = "=1+1\u001b[1m\nfake", type = "conv2d", out_channels = "v", kernel_size = 3 },
    { name = "@x\u009b\u007f", type = "b\u001b[2J" },
    { name = "+y\u200b\ue000", type = "relu" },
    { name = "\t-z", type = "tanh" },
]
[blocks."b\u001b[2J"]
layers = [{ name = "-z\u202e", type = "relu" }]
[variables]
v = 4
"""
TEXTS = ("table", "plain", "markdown", "latex", "html", "csv", "json")
COMMANDS = {
    "summary": ["summary", "net.toml", "--columns", "name,inputs,type,output,parameters,macs,field"],
    "explain": ["explain", "net.toml"],
    "reconcile": ["reconcile", "net.toml"],
    "formula": ["formula", "net.toml", "--symbols", "v"],
    "memory": ["memory", "net.toml"],
    "compare": ["compare", "net.toml", "net.toml:v=5", "lenet5"],
    "check": ["check", "net.toml", "--max", "parameters=1"],
    "range": ["range", "net.toml"],
    "receptive-field": ["receptive-field", "net.toml"],
    "roofline": ["roofline", "net.toml", "--device", "a100"],
    "specs": ["specs", "net.toml"],
    "diagram": ["diagram", "net.toml", "--show", "parameters"],
    "volumes": ["diagram", "net.toml", "--volumes"],
    "dot": ["diagram", "net.toml", "--to", "dot"],
    "source": ["export", "net.toml"],
}


class Result(NamedTuple):
    code: int | str | None
    output: str
    errors: str


@pytest.fixture(autouse=True)
def spec(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.toml").write_text(SPEC, "utf-8")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["archcalc", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    return Result(ended.value.code, *capsys.readouterr())


def check_clean(text: str) -> None:
    strange = {letter for letter in re.sub(r"\n|\xa0|^\t+", "", text, flags=re.MULTILINE) if not letter.isprintable()}
    assert strange == set()
    assert not re.search(r"^error: fake", text, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_prints_control_characters(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = COMMANDS[name]
    formats = (
        [None] if name in ("explain", "specs", "diagram", "volumes", "dot", "source") else [None, *TEXTS, "github"]
    )
    worked = 0
    for form in formats:
        result = run(capsys, *arguments, *([] if form is None else ["--format", form]))
        worked += "Invalid value for '--format'" not in result.errors
        check_clean(result.output + result.errors)
        if form == "json" and result.output:
            json.loads(result.output)
    assert worked == 1 or name not in ("explain", "diagram")
    assert worked


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("diagram", "net.svg"),
        ("dot", "net.dot"),
        ("source", "net.py"),
        ("receptive-field", "field.svg"),
        ("", "page.html"),
    ],
)
def test_no_file_contains_control_characters(name: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, *(COMMANDS.get(name) or ["report", "net.toml"]), "-o", file)
    check_clean(result.output + result.errors)
    check_clean(Path(file).read_text("utf-8"))


@pytest.mark.parametrize("strange", STRANGE)
@pytest.mark.parametrize(
    "arguments",
    [
        ["summary", "net.toml", "--bogusX"],
        ["summaryX"],
        ["summary", "X"],
        ["summary", "net.toml", "--format", "X"],
        ["summary", "net.toml", "--columns", "X"],
        ["summary", "net.toml", "--set", "X"],
        ["summary", "net.toml", "--set", "v=X"],
        ["summary", "net.toml", "--set", "X=1"],
        ["summary", "net.toml", "--input", "X=3x8"],
        ["summary", "net.toml", "--input", "image=X"],
        ["summary", "net.toml", "extraX"],
        ["summary", "net.toml", "--counting", "X"],
        ["diagram", "net.toml", "-o", "net.X"],
        ["diagram", "net.toml", "-o", "X/net.svg"],
        ["diagram", "net.toml", "--depth", "X"],
        ["diagram", "net.toml", "--show", "X"],
        ["roofline", "net.toml", "--device", "X"],
        ["roofline", "net.toml", "--device", "a100", "--dtype", "X"],
        ["report", "net.toml", "-o", "page.html", "--bench", "X"],
        ["receptive-field", "net.toml", "--layer", "X"],
        ["receptive-field", "net.toml", "--unit", "X"],
        ["explain", "net.toml", "X"],
        ["check", "net.toml", "--select", "X"],
        ["check", "net.toml", "--max", "X=1"],
        ["memory", "net.toml", "--fits", "X"],
        ["compare", "net.toml", "net.toml:X=1"],
        ["layers", "X"],
    ],
    ids=" ".join,
)
def test_arguments_in_messages_are_escaped(
    arguments: list[str], strange: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, *[part.replace("X", strange + "fake") for part in arguments])
    assert result.code == 2
    check_clean(result.output + result.errors)


def test_an_undecodable_byte_is_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    check_clean(run(capsys, "summary", "net.toml", "--\udcff\udc9b").errors)


def test_archcalcs_own_emphasis_is_printed() -> None:
    assert cleaned("\x1b[1mbold\x1b[0m\n\x1b[2mdim\x1b[0m") == "\x1b[1mbold\x1b[0m\n\x1b[2mdim\x1b[0m"
    assert cleaned("\x1b[8mhidden\x1b[31m\x1b]0;title\x07\r\b") == "�[8mhidden�[31m�]0;title���"


def test_commands_print_only_through_echo() -> None:
    """Nothing prints but `echo`, and nothing writes JSON but `json_text`."""
    ways = re.compile(r"click\.(echo|secho|style_echo)\(|\bprint\(|std(out|err)\.write|json\.dumps?\(")
    found = {
        f"{path.relative_to(PACKAGE)}: {match[0]}"
        for path in PACKAGE.rglob("*.py")
        for match in ways.finditer(path.read_text("utf-8"))
    }
    assert found == {"cli/terminal.py: click.echo(", "render/json_text.py: json.dumps("}


@pytest.mark.parametrize("letter", [*STRANGE, "\U000e0001", "\ud800", "é", "層", "🦊"])
def test_json_escapes_control_characters_without_loss(letter: str) -> None:
    text = json_text({letter: [letter, 1, None]})
    assert text.replace("\n", "").isprintable()
    assert json.loads(text) == {letter: [letter, 1, None]}


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("=1+1", "'=1+1"),
        ("+x", "'+x"),
        ("-x", "'-x"),
        ("@sum", "'@sum"),
        ("\t=1", "' =1"),
        ("\r=1", "�=1"),
        (" =1", "' =1"),
        ("\uff1d1", "'\uff1d1"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("-1.5", "-1.5"),
        ("-1x-1", "-1x-1"),
        (-1, -1),
        (None, None),
        ("conv", "conv"),
    ],
)
def test_a_cell_that_looks_like_a_formula_is_text(cell: object, text: object) -> None:
    assert csv_cell(cell) == text


def test_cells_of_any_text_are_read_back() -> None:
    cells = ["a,b", 'say "so"', "'", "=1", "x\ny", 3]
    written = write_csv([{f"h{number}": cell for number, cell in enumerate(cells)}])
    ((*again,),) = csv.reader(io.StringIO(written.split("\n", 1)[1]))
    assert again == ["a,b", 'say "so"', "'", "'=1", "x�y", "3"]
