"""The Python API: arguments, errors, and what every result offers."""

import csv
import io
import json
import sys
import types
from typing import Any

import pytest

import archcalc


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "batch must be a whole number, 1 or more, and is 0"),
        ({"batch": 2.5}, "batch must be a whole number, 1 or more, and is 2.5"),
        ({"batch": True}, "batch must be a whole number, 1 or more, and is True"),
        ({"variables": ["C"]}, "variables must be a mapping from names"),
        ({"inputs": [1, 32, 32]}, "inputs must be a mapping from names"),
        ({"inputs": {"image": "1x36x36"}}, "the shape of input 'image' must be whole numbers, 1 or more"),
        ({"inputs": {"image": [1, 0, 36]}}, "the shape of input 'image' must be whole numbers, 1 or more"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(archcalc.UsageError, match=message):
        archcalc.load("lenet5", **arguments)


def test_loads_takes_text() -> None:
    with pytest.raises(archcalc.UsageError, match="loads takes the text of a spec, not bytes"):
        archcalc.loads(b"name = 'x'")  # type: ignore[arg-type]


def test_arguments_reach_the_network() -> None:
    network = archcalc.load("stacked_3x3", variables={"C": 8}, inputs={"image": (8, 20, 20)}, batch=2)
    assert network.inputs == {"image": (8, 20, 20)}
    assert network.totals.macs == 2 * 3 * 9 * 8 * 8 * 20 * 20
    assert network.batch == 2
    assert network.outputs == ("conv.2",)


def test_inferred_arguments_are_not_written() -> None:
    layer = '{ type = "conv2d", in_channels = 3, out_channels = 4, kernel_size = 1 }'
    spec = f'name = "x"\ninputs.i = [3, 8, 8]\nlayers = [{layer}]'
    with pytest.raises(archcalc.SpecError, match="leave it out: it follows from the input"):
        archcalc.loads(spec)


def test_capital_letters_are_no_obstacle() -> None:
    with pytest.raises(archcalc.SpecError, match='did you mean "relu"'):
        archcalc.loads('name = "x"\ninputs.i = [3]\nlayers = [{ type = "ReLU" }]')


HEADS = """
name = "heads"
outputs = ["auxiliary"]
inputs.x = [4]
layers = [
  { name = "logits", type = "linear", out_features = 2 },
  { name = "auxiliary", type = "head", when = "training" },
  { name = "never", type = "relu", when = false },
]
blocks.head.layers = [{ name = "fc", type = "linear", out_features = 2 }]
"""


def test_errors_name_layers_that_exist_only_in_training() -> None:
    network = archcalc.loads(HEADS.replace('outputs = ["auxiliary"]\n', ""))
    for layer in ("auxiliary", "auxiliary.fc"):
        with pytest.raises(archcalc.UsageError, match=f'"{layer}" is left out here; --training keeps'):
            network.explain(layer)
    with pytest.raises(archcalc.UsageError, match='layer "never" is left out here; see its when'):
        archcalc.loads(HEADS, training=True).explain("never")
    with pytest.raises(archcalc.SpecError, match="name one that always exists, or use --training"):
        archcalc.loads(HEADS)


def test_layers_by_name() -> None:
    network = archcalc.load("resnet50")
    row = network["layer1.0.reduce.conv"]
    assert row is network.layers["layer1.0.reduce.conv"]
    assert (row.name, row.parameters) == ("layer1.0.reduce.conv", 64 * 64)
    assert network.layers[0] is network[network.layers[0].name]
    assert [row.name for row in network.layers[:2]] == [network.layers[0].name, network.layers[1].name]
    with pytest.raises(archcalc.UsageError, match='"layer1" is a block'):
        network["layer1"]
    with pytest.raises(archcalc.UsageError, match='no layer is called "fcc"'):
        network.layers["fcc"]


@pytest.mark.parametrize("spec", [3, None, ["lenet5"], object()])
def test_arguments_that_are_no_spec(spec: object) -> None:
    with pytest.raises(archcalc.UsageError, match=f"not a {type(spec).__name__}; loads takes its text"):
        archcalc.load(spec)  # type: ignore[arg-type]


def test_a_network_is_not_loaded_again() -> None:
    with pytest.raises(archcalc.UsageError, match="'LeNet-5' is loaded already"):
        archcalc.load(archcalc.load("lenet5"))  # type: ignore[arg-type]


def test_public_names_alone_are_offered() -> None:
    assert dir(archcalc) == sorted([*archcalc.__all__, "__version__"])


def test_sizes_as_text() -> None:
    network = archcalc.load("lenet5")
    assert network.largest_batch("2MiB") == network.largest_batch(2 * 2**20)
    with pytest.raises(archcalc.UsageError, match='"2XB" has the unit "XB"'):
        network.largest_batch("2XB")


RESULTS = {
    "summary": lambda network: network.summary,
    "explain": lambda network: network.explain("C1"),
    "network": lambda network: network.explain(),
    "reconcile": lambda network: network.reconcile(),
    "memory": lambda network: network.memory(),
    "largest_batch": lambda network: network.largest_batch("2MiB"),
    "input_ranges": lambda network: network.input_ranges(),
    "roofline": lambda network: network.roofline("a100"),
    "receptive_field": lambda network: network.receptive_field(),
    "compare": lambda network: archcalc.compare([network, network]),
    "formula": lambda _network: archcalc.formula("lenet5", inputs={"image": (1, "H", "W")}),
}


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_shows_itself(name: str) -> None:
    result = RESULTS[name](archcalc.load("lenet5"))  # type: ignore[no-untyped-call]
    assert len(repr(result)) < 120
    assert "\n" not in repr(result)
    assert str(result) == result.to_text("plain")
    assert "<" in result._repr_html_()
    assert "\\begin{" in result._repr_latex_()
    assert json.loads(json.dumps(result.to_dict())) == json.loads(result.to_text("json"))
    assert [*csv.DictReader(io.StringIO(result.to_text("csv")))]
    with pytest.raises(archcalc.UsageError, match='no format is called "xlsx"'):
        result.to_text("xlsx")


def test_a_data_frame_has_the_rows_of_csv(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is a data frame of pandas or else of polars; neither has to be installed."""
    made = types.SimpleNamespace(DataFrame=lambda records: ("a frame", records))
    monkeypatch.setitem(sys.modules, "pandas", made)
    kind, records = archcalc.load("lenet5").memory().to_dataframe()
    assert (kind, records[0]["name"], records[0]["output"]) == ("a frame", "C1", 4 * 6 * 28 * 28)
    monkeypatch.setitem(sys.modules, "pandas", None)
    monkeypatch.setitem(sys.modules, "polars", made)
    assert archcalc.load("lenet5").memory().to_dataframe()[0] == "a frame"
    without_axes = archcalc.loads('name = "x"\ninputs.x = [3]\nlayers = [{ type = "relu" }]')
    assert [*without_axes.input_ranges().to_dataframe()[1]][:2] == ["sizes", "size"]
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(archcalc.UsageError, match="needs pandas or polars"):
        archcalc.load("lenet5").memory().to_dataframe()


def test_a_network_is_a_collection_of_its_layers() -> None:
    network = archcalc.load("lenet5")
    assert network[0] is network["C1"] is network.layers["C1"]
    assert [row.name for row in network] == [row.name for row in network.layers]
    assert (len(network), "C1" in network, "C9" in network) == (12, True, False)


def test_short_texts_of_results() -> None:
    network = archcalc.load("lenet5")
    assert repr(network[0]) == "LayerSummary('C1', conv2d, 6×28×28, 156 parameters, 117,600 MACs)"
    assert repr(network.layers) == "Layers(12: C1 … output)"
    # and 1,176 + 400 values of average poolings
    assert repr(network.count("thop")) == "ConventionCount('LeNet-5', thop MACs, 418,096)"
    assert repr(network.check()) == "CheckResult(no findings in 1 spec)"
    assert len(network.count("thop").to_dict()["layers"]) == 12


def test_several_layers_are_explained_together() -> None:
    found = archcalc.load("lenet5").explanations("C*", "F6")
    assert [one.name for one in found.explanations] == ["C1", "C3", "C5", "F6"]
    with pytest.raises(archcalc.UsageError, match=r"explanations\(\) takes several names"):
        archcalc.load("lenet5").explain(["C1", "C3"])  # type: ignore[arg-type]


def test_networks_to_compare_in_every_form() -> None:
    one, other = archcalc.load("lenet5"), archcalc.load("resnet18")
    labels = [archcalc.compare(one, other).labels, archcalc.compare([one, other]).labels]
    assert labels == [("LeNet-5", "ResNet-18")] * 2
    assert archcalc.compare({"a": one, "b": other}).labels == ("a", "b")
    for wrong in ("lenet5", 5, None):
        with pytest.raises(archcalc.UsageError, match="a comparison takes"):
            archcalc.compare(one, wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("depth", [0, -1, "1", 1.5, True])
def test_depths_that_are_none(depth: object) -> None:
    network = archcalc.load("resnet18")
    for collapsed in (
        lambda: network.collapsed(depth),  # type: ignore[arg-type]
        lambda: network.memory().collapsed(network.graph, depth),  # type: ignore[arg-type]
        lambda: archcalc.compare(network, network, depth=depth),  # type: ignore[arg-type]
        lambda: network.receptive_field(depth=depth),  # type: ignore[arg-type]
    ):
        with pytest.raises(archcalc.UsageError, match="use a whole number, 1 or more"):
            collapsed()
