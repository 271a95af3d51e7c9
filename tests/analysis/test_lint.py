"""Every check of `archcalc check`: what it finds, what it must not find, and its numbers compared with brute force."""

import math
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import archcalc
from archcalc.analysis.lint import RULES, select
from archcalc.errors import Diagnostic, UsageError

CODES = ["W101", "W102", "W103", "W104", "W105", "P201", "P202", "G301", "G302", "G303", "G304", "R401", "R402"]
CODES += ["I601", "I602", "S701"]


def spec(shape: tuple[int, ...], *layers: str, rest: str = "") -> str:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return f'name = "test"\ninputs.image = {list(shape)}\nlayers = [\n{entries}]\n{rest}'


def layer(layer_type: str, name: str | None = None, **fields: Any) -> str:
    """One line of a spec."""
    fields = ({"name": name} if name else {}) | {"type": layer_type} | fields
    return ", ".join(f"{key} = {_toml(value)}" for key, value in fields.items())


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(list(value) if isinstance(value, tuple) else value)


def conv(dimensions: int = 2, **fields: Any) -> str:
    return layer(f"conv{dimensions}d", out_channels=4, **fields)


def findings(text: str, code: str) -> list[Diagnostic]:
    return [found for found in archcalc.loads(text).check() if found.code == code]


def finding(text: str, code: str) -> Diagnostic:
    found = findings(text, code)
    assert len(found) == 1, found
    return found[0]


def assert_clean(code: str, shape: tuple[int, ...], *layers: str, rest: str = "") -> None:
    assert findings(spec(shape, *layers, rest=rest), code) == []


# the registry


