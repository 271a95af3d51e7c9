"""Volumes: maps in a row, as boxes to scale."""

import json
import math
import re
from collections import Counter
from itertools import accumulate, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from svg_checks import SVG, boxes, check_safe, texts

import archcalc
from archcalc.cli import cli
from archcalc.diagram.volume_places import WIDEST, Places, scale_of
from archcalc.diagram.volume_row import Volume, volume_row
from archcalc.diagram.volume_words import format_name
from archcalc.errors import UsageError

GRAPHS = ("gcn_classifier", "gcn_cora")


def row(name: str, depth: int | None = None) -> tuple[Volume, ...]:
    return volume_row(archcalc.load(name).context, depth).volumes


def chain(*layers: str, shape: str = "[3, 32, 32]") -> archcalc.Network:
    return archcalc.loads(f'name = "x"\ninputs.image = {shape}\nlayers = [\n{chr(10).join(layers)}\n]')


@pytest.mark.every_spec
@pytest.mark.parametrize("name", [name for name in archcalc.shipped_specs() if name not in GRAPHS])
def test_every_spec_is_well_formed_and_safe(name: str) -> None:
    network, again = archcalc.load(name), archcalc.load(name)
    shapes = {"×".join(map(str, volume.shape)) for volume in volume_row(network.context).volumes}
    for style in ("color", "paper", "dark"):
        drawing = network.to_volumes_svg(style)
        check_safe(drawing)
        assert drawing == again.to_volumes_svg(style)
        assert shapes <= {text.split(" (")[0] for text in texts(drawing)}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_has_no_volumes(name: str) -> None:
    with pytest.raises(UsageError, match="its positions are nodes"):
        archcalc.load(name).to_volumes_svg()


def test_lenet_is_drawn_as_in_its_paper() -> None:
    # LeCun et al. 1998, Figure 2: INPUT 32×32, 6@28×28, 6@14×14, 16@10×10, 16@5×5, then layers of 120, 84 and 10.
    shapes = [(1, 32, 32), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (120, 1, 1), (84,), (10,)]
    assert [volume.shape for volume in row("lenet5_1998")] == shapes
    drawn = boxes(archcalc.load("lenet5_1998").to_volumes_svg(), "volume")
    # Every map is a square to scale, every layer behind them a bar.
    sides = Counter(round(width / (230 / 32)) for width, height in drawn if width == height)
    assert sides == {32: 1, 28: 6, 14: 6, 10: 16, 5: 16}
    assert len(drawn) == 45 + 3


