"""Every feature of the spec language, each on a small spec."""

from typing import Any

import pytest

import archcalc
from archcalc.layers.base import NONZEROS_UNKNOWN
from archcalc.numbers.bounds import Unknown

IMAGE = """
name = "small"
inputs.image = [3, 32, 32]
"""
CONV_BN = """
[blocks.conv_bn]
parameters = ["channels"]
defaults = { kernel = 1, stride = 1, p = "kernel // 2" }
layers = [
{ name = "conv", type = "conv2d", out_channels = "channels", kernel_size = "kernel", stride = "stride", padding = "p" },
{ name = "bn", type = "batch_norm" },
]
"""
BOTTLENECK = """
[blocks.bottleneck]
parameters = ["width"]
defaults = { stride = 1, project = false }
layers = [
  { name = "reduce", type = "conv_bn", channels = "width", kernel = 3, stride = "stride" }, { type = "relu" },
  { name = "shortcut", type = "conv_bn", channels = "width", stride = "stride", input = "input", when = "project" },
  { type = "add", inputs = ["reduce", "shortcut"] }, { type = "relu" },
]
[blocks.stage]
parameters = ["width", "count"]
[[blocks.stage.layers]]
type = "bottleneck"
width = "width"
stride = "2 if index == 0 else 1"
project = "index == 0"
repeat = "count"
"""


def load(layers: str, rest: str = "", head: str = IMAGE, **arguments: Any) -> archcalc.Network:
    return archcalc.loads(f"{head}\nlayers = [{layers}]\n{rest}", **arguments)


def names(network: archcalc.Network) -> list[str]:
    return [row.name for row in network.layers]


def shapes(network: archcalc.Network) -> dict[str, tuple[int, ...]]:
    return {row.name: row.output_shape for row in network.layers}


def edges(network: archcalc.Network) -> dict[str, tuple[str, ...]]:
    return {row.name: row.inputs for row in network.layers}


def refusal(layers: str, rest: str = "", head: str = IMAGE, **arguments: Any) -> str:
    with pytest.raises(archcalc.SpecError, match=r"^error: ") as caught:
        load(layers, rest, head, **arguments)
    return str(caught.value)


# variables, settings and inputs

WIDTH = """
[variables]
width = 0.5
channels = "round_to(64 * width, 8)"
both = ["channels", "2 * channels"]
"""
WIDE = """
  { type = "conv2d", out_channels = "channels", kernel_size = 1 },
  { type = "conv2d", out_channels = "both[1]", kernel_size = 1 },
"""


def test_variables_may_use_earlier_ones() -> None:
    assert shapes(load(WIDE, WIDTH)) == {"conv2d": (32, 32, 32), "conv2d_2": (64, 32, 32)}


def test_settings_replace_variables_and_all_that_depends_on_them() -> None:
    assert shapes(load(WIDE, WIDTH, variables={"width": 0.25}))["conv2d_2"] == (32, 32, 32)
    assert shapes(load(WIDE, WIDTH, variables={"channels": 5}))["conv2d"] == (5, 32, 32)
    assert shapes(load(WIDE, WIDTH, variables={"channels": "10 * width"}))["conv2d"] == (5, 32, 32)


def test_variables_may_not_use_later_ones() -> None:
    assert 'a = "b": no variable is called "b"' in refusal('{ type = "relu" }', 'variables = { a = "b", b = 1 }')


def test_unknown_setting() -> None:
    text = refusal(WIDE, WIDTH, variables={"widht": 1})
    assert 'no variable is called "widht"' in text
    assert 'help: did you mean "width"?' in text


def test_setting_without_variables() -> None:
    assert "help: the spec has no variables" in refusal('{ type = "relu" }', variables={"width": 1})


@pytest.mark.parametrize("name", ["training", "index", "max", "same", "true", "if", "two words", "2nd", ""])
def test_names_that_no_variable_can_have(name: str) -> None:
    assert f'"{name}" cannot be the name of a variable' in refusal(
        '{ type = "relu" }', f'variables = {{ "{name}" = 1 }}'
    )


def test_inputs_replace_shapes() -> None:
    layers = '{ type = "conv2d", out_channels = 4, kernel_size = 3 }'
    assert shapes(load(layers, inputs={"image": [1, 8, 9]})) == {"conv2d": (4, 8 - 2, 9 - 2)}


def test_a_resized_input_keeps_its_dtype() -> None:
    head = 'name = "t"\ninputs.tokens = { shape = ["length"], dtype = "int64" }\nvariables.length = 7'
    network = load('{ type = "embedding", num_embeddings = 9, embedding_dim = 4 }', head=head, inputs={"tokens": [5]})
    assert shapes(network) == {"embedding": (5, 4)}
    assert load('{ type = "identity" }', head=head).inputs == {"tokens": (7,)}