def test_every_code_has_one_check_with_a_name_and_a_sentence() -> None:
    assert [rule.code for rule in RULES] == sorted(CODES)
    assert len({rule.name for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
        assert rule.summary.endswith(".")
        assert "\n" not in rule.summary


def test_findings_are_warnings_with_a_line_a_reason_and_a_remedy() -> None:
    for found in archcalc.loads(EVERYTHING).check():
        assert found.severity == "warning"
        assert found.place.line is not None
        assert found.reason
        assert found.help


def test_a_sound_network_has_no_findings() -> None:
    assert not archcalc.load("lenet5").check()


EVERYTHING = spec(
    (3, 224, 224),
    layer("conv2d", "wide", out_channels=8, kernel_size=11, stride=4),
    layer("batch_norm"),
    conv(name="narrow", kernel_size=1, stride=3),
    conv(name="even", kernel_size=2, padding=1),
    layer("conv_transpose2d", "up", out_channels=4, kernel_size=3, stride=2),
    conv(name="dilated", kernel_size=3, dilation=2),
    conv(name="more_dilated", kernel_size=3, dilation=4),
    layer("flatten"),
    layer("linear", "head", out_features=100),
    layer("linear", "lost", input="flatten", out_features=1),
    rest='outputs = ["head"]\nvariables.unused = 1\n'
    'ignore = [{ code = "W999", reason = "…" }, { code = "R401", reason = "…" }]',
)


def test_one_network_with_nearly_every_oddity() -> None:
    found = {diagnostic.code for diagnostic in archcalc.loads(EVERYTHING).check()}
    assert found == {*CODES} - {"G302", "G303", "G304", "R401", "R402"}


# W101 dropped-pixels

ALEXNET = spec((3, 224, 224), layer("conv2d", "conv1", out_channels=96, kernel_size=11, stride=4))


def test_the_first_layer_of_alexnet() -> None:
    assert str(finding(ALEXNET, "W101")) == (
        'warning[W101]: 1 pixel per axis is never read at the end of 224×224: layer "conv1"\n'
        "  ┌ <string>:4\n"
        '  │ { name = "conv1", type = "conv2d", out_channels = 96, kernel_size = 11, stride = 4 },\n'
        "  = (224 + 2·0 − 11) mod 4 = 1\n"
        "  help: sizes 223 and 227 fit exactly; no symmetric padding does"
    )


@pytest.mark.parametrize("size", [223, 227])
def test_alexnet_on_a_size_that_fits(size: int) -> None:
    found = archcalc.loads(ALEXNET, inputs={"image": [3, size, size]}).check()
    assert "W101" not in [diagnostic.code for diagnostic in found]


def test_an_overridden_input_is_checked() -> None:
    found = archcalc.loads(ALEXNET, inputs={"image": [3, 225, 227]}).check()
    message, *others = [diagnostic.message for diagnostic in found if diagnostic.code == "W101"]
    assert message == '2 pixels along the height are never read at the end of 225×227: layer "conv1"'
    assert others == []


def test_padding_that_no_window_reads_is_no_loss() -> None:
    assert_clean("W101", (3, 224, 224), conv(kernel_size=3, stride=2, padding=1))


def test_dropped_padding_is_counted_separately() -> None:
    found = finding(spec((3, 224, 224), conv(kernel_size=3, stride=4, padding=1)), "W101")
    assert found.message == '2 pixels per axis are never read at the end of 224×224: layer "conv2d"'
    assert found.reason == "(224 + 2·1 − 3) mod 4 = 3, of which 1 padding"
    assert found.help == "sizes 221 and 225 fit exactly; no symmetric padding does"


def test_the_smallest_padding_that_fits_is_named() -> None:
    found = finding(spec((1, 10), conv(1, kernel_size=3, stride=3)), "W101")
    assert found.help == "sizes 9 and 12 fit exactly, and so does padding 1"


def test_a_padding_that_fits_is_large_enough_for_the_kernel() -> None:
    found = finding(spec((1, 1), conv(1, kernel_size=5, stride=4, padding=[[9, 0]])), "W101")
    assert found.help == "size 4 fits exactly, and so does padding 2"


def test_dilation_is_written_out() -> None:
    found = finding(spec((1, 10), conv(1, kernel_size=3, stride=4, dilation=2)), "W101")
    assert found.reason == "(10 + 2·0 − 5) mod 4 = 1, E = 2·(3 − 1) + 1 = 5"


def test_pooling_can_round_up_instead() -> None:
    pool = layer("max_pool2d", kernel_size=2)
    found = finding(spec((3, 7, 7), pool), "W101")
    assert found.help == "sizes 6 and 8 fit exactly; no symmetric padding does; ceil_mode = true reads every pixel"
    assert_clean("W101", (3, 7, 7), f"{pool}, ceil_mode = true")
    assert_clean("W101", (3, 7, 7), f'{pool}, padding = "same"')
    assert "ceil_mode" not in str(finding(spec((3, 7, 7), layer("subsample")), "W101"))


def test_axes_that_differ_are_findings_of_their_own() -> None:
    found = findings(spec((3, 8, 9, 10), conv(3, kernel_size=4, stride=4)), "W101")
    assert [diagnostic.message for diagnostic in found] == [
        '1 position along the height is never read at the end of 8×9×10: layer "conv3d"',
        '2 positions along the width are never read at the end of 8×9×10: layer "conv3d"',
    ]
    assert found[1].help == "sizes 8 and 12 along the width fit exactly, and so does padding 1"


def test_gaps_that_are_the_same_everywhere_are_not_dropped_at_the_end() -> None:
    text = spec((3, 8, 8), conv(kernel_size=1, stride=2))
    assert findings(text, "W101") == []
    assert len(findings(text, "W102")) == 1


DROPPED = re.compile(r"(\d+) positions? (?:is|are) never read at the end")


def positions_read(size: int, kernel: int, stride: int, padding: int, dilation: int, units: int) -> set[int]:
    return {unit * stride - padding + tap * dilation for unit in range(units) for tap in range(kernel)}


@given(
    size=st.integers(1, 30),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 7),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 4),
    mode=st.sampled_from(["conv", "pool", "ceil"]),
)
@example(size=1, kernel=1, stride=5, padding=2, dilation=1, mode="conv")  # no window reaches the input
@example(size=2, kernel=1, stride=3, padding=0, dilation=1, mode="ceil")  # one window, and none may start behind it
@example(size=8, kernel=3, stride=3, padding=0, dilation=1, mode="pool")  # padding 2 would fit, but is not allowed
def test_dropped_pixels_by_brute_force(
    size: int, kernel: int, stride: int, padding: int, dilation: int, mode: str
) -> None:
    window = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
    kind = "conv1d" if mode == "conv" else "max_pool1d"
    fields: dict[str, Any] = window | ({"out_channels": 4} if mode == "conv" else {"ceil_mode": mode == "ceil"})

    def dropped_and_help(size: int, padding: int) -> tuple[int, int, str]:
        network = archcalc.loads(spec((2, size), layer(kind, **fields, padding=padding)))
        units = network.layers[0].output_shape[1]
        last = max(positions_read(size, kernel, stride, padding, dilation, units))
        unread = sum(position > last for position in range(size))
        gap = max(stride - ((kernel - 1) * dilation + 1), 0) if units > 1 else 0
        found = [found for found in network.check() if found.code == "W101"]
        stated = int(DROPPED.match(found[0].message)[1]) if found else 0  # type: ignore[index]
        assert stated == (unread if unread > gap else 0)
        left = size + padding - 1 - last  # positions after the last window, padding included
        return stated, left, (found[0].help or "") if found else ""

    try:
        dropped, _, remedies = dropped_and_help(size, padding)
    except archcalc.ShapeError:
        assume(False)
    if not dropped:
        return
    sizes = re.match(r"sizes? (\d+)(?: and (\d+))? fit", remedies)
    assert sizes
    for fitting in filter(None, sizes.groups()):
        assert dropped_and_help(int(fitting), padding)[:2] == (0, 0)
    if padded := re.search(r"so does padding (\d+)", remedies):
        assert dropped_and_help(size, int(padded[1]))[:2] == (0, 0)
    reach = (kernel - 1) * dilation + 1
    smaller = range(int(padded[1]) if padded else kernel // 2 + 1 if kind == "max_pool1d" else 3 * stride + reach)
    fits = [p for p in smaller if size + 2 * p >= reach and (size + 2 * p - reach) % stride == 0]
    assert fits == []
    if mode != "pool":
        assert "ceil_mode" not in remedies
        return
    network = archcalc.loads(spec((2, size), layer(kind, **window, padding=padding, ceil_mode=True)))
    read = positions_read(size, kernel, stride, padding, dilation, network.layers[0].output_shape[1])
    assert ("ceil_mode" in remedies) == (not {*range(size - dropped, size)} - read)


# W102 skipped-pixels


def test_a_strided_1x1_convolution_skips() -> None:
    found = finding(spec((64, 56, 56), conv(name="shortcut", kernel_size=1, stride=2)), "W102")
    assert str(found) == (
        'warning[W102]: 1 of every 2 pixels per axis is never read: layer "shortcut"\n'
        "  ┌ <string>:4\n"
        '  │ { name = "shortcut", type = "conv2d", out_channels = 4, kernel_size = 1, stride = 2 },\n'
        "  = 2 − min(1, ⌊2/gcd(1, 2)⌋) = 1; on all axes together 3 of 4\n"
        "  help: use kernel_size ≥ 2; or average pooling of stride 2, and stride 1 here"
    )


def test_one_axis_may_skip() -> None:
    found = finding(spec((4, 20, 20), layer("max_pool2d", kernel_size=(2, 3), stride=(3, 3))), "W102")
    assert found.message == '1 of every 3 pixels along the height is never read: layer "max_pool2d"'
    assert found.reason == "3 − min(2, ⌊3/gcd(1, 3)⌋) = 1; on all axes together 3 of 9"


def test_a_dilation_can_skip_what_the_kernel_would_reach() -> None:
    found = finding(spec((4, 21), conv(1, kernel_size=3, stride=2, dilation=2)), "W102")
    assert found.help == (
        "use a dilation that shares no factor with the stride; or average pooling of stride 2, and stride 1 here"
    )


def test_adjacent_and_single_windows_skip_nothing() -> None:
    assert_clean("W102", (4, 20, 20), layer("max_pool2d", kernel_size=2))
    assert_clean("W102", (4, 20, 20), conv(kernel_size=3, stride=2, dilation=3, padding=3))
    assert_clean("W102", (4, 2, 2), conv(kernel_size=1, stride=2))


@given(kernel=st.integers(1, 7), stride=st.integers(1, 8), dilation=st.integers(1, 8))
def test_skipped_pixels_by_brute_force(kernel: int, stride: int, dilation: int) -> None:
    reach = (kernel - 1) * dilation + 1
    size = 3 * reach + 9 * stride
    fields = {"kernel_size": kernel, "stride": stride, "dilation": dilation}
    network = archcalc.loads(spec((1, size), conv(1, **fields)))
    read = positions_read(size, kernel, stride, 0, dilation, network.layers[0].output_shape[1])
    skipped = stride - len({*range(reach, reach + stride)} & read)  # far from both ends
    (found,) = [found.message for found in network.check() if found.code == "W102"] or [""]
    if skipped:
        assert found.startswith(f"{skipped} of every {stride} position")
        return
    unread = sorted({*range(size)} - read)
    if dilation == 1 or any(found.code == "W101" for found in network.check()):
        assert found == ""
    else:
        assert found.split(" position")[0] == (str(len(unread)) if unread else "")
        assert not unread or f"({unread[0]}" in found


def test_windows_of_any_width_take_no_time() -> None:
    wide = layer("conv1d", out_channels=1, kernel_size=2, dilation=10**12)
    assert_clean("W102", (1, 10**12 + 5), wide)


# W103 even-kernel


def test_an_even_kernel_cannot_keep_the_size() -> None:
    found = finding(spec((3, 32, 32), conv(kernel_size=2, padding=1)), "W103")
    assert found.message == (
        'an even kernel with symmetric padding gives 33 pixels per axis instead of 32: layer "conv2d"'
    )
    assert found.reason == "⌊(32 + 2·1 − 2)/1⌋ + 1 = 33"
    assert found.help == 'use kernel_size 3 with padding 1, or padding = "same"'


def test_even_pooling_with_padding() -> None:
    pool = layer("max_pool1d", kernel_size=2, padding=1)
    found = finding(spec((3, 32), pool), "W103")
    assert found.message == 'an even kernel with symmetric padding gives 17 positions instead of 16: layer "max_pool1d"'
    assert found.help == "use padding 0"
    assert_clean("W103", (3, 9), layer("max_pool1d", kernel_size=6, stride=3, padding=1, ceil_mode=True))


@pytest.mark.parametrize(
    "fields",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 2, "padding": 0},
        {"kernel_size": 2, "padding": [[0, 1], [0, 1]]},
        {"kernel_size": 2, "padding": "same"},
        {"kernel_size": 4, "stride": 2, "padding": 1},  # halves the size exactly
        {"kernel_size": 2, "dilation": 2, "padding": 1},  # reaches over 3 positions
        {"kernel_size": 2, "dilation": 2, "padding": 2, "stride": 2},
        {"kernel_size": 6, "padding": 1},  # far from keeping the size
    ],
)
def test_kernels_that_are_no_finding_of_w103(fields: dict[str, Any]) -> None:
    assert_clean("W103", (3, 32, 32), conv(**fields))
    assert_clean("W103", (3, 31, 31), conv(**fields))


