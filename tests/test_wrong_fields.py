"""Wrong fields whose error does not depend on the input shape are also found where that shape is unknown."""

import subprocess
import sys
from pathlib import Path

import pytest

import archcalc

MAPS, SEQUENCE, TOKENS = "[4, 8, 8]", "[4, 8]", '{ shape = [8], dtype = "int64" }'
# By name: an entry with one wrong field, an input shape that it accepts, and the error.
WRONG = {
    "list": ('{ type = "conv2d", out_channels = 8, kernel_size = [3, 3, 3] }', MAPS, "kernel_size has 3 values for 2"),
    "list of pooling": ('{ type = "avg_pool1d", kernel_size = 2, stride = [2, 1] }', SEQUENCE, "stride has 2 values"),
    "list of output sizes": ('{ type = "adaptive_avg_pool2d", output_size = [1] }', MAPS, "output_size has 1 value"),
    "padding": ('{ type = "max_pool2d", kernel_size = 3, padding = 2 }', MAPS, "padding 2 is more than half of"),
    "groups": ('{ type = "conv2d", out_channels = 7, kernel_size = 1, groups = 4 }', MAPS, "groups 4 does not divide"),
    "table and groups": (
        '{ type = "conv2d", out_channels = 2, kernel_size = 1, groups = 2, connections = [[0], [1]] }',
        MAPS,
        "a connection table and groups exclude each other",
    ),
    "table": (
        '{ type = "conv2d", out_channels = 3, kernel_size = 1, connections = [[0], [1]] }',
        MAPS,
        "connections has 2 rows for 3 output maps",
    ),
    "row": (
        '{ type = "conv2d", out_channels = 1, kernel_size = 1, connections = [[1, 1]] }',
        MAPS,
        "row 0 of connections, [1, 1], is not a set",
    ),
    "groups backwards": (
        '{ type = "conv_transpose2d", out_channels = 3, kernel_size = 2, groups = 2 }',
        MAPS,
        "groups 2 does not divide the 3 out_channels",
    ),
    "list backwards": (
        '{ type = "conv_transpose1d", out_channels = 4, kernel_size = [2, 2] }',
        SEQUENCE,
        "kernel_size has 2 values",
    ),
    "output_padding": (
        '{ type = "conv_transpose2d", out_channels = 4, kernel_size = 3, stride = 2, output_padding = 2 }',
        MAPS,
        "output_padding 2 is not smaller than stride 2",
    ),
    "neither": ('{ type = "upsample" }', MAPS, "upsample takes either size or scale_factor"),
    "both": ('{ type = "upsample", size = 4, scale_factor = 2 }', MAPS, "upsample takes either size or scale_factor"),
    "corners": ('{ type = "upsample", size = 4, align_corners = true }', MAPS, "align_corners is for linear"),
    "row of zeros": (
        '{ type = "embedding", num_embeddings = 8, embedding_dim = 2, padding_idx = 8 }',
        TOKENS,
        "padding_idx 8 is not a row of 8 embeddings",
    ),
    "order": ('{ type = "flatten", start_dim = -1, end_dim = -2 }', MAPS, "start_dim -1 comes after end_dim -2"),
    "nothing": ('{ type = "reshape", shape = [0, 4] }', MAPS, "shape 0×4 has a size of 0"),
    "two open": ('{ type = "reshape", shape = [-1, -1] }', MAPS, "leaves two sizes open"),
    "axis twice": ('{ type = "permute", dims = [0, 1, 1] }', MAPS, "do not name each of the 3 axes once"),
    "empty to nothing": ('{ type = "slice", start = -1, stop = 0 }', MAPS, "the slice from -1 to 0 is empty"),
    "empty": ('{ type = "slice", start = 3, stop = 2 }', MAPS, "the slice from 3 to 2 is empty"),
    "part": ('{ type = "chunk", chunks = 2, index = 2 }', MAPS, "index 2 is not one of"),
}
# Entries in front of the wrong one, which make its input shape unknown.
BEFORE = {
    "a layer that does not fit": '{ type = "reshape", shape = [5, 5] },\n',
    "a wrong value": '{ type = "dropout", p = 2 },\n',
    "an unknown type": '{ type = "reluu" },\n',
    "an unknown input": '{ type = "relu", input = "y" },\n',
}


def messages(text: str) -> list[str]:
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.loads(text)
    return [f"{found.place.line}: {found.message}" for found in caught.value.diagnostics]


def spec(input_shape: str, layers: str, blocks: str = "") -> str:
    return f'name = "wrong"\ninputs.x = {input_shape}\nlayers = [\n{layers}\n]\n{blocks}'


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields_are_found_behind_another_error(name: str, before: str) -> None:
    entry, _, message = WRONG[name]
    found = messages(spec(MAPS, BEFORE[before] + entry))
    assert len(found) == 2, found
    assert found[1].startswith("5: ")
    assert message in found[1]


@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields_are_found_with_a_known_input(name: str) -> None:
    entry, shape, message = WRONG[name]
    assert any(message in found for found in messages(spec(shape, entry)))


