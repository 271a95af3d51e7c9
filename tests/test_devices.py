"""Devices: every shipped figure is calculated from units and clocks; users' own files."""

import re
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from archcalc.devices import DTYPES, Device, Peaks, find_device, shipped_devices
from archcalc.errors import SpecError, UsageError


class Chip(NamedTuple):
    """Units, their clock, and the operations of each unit per clock, by dtype; a fused multiply-add is two.

    Hopper's tensor cores have another clock. The memory has `bits` wires of `gigabits` per second.
    """

    units: int
    gigahertz: float
    per_clock: dict[str, int]
    bits: int
    gigabits: float
    tensor_gigahertz: float | None = None


ORDINARY = ("float32", "float64")
# Operations of one multiprocessor per clock, from the makers' descriptions of the architectures.
VOLTA = {"float64": 2 * 32, "float32": 2 * 64, "float16": 8 * 2 * 64}
TURING = {"float32": 2 * 64, "float16": 8 * 2 * 64, "int8": 8 * 2 * 128}
AMPERE_100 = {"float64": 2 * 64, "float32": 2 * 64, "tf32": 1024, "float16": 2048, "bfloat16": 2048, "int8": 4096}
AMPERE_10X = {"float32": 2 * 128, "tf32": 512, "float16": 1024, "bfloat16": 1024, "int8": 2048}
GEFORCE = {"float32": 2 * 128, "tf32": 256, "float16": 1024, "bfloat16": 512, "int8": 2048}
ORIN = {"float32": 2 * 128, "float16": 2048, "int8": 4096}
HOPPER = {"float64": 256, "float32": 2 * 128, "tf32": 2048, "float16": 4096, "bfloat16": 4096, "int8": 8192}
CDNA_3 = {"float64": 256, "float32": 256, "tf32": 1024, "float16": 2048, "bfloat16": 2048, "int8": 4096}

CHIPS = {
    "h100": Chip(132, 1.98, HOPPER, 5120, 5.23, tensor_gigahertz=1.83),
    "h100-pcie": Chip(114, 1.755, HOPPER, 5120, 3.186, tensor_gigahertz=1.62),
    "h200": Chip(132, 1.98, HOPPER, 6144, 6.25, tensor_gigahertz=1.83),
    "a100": Chip(108, 1.41, AMPERE_100, 5120, 3.186),
    "a100-pcie": Chip(108, 1.41, AMPERE_100, 5120, 3.024),
    "a100-40gb": Chip(108, 1.41, AMPERE_100, 5120, 2.43),
    "v100": Chip(80, 1.53, VOLTA, 4096, 1.752),
    "t4": Chip(40, 1.59, TURING, 256, 10),
    "l4": Chip(58, 2.04, AMPERE_10X, 192, 12.5),
    "a10": Chip(72, 1.695, AMPERE_10X, 384, 12.5),
    "l40s": Chip(142, 2.52, AMPERE_10X, 384, 18),
    "rtx3090": Chip(82, 1.695, GEFORCE, 384, 19.5),
    "rtx4090": Chip(128, 2.52, GEFORCE, 384, 21),
    "jetson-orin": Chip(16, 1.3, ORIN, 256, 6.4),
    "jetson-orin-nano": Chip(8, 0.625, ORIN, 128, 4.266),
    "mi300x": Chip(304, 2.1, CDNA_3, 8192, 5.2),
}
ROUNDED = 0.03  # a datasheet's 20 is 20.48


def test_every_device_is_calculated() -> None:
    assert list(CHIPS) == list(shipped_devices())


@pytest.mark.parametrize("name", CHIPS)
def test_peaks_are_units_times_clock(name: str) -> None:
    chip = CHIPS[name]
    calculated = {
        dtype: chip.units * operations * 1e9 * (chip.gigahertz if dtype in ORDINARY else _tensor_clock(chip))
        for dtype, operations in chip.per_clock.items()
    }
    assert shipped_devices()[name].peaks.known() == pytest.approx(calculated, rel=ROUNDED)


def _tensor_clock(chip: Chip) -> float:
    return chip.tensor_gigahertz or chip.gigahertz


@pytest.mark.parametrize("name", CHIPS)
def test_bandwidth_is_wires_times_their_rate(name: str) -> None:
    chip = CHIPS[name]
    assert shipped_devices()[name].bytes_per_second == pytest.approx(chip.bits / 8 * chip.gigabits * 1e9, rel=0.02)


@pytest.mark.parametrize("name", CHIPS)
def test_every_device_has_a_source_and_a_memory(name: str) -> None:
    device = shipped_devices()[name]
    assert re.search(r"(NVIDIA|AMD) .*, https://(\w+\.)*(nvidia|amd)\.com/", device.source)
    assert device.name.endswith(f" {device.memory_bytes / 1e9:.0f} GB")


# users' own files


TEXT = """name = "Mine"
bytes_per_second = 51_200_000_000
source = "measured"
[operations_per_second]
float32 = 1.2e12
"""


def device_file(folder: Path, text: str | bytes) -> str:
    file = folder / "device.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def test_a_file_has_the_form_of_a_shipped_table(tmp_path: Path) -> None:
    found = find_device(device_file(tmp_path, TEXT))
    assert found == Device("Mine", 51.2e9, "measured", Peaks(float32=1.2e12))
    assert found.peak("float32") == 1.2e12


