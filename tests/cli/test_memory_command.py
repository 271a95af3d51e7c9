"""`archcalc memory`: what it prints, its options and exit codes."""

import csv
import io
import json
import re

import pytest
from click.testing import CliRunner, Result
from written import written

import archcalc
from archcalc.cli import cli
from archcalc.render.style import Style, display_width
from archcalc.render.write import FORMATS

SHARED = """
name = "t"
inputs.x = [9, 12]
layers = [{ type = "multi_head_attention", num_heads = 3 }]
"""


def memory(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["memory", *arguments], input=text, catch_exceptions=False)


def refused(*arguments: str) -> str:
    """The message of a command that ends with exit code 2."""
    result = CliRunner().invoke(cli, ["memory", *arguments])
    assert result.exit_code != 0
    return str(result.exception) if isinstance(result.exception, archcalc.ArchcalcError) else result.output


def test_twice_as_wide_values_take_twice_the_memory() -> None:
    wide, usual = (
        json.loads(memory("lenet5", *arguments, "--format", "json").output)
        for arguments in (["--dtype", "float64"], [])
    )
    assert wide["peak"] == 2 * usual["peak"]


def test_a_table_with_its_parts() -> None:
    lines = memory("lenet5", "--batch", "2").output.splitlines()
    assert lines[1] == "input image 1×32×32 · batch 2 · inference"
    assert [line.split() for line in lines if "◀" in line] == [["tanh", "tanh", "36.8", "323", "◀"]]
    weights, values = 4 * 61_706, 2 * 4 * (32 * 32 + 2 * 6 * 28 * 28)
    assert f"Weights      {weights:,} bytes   241 KiB" in lines
    assert f"Activations   {values:,} bytes  81.5 KiB  values, at the peak" in lines
    assert f"Peak         {weights + values:,} bytes   323 KiB  in layer tanh, forward pass" in lines


def test_training_has_its_own_columns() -> None:
    lines = memory("mnist_cnn", "--training", "--optimizer", "momentum", "--dtype", "bfloat16").output.splitlines()
    assert lines[1].endswith("batch 1 · bfloat16 · training with momentum")
    assert lines[3].split() == [
        "Layer",
        "Type",
        "Output",
        "KiB",
        "Saved",
        "KiB",
        "Forward",
        "KiB",
        "Backward",
        "KiB",
        "Peak",
    ]
    assert any(line.startswith("Gradients ") for line in lines)
    assert any(line.startswith("Optimizer ") and line.endswith("state of momentum") for line in lines)


@pytest.mark.parametrize("format_name", FORMATS)
def test_every_format(format_name: str) -> None:
    found = memory("resnet18", "--depth", "1", "--training", "--format", format_name).output
    assert "layer2" in found
    assert "layer2.0" not in found.partition("Peak")[0].replace('"peak_layer"', "")[: found.find("Weights")]


def test_json_has_the_numbers_of_the_api() -> None:
    found = json.loads(memory("unet", "--training", "--optimizer", "adam", "--format", "json").output)
    assert found == json.loads(json.dumps(archcalc.load("unet", training=True).memory(None, True, "adam").to_dict()))
    parts = ("weights", "buffers", "gradients", "optimizer_state", "activations")
    assert found["peak"] == sum(found[part] for part in parts)
    assert found["peak"] == max(row["live"] for row in found["layers"])


def test_csv_has_a_row_for_each_layer() -> None:
    rows = [*csv.DictReader(io.StringIO(memory("lenet5", "--format", "csv").output))]
    assert [row["name"] for row in rows] == [row.name for row in archcalc.load("lenet5").layers]
    assert rows[0] == {
        "name": "C1",
        "type": "conv2d",
        "output": str(4 * 6 * 28 * 28),
        "saved": "0",
        "forward": str(4 * (61_706 + 1024 + 4704)),
        "backward": "",
        "live": str(4 * (61_706 + 1024 + 4704)),
        "lower_bound": "False",
    }


def test_blocks_have_the_most_of_their_layers() -> None:
    network = archcalc.load("resnet18")
    whole = network.memory(training=True)
    collapsed = whole.collapsed(network.graph, 1)
    assert sum(row.saved for row in collapsed.layers) == sum(row.saved for row in whole.layers)
    assert max(row.live for row in collapsed.layers) == whole.peak
    layer1 = [row for row in whole.layers if row.name.startswith("layer1.")]
    group = next(row for row in collapsed.layers if row.name == "layer1")
    assert group.forward == max(row.forward for row in layer1)
    # Its last layers, an addition and a ReLU, work in place on the output of a normalization.
    assert (group.output, layer1[-1].output, layer1[-2].output) == (4 * 64 * 56 * 56, 0, 0)


def test_the_output_of_a_block_is_what_it_allocates() -> None:
    blocks = """name = "t"
    inputs.x = [4, 8, 8]
    layers = [{ name = "made", type = "made" }, { name = "viewed", type = "viewed" }]
    [blocks.made]
    layers = [{ type = "tanh" }, { type = "flatten" }]
    [blocks.viewed]
    layers = [{ type = "reshape", shape = [16, 16] }, { type = "relu", inplace = true }]
    """
    network = archcalc.loads(blocks)
    outputs = {row.name: row.output for row in network.memory().collapsed(network.graph, 1).layers}
    assert outputs == {"made": 4 * 4 * 8 * 8, "viewed": 0}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_terminal_is_wide_enough(width: int) -> None:
    network = archcalc.load("inception_v3")
    lines = written(network.memory(training=True), "table", Style(width)).splitlines()
    assert max(map(display_width, lines[2:-8])) <= width


