"""Textbook networks compared with the numbers of their papers, at the paper's precision.

Where a paper is wrong or cannot be reproduced, a table here notes it, and the test expects the computed number.
"""

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

import archcalc
from archcalc.analysis.summary import LayerSummary

# Data only; every table names its source.
PUBLISHED: dict[str, Any] = tomllib.loads((Path(__file__).parent / "data" / "published.toml").read_text("utf-8"))


def rows_of(network: archcalc.Network) -> dict[str, LayerSummary]:
    return {row.name: row for row in network.layers}


def block(network: archcalc.Network, *names: str) -> LayerSummary:
    """The last of these blocks or layers, with the parameters and MACs of all of them."""
    found = [row for row in network.collapsed(1).layers if row.name in names]
    assert len(found) == len(names)
    macs = sum(row.macs or 0 for row in found)
    return structs.replace(found[-1], parameters=sum(row.parameters for row in found), macs=macs)


# --- AlexNet ---------------------------------------------------------------------------------------------------------


def test_alexnet_2012_layer_by_layer() -> None:
    published, network = PUBLISHED["alexnet_2012"], archcalc.load("alexnet_2012")
    rows = rows_of(network)
    for layer in published["layers"]:
        row = rows[layer["name"]]
        assert list(row.output_shape) == layer["shape"]
        assert row.parameters == layer.get("parameters", 0)
        assert row.macs == layer.get("macs", 0)
    assert list(network.inputs["image"]) == published["input"]
    assert network.totals.parameters == published["parameters"] == 60_965_224
    assert network.totals.macs == published["macs"] == 724_406_816


def test_alexnet_2012_neurons() -> None:
    """The paper prints 253,440 for the first layer, but 55·55·96 is 290,400; the others are right."""
    rows = archcalc.load("alexnet_2012").layers
    neurons = [row.output_shape for row in rows if row.type in ("conv2d", "linear")]
    first, *others = [channels * side[0] * side[1] if side else channels for channels, *side in neurons]
    printed_first, *printed = PUBLISHED["alexnet_2012"]["neurons_printed"]
    assert others == printed
    assert (first, printed_first) == (290_400, 253_440)


def test_alexnet_of_the_printed_input_does_not_fit_exactly() -> None:
    (finding,) = [
        found
        for found in archcalc.load("alexnet_2012", inputs={"image": [3, 224, 224]}).check()
        if found.code == "W101" and '"conv1"' in found.message
    ]
    assert finding.help is not None
    assert "227" in finding.help


# --- VGG -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spec", "letter"), [("vgg11", "A"), ("vgg13", "B"), ("vgg16", "D"), ("vgg19", "E")])
def test_vgg_table_2(spec: str, letter: str) -> None:
    """Of the other columns, A-LRN equals A, and C, with 1×1 convolutions, has no spec."""
    published, parameters = PUBLISHED["vgg"], archcalc.load(spec).totals.parameters
    assert parameters == published["exact"][spec]
    assert round(parameters / 1e6) == published["table2_millions"][letter]


# --- GoogLeNet -------------------------------------------------------------------------------------------------------

# Sums of the printed branches, in units of 1,024 parameters, where the table prints another number.
GOOGLENET_ERRATA = {
    "inception_4a": 367.4,
    "inception_4b": 438.6,
    "inception_4c": 498.1,
    "inception_4d": 591.2,
    "inception_4e": 848.0,
    "inception_5a": 1019.0,
    "inception_5b": 1410.2,
}


@pytest.mark.parametrize("line", PUBLISHED["googlenet_2014"]["table1"], ids=lambda line: line["name"])
def test_googlenet_table_1(line: dict[str, Any]) -> None:
    network, name = archcalc.load("googlenet_2014"), line["name"]
    row = block(network, "conv2_reduce", "conv2") if name == "conv2" else block(network, name)
    assert list(row.output_shape) == line["shape"]
    thousands, millions = row.parameters / 1024, (row.macs or 0) / 1e6
    if name in GOOGLENET_ERRATA:
        assert thousands == pytest.approx(GOOGLENET_ERRATA[name], abs=0.05)
        assert abs(thousands - line["params_k"]) > 1
    else:
        assert abs(thousands - line["params_k"]) < 1
    if name == "inception_5a":  # 54 is printed; the branches add up to 51.1, on a quarter of the positions of 4e
        assert millions == pytest.approx(51.1, abs=0.05)
    else:
        assert abs(millions - line["ops_m"]) < 1


