"""What one unit sees, layer after layer: beside gradients, beside what is known, and as a table."""

import pytest

import archcalc
from archcalc.analysis.receptive_field import AxisField
from archcalc.analysis.unit_field import _nearest
from archcalc.errors import UsageError
from archcalc.report.unit_field import render_unit_field, share_text, unit_field_to_dict

SMALL = """
name = "small"
inputs.image = [2, 17, 13]
layers = [
  { name = "a", type = "conv2d", out_channels = 3, kernel_size = [3, 5], padding = [1, 2] },
  { name = "b", type = "max_pool2d", kernel_size = 3, stride = 2, padding = 1 },
  { name = "c", type = "conv2d", out_channels = 2, kernel_size = 3, dilation = 2, padding = 2 },
  { name = "side", type = "conv2d", input = "b", out_channels = 2, kernel_size = 1 },
  { name = "sum", type = "add", inputs = ["c", "side"] },
  { name = "up", type = "conv_transpose2d", out_channels = 1, kernel_size = 3, stride = 2 },
  { name = "d", type = "conv2d", out_channels = 1, kernel_size = 2 },
]
"""


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("layer", ["a", "b", "c", "sum", "up", "d"])
def test_gradients_reach_what_is_said_to_be_seen(layer: str) -> None:
    """The gradient of a unit is not zero exactly on the part of its field that is in the input."""
    from archcalc.pytorch.verify.gradients import Measurable

    network = archcalc.loads(SMALL)
    edge = network.analysed.edge(network.position(layer))
    field = network.analysed.receptive_fields.edges[edge]
    measurable = Measurable(network.analysed, set(), [edge])
    height, width = (axis.extent for axis in field.axes)
    for unit in [(0, 0), (height - 1, 0), (height // 2, width // 2), (height // 2 - 1, width // 2), (1, width - 1)]:
        found = network.receptive_field(layer, unit)
        assert measurable.seen(edge, field, unit) == [*found.clipped(found.last)], unit


@pytest.mark.parametrize("name", [n for n in archcalc.shipped_specs() if not n.startswith(("gcn", "dense_"))])
def test_every_spec_has_a_unit_that_sees(name: str) -> None:
    network = archcalc.load(name)
    found = network.receptive_field()
    rows = {row.name: row for row in network.layers}
    for layer in found.layers:
        assert layer.axes == rows[layer.name].receptive_field.axes
        assert [*layer.sees] == [axis.sees(unit) for axis, unit in zip(layer.axes, layer.unit, strict=True)]
    assert 0 < found.share(found.last) <= 1


def test_units_before_are_the_nearest() -> None:
    found = archcalc.load("unet").receptive_field("classes", (100, 311))
    (top, bottom), (left, right) = found.last.sees
    network = archcalc.load("unet")
    for layer in found.layers[:-1]:
        for axis, unit, doubled in zip(layer.axes, layer.unit, (top + bottom, left + right), strict=True):
            distances = [abs(sum(axis.sees(other)) - doubled) for other in range(axis.extent)]
            assert distances[unit] == min(distances)
            assert unit == distances.index(min(distances))
    assert [layer.name for layer in found.layers] == [row.name for row in network.layers]


@pytest.mark.parametrize(("doubled", "unit"), [(-100, 0), (0, 0), (4, 0), (5, 1), (8, 1), (100, 4)])
def test_the_nearest_unit_is_one_that_exists(doubled: int, unit: int) -> None:
    # Units 0 to 4 have their middles at 0, 4, 8 …, doubled 0, 8, 16 …
    assert _nearest(AxisField((-1,), (1,), 4, 1, 5), doubled) == unit


def test_the_default_is_the_last_with_several_units() -> None:
    # pool5 is the last of AlexNet that has maps; what follows reads all of them.
    assert (archcalc.load("alexnet_2012").receptive_field().last.name) == "pool5"
    assert archcalc.load("alexnet_2012").receptive_field().last.unit == (3, 3)
    assert archcalc.load("lenet5_1998").receptive_field().last.name == "S4"


def test_a_corner_hangs_over_the_border() -> None:
    found = archcalc.load("alexnet_2012").receptive_field("conv5", (0, 12))
    # 163 positions, 16 apart; the first unit's middle is at 17: 5 in conv1, 4 more in pool1 and 8 more in pool2.
    assert found.last.sees == tuple((17 + 16 * unit - 81, 17 + 16 * unit + 81) for unit in (0, 12))
    assert found.overhang(found.last) == ((64, 0), (0, 290 - 226))
    assert found.clipped(found.last) == ((0, 98), (128, 226))
    assert found.share(found.last) == 99 * 99 / 227**2


def test_depth_folds_blocks() -> None:
    found = archcalc.load("resnet50").receptive_field("layer4.2.add", depth=1)
    assert [layer.name for layer in found.layers] == ["stem", "layer1", "layer2", "layer3", "layer4.2.add"]
    # Araujo, Norris, Sim 2019 and torchvision's ResNet-50: 427.
    assert found.last.axes[0].size == 427


@pytest.mark.parametrize(
    ("spec", "layer", "unit", "message"),
    [
        ("lenet5", "C1", (28, 0), "unit 28,0 does not exist: units are 28×28, counted 0 to 27 and 0 to 27"),
        ("lenet5", "C1", (3,), "unit 3 has not 2 numbers: units are 28×28"),
        ("lenet5", "F6", None, 'layer "F6" has no positions'),
        ("m5", "fc", None, 'layer "fc" has no positions: every unit sees 31468'),
        ("lenet5", "C7", None, 'no layer is called "C7"; known: "C1", "C3"'),
        ("resnet50", "layer1", None, '"layer1" is a block; name one of its layers'),
        ("gcn_cora", None, None, '"GCN on Cora" is of a graph: fields are counted in hops'),
        ("gcn_cora", "conv1", None, 'layer "conv1" is of a graph'),
        ("dense_mnist", None, None, 'no layer of "Dense MNIST" has units with positions'),
    ],
)
def test_what_cannot_be_asked(spec: str, layer: str | None, unit: tuple[int, ...] | None, message: str) -> None:
    with pytest.raises(UsageError) as error:
        archcalc.load(spec).receptive_field(layer, unit)
    assert message in str(error.value)


def test_a_pooled_map_of_one_position_has_a_unit() -> None:
    found = archcalc.load("resnet50").receptive_field("head.avgpool")
    assert found.last.unit == (0, 0)
    assert found.last.axes[0].size == 619


def test_another_input_is_not_mixed_in() -> None:
    text = """
    name = "two"
    inputs.one = [1, 8, 8]
    inputs.other = [1, 20, 20]
    layers = [
      { name = "small", type = "conv2d", input = "one", out_channels = 1, kernel_size = 3 },
      { name = "large", type = "conv2d", input = "other", out_channels = 1, kernel_size = 5 },
    ]
    outputs = ["small", "large"]
    """
    found = archcalc.loads(text).receptive_field("large", (0, 0))
    assert (found.source, found.extents, [layer.name for layer in found.layers]) == ("other", (20, 20), ["large"])


def test_table() -> None:
    text = render_unit_field(archcalc.load("lenet5_1998").receptive_field("C3", (0, 0)))
    assert text.splitlines() == [
        "LeNet-5 (1998): unit 0,0 of 10×10 in C3",
        "input image 1×32×32",
        "",
        "Layer  Unit   Size  Jump  Rows  Columns  Over the border  Of input",
        "C1      4,4    5×5   1×1   4…8      4…8                0     2.4 %",
        "S2      2,2    6×6   2×2   4…9      4…9                0     3.5 %",
        "tanh    2,2    6×6   2×2   4…9      4…9                0     3.5 %",
        "C3      0,0  14×14   2×2  0…13     0…13                0    19.1 %",
    ]


def test_json() -> None:
    found = unit_field_to_dict(archcalc.load("alexnet_2012").receptive_field("conv3", (0, 0)))
    assert (found["input"], found["positions"], found["layer"], found["unit"]) == ("image", [227, 227], "conv3", [0, 0])
    assert found["layers"][-1] == {
        "name": "conv3",
        "unit": [0, 0],
        "size": [99, 99],
        "jump": [16, 16],
        "center": [17, 17],
        "sees": [[-32, 66], [-32, 66]],
        "overhang": [[32, 0], [32, 0]],
        "share": 67 * 67 / 227**2,
    }


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.9999, "99.9 %"), (1e-9, "< 0.1 %"), (0.25, "25.0 %")]
)
def test_a_share_is_not_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert share_text(share) == text