@given(
    size=st.integers(1, 40),
    kernel=st.integers(1, 8),
    stride=st.integers(1, 4),
    padding=st.integers(1, 4),
    dilation=st.integers(1, 3),
)
def test_the_remedy_for_even_kernels_keeps_the_size(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    fields = {"kernel_size": kernel, "stride": stride, "dilation": dilation, "padding": padding}
    try:
        found = findings(spec((1, size), conv(1, **fields)), "W103")
    except archcalc.ShapeError:
        return
    for diagnostic in found:
        assert kernel % 2 == 0
        remedy = {name: int(value) for name, value in re.findall(r"(kernel_size|padding) (\d+)", diagnostic.help or "")}
        network = archcalc.loads(spec((1, size), conv(1, **(fields | remedy))))
        assert network.layers[0].output_shape[1] in (size // stride, math.ceil(size / stride))


# W104 checkerboard


def up(dimensions: int = 2, **fields: Any) -> str:
    return layer(f"conv_transpose{dimensions}d", out_channels=4, **fields)


def test_a_kernel_that_is_no_multiple_of_the_stride() -> None:
    assert str(finding(spec((8, 7, 7), up(name="up", kernel_size=3, stride=2)), "W104")) == (
        "warning[W104]: outputs sum unequal numbers of inputs, which shows as a checkerboard: "
        'layer "up"\n'
        "  ┌ <string>:4\n"
        '  │ { name = "up", type = "conv_transpose2d", out_channels = 4, kernel_size = 3, stride = 2 },\n'
        "  = 3 mod 2 = 1: 1 or 2 inputs in turn on each axis\n"
        "  help: use kernel_size 2 or 4, or upsample and then convolve"
    )


def test_a_kernel_smaller_than_the_stride_has_one_multiple_to_go_to() -> None:
    assert finding(spec((8, 7), up(1, kernel_size=1, stride=2)), "W104").help == (
        "use kernel_size 2, or upsample and then convolve"
    )


def test_a_dilation_can_leave_outputs_without_input() -> None:
    found = finding(spec((8, 7), up(1, kernel_size=2, stride=2, dilation=2)), "W104")
    assert found.reason == "stride 2 and dilation 2 share the factor 2: some outputs have no input"


def test_transposed_convolutions_that_cover_evenly() -> None:
    assert_clean("W104", (8, 7, 7), up(kernel_size=4, stride=2, padding=1))
    assert_clean("W104", (8, 7, 7), up(kernel_size=3))
    assert_clean("W104", (8, 1, 1), up(kernel_size=3, stride=2))
    assert_clean("W104", (8, 7, 7), up(kernel_size=3, stride=1), conv(kernel_size=3, stride=2))


@given(kernel=st.integers(1, 9), stride=st.integers(1, 5), dilation=st.integers(1, 5))
def test_checkerboards_by_brute_force(kernel: int, stride: int, dilation: int) -> None:
    reach = (kernel - 1) * dilation + 1
    size = 2 * reach + 2
    into = Counter(unit * stride + tap * dilation for unit in range(size) for tap in range(kernel))
    inside = {into[reach + phase] for phase in range(stride)}  # far from both ends
    found = findings(spec((2, size), up(1, kernel_size=kernel, stride=stride, dilation=dilation)), "W104")
    assert bool(found) == (len(inside) > 1)
    if stated := found and re.search(r"(\d+) or (\d+) inputs", found[0].reason or ""):
        assert {*map(int, stated.groups())} == inside


# W105 gridding


def test_dilations_with_a_common_factor() -> None:
    stack = [conv(name=f"c{dilation}", kernel_size=3, dilation=dilation) for dilation in (2, 4)]
    assert str(finding(spec((3, 64, 64), stack[0], layer("relu"), conv(kernel_size=1), stack[1]), "W105")) == (
        "warning[W105]: dilated convolutions in a stack read only 1 of every 2 positions: "
        'layers "c2" and "c4"\n'
        "  ┌ <string>:4\n"
        '  │ { name = "c2", type = "conv2d", out_channels = 4, kernel_size = 3, dilation = 2 },\n'
        "  = the dilations 2, 4 share the factor 2\n"
        "  help: use dilations without a common factor, such as 1, 2, 5"
    )


RESIDUAL = """
[blocks.residual]
parameters = ["dilation"]
layers = [
  { name = "conv", type = "conv2d", out_channels = 8, kernel_size = 3, padding = "dilation", dilation = "dilation" },
  { name = "squeeze", type = "adaptive_avg_pool2d", output_size = 1 },
  { name = "excite", type = "mul", inputs = ["conv", "squeeze"] },
  { type = "add", inputs = ["excite", "input"] },
]
"""


def residuals(*dilations: int) -> str:
    return spec((8, 64, 64), *(layer("residual", dilation=dilation) for dilation in dilations), rest=RESIDUAL)


def test_stacks_go_through_shortcuts() -> None:
    found = finding(residuals(2, 2, 4), "W105")
    assert found.message.endswith('layers "residual.conv", "residual_2.conv" and "residual_3.conv"')
    assert found.reason == "the dilations 2, 2, 4 share the factor 2"
    assert findings(residuals(2, 3), "W105") == []
    assert findings(residuals(1, 2, 4), "W105") == []


@pytest.mark.parametrize(
    "layers",
    [
        [conv(kernel_size=3, dilation=2)],
        [conv(kernel_size=3, dilation=2), layer("max_pool2d", kernel_size=2), conv(kernel_size=3, dilation=2)],
        [conv(kernel_size=3, dilation=2), conv(kernel_size=3, dilation=2), conv(kernel_size=3)],
        [
            conv(name="a", kernel_size=3, dilation=2, padding=2),
            conv(name="b", input="image", kernel_size=3, dilation=4, padding=4),
            layer("cat", inputs=["a", "b"]),
        ],
    ],
    ids=["alone", "resampled between", "filled by what follows", "side by side"],
)
def test_stacks_without_gridding(layers: list[str]) -> None:
    assert_clean("W105", (3, 64, 64), *layers)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 6)), min_size=1, max_size=4))
