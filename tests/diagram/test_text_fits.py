"""Texts fit their cards and frames in any font, as Chromium measures them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import archcalc
from archcalc.diagram.style import FONTS

sys.path.insert(0, str(Path(__file__).parents[1] / "page"))

pytestmark = [pytest.mark.usefixtures("bundled_graphviz"), pytest.mark.browser]

SPECS = sorted(archcalc.shipped_specs())
FAMILIES = ("Liberation Sans", "DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono", "Noto Sans", "no such font")
# For every card and frame: its rectangle, and its texts with theirs.
MEASURE = """
const found = [];
const box = element => { const b = element.getBBox(); return [b.x, b.y, b.x + b.width, b.y + b.height]; };
for (const card of document.querySelectorAll("svg .node")) {
  const rects = [...card.querySelectorAll(":scope > rect")];
  const texts = [...card.querySelectorAll("text")];
  found.push([card.id, box(rects[rects.length - 1]), texts.map(t => [t.textContent, box(t)])]);
}
const titles = [...document.querySelectorAll("svg .title")];
document.querySelectorAll("svg .block").forEach((frame, number) => {
  const rects = [...frame.querySelectorAll(":scope > rect")];
  const texts = [...titles[number].querySelectorAll("text")];
  found.push([frame.id, box(rects[rects.length - 1]), texts.map(t => [t.textContent, box(t)])]);
});
return found;
"""


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from browser import chromium

    with chromium(tmp_path_factory.mktemp("profile")) as found:
        yield found


def overflows(driver: Any, folder: Path, svg: str, family: str) -> list[str]:
    """The texts that leave their card or frame, or touch another text of its line."""
    assert svg.count(FONTS) == 1
    page = folder / "page.html"
    page.write_text(f"<!doctype html><meta charset=utf-8>{svg.replace(FONTS, family)}", "utf-8")
    driver.get(page.as_uri())
    measured = driver.execute_script(MEASURE)
    assert sum(len(texts) for _, _, texts in measured) > 4
    found = []
    for name, (left, _, right, _), texts in measured:
        found += [f"{name}: {text}" for text, box in texts if box[0] < left + 2 or box[2] > right - 2]
        for number, (text, one) in enumerate(texts):
            others = [box for _, box in texts[number + 1 :] if abs(box[3] - one[3]) < 3]
            found += [f"{name}: {text} touches" for box in others if max(one[0], box[0]) < min(one[2], box[2])]
    return found


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_no_text_leaves_its_card(driver: Any, tmp_path: Path, spec: str) -> None:
    network = archcalc.load(spec)
    for family in FAMILIES:
        assert overflows(driver, tmp_path, network.to_svg(), family) == []
    assert overflows(driver, tmp_path, network.to_svg(show=("parameters", "macs", "memory")), "DejaVu Sans") == []


def test_other_alphabets_fit(driver: Any, tmp_path: Path) -> None:
    from drawings import hostile_spec

    svg = archcalc.loads(hostile_spec()).to_svg(depth=0)
    for family in FAMILIES:
        assert overflows(driver, tmp_path, svg, family) == []


def test_the_measure_can_fail(driver: Any, tmp_path: Path) -> None:
    """Without the `textLength` of texts, a wider font overflows the cards."""
    svg = archcalc.load("googlenet").to_svg().replace("textLength", "data-length")
    assert overflows(driver, tmp_path, svg, "Liberation Sans") == []
    assert "max_pool2d 3×3, stride 2, ceil mode" in " ".join(overflows(driver, tmp_path, svg, "DejaVu Sans"))
