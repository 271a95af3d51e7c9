"""`archcalc roofline` on the command line, and the device that `archcalc bench` writes for it."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import archcalc
from archcalc.cli import cli
from archcalc.devices import find_device, shipped_devices
from archcalc.errors import SpecError, UsageError

Run = Callable[..., Any]

DEVICE = 'name = "Mine"\nbytes_per_second = 1e9\nsource = "me"\n[operations_per_second]\nfloat32 = 1e12\n'


def roofline(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["roofline", *arguments], input=text, catch_exceptions=False, standalone_mode=False)


def test_the_numbers_are_those_of_the_library() -> None:
    found = json.loads(
        roofline("m5", "--device", "t4", "--dtype", "float16", "--batch", "3", "--format", "json").output
    )
    assert found == archcalc.load("m5", batch=3).roofline("t4", "float16").to_dict()


def test_options_change_the_network() -> None:
    arguments = ("--device", "a100", "--format", "json")
    wide = json.loads(roofline("stacked_3x3", *arguments, "--set", "C=128").output)
    assert wide == archcalc.load("stacked_3x3", variables={"C": 128}).roofline("a100").to_dict()
    long = json.loads(roofline("m5", *arguments, "--input", "waveform=1x64000").output)
    assert long == archcalc.load("m5", inputs={"waveform": [1, 64000]}).roofline("a100").to_dict()
    assert "aux" in roofline("googlenet", "--device", "a100", "--training").output


def test_blocks_are_collapsed() -> None:
    lines = roofline("resnet50", "--device", "a100", "--depth", "1").output.splitlines()
    assert [line.split()[0] for line in lines[6:12]] == ["stem", "layer1", "layer2", "layer3", "layer4", "head"]


def test_a_device_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(DEVICE)
    assert "Mine · float32 · batch 1" in roofline("lenet5", "--device", str(file)).output
    with pytest.raises(UsageError, match='"Mine" has no peak for int8; it has float32'):
        roofline("lenet5", "--device", str(file), "--dtype", "int8")
    file.write_text(DEVICE.replace("1e12", '"fast"'))
    with pytest.raises(SpecError, match=r"mine.toml:5\n.*float32 = \"fast\""):
        roofline("lenet5", "--device", str(file))


def test_the_list_has_every_device() -> None:
    output = roofline("--list-devices").output
    assert all(f"\n{name} " in output for name in shipped_devices())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--device is missing\n  help: for example: --device a100; known: h100, "),
        (("--device", "quantum"), 'no device is called "quantum"\n  help: known: h100, '),
        (("--device", "missing.toml"), 'cannot read "missing.toml": no such file'),
        (
            ("--device", "v100", "--dtype", "bfloat16"),
            "has no peak for bfloat16\n  help: it has float64",
        ),
        (("--device", "v100", "--dtype", "float8"), 'no dtype is called "float8"'),
        (("--device", "v100", "--batch", "0"), '--batch cannot be "0"'),
        (
            ("--device", "v100", "--format", "xml"),
            '"xml" is not a choice\n  help: choose from table, plain, markdown, latex, html, csv, json',
        ),
        (("--device", "v100", "-o", "picture.gif"), "name a file that ends in .svg, .pdf or .png"),
        (("--device", "v100", "-o", "/missing/picture.svg"), 'cannot write "/missing/picture.svg"'),
    ],
)
def test_wrong_usage_ends_with_2_and_lists_the_choices(arguments: tuple[str, ...], message: str, program: Run) -> None:
    done = program("roofline", "lenet5", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_picture_is_written_and_not_replaced(tmp_path: Path) -> None:
    file = tmp_path / "roofline.SVG"
    arguments = ("lenet5", "--device", "a100", "-o", str(file))
    assert roofline(*arguments).output == ""
    written = file.read_bytes()
    assert b"LeNet-5" in written
    with pytest.raises(UsageError, match="is there already; --force replaces it"):
        roofline(*arguments)
    assert roofline(*arguments, "--force", "--dtype", "float16").output == ""
    assert file.read_bytes() != written


def test_the_way_to_the_table_imports_nothing_heavy() -> None:
    script = (
        "import sys; from archcalc.cli import cli;"
        "cli(['roofline', 'lenet5', '--device', 'a100'], standalone_mode=False);"
        "print([name for name in ('torch', 'numpy', 'matplotlib', 'tabulate', 'tree_sitter') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# the device that bench writes


@pytest.mark.slow
def test_bench_measures_a_device_that_roofline_reads(tmp_path: Path, program: Run) -> None:
    pytest.importorskip("torch")
    device, times = tmp_path / "this.toml", tmp_path / "times.json"
    quick = ("--seconds", "0.05", "--threads", "1", "--dtype", "float32,float64")
    done = program("bench", "resnet18", *quick, "--write-device", str(device), "-o", str(times))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    measured = json.loads(times.read_text("utf-8"))
    found = find_device(str(device))
    assert found.name == measured["environment"]["device_name"]
    assert found.source.startswith("measured by archcalc bench: archcalc ")
    assert found.source.endswith(", threads: 1")
    assert found.bytes_per_second == pytest.approx(measured["peak"]["copy_bytes_per_second"], rel=1e-5)
    products = {dtype: product["flops_per_second"] for dtype, product in measured["peak"]["products"].items()}
    assert found.peaks.known() == pytest.approx(products, rel=1e-5)
    for row in measured["rows"]:
        bound = json.loads(
            roofline("resnet18", "--device", str(device), "--dtype", row["dtype"], "--format", "json").output
        )
        # PyTorch runs the layers one by one; here it takes nearly four times as long.
        assert row["seconds"]["median"] > bound["totals"]["seconds"]


def test_bench_replaces_no_device(tmp_path: Path, program: Run) -> None:
    pytest.importorskip("torch")
    file = tmp_path / "this.toml"
    file.write_text("mine")
    done = program("bench", "lenet5", "--write-device", str(file))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f'error: "{file}" is there already\n  help: --force replaces it\n'
    assert file.read_text() == "mine"
