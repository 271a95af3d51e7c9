"""`archcalc diagram`: files, formats, and errors."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

import archcalc
from archcalc.cli import cli
from archcalc.errors import UsageError


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["diagram", *arguments], catch_exceptions=False)


def test_ending_decides(tmp_path: Path) -> None:
    for ending, start in (("svg", "<svg "), ("dot", "digraph"), ("SVG", "<svg ")):
        assert invoke("lenet5", "-o", str(tmp_path / f"x.{ending}")).exit_code == 0
        assert (tmp_path / f"x.{ending}").read_text("utf-8").startswith(start)
    assert invoke("lenet5", "-o", str(tmp_path / "y"), "--to", "dot").exit_code == 0
    with pytest.raises(UsageError, match="add --to"):
        invoke("lenet5", "-o", str(tmp_path / "x.txt"))
    with pytest.raises(UsageError, match="is a folder; name a file in it"):
        invoke("lenet5", "-o", str(tmp_path))


def test_without_a_file_it_prints() -> None:
    assert invoke("lenet5").stdout == archcalc.load("lenet5").to_svg()
    assert invoke("lenet5", "--to", "dot").stdout == archcalc.load("lenet5").to_dot()
    with pytest.raises(UsageError, match="PNG is binary"):
        invoke("lenet5", "--to", "png")


def test_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.dot"
    path.write_text("mine")
    with pytest.raises(UsageError, match="--force"):
        invoke("lenet5", "-o", str(path))
    assert path.read_text() == "mine"
    assert invoke("lenet5", "-o", str(path), "--force").exit_code == 0
    assert path.read_text().startswith("digraph")


def test_collapsed_blocks_are_reported() -> None:
    done = invoke("inception_v3", "--to", "dot")
    assert done.stderr == "note: of each kind of block, only the first is open (--depth all expands everything)\n"
    assert invoke("inception_v3", "--to", "dot", "--depth", "all").stderr == ""
    assert invoke("inception_v3", "--to", "dot", "--depth", "0").stdout.count("class=") > 80
    assert invoke("lenet5", "--depth", "some").exit_code == 2


def test_every_form_is_drawn_without_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    starts = {"svg": b"<svg ", "pdf": b"%PDF", "png": b"\x89PNG"}
    for arguments in (["lenet5"], ["lenet5", "--volumes"], ["resnet18", "--block", "layer2.0", "--no-title"]):
        for form, start in starts.items():
            path = tmp_path / f"x.{form}"
            assert invoke(*arguments, "-o", str(path), "--force").exit_code == 0
            assert path.read_bytes().startswith(start)


def test_the_scale_of_a_png(tmp_path: Path) -> None:
    path, svg = tmp_path / "x.png", archcalc.load("lenet5").to_svg()
    width = float(svg.split('width="')[1].split('"')[0])
    for arguments, scale in (([], 2), (["--scale", "1"], 1), (["--scale", "0.5"], 0.5)):
        assert invoke("lenet5", "-o", str(path), "--force", *arguments).exit_code == 0
        with Image.open(path) as image:
            assert image.width == pytest.approx(width * scale, abs=1)
    with pytest.raises(UsageError, match="--scale is for PNG, and PDF has no pixels"):
        invoke("lenet5", "-o", str(tmp_path / "x.pdf"), "--scale", "2")
    for scale in ("0", "nan", "-1", "1e9"):
        with pytest.raises(UsageError, match=r"scale must be between 0\.05 and 20, and is"):
            invoke("lenet5", "-o", str(path), "--force", "--scale", scale)


def test_a_png_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"a PNG of .* pixels is more than 50,000,000 pixels; take a smaller --scale"):
        invoke("resnet152", "--depth", "all", "--every-copy", "-o", str(tmp_path / "x.png"), "--scale", "20")
    assert [*tmp_path.iterdir()] == []


def test_without_title_and_legend(tmp_path: Path) -> None:
    for arguments in (["lenet5"], ["lenet5", "--volumes"], ["lenet5", "--to", "dot"]):
        both, neither = invoke(*arguments).stdout, invoke(*arguments, "--no-title", "--no-legend").stdout
        title, legend = invoke(*arguments, "--no-legend").stdout, invoke(*arguments, "--no-title").stdout
        assert both.count("LeNet-5") == title.count("LeNet-5") > legend.count("LeNet-5") == neither.count("LeNet-5")
        note = "to scale;" if "--volumes" in arguments else "convolution<"
        assert [note in text for text in (both, title, legend, neither)] == [True, False, True, False]


def test_a_block_is_drawn_alone() -> None:
    assert invoke("googlenet", "--block", "inception4a").stdout == archcalc.load("googlenet").to_svg(
        block="inception4a"
    )
    for name, message in (
        ("inception_3a", 'no block is called "inception_3a"; did you mean "inception3a"?'),
        ("maxpool1", '"maxpool1" is a layer, not a block'),
        ("image", '"image" is an input, not a block'),
    ):
        for arguments in ([], ["--volumes"]):
            with pytest.raises(UsageError) as caught:
                invoke("googlenet", "--block", name, *arguments)
            assert str(caught.value) == message
    with pytest.raises(UsageError, match='no block is called "x": the network has none'):
        invoke("lenet5", "--block", "x")


def test_a_dot_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho no luck >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UsageError, match="dot failed: no luck"):
        invoke("lenet5")