def test_gridding_by_brute_force(stack: list[tuple[int, int]]) -> None:
    offsets = {0}
    for kernel, dilation in stack:
        offsets = {offset + tap * dilation for offset in offsets for tap in range(kernel)}
    found = findings(spec((2, 99), *(conv(1, kernel_size=k, dilation=d) for k, d in stack)), "W105")
    grid = math.gcd(*offsets) > 1 and sum(kernel > 1 for kernel, _ in stack) > 1
    assert bool(found) == grid
    if found:
        assert f"1 of every {math.gcd(*offsets)} positions" in found[0].message


# P201 bias-before-normalization


def test_a_bias_before_batch_normalization() -> None:
    text = spec((3, 8, 8), conv(kernel_size=3), layer("identity"), layer("batch_norm"))
    assert str(finding(text, "P201")) == (
        'warning[P201]: 4 bias parameters before batch_norm can have no effect: layer "conv2d"\n'
        "  ┌ <string>:4\n"
        '  │ { type = "conv2d", out_channels = 4, kernel_size = 3 },\n'
        "  = batch_norm subtracts the mean of each channel, and a bias is the same for a whole channel\n"
        "  help: set bias = false"
    )


@pytest.mark.parametrize(
    ("first", "second", "field"),
    [
        ("linear", "batch_norm", "bias"),
        ("group_norm", "instance_norm", "affine"),
        ("subsample", "batch_norm", None),
    ],
)
def test_other_biases_that_are_removed(first: str, second: str, field: str | None) -> None:
    fields: dict[str, Any] = {"linear": {"out_features": 4}, "group_norm": {"num_groups": 2}}.get(first, {})
    found = finding(spec((16,) if first == "linear" else (4, 8, 8), layer(first, **fields), layer(second)), "P201")
    assert found.help == (f"set {field} = false" if field else "leave out one of the two layers")


