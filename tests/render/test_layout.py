"""Names of a table in the room that they have."""

import pytest

from archcalc.render.layout import fit, name_lines, shortest_width

NAMES = ["stem.conv", "layer4.0.expand.bn", "layer4.0.shortcut.bn", "fc"]
PAIRS = ["conv → layer1", "layer1.0.first.conv → layer1.0.reduce.conv"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (20, NAMES),
        (19, ["s.conv", "l4.0.expand.bn", "l4.0.shortcut.bn", "fc"]),
        (16, ["s.conv", "l4.0.expand.bn", "l4.0.shortcut.bn", "fc"]),
        (15, ["s.conv", "l4.0.e.bn", "l4.0.s.bn", "fc"]),
        (9, ["s.conv", "l4.0.e.bn", "l4.0.s.bn", "fc"]),
        (8, ["s.conv", "l4.….bn", "l4.….bn", "fc"]),
    ],
)
def test_a_segment_is_abbreviated_in_all_names_or_in_none(width: int, expected: list[str]) -> None:
    found = name_lines(NAMES, [0] * len(NAMES), width)
    if width == 8:
        assert all(len(line) <= width for (line,) in found)
        assert (found[0], found[3]) == (["s.conv"], ["fc"])
    else:
        assert found == [[name] for name in expected]


def test_a_name_that_never_fits_does_not_abbreviate_the_others() -> None:
    found = name_lines(["a" * 30, "layer1.conv"], [0, 0], 12)
    assert found == [["aaaaa…aaaaaa"], ["layer1.conv"]]


def test_an_indent_takes_the_room_of_its_name() -> None:
    assert name_lines(["layer1.conv", "layer1.conv"], [0, 4], 14) == [["l1.conv"], ["l1.conv"]]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (42, [[name] for name in PAIRS]),
        (34, [["conv → layer1"], ["l1.0.first.conv → l1.0.reduce.conv"]]),
        (26, [["conv → layer1"], ["l1.0.f.conv → l1.0.r.conv"]]),
        (24, [["conv", "  → layer1"], ["layer1.0.first.conv", "  → layer1.0.reduce.conv"]]),
        (20, [["conv", "  → layer1"], ["l1.0.first.conv", "  → l1.0.reduce.conv"]]),
        (15, [["conv", "  → layer1"], ["l1.0.f.conv", "  → l1.0.r.conv"]]),
    ],
)
def test_a_pair_is_parted_where_its_abbreviations_do_not_fit(width: int, expected: list[list[str]]) -> None:
    assert name_lines(PAIRS, [0, 0], width) == expected
    assert shortest_width(PAIRS[1]) == len("  → l1.0.r.conv")


def test_names_take_the_room_of_columns_that_are_left_out() -> None:
    layout = fit({0: 30, 1: 10, 2: 10}, available=40, texts={}, priorities=[0, 0, 1], shortest=20)
    assert (layout.left_out, layout.widths) == ([2], {0: 28, 1: 10})
