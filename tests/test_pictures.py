"""The pictures in the documents are current: the commands that the documents show draw them."""

import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from documents import PAGES, blocks

import archcalc

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "pictures"
REMEDY = "the pictures are not current: run python pictures/make.py, and look at them"


def load_maker() -> Any:
    found = spec_from_file_location("make_pictures", FOLDER / "make.py")
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


MAKER = load_maker()


def drawn(svg: str) -> list[tuple[Any, ...]]:
    """The elements of a drawing without their positions, which vary a little with the version of Graphviz."""
    what = ("class", "fill", "stroke", "stroke-width", "stroke-dasharray", "href")
    return [(found.tag, found.text, *map(found.get, what)) for found in ElementTree.fromstring(svg).iter()]


@pytest.mark.parametrize("name", MAKER.COMMANDS)
def test_a_drawing_is_current(name: str, tmp_path: Path) -> None:
    MAKER.draw(MAKER.COMMANDS[name], tmp_path / name)
    now, before = (tmp_path / name).read_text("utf-8"), (FOLDER / name).read_text("utf-8")
    assert drawn(now) == drawn(before), REMEDY
    if not MAKER.COMMANDS[name].startswith("diagram resnet"):  # archcalc lays these out itself
        assert now == before, REMEDY


def test_the_screenshot_shows_the_current_page() -> None:
    from archcalc.page.page import render_page

    content = (FOLDER / MAKER.SCREENSHOT).read_bytes()
    found = re.search(rb"tEXtpage\0([0-9a-f]{64})", content)
    assert found
    assert found[1].decode() == MAKER.digest(render_page({"resnet50": archcalc.load("resnet50")})), REMEDY


def test_the_digest_ignores_drawings() -> None:
    page = "<style>a</style><svg>1</svg><p>b</p><svg>2</svg>"
    assert MAKER.digest(page) == MAKER.digest(page.replace("1", "3"))
    for letter in "ab":
        assert MAKER.digest(page) != MAKER.digest(page.replace(letter, "c"))


def test_the_documents_show_every_picture_and_its_command() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    pictures = set(re.findall(r"\]\((?:\.\./)*pictures/([^)]+)\)", text))
    assert pictures == {*MAKER.COMMANDS, MAKER.SCREENSHOT}
    assert pictures <= {path.name for path in FOLDER.iterdir()}
    for name, command in MAKER.COMMANDS.items():
        if "first_network" in command:
            continue  # which the tutorial calls cnn.toml
        assert f"archcalc {command.replace('scene.png', 'pictures/scene.png')} -o {name}" in text
    assert f"archcalc {MAKER.PAGE} -o" in text


def test_the_first_network_is_the_last_one_of_the_tutorial() -> None:
    tutorial = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
    *_, last = (block.body for block in blocks(tutorial) if block.file == "cnn.toml")
    assert (FOLDER / "first_network.toml").read_text("utf-8") == last
    assert "$ archcalc diagram cnn.toml --volumes" in tutorial