def test_unknown_input() -> None:
    text = refusal('{ type = "relu" }', inputs={"imgae": [1, 2, 3]})
    assert 'no input is called "imgae"' in text
    assert 'help: did you mean "image"?' in text


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("{}", "the network has no input"),
        ("{ image = [3, 0, 32] }", "image = [3, 0, 32]: expected a list of whole numbers ≥ 1, got 0 in it"),
        ("{ image = [3, 32.5] }", "expected a list of whole numbers ≥ 1, got 32.5 in it"),
        ("{ image = 3 }", "image = 3: expected a list of whole numbers ≥ 1, got a whole number"),
        ('{ image = "3x32x32" }', 'image = "3x32x32": not an expression'),
        ("{ image = { dtype = 'int64' } }", "shape is missing"),
        ("{ image = { shape = [3], dtyp = 'int64' } }", 'unknown key "dtyp"'),
        ("{ image = { shape = [3], dtype = 'int65' } }", 'dtype = "int65": expected "float32", "float64", "float16"'),
        ("{ image = { shape = [3], nonzeros = -1 } }", "expected a whole number ≥ 0"),
        ("{ 'a.b' = [3] }", '"a.b" cannot be the name of an input'),
    ],
)
def test_wrong_inputs(inputs: str, message: str) -> None:
    text = refusal('{ type = "relu" }', head=f'name = "t"\ninputs = {inputs}')
    assert message in text
    assert text.count("error: ") == 1


# names and edges


def test_default_names() -> None:
    network = load('{ type = "relu" }, { name = "relu_2", type = "relu" }, { type = "relu" }, { type = "tanh" }')
    assert names(network) == ["relu", "relu_2", "relu_3", "tanh"]


def test_default_names_never_meet() -> None:
    blocks = '[blocks.c]\nlayers = [{ type = "relu" }]\n[blocks.c_2]\nlayers = [{ type = "relu" }]'
    assert names(load('{ type = "c" }, { type = "c" }, { type = "c_2" }', blocks)) == [
        "c.relu",
        "c_2.relu",
        "c_2_2.relu",
    ]


def test_a_layer_reads_the_one_above_it() -> None:
    network = load(
        '{ name = "a", type = "relu" }, { name = "b", type = "relu" }, { name = "c", type = "relu", input = "a" }'
    )
    assert edges(network) == {"a": ("image",), "b": ("a",), "c": ("a",)}
    assert network.outputs == ("c",)


def test_a_layer_may_read_what_comes_later() -> None:
    layers = '{ name = "a", type = "relu", input = "b" }, { name = "b", type = "relu", input = "image" }'
    assert edges(load(layers)) == {"b": ("image",), "a": ("b",)}


TWO = 'name = "two"\ninputs = { left = [3, 8, 8], right = [3, 8, 8] }'


def test_several_inputs() -> None:
    assert edges(load('{ type = "add", inputs = ["left", "right"] }', head=TWO)) == {"add": ("left", "right")}


def test_with_several_inputs_the_first_layer_must_say_which() -> None:
    text = refusal('{ type = "relu" }, { type = "relu" }', head=TWO)
    assert 'the first layer must say which input it reads: "left", "right"' in text
    assert 'help: add input = "left"' in text
    assert text.count("error: ") == 1


def test_outputs() -> None:
    layers = '{ name = "a", type = "relu" }, { name = "b", type = "relu" }'
    assert load(layers).outputs == ("b",)
    assert load(layers, head=f'{IMAGE}\noutputs = ["b", "a"]').outputs == ("b", "a")
    text = refusal(layers, head=f'{IMAGE}\noutputs = ["b", "aa"]')
    assert 'no layer or input is called "aa"' in text


def test_the_output_of_a_block_is_its_last_layer() -> None:
    network = load(
        '{ name = "stem", type = "conv_bn", channels = 4 }', CONV_BN, head=f'{IMAGE}\noutputs = ["stem", "stem.conv"]'
    )
    assert network.outputs == ("stem.bn", "stem.conv")


# blocks


def test_blocks_with_parameters_and_defaults() -> None:
    layers = """
  { name = "a", type = "conv_bn", channels = 8, kernel = 3 },
  { name = "b", type = "conv_bn", channels = "9 - 5", stride = 2 },
"""
    network = load(layers, CONV_BN)
    assert shapes(network) == {"a.conv": (8, 32, 32), "a.bn": (8, 32, 32), "b.conv": (4, 16, 16), "b.bn": (4, 16, 16)}
    assert network.layers[0].parameters == 3 * 3 * 3 * 8 + 8
    assert network.layers[2].parameters == 1 * 1 * 8 * 4 + 4


def test_defaults_may_use_parameters_and_earlier_defaults() -> None:
    block = """
[blocks.wide]
parameters = ["channels"]
defaults = { inner = "channels * factor", last = "inner + 1" }
layers = [{ type = "conv2d", out_channels = "last", kernel_size = 1 }]
[variables]
factor = 4
"""
    assert shapes(load('{ type = "wide", channels = 2 }', block)) == {"wide.conv2d": (2 * 4 + 1, 32, 32)}


def test_arguments_may_be_words_lists_and_booleans() -> None:
    block = """
[blocks.any]
parameters = ["kernel", "pad", "bias_too"]
layers = [{ type = "conv2d", out_channels = 1, kernel_size = "kernel", padding = "pad", bias = "bias_too" }]
"""
    network = load('{ type = "any", kernel = [1, 7], pad = "same", bias_too = false }', block)
    assert network.totals.parameters == 3 * 1 * 7
    network = load('{ type = "any", kernel = [1, 7], pad = "[0, 6 // 2]", bias_too = "1 == 1" }', block)
    assert network.totals.parameters == 3 * 1 * 7 + 1