@pytest.mark.parametrize("training", [[], ["--training"]])
def test_a_lower_bound_decides_no_batch(training: list[str]) -> None:
    text = 'name = "x"\ninputs.x = [512, 256]\nlayers = [{ type = "multi_head_attention", num_heads = 8 }]'
    result = memory("-", "--fits", "100MiB", *training, text=text)
    assert result.exit_code == 1
    _name, _, at_most, _, peak, _more, *reason = result.output.splitlines()
    assert re.fullmatch(r"at most batch \d+ fits into 100 MiB; whether it does is unknown", at_most)
    assert re.match(r"Peak of batch \d+  ≥ [\d,]+ bytes", peak)
    assert "PyTorch chooses among kernels for attention" in " ".join(reason)
    result = memory("-", "--fits", "100MiB", "--format", "json", *training, text=text)
    found = json.loads(result.output)
    assert result.exit_code == 1
    assert (found["upper_bound"], found["lower_bound"]) == (True, True)
    assert found["unknown"].startswith("multi_head_attention: ")
    assert found["peak"] <= 100 * 2**20 < found["peak_of_next"]
    result = memory("-", "--fits", "1MiB", "--format", "json", *training, text=text)
    assert result.exit_code == 1
    assert (json.loads(result.output)["largest_batch"], json.loads(result.output)["upper_bound"]) == (0, False)


def test_a_reason_of_many_layers_is_printed_once() -> None:
    layer = '{ name = "attention", type = "multi_head_attention", num_heads = 2, repeat = 25 }'
    text = f'name = "x"\ninputs.x = [4, 8]\nlayers = [{layer}]'
    output = memory("-", "--training", text=text).output
    assert output.count("PyTorch chooses among kernels") == 1
    assert max(map(len, output.splitlines()[-4:])) <= 100
    assert " and 13 more" in " ".join(output.split())


def test_a_lower_bound_is_marked() -> None:
    output = memory("-", text=SHARED).output
    assert "≥ multi_head_attention: PyTorch chooses among kernels for attention" in output
    assert any(line.startswith("Peak") and "≥ " in line for line in output.splitlines())


@pytest.mark.parametrize(
    ("size", "limit"),
    [("2MiB", 2 * 2**20), ("2 MB", 2 * 10**6), ("2097152", 2**21), ("2.5MiB", 5 * 2**19), ("2000kb", 2 * 10**6)],
)
def test_fits_finds_the_largest_batch(size: str, limit: int) -> None:
    found = json.loads(memory("lenet5", "--fits", size, "--format", "json").output)
    assert found["limit"] == limit
    assert found["largest_batch"] == archcalc.load("lenet5").largest_batch(limit).batch
    assert found["peak"] <= limit < found["peak_of_next"]
    _name, _, answer, _, peak, peak_of_next = memory("lenet5", "--fits", size).output.splitlines()
    assert answer.startswith(f"batch {found['largest_batch']} fits into ")
    assert f"{found['peak']:,} bytes" in peak
    assert f"{found['peak_of_next']:,} bytes" in peak_of_next


def test_fits_starts_at_the_smallest_batch_that_trains() -> None:
    text = 'name = "b"\ninputs.x = [4]\nlayers = [{ type = "batch_norm" }]'
    arguments = ["-", "--training", "--fits"]
    result = memory(*arguments, "100B", text=text)
    assert result.exit_code == 1
    assert "not even batch 2, the smallest that PyTorch runs, fits into " in result.output
    found = json.loads(memory(*arguments, "1kB", "--format", "json", text=text).output)
    assert (found["least_batch"], found["largest_batch"] >= 2) == (2, True)


def test_exit_code_1_if_no_batch_fits() -> None:
    result = memory("resnet18", "--fits", "40MiB")
    assert result.exit_code == 1
    assert "not even one sample fits into 40.0 MiB\n" in result.output
    assert "fits into 8 B; a larger amount has a unit, such as 8GiB or 8GB" in memory("lenet5", "--fits", "8").output
    result = memory("resnet18", "--fits", "40MiB", "--format", "json")
    assert (result.exit_code, json.loads(result.output)["largest_batch"], json.loads(result.output)["peak"]) == (
        1,
        0,
        None,
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dtype", "float31"], '"float31" is not a choice; choose from float32'),
        (["--training", "--optimizer", "lion"], '"lion" is not a choice; choose from sgd'),
        (
            ["--optimizer", "adam"],
            "an optimizer works in training alone; add --training (training=True), or leave it out",
        ),
        (["--training", "--dtype", "int8"], "int8 is for inference"),
        (["--fits", "8XB"], '"8XB" has the unit "XB"; known here: B, kB, MB, GB, TB, KiB, MiB, GiB, TiB'),
        (["--fits", "-3"], '"-3" is no amount; write it as 120MiB'),
        (["--fits", "8GiB", "--batch", "3"], "--fits finds the batch; leave --batch out"),
        (["--batch", "0"], "0 is not in the range"),
        (["--format", "xml"], '"xml" is not a choice; choose from table'),
    ],
)
def test_wrong_options_together(arguments: list[str], message: str) -> None:
    assert message in refused("lenet5", *arguments)


def test_int8_takes_a_byte_for_each_value() -> None:
    plain, small = (archcalc.load("lenet5").memory(dtype).peak for dtype in ("float32", "int8"))
    assert plain == 4 * small


def test_bytes_are_said_once() -> None:
    lines = CliRunner().invoke(cli, ["memory", "lenet5"]).stdout.splitlines()
    assert "Buffers            0 bytes" in lines
    assert "Weights      246,824 bytes   241 KiB" in lines
