"""Names from a stranger's spec are text in every format of every command."""

import csv
import io
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from test_formats import RESULTS

from archcalc.cli import cli
from archcalc.render.write import FORMATS

NAMES = (
    r"$\input{/etc/passwd}$",
    r"\write18{x} {} % #1 ^^5cinput ~",
    "[1pt]",
    "*",
    "<script>alert(1)</script>",
    "&lt;img&gt; &amp;",
    "a | b `c` ``d`` ~~e~~ **f** __g__ @all",
    "line\nbreak \x1b[31m \u202ebidi \x9b2J",
    "=1+1",
    "- list",
    "# heading",
    "48,48",
    "a--b",
)
ROW = '  {{ name = {}, type = "conv2d", out_channels = "width", kernel_size = 3, padding = 1 }},\n'
# By command: the arguments behind the spec. `layers` takes no spec.
COMMANDS = {
    "summary": [],
    "explain": [],
    "reconcile": [],
    "formula": ["--symbol", "width", "--layers"],
    "memory": ["--training"],
    "compare": ["{spec}:width=3"],
    "check": ["--all"],
    "range": [],
    "verify": ["--device", "meta"],
    "receptive-field": [],
    "bench": ["--seconds", "0.01"],
    "roofline": ["--device", "a100"],
    "specs": [],
}
LATEX = {
    *("begin", "end", "item", "paragraph", "toprule", "midrule", "bottomrule", "multicolumn", "quad", "num", "text"),
    *("times", "pm", "geq", "leq", "to", "cdot", "div", "lfloor", "rfloor", "lceil", "rceil", "triangleleft", "mathit"),
    *("textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "textquotedbl"),
    *("textdegree", "textmu", "ldots", "textendash", "textemdash"),
}
TAGS = {*("div", "p", "br", "strong", "pre", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td")}


@pytest.fixture(scope="module")
def spec(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("`a` $b$ &lt;") / "x.toml"
    title, source, image = (json.dumps(name) for name in (NAMES[0], NAMES[10], f"$x$ {NAMES[6]}"))
    rows = "".join(ROW.format(json.dumps(name)) for name in NAMES)
    head = f"name = {title}\nsource = {source}\ninputs.{image} = [1, 32, 32]\nvariables = {{ width = 4, unused = 1 }}"
    path.write_text(f"{head}\nlayers = [\n{rows}]\n", "utf-8")
    return path


def test_every_command_gets_hostile_names() -> None:
    assert {*COMMANDS, "layers"} == {*RESULTS}


@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize(
    "command",
    # The other commands pass their names through the same writers.
    [pytest.param(command, marks=[pytest.mark.slow] * (command == "bench")) for command in COMMANDS],
)
def test_names_are_text(command: str, format_name: str, spec: Path) -> None:
    arguments = [part.format(spec=spec) for part in COMMANDS[command]]
    found = CliRunner().invoke(cli, [command, str(spec), *arguments, "--format", format_name], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert all(letter.isprintable() or letter == "\n" for letter in found.stdout)
    CHECKS[format_name](found.stdout)


def _is_text(text: str) -> None:
    assert text.strip()


def _is_harmless_latex(text: str) -> None:
    """It has only commands of the writer, and is balanced."""
    lines = [line for line in text.splitlines() if not line.startswith("%")]
    body = re.sub(r"\\[\\{}$&%#_]", "", "\n".join(lines))
    assert {*re.findall(r"\\([a-zA-Z]+)", body)} <= LATEX
    assert not re.search(r"[%#~]|\^\^|--|``", body)
    assert body.count("$") % 2 == 0
    assert body.count("{") == body.count("}")
    assert not any(line.lstrip().startswith(("[", "*")) for line in lines)
    assert "4848" not in body


def _is_harmless_html(text: str) -> None:
    found = ElementTree.fromstring(f"<div>{text.replace('<br>', '<br/>').replace('&emsp;', ' ')}</div>")
    assert {element.tag for element in found.iter()} <= TAGS


def _is_harmless_markdown(text: str) -> None:
    """Outside of code, markup is the writer's."""
    words = re.sub(r"(`+)[^`].*?[^`]\1(?!`)", "", re.sub(r"\\[^a-zA-Z0-9\s]", "", text), flags=re.DOTALL)
    assert not re.search(r"[<>`~@$\[\]_]", words)
    assert not re.search(r"^(# |- list|=1)", words, flags=re.MULTILINE)
    assert "&" not in words.replace("&emsp;", "")


def _is_harmless_csv(text: str) -> None:
    cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
    assert not any(cell.startswith(("=", "@", "- ")) for cell in cells)


CHECKS = {
    "table": _is_text,
    "plain": _is_text,
    "markdown": _is_harmless_markdown,
    "latex": _is_harmless_latex,
    "html": _is_harmless_html,
    "csv": _is_harmless_csv,
    "json": json.loads,
}
