"""What one unit sees, layer after layer: compared with gradients and known answers, and as a table."""

import itertools

import pytest
from field_oracle import Oracle
from written import written

import archcalc
from archcalc.analysis.dependence import ACROSS, depends_on, positions_read, unit_box
from archcalc.analysis.intervals import along
from archcalc.analysis.neuron_field import Seen, _nearest
from archcalc.analysis.neuron_field_document import share_text
from archcalc.analysis.receptive_field import AxisField
from archcalc.errors import UsageError
from archcalc.layers.resizing import upsampled

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


DILATED = """
name = "dilated convolution on a pooled map"
inputs.x = [4, 24, 24]
layers = [
  { name = "pool", type = "adaptive_avg_pool2d", output_size = 3 },
  { name = "conv", type = "conv2d", out_channels = 4, kernel_size = 3, dilation = 2, padding = 2 },
]
"""
CROSS = """
name = "cross"
inputs.x = [2, 11, 13]
layers = [
  { name = "row", type = "conv2d", input = "x", out_channels = 2, kernel_size = [1, 7], padding = "same" },
  { name = "column", type = "conv2d", input = "x", out_channels = 2, kernel_size = [7, 1], padding = "same" },
  { name = "sum", type = "add", inputs = ["row", "column"] },
  { name = "again", type = "conv2d", out_channels = 2, kernel_size = 3, dilation = 3, padding = 3 },
]
"""
HOLES = """
name = "holes"
inputs.x = [2, 17, 24]
layers = [
  { name = "pool", type = "adaptive_avg_pool2d", output_size = [4, 6] },
  { name = "up", type = "conv_transpose2d", out_channels = 2, kernel_size = 1, stride = 2 },
  { name = "mean", type = "conv2d", out_channels = 2, kernel_size = 2, dilation = 2 },
]
"""
ATROUS = """
name = "atrous"
inputs.x = [1, 33, 33]
layers = [{ name = "rate36", type = "conv2d", out_channels = 1, kernel_size = 3, dilation = 36, padding = 36 }]
"""
GATED = """
name = "gated"
inputs.x = [3, 12, 12]
layers = [
  { name = "conv", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 },
  { name = "squeeze", type = "adaptive_avg_pool2d", output_size = 1 },
  { name = "se", type = "mul", inputs = ["conv", "squeeze"] },
  { name = "last", type = "conv2d", out_channels = 4, kernel_size = 3, stride = 2 },
]
"""
TWO_READERS = """
name = "two readers"
outputs = ["time", "conv", "sum"]
inputs.x = [8, 24]
layers = [
  { name = "time", type = "linear", input = "x", out_features = 8 },
  { name = "conv", type = "conv1d", input = "x", out_channels = 8, kernel_size = 3, stride = 3 },
  { name = "sum", type = "add", inputs = ["time", "conv"] },
]
"""
TABLE = """
name = "table"
inputs.x = [2, 9, 9]
layers = [
  { name = "wide", type = "conv2d", out_channels = 2, kernel_size = 5, padding = 2 },
  { name = "cat", type = "cat", inputs = ["x", "wide"] },
  { name = "narrow", type = "conv2d", out_channels = 2, kernel_size = 1, connections = [[0], [1]] },
  { name = "both", type = "conv2d", out_channels = 2, kernel_size = 1, connections = [[0, 3], [1]], input = "cat" },
]
"""
NEAREST = """
name = "nearest"
inputs.x = [1, 3, 2]
layers = [{ name = "up", type = "upsample", scale_factor = 41 }]
"""


