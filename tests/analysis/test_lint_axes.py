"""Checks of layers that read positions as channels: what they find, that remedies work, what they must not find."""

import pytest

import archcalc
from archcalc.errors import Diagnostic

CONV = '{ type = "conv2d", out_channels = 32, kernel_size = 3, padding = 1 }'
CONV1 = '{ type = "conv1d", out_channels = 32, kernel_size = 3, padding = 1 }'
CONV3 = '{ type = "conv3d", out_channels = 8, kernel_size = 3, padding = 1 }'
LINEAR = '{ type = "linear", out_features = 10 }'
FLATTEN = '{ type = "flatten" }'
SOFTMAX = '{ type = "softmax" }'
ATTENTION = '{ type = "multi_head_attention", num_heads = 4 }'


def text_of(layers: list[str], shape: list[int]) -> str:
    return f'name = "x"\ninputs.image = {shape}\nlayers = [\n' + "".join(f"  {layer},\n" for layer in layers) + "]\n"


def findings(layers: list[str], shape: list[int], codes: str = "G303 G304 R402 P202") -> list[Diagnostic]:
    return [found for found in archcalc.loads(text_of(layers, shape)).check() if found.code in codes.split()]


# G303 missing-flatten


def test_a_dense_layer_straight_behind_a_convolution() -> None:
    (found,) = archcalc.loads(text_of([CONV, LINEAR], [3, 32, 32])).check()
    assert str(found) == (
        'warning[G303]: flatten is missing: layer "linear"\n'
        "  ┌ <string>:5\n"
        f"  │ {LINEAR},\n"
        "  = linear reads the last axis of 32×32×32, the width, as its features, and returns 32×32×10\n"
        '  help: put { type = "flatten" } before it; or { type = "permute", dims = [1, 2, 0] }, '
        "for a layer at every position"
    )


MISSING = {
    "convolution": ([CONV, LINEAR], [3, 32, 32]),
    "normalization and activation": ([CONV, '{ type = "batch_norm" }', '{ type = "relu" }', LINEAR], [3, 32, 32]),
    "pooling": ([CONV, '{ type = "max_pool2d", kernel_size = 2 }', '{ type = "dropout" }', LINEAR], [3, 32, 32]),
    "global pooling": ([CONV, '{ type = "adaptive_avg_pool2d", output_size = 1 }', LINEAR], [3, 32, 32]),
    "one axis": ([CONV1, '{ type = "relu" }', '{ type = "max_pool1d", kernel_size = 2 }', LINEAR], [4, 100]),
    "three axes": ([CONV3, '{ type = "avg_pool3d", kernel_size = 2 }', LINEAR], [1, 8, 8, 8]),
    "an image": ([LINEAR, '{ type = "relu" }', LINEAR], [1, 28, 28]),
    "upsampling": ([CONV, '{ type = "upsample", scale_factor = 2 }', LINEAR], [3, 8, 8]),
    "a sum": ([CONV.replace("type", 'name = "a", type', 1), '{ type = "relu" }',
               '{ type = "add", inputs = ["a", "relu"] }', LINEAR], [3, 8, 8]),
    "joined branches": (['{ name = "a", type = "conv2d", out_channels = 4, kernel_size = 1 }',
                         '{ name = "b", type = "conv2d", out_channels = 4, kernel_size = 1, input = "image" }',
                         '{ type = "cat", inputs = ["a", "b"] }', LINEAR], [3, 8, 8]),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISSING)
def test_a_missing_flatten_is_named_once_and_mended_as_advised(kind: str) -> None:
    layers, shape = MISSING[kind]
    found = findings(layers, shape)
    assert [finding.message for finding in found if finding.code != "P202"] == ['flatten is missing: layer "linear"']
    position = layers.index(LINEAR)
    permute = str(found[0].help).partition("or ")[2].partition(", for")[0]
    for remedy in (FLATTEN, permute):
        mended = findings([*layers[:position], remedy, *layers[position:]], shape, "G303 G304")
        assert mended == [], remedy
    whole = archcalc.loads(text_of([*layers[:position], FLATTEN, *layers[position:]], shape))
    assert whole.layers[-1].output_shape == (10,)