def test_nested_blocks_have_dotted_names() -> None:
    network = load('{ name = "stage2", type = "stage", width = 4, count = 2 }', CONV_BN + BOTTLENECK)
    assert names(network) == [
        "stage2.0.reduce.conv",
        "stage2.0.reduce.bn",
        "stage2.0.relu",
        "stage2.0.shortcut.conv",
        "stage2.0.shortcut.bn",
        "stage2.0.add",
        "stage2.0.relu_2",
        "stage2.1.reduce.conv",
        "stage2.1.reduce.bn",
        "stage2.1.relu",
        "stage2.1.add",
        "stage2.1.relu_2",
    ]
    found = edges(network)
    assert found["stage2.0.shortcut.conv"] == ("image",)
    assert found["stage2.0.add"] == ("stage2.0.reduce.bn", "stage2.0.shortcut.bn")
    # A shortcut that is left out passes the block's input on.
    assert found["stage2.1.add"] == ("stage2.1.reduce.bn", "stage2.0.relu_2")
    assert network.outputs == ("stage2.1.relu_2",)


def test_names_in_a_block_are_local() -> None:
    block = '[blocks.b]\nlayers = [{ name = "x", type = "relu" }, { type = "add", inputs = ["x", "input"] }]'
    network = load('{ name = "x", type = "tanh" }, { name = "b", type = "b" }, { type = "relu", input = "b.x" }', block)
    assert edges(network) == {"x": ("image",), "b.x": ("x",), "b.add": ("b.x", "x"), "relu": ("b.x",)}


def test_a_block_sees_only_its_own_names() -> None:
    block = '[blocks.b]\nlayers = [{ type = "relu", input = "outer" }]'
    assert 'no layer or input is called "outer"' in refusal('{ name = "outer", type = "relu" }, { type = "b" }', block)


def test_a_block_does_not_see_the_index_around_it() -> None:
    block = '[blocks.b]\nlayers = [{ type = "conv2d", kernel_size = 1, out_channels = "index + 1" }]'
    assert 'no variable is called "index"' in refusal('{ type = "b", repeat = 2 }', block)


MERGE = """
[blocks.merge]
inputs = ["left", "right"]
layers = [{ name = "l", type = "relu", input = "left" }, { type = "add", inputs = ["l", "right"] }]
"""


def test_blocks_with_several_inputs() -> None:
    network = load('{ name = "a", type = "relu" }, { type = "merge", inputs = ["a", "image"] }', MERGE)
    assert edges(network) == {"a": ("image",), "merge.l": ("a",), "merge.add": ("merge.l", "image")}


def test_a_block_needs_all_its_inputs() -> None:
    text = refusal('{ name = "a", type = "relu" }, { type = "merge" }', MERGE)
    assert 'block "merge" takes 2 inputs (left, right), but reads 1' in text
    assert "help: list them in inputs = […]" in text


def test_in_blocks_with_several_inputs_the_first_layer_must_say_which() -> None:
    block = MERGE.replace(', input = "left"', "")
    text = refusal('{ name = "a", type = "relu" }, { type = "merge", inputs = ["a", "image"] }', block)
    assert 'the first layer must say which input it reads: "left", "right"' in text


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ('["0"]', '"0" cannot be the name of an input'),
        ('["a.b"]', '"a.b" cannot be the name of an input'),
        ('[""]', '"" cannot be the name of an input'),
        ('["a", "a"]', 'two inputs are called "a"'),
        ("[]", "inputs = []: expected a list of names that is not empty"),
        ("[3]", "inputs = [3]: expected a list of names that is not empty, got 3 in it"),
    ],
)
def test_wrong_block_inputs(inputs: str, message: str) -> None:
    text = refusal('{ type = "b" }', f'[blocks.b]\ninputs = {inputs}\nlayers = [{{ type = "relu", repeat = 2 }}]')
    assert message in text
    assert text.count("error: ") == 1


# repeat


def test_copies_are_numbered_and_read_each_other() -> None:
    network = load('{ name = "a", type = "relu", repeat = 3 }, { type = "tanh" }')
    assert edges(network) == {"a.0": ("image",), "a.1": ("a.0",), "a.2": ("a.1",), "tanh": ("a.2",)}


def test_one_copy_is_numbered_too() -> None:
    assert names(load('{ name = "a", type = "relu", repeat = 1 }')) == ["a.0"]


def test_the_only_entry_of_a_block_has_bare_numbers() -> None:
    block = '[blocks.stage]\nlayers = [{ type = "relu", repeat = 2 }]'
    assert names(load('{ name = "s", type = "stage" }', block)) == ["s.0", "s.1"]
    assert names(load('{ name = "s", type = "stage" }', block.replace("repeat", 'name = "x", repeat'))) == [
        "s.x.0",
        "s.x.1",
    ]
    assert names(load('{ type = "relu", repeat = 2 }')) == ["relu.0", "relu.1"]


