"""PDF and PNG of drawings: they look like their SVG, and refuse unsafe or too large drawings."""

import io
import subprocess
import sys
from html import escape
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from drawings import hostile_spec
from PIL import Image, ImageChops, ImageStat

import archcalc
from archcalc.diagram import image_files
from archcalc.diagram.image_files import LETTERS, svg_to_pdf, svg_to_png
from archcalc.diagram.lettering import WIDTHS
from archcalc.diagram.receptive_field import draw_neuron_field
from archcalc.errors import UsageError

pytestmark = pytest.mark.usefixtures("bundled_graphviz")

FONTS = Path(image_files.__file__).parent / "fonts"
HEAD = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20">'


def opened(png: bytes) -> Image.Image:
    image: Image.Image = Image.open(io.BytesIO(png)).convert("RGB")
    return image


def page_of(pdf: bytes) -> Any:
    document = pypdfium2.PdfDocument(pdf)
    assert len(document) == 1
    return document[0]


DRAWN = {
    "cards": lambda: archcalc.load("unet").to_svg(),
    "dark": lambda: archcalc.load("resnet18").to_svg(style="dark", depth=1),
    "heat": lambda: archcalc.load("lenet5").to_svg(heat="macs", show=("parameters", "macs")),
    "volumes": lambda: archcalc.load("alexnet_2012").to_volumes_svg(),
    "field": lambda: draw_neuron_field(archcalc.load("alexnet").receptive_field("conv5", (6, 6))),
}


@pytest.mark.parametrize("name", DRAWN)
def test_pdf_and_png_look_alike(name: str) -> None:
    svg = DRAWN[name]()
    png, page = opened(svg_to_png(svg, 2)), page_of(svg_to_pdf(svg))
    pdf = page.render(scale=2 * 96 / 72).to_pil().convert("RGB").resize(png.size)
    assert difference(png, pdf) < 4  # their antialiasing differs
    assert difference(png, ImageChops.offset(pdf, 12)) > 4 * difference(png, pdf)


def test_a_network_has_its_diagram_in_each_format() -> None:
    network = archcalc.load("lenet5")
    assert network.to_png(depth=1) == svg_to_png(network.to_svg(depth=1), 2)
    assert opened(network.to_png(scale=0.5)).width * 4 == pytest.approx(opened(network.to_png()).width, abs=4)
    assert network.to_pdf(style="dark") == svg_to_pdf(network.to_svg(style="dark"))


def difference(one: Image.Image, other: Image.Image) -> float:
    """The mean difference of 0 to 255, over blocks of 4×4 pixels."""
    size = one.width // 4, one.height // 4
    smaller = (image.resize(size, Image.Resampling.BOX) for image in (one, other))
    return max(ImageStat.Stat(ImageChops.difference(*smaller)).mean)


def test_sizes() -> None:
    svg = f'{HEAD}<rect width="100%" height="100%" fill="#ff0000"/></svg>'
    for scale, size in ((1, (40, 20)), (2.5, (100, 50)), (0.1, (4, 2))):
        image = opened(svg_to_png(svg, scale))
        assert image.size == size
        assert image.getpixel((1, 1)) == (255, 0, 0)
    assert page_of(svg_to_pdf(svg)).get_size() == pytest.approx((30, 15))  # 96 pixels are an inch
    long = svg.replace('height="20"', 'height="96000"')
    assert max(page_of(svg_to_pdf(long)).get_size()) == pytest.approx(14_400)  # what Acrobat opens


def test_words_of_a_pdf_are_text_and_shapes_are_vectors() -> None:
    network = archcalc.load("googlenet")
    page = page_of(svg_to_pdf(network.to_svg()))
    words = page.get_textpage().get_text_bounded()
    for text in ("GoogLeNet", "conv2d 7×7, stride 2, padding 3", "192×28×28", "6,624,904 parameters · 1.50 G MACs"):
        assert text in words
    assert not [found for found in page.get_objects(max_depth=9) if found.type == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]


