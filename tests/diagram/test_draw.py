"""Failures of Graphviz."""

import sys
from pathlib import Path

import pytest

import archcalc
from archcalc.diagram import draw
from archcalc.diagram.look import Look
from archcalc.diagram.picture import Diagram
from archcalc.diagram.picture import draw as picture_of
from archcalc.errors import UsageError


def picture() -> Diagram:
    return picture_of(archcalc.load("lenet5").context, Look())


def program(folder: Path, script: str) -> str:
    path = folder / "dot"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_a_layout_that_takes_too_long_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "PATIENCE", 0.2)
    with pytest.raises(UsageError, match=r"Graphviz has not drawn \d+ lines of DOT in 0.2 seconds; leave out --depth"):
        draw.to_svg(picture(), program(tmp_path, "exec sleep 60"))
    monkeypatch.setattr(draw, "WASM", [sys.executable, "-c", "import time; time.sleep(60)"])
    with pytest.raises(UsageError, match="Graphviz has not drawn"):
        draw.to_svg(picture(), None)


def test_a_program_that_fails(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^dot failed: no such font$"):
        draw.to_svg(picture(), program(tmp_path, "echo 'no such font' >&2; exit 1"))
    with pytest.raises(UsageError, match=r"^dot failed: 3$"):
        draw.to_svg(picture(), program(tmp_path, "exit 3"))
    with pytest.raises(UsageError, match=r"cannot run .*nothing: no such file or directory"):
        draw.to_svg(picture(), str(tmp_path / "nothing"))


def test_a_bundled_graphviz_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draw, "WASM", [sys.executable, "-c", "raise SystemExit('Traceback\\nout of memory')"])
    message = r"the bundled Graphviz failed \(out of memory\): leave out --depth, .* or install Graphviz"
    with pytest.raises(UsageError, match=message):
        draw.to_svg(picture(), None)


def test_a_bundled_graphviz_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    svg = draw.to_svg(picture(), None)
    monkeypatch.setenv("HOME", "/dev/null")
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null/cache")
    assert draw.to_svg(picture(), None) == svg