@pytest.mark.parametrize("name", ["copies", "input", "relu"])
def test_copies_have_bare_numbers_for_any_input_name(name: str) -> None:
    block = f'[blocks.stage]\ninputs = ["{name}"]\nlayers = [{{ type = "relu", repeat = 2 }}]'
    assert edges(load('{ name = "s", type = "stage" }', block)) == {"s.0": ("image",), "s.1": ("s.0",)}


def test_index_and_expressions_in_repeat() -> None:
    layers = (
        '{ name = "a", type = "conv2d", kernel_size = 1, out_channels = "2 ** (index + depth)", repeat = "depth + 1" }'
    )
    assert shapes(load(layers, "variables.depth = 2")) == {
        "a.0": (2**2, 32, 32),
        "a.1": (2**3, 32, 32),
        "a.2": (2**4, 32, 32),
    }


def test_no_copies_pass_the_input_on() -> None:
    layers = """
  { name = "a", type = "relu" },
  { name = "b", type = "tanh", repeat = 0 },
  { name = "c", type = "relu", input = "b" },
"""
    assert edges(load(layers)) == {"a": ("image",), "c": ("a",)}


def test_later_copies_keep_further_inputs() -> None:
    layers = '{ name = "a", type = "relu" }, { name = "b", type = "add", inputs = ["a", "image"], repeat = 3 }'
    assert edges(load(layers)) == {
        "a": ("image",),
        "b.0": ("a", "image"),
        "b.1": ("b.0", "image"),
        "b.2": ("b.1", "image"),
    }


@pytest.mark.parametrize(
    ("repeat", "message"),
    [
        ("-1", "expected a whole number ≥ 0"),
        ("1.5", "repeat = 1.5: expected a whole number ≥ 0, or an expression, got a number"),
        ("true", "repeat = true: expected a whole number ≥ 0, or an expression, got true or false"),
        ('"0 - 1"', 'repeat = "0 - 1" gives -1, which is not a number of copies'),
        ('"1.5"', 'repeat = "1.5" gives 1.5, which is not a number of copies'),
        ('"true"', 'repeat = "true" gives true, which is not a number of copies'),
        ('"[1, 2]"', "which is not a number of copies"),
        ('"index"', 'no variable is called "index"'),
        ("1_000_000_000", "repeat = 1000000000 expands to more than 200,000 layers"),
        ('"10 ** 30"', "expands to more than 200,000 layers"),
    ],
)
def test_wrong_repeats(repeat: str, message: str) -> None:
    text = refusal(f'{{ name = "a", type = "relu", repeat = {repeat} }}, {{ type = "relu", input = "a.0" }}')
    assert message in text
    assert text.count("error: ") == 1


def test_a_whole_float_repeats() -> None:
    assert len(load('{ type = "relu", repeat = "4 / 2" }').layers) == 2


# when

AUXILIARY = (
    '{ name = "a", type = "relu" }, { name = "aux", type = "tanh", when = "training" }, { name = "b", type = "relu" }'
)


def test_when_training() -> None:
    assert edges(load(AUXILIARY)) == {"a": ("image",), "b": ("a",)}
    assert edges(load(AUXILIARY, training=True)) == {"a": ("image",), "aux": ("a",), "b": ("aux",)}


def test_an_entry_left_out_passes_its_first_input_on() -> None:
    layers = """
  { name = "a", type = "relu" },
  { name = "s", type = "add", inputs = ["a", "image"], when = false },
  { type = "tanh", input = "s" },
"""
    assert edges(load(layers)) == {"a": ("image",), "tanh": ("a",)}


@pytest.mark.parametrize(
    "layers",
    [
        '{ name = "b", type = "relu" }, { name = "aux", type = "tanh", when = "training" }',
        '{ name = "b", type = "relu" }, { name = "aux", type = "tanh", when = "training", repeat = 2 }',
        '{ name = "b", type = "relu" }, { name = "aux", type = "tanh", repeat = "2 if training else 0" }',
        '{ name = "b", type = "relu" }, { name = "aux", type = "conv_bn", channels = 2, when = "training" }',
    ],
)
def test_outputs_left_out_disappear(layers: str) -> None:
    head = f'{IMAGE}\noutputs = ["b", "aux"]'
    assert load(layers, CONV_BN, head=head).outputs == ("b",)
    assert len(load(layers, CONV_BN, head=head, training=True).outputs) == 2


def test_outputs_in_a_block_left_out_disappear() -> None:
    layers = '{ name = "b", type = "relu" }, { name = "aux", type = "conv_bn", channels = 2, when = "training" }'
    head = f'{IMAGE}\noutputs = ["b", "aux.conv"]'
    assert load(layers, CONV_BN, head=head).outputs == ("b",)
    assert load(layers, CONV_BN, head=head, training=True).outputs == ("b", "aux.conv")


def test_some_output_must_be_left() -> None:
    text = refusal(AUXILIARY, head=f'{IMAGE}\noutputs = ["aux"]')
    assert "every output is left out" in text
    assert "│ outputs = [" in text