def test_several_dense_layers_behind_one_map_are_one_mistake() -> None:
    head = [LINEAR, '{ type = "relu" }', LINEAR]
    assert len(findings([CONV, *head], [3, 32, 32], "G303")) == 1


def test_a_flatten_that_counts_the_batch() -> None:
    layers = [CONV, '{ type = "flatten", start_dim = 1 }', LINEAR]
    (found,) = findings(layers, [3, 32, 32])
    assert found.message == 'flatten leaves the channels apart: layer "linear"'
    assert found.place.line == 5
    assert found.help == 'let "flatten" join all axes, without start_dim: the batch is not counted'
    assert findings([CONV, FLATTEN, LINEAR], [3, 32, 32], "G303") == []


def test_attention_straight_behind_a_convolution() -> None:
    (found,) = findings([CONV1, ATTENTION], [16, 100], "G303")
    assert found.message == 'positions are read as features: layer "multi_head_attention"'
    assert found.help == 'put { type = "permute", dims = [1, 0] } before it'
    assert findings([CONV1, '{ type = "permute", dims = [1, 0] }', ATTENTION], [16, 100], "G303") == []


LAYER_NORM = '{ type = "layer_norm" }'
PATCHES = ['{ type = "conv2d", out_channels = 64, kernel_size = 8, stride = 8 }', '{ type = "flatten", start_dim = 1 }']
TO_LAST, TO_FIRST = '{ type = "permute", dims = [1, 2, 0] }', '{ type = "permute", dims = [2, 0, 1] }'
SOUND = {
    "flattened": ([CONV, FLATTEN, LINEAR, SOFTMAX], [3, 32, 32]),
    "channels last": ([CONV, TO_LAST, LAYER_NORM, LINEAR, '{ type = "gelu" }', LINEAR, TO_FIRST, CONV], [3, 32, 32]),
    "tokens of patches": ([*PATCHES, '{ type = "permute", dims = [1, 0] }', LAYER_NORM, ATTENTION, LINEAR, SOFTMAX],
                          [3, 32, 32]),
    "tokens": ([LAYER_NORM, ATTENTION, LINEAR, SOFTMAX], [64, 32]),
    "pairs": ([LAYER_NORM, LINEAR, SOFTMAX], [64, 64, 32]),
    "channels last of an input": ([LINEAR, LINEAR], [224, 224, 3]),
    "one row": ([LINEAR, SOFTMAX], [1, 784]),
    "channels of a map": ([CONV, '{ type = "softmax", dim = 0 }'], [3, 32, 32]),
    "attention over places": ([*PATCHES, SOFTMAX, '{ type = "relu" }'], [3, 32, 32]),
    "normalized as a whole": ([CONV, '{ type = "layer_norm", normalized_shape = [32, 8, 8] }'], [3, 8, 8]),
    "one map": (['{ type = "conv1d", out_channels = 1, kernel_size = 1 }', LINEAR], [4, 50]),
}  # fmt: skip


@pytest.mark.parametrize("kind", SOUND)
def test_sound_layers_have_no_findings(kind: str) -> None:
    assert findings(*SOUND[kind], "G303 G304") == []


@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_no_shipped_spec_reads_positions_as_channels(name: str) -> None:
    assert [found for found in archcalc.load(name).check() if found.code in ("G303", "G304")] == []


def test_the_summary_mentions_a_missing_flatten() -> None:
    text = str(archcalc.loads(text_of([CONV, LINEAR], [3, 32, 32])))
    hint = 'flatten is missing: "linear" reads the last axis of 32×32×32 alone; archcalc check says more'
    assert text.endswith(f"\n\n! {hint}")
    assert "!" not in str(archcalc.loads(text_of([CONV, FLATTEN, LINEAR], [3, 32, 32])))


# G304 wrong-axis