def test_alexnet_has_two_columns() -> None:
    # Krizhevsky et al. 2012, Figure 2: from conv1 to pool5 each GPU has half of the maps.
    volumes = row("alexnet_2012")
    columns = [(volume.names[0], volume.columns) for volume in volumes]
    assert columns == [("image", 1)] + [
        (n, 2) for n in ["conv1", "pool1", "conv2", "pool2", "conv3", "conv4", "conv5", "pool5"]
    ] + [(name, 1) for name in ("fc6", "fc7", "fc8")]
    halves = [volume.channels // 2 for volume in volumes if volume.columns == 2]
    assert halves == [48, 48, 128, 128, 192, 192, 128, 128]
    assert len(boxes(archcalc.load("alexnet_2012").to_volumes_svg(), "volume")) == 1 + 2 * 8 + 3


def test_heights_are_to_scale_and_lengths_by_the_square_root() -> None:
    volumes = [volume for volume in row("vgg16") if not volume.is_bar]
    drawn = boxes(archcalc.load("vgg16").to_volumes_svg(), "volume")[: sum(len(v.names) for v in volumes)]
    expected = [volume for volume in volumes for _ in volume.names]
    for (length, height), volume in zip(drawn, expected, strict=True):
        assert height == pytest.approx(230 * volume.sizes[0] / 224, abs=0.01)
        assert length == pytest.approx(2.8 * math.sqrt(volume.channels), abs=0.01)


def test_blocks_of_branches_become_one_volume() -> None:
    shapes = [(3, 224, 224), (64, 112, 112), (64, 56, 56), (256, 56, 56), (512, 28, 28)]
    shapes += [(1024, 14, 14), (2048, 7, 7), (2048, 1, 1), (1000,)]
    volumes = row("resnet50")
    assert [volume.shape for volume in volumes] == shapes
    # He et al. 2016, Table 1: 3, 4, 6 and 3 blocks.
    assert [len(volume.names) for volume in volumes] == [1, 1, 1, 3, 4, 6, 3, 1, 1]
    assert volumes[4].names == ("layer2.0", "layer2.1", "layer2.2", "layer2.3")
    assert volumes[4].operations[0] == "bottleneck"


def test_inception_modules_become_one_volume_each() -> None:
    # Szegedy et al. 2014, Table 1.
    names = [name for volume in row("googlenet") for name in volume.names if "inception" in name]
    assert names == [f"inception{number}" for number in ["3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b"]]


def test_a_u_net_goes_down_and_up_with_skips() -> None:
    volumes = row("unet")
    assert [volume.sizes[0] for volume in volumes][:10] == [572, 568, 284, 280, 140, 136, 68, 64, 32, 28]
    assert [volume.sizes[0] for volume in volumes][10:] == [52, 100, 196, 388, 388]
    skips = [(volumes[source].names[0], volume.names[0]) for volume in volumes for source in volume.sources]
    assert skips == [("down4", "up4"), ("down3", "up3"), ("down2", "up2"), ("down1", "up1")]


def test_a_gate_of_one_position_is_not_a_u_net() -> None:
    excitation = [
        '{ name = "conv", type = "conv2d", out_channels = 8, kernel_size = 3, padding = 1 },',
        '{ type = "adaptive_avg_pool2d", output_size = 1 },',
        '{ name = "gate", type = "conv2d", out_channels = 8, kernel_size = 1 },',
        '{ type = "mul", inputs = ["conv", "gate"] },',
    ]
    assert [volume.shape for volume in volume_row(chain(*excitation).context).volumes] == [
        (3, 32, 32),
        (8, 32, 32),
        (8, 32, 32),
    ]


def test_layers_of_one_dimension_are_strips() -> None:
    # 32,000 samples and 30 positions are too far apart for one scale: heights grow with the square root.
    drawn = boxes(archcalc.load("m5").to_volumes_svg(), "volume")
    heights = [height for _, height in drawn[:4]]
    assert heights == pytest.approx([230 * math.sqrt(n / 32000) for n in (32000, 7981, 1995, 1993)], abs=0.01)
    assert any("square root" in text for text in texts(archcalc.load("m5").to_volumes_svg()))


def test_the_frames_of_a_video_are_labelled() -> None:
    assert {"16 frames", "8 frames", "4 frames", "2 frames"} <= {*texts(archcalc.load("r3d_18").to_volumes_svg())}


def test_the_features_of_tokens_are_the_last_axis() -> None:
    text = """
    name = "tokens"
    inputs.tokens = { shape = [64], dtype = "int64" }
    layers = [
      { type = "embedding", num_embeddings = 100, embedding_dim = 16 },
      { type = "linear", out_features = 8 },
    ]
    """
    assert [(volume.channels, volume.sizes) for volume in volume_row(archcalc.loads(text).context).volumes][1:] == [
        (16, (64,)),
        (8, (64,)),
    ]


def test_depth_collapses_blocks() -> None:
    assert [volume.names[0] for volume in row("resnet50", 1)] == [
        "image",
        "stem",
        "layer1",
        "layer2",
        "layer3",
        "layer4",
        "head",
    ]


def test_a_row_that_is_too_long_is_refused() -> None:
    layers = (f'{{ type = "conv2d", out_channels = {n}, kernel_size = 1 }},' for n in range(1, 120))
    with pytest.raises(UsageError, match="a row of 120 volumes is more than 100"):
        chain(*layers).to_volumes_svg()


def test_another_style_is_refused() -> None:
    with pytest.raises(UsageError, match='no style is called "papre"; did you mean "paper"'):
        archcalc.load("lenet5").to_volumes_svg("papre")


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"];', "a & b", "\x1b[31m\x07", "\ufffe", "x" * 190])
def test_hostile_names_are_text(name: str) -> None:
    own, layer = json.dumps(name), json.dumps(f"{name}1")
    conv = f'{{ name = {layer}, type = "conv2d", out_channels = 4, kernel_size = 3 }}'
    text = f"name = {own}\ninputs = {{ {own} = [3, 8, 8] }}\nlayers = [{conv}]"
    drawing = archcalc.loads(text).to_volumes_svg()
    check_safe(drawing)
    found = texts(drawing)
    assert any(text.startswith(name[:3]) for text in found) or not name.isprintable()
    assert max(map(len, found)) < 140


def test_no_words_cover_each_other() -> None:
    for name in ("alexnet_2012", "vgg16", "mobilenet_v2", "unet", "inception_v3"):
        root = ElementTree.fromstring(archcalc.load(name).to_volumes_svg())
        lines: dict[str, list[tuple[float, float]]] = {}
        for element in root.iter("{http://www.w3.org/2000/svg}text"):
            if element.get("text-anchor") == "middle":
                half = len(element.text or "") * 0.5 * float(element.get("font-size", "0")) / 2
                x = float(element.get("x", "0"))
                lines.setdefault(element.get("y", ""), []).append((x - half, x + half))
        assert len(lines) > 3
        for line in lines.values():
            ends = sorted(line)
            assert all(before[1] < after[0] for before, after in pairwise(ends)), name


def test_numbers_have_two_decimals_at_most() -> None:
    assert re.search(r"\d\.\d{3}", archcalc.load("alexnet_2012").to_volumes_svg()) is None


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["diagram", "lenet5", "--volumes", *arguments], catch_exceptions=True)


def test_the_command_draws_them(tmp_path: Path) -> None:
    file = tmp_path / "volumes.svg"
    assert invoke("-o", str(file), "--style", "paper").exit_code == 0
    assert file.read_text("utf-8") == archcalc.load("lenet5").to_volumes_svg("paper")
    assert invoke().output == archcalc.load("lenet5").to_volumes_svg()
    assert isinstance(invoke("-o", str(file)).exception, UsageError)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(["--to", "dot"], "--volumes draws no DOT"), (["--heat", "macs"], "--volumes takes no --show, --heat")],
)
def test_options_that_volumes_refuse(arguments: list[str], message: str) -> None:
    assert message in str(invoke(*arguments).exception)


