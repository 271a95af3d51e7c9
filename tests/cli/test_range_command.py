"""`archcalc range`."""

import io
import json
import re
import sys

import pytest
from click.testing import CliRunner

import archcalc
from archcalc.analysis.input_range import find_ranges
from archcalc.cli import cli
from archcalc.cli.terminal import progress_bar


def output(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["range", *arguments], catch_exceptions=False).output


def test_the_text_of_a_range() -> None:
    assert output("alexnet_2012").splitlines()[3:] == [
        "sizes n of image 3×n×n",
        "works         from 67 on",
        "same weights  227 to 258",
        "no remainder  where n mod 32 is 3, from 67 on",
        "              227 is one of them",
        "useful        131 to 195",
        "              below 131 conv5 sees nothing new, even by the shortest path",
        "              above 195 no unit before fc6 sees all of it",
        "              pool5 sees most",
    ]


def notes(layers: str) -> list[str]:
    """The notes about useful sizes."""
    text = f'name = "x"\ninputs.x = [3, 33, 33]\nlayers = [{layers}]'
    found = CliRunner().invoke(cli, ["range", "-"], input=text, catch_exceptions=False).output
    return [line.strip() for line in found.partition("useful")[2].splitlines()[1:]]


CONV = '{ name = "NAME", type = "conv2d", out_channels = 3, kernel_size = 3, padding = 1 }'


def test_useful_sizes_follow_fields_of_windows_alone() -> None:
    squeezed = '{ name = "p", type = "adaptive_avg_pool2d", output_size = 1 }, { type = "mul", inputs = ["a", "p"] }'
    assert notes(", ".join([CONV.replace("NAME", "a"), squeezed, CONV.replace("NAME", "b")])) == [
        "below 3 windows of b see nothing new, even by the shortest path",
        "above 5 no unit before p sees all of it",
        "by windows alone b sees most",
    ]


def test_without_a_layer_that_reads_the_whole_map_no_unit_sees_all() -> None:
    assert notes(CONV.replace("NAME", "a")) == ["above 3 no unit sees all of it; a sees most"]


def test_fields_that_depend_on_the_size_are_noted() -> None:
    upsampled = '{ name = "u", type = "upsample", size = 64 }'
    assert notes(f"{upsampled}, {CONV}") == ["from u on, fields depend on the size"]
    assert notes('{ type = "relu" }') == ["no window slides over the input"]


def test_skipped_positions_are_noted_beside_no_remainder() -> None:
    """Of 33×33 pixels, 17×17 are read; pixels between windows are not."""
    text = """
    name = "x"
    inputs.x = [3, 33, 33]
    layers = [
      { type = "conv2d", out_channels = 3, kernel_size = 1, stride = 2 },
      { type = "conv2d", out_channels = 3, kernel_size = 3 },
    ]
    """
    found = CliRunner().invoke(cli, ["range", "-"], input=text, catch_exceptions=False).output
    assert "no remainder  from 5 on" in found
    assert "drops" not in found
    assert {finding.code for finding in archcalc.loads(text).check()} >= {"W102"}


def test_another_input_is_another_own_size() -> None:
    assert "224 is not one of them; the nearest: 195 and 227" in output("alexnet_2012", "--input", "image=3x224x224")


def test_useful_sizes_also_work() -> None:
    assert "useful        188 to 204" in output("unet")
    assert "useful        32 alone" in output("lenet5")


def test_sizes_that_were_tried_have_an_end() -> None:
    text = """
    name = "x"
    inputs.x = [1, 16]
    layers = [{ type = "upsample", scale_factor = 2.3 }, { type = "reshape", shape = [36] }]
    """
    found = CliRunner().invoke(cli, ["range", "-"], input=text, catch_exceptions=False)
    assert found.output.splitlines()[3:6] == [
        "sizes n of x 1×n",
        "works         16 alone",
        "              every size up to 512 was tried; larger ones are unknown",
    ]


@pytest.mark.parametrize("name", ["r3d_18", "squeezenet1_1"])
def test_the_progress_rises_from_nothing_to_all(name: str) -> None:
    heard: list[float] = []
    find_ranges(archcalc.load(name).context, lambda done, whole: heard.append(done / whole))
    assert 0 <= min(heard) <= max(heard) == heard[-1] == 1
    assert len({*heard}) > 2


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_never_falls_and_keeps_to_its_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with progress_bar("sizes") as progress:
        for done, whole in [(0, 3), (1, 2), (1, 9), (3, 4), (0, 1), (2, 1)]:
            progress(done, whole)
    lines = terminal.getvalue().split("\r")
    assert max(map(len, lines)) < 60
    percents = [int(share) for share in re.findall(r"(-?\d+)%", terminal.getvalue())]
    assert percents == sorted(percents)
    assert {0, 50, 75, 100} <= {*percents} <= {*range(101)}


def test_a_network_without_positions() -> None:
    text = 'name = "x"\ninputs.x = [4]\nlayers = [{ type = "relu" }]'
    found = CliRunner().invoke(cli, ["range", "-"], input=text, catch_exceptions=False)
    assert "no axis of an input has positions" in found.output


@pytest.mark.every_spec
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_shipped_spec(name: str) -> None:
    found = json.loads(output(name, "--format", "json"))
    assert found["name"] == archcalc.load(name).name
    for row in found["ranges"]:
        assert 1 <= row["smallest"] <= row["size"]
        assert row["works"]["tried"] is row["same_weights"]["tried"] is row["no_remainder"]["tried"] is None
        if row["productive"]:
            assert row["productive"]["size"] <= row["covered"]["size"]