def test_layers_of_a_left_out_block_cannot_be_read() -> None:
    layers = (
        '{ name = "aux", type = "conv_bn", channels = 2, when = "training" }, { type = "relu", input = "aux.conv" }'
    )
    assert '"aux.conv" is left out here, with the block that it is in' in refusal(layers, CONV_BN)


def test_weights_left_out_cannot_be_used() -> None:
    layers = '{ name = "a", type = "prelu", when = "training" }, { type = "prelu", weights = "a" }'
    assert 'the weights of "a" are left out with it' in refusal(layers)


# padding


@pytest.mark.parametrize(
    ("padding", "size"),
    [
        ("0", (32 - 4, 32 - 2)),
        ("1", (32 + 2 - 4, 32 + 2 - 2)),
        ("[2, 1]", (32 + 4 - 4, 32 + 2 - 2)),
        ("[[1, 2], [0, 3]]", (32 + 3 - 4, 32 + 3 - 2)),
        ("[[1, 2], 1]", (32 + 3 - 4, 32 + 2 - 2)),
        ('["[1, 2]", "1"]', (32 + 3 - 4, 32 + 2 - 2)),
        ('"same"', (32, 32)),
        ('"valid"', (32 - 4, 32 - 2)),
        ('"kernel // 2"', (32, 32)),
        ('"same if 1 > 2 else valid"', (32 - 4, 32 - 2)),
    ],
)
def test_every_form_of_padding(padding: str, size: tuple[int, int]) -> None:
    layers = f'{{ type = "conv2d", out_channels = 4, kernel_size = "kernel", padding = {padding} }}'
    assert shapes(load(layers, "variables.kernel = [5, 3]")) == {"conv2d": (4, *size)}


@pytest.mark.parametrize(
    ("padding", "message"),
    [
        ('"smae"', 'did you mean "same"?'),
        ("-1", "padding = -1: expected a whole number ≥ 0"),
        ("1.5", "padding = 1.5: expected"),
        ("[1, 2, 3]", "padding has 3 values for 2 axes"),
        ("[[1, 2, 3], 1]", "padding = [[1, 2, 3], 1]: expected"),
    ],
)
def test_wrong_padding(padding: str, message: str) -> None:
    assert message in refusal(f'{{ type = "conv2d", out_channels = 4, kernel_size = 3, padding = {padding} }}')


# sharing and freezing

SHARED = """
  { name = "a", type = "conv2d", out_channels = 3, kernel_size = 3, padding = 1 },
  { name = "b", type = "conv2d", out_channels = 3, kernel_size = 3, padding = 1, weights = "a" },
"""


def test_shared_weights_are_counted_once_and_computed_twice() -> None:
    network = load(SHARED)
    once = 3 * 3 * 3 * 3 + 3
    assert [row.parameters for row in network.layers] == [once, 0]
    assert [row.macs for row in network.layers] == [3 * 3 * 3 * 3 * 32 * 32] * 2
    assert network.totals.parameters == once


def test_a_block_instance_shares_all_its_weights() -> None:
    layers = (
        '{ name = "a", type = "conv_bn", channels = 3 }, { name = "b", type = "conv_bn", channels = 3, weights = "a" }'
    )
    network = load(layers, CONV_BN)
    convolution = 3 * 3 + 3
    assert [row.parameters for row in network.layers] == [convolution, 2 * 3, 0, 0]
    assert network.totals.macs == 2 * 3 * 3 * 32 * 32


def test_nested_blocks_share_name_by_name() -> None:
    layers = """
  { name = "a", type = "stage", width = 3, count = 2 },
  { name = "b", type = "stage", width = 3, count = 2, weights = "a" },
"""
    network = load(layers, CONV_BN + BOTTLENECK)
    assert all(row.parameters == 0 for row in network.layers if row.name.startswith("b."))
    alone = load('{ name = "a", type = "stage", width = 3, count = 2 }', CONV_BN + BOTTLENECK)
    assert network.totals.parameters == alone.totals.parameters


def test_copies_share_with_the_first_of_them() -> None:
    layers = '{ name = "a", type = "linear", out_features = 32, repeat = 3, weights = "a.0" }'
    text = refusal(layers)
    assert 'the weights of "a.0" are its own, in a cycle' in text


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ('{ type = "prelu", weights = "b" }', 'no layer is called "b"'),
        ('{ type = "prelu", weights = "image" }', "an input has no weights"),
        ('{ name = "a", type = "prelu", weights = "a" }', 'the weights of "a" are its own, in a cycle'),
        ('{ name = "a", type = "prelu" }, { type = "batch_norm", weights = "a" }', "cannot use the weights of"),
        (
            '{ name = "a", type = "relu" }, { type = "c", channels = 1, weights = "a" }',
            'no layer is called "a.conv"',
        ),
    ],
)
def test_wrong_sharing(layers: str, message: str) -> None:
    conv = '{ name = "conv", type = "conv2d", out_channels = 1, kernel_size = 1 }'
    block = f'[blocks.c]\nparameters = ["channels"]\nlayers = [{conv}]'
    text = refusal(layers, block)
    assert message in text
    assert text.count("error: ") == 1


