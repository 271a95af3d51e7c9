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


INTERLEAVED = """
name = "a block that reads a later layer"
inputs.image = [1, 8, 8]
layers = [
  { name = "A", type = "b", inputs = ["image", "X"] },
  { name = "X", type = "conv2d", input = "image", out_channels = 2, kernel_size = 1 },
  { name = "tail", type = "relu", input = "A" },
]
[blocks.b]
inputs = ["p", "q"]
layers = [
  { name = "c1", type = "conv2d", input = "p", out_channels = 2, kernel_size = 1 },
  { name = "sum", type = "add", inputs = ["c1", "q"] },
]
"""


def test_the_tree_keeps_the_layers_of_a_block_together() -> None:
    network = archcalc.loads(INTERLEAVED)
    assert [row.name for row in network.layers] == ["A.c1", "X", "A.sum", "tail"]
    tree = network.summary.nested(network.graph).tree
    assert [(one.row.name, one.level) for one in tree] == [("A", 0), ("A.c1", 1), ("A.sum", 1), ("X", 0), ("tail", 0)]


GRAPH = """
name = "sparse blocks"
inputs.features = [5, 4]
inputs.adjacency = [5, 5]
layers = [{ name = "b", type = "g", inputs = ["features", "adjacency"] }]
[blocks.g]
inputs = ["x", "edges"]
layers = [
  { name = "conv", type = "gcn_conv", inputs = ["x", "edges"], out_features = 2 },
  { name = "fc", type = "linear", out_features = 3 },
]
"""


def test_lower_bounds_of_blocks_keep_their_reason() -> None:
    network = archcalc.loads(GRAPH)
    text = network.collapsed(1).to_text()
    assert "≥ 30" in text
    assert "? b.conv: the adjacency input does not say its number of nonzeros" in text
    steps = {step["label"]: step for section in network.explain("b").to_dict()["sections"] for step in section["steps"]}
    assert (steps["macs"]["value"], steps["macs"]["lower_bound"]) == (30, True)
    assert "nonzeros" in steps["macs"]["unknown"]
    assert (steps["parameters"]["lower_bound"], steps["parameters"]["unknown"]) == (False, None)


def test_arguments_of_open_blocks_are_compared() -> None:
    first, other = (archcalc.loads(RESIDUAL.replace("repeat = 3", f"repeat = {count}")) for count in (3, 4))
    found = archcalc.compare(first, other)
    assert [(block.name, [*map(str, block.changes[0])]) for block in found.blocks] == [
        ("layer1", ["basic ×3 → basic ×4"])
    ]
    assert found.to_dict()["blocks"] == [
        {"name": "layer1", "changes": [[{"what": "type", "before": "basic ×3", "after": "basic ×4"}]]}
    ]
    assert "basic ×3 → basic ×4" in found.to_text()
    assert archcalc.compare(first, other, depth=1).blocks == ()