@pytest.mark.parametrize(
    ("layers", "shape", "message", "remedy"),
    [
        ([CONV, SOFTMAX], [3, 8, 8], "softmax adds up to 1 along the width, not over the channels", "set dim = 0"),
        ([CONV1, '{ type = "log_softmax" }'], [3, 8], "log_softmax adds up to 1 along the length", "set dim = 0"),
        ([CONV, '{ type = "softmax", dim = 1 }', CONV], [3, 8, 8], "softmax adds up to 1 along the height",
         "set dim = 0"),
        ([CONV, '{ type = "adaptive_avg_pool2d", output_size = 1 }', SOFTMAX], [3, 8, 8],
         "softmax over a single value is always 1", "set dim = 0"),
        (['{ type = "linear", out_features = 1 }', SOFTMAX], [30], "softmax over a single value is always 1",
         "use sigmoid for a single output"),
        (['{ type = "linear", out_features = 1 }', '{ type = "log_softmax" }'], [30],
         "log_softmax over a single value is always 0", "use sigmoid for a single output"),
        ([CONV, LAYER_NORM], [3, 8, 8], "layer_norm normalizes positions, not channels",
         "use group_norm with num_groups = 1, or permute the channels to the last axis before it"),
    ],
)  # fmt: skip
def test_a_wrong_axis(layers: list[str], shape: list[int], message: str, remedy: str) -> None:
    (found,) = findings(layers, shape, "G303 G304")
    assert found.message.startswith(message)
    assert found.help == remedy
    if remedy == "set dim = 0":
        mended = [layer.replace(", dim = 1", "").replace('softmax"', 'softmax", dim = 0') for layer in layers]
        assert findings(mended, shape, "G303 G304") == []


# one finding for one cause

WAVENET = """
name = "WaveNet"
inputs.audio = [1, 4000]
layers = [{ name = "stack", type = "stack", repeat = 3 }]
[blocks.stack]
layers = [{ type = "residual", dilation = "2 ** index", repeat = 10 }]
[blocks.residual]
parameters = ["dilation"]
layers = [
  { name = "filter", type = "dilated", dilation = "dilation" }, { name = "tanh", type = "tanh" },
  { name = "gate", type = "dilated", dilation = "dilation", input = "input" }, { name = "sigmoid", type = "sigmoid" },
  { type = "mul", inputs = ["tanh", "sigmoid"] },
  { name = "out", type = "conv1d", out_channels = 1, kernel_size = 1 },
  { type = "add", inputs = ["out", "input"] },
]
"""
DILATED = """
[blocks.dilated]
parameters = ["dilation"]
layers = [{ type = "conv1d", out_channels = 4, kernel_size = 2, dilation = "dilation", padding = [["dilation", 0]] }]
"""
CROPPED = """
[blocks.dilated]
parameters = ["dilation"]
layers = [
  { type = "conv1d", out_channels = 4, kernel_size = 2, dilation = "dilation", padding = "dilation" },
  { type = "slice", dim = 1, stop = "-dilation" },
]
"""


@pytest.mark.parametrize(
    "dilated", [DILATED, CROPPED.replace("stop = -1", 'stop = "-dilation"')], ids=["padded", "cropped"]
)
def test_the_shift_of_a_causal_network_is_reported_once(dilated: str) -> None:
    found = [finding for finding in archcalc.loads(WAVENET + dilated).check() if finding.code == "G302"]
    # The centre of a kernel of 2 lies half a dilation before the unit; dilations go from 1 to 512.
    assert len(found) == 1
    assert found[0].message == (
        f"branches with different centres meet, {1 / 2} to {512 // 2} input positions apart: "
        'layers "stack.0.0.add", "stack.0.1.add" and 28 more'
    )
    assert found[0].reason == "in each, the branch with the wider field looks earlier, as with padding at one end"


def test_shifts_to_both_sides_have_two_causes() -> None:
    layers = []
    for name, source, pads in (("a", "image", "[1, 0]"), ("b", "add", "[2, 0]"), ("c", "add_2", "[0, 1]")):
        size = 3 if name == "b" else 2
        layers.append(
            f'{{ name = "{name}", type = "conv1d", out_channels = 4, kernel_size = {size}, padding = [{pads}] }}'
        )
        layers.append(f'{{ type = "add", inputs = ["{name}", "{source}"] }}')
    found = findings(layers, [4, 50], "G302")
    # Units see −1 to 0 behind the first sum, −3 to 0 behind the second, −3 to 1 behind the last convolution.
    assert [finding.message for finding in found] == [
        'branches with different centres meet, 0.5 to 1 input positions apart: layers "add" and "add_2"',
        'branches with different centres meet, 0.5 input positions apart: layer "add_3"',
    ]