@pytest.mark.parametrize("name", ["order", "empty", "part"])
def test_wrong_fields_are_found_beside_a_wrong_axis(name: str) -> None:
    entry, shape, message = WRONG[name]
    beside = entry.replace("-1", "9").replace("-2", "8") if name == "order" else entry.replace(" }", ", dim = 9 }")
    found = messages(spec(shape, beside))
    assert any("is not an axis of a shape with 3" in one for one in found)
    assert any(message.replace("-1", "9").replace("-2", "8") in one for one in found), found


@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields_are_found_with_an_input_of_another_kind(name: str) -> None:
    entry, shape, message = WRONG[name]
    takes_any = '"flatten"', '"reshape"', '"permute"', '"slice"', '"chunk"'
    other = "[3]" if shape != TOKENS else MAPS
    if not any(kind in entry for kind in takes_any):
        found = messages(spec(other, entry))
        assert len(found) >= 2, found
        assert any(message in one for one in found)


@pytest.mark.parametrize("name", WRONG)
def test_wrong_fields_are_found_in_an_unused_block(name: str) -> None:
    entry, _, message = WRONG[name]
    (found,) = messages(spec(MAPS, '{ type = "reluu" }', f"blocks.b.layers = [\n{entry}\n]"))[1:]
    assert message in found


def test_wrong_fields_are_reported_once_for_all_copies() -> None:
    layers = '{ type = "dropout", p = 2 },\n{ type = "b", repeat = 3 },\n{ type = "b" }'
    block = 'blocks.b.layers = [{ type = "max_pool2d", kernel_size = 2, padding = 2 }]'
    assert len(messages(spec(MAPS, layers, block))) == 2


ONCE = {
    "copies in a row": '{ type = "max_pool2d", kernel_size = 2, padding = 2, repeat = 3 }',
    "errors that say more": '{ type = "conv2d", out_channels = 7, groups = 4, kernel_size = 1, repeat = 3 }',
    "uses": '{ type = "b" },\n{ type = "reluu" },\n{ type = "b" },\n{ type = "b" }',
    "uses behind a layer that does not fit": '{ type = "reshape", shape = [5, 5] },\n{ type = "b" },\n{ type = "b" }',
}


@pytest.mark.parametrize("name", ONCE)
def test_errors_of_one_copy_are_not_repeated_for_others(name: str) -> None:
    block = 'blocks.b.layers = [{ type = "max_pool2d", kernel_size = 2, padding = 2 }]'
    found = messages(spec(MAPS, ONCE[name], block))
    assert len({message.split(":")[0] for message in found}) == len(found), found


def test_a_wrong_layer_has_its_presumed_shape() -> None:
    layers = [
        '{ type = "conv2d", out_channels = 16, kernel_size = 3, groups = 3 },',
        '{ type = "conv2d", out_channels = 8, kernel_size = 99 },',
        '{ type = "add", inputs = ["conv2d_2"] },',
        '{ type = "group_norm", num_groups = 5, input = "conv2d" },',
        '{ type = "embedding", num_embeddings = 2, embedding_dim = 3 },',
        '{ type = "relu" },',
    ]
    found = messages(spec(MAPS, "\n".join(layers)))
    assert [message.split(":")[0] for message in found] == ["4", "4", "5", "6", "7", "8"]
    assert 'num_groups 5 does not divide the 16 channels: layer "group_norm" gets 16×6×6' in found[4]


@pytest.mark.parametrize(
    "entry",
    [
        '{ type = "upsample", when = "not training" }',
        '{ type = "upsample", when = false }',
        '{ type = "upsample", repeat = 0 }',
    ],
)
def test_left_out_entries_of_an_unused_block_are_not_checked(entry: str) -> None:
    blocks = f'blocks.b.layers = [{entry}, {{ type = "relu" }}]'
    assert archcalc.loads(spec(MAPS, '{ type = "relu", name = "r" },\n{ type = "b", when = "training" }', blocks))


def test_many_copies_take_little_time(tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    wide = f'{{ type = "permute", dims = {[*range(20_000)]}, repeat = 20_000 }}'
    file.write_text(spec(MAPS, f'{{ type = "reluu" }},\n{wide}'), "utf-8")
    command = [sys.executable, "-m", "archcalc", "summary", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stderr.count("error: ") == 1


def test_wrong_fields_are_found_beside_an_unknown_key() -> None:
    layers = [
        '{ type = "conv2d", out_channels = 8, kernel_size = 3, groups = 3, padding_mode = "zeros" },',
        '{ type = "max_pool2d", kernel_size = 2, padding = 5, foo = 1 },',
        '{ type = "upsample", scale = 2 },',
    ]
    found = messages(spec(MAPS, "\n".join(layers)))
    assert [message.split(":")[0] for message in found] == ["4", "4", "5", "5", "6"]
    assert any("groups 3 does not divide" in message for message in found)
    assert any("padding 5 is more than half" in message for message in found)