@pytest.mark.parametrize(
    ("layers", "rest"),
    [
        ([conv(kernel_size=3, bias=False), layer("batch_norm")], ""),
        ([conv(kernel_size=3), layer("relu"), layer("batch_norm")], ""),
        ([conv(kernel_size=3), layer("group_norm", num_groups=2)], ""),
        ([conv(kernel_size=3), layer("batch_norm")], 'outputs = ["conv2d", "batch_norm"]'),
        ([conv(kernel_size=3), layer("batch_norm"), layer("add", inputs=["conv2d", "batch_norm"])], ""),
        ([layer("linear", out_features=8), layer("batch_norm")], ""),  # the bias is along another axis
    ],
)
def test_biases_with_an_effect(layers: list[str], rest: str) -> None:
    assert_clean("P201", (3, 8, 8), *layers, rest=rest)


def test_a_shared_bias_is_useless_only_if_all_uses_are_normalized() -> None:
    layers = [
        conv(name="one", kernel_size=1),
        layer("batch_norm"),
        conv(name="two", input="image", kernel_size=1, weights="one"),
        layer("batch_norm"),
        layer("add", inputs=["batch_norm", "batch_norm_2"]),
    ]
    assert 'layers "one" and "two"' in finding(spec((3, 8, 8), *layers), "P201").message
    layers[3] = layer("relu")
    layers[4] = layer("add", inputs=["batch_norm", "relu"])
    assert_clean("P201", (3, 8, 8), *layers)


