"""Receptive fields of whole networks, compared with a published table and with gradients.

The table is from TensorFlow's receptive field library, for TF-Slim's networks, which are test specs here.
"""

import csv
from pathlib import Path

import pytest
import torch

import archcalc
from archcalc.analysis.summary import LayerSummary
from archcalc.pytorch.verify.fields import compare_fields

DATA = Path(__file__).parent / "data"
# Its gflops are those of the network up to an endpoint, on a 224×224 image; there are none for unknown sizes.
TABLE = [*csv.DictReader((DATA / "receptive_fields.csv").read_text("utf-8").splitlines())]
NETWORKS = sorted({row["cnn"] for row in TABLE})


pytestmark = pytest.mark.usefixtures("one_thread")


def load(cnn: str) -> archcalc.Network:
    return archcalc.load(DATA / "slim" / f"{cnn}.toml")


def layer_of(network: archcalc.Network, end_point: str) -> LayerSummary:
    """`vgg_a/conv3/conv3_2` is the second of the copies called conv3 here; TF-Slim's endpoints are behind the ReLU."""
    *_, name = end_point.split("/")
    stage, _, number = name.partition("_")
    path = f"{stage}.{int(number) - 1}.conv" if number else stage
    return network.layers[network.position(path)]


@pytest.mark.parametrize("cnn", NETWORKS)
def test_table_of_tf_slim(cnn: str) -> None:
    network = load(cnn)
    rows = [row for row in TABLE if row["cnn"] == cnn]
    assert len(rows) == {"alexnet_v2": 14, "vgg_16": 26, "vgg_a": 26}[cnn]
    for row in rows:
        field = layer_of(network, row["end_point"]).receptive_field
        assert field is not None
        sizes = {int(row["rf"])}
        assert set(field.size) == sizes
        assert set(field.jump) == {int(row["effective_stride"])}
        # How far the first unit sees over the border.
        first = {center - (size - 1) / 2 for center, size in zip(field.center, field.size, strict=True)}
        assert first == {-int(row["effective_padding"])}


@pytest.mark.parametrize("cnn", NETWORKS)
def test_operations_of_tf_slim(cnn: str) -> None:
    """Two for a MAC, one for a bias, and one for each position of a pooling's windows; ReLUs are not counted."""
    network = load(cnn)
    for row in TABLE:
        if row["cnn"] == cnn and row["gflops"] != "None":
            end = network.position(layer_of(network, row["end_point"]).name)
            assert sum(map(operations, network.layers[: end + 1])) / 1e9 == pytest.approx(
                float(row["gflops"]), abs=0.0005
            )


def operations(row: LayerSummary) -> int:
    if row.type == "relu":
        return 0
    counts = {kind: count or 0 for kind, count in row.operations.items()}
    windows = torch.Size(row.output_shape).numel() if "comparisons" in counts else 0
    return 2 * counts.pop("macs", 0) + sum(counts.values()) + windows


MEASURED = {
    ("alexnet", "pool5"): 195,
    ("alexnet_2012", "pool5"): 195,
    ("vgg16", "pool5"): 212,
    ("vgg19", "pool5"): 268,
    ("resnet18", "layer4.1.relu_2"): 435,
    ("resnet50", "layer4.2.relu_3"): 427,
}


@pytest.mark.parametrize(("spec", "layer"), MEASURED)
def test_known_fields_by_gradient(spec: str, layer: str) -> None:
    (row,) = compare_fields(archcalc.load(spec), [layer], lambda _done, _all: None)
    size = MEASURED[spec, layer]
    assert row.status == "equal"
    assert row.said["size"] == row.found["size"] == [size, size]
