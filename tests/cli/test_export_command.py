"""`archcalc export`: its output files, and what it refuses."""

import subprocess
import sys
from pathlib import Path

import onnx
import pytest
from click.testing import CliRunner

import archcalc
from archcalc.cli import cli
from archcalc.errors import UsageError


def export(*arguments: str) -> str:
    return CliRunner().invoke(cli, ["export", *arguments], catch_exceptions=False, standalone_mode=False).output


def test_source_is_printed() -> None:
    assert export("m5") == archcalc.load("m5").to_source()


def test_options_change_the_network() -> None:
    assert "nn.Conv2d(4, 4, 3, padding=1, bias=False)" in export("stacked_3x3", "--set", "C=4")
    assert "N×1×64000" in export("m5", "--input", "waveform=1x64000")


def test_source_is_written_to_a_file(tmp_path: Path) -> None:
    assert export("m5", "-o", f"{tmp_path}/model.py") == ""
    assert (tmp_path / "model.py").read_text("utf-8") == archcalc.load("m5").to_source()
    with pytest.raises(UsageError, match=r'model.py" is there already; --force replaces it'):
        export("lenet5", "-o", f"{tmp_path}/model.py")
    assert export("lenet5", "-o", f"{tmp_path}/model.py", "--force") == ""
    assert (tmp_path / "model.py").read_text("utf-8") == archcalc.load("lenet5").to_source()


def test_onnx_is_written(tmp_path: Path) -> None:
    assert export("dense_3x3", "-o", f"{tmp_path}/model.onnx") == ""
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model)
    assert model.graph.output[0].name == "hidden"


@pytest.mark.parametrize("more", [["-o", "model.onnx"], ["-o", "model.ONNX"], ["-o", "model", "--to", "onnx"]])
def test_onnx_by_the_name_of_the_file_or_by_option(
    more: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("archcalc.pytorch.onnx.to_onnx", lambda network: network.name.encode())
    assert export("dense_3x3", *more) == ""
    assert (tmp_path / more[1]).read_text("utf-8") == archcalc.load("dense_3x3").name


def test_source_may_have_any_name(tmp_path: Path) -> None:
    export("dense_3x3", "--to", "source", "-o", f"{tmp_path}/a.onnx")
    assert (tmp_path / "a.onnx").read_text("utf-8").startswith('"""Dense layer')


def test_onnx_needs_a_file() -> None:
    with pytest.raises(UsageError, match=r"ONNX is binary; name a file, as in -o model.onnx"):
        export("dense_3x3", "--to", "onnx")


def test_nothing_is_exported_over_a_file_that_is_there(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    file.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        export("dense_3x3", "-o", str(file))
    assert file.read_text() == "mine"


@pytest.mark.parametrize("place", ["/missing/model.py", "/", "/proc/model.py"])
def test_a_place_where_nothing_can_be_written(place: str) -> None:
    command = [sys.executable, "-m", "archcalc", "export", "lenet5", "-o", place]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f'error: cannot write "{place}": ')
    assert len(done.stderr.splitlines()) == 1