# P202 dominant-dense


def test_a_dense_layer_with_most_of_the_parameters() -> None:
    found = finding(spec((3, 8, 8), conv(kernel_size=3), layer("flatten"), layer("linear", out_features=10)), "P202")
    weights, kernels = (4 * 6 * 6 + 1) * 10, (3 * 3 * 3 + 1) * 4
    assert found.message == 'a dense layer holds 92.8 % of all parameters: layer "linear"'
    assert found.reason == f"{weights:,} of {weights + kernels:,}"
    assert round(100 * weights / (weights + kernels), 1) == 92.8


def test_a_small_head_and_a_network_of_dense_layers_alone() -> None:
    pooled = (conv(kernel_size=3), layer("adaptive_avg_pool2d", output_size=1), layer("flatten"))
    assert_clean("P202", (3, 8, 8), *pooled, layer("linear", out_features=10))
    assert_clean(
        "P202", (784,), layer("linear", out_features=100), layer("batch_norm"), layer("linear", out_features=9)
    )


# G301 unread-layer


def test_a_layer_that_nothing_reads() -> None:
    layers = conv(name="lost", kernel_size=3), conv(name="kept", input="image", kernel_size=3)
    found = finding(spec((3, 8, 8), *layers), "G301")
    assert (found.message, found.reason) == ('nothing reads it: layer "lost"', "its 4×6×6 values are unused")
    assert found.place.line == 4
    assert_clean("G301", (3, 8, 8), *layers, rest='outputs = ["kept", "lost"]')