def test_freezing_a_layer_a_block_or_by_an_expression() -> None:
    layers = """
  { name = "a", type = "conv_bn", channels = 3, trainable = false },
  { name = "b", type = "prelu", trainable = false },
  { name = "c", type = "prelu", trainable = "index > 0", repeat = 2 },
  { name = "d", type = "conv_bn", channels = 3, trainable = "training" },
"""
    frozen = {row.name: row.parameters > row.trainable_parameters for row in load(layers, CONV_BN).layers}
    assert frozen == {
        "a.conv": True,
        "a.bn": True,
        "b": True,
        "c.0": True,
        "c.1": False,
        "d.conv": True,
        "d.bn": True,
    }
    assert load(layers, CONV_BN, training=True).layers[-1].trainable_parameters == 2 * 3


def test_layers_of_a_frozen_block_stay_frozen() -> None:
    block = '[blocks.b]\nlayers = [{ type = "prelu", trainable = true }]'
    assert load('{ type = "b", trainable = false }', block).totals.trainable_parameters == 0


def test_a_call_of_a_function() -> None:
    layers = """
  { type = "relu", functional = true },
  { name = "r", type = "relu", functional = "index == 1", repeat = 2 },
  { type = "relu" },
  { name = "t", type = "relu", functional = "training" },
"""
    assert [node.functional for node in load(layers).graph.nodes] == [True, False, True, False, False]
    assert load(layers, training=True).graph.nodes[-1].functional


def test_a_block_is_no_call() -> None:
    text = refusal('{ name = "a", type = "conv_bn", channels = 3, functional = true }', CONV_BN)
    assert "functional is for a layer; a block consists of modules" in text
    assert "help: write it inside of the block" in text
    assert text.count("error: ") == 1


def test_functional_must_be_a_boolean() -> None:
    assert "functional = 1: expected true or false" in refusal('{ type = "relu", functional = 1 }')


# other errors

RELU = '{ type = "relu" }'


@pytest.mark.parametrize(
    ("layers", "rest", "message"),
    [
        ('{ name = "a" }', "", "type is missing"),
        ('{ type = "conv9d" }', "", 'no layer type or block is called "conv9d"'),
        ('{ type = "conv2d", out_channels = 1 }', "", "kernel_size is missing"),
        ('{ type = "relu", sloap = 1 }', "", 'unknown key "sloap"'),
        ('{ type = "relu", name = "a.b" }', "", "expected text of 1 to 200 letters without a full stop"),
        ('{ type = "relu", name = "" }', "", "expected text of 1 to 200 letters"),
        ('{ type = "relu", inputs = [] }', "", "expected a list of names that is not empty"),
        ('{ type = "relu", input = "image", inputs = ["image"] }', "", "input and inputs exclude each other"),
        (f'{RELU}, {{ type = "relu", name = "image" }}', "", 'an input is called "image" already'),
        ('{ type = "relu", name = "x" }, { type = "tanh", name = "x" }', "", 'another entry is called "x" already'),
        ('{ type = "conv_bn" }', CONV_BN, 'block "conv_bn" needs "channels"'),
        ('{ type = "conv_bn", channel = 3, channels = 3 }', CONV_BN, 'unknown key "channel"'),
        (RELU, "[blocks.relu]\nlayers = [{ type = 'tanh' }]", '"relu" is a layer type already'),
        (RELU, "[blocks.'a.b']\nlayers = [{ type = 'tanh' }]", '"a.b" cannot be the name of a block'),
        (RELU, "[blocks.b]", "layers is missing"),
        (RELU, "[blocks.b]\nlayers = []", "layers = []: expected a list of tables that is not empty"),
        (RELU, "[blocks]\nb = 3", "expected a table, got 3"),
        (RELU, "[blocks.b]\nlayers = [{ type = 'tanh' }]\ndefault = {}", 'unknown key "default"'),
        (RELU, "[blocks.b]\nparameters = ['repeat']\nlayers = [{ type = 'tanh' }]", "means something on every entry"),
        (RELU, "[blocks.b]\nparameters = ['a b']\nlayers = [{ type = 'tanh' }]", '"a b" cannot be the name of a par'),
        (RELU, "[blocks.b]\nlayers = [{ type = 'b' }]", 'block "b" uses itself: "b" → "b"'),
        (
            RELU,
            "[blocks.a]\nlayers = [{ type = 'b' }]\n[blocks.b]\nlayers = [{ type = 'a' }, { type = 'a' }]",
            'block "a" uses itself: "a" → "b" → "a"',
        ),
        ('{ type = "c", channels = 4.5 }', CONV_BN.replace("conv_bn", "c"), 'out_channels = "channels" gives 4.5'),
        ('{ type = "c", channels = "4 + x" }', CONV_BN.replace("conv_bn", "c"), 'no variable is called "x"'),
        ('{ type = "c", channels = "x" }, { type = "c", channels = 1 }', CONV_BN.replace("conv_bn", "c"), 'called "x"'),
    ],
)
def test_wrong_entries_and_blocks(layers: str, rest: str, message: str) -> None:
    text = refusal(layers, rest)
    assert message in text
    assert text.count("error: ") == 1, text


