"""`archcalc diagram`: files, formats, and what it says where it cannot."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

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


def test_what_is_folded_is_said() -> None:
    done = invoke("inception_v3", "--to", "dot")
    assert done.stderr == "note: blocks are folded at depth 1 (--depth all unfolds everything)\n"
    assert invoke("inception_v3", "--to", "dot", "--depth", "all").stderr == ""
    assert invoke("inception_v3", "--to", "dot", "--depth", "0").stdout.count("class=") > 80
    assert invoke("lenet5", "--depth", "some").exit_code == 2


def test_without_dot_svg_is_drawn_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert invoke("lenet5").stdout.startswith("<svg ")
    for form in ("pdf", "png"):
        with pytest.raises(UsageError, match="install Graphviz"):
            invoke("lenet5", "-o", str(tmp_path / f"x.{form}"))
    assert [*tmp_path.iterdir()] == []


def test_a_dot_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\necho no luck >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(UsageError, match="dot failed: no luck"):
        invoke("lenet5")


@pytest.mark.dot
def test_dot_writes_pdf_and_png(tmp_path: Path) -> None:
    for form, start in (("pdf", b"%PDF"), ("png", b"\x89PNG")):
        path = tmp_path / f"x.{form}"
        assert invoke("lenet5", "-o", str(path)).exit_code == 0
        assert path.read_bytes().startswith(start)
