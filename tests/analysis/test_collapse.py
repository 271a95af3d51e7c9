"""A repeated entry with a name is one row where blocks are collapsed, as it is one container in PyTorch."""

import pytest
import torchvision

import archcalc
from archcalc.diagram.look import Look
from archcalc.diagram.parts import find_parts, tiles_in
from archcalc.diagram.picture import draw
from archcalc.structure import find_structure, groups_in

RESIDUAL = """
name = "residual"
inputs.image = [8, 16, 16]
layers = [
  { name = "layer1", type = "basic", repeat = 3 },
  { name = "layer2", type = "linear", out_features = 4, repeat = 2, when = "index != 1" },
]
[blocks.basic]
layers = [
  { name = "conv", type = "conv2d", out_channels = 8, kernel_size = 3, padding = 1 },
  { name = "relu", type = "relu" },
  { type = "add", inputs = ["input", "relu"] },
]
"""


def test_copies_are_one_row_and_then_a_row_each() -> None:
    network = archcalc.loads(RESIDUAL)
    rows = network.collapsed(1).layers
    assert [(row.name, row.type, row.parameters) for row in rows[:1]] == [("layer1", "basic ×3", 3 * 584)]
    assert [row.name for row in network.collapsed(2).layers] == ["layer1.0", "layer1.1", "layer1.2", "layer2.0"]
    assert rows[0].output_shape == (8, 16, 16)
    assert rows[0].inputs == ("image",)
    assert rows[1].inputs == ("layer1",)


def test_copies_left_out_do_not_count() -> None:
    assert archcalc.loads(RESIDUAL).collapsed(1).layers[1].type == "linear ×1"


@pytest.mark.parametrize("spec", ["vgg16", "vgg11"])
def test_the_groups_of_vgg_add_up_to_the_slices_of_torchvision(spec: str) -> None:
    features = getattr(torchvision.models, spec)(weights=None).features
    counts, slices = [0], [sum(value.numel() for value in module.parameters()) for module in features]
    for module, count in zip(features, slices, strict=True):
        counts[-1] += count
        counts += [0] if type(module).__name__ == "MaxPool2d" else []
    rows = archcalc.load(spec).collapsed(1).layers
    assert [row.parameters for row in rows if row.name.startswith("conv")] == counts[:-1]


def test_every_surface_has_the_group() -> None:
    network = archcalc.loads(RESIDUAL)
    assert next(tiles_in(find_parts(network.context, 1).parts))[0].name == "layer1"
    assert next((tile.name, n) for tile, n in tiles_in(find_parts(network.context, 2).parts)) == ("layer1.0", 3)
    card = draw(network.context, Look(depth=1)).cards[1]
    assert [line.left for line in card.rows[:2]] == ["layer1", "basic ×3 · 9 layers"]
    other = archcalc.loads(RESIDUAL.replace("repeat = 3", "repeat = 4"))
    changed = archcalc.compare([network, other], depth=1).layers[0].changes[0]
    assert [str(change) for change in changed] == ["basic ×3 → basic ×4"]
    assert network.explain("layer1").value("parameters", "parameters") == 3 * 584
    assert network.memory().collapsed(network.graph, 1).layers[0].name == "layer1"


def test_a_group_is_no_instance_of_a_block() -> None:
    """Exported text has a class for each block, and none for a group of copies."""
    groups = {".".join(group.path): group for group in groups_in(find_structure(archcalc.loads(RESIDUAL).graph))}
    assert groups["layer1"].instance is None
    assert groups["layer1.0"].instance
