"""`archcalc reconcile` and `--counting`: their output in each format."""

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from written import written

import archcalc
from archcalc.analysis.conventions import CONVENTIONS
from archcalc.cli import cli
from archcalc.numbers.figure import read_figure
from archcalc.render.style import Style
from archcalc.render.write import FORMATS

SPECS = sorted(archcalc.shipped_specs())
UNKNOWN = """
name = "x"
inputs.nodes = [5, 3]
inputs.edges = [5, 5]
layers = [
  { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
  { type = "linear", out_features = 4 },
]
"""
REASON = "g: the adjacency input does not say its number of nonzeros at this size"


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, arguments, input=text, catch_exceptions=False)


def reconcile(*arguments: str, text: str | None = None) -> Result:
    return invoke("reconcile", *arguments, text=text)


# --- reconcile -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("format_name", FORMATS)
def test_golden_texts(format_name: str, golden: Callable[[Path, str], None]) -> None:
    golden(Path("reconciliation") / f"unet.{format_name}.txt", reconcile("unet", "--format", format_name).output)


@pytest.mark.every_spec
@pytest.mark.parametrize("batch", ["1", "4"])
@pytest.mark.parametrize("spec", SPECS)
def test_the_printed_terms_add_up_to_the_printed_totals(spec: str, batch: str) -> None:
    macs = archcalc.load(spec, batch=int(batch)).totals.macs
    sums: dict[str, int] = {}
    totals: dict[str, int] = {}
    for line in reconcile(spec, "--batch", batch).output.split("Unit\n")[1].split("\n\n")[0].splitlines():
        label, number = re.fullmatch(r"(.*?) +([+−]?[\d,]+)(?:  \w+)?", line).groups()  # type: ignore[union-attr]
        value = int(number.replace(",", "").replace("−", "-"))
        if label.startswith("  "):
            sums[[*totals][-1]] += value
        else:
            totals[label], sums[label] = value, macs
    assert list(totals) == list(CONVENTIONS)
    assert totals == sums


@pytest.mark.every_spec
@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("spec", SPECS)
def test_fits_the_width(spec: str, width: int) -> None:
    text = written(archcalc.load(spec).reconcile("4.1e9"), "table", Style(width))
    head, *lines = text.split("\n\n", 1)[1].splitlines()
    assert head.startswith("Convention")
    assert max(map(len, lines)) <= width


def test_csv_adds_up() -> None:
    rows = [*csv.DictReader(io.StringIO(reconcile("resnet50", "--format", "csv").output))]
    for name in CONVENTIONS:
        total, *terms = (int(row["value"]) for row in rows if row["convention"] == name)
        assert total == sum(terms) == archcalc.load("resnet50").count(name).total


def test_json_is_stable() -> None:
    data = json.loads(reconcile("resnet50", "--target", "4.11G", "--format", "json").output)
    assert list(data) == ["name", "source", "inputs", "batch", "conventions", "target"]
    assert [found["name"] for found in data["conventions"]] == list(CONVENTIONS)
    fvcore = data["conventions"][[*CONVENTIONS].index("fvcore")]
    assert fvcore.pop("counts").startswith("MACs; 2 for each value of a batch norm")
    assert fvcore.pop("terms")[:2] == [
        {"term": "MACs", "value": 4_089_184_256, "unknown": None},
        {"term": "batch norm, 2 per value", "value": 22_227_968, "unknown": None},
    ]
    assert fvcore == {
        "name": "fvcore",
        "source": "fvcore 0.1.5.post20221221",
        "unit": "MACs",
        "total": 4_111_512_576,
        "lower_bound": False,
        "unknown": None,
        "departures": [],
    }
    assert data["target"] == {"text": "4.11G", "matches": ["fvcore", "timm", "connections"], "nearest": "connections"}


def test_a_target_is_explained() -> None:
    found = reconcile("resnet50", "--target", "4.133742592e9")
    assert found.exit_code == 0
    assert "thop                                           4,133,742,592  MACs  = 4.133742592e9" in found.output
    assert found.output.endswith("\nRounded to 4.133742592e9: thop.\n")


