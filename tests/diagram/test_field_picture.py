"""The drawing of a unit's field, on an image or without one."""

import json
import zlib
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from PIL import Image
from svg_checks import SVG, check_safe, texts

import archcalc
from archcalc.analysis.neuron_field import NeuronField
from archcalc.cli import cli
from archcalc.diagram.raster import MAX_BYTES, read_raster
from archcalc.diagram.receptive_field import MAX_SHOWN, draw_neuron_field, spread, ticks
from archcalc.errors import UsageError

Box = tuple[float, float, float, float]


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png(width: int, height: int) -> bytes:
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    rows = zlib.compress(bytes(height * (width + 1)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def png_head(width: int, height: int) -> bytes:
    """The header of a PNG whose pixels are missing."""
    small = png(1, 1)
    sizes = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    return small.replace(small[8:33], chunk(b"IHDR", sizes + small[24:29]))


def jpeg(width: int, height: int) -> bytes:
    content = BytesIO()
    Image.new("RGB", (width, height)).save(content, "JPEG")
    return content.getvalue()


# JPEG segments that cost a naive reader quadratic time, or a decoding of the whole picture each.
FEW = jpeg(8, 8)
MANY = {
    "fill bytes": b"\xff\xff\xe0\x00\x02" * 1_048_400,
    "empty segments": b"\xff\xe1\x00\x02" * 1_310_500,
    "Exif headers": b"\xff\xe1\x00\x08Exif\0\0" * 524_200,
    "scans": FEW[FEW.index(b"\xff\xda") : -2] * 70,
}


def invoke(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["receptive-field", *arguments], input=text, catch_exceptions=True)


def rects(drawing: str, kind: str) -> list[Box]:
    found = []
    for element in ElementTree.fromstring(drawing).iter(f"{SVG}rect"):
        if kind in (element.get("class") or "").split():
            x, y, width, height = (float(element.get(key, "0")) for key in ("x", "y", "width", "height"))
            found.append((x, y, width, height))
    return found


def in_positions(found: NeuronField, box: Box, whole: Box) -> list[tuple[float, float]]:
    """The first and the last input position that a rectangle covers along each axis."""
    height, width = found.extents[-2:]
    scale = whole[2] / width
    assert whole[3] / height == pytest.approx(scale, rel=1e-3)
    top, left = (box[1] - whole[1]) / scale, (box[0] - whole[0]) / scale
    return [(top, top + box[3] / scale - 1), (left, left + box[2] / scale - 1)]


@pytest.mark.parametrize(
    ("name", "layer", "unit"),
    [
        ("alexnet_2012", "pool5", (0, 0)),
        ("alexnet_2012", "conv5", (12, 3)),
        ("lenet5_1998", "S4", (4, 1)),
        ("resnet18", None, None),
        ("unet", "classes", (0, 387)),
        ("r3d_18", None, None),
    ],
)
def test_rectangles_are_the_fields(name: str, layer: str | None, unit: tuple[int, int] | None) -> None:
    found = archcalc.load(name).receptive_field(layer, unit)
    drawing = draw_neuron_field(found)
    (whole,) = rects(drawing, "input")
    expected = {field.sees[-2:] for field in found.layers}
    drawn = [in_positions(found, box, whole) for box in rects(drawing, "field")]
    assert len(drawn) == len(expected) <= MAX_SHOWN
    assert {tuple((round(a), round(b)) for a, b in box) for box in drawn} == expected
    for box in drawn:
        assert [end for axis in box for end in axis] == pytest.approx([round(e) for a in box for e in a], abs=0.05)
    # The filled part is the part in the input.
    clipped = {found.clipped(field)[-2:] for field in found.layers if found.clipped(field)}
    boxes = [*rects(drawing, "seen")]
    filled = {tuple((round(a), round(b)) for a, b in in_positions(found, box, whole)) for box in boxes}
    assert filled == clipped


def test_strips_are_the_fields() -> None:
    found = archcalc.load("m5").receptive_field("stage1.pool", (3,))
    drawing = draw_neuron_field(found)
    fields = rects(drawing, "field")
    sizes = sorted({field.sees[0][1] - field.sees[0][0] + 1 for field in found.layers}, reverse=True)
    scale = fields[0][2] / sizes[0]
    assert [box[2] / scale for box in fields] == pytest.approx(sizes, rel=1e-3)
    starts = sorted({field.sees for field in found.layers}, key=lambda sees: sees[0][0] - sees[0][1])
    assert [(box[0] - fields[0][0]) / scale for box in fields] == pytest.approx(
        [sees[0][0] - starts[0][0][0] for sees in starts], abs=0.05
    )


@pytest.mark.every_spec
@pytest.mark.parametrize("name", [n for n in archcalc.shipped_specs() if not n.startswith(("gcn", "dense_"))])
def test_every_spec_is_well_formed_and_safe(name: str) -> None:
    found, again = (archcalc.load(name).receptive_field() for _ in range(2))
    for style in ("color", "paper", "dark"):
        drawing = draw_neuron_field(found, style)
        check_safe(drawing)
        assert drawing == draw_neuron_field(again, style)
        assert any(f"unit {','.join(map(str, found.last.unit))} of" in text for text in texts(drawing))


def test_labels_are_apart() -> None:
    drawing = draw_neuron_field(archcalc.load("resnet152").receptive_field())
    root = ElementTree.fromstring(drawing)
    places = [float(e.get("y", "0")) for e in root.iter(f"{SVG}text") if e.get("font-size") == "12"]
    assert len(places) == MAX_SHOWN
    assert all(after - before > 18 for before, after in pairwise(places))
    assert any("left out" in text for text in texts(drawing))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"];', "a & b", "\x1b[31m\x07", "\ufffe", "x" * 190])
def test_hostile_names_are_text(name: str, tmp_path: Path) -> None:
    own, layer = json.dumps(name), json.dumps(f"{name}1")
    conv = f'{{ name = {layer}, type = "conv2d", out_channels = 4, kernel_size = 3 }}'
    text = f"name = {own}\ninputs = {{ {own} = [3, 8, 8] }}\nlayers = [{conv}]"
    file = tmp_path / "field.svg"
    assert invoke("-", "--layer", f"{name}1", "-o", str(file), text=text).exit_code == 0
    drawing = file.read_text("utf-8")
    check_safe(drawing)
    assert max(map(len, texts(drawing))) <= 120


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (0, 226, [0, 50, 100, 150, 226]),
        (0, 7, [0, 1, 2, 3, 4, 5, 6, 7]),
        (0, 0, [0]),
        (14474, 14478, [*range(14474, 14479)]),
    ],
)
def test_ticks(first: int, last: int, expected: list[int]) -> None:
    assert ticks(first, last) == expected


def test_spread_keeps_order_and_distance() -> None:
    assert spread([0, 1, 50, 50], 10) == [0, 10, 50, 60]


# the user's image


@pytest.mark.parametrize(("data", "mime"), [(png(64, 32), "image/png"), (jpeg(640, 480), "image/jpeg")])
def test_an_image_is_embedded(tmp_path: Path, data: bytes, mime: str) -> None:
    picture, file = tmp_path / "picture", tmp_path / "field.svg"
    picture.write_bytes(data)
    done = invoke("lenet5", "--image", str(picture), "-o", str(file))
    assert done.exit_code == 0, done.output
    drawing = file.read_text("utf-8")
    root = check_safe(drawing, images=1)
    (image,) = root.iter(f"{SVG}image")
    assert image.get("href", "").startswith(f"data:{mime};base64,")
    assert image.get("preserveAspectRatio") == "none"
    (whole,) = rects(drawing, "input")
    assert tuple(float(image.get(key, "0")) for key in ("x", "y", "width", "height")) == whole
    assert any("is stretched to the input's 32×32" in text for text in texts(drawing))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16", "CMYK"])
def test_an_image_of_any_mode_keeps_its_colours(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGB", (16, 16), "black")
    image.paste("white", (8, 0, 16, 16))
    deep = image.convert("L").convert("I").point(lambda value: value * 256).convert("I;16")
    path = tmp_path / "image"
    (deep if mode == "I;16" else image.convert(mode)).save(path, "JPEG" if mode == "CMYK" else "PNG")
    with Image.open(BytesIO(read_raster(str(path)).data)) as again:
        assert [again.convert("L").getpixel((x, 8)) // 50 for x in (3, 12)] == [0, 5]


def test_only_pixels_of_an_image_are_embedded(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x010E] = "where it was taken"
    Image.new("L", (8, 8)).save(path, exif=exif, comment=b"a comment", icc_profile=b"a profile")
    data = read_raster(str(path)).data
    assert not any(word in data for word in (b"taken", b"comment", b"profile", b"Exif"))


def test_a_large_image_is_made_smaller(tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(jpeg(5000, 1000))
    found = read_raster(str(path))
    assert (found.width, found.height) == (5000, 1000)
    with Image.open(BytesIO(found.data)) as embedded:
        assert embedded.size == (2000, 400)


def test_an_image_of_the_input_s_shape_is_not_stretched(tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    picture.write_bytes(png(64, 64))
    found = archcalc.load("lenet5").receptive_field()
    assert not any("stretched" in text for text in texts(draw_neuron_field(found, image=read_raster(str(picture)))))


@pytest.mark.parametrize(
    ("data", "size"), [(png(640, 480), (640, 480)), (jpeg(3, 5), (3, 5)), (png(1, 2**20), (1, 2**20))]
)
def test_the_size_is_read_from_the_header(tmp_path: Path, data: bytes, size: tuple[int, int]) -> None:
    file = tmp_path / "picture"
    file.write_bytes(data)
    found = read_raster(str(file))
    assert (found.width, found.height) == size


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "is neither a PNG nor a JPEG image"),
        (b"GIF89a" + bytes(100), "is neither a PNG nor a JPEG image"),
        (b"", "is neither a PNG nor a JPEG image"),
        (png(4, 4)[:20], "is a broken PNG image"),
        (png(40, 40)[:45], "is a broken PNG image"),
        (jpeg(40, 40)[:-2], "is a broken JPEG image"),
        (png(0, 4), "is a broken PNG image"),
        (jpeg(4, 4)[:14], "is a broken JPEG image"),
        (b"\xff\xd8\xff" + b"\xff" * 50, "is a broken JPEG image"),
        *((FEW[:2] + parts + FEW[2:], "has more parts than a JPEG of any camera") for parts in MANY.values()),
        (png(4, 4) + bytes(MAX_BYTES), "has more than 5 MiB"),
        (png_head(10_000, 5_001), "has more than 50,000,000 pixels; make it smaller"),
        (png_head(60_000, 60_000), "has more than 50,000,000 pixels; make it smaller"),
        (b"\xff" * MAX_BYTES, "is neither a PNG nor a JPEG image"),
        (b"\xff\xd8" + b"\xff" * (MAX_BYTES - 2), "has more parts than a JPEG of any camera"),
    ],
)
def test_files_that_are_no_image_are_refused(tmp_path: Path, data: bytes, message: str) -> None:
    picture, file = tmp_path / "picture.png", tmp_path / "field.svg"
    picture.write_bytes(data)
    done = invoke("lenet5", "--image", str(picture), "-o", str(file))
    assert isinstance(done.exception, UsageError)
    assert message in str(done.exception)
    assert not file.exists()


@pytest.mark.parametrize("number", range(1, 9))
def test_a_photo_is_rotated_by_its_exif_orientation(tmp_path: Path, number: int) -> None:
    """The marked corner, the first of the stored pixels, is where Exif's orientation puts it."""
    exif = Image.Exif()
    exif[0x0112] = number
    stored = Image.new("L", (48, 32))
    stored.paste(255, (0, 0, 12, 12))
    path = tmp_path / "photo.jpg"
    stored.save(path, exif=exif, quality=95)
    found = read_raster(str(path))
    assert (found.width, found.height) == ((48, 32) if number < 5 else (32, 48))
    right, low = number in (2, 3, 6, 7), number in (3, 4, 7, 8)
    with Image.open(BytesIO(found.data)) as embedded:
        assert embedded.size == (found.width, found.height)
        assert embedded.getexif().get(0x0112) is None  # or a browser would turn it once more
        corners = {
            (x, y): embedded.getpixel((x * (embedded.width - 1), y * (embedded.height - 1)))
            for x in (0, 1)
            for y in (0, 1)
        }
    assert [place for place, shade in corners.items() if shade > 128] == [(int(right), int(low))]


def test_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.png", Path("/dev/zero"), Path("a\0b")):
        with pytest.raises(UsageError, match="cannot read"):
            read_raster(str(path))


# the command


def test_the_table_is_printed_beside_the_drawing(tmp_path: Path) -> None:
    file = tmp_path / "field.svg"
    done = invoke("lenet5", "--layer", "C3", "--unit", "0, 9", "-o", str(file))
    assert done.exit_code == 0
    assert done.output.startswith("LeNet-5: unit 0,9 of 10×10 in C3\n")
    check_safe(file.read_text("utf-8"))
    again = invoke("lenet5", "-o", str(file))
    assert isinstance(again.exception, UsageError)
    assert invoke("lenet5", "-o", str(file), "--force").exit_code == 0


def test_json() -> None:
    found = json.loads(invoke("lenet5", "--format", "json").output)
    assert [layer["name"] for layer in found["layers"]] == ["C1", "tanh", "S2", "C3", "tanh_2", "S4"]


@pytest.mark.parametrize("unit", ["a,b", "1;2", "-1,0", "1,,2", "²,1"])
def test_a_wrong_unit_is_refused(unit: str) -> None:
    done = invoke("lenet5", f"--unit={unit}")
    assert done.exit_code == 2
    assert "is no unit" in done.output


def test_an_input_of_one_axis_is_drawn_without_the_image(tmp_path: Path) -> None:
    picture, file = tmp_path / "picture.png", tmp_path / "field.svg"
    picture.write_bytes(png(8, 8))
    assert invoke("m5", "--image", str(picture), "-o", str(file)).exit_code == 0
    check_safe(file.read_text("utf-8"), images=0)
    assert any("no rows for an image" in text for text in texts(file.read_text("utf-8")))


def test_a_small_field_on_a_long_input_is_magnified() -> None:
    found = archcalc.load("m5").receptive_field("stage1.conv")
    assert any(text.startswith("drawn are positions ") for text in texts(draw_neuron_field(found)))


def test_a_unit_that_sees_nothing_has_no_drawing(tmp_path: Path) -> None:
    """For example, a unit between the values of a transposed convolution."""
    text = """
    name = "t"
    inputs.x = [1, 4, 4]
    layers = [{ name = "c", type = "conv_transpose2d", out_channels = 1, kernel_size = 1, stride = 2 }]
    """
    found = archcalc.loads(text).receptive_field("c", (1, 1))
    assert found.last.sees is None
    with pytest.raises(UsageError, match='the unit of "c" sees nothing of the input'):
        draw_neuron_field(found)
    assert archcalc.loads(text).receptive_field("c", (2, 2)).last.sees == ((1, 1), (1, 1))


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<svg"), ("PNG", b"\x89PNG"), ("pdf", b"%PDF")])
def test_the_ending_of_the_file_chooses_the_format(tmp_path: Path, ending: str, start: bytes) -> None:
    picture, file = tmp_path / "picture.png", tmp_path / f"field.{ending}"
    picture.write_bytes(png(8, 8))
    assert invoke("lenet5", "--image", str(picture), "-o", str(file)).exit_code == 0
    assert file.read_bytes().startswith(start)


def test_another_ending_is_refused(tmp_path: Path) -> None:
    done = invoke("lenet5", "-o", str(tmp_path / "field.gif"))
    assert isinstance(done.exception, UsageError)
    assert "name a file that ends in .svg, .pdf or .png" in str(done.exception)
    assert not (tmp_path / "field.gif").exists()


def test_an_image_without_a_drawing() -> None:
    assert "name its file" in str(invoke("lenet5", "--image", "x.png").exception)


def test_another_input_shape() -> None:
    done = invoke("squeezenet1_1", "--input", "image=3x64x96", "--depth", "1")
    assert "input image 3×64×96" in done.output
