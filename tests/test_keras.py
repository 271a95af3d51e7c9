"""Xception and MobileNet compared with Keras, layer by layer.

data/keras_layers.json has the name, output shape and parameters of every layer in `keras.applications`.
Keras counts moving statistics as parameters, in archcalc they are buffers.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import archcalc

KERAS = json.loads((Path(__file__).parent / "data" / "keras_layers.json").read_text("utf-8"))


class Row(NamedTuple):
    shape: tuple[int, ...]
    parameters: int


def keras_rows(name: str) -> dict[str, Row]:
    """Keras' layers, with shapes without the batch and channels first. Inputs are no layers in archcalc."""
    rows = {}
    for layer in KERAS[name]["layers"]:
        ((_, *positions, channels),) = layer["shapes"]
        if layer["type"] != "InputLayer":
            rows[layer["name"]] = Row((channels, *positions), layer["params"])
    return rows


def spec_rows(network: archcalc.Network, keras_name: Callable[[str], str]) -> dict[str, Row]:
    """The spec's layers by Keras' name. Several layers that are one in Keras add up, with the shape of the last."""
    rows: dict[str, Row] = {}
    for row in network.layers:
        name = keras_name(row.name)
        counter = 1 if row.buffers else 0  # PyTorch's batch normalization counts batches, Keras' does not
        before = rows[name].parameters if name in rows else 0
        rows[name] = Row(row.output_shape, before + row.parameters + row.buffers - counter)
    return rows


DOWN = {"block2": 0, "block3": 1, "block4": 2, "block13": 3}  # Keras numbers unnamed layers
XCEPTION = {"flatten": "avg_pool", "softmax": "predictions"}  # parts of these layers in Keras


def numbered(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def name_in_xception(name: str) -> str:
    block, _, rest = name.partition(".")
    if rest == "add":
        return numbered("add", int(block.removeprefix("block")) - 2)
    if rest in ("shortcut", "shortcut_bn"):
        return numbered("conv2d" if rest == "shortcut" else "batch_normalization", DOWN[block])
    name = re.sub(r"\.(depthwise|pointwise)$", "", name)
    return XCEPTION.get(name, name.replace(".", "_"))


def name_in_mobilenet(name: str) -> str:
    name = re.sub(r"^conv_dw_(\d+)\.pad$", r"conv_pad_\1", name)
    return name.removesuffix(".conv").replace(".", "_")


@pytest.mark.parametrize(
    ("keras", "spec", "keras_name"),
    [("Xception", "xception", name_in_xception), ("MobileNet", "mobilenet_v1", name_in_mobilenet)],
)
def test_layer_by_layer(keras: str, spec: str, keras_name: Callable[[str], str]) -> None:
    network = archcalc.load(spec)
    assert spec_rows(network, keras_name) == keras_rows(keras)
    assert network.totals.trainable_parameters == KERAS[keras]["trainable"]
    statistics = sum(row.buffers - 1 for row in network.layers if row.buffers)
    assert network.totals.parameters + statistics == KERAS[keras]["total"]


def test_inception_v3_in_total() -> None:
    """Keras' network has no auxiliary head, and its batch normalizations have no scale."""
    network = archcalc.load("inception_v3")
    normalizations = [row for row in network.layers if row.type == "batch_norm"]
    scales = sum(row.output_shape[0] for row in normalizations)
    statistics = sum(row.buffers - 1 for row in normalizations)
    assert statistics == 34_432
    assert network.totals.parameters - scales + statistics == 23_851_784