def positions(seen: Seen, extents: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The positions one by one."""
    places = itertools.product(*map(range, extents))
    return {
        place
        for place in places
        if any(
            all(any(a <= at <= b for a, b in intervals) for at, intervals in zip(place, box, strict=True))
            for box in seen.boxes
        )
    }


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("text", [SMALL, DILATED, CROSS, HOLES, GATED, TWO_READERS, ATROUS, TABLE, NEAREST])
def test_a_unit_sees_exactly_the_positions_that_are_listed(text: str) -> None:
    """They are the positions of non-zero gradients, for units at corners, at edges and in the middle of every layer."""
    network = archcalc.loads(text)
    oracle = Oracle(network)
    for row in network.layers:
        edge = network.context.graph.edge(network.position(row.name))
        try:
            sizes = network.receptive_field(row.name).units
        except UsageError:
            assert row.name in ("squeeze",)
            continue
        for unit in itertools.product(*({0, 1 % size, size // 2, size - 1} for size in sizes)):
            found = network.receptive_field(row.name, unit)
            own, field = found.last, network.context.receptive_fields.edges[edge]
            places = {axis.axis: at for axis, at in zip(own.axes, unit, strict=True) if axis.advance}
            gradient = oracle.seen(edge, places)[found.source]
            hidden = [axis for axis in range(gradient.dim()) if axis not in field.places]
            seen = gradient.amax(hidden) if hidden else gradient
            everything = own.everything or own.seen
            assert everything.exact
            assert positions(everything, found.extents) == set(map(tuple, seen.nonzero().tolist())), (row.name, unit)
            assert found.part(everything) == int(seen.sum()) / seen.numel()


def test_a_dilated_window_over_the_border_sees_its_middle() -> None:
    found = archcalc.loads(DILATED).receptive_field("conv", (1, 1))
    assert found.last.seen.boxes == ((((8, 15),), ((8, 15),)),)
    assert (found.clipped(found.last), found.share(found.last)) == (((8, 15), (8, 15)), 64 / 576)
    corner = archcalc.loads(DILATED).receptive_field("conv", (0, 2))
    assert corner.last.seen.boxes == ((((0, 7), (16, 23)), ((0, 7), (16, 23))),)
    text = written(corner)
    assert "0…7, 16…23" in text
    assert "40×40°" in text
    middle = archcalc.loads(ATROUS).receptive_field("rate36", (16, 16))
    assert middle.share(middle.last) == 1 / 1089


def test_branches_that_differ_by_axis_make_a_cross() -> None:
    found = archcalc.loads(CROSS).receptive_field("sum", (5, 6))
    assert set(found.last.seen.boxes) == {(((2, 8),), ((6, 6),)), (((5, 5),), ((3, 9),))}
    assert found.share(found.last) == 13 / (11 * 13)
    assert "sum: not at every crossing of these rows and columns: it sees 2 parts" in written(found)


def test_a_unit_that_sees_nothing_has_an_answer() -> None:
    found = archcalc.loads(HOLES).receptive_field("up", (1, 1))
    assert (found.last.sees, found.last.seen.boxes, found.clipped(found.last)) == (None, (), None)
    assert "the unit of up sees nothing of the input" in written(found)
    plain = found.to_dict()["layers"][-1]
    assert (plain["center"], plain["seen"], plain["share"]) == (None, [], 0)


def test_local_and_global_fields_are_separate() -> None:
    found = archcalc.loads(GATED).receptive_field("last", (1, 1))
    assert found.last.seen.boxes == ((((1, 5),), ((1, 5),)),)
    assert (found.last.global_from, found.last.everything.boxes) == ("squeeze", ((((0, 11),), ((0, 11),)),))
    assert "17.4 % + all" in written(found)
    assert found.to_dict()["layers"][-1]["global"] == {
        "from": "squeeze",
        "seen": [[[[0, 11]], [[0, 11]]]],
        "share": 1.0,
        "exact": True,
    }


@pytest.mark.every_spec
@pytest.mark.parametrize("name", [n for n in archcalc.shipped_specs() if not n.startswith(("gcn", "dense_"))])
def test_every_spec_has_a_unit_that_sees(name: str) -> None:
    network = archcalc.load(name)
    found = network.receptive_field()
    rows = {row.name: row for row in network.layers}
    for layer in found.layers:
        assert layer.axes == rows[layer.name].receptive_field.axes
        assert [*layer.sees] == [axis.sees(unit) for axis, unit in zip(layer.axes, layer.unit, strict=True)]
    assert 0 < found.share(found.last) <= 1


def test_units_of_earlier_layers_are_the_nearest_ones() -> None:
    found = archcalc.load("unet").receptive_field("classes", (100, 311))
    (top, bottom), (left, right) = found.last.sees
    network = archcalc.load("unet")
    last = network.context.graph.edge(network.position("classes"))
    shape = network.context.tensors[last].shape
    read = depends_on(network.context, last, unit_box(shape, {1: 100, 2: 311}))
    for layer in found.layers[:-1]:
        for axis, unit, doubled in zip(layer.axes, layer.unit, (top + bottom, left + right), strict=True):
            edge = network.context.graph.edge(network.position(layer.name))
            intervals = along(read[edge].boxes, axis.axis)
            distances = {other: abs(sum(axis.sees(other)) - doubled) for a, b in intervals for other in range(a, b + 1)}
            assert distances[unit] == min(distances.values())
    assert [layer.name for layer in found.layers] == [row.name for row in network.layers]


@pytest.mark.parametrize(("doubled", "unit"), [(-100, 0), (0, 0), (4, 0), (5, 1), (8, 1), (100, 4)])
def test_the_nearest_unit_exists(doubled: int, unit: int) -> None:
    # Units 0 to 4 have their middles at 0, 4, 8 …, doubled 0, 8, 16 …
    assert _nearest(AxisField((-1,), (1,), 4, 1, 5), doubled) == unit


def test_the_default_is_the_last_with_several_units() -> None:
    # pool5 is the last of AlexNet that has maps; what follows reads all of them.
    assert (archcalc.load("alexnet_2012").receptive_field().last.name) == "pool5"
    assert archcalc.load("alexnet_2012").receptive_field().last.unit == (3, 3)
    assert archcalc.load("lenet5_1998").receptive_field().last.name == "S4"


def test_a_corner_unit_reaches_over_the_border() -> None:
    found = archcalc.load("alexnet_2012").receptive_field("conv5", (0, 12))
    # 163 positions, 16 apart; the first unit's middle is at 17: 5 in conv1, 4 more in pool1 and 8 more in pool2.
    assert found.last.sees == tuple((17 + 16 * unit - 81, 17 + 16 * unit + 81) for unit in (0, 12))
    assert found.overhang(found.last) == ((64, 0), (0, 290 - 226))
    assert found.clipped(found.last) == ((0, 98), (128, 226))
    assert found.share(found.last) == 99 * 99 / 227**2


def test_depth_collapses_blocks() -> None:
    found = archcalc.load("resnet50").receptive_field("layer4.2.add", depth=1)
    assert [layer.name for layer in found.layers] == ["stem", "layer1", "layer2", "layer3", "layer4.2.add"]
    # Araujo, Norris, Sim 2019 and torchvision's ResNet-50: 427.
    assert found.last.axes[0].size == 427


@pytest.mark.parametrize(
    ("spec", "layer", "unit", "message"),
    [
        ("lenet5", "C1", (28, 0), "unit 28,0 does not exist: units are 28×28, counted 0 to 27 and 0 to 27"),
        ("lenet5", "C1", (3,), "unit 3 must have 2 numbers: units are 28×28"),
        ("lenet5", "F6", None, 'layer "F6" has no positions'),
        ("m5", "fc", None, 'layer "fc" has no positions: every unit sees 31468'),
        ("lenet5", "C7", None, 'no layer is called "C7"'),
        ("resnet50", "layer1", None, '"layer1" is a block; name one of its layers'),
        ("gcn_cora", None, None, '"GCN on Cora" is of a graph: fields are counted in hops'),
        ("gcn_cora", "conv1", None, 'layer "conv1" is of a graph'),
        ("dense_mnist", None, None, 'no layer of "Dense MNIST" has units with positions'),
    ],
)
def test_layers_and_units_that_do_not_exist(
    spec: str, layer: str | None, unit: tuple[int, ...] | None, message: str
) -> None:
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
    with pytest.raises(UsageError, match='layer "large" sees no positions of "one", but of "other"'):
        archcalc.loads(text).receptive_field("large", (0, 0), source="one")
    with pytest.raises(UsageError, match='no input is called "two"'):
        archcalc.loads(text).receptive_field("large", source="two")


def test_nearest_upsampling_takes_the_positions_that_float32_gives() -> None:
    """The position of output 41 of 82, ⌊41·(2/82)⌋, is 0, since 2/82 is a little less in float32."""
    import torch
    from torch.nn.functional import interpolate

    for size in range(1, 24):
        line = torch.arange(size, dtype=torch.float32).reshape(1, 1, -1)
        for output in range(1, 140):
            window = upsampled(size, output, "nearest", False)
            found = [*map(int, interpolate(line, size=output)[0, 0])]
            assert [positions_read(((unit, unit),), window, size)[0] for unit in range(output)] == [
                ((position, position),) for position in found
            ], (size, output)
            if output % size == 0:
                assert [*map(int, interpolate(line, scale_factor=output // size)[0, 0])] == found, (size, output)


def test_inexact_positions_have_a_reason() -> None:
    """The channel that a unit behind a pixel shuffle reads depends on its row and column."""
    text = """
    name = "shuffled"
    inputs.x = [4, 12, 12]
    layers = [
      { name = "a", type = "conv2d", out_channels = 4, kernel_size = 5, padding = 2 },
      { name = "c", type = "cat", inputs = ["x", "a"] },
      { name = "s", type = "slice", stop = 4 },
      { name = "ps", type = "pixel_shuffle", upscale_factor = 2 },
      { name = "up", type = "upsample", size = 7 },
    ]
    """
    network = archcalc.loads(text)
    assert "≤" not in written(network.receptive_field("s", (5, 5)))
    for layer in ("ps", "up"):
        last = network.receptive_field(layer, (5, 5)).last
        assert (last.seen.exact, last.seen.cause) == (False, ACROSS)
        assert (
            written(network.receptive_field(layer, (5, 5))).replace("\n", " ").endswith(f"≤: at most these; {ACROSS}")
        )


def test_units_behind_a_slice_of_a_cat_see_one_input() -> None:
    """The slice holds rows of y alone; the other rows of the concatenation see all of x."""
    text = """
    name = "beside"
    inputs = { x = [3, 8, 8], y = [3, 8, 1] }
    layers = [
      { name = "pool", type = "adaptive_avg_pool2d", output_size = 1, input = "x" },
      { name = "cat", type = "cat", dim = 1, inputs = ["pool", "y"] },
      { name = "rows", type = "slice", start = 1, dim = 1 },
    ]
    """
    with pytest.raises(UsageError, match='"rows" has an unknown field: positions of several inputs lie side'):
        archcalc.loads(text).receptive_field("rows", source="x")


def test_units_with_equal_fields_may_be_concatenated() -> None:
    text = """
    name = "pyramid"
    inputs.x = [3, 8, 8]
    layers = [
      { name = "mean", type = "adaptive_avg_pool2d", output_size = 1, input = "x" },
      { name = "largest", type = "adaptive_max_pool2d", output_size = 1, input = "x" },
      { name = "cat", type = "cat", dim = 1, inputs = ["mean", "largest"] },
    ]
    """
    field = archcalc.loads(text).layers[-1].receptive_field
    assert field is not None
    assert (field.size, field.jump) == ((8, 8), (0, 0))


def test_table() -> None:
    text = written(archcalc.load("lenet5_1998").receptive_field("C3", (0, 0)))
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
    found = archcalc.load("alexnet_2012").receptive_field("conv3", (0, 0)).to_dict()
    assert (found["input"], found["positions"], found["layer"], found["unit"]) == ("image", [227, 227], "conv3", [0, 0])
    assert found["layers"][-1] == {
        "name": "conv3",
        "unit": [0, 0],
        "size": [99, 99],
        "jump": [16, 16],
        "center": [17, 17],
        "sees": [[-32, 66], [-32, 66]],
        "overhang": [[32, 0], [32, 0]],
        "seen": [[[[0, 66]], [[0, 66]]]],
        "share": 67 * 67 / 227**2,
        "exact": True,
        "global": None,
    }


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0 %"), (1, "100 %"), (0.9999, "99.9 %"), (1e-9, "< 0.1 %"), (0.25, "25.0 %")]
)
def test_a_share_is_not_rounded_to_all_or_nothing(share: float, text: str) -> None:
    assert share_text(share) == text