def lines(svg: str) -> list[list[float]]:
    """The left ends of front faces, line by line; a name ends a line."""
    rects = [rect for rect in ElementTree.fromstring(svg).iter(f"{SVG}rect") if "volume" in (rect.get("class") or "")]
    bottoms = sorted({float(text.get("y", "")) for text in bold_texts(svg)})
    found: dict[float, list[float]] = {}
    for rect in rects:
        below = min(y for y in bottoms if y > float(rect.get("y", "")) + float(rect.get("height", "")))
        found.setdefault(below, []).append(float(rect.get("x", "")))
    return [sorted(found[below]) for below in sorted(found)]


def bold_texts(svg: str) -> list[ElementTree.Element]:
    return [t for t in ElementTree.fromstring(svg).iter(f"{SVG}text") if t.get("font-weight") == "bold"]


@pytest.mark.every_spec(few={"mobilenet_v2", "vgg16", "lenet5", "unet"})
@pytest.mark.parametrize("name", [name for name in archcalc.shipped_specs() if name not in GRAPHS])
def test_a_long_row_is_broken_into_lines(name: str) -> None:
    svg = archcalc.load(name).to_volumes_svg(title=False)
    root = ElementTree.fromstring(svg)
    left, _, width, _ = map(float, (root.get("viewBox") or "").split())
    count = {"mobilenet_v2": 2, "vgg16": 2, "lenet5": 1, "unet": 1}
    assert len(lines(svg)) == count.get(name, len(lines(svg)))
    assert width < WIDEST + 200
    for line in lines(svg):
        assert left < line[0]
        assert line[-1] < left + width
    arrows = [e for e in root.iter(f"{SVG}polyline") if len((e.get("points") or "").split()) == 6]
    assert len(arrows) == len(lines(svg)) - 1