def test_an_input_that_nothing_reads() -> None:
    text = spec((3, 8, 8), conv(input="image", kernel_size=3)).replace("layers", "inputs.mask = [1, 8, 8]\nlayers")
    found = finding(text, "G301")
    assert (found.message, found.reason) == ('nothing reads it: input "mask"', "its 1×8×8 values are unused")
    assert found.place.text == "inputs.mask = [1, 8, 8]"


# G302 misaligned-branches


def branches(**right: Any) -> str:
    left = conv(name="left", kernel_size=3, padding=1)
    right_layer = conv(name="right", input="image", **right)
    return spec((4, 8, 8), left, right_layer, layer("add", "sum", inputs=["left", "right"]))


def test_branches_with_different_centres() -> None:
    found = finding(branches(kernel_size=2, padding=[[0, 1], [0, 1]]), "G302")
    assert found.message == 'branches with different centres meet, 0.5 input positions apart: layer "sum"'
    assert found.reason == "the fields of their first units have centres 0, 0.5"


def test_branches_with_one_centre() -> None:
    assert findings(branches(kernel_size=5, padding=2), "G302") == []


# R401 unproductive-layers, R402 field-too-small


def stacked(count: int, size: int, **fields: Any) -> str:
    return spec((1, size, size), conv(name="c", kernel_size=3, padding=1, repeat=count, **fields))


def test_convolutions_that_see_nothing_new() -> None:
    # Behind k of them the field is 2k + 1; c.0 to c.3 read fields of 1 to 7, c.4 and c.5 of 9 and 11.
    found = finding(stacked(6, 7), "R401")
    assert str(found) == (
        'warning[R401]: 2 convolutions with kernels larger than 1 see nothing new: layers "c.4" and "c.5"\n'
        "  ┌ <string>:4\n"
        '  │ { name = "c", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1, repeat = 6 },\n'
        '  = the input of "c.4" already sees 9×9, more than 7×7; units at the border see less\n'
        "  help: use an input of 11×11 or more, or fewer layers"
    )
    assert findings(stacked(6, 11), "R401") == []


def test_productive_convolutions() -> None:
    assert findings(stacked(4, 7), "R401") == []
    assert_clean("R401", (1, 7, 7), *[conv(kernel_size=3, padding=1)] * 4, conv(kernel_size=1))
    assert_clean("R401", (1, 7, 99), *[conv(kernel_size=3, padding=1)] * 6)


def test_a_field_of_global_pooling_is_no_finding_of_r401() -> None:
    assert findings(residuals(1, 1, 1), "R401") == []


def test_a_field_that_stays_too_small() -> None:
    found = finding(stacked(4, 10), "R402")
    assert found.message == 'no unit sees more than 9×9 of 10×10: input "image"'
    assert found.reason == "the receptive field of every layer is smaller than the input"
    assert found.place.text == "inputs.image = [1, 10, 10]"
    assert findings(stacked(4, 9), "R402") == []


@pytest.mark.parametrize("end", [layer("adaptive_avg_pool1d", output_size=1), layer("flatten")])
def test_global_pooling_behind_strides_that_skip(end: str) -> None:
    text = spec((1, 10), conv(1, kernel_size=3, stride=4), end, layer("linear", out_features=2))
    assert findings(text, "R402") == []
    assert len(findings(text, "W101")) == 1  # so it does not see all


def test_an_axis_that_is_read_as_a_whole() -> None:
    pooled = layer("adaptive_avg_pool2d", output_size=(1, 8))
    message = 'no unit sees more than 10×3 of 8×8: input "image"'
    assert finding(spec((1, 8, 8), conv(kernel_size=3, padding=1), pooled), "R402").message == message


def test_every_input_is_checked_unless_it_meets_another() -> None:
    text = """
    name = "two"
    outputs = ["seen", "{}"]
    inputs.a = [3, 32, 32]
    inputs.b = [3, 32, 32]
    layers = [
      {{ name = "seen", type = "adaptive_avg_pool2d", output_size = 1, input = "a" }},
      {{ name = "part", type = "conv2d", out_channels = 3, kernel_size = 3, input = "b" }},
      {{ name = "sum", type = "add", inputs = ["seen", "part"] }},
    ]
    """
    alone = [line for line in text.format("part").splitlines() if "add" not in line]
    found = finding("\n".join(alone), "R402")
    assert found.message == 'no unit sees more than 3×3 of 32×32: input "b"'
    assert findings(text.format("sum"), "R402") == []


def test_fields_that_cannot_be_compared() -> None:
    assert [found.code for found in archcalc.load("gcn_cora").check()] == []


# copies, and the choice of findings