def test_the_same_drawing_gives_the_same_file() -> None:
    svg = archcalc.load("lenet5").to_svg()
    assert svg_to_pdf(svg) == svg_to_pdf(svg)
    assert svg_to_png(svg) == svg_to_png(svg)


def test_names_in_any_alphabet_are_drawn() -> None:
    svg = archcalc.loads(hostile_spec()).to_svg(depth=0)
    assert "مرحبا" in page_of(svg_to_pdf(svg)).get_textpage().get_text_bounded()
    assert svg_to_png(svg).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "inside",
    [
        '<image href="/etc/passwd"/>',
        '<image xmlns:xlink="http://www.w3.org/1999/xlink" xlink:href="file:///etc/passwd"/>',
        '<g style="fill: red"/>',
        "<foreignObject/>",
        '<image href="http://example.org/x.png"/>',
        "<image href='data:image/svg+xml;base64,PHN2Zy8+'/>",
        '<rect fill="url(#g)"/>',
        "<style>@import 'x.css';</style>",
        "<script>1</script>",
        '<use href="#x"/>',
    ],
)
def test_a_drawing_that_refers_to_anything_is_refused(inside: str) -> None:
    for draw in (svg_to_pdf, svg_to_png):
        with pytest.raises(ValueError, match=r"a drawing (refers to|has) no"):
            draw(f"{HEAD}{inside}</svg>")
    with pytest.raises(ValueError, match="a drawing begins with <svg"):
        svg_to_png(f'<!DOCTYPE svg [<!ENTITY a "b">]>{HEAD}</svg>')


def test_hostile_names_refer_to_nothing() -> None:
    name = '<image href="http://x"/> url(http://x) @import <!ENTITY'
    svg = archcalc.load("lenet5").to_svg().replace("LeNet-5", escape(name, quote=False))
    assert svg_to_png(svg).startswith(b"\x89PNG")
    assert svg_to_pdf(svg).startswith(b"%PDF")


def test_an_image_that_is_too_large_is_refused_before_it_is_drawn() -> None:
    svg = HEAD.replace('"40"', '"100000"').replace('"20"', '"100000"') + "</svg>"
    with pytest.raises(UsageError, match=r"a PNG of 200,000×200,000 pixels is more than 50,000,000 pixels"):
        svg_to_png(svg)


@pytest.mark.parametrize(
    ("module", "draw", "remedy"),
    [("resvg_py", svg_to_png, "pip install resvg-py"), ("typst", svg_to_pdf, r"pip install 'archcalc\[pdf\]'")],
)
def test_a_missing_library(monkeypatch: pytest.MonkeyPatch, module: str, draw: Any, remedy: str) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError, match=remedy):
        draw(f"{HEAD}</svg>")


def test_libraries_are_imported_for_their_files_alone(tmp_path: Path) -> None:
    code = """
import sys
from archcalc.cli import main
sys.argv = ["archcalc", "diagram", "lenet5", "--volumes", "-o", sys.argv[1], "--force"]
try:
    main()
finally:
    print(sorted({"resvg_py", "typst"} & sys.modules.keys()))
"""
    for ending, imported in (("svg", "[]"), ("png", "['resvg_py']"), ("pdf", "['typst']")):
        command = [sys.executable, "-c", code, str(tmp_path / f"x.{ending}")]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == imported


def test_the_font_has_the_letters_and_widths() -> None:
    ttlib = pytest.importorskip("fontTools.ttLib")
    for bold, name in ((False, "Regular"), (True, "Bold")):
        font = ttlib.TTFont(FONTS / f"ArchcalcSans-{name}.ttf")
        glyphs, metrics, em = font.getBestCmap(), font["hmtx"], font["head"].unitsPerEm
        letters = {letter for first, last in LETTERS for letter in range(ord(first), ord(last) + 1)}
        assert letters <= glyphs.keys()
        for letter, width in WIDTHS[bold].items():
            assert metrics[glyphs[ord(letter)]][0] / em == pytest.approx(width, abs=0.0006), letter