@pytest.mark.parametrize(
    ("old", "new", "line", "parts"),
    [
        ('name = "Mine"', "name = 3", 1, ["name = 3: expected text that is not empty, got a whole number"]),
        ('name = "Mine"', 'name = ""', 1, ["expected text that is not empty"]),
        ("bytes_per_second", "bytes_per_sec", 2, ['"bytes_per_sec"', 'did you mean "bytes_per_second"?']),
        ("51_200_000_000", "0", 2, ["bytes_per_second = 0: expected a number ≥ 1"]),
        ("51_200_000_000", '"51.2 GB/s"', 2, ["expected a number ≥ 1 and ≤ 1e+30, got text"]),
        ("51_200_000_000", "nan", 2, ["expected a finite number"]),
        ('source = "measured"\n', "", None, ["source is missing", "add source = …"]),
        ("float32 = 1.2e12", "float31 = 1e9", 5, ['"float31"', 'did you mean "float32"?']),
        ("float32 = 1.2e12", "float32 = -1.0", 5, ["float32 = -1.0: expected a number ≥ 1"]),
        ("float32 = 1.2e12", "float32 = inf", 5, ["float32 = inf: expected a finite number"]),
        ("float32 = 1.2e12", "float32 = 1e31", 5, ["expected a number ≥ 1 and ≤ 1e+30"]),
        ("float32 = 1.2e12", "float32 = 1979-05-27", 5, ["float32 = 1979-05-27: expected a number"]),
        ("float32 = 1.2e12", "", 4, ["operations_per_second is empty", "say one of float64, float32"]),
        ("[operations_per_second]\nfloat32 = 1.2e12", "operations_per_second = 3", 4, ["expected a table"]),
        ("[operations_per_second]\nfloat32 = 1.2e12", "", None, ["operations_per_second is missing"]),
        ("[operations_per_second]", "[operations_per_second", 4, ["not TOML"]),
    ],
)
def test_wrong_devices(old: str, new: str, line: int | None, parts: list[str], tmp_path: Path) -> None:
    assert old in TEXT
    with pytest.raises(SpecError) as caught:
        find_device(device_file(tmp_path, TEXT.replace(old, new)))
    assert len(caught.value.diagnostics) == 1
    assert caught.value.diagnostics[0].place.line == line
    for part in parts:
        assert part in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = 'name = 3\nbytes_per_second = nan\nx = 1\n[operations_per_second]\nfloat32 = "fast"\n'
    with pytest.raises(SpecError) as caught:
        find_device(device_file(tmp_path, text))
    assert [diagnostic.place.line for diagnostic in caught.value.diagnostics] == [None, 1, 2, 3, 5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the device is empty"),
        (b"\xff\xfe", "not a text file"),
        (b"x = " + b"[" * 5000, "nested too deeply"),
        (b"#" * (2**20 + 1), "larger than 1 MiB, which is no device"),
    ],
)
def test_files_that_are_no_device(content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        find_device(device_file(tmp_path, content))


@pytest.mark.parametrize("path", ["missing.toml", "./missing", "nul\0.toml"])
def test_a_missing_file(path: str) -> None:
    with pytest.raises(SpecError, match="cannot read"):
        find_device(path)


def test_an_unknown_name_lists_the_devices() -> None:
    with pytest.raises(UsageError) as caught:
        find_device("quantum")
    assert str(caught.value).startswith('no device is called "quantum"; known: h100, ')
    assert all(f" {name}," in str(caught.value) for name in shipped_devices())
    assert str(caught.value).endswith("or a file such as my.toml")


def test_a_name_in_capitals_is_recognised() -> None:
    with pytest.raises(UsageError, match='no device is called "T4"; did you mean "t4"'):
        find_device("T4")


def test_a_dtype_that_a_device_does_not_have() -> None:
    with pytest.raises(UsageError, match=r"V100 .* no peak for bfloat16; it has float64, float32, float16$"):
        find_device("v100").peak("bfloat16")
    with pytest.raises(UsageError, match='"float15"; did you mean "float16"'):
        find_device("v100").peak("float15")


rates = st.floats(1, 1e30)


@given(
    device=st.builds(
        Device,
        st.text(min_size=1),
        rates,
        st.text(min_size=1),
        st.dictionaries(st.sampled_from(DTYPES), rates, min_size=1).map(lambda found: Peaks(**found)),
        st.none() | rates,
        st.none() | st.text(min_size=1),
    )
)
def test_a_written_device_is_read_back(device: Device, tmp_path_factory: pytest.TempPathFactory) -> None:
    read = find_device(device_file(tmp_path_factory.mktemp("written"), device.to_toml()))
    assert read.peaks.known() == pytest.approx(device.peaks.known(), rel=1e-5)
    assert read.bytes_per_second == pytest.approx(device.bytes_per_second, rel=1e-5)
    kept = {name for name in ("name", "source", "note") if (getattr(device, name) or "").isprintable()}
    assert all(getattr(read, name) == getattr(device, name) for name in kept)
    assert msgspec.structs.asdict(read)["name"].isprintable()
