"""Names of entries: an error in one entry causes no error in its readers, or in later numbered names."""

import pytest

import archcalc
from archcalc.network import ShapeError

HEAD = 'name = "x"\ninputs.image = [3, 32, 32]\nlayers = [\n'
CONV = '{ type = "conv2d", out_channels = 4, kernel_size = 3 },'


def errors(layers: str, rest: str = "") -> list[str]:
    """The messages, each with its line."""
    with pytest.raises((archcalc.SpecError, ShapeError)) as caught:
        archcalc.loads(f"{HEAD}{layers}\n]\n{rest}")
    return [f"{found.place.line}: {found.message}" for found in caught.value.diagnostics]


UNKNOWN = '4: no layer type or block is called "cnv2d"'
BLOCK = """
[blocks.stage]
layers = [{ type = "prelu" }]
"""


@pytest.mark.parametrize("more", [
    '{ type = "conv2d", out_channels = 4, kernel_size = 3, input = "conv2d" },',
    '{ type = "conv2d", out_channels = 9, kernel_size = 1 }, { type = "add", inputs = ["conv2d", "conv2d_2"] },',
    '{ type = "conv2d", out_channels = 9, kernel_size = 1, input = "image", weights = "conv2d" },',
    '{ type = "relu", input = "cnv2d" },',
])  # fmt: skip
def test_a_misspelled_type_names_its_entry_by_the_right_type(more: str) -> None:
    assert errors(CONV.replace("conv2d", "cnv2d") + more) == [UNKNOWN]


def test_entries_after_a_misspelled_type_keep_their_names() -> None:
    layers = f"""{CONV.replace("conv2d", "cnv2d")}
      {{ type = "conv2d", out_channels = 8, kernel_size = 40, input = "image" }},
      {{ type = "relu", input = "conv2d_2" }}, {{ type = "relu", input = "conv2d_3" }},"""
    found = errors(layers)
    assert found == [UNKNOWN, '5: kernel_size 40 does not fit: layer "conv2d_2" gets 3×32×32',
                     '6: no layer or input is called "conv2d_3"']  # fmt: skip


def test_an_ambiguous_type_leaves_all_names_in_doubt() -> None:
    inputs = "[inputs]\nsound = [1, 32]\n"
    layers = """{ type = "conv2d", out_channels = 3, kernel_size = 1, input = "image" },
      { type = "cnvxd", input = "image" }, { type = "conv2d", out_channels = 4, kernel_size = 1, input = "conv2d_2" },
      { type = "conv2d", out_channels = 9, kernel_size = 1, input = "conv2d_3" },
      { type = "add", inputs = ["conv2d", "image"] }, { type = "relu", input = "conv_2" },"""
    text = f'name = "x"\nlayers = [\n{layers}\n]\n{inputs}image = [3, 32, 32]'
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.loads(text)
    assert [found.message for found in caught.value.diagnostics] == [
        'no layer type or block is called "cnvxd"',
        'no layer or input is called "conv_2"',
    ]


def test_a_misspelled_block_has_its_layers_inside() -> None:
    layers = '{ type = "stgae" }, { type = "stage", weights = "stage" }, { type = "relu", input = "stage.prelu" },'
    assert errors(layers, BLOCK) == ['4: no layer type or block is called "stgae"']


def test_a_misspelled_type_in_a_block() -> None:
    inside = (
        '[blocks.b]\nlayers = [{ type = "rellu" }, { type = "relu", input = "relu" }, { type = "tanh", input = "no" }]'
    )
    for use in ('{ type = "b" }, { type = "tanh", input = "b.relu" },', '{ type = "relu" },'):
        assert errors(use, inside) == [
            '7: no layer type or block is called "rellu"',
            '7: no layer or input is called "no"',
        ]


@pytest.mark.parametrize(("entry", "message"), [
    ("{ out_channels = 4 },", "4: type is missing"),
    ("{ type = 3 },", "4: type = 3: expected text, got a whole number"),
])  # fmt: skip
def test_an_entry_without_a_type_may_have_any_name(entry: str, message: str) -> None:
    layers = f'{entry} {{ type = "relu", input = "conv2d" }}, {{ type = "tanh", input = "tanh" }},'
    assert errors(layers) == [message]
    assert errors(layers + '{ type = "relu", input = "c1" },') == [message, '4: no layer or input is called "c1"']


def test_a_wrong_name_still_names_its_entry() -> None:
    layers = '{ name = "a.b", type = "relu" }, { type = "relu" }, { type = "add", inputs = ["a.b", "relu"] },'
    (found,) = errors(layers)
    assert found.startswith('4: name = "a.b": expected text')


def test_a_duplicate_name_is_ambiguous() -> None:
    layers = f"""{CONV.replace("{", '{ name = "a",')} {{ name = "a", type = "flatten" }}, {{ type = "relu" }},
      {{ type = "linear", out_features = 9, input = "a" }}, {{ type = "add", inputs = ["a", "relu"] }},"""
    assert errors(layers) == ['4: another entry is called "a" already']


@pytest.mark.parametrize(("entries", "key"), [
    ('{ naem = "a", type = "relu" }, { type = "relu" }, { type = "add", inputs = ["a", "relu"] },', "naem"),
    ('{ type = "relu", repaet = 3 }, { type = "tanh", input = "relu.2" },', "repaet"),
    ('{ type = "add", inputt = ["image", "image"] },', "inputt"),
    ('{ type = "relu", inpus = "image" },', "inpus"),
    ('{ type = "b", times = 2 }, { type = "tanh", input = "b.1.relu" },', "times"),
    ('{ tpye = "relu" }, { type = "tanh", input = "relu" },', "tpye"),
])  # fmt: skip
def test_a_misspelled_key_is_read_as_the_right_one(entries: str, key: str) -> None:
    block = '[blocks.b]\nlayers = [{ type = "relu" }]'
    assert errors(entries, block) == [f'4: unknown key "{key}"']