@pytest.mark.parametrize(
    "line",
    [line for line in PUBLISHED["googlenet_2014"]["table1"] if "branches" in line],
    ids=lambda line: line["name"],
)
def test_googlenet_branches(line: dict[str, Any]) -> None:
    rows = rows_of(archcalc.load("googlenet_2014"))
    branches = ("1x1", "3x3_reduce", "3x3", "5x5_reduce", "5x5", "pool_proj")
    assert [rows[f"{line['name']}.{branch}.conv"].output_shape[0] for branch in branches] == line["branches"]


def test_googlenet_first_convolution() -> None:
    """The table prints 2.7K parameters and 34M operations; 7·7·3·64 weights on 112×112 positions are more."""
    row = block(archcalc.load("googlenet_2014"), "conv1")
    assert (row.parameters, row.macs) == (7 * 7 * 3 * 64 + 64, 7 * 7 * 3 * 64 * 112 * 112)
    assert (row.parameters / 1024, (row.macs or 0) / 1e6) == pytest.approx((9.25, 118.0), abs=0.05)


def test_googlenet_in_total() -> None:
    published = PUBLISHED["googlenet_2014"]
    network, training = archcalc.load("googlenet_2014"), archcalc.load("googlenet_2014", training=True)
    assert network.totals.parameters == published["parameters_without_aux"]
    assert training.totals.parameters == published["parameters_with_aux"]
    assert training.outputs == ("softmax2", "softmax1.softmax", "softmax0.softmax")
    dense, average = published["head_dense_versus_average_pooling"].values()
    rows = rows_of(network)
    (channels, *side) = rows["inception_5b.cat"].output_shape
    assert channels * side[0] * side[1] * 1024 == dense
    assert rows["average"].parameters == average


def test_reductions_save_more_than_half() -> None:
    with_1x1, without = archcalc.load("inception_with_1x1"), archcalc.load("inception_without_1x1")
    module = block(archcalc.load("googlenet_2014"), "inception_3a")
    assert (with_1x1.totals.parameters, with_1x1.totals.macs) == (module.parameters, module.macs)
    assert with_1x1.layers[-1].output_shape == module.output_shape
    kernels = 1 * 1 * 64 + 3 * 3 * 128 + 5 * 5 * 32
    assert without.totals.macs == 192 * kernels * 28 * 28
    assert without.layers[-1].output_shape == (64 + 128 + 32 + 192, 28, 28)
    assert without.totals.macs / with_1x1.totals.macs == pytest.approx(2.37, abs=0.005)


# --- residual networks -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spec", PUBLISHED["resnet_2015"]["table1_giga"])
def test_resnet_table_1(spec: str) -> None:
    published = PUBLISHED["resnet_2015"]
    totals = archcalc.load(spec).totals
    assert totals.parameters == published["torchvision_parameters"][spec]
    macs = totals.macs
    if spec in ("resnet18", "resnet34"):
        # Section 4.1: the shortcuts of these have no projections ("option A") in the paper.
        macs -= sum(row.macs or 0 for row in archcalc.load(spec).layers if ".shortcut." in row.name)
    else:
        macs = archcalc.load(spec, variables={"stride_in_first_1x1": True}).totals.macs
    printed = published["table1_giga"][spec]
    if spec == "resnet50":  # 3.86 is printed as 3.8, truncated and not rounded like the others
        assert int(macs / 1e8) / 10 == printed == 3.8
        assert round(macs / 1e9, 1) == 3.9
    else:
        assert round(macs / 1e9, 1) == printed


@pytest.mark.parametrize("spec", ["resnet50", "resnet101", "resnet152"])
def test_resnet_v1_differs_in_operations_alone(spec: str) -> None:
    later, first = archcalc.load(spec), archcalc.load(spec, variables={"stride_in_first_1x1": True})
    assert first.totals.parameters == later.totals.parameters
    assert first.totals.buffers == later.totals.buffers
    # In stages 2, 3 and 4, one 1×1 convolution reads a quarter of the positions.
    saved = sum(3 * (2 * width * width * side * side) for width, side in ((128, 28), (256, 14), (512, 7)))
    assert later.totals.macs - first.totals.macs == saved


