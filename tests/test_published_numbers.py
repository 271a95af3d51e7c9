"""Numbers that papers and textbooks print. Each table of the data file names its source."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

import archcalc

# Data only; every table names its source.
PUBLISHED: dict[str, Any] = tomllib.loads((Path(__file__).parent / "data" / "published.toml").read_text("utf-8"))


def test_lenet5_1998_layer_by_layer() -> None:
    published = PUBLISHED["lenet5_1998"]
    network = archcalc.load("lenet5_1998")
    rows = {row.name: row for row in network.layers}
    for layer in published["layers"]:
        row = rows[layer["name"]]
        assert list(row.output_shape) == layer["shape"]
        assert row.parameters == layer["parameters"]
        assert row.connections == layer["connections"]
    assert network.totals.trainable_parameters == published["trainable_parameters"] == 60_000
    assert network.totals.connections == published["connections"] == 340_908


def test_lenet5_1998_uses_the_table_of_the_paper() -> None:
    network = archcalc.load("lenet5_1998")
    table = network.graph.nodes[network.position("C3")].layer.connections  # type: ignore[attr-defined]
    assert [list(row) for row in table] == PUBLISHED["lenet5_1998"]["c3_table"]


def test_lenet5_of_the_textbooks() -> None:
    published = PUBLISHED["lenet5_textbook"]
    totals = archcalc.load("lenet5").totals
    assert totals.parameters == published["parameters"] == 61_706
    assert totals.macs == published["macs"] == 416_520


def test_lenet5_macs_layer_by_layer() -> None:
    rows = {row.name: row.macs for row in archcalc.load("lenet5").layers if row.macs}
    assert rows == {
        "C1": 5 * 5 * 28 * 28 * 6,
        "C3": 240_000,
        "C5": 48_000,
        "F6": 10_080,
        "output": 840,
    }


def test_activation_maps() -> None:
    published = PUBLISHED["activation_maps"]
    network = archcalc.load("activation_maps")
    assert list(network.inputs["image"]) == published["input"]
    assert [list(row.output_shape) for row in network.layers if row.type == "conv2d"] == published["shapes"]


def test_dense_layer_against_convolution() -> None:
    published = PUBLISHED["dense_versus_convolution"]
    assert archcalc.load("dense_3x3").totals.parameters == published["dense_weights"]
    assert archcalc.load("conv_2x2_on_3x3").totals.parameters == published["convolution_weights"]


def test_mnist_cnn() -> None:
    assert archcalc.load("mnist_cnn").totals.parameters == PUBLISHED["mnist_cnn"]["parameters"]


def test_dense_mnist() -> None:
    assert archcalc.load("dense_mnist").totals.parameters == PUBLISHED["dense_mnist"]["parameters"] == 535_818


@pytest.mark.parametrize("channels", [1, 3, 64, 512])
def test_three_small_kernels_against_a_large_one(channels: int) -> None:
    published = PUBLISHED["stacked_3x3"]
    stacked = archcalc.load("stacked_3x3", variables={"C": channels})
    single = archcalc.load("single_7x7", variables={"C": channels})
    assert stacked.totals.parameters == eval(published["three_3x3"], {"C": channels}) == 27 * channels**2
    assert single.totals.parameters == eval(published["one_7x7"], {"C": channels}) == 49 * channels**2
    fields = [network.layers[-1].receptive_field for network in (stacked, single)]
    assert [field and field.size for field in fields] == [(7, 7), (7, 7)]


def test_m5() -> None:
    published = PUBLISHED["m5"]
    network = archcalc.load("m5")
    kernels = sum(row.macs // row.output_shape[-1] for row in network.layers if row.type == "conv1d" and row.macs)
    assert list(network.inputs["waveform"]) == published["input"]
    assert kernels == 80 * 128 + 3 * 128 * 128 + 3 * 128 * 256 + 3 * 256 * 512
    # The paper rounds its other networks (M11 1.8M, M18 3.7M), but truncates 0.56 to 0.5.
    assert int(10 * network.totals.parameters / 1e6) / 10 == published["parameters_m"]


def test_gcn_cora() -> None:
    network = archcalc.load("gcn_cora")
    assert network.totals.parameters == PUBLISHED["gcn"]["parameters"]
    field = network.layers[-1].receptive_field
    assert field is not None
    assert (field.size, field.unit) == ((2,), "hops")  # two layers see two hops
