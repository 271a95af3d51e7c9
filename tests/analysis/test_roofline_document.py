"""A roofline as text: tables whose rows add up, and JSON with units in its keys."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from written import written

import archcalc
from archcalc.analysis.roofline import Roofline
from archcalc.analysis.roofline_document import devices_document
from archcalc.devices import Device, Peaks, shipped_devices
from archcalc.render.style import Style, display_width
from archcalc.render.write import FORMATS, write

STRANGE = """
name = "Strange \\u001b[31m names"
inputs = { x = [7, 5], adjacency = [7, 7] }
layers = [
  { name = "g|<b>", type = "gcn_conv", inputs = ["x", "adjacency"], out_features = 4 },
  { name = "f", type = "flatten" },
]
"""


def lenet5(dtype: str = "float16") -> Roofline:
    return archcalc.load("lenet5", batch=8).roofline("a100", dtype)


def resnet50(depth: int | None = None) -> Roofline:
    network = archcalc.load("resnet50", batch=32)
    return network.roofline("t4", "float16").collapsed(network.graph, depth)


@pytest.mark.parametrize("format_name", ["table", "plain", "markdown", "csv"])
def test_golden(format_name: str, golden: Callable[[Path, str], None]) -> None:
    golden(Path(f"roofline/lenet5.{format_name}.txt"), written(lenet5(), format_name) + "\n")


def test_golden_of_unknown_values(golden: Callable[[Path, str], None]) -> None:
    device = Device("Mine", 1e9, "a guess, https://example.org/", Peaks(int8=1e12), note="a note")
    golden(Path("roofline/unknown.txt"), written(archcalc.loads(STRANGE).roofline(device, "int8"), "plain") + "\n")


@pytest.mark.parametrize("width", [60, 80, 100])
@pytest.mark.parametrize("depth", [1, None])
def test_the_table_fits_the_terminal(width: int, depth: int | None) -> None:
    lines = written(resnet50(depth), "table", Style(width)).splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("──")]
    assert len(rules) == 2
    assert all(display_width(line) <= width for line in lines[: rules[1] + 1])


def test_every_number_fits_eighty_columns() -> None:
    assert "(no room for: Read MiB, Written MiB)" in written(resnet50(), "table", Style(80))


def test_sizes_are_in_one_unit_that_is_named() -> None:
    assert "Read KiB" in written(lenet5(), "plain")
    assert "Read MiB" in written(resnet50(), "plain")
    read = lenet5().bytes_read
    assert f"{read / 1024:.0f} KiB" in written(lenet5(), "plain")


def test_a_block_has_the_share_bound_by_memory() -> None:
    text = written(resnet50(1), "plain")
    (layer3,) = [row for row in resnet50(1).layers if row.name == "layer3"]
    assert f"memory {100 * layer3.memory_seconds / layer3.seconds:.0f} %" in text


def test_json_has_units_in_its_keys_and_adds_up() -> None:
    found = json.loads(written(resnet50(), "json"))
    assert found["device"]["name"] == "NVIDIA T4 16 GB"
    assert found["device"]["bytes_per_second"] == 320e9
    assert found["device"]["operations_per_second"] == 65e12
    assert found["device"]["ridge_operations_per_byte"] == 65e12 / 320e9
    assert (found["batch"], found["dtype"]) == (32, "float16")
    for key in ("operations", "bytes_read", "bytes_written"):
        assert found["totals"][key] == sum(layer[key] for layer in found["layers"])
    for key in ("seconds", "memory_bound_seconds"):
        assert found["totals"][key] == pytest.approx(sum(layer[key] for layer in found["layers"]))
    conv = found["layers"][0]
    # 64 maps of 112×112 from 7×7×3 numbers each; weights, images and maps of two bytes.
    assert conv["operations"] == 2 * 32 * 64 * 112 * 112 * 7 * 7 * 3
    assert conv["bytes_read"] == 2 * (32 * 3 * 224 * 224 + 64 * 3 * 7 * 7)
    assert conv["bytes_written"] == 2 * 32 * 64 * 112 * 112
    assert conv["seconds"] == max(conv["operations"] / 65e12, (conv["bytes_read"] + conv["bytes_written"]) / 320e9)
    assert conv["operations_per_byte"] == conv["operations"] / (conv["bytes_read"] + conv["bytes_written"])


def test_csv_has_the_rows_of_json() -> None:
    records = [*csv.DictReader(io.StringIO(written(resnet50(), "csv")))]
    rows = json.loads(written(resnet50(), "json"))["layers"]
    assert len(records) == len(rows)
    for record, row in zip(records, rows, strict=True):
        assert record == {key: "" if value is None else str(value) for key, value in row.items()}


@pytest.mark.parametrize("format_name", FORMATS)
def test_names_cannot_inject_into_a_terminal_or_a_page(format_name: str) -> None:
    text = written(archcalc.loads(STRANGE).roofline("a100"), format_name)
    assert "\x1b" not in text
    if format_name == "markdown":
        assert r"g\|\<b\>" in text


@pytest.mark.parametrize("format_name", FORMATS)
def test_a_network_of_views(format_name: str) -> None:
    text = written(
        archcalc.loads('name = "v"\ninputs.x = [3, 4]\nlayers = [{ type = "flatten" }]').roofline("a100"), format_name
    )
    assert "NaN" not in text


def test_the_list_of_devices() -> None:
    lines = write(devices_document(shipped_devices()), "plain").splitlines()
    assert [line.split()[0] for line in lines[3 : 3 + len(shipped_devices())]] == [*shipped_devices()]
    row = next(line for line in lines if line.startswith("v100 "))
    assert row.split()[-7:] == ["900", "7.8", "15.7", "–", "125", "–", "–"]
    assert max(map(display_width, write(devices_document(shipped_devices()), "table", Style(80)).splitlines())) <= 80