def test_resnet50_shows_the_table_of_the_paper() -> None:
    rows = archcalc.load("resnet50").collapsed(1).layers
    assert [(row.name, row.output_shape) for row in rows] == [
        ("stem", (64, 56, 56)),
        ("layer1", (256, 56, 56)),
        ("layer2", (512, 28, 28)),
        ("layer3", (1024, 14, 14)),
        ("layer4", (2048, 7, 7)),
        ("head", (1000,)),
    ]


def test_feature_extraction() -> None:
    network = archcalc.load("resnet50_feature_extraction")
    assert network.totals.trainable_parameters == PUBLISHED["resnet50_feature_extraction"]["trainable_parameters"]
    assert {row.name for row in network.layers if row.trainable_parameters} == {"fc"}
    trunk = archcalc.load("resnet50").totals.parameters - rows_of(archcalc.load("resnet50"))["head.fc"].parameters
    assert network.totals.parameters - network.totals.trainable_parameters == trunk


def test_r3d_18() -> None:
    published, network = PUBLISHED["r3d_18"], archcalc.load("r3d_18")
    assert list(network.inputs["video"]) == published["input"]
    assert (network.totals.parameters, network.totals.macs) == (published["parameters"], published["macs"])


# --- Inception v3, Xception, MobileNets ------------------------------------------------------------------------------


def test_inception_v3() -> None:
    published, network = PUBLISHED["inception_v3"], archcalc.load("inception_v3")
    assert network.totals.macs == published["macs"]
    assert network.totals.parameters == published["parameters_without_aux"]
    assert archcalc.load("inception_v3", training=True).totals.parameters == published["parameters_with_aux"]


def test_xception() -> None:
    assert archcalc.load("xception").totals.parameters == PUBLISHED["xception"]["parameters"]


@pytest.mark.parametrize("line", PUBLISHED["mobilenet_v1"]["width"], ids=lambda line: str(line["alpha"]))
def test_mobilenet_table_6(line: dict[str, Any]) -> None:
    totals = archcalc.load("mobilenet_v1", variables={"alpha": line["alpha"]}).totals
    assert round(totals.macs / 1e6) == line["madds_m"]
    assert round(totals.parameters / 1e6, 1) == line["params_m"]


@pytest.mark.parametrize("line", PUBLISHED["mobilenet_v1"]["resolution"], ids=lambda line: str(line["size"]))
def test_mobilenet_table_7(line: dict[str, Any]) -> None:
    totals = archcalc.load("mobilenet_v1", variables={"resolution": line["size"]}).totals
    millions = totals.macs / 1e6
    if line["size"] == 160:  # 290.7 is printed as 290, truncated and not rounded like 568.7
        assert int(millions) == line["madds_m"] < round(millions)
    else:
        assert round(millions) == line["madds_m"]
    assert round(totals.parameters / 1e6, 1) == 4.2


def test_mobilenet_v2() -> None:
    published, network = PUBLISHED["mobilenet_v2"], archcalc.load("mobilenet_v2")
    assert (network.totals.parameters, network.totals.macs) == (published["parameters"], published["macs"])
    # The paper truncates 300.8M to 300M, and 3.47M weights (without biases and normalization) to 3.4M.
    weights = sum(row.parameters for row in network.layers if row.type != "batch_norm") - 1000
    assert int(weights / 1e5) / 10 == 3.4


# --- U-Net -----------------------------------------------------------------------------------------------------------


def test_unet_map_by_map() -> None:
    published, network = PUBLISHED["unet"], archcalc.load("unet")
    shapes = [row.output_shape for row in network.layers if row.type in ("conv2d", "max_pool2d", "cat")]
    assert list(network.inputs["image"]) == published["input"]
    assert shapes == [(channels, side, side) for channels, side in published["maps"]]
    assert sum(row.type in ("conv2d", "conv_transpose2d") for row in network.layers) == published["convolutions"]


def test_unet_parameters_by_its_channels() -> None:
    down = [1, 64, 128, 256, 512, 1024]
    pairs = [(3, a, b) for before, b in pairwise(down) for a in (before, b)]
    pairs += [(kernel, a, b) for a, b in pairwise(down[:0:-1]) for kernel, a in ((2, a), (3, a), (3, b))]
    parameters = sum(kernel**2 * a * b + b for kernel, a, b in [*pairs, (1, 64, 2)])
    assert archcalc.load("unet").totals.parameters == parameters == 31_030_658