def test_a_target_without_a_match_fails_and_names_the_nearest() -> None:
    found = reconcile("resnet50", "--target", "4.2e9")
    assert found.exit_code == 1
    assert "No convention rounds to 4.2e9; the nearest is thop, with 4,133,742,592." in found.output


def test_a_lower_bound_matches_nothing() -> None:
    found = reconcile("-", "--target", "40", text=UNKNOWN)
    assert found.exit_code == 1
    assert re.search(r"^macs +≥ 40  MACs$", found.output, re.MULTILINE)
    assert f"? {REASON}" in found.output
    assert "the nearest is macs" not in found.output


def test_departures_are_printed_where_they_matter() -> None:
    sentence = "the tool itself counts a transposed convolution as an ordinary one"
    assert f"torchinfo, thop and torchprofile: {sentence}" in " ".join(reconcile("unet").output.split())
    assert "the tool itself" not in reconcile("resnet50").output


def test_options_reach_the_network() -> None:
    output = reconcile("googlenet", "--training", "--input", "image=3x64x64", "--format", "json").output
    network = archcalc.load("googlenet", training=True, inputs={"image": [3, 64, 64]})
    assert json.loads(output)["conventions"][0]["total"] == network.totals.macs


# --- figures ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("4.1e9", 4_050_000_000, 4_150_000_000),
        ("4.1E+9", 4_050_000_000, 4_150_000_000),
        ("4.09G", 4_085_000_000, 4_095_000_000),
        ("4.1 B", 4_050_000_000, 4_150_000_000),
        ("3.8 billion", 3_750_000_000, 3_850_000_000),
        ("3.8 GFLOPs", 3_750_000_000, 3_850_000_000),
        ("569M", 568_500_000, 569_500_000),
        ("569 million mult-adds", 568_500_000, 569_500_000),
        ("4.10e9", 4_095_000_000, 4_105_000_000),
        ("12k", 11_500, 12_500),
        ("1.5T", 1_450_000_000_000, 1_550_000_000_000),
        ("4,089,184,256", 4_089_184_256, 4_089_184_256),
        ("4100000000", 4_100_000_000, 4_100_000_000),
        ("0.004G", 3_500_000, 4_500_000),
    ],
)
def test_a_figure_is_read_at_its_own_precision(text: str, low: int, high: int) -> None:
    figure = read_figure(text)
    assert [figure.is_rounded(count) for count in (low - 1, low, high, high + 1)] == [False, True, True, False]


@given(st.integers(1, 10**15), st.integers(0, 6))
def test_counts_are_rounded_as_python_rounds(count: int, digits: int) -> None:
    assert read_figure(f"{count:.{digits}e}").is_rounded(count)
    assert read_figure(f"{count:,}").is_rounded(count)
    assert not read_figure(f"{count:,}").is_rounded(count + 1)


@pytest.mark.parametrize("text", ["", "x", "4.1x9", "4,1e9", "-4e9", "4.1e999", "1e9e9", "4.1 G G", "nan", "1" * 50])
def test_texts_that_are_no_figure(text: str) -> None:
    with pytest.raises(archcalc.UsageError, match=r"is not a figure; write 4\.1e9, 4\.09G, 569M or 4,089,184,256"):
        reconcile("lenet5", "--target", text)


# --- summary --counting ----------------------------------------------------------------------------------------------


def summary(*arguments: str, text: str | None = None) -> str:
    return invoke("summary", *arguments, text=text).output


@pytest.mark.parametrize("name", CONVENTIONS)
def test_the_summary_counts_as_a_tool_does(name: str) -> None:
    reading, activations = (read(name) for read in (RESNET.count, RESNET.count_activations))
    output = summary("resnet18", "--counting", name)
    assert re.search(rf"^Layer .*Parameters +{reading.title}  Field", output, re.MULTILINE)
    assert re.search(rf"^{activations.title} +{activations.total:,}$", output, re.MULTILINE)
    assert re.search(rf"^{reading.title} +{reading.total:,}", output, re.MULTILINE)
    rows = csv.DictReader(io.StringIO(summary("resnet18", "--counting", name, "--format", "csv")))
    assert sum(int(row["count"]) for row in rows) == reading.total