def test_copies_with_the_same_numbers_are_one_finding() -> None:
    block = """
[blocks.unit]
parameters = ["channels"]
layers = [
  { name = "conv", type = "conv2d", out_channels = "channels", kernel_size = 3, padding = 1 },
  { name = "norm", type = "batch_norm" },
]
"""
    same = layer("unit", "a", channels=8, repeat=16)
    found = finding(spec((8, 8, 8), same, rest=block), "P201")
    assert found.message.endswith('layers "a.0.conv", "a.1.conv" and 14 more')
    assert found.place.line == 10
    (found,) = findings(spec((8, 8, 8), same, layer("unit", channels=9), rest=block), "P201")
    assert found.message.startswith(f"{16 * 8 + 9} bias parameters before batch_norm")
    assert found.message.endswith('layers "a.0.conv", "a.1.conv" and 15 more')


@pytest.mark.parametrize(
    ("selected", "ignored", "codes"),
    [
        ([], [], {*CODES} - {"G302", "G303", "G304", "R401", "R402"}),
        (["W"], [], {"W101", "W102", "W103", "W104", "W105"}),
        (["W10", "P201"], ["W102", "gridding"], {"W101", "W103", "W104", "P201"}),
        (["dropped-pixels"], [], {"W101"}),
        ([], ["W", "P", "G", "I", "S"], set()),
    ],
)
def test_select(selected: list[str], ignored: list[str], codes: set[str]) -> None:
    found = archcalc.loads(EVERYTHING).check()
    assert {diagnostic.code for diagnostic in select(found, selected, ignored)} == codes


@pytest.mark.parametrize(
    ("word", "remedy"),
    [
        ("W109", 'no check is called "W109"; did you mean "W10'),
        ("dropped-pixel", 'did you mean "dropped-pixels"?'),
        ("", 'no check is called ""'),
    ],
)
def test_selecting_unknown_rules(word: str, remedy: str) -> None:
    for selected, ignored in (([word], []), ([], [word])):
        with pytest.raises(UsageError, match=re.escape(remedy)):
            select([], selected, ignored)


def test_an_embedding_is_no_dense_layer() -> None:
    network = archcalc.loads("""
    name = "x"
    inputs.words = { shape = [8], dtype = "int64" }
    layers = [
      { type = "embedding", num_embeddings = 1000, embedding_dim = 16 },
      { type = "permute", dims = [1, 0] },
      { type = "conv1d", out_channels = 4, kernel_size = 3 },
    ]
    """)
    assert "P202" not in {finding.code for finding in network.check()}


# S701 unused-name

UNUSED = """
name = "x"
source = "a variable called lost"
inputs.x = ["width", 8, 8]
variables = { width = 3, depth = 2, lost = [3], rate = 0.5, size = 5, a = 1 }
outputs = ["a", "b"]
layers = [
  { name = "a", type = "used", size = 3, when = "not training or rate > 0" },
  { name = "b", type = "relu", input = "a", repeat = "depth" },
]

[blocks.used]
parameters = ["size", "wide"]
layers = [{ type = "inner", width = "wide" }]

[blocks.used.defaults]
wide = "size + 1"
deep = 2

[blocks.inner]
parameters = ["width"]
layers = [{ type = "conv2d", out_channels = 4, kernel_size = 1 }]

[blocks.other]
parameters = ["less"]
layers = [{ type = "tanh" }]
"""


def test_names_of_the_spec_that_nothing_uses() -> None:
    found = [(problem.message, problem.place.line) for problem in findings(UNUSED, "S701")]
    assert found == [
        ('nothing in the spec uses it: variable "lost"', 5),
        ('nothing in the spec uses it: variable "size"', 5),
        ('nothing in the spec uses it: variable "a"', 5),
        ('nothing in the spec uses it: parameter "used.deep"', 18),
        ('nothing in the spec uses it: parameter "inner.width"', 21),
        ('nothing in the spec uses it: block "other"', 24),
    ]


def test_a_name_that_nothing_uses_may_be_ignored() -> None:
    ignored = """ignore = [
      { code = "S701", layers = ["lost", "size", "a", "used.*", "inner.width"], reason = "lost is for later" },
      { code = "S701", layers = ["other"], reason = "other is for later" },
    ]"""
    found = archcalc.loads(UNUSED.replace("outputs", f"{ignored}\noutputs")).check()
    assert [problem.code for problem in found if problem.code in ("S701", "I602")] == []
