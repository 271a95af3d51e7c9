"""`archcalc formula`: its output in every format, and its errors."""

import json
import re
from pathlib import Path

import pytest
import sympy
from click.testing import CliRunner, Result
from written import written

import archcalc
from archcalc.analysis.formula_document import latex_of
from archcalc.cli import cli
from archcalc.render.style import Style
from archcalc.symbolic.functions import round_to


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["formula", *arguments])


def test_the_textbook_example() -> None:
    output = invoke("stacked_3x3", "--symbol", "C").output
    assert "parameters  27·C²\n" in output
    assert "output      C×56×56\n" in output
    assert output.endswith("at C = 64: 110,592 parameters, 346,816,512 MACs\n")
    assert "parameters  49·C²\n" in invoke("single_7x7", "--symbol", "C").output


def test_other_values_and_the_batch() -> None:
    output = invoke("stacked_3x3", "--symbol", "C", "--set", "C=10", "--batch", "N", "--input", "image=Cx8xW").output
    assert "input image C×8×W · batch N" in output
    assert "MACs        216·C²·N·W\n" in output
    assert "at C = 10, W = 56, N = 1: 2,700 parameters, 1,209,600 MACs\n" in output


def test_layers_and_blocks() -> None:
    every = invoke("lenet5", "--input", "image=1xHxW", "--layers").output
    assert all(row.name in every for row in archcalc.load("lenet5").layers)
    some = invoke("resnet50", "--input", "image=3xHxW", "stem", "layer1.0.reduce.conv").output
    names = [
        line.split()[0] for line in some.splitlines() if " × " not in line and ("stem." in line or "layer" in line)
    ]
    assert names == ["stem.conv1.conv", "stem.conv1.bn", "stem.relu", "stem.maxpool", "layer1.0.reduce.conv"]
    assert "H₁ = ⌈H/2⌉" in some
    assert "H₃" not in some


def test_sympy_reads_the_json() -> None:
    found = json.loads(invoke("mobilenet_v2", "--symbol", "width", "--format", "json").output)
    assert set(found) == {
        "name", "source", "symbols", "batch", "inputs", "outputs", "parameters", "macs", "macs_missing", "definitions",
        "rounded", "conditions", "layers",
    }  # fmt: skip
    values = {"width": sympy.Rational(1, 2)}
    for name, definition in found["definitions"].items():
        values[name] = sympy.sympify(definition, {"round_to": round_to}).subs(values)
    network = archcalc.load("mobilenet_v2", variables={"width": 0.5})
    assert sympy.sympify(found["parameters"]).subs(values) == network.totals.parameters
    assert sympy.sympify(found["macs"]).subs(values) == network.totals.macs
    assert found["outputs"] == {"classifier": ["1000"]}
    assert found["conditions"][0] == "round_to(32*width, 8) != round_to(16*width, 8)"


def test_latex_and_markdown() -> None:
    latex = invoke("lenet5", "--input", "image=1xHxW", "--format", "latex").output
    assert "\\begin{align*}\n\\text{output} &= 10 \\\\\n" in latex
    assert r"H_{1} &= \left\lfloor{\frac{H}{2}}\right\rfloor - 2 \\" in latex
    markdown = invoke("stacked_3x3", "--symbol", "C", "--layers", "--format", "markdown").output
    assert "| conv.1 | conv2d | C×56×56 | 9·C² | 28,224·C² |" in re.sub(r" +", " ", markdown)


@pytest.mark.parametrize("layers", [None, ["up1"]])
def test_conditions_are_in_every_format(layers: list[str] | None) -> None:
    formula = archcalc.formula("unet", inputs={"image": (1, "H", "W")})
    for format_name, form in (
        ("plain", "H ≥ 92"),
        ("markdown", "H ≥ 92"),
        ("latex", r"H \geq 92"),
        ("json", "H >= 92"),
    ):
        assert form in written(formula, format_name, layers)


@pytest.mark.parametrize("layers", [None, ["C1", "C3", "F6"]])
def test_no_line_is_wider_than_the_terminal(layers: list[str] | None) -> None:
    formula = archcalc.formula("lenet5", inputs={"image": (1, "H", "W")}, batch="N")
    for width in (40, 60, 80, 120):
        lines = written(formula, "plain", layers, Style(width)).splitlines()
        assert [line for line in lines if len(line) > width] == []
        assert "10,080" in "".join(lines)


def test_a_long_formula_is_broken_between_terms() -> None:
    formula = archcalc.formula("mobilenet_v1", ["alpha", "resolution"], batch="N")
    text = written(formula, "plain", None, Style(80))
    (start,) = [number for number, line in enumerate(text.splitlines()) if line.startswith("MACs")]
    broken = text.splitlines()[start : text.splitlines().index("", start)]
    assert len(broken) > 2
    assert all(line.startswith("            + ") for line in broken[1:])


def test_unknown_macs_make_a_lower_bound(tmp_path: Path) -> None:
    path = tmp_path / "graph.toml"
    path.write_text(
        'name = "graph"\nvariables.n = 7\ninputs.x = ["n", 5]\ninputs.a = ["n", "n"]\n'
        'layers = [{ type = "gcn_conv", inputs = ["x", "a"], out_features = 4 }, { type = "linear", out_features = 3 }]'
    )
    output = invoke(str(path), "--symbol", "n").output
    assert "MACs        ≥ 12·n\n" in output
    assert "? gcn_conv: the adjacency input does not say its number of nonzeros at this size\n" in output
    assert "| ? |" in re.sub(r" +", " ", invoke(str(path), "--symbol", "n", "--layers", "--format", "markdown").output)
    assert r"\text{MACs} &\geq 12 \cdot n" in invoke(str(path), "--symbol", "n", "--format", "latex").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lenet5", "--input", "image=1xH"], 'input "image" has 3 axes, not 2'),
        (["lenet5", "--input", "image=1xHx-3"], "is no shape; write sizes, and letters for symbols, as 3xHxW"),
        (["lenet5", "--input", "image=1xHx0"], "is no shape"),
        (["lenet5"], "a formula needs a symbol: sizes of an input (--input image=CxHxW)"),
        (["stacked_3x3", "--symbol", "D"], 'no variable is called "D"'),
        (["stacked_3x3", "--symbol", "C", "conv.5"], 'no layer is called "conv.5"; did you mean'),
        (["stacked_3x3", "--symbol", "C", "--batch", "-2"], '"-2" cannot stand for the batch'),
        (["stacked_3x3", "--symbol", "C", "--batch", "0"], "batch must be a whole number, 1 or more, or a name"),
    ],
)
def test_wrong_arguments(arguments: list[str], message: str) -> None:
    done = invoke(*arguments)
    assert done.exit_code != 0
    assert message in done.output + str(done.exception)


def test_signs_in_names_are_text_in_latex() -> None:
    """Their commands need math of their own."""
    assert latex_of(sympy.Symbol("growth") + 1) == r"\mathit{growth} + 1"
    assert latex_of(sympy.Symbol("größeᵀ") + 1) == r"\textit{größe$^{\mathrm{T}}$} + 1"