RESNET = archcalc.load("resnet18")


def test_the_default_is_as_it_was() -> None:
    assert "counting" not in json.loads(summary("lenet5", "--format", "json"))
    assert "Activations" not in summary("lenet5")


def test_a_collapsed_summary_adds_counts_up() -> None:
    data = json.loads(summary("resnet50", "--counting", "torchinfo", "--depth", "1", "--format", "json"))
    assert data["counting"] | {"counts": ""} == {
        "name": "torchinfo",
        "source": "torchinfo 1.8.0",
        "counts": "",
        "unit": "MACs",
        "activations_unit": "bytes",
        "count": 4_089_238_376,
        "activations": 177_831_744,
        "lower_bounds": {},
    }
    assert [row["name"] for row in data["layers"]] == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]
    for what in ("count", "activations"):
        assert sum(row[what] for row in data["layers"]) == data["counting"][what]


def test_columns_of_a_convention() -> None:
    output = summary("resnet50", "--depth", "1", "--counting", "fvcore", "--columns", "name,macs,count,activations")
    assert re.search(r"^Layer +MACs +fvcore MACs +fvcore activations$", output, re.MULTILINE)
    assert re.search(r"^head +2,048,000 +2,148,352 +1,000$", output, re.MULTILINE)


def test_activations_without_a_convention_are_archcalcs_own() -> None:
    output = summary("lenet5", "--columns", "name,activations")
    assert re.search(r"^C1 +4,704$", output, re.MULTILINE)
    assert re.search(r"^flatten +0$", output, re.MULTILINE)
    assert re.search(r"^Activations +14,602$", output, re.MULTILINE)


def test_markdown_has_the_totals() -> None:
    last = next(
        line
        for line in summary("resnet50", "--depth", "1", "--counting", "thop", "--format", "markdown").splitlines()
        if line.startswith("| Total")
    )
    assert last.split(" | ")[4].strip() == "4,133,742,592"


def test_an_unknown_count_has_a_reason() -> None:
    data = json.loads(summary("-", "--counting", "fvcore", "--format", "json", text=UNKNOWN))
    assert data["layers"][0]["count"] is None
    assert data["layers"][0]["unknown"]["count"] == REASON.removeprefix("g: ")
    assert data["counting"]["count"] == 40
    assert data["counting"]["lower_bounds"] == {"count": REASON}
    assert re.search(r"^fvcore MACs +≥ 40", summary("-", "--counting", "fvcore", text=UNKNOWN), re.MULTILINE)


def test_a_tools_mistake_is_noted() -> None:
    output = " ".join(summary("unet", "--counting", "thop").split())
    assert "The tool itself counts a transposed convolution as an ordinary one; archcalc does not." in output


def test_a_convention_that_does_not_exist() -> None:
    with pytest.raises(archcalc.UsageError, match='no counting convention is called "fvcor"; did you mean "fvcore"'):
        summary("lenet5", "--counting", "fvcor")
    with pytest.raises(archcalc.UsageError, match='no counting convention is called ""; known: "all", "calflops"'):
        summary("lenet5", "--counting", "")


def test_columns_of_a_convention_need_one() -> None:
    with pytest.raises(archcalc.UsageError, match="count and activations need a counting convention"):
        written(RESNET.summary, "plain", ["name", "count"])
    assert "fvcore MACs" in written(RESNET.collapsed(counting="fvcore"), "plain", ["name", "count"])


def test_a_shape_error_prints_the_counts_that_fit() -> None:
    result = CliRunner().invoke(cli, ["summary", "lenet5", "--input", "image=1x28x28", "--counting", "ptflops"])
    assert re.search(r"^S4 +avg_pool2d +16×4×4 +0 +2,048 ", result.output, re.MULTILINE)


def test_a_figure_in_macs_does_not_match_flops() -> None:
    network = archcalc.load("resnet50")
    assert network.reconcile("8.2 GMACs").matches == ()
    assert set(network.reconcile("8.2 GFLOPs").matches) >= {"flops", "torch", "calflops"}
    assert "flops" not in network.reconcile("4.1 G mult-adds").matches
