"""Titles of frames: no arrow runs through them."""

import re
from collections.abc import Iterator
from itertools import pairwise
from xml.etree.ElementTree import Element

import pytest
from drawings import SVG, parsed, with_class
from vit import ENCODER, vit_b_16

import archcalc
from archcalc.diagram import draw
from archcalc.diagram import svg as svg_of
from archcalc.diagram.clearance import first_gap, spans_at

pytestmark = pytest.mark.usefixtures("bundled_graphviz")

Point = tuple[float, float]
SPECS = sorted(archcalc.shipped_specs())


def points(text: str) -> list[Point]:
    numbers = [*map(float, re.findall(r"-?\d+\.?\d*", text))]
    return [*zip(numbers[::2], numbers[1::2], strict=True)]


def bezier(controls: list[Point], t: float) -> Point:
    """By de Casteljau's construction."""
    while len(controls) > 1:
        controls = [((1 - t) * a[0] + t * b[0], (1 - t) * a[1] + t * b[1]) for a, b in pairwise(controls)]
    return controls[0]


def samples(arrow: Element) -> Iterator[Point]:
    for path in arrow.iter(f"{SVG}path"):
        controls = points(path.get("d", ""))
        for start in range(0, len(controls) - 3, 3):
            yield from (bezier(controls[start : start + 4], step / 400) for step in range(401))
    for head in arrow.iter(f"{SVG}polygon"):
        yield from points(head.get("points", ""))


def crossed_titles(svg: str) -> list[str]:
    root = parsed(svg)
    drawn = [point for arrow in with_class(root, "edge") for point in samples(arrow)]
    found = []
    for text in (text for group in with_class(root, "title") for text in group.iter(f"{SVG}text")):
        left, baseline = float(text.get("x", "")), float(text.get("y", ""))
        right, top = left + float(text.get("textLength", "")), baseline - 10
        if any(left - 2 <= x <= right + 2 and top <= y <= baseline + 3 for x, y in drawn):
            found.append(text.text or "")
    return found


@pytest.mark.every_spec(few={"googlenet", "resnet50", "unet", "densenet121", "mobilenet_v2"})
@pytest.mark.parametrize("spec", SPECS)
def test_no_arrow_runs_through_a_title(spec: str) -> None:
    for direction in ("TB", "LR"):
        assert crossed_titles(archcalc.load(spec).to_svg(direction=direction)) == []


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svg_of, "first_gap", lambda *arguments: arguments[1])
    assert crossed_titles(archcalc.load("resnet50").to_svg()) != []


@pytest.mark.parametrize("encoder", ENCODER)
def test_twelve_equal_blocks_are_one(encoder: str) -> None:
    svg = archcalc.loads(vit_b_16(encoder)).to_svg()
    titles = [[text.text for text in group.iter(f"{SVG}text")] for group in with_class(parsed(svg), "title")]
    name = {"repeated": "encoder.0 … encoder.11", "named": "block0 … block11"}[encoder]
    assert titles == [["transformer"], [name, "encoder_block", "×12"]]
    assert crossed_titles(svg) == []


def test_a_title_that_has_no_room_hides_the_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "TRIES", 0)  # to make room
    svg = archcalc.load("mobilenet_v2").to_svg()
    crossed = crossed_titles(svg)
    covers = [group for group in with_class(parsed(svg), "title") if group.find(f"{SVG}rect") is not None]
    assert {text.text for group in covers for text in group.iter(f"{SVG}text")} >= {*crossed} > set()


def titles_of(spec: str, **look: object) -> set[tuple[str | None, ...]]:
    root = parsed(archcalc.load(spec).to_svg(**look))
    return {tuple(text.text for text in group.iter(f"{SVG}text")) for group in with_class(root, "title")}


def test_a_title_takes_two_lines_where_one_makes_its_frame_too_wide() -> None:
    assert ("down1", "double_conv") in titles_of("unet")
    assert ("up1 · up",) in titles_of("unet")  # two cards stand beside each other
    assert ("layer1.1 … layer1.2", "bottleneck", "×2") in titles_of("resnet50")
    assert ("inception3a · inception",) in titles_of("googlenet")  # four
    assert ("down1 · double_conv",) in titles_of("unet", direction="LR")  # a row


def test_lines_of_a_title_are_one_below_the_other_in_its_frame() -> None:
    root = parsed(archcalc.load("unet").to_svg())
    pairs = [*zip(with_class(root, "block"), with_class(root, "title"), strict=True)]
    assert any(len(title) == 2 for _, title in pairs)
    for block, title in pairs:
        frame = block.findall(f"{SVG}rect")[-1]
        baselines = [float(text.get("y", "")) - float(frame.get("y", "")) for text in title.iter(f"{SVG}text")]
        assert baselines == pytest.approx([17, 33][: len(title)])
        assert float(frame.get("width", "")) < 240 or len(title) == 1


def test_gaps() -> None:
    assert first_gap([], 10, 50) == 10
    assert first_gap([(40, 41)], 10, 50) == 48
    assert first_gap([(40, 41)], 10, 20) == 10
    assert first_gap([(60, 61), (20, 30)], 10, 40) == 68
    assert first_gap([(20, 90), (30, 40)], 10, 40) == 97


def test_the_crossing_of_a_line_and_a_band() -> None:
    assert [*spans_at([[(0, 0), (10, 10)]], (4, 6))] == [(4, 6)]
    assert [*spans_at([[(0, 0), (10, 10)]], (12, 16))] == []
    assert [*spans_at([[(0, 5), (10, 5)]], (4, 6))] == [(0, 10)]
