"""The picture of a roofline: its contents, and that names are escaped."""

import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest

import archcalc
from archcalc.analysis.roofline import Roofline
from archcalc.devices import Device, Peaks
from archcalc.diagram.image_files import image_format
from archcalc.diagram.roofline import draw
from archcalc.errors import UsageError

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = r"""
name = "<script>alert(1)</script> $\\frac{1}{0}$ & ]]> \u001b 网络"
inputs.x = [3, 8, 8]
layers = [
  { name = "$x^2$", type = "conv2d", out_channels = 4, kernel_size = 3 },
  { name = "<script>", type = "relu" },
  { name = "a\"b'&lt;", type = "max_pool2d", kernel_size = 2 },
  { name = "$\\bad{", type = "linear", out_features = 3 },
]
"""


def hostile() -> Roofline:
    device = Device("<b> $y$ & co", 1e9, "made up", Peaks(float32=1e10))
    return archcalc.loads(HOSTILE).roofline(device)


def svg(found: Roofline) -> ElementTree.Element:
    return ElementTree.fromstring(draw(found, "svg"))


def texts(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def points(root: ElementTree.Element) -> dict[str, int]:
    """The number of drawn layers, by group."""
    groups = [group for group in root.iter(f"{SVG}g") if group.get("id", "").startswith("layers-")]
    # Matplotlib writes a marker once and references it, or repeats it for each point.
    return {group.get("id", ""): len([*group.iter(f"{SVG}use")] or group.findall(f"{SVG}path")) for group in groups}


@pytest.mark.every_spec(few={"lenet5"})
@pytest.mark.parametrize(("spec", "dtype"), [("lenet5", "float32"), ("resnet50", "float16"), ("googlenet", "int8")])
def test_every_layer_that_moves_something_is_a_point(spec: str, dtype: str) -> None:
    found = archcalc.load(spec).roofline("a100", dtype)
    drawn = points(svg(found))
    for family in {row.family for row in found.layers if row.seconds}:
        rows = [row for row in found.layers if row.family == family and row.seconds]
        assert drawn.get(f"layers-{family}-some-operations", 0) == sum(1 for row in rows if row.operations)
        assert drawn.get(f"layers-{family}-no-operations", 0) == sum(1 for row in rows if not row.operations)
    assert sum(drawn.values()) == sum(1 for row in found.layers if row.seconds)


def test_points_are_as_large_as_their_time() -> None:
    found = archcalc.load("lenet5").roofline("a100")
    root = svg(found)
    (group,) = [group for group in root.iter(f"{SVG}g") if group.get("id") == "layers-convolution-some-operations"]
    widths = [width(path.get("d", "")) for path in group.iter(f"{SVG}path")]
    times = [row.seconds for row in found.layers if row.family == "convolution"]
    longest = max(times)
    assert [w / max(widths) for w in widths] == pytest.approx([(t / longest) ** 0.5 for t in times], rel=0.01)


def width(path: str) -> float:
    xs = [float(number) for number in re.findall(r"-?[\d.]+", path)[::2]]
    return max(xs) - min(xs)


def test_the_picture_has_its_title_device_and_legend() -> None:
    words = "\n".join(texts(svg(archcalc.load("resnet50", batch=32).roofline("a100", "float16"))))
    for part in ("ResNet-50", "batch 32", "NVIDIA A100 SXM 80 GB", "float16 312 TFLOP/s", "ridge at 153 FLOP/B"):
        assert part in words
    for part in ("bound by memory", "bound by arithmetic", "convolution", "and 52 more", "FLOP/byte"):
        assert part in words


def test_names_are_escaped() -> None:
    content = draw(hostile(), "svg").decode()
    root = ElementTree.fromstring(content)
    words = texts(root)
    assert "<script" not in content
    assert not [element for element in root.iter() if "script" in element.tag or element.get("onclick")]
    assert any(r"<script>alert(1)</script> $\frac{1}{0}$ & ]]> � 网络" in text for text in words)
    assert any(text.startswith("<b> $y$ & co") for text in words)
    for name in ("$x^2$", "<script>", "a\"b'&lt;", "$\\bad{"):
        assert any(text.startswith(f"{name}, ") for text in words), name


def test_nothing_in_the_picture_points_outside() -> None:
    root = svg(hostile())
    links = [value for element in root.iter() for key, value in element.items() if key.endswith("href")]
    assert links
    assert all(link.startswith("#") for link in links)


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        ("svg", b"<?xml"),
        pytest.param("pdf", b"%PDF", marks=pytest.mark.slow),
        pytest.param("png", b"\x89PNG", marks=pytest.mark.slow),
    ],
)
def test_the_same_roofline_gives_the_same_bytes(kind: str, start: bytes) -> None:
    found = archcalc.load("lenet5").roofline("a100")
    content = draw(found, kind)
    assert content.startswith(start)
    assert content == draw(found, kind)
    assert b"<dc:date>" not in content


def test_blocks_are_points_too() -> None:
    network = archcalc.load("unet")
    collapsed = network.roofline("jetson-orin", "float16").collapsed(network.graph, 1)
    drawn = points(svg(collapsed))
    assert drawn["layers-block-some-operations"] == sum(1 for row in collapsed.layers if row.family == "block")


@pytest.mark.parametrize(
    "layers",
    [
        '{ type = "flatten" }',
        '{ type = "zero_pad", padding = 1 }',
        '{ type = "relu" }',
    ],
)
def test_small_networks(layers: str) -> None:
    text = f'name = "v"\ninputs.x = [3, 4]\nlayers = [{layers}]'
    drawn = points(svg(archcalc.loads(text).roofline("a100")))
    assert sum(drawn.values()) == ("flatten" not in layers)


def test_unknown_values_are_not_drawn() -> None:
    text = """name = "g"\ninputs = { x = [7, 5], adjacency = [7, 7] }
layers = [{ type = "gcn_conv", inputs = ["x", "adjacency"], out_features = 4 }]"""
    root = svg(archcalc.loads(text).roofline("a100"))
    assert points(root) == {}
    assert any("1 layer is not drawn: its operations are not known" in text for text in texts(root))


@pytest.mark.parametrize("path", ["roofline.jpg", "svg", "a.svg.txt", ""])
def test_another_ending(path: str) -> None:
    with pytest.raises(UsageError, match=r"name a file that ends in \.svg, \.pdf or \.png"):
        image_format(path)


def test_without_matplotlib_an_error_names_the_remedy() -> None:
    script = (
        "import sys; sys.modules['matplotlib'] = None;"
        "sys.argv = ['archcalc', 'roofline', 'lenet5', '--device', 'a100', '-o', 'x.svg'];"
        "from archcalc.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == "error: a picture needs Matplotlib, which is not installed\n  help: pip install 'archcalc[plot]'\n"
    )