@pytest.mark.parametrize("upwards", [True, False])
@pytest.mark.parametrize("depth", [50, 51, 400])
def test_how_deep_blocks_nest(depth: int, upwards: bool) -> None:
    blocks = ['[blocks.b0]\nlayers = [{ type = "relu" }]']
    blocks += [f'[blocks.b{i}]\nlayers = [{{ type = "b{i - 1}" }}]' for i in range(1, depth)]
    rest = "\n".join(blocks if upwards else reversed(blocks))
    layers = f'{{ type = "b{depth - 1}" }}'
    if depth <= 50:
        assert len(load(layers, rest).layers) == 1
    else:
        text = refusal(layers, rest)
        assert "blocks nest more than 50 deep" in text
        assert text.count("error: ") == 1


def test_lists_of_variables_are_bounded() -> None:
    variables = "".join(f'a{i} = "[a{i - 1}, a{i - 1}]"\n' for i in range(1, 60))
    text = refusal('{ type = "relu" }', f"[variables]\na0 = [1, 1]\n{variables}")
    assert "a list of more than 10,000 values" in text
    assert text.count("error: ") == 1


def test_errors_of_a_layer_are_not_repeated_for_its_readers() -> None:
    layers = """
  { name = "a", type = "conv2d", out_channels = "x", kernel_size = 3 },
  { name = "b", type = "nothing" },
  { name = "c", type = "add", inputs = ["a", "b"] },
  { name = "d", type = "relu", input = "b.inner", weights = "a" },
  { name = 5, type = "relu" },
  { name = "e", type = "relu", repeat = "y" },
  { type = "relu", input = "e.0" },
"""
    text = refusal(layers)
    assert text.count("error: ") == 4
    assert [line for line in text.split("\n") if line.startswith("error: ")] == [
        'error: out_channels = "x": no variable is called "x"',
        'error: no layer type or block is called "nothing"',
        "error: name = 5: expected text of 1 to 200 letters without a full stop, got a whole number",
        'error: repeat = "y": no variable is called "y"',
    ]


# --- equal copies share their expansion ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["width", "lambda", "µ", "ϵ"])
def test_a_parameter_may_have_any_name(name: str) -> None:
    block = f"""
    [blocks.b]
    parameters = ["{name}"]
    layers = [{{ type = "conv2d", out_channels = "{name}", kernel_size = 1 }}]
    """
    uses = ", ".join(f'{{ type = "b", {name!r} = {channels} }}' for channels in (4, 8, 4))
    assert [shape[0] for shape in shapes(load(uses, block)).values()] == [4, 8, 4]


BIASED = """
[blocks.b]
parameters = ["p"]
layers = [{ type = "conv2d", out_channels = 2, kernel_size = 1, bias = "p" }]
"""


@pytest.mark.parametrize("values", [("true", "1"), ("1", "true"), ("true", "1.0"), ("false", "0")])
def test_true_and_one_are_different_arguments(values: tuple[str, str]) -> None:
    uses = ", ".join(f'{{ type = "b", p = {value} }}' for value in values)
    assert any(f'bias = "p" gives {number}: expected true or false' in refusal(uses, BIASED) for number in (0, 1))
    uses = ", ".join(f'{{ type = "b", p = "{value} and true" }}' for value in ("true", "1"))
    assert load(uses, BIASED).totals.parameters == 2 * 4 + 2 * 3


def test_a_wrong_instance_does_not_affect_others() -> None:
    assert refusal('{ type = "b", p = "q" }, { type = "b", p = true }', BIASED).count("error: ") == 1
    assert load('{ type = "b", p = true }, { type = "b", p = false }', BIASED).totals.parameters == 2 * 4 + 2 * 2


def test_different_lists_make_different_layers() -> None:
    block = """
    [blocks.b]
    parameters = ["k"]
    layers = [{ type = "conv2d", out_channels = 2, kernel_size = "k" }]
    """
    found = shapes(load('{ type = "b", k = [3, 1] }, { type = "b", k = [1, 3] }, { type = "b", k = [3, 1] }', block))
    assert [*found.values()] == [(2, 30, 32), (2, 30, 30), (2, 28, 30)]


def test_a_boolean_variable_stays_boolean() -> None:
    head = f"{IMAGE}variables.wide = false"
    layers = '{ type = "conv2d", out_channels = "8 if wide else 4", kernel_size = 1 }'
    assert shapes(load(layers, head=head, variables={"wide": True})) == {"conv2d": (8, 32, 32)}
    for value in (2, 1, "no"):
        with pytest.raises(archcalc.SpecError, match="wide"):
            load(layers, head=head, variables={"wide": value})