def test_no_line_ends_below_a_skip() -> None:
    """Each of twenty stages is read by its mirror image, as in a U-Net."""
    down = [
        f'{{ name = "d{n}", type = "conv2d", out_channels = {8 + n}, kernel_size = 3, stride = 2, padding = 1 }},'
        for n in range(8)
    ]
    up = [
        f'{{ name = "u{n}", type = "conv_transpose2d", out_channels = {8 + n}, kernel_size = 2, stride = 2 }},'
        f'{{ name = "a{n}", type = "add", inputs = ["u{n}", "d{n}"] }},'
        for n in range(6, -1, -1)
    ]
    after = [f'{{ name = "c{n}", type = "conv2d", out_channels = {n}, kernel_size = 1 }},' for n in range(20, 26)]
    network = chain(*down, *up, *after, shape="[3, 512, 512]")
    volumes = volume_row(network.context).volumes
    assert sum(bool(volume.sources) for volume in volumes) > 4
    places = Places(volumes, scale_of(volumes))
    starts = [*accumulate(map(len, places.lines))][:-1]
    for start in starts:
        assert not any(s < start <= n for n, volume in enumerate(volumes) for s in volume.sources)


def test_a_block_alone() -> None:
    network = archcalc.load("resnet50")
    found = volume_row(network.context, block="layer2")
    assert [(volume.names[0], volume.shape, len(volume.names)) for volume in found.volumes] == [
        ("layer1.2.relu_3", (256, 56, 56), 1),
        ("layer2.0", (512, 28, 28), 4),
    ]
    assert "ResNet-50: layer2" in texts(network.to_volumes_svg(block="layer2"))
    up = volume_row(archcalc.load("unet").context, block="up1")
    assert [volume.names for volume in up.volumes] == [
        ("down1.relu_2",),
        ("up1",),
        ("up1.convs.conv1",),
        ("up1.convs.conv2",),
    ]
    assert up.inputs == ("up2.convs.relu_2",)


def test_without_title_and_notes() -> None:
    network = archcalc.load("lenet5")
    both, neither = (texts(network.to_volumes_svg(title=on, legend=on)) for on in (True, False))
    assert {*both} - {*neither} == {"LeNet-5", *(text for text in both if "to scale" in text)}


SIAMESE = """
name = "t"
outputs = ["score", "other"]
inputs.left = [1, 16, 16]
inputs.right = [1, 16, 16]
layers = [
  { name = "a", type = "conv2d", out_channels = 8, kernel_size = 3, input = "left" },
  { name = "b", type = "conv2d", weights = "a", out_channels = 8, kernel_size = 3, input = "right" },
  { name = "pair", type = "cat", inputs = ["a", "b"] },
  { name = "score", type = "conv2d", out_channels = 1, kernel_size = 1 },
  { name = "other", type = "conv2d", out_channels = 2, kernel_size = 1, input = "pair" },
]
"""


def test_notes_list_what_is_not_drawn() -> None:
    network = archcalc.loads(SIAMESE)
    found = volume_row(network.context)
    assert [(volume.names, volume.branches) for volume in found.volumes] == [
        (("left",), 0),
        (("pair",), 3),  # a, right and b
        (("score",), 0),
    ]
    words = network.to_volumes_svg()
    assert "(3 in branches)" in words
    assert "branches begin with other inputs, too: right" in words
    assert "not drawn, since the first output does not depend on it: other" in words
    lenet5 = archcalc.load("lenet5").to_volumes_svg()
    assert "not drawn" not in lenet5
    assert "branches" not in lenet5


def test_all_opens_every_block() -> None:
    network = archcalc.load("unet")
    collapsed, opened = volume_row(network.context), volume_row(network.context, 0)
    assert collapsed.depth == 1
    assert opened.depth is None
    assert len(collapsed.volumes) < len(opened.volumes)
    assert "blocks are collapsed at depth 1" in network.to_volumes_svg()
    assert "collapsed" not in network.to_volumes_svg(depth=0)


@pytest.mark.parametrize(
    ("first", "last", "label"),
    [
        ("layer1.0", "layer1.2", "layer1.0 … layer1.2"),
        ("transformer.block0", "transformer.block11", "transformer.block0 … block11"),
        ("transformer.encoder.0", "transformer.encoder.11", "transformer.encoder.0 … encoder.11"),
        ("a.conv", "b.conv", "a … b"),
        ("features.0", "other.1", "features.0 … other.1"),
    ],
)
def test_the_last_of_several_names_is_short(first: str, last: str, label: str) -> None:
    assert format_name(row("lenet5")[1]._replace(names=(first, last))) == label
