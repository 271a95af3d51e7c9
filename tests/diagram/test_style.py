"""Words and marks have the contrast to their background that the WCAG requires."""

import re
from importlib.resources import files

import pytest

from archcalc.diagram.style import STYLES, UNKNOWN


def contrast(one: str, other: str) -> float:
    """The ratio of two colours by WCAG 2.2."""
    lighter, darker = sorted(map(luminance, (one, other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(color: str) -> float:
    channels = (int(color[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = (value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels)
    return sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_the_contrast_ratio_is_that_of_the_wcag() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)  # the standard's own example of too little


@pytest.mark.parametrize("name", STYLES)
def test_words_on_every_ground(name: str) -> None:
    style = STYLES[name]
    grounds = {paint.fill for paint in style.paints.values()}
    grounds |= {style.pale(fill) for fill in grounds} | {style.background, style.frame.fill}
    assert min(contrast(ink, ground) for ground in grounds for ink in (style.text, style.muted)) >= 4.5


@pytest.mark.parametrize("name", STYLES)
def test_words_on_every_heat(name: str) -> None:
    style = STYLES[name]
    for share in (UNKNOWN, *(number / 100 for number in range(101))):
        ink = style.heat_text if share > 0.6 else style.text
        assert contrast(ink, style.heated(share)) >= 4.5


def test_the_mark_on_the_page() -> None:
    css = (files("archcalc.page") / "page.css").read_text("utf-8")
    light, dark = re.findall(r"--edge: (#[0-9a-f]{6})", css)
    for style, color in ((STYLES["color"], light), (STYLES["dark"], dark)):
        grounds = {paint.fill for paint in style.paints.values()} | {style.background, style.frame.fill}
        assert min(contrast(color, ground) for ground in grounds) >= 3