@pytest.mark.parametrize(
    ("limit", "layers", "message"),
    [
        ("MAX_LAYERS", "[{ type = 'relu', repeat = 11 }]", "repeat = 11 expands to more than 10 layers"),
        ("MAX_LAYERS", "[{ type = 'relu', repeat = 5 }, { type = 'tanh', repeat = 6 }]", "more than 10 layers"),
        ("MAX_EDGES", "[{ type = 'add', inputs = ['image', 'image'], repeat = 6 }]", "more than 10 inputs of layers"),
        ("MAX_VALUES", "[{ type = 'dropout', p = '0.1 * index', repeat = 4 }]", "more than 10 values of fields"),
        ("MAX_LETTERS", "[{ name = 'four', type = 'relu', repeat = 2 }]", "more than 10 letters of names"),
    ],
)
def test_expansion_is_limited(limit: str, layers: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"name = 'small'\ninputs.image = [3, 8, 8]\nlayers = {layers}"
    archcalc.loads(text)
    monkeypatch.setattr(f"archcalc.spec.expense.{limit}", 10)
    with pytest.raises(archcalc.SpecError, match=message):
        archcalc.loads(text)


@pytest.mark.parametrize(
    ("written", "shape", "expected"),
    [
        ("50", [9, 9], Unknown(NONZEROS_UNKNOWN)),  # it is unknown at other sizes
        ("0", [9, 9], Unknown(NONZEROS_UNKNOWN)),
        ("50", [8, 8], 50),
        ('"6 * nodes + 2"', [9, 9], Unknown(NONZEROS_UNKNOWN)),
        ('"6 * nodes + 2"', [8, 8], 50),
    ],
)
@pytest.mark.parametrize("own", ['["nodes", "nodes"]', "[8, 8]"])
def test_nonzeros_are_unknown_for_another_shape(
    own: str, written: str, shape: list[int], expected: int | Unknown
) -> None:
    text = f"""
    name = "graph"
    variables.nodes = 8
    inputs.x = [8, 3]
    inputs.a = {{ shape = {own}, nonzeros = {written} }}
    layers = [{{ type = "gcn_conv", inputs = ["x", "a"], out_features = 4 }}]
    """
    network = archcalc.loads(text, inputs={"x": [shape[0], 3], "a": shape})
    assert network.graph.inputs["a"].nonzeros == expected


def test_a_wrong_value_names_its_instance() -> None:
    text = """
name = "uses"
inputs.x = [8]
layers = [{ type = "outer", n = 4 }, { type = "outer", n = 2 }, { type = "outer", n = 2 }]
[blocks.outer]
parameters = ["n"]
layers = [
  { type = "relu", repeat = "n - 3" },
  { type = "inner", k = "8 // (n - 2)" },
  { type = "relu", when = "8 // (n - 2)" },
  { type = "relu", trainable = "8 // (n - 2) > 0" },
  { type = "relu", functional = "8 // (n - 2) > 0" },
  { type = "linear", out_features = "8 // (n - 2)" },
]
[blocks.inner]
parameters = ["k"]
defaults = { m = "k // (k - 4)" }
layers = [{ type = "linear", out_features = "m" }]
"""
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.loads(text)
    assert [(found.place.line, found.reason) for found in caught.value.diagnostics] == [
        (8, 'in "outer_2.relu", with n = 2'),
        (9, 'in "outer_2.inner", with n = 2'),
        (10, 'in "outer_2.relu_2", with n = 2'),
        (11, 'in "outer_2.relu_3", with n = 2'),
        (12, 'in "outer_2.relu_4", with n = 2'),
        (13, 'in "outer_2.linear", with n = 2'),
        (17, 'in "outer.inner", with k = 4'),
    ]


@pytest.mark.parametrize("name", ["nodes", "degree"])
def test_nonzeros_of_another_shape_may_be_set(name: str) -> None:
    text = """
    name = "graph"
    variables = { nodes = 8, degree = 6, edges = "degree * nodes" }
    inputs.x = ["nodes", 3]
    inputs.a = { shape = [8, 8], nonzeros = "edges + nodes" }
    layers = [{ type = "gcn_conv", inputs = ["x", "a"], out_features = 4 }]
    """
    network = archcalc.loads(text, variables={name: 5}, inputs={"x": [9, 3], "a": [9, 9]})
    assert network.graph.inputs["a"].nonzeros == {"nodes": 35, "degree": 48}[name]


def test_an_entry_without_a_name_names_its_block() -> None:
    block = 'blocks.b = { parameters = ["n"], layers = [{ type = "relu", repeat = "n - 2" }] }'
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.loads(f'name = "x"\ninputs.x = [3]\nlayers = [{{ type = "b", n = 1 }}]\n{block}')
    assert [found.reason for found in caught.value.diagnostics] == ['in "b", with n = 1']


def test_a_block_with_too_many_inputs() -> None:
    text = 'layers = [{ type = "b", inputs = ["x", "x"] }]\nblocks.b.layers = [{ type = "relu" }]'
    with pytest.raises(archcalc.SpecError, match="leave out the others"):
        archcalc.loads(f'name = "x"\ninputs.x = [3]\n{text}')


def test_a_wrong_input_of_several_is_reported() -> None:
    layers = '[{ type = "conv2d", out_channels = 3, kernel_size = 3 }]'
    with pytest.raises(archcalc.SpecError) as caught:
        archcalc.loads(f'name = "x"\ninputs = {{ image = [3, "8*", 8], z = [5] }}\nlayers = {layers}')
    wrong, unsaid = [found.message for found in caught.value.diagnostics]
    assert wrong.startswith("image = [3, ") or "8*" in wrong
    assert unsaid == 'the first layer must say which input it reads: "image", "z"'
