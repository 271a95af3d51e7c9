"""`archcalc summary`: its output in each format."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import archcalc
from archcalc.analysis.summary_document import COLUMNS
from archcalc.cli import cli
from archcalc.render.write import FORMATS

SPECS = sorted(archcalc.shipped_specs())


def summary(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["summary", *arguments], input=text, catch_exceptions=False)


@pytest.mark.parametrize("format_name", [name for name in FORMATS if name != "json"])
@pytest.mark.parametrize("spec", ["lenet5", "gcn_cora", "m5"])
def test_golden_texts(spec: str, format_name: str, golden: Callable[[Path, str], None]) -> None:
    golden(Path("tables") / f"{spec}.{format_name}.txt", summary(spec, "--format", format_name).output)


@pytest.mark.parametrize("spec", SPECS)
def test_columns_add_up_to_the_totals(spec: str) -> None:
    names = ["name", "parameters", "trainable_parameters", "buffers", "macs", "flops", "connections"]
    rows = [*csv.DictReader(io.StringIO(summary(spec, "--format", "csv", "--columns", ",".join(names)).output))]
    totals = archcalc.load(spec).totals
    for name in names[1:]:
        assert sum(int(row[name]) for row in rows) == getattr(totals, name)


@pytest.mark.every_spec
@pytest.mark.parametrize("format_name", FORMATS)
@pytest.mark.parametrize("spec", SPECS)
def test_every_format_of_every_spec_with_every_column(spec: str, format_name: str) -> None:
    output = summary(spec, "--format", format_name, "--columns", ",".join(COLUMNS)).output
    totals = archcalc.load(spec).totals
    if format_name == "csv":
        assert output.startswith("name,type,inputs,output_shape")
    else:
        plain = format_name in ("json", "latex")  # where programs read numbers
        assert (str(totals.parameters) if plain else f"{totals.parameters:,}") in output


def test_json_is_stable() -> None:
    data = json.loads(summary("lenet5", "--format", "json").output)
    assert list(data) == ["name", "source", "inputs", "outputs", "batch", "layers", "totals"]
    assert data["inputs"] == {"image": [1, 32, 32]}
    assert data["layers"][0] == {
        "name": "C1",
        "type": "conv2d",
        "inputs": ["image"],
        "output_shape": [6, 28, 28],
        "parameters": 156,
        "trainable_parameters": 156,
        "buffers": 0,
        "macs": 117_600,
        "operations": {"macs": 117_600, "additions": 4_704},
        "connections": 122_304,
        "receptive_field": {"size": [5, 5], "jump": [1, 1], "center": [2, 2], "unit": "pixels"},
        "unknown": {},
        "lower_bounds": {},
    }
    assert data["totals"] == {
        "parameters": 61_706,
        "trainable_parameters": 61_706,
        "buffers": 0,
        "macs": 416_520,
        "flops": 833_040,
        "connections": 423_038,
        "lower_bounds": {},
    }


def test_unknown_is_null_with_a_reason_and_totals_are_lower_bounds() -> None:
    text = """
    name = "x"
    inputs.nodes = [5, 3]
    inputs.edges = [5, 5]
    layers = [
      { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
      { type = "linear", out_features = 4 },
    ]
    """
    data = json.loads(summary("-", "--format", "json", text=text).output)
    reason = "the adjacency input does not say its number of nonzeros at this size"
    assert data["layers"][0]["macs"] is None
    assert data["layers"][0]["unknown"] == {"macs": reason, "connections": reason}
    assert data["totals"]["macs"] == 5 * 2 * 4
    assert data["totals"]["lower_bounds"] == dict.fromkeys(("macs", "connections", "flops"), f"g: {reason}")
    table = summary("-", text=text).output
    assert "≥ 40" in table
    assert f"? g: {reason}" in table


def test_batch_multiplies_operations_but_not_shapes() -> None:
    one, many = (json.loads(summary("lenet5", "--batch", n, "--format", "json").output) for n in ("1", "32"))
    assert many["totals"]["macs"] == 32 * one["totals"]["macs"]
    assert many["totals"]["connections"] == one["totals"]["connections"]
    assert [row["output_shape"] for row in many["layers"]] == [row["output_shape"] for row in one["layers"]]


def test_other_input_and_variable() -> None:
    assert "64×60×60" in summary("single_7x7", "--input", "image=64x60x60").output
    assert f"{49 * 8**2:,}" in summary("single_7x7", "--set", "C=8").output


def test_depth_collapses_blocks_and_keeps_totals() -> None:
    collapsed, full = (json.loads(summary("m5", "--format", "json", *more).output) for more in (("--depth", "1"), ()))
    assert [row["name"] for row in collapsed["layers"][:4]] == ["stage1", "stage2", "stage3", "stage4"]
    assert collapsed["layers"][0]["type"] == "conv_bn_pool"
    assert collapsed["layers"][1]["inputs"] == ["stage1"]
    assert collapsed["totals"] == full["totals"]
    for what in ("parameters", "macs", "buffers", "connections"):
        assert sum(row[what] for row in collapsed["layers"]) == full["totals"][what]


def test_standard_input() -> None:
    text = Path(archcalc.shipped_specs()["lenet5"]).read_text("utf-8")
    assert summary("-", text=text).output == summary("lenet5").output


def test_a_pipe_gets_no_decoration() -> None:
    output = summary("lenet5").output
    assert "─" not in output
    assert "\x1b" not in output


def test_shape_error_prints_the_layers_that_fit() -> None:
    result = CliRunner().invoke(cli, ["summary", "lenet5", "--input", "image=1x28x28"])
    assert result.output.rstrip().splitlines()[-1].split() == ["S4", "avg_pool2d", "16×4×4", "0", "0", "16×16", "4×4"]
    assert isinstance(result.exception, archcalc.ShapeError)
    assert [row.name for row in result.exception.network.layers][-1] == "S4"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet5", "--columns", "name,paramters"), 'no column is called "paramters"; did you mean "parameters"'),
        (("lenet6",), 'neither a file nor a shipped spec is called "lenet6"'),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(archcalc.ArchcalcError, match=message):
        summary(*arguments)


def test_a_collapsed_block_has_the_row_of_its_output_layer() -> None:
    text = """
    name = "x"
    inputs.i = [3, 8]
    layers = [{ name = "block", type = "b" }]
    [blocks.b]
    layers = [
      { name = "a", type = "conv1d", out_channels = 5, kernel_size = 1 },
      { name = "b", type = "conv1d", input = "input", out_channels = 9, kernel_size = 3 },
      { name = "c", type = "dropout", input = "a", when = "training" },
    ]
    """
    (row,) = json.loads(summary("-", "--depth", "1", "--format", "json", text=text).output)["layers"]
    assert row["output_shape"] == [5, 8]
    assert row["receptive_field"]["size"] == [1]
    assert row["parameters"] == (3 + 1) * 5 + (3 * 3 + 1) * 9


def test_a_collapsed_block_with_an_unknown_part_is_a_lower_bound() -> None:
    text = """
    name = "x"
    inputs.nodes = [5, 3]
    inputs.edges = [5, 5]
    layers = [{ name = "block", type = "b", inputs = ["nodes", "edges"], repeat = 1 }]
    [blocks.b]
    inputs = ["nodes", "edges"]
    layers = [
      { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
      { type = "linear", out_features = 4 },
    ]
    """
    reason = "the adjacency input does not say its number of nonzeros at this size"
    (row,) = json.loads(summary("-", "--depth", "1", "--format", "json", text=text).output)["layers"]
    assert (row["macs"], row["operations"]["additions"]) == (5 * 2 * 4, 5 * 4 + 5 * 2)
    assert row["lower_bounds"]["macs"] == f"block.0.g: {reason}"
    assert "macs" not in row["unknown"]
    assert "≥ 40" in summary("-", "--depth", "1", "--columns", "name,macs", "--format", "csv", text=text).output


def test_a_collapsed_block_has_the_reasons_of_its_parts() -> None:
    text = """
    name = "x"
    inputs.i = [3, 8]
    layers = [{ name = "block", type = "b" }]
    [blocks.b]
    layers = [{ name = "r", type = "relu" }, { type = "cat", inputs = ["input", "r"], dim = 1 }]
    """
    output = summary("-", "--depth", "1", "--columns", "name,receptive_field", text=text).output
    assert "block  ?" in output
    assert "? block: positions of several inputs lie side by side" in output


def test_copies_use_the_weights_of_copies() -> None:
    text = """
    name = "x"
    inputs.i = [4]
    layers = [
      { name = "s", type = "linear", out_features = 4, repeat = 2 },
      { name = "t", type = "linear", out_features = 4, repeat = 2, weights = "s" },
    ]
    """
    network = archcalc.loads(text)
    assert [node.owner for node in network.graph.nodes] == [None, None, 0, 1]
