"""The least time of layers, compared with the definition written out in numbers."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.analysis.dependence import _count_in_turns, _taps_by_phase, count_read
from archcalc.analysis.load import Roof, count_loads
from archcalc.analysis.roofline import LayerRoofline, Roofline
from archcalc.arithmetic import Window
from archcalc.devices import DTYPES, Device, Peaks, shipped_devices
from archcalc.errors import UsageError
from archcalc.layers.base import PhasedWindow
from archcalc.numbers.bounds import AtLeast, Cause, Unknown, times

# A device on which 1 operation takes 1 ns, and 1 byte 1/4 ns: the ridge is at 1/4 operation per byte.
ROUND = Device("Round", 4e9, "made up", Peaks(float32=1e9, float16=2e9, tf32=4e9, int8=8e9))


def spec(*layers: str, inputs: str = "x = [3, 8, 8]", batch: int = 1) -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=batch)


def rows(network: archcalc.Network, dtype: str = "float32") -> dict[str, LayerRoofline]:
    return {row.name: row for row in network.roofline(ROUND, dtype).layers}


CONV = 'name = "conv", type = "conv2d", out_channels = 5, kernel_size = 3, padding = 1'
RELU = 'name = "relu", type = "relu"'


def test_a_convolution_and_a_relu() -> None:
    conv, relu = rows(spec(CONV, RELU)).values()
    macs = 5 * 8 * 8 * 3 * 3 * 3
    read, written = 4 * (3 * 8 * 8 + 5 * 3 * 3 * 3 + 5), 4 * 5 * 8 * 8
    assert (conv.operations, conv.bytes_read, conv.bytes_written) == (2 * macs, read, written)
    assert conv.intensity == 2 * macs / (read + written)
    assert (conv.seconds, conv.bound, conv.memory_seconds) == (2 * macs / 1e9, "arithmetic", 0)
    values = 5 * 8 * 8
    assert (relu.operations, relu.bytes_read, relu.bytes_written) == (values, 4 * values, 4 * values)
    assert (relu.intensity, relu.bound) == (1 / 8, "memory")
    assert relu.seconds == relu.memory_seconds == 8 * values / 4e9


def test_biases_are_no_operations_of_a_layer_with_macs() -> None:
    with_bias, without = (rows(spec(f"{CONV}, bias = {bias}"))["conv"] for bias in ("true", "false"))
    assert with_bias.operations == without.operations
    assert with_bias.bytes_read == without.bytes_read + 4 * 5


def test_at_the_ridge_both_bounds_are_equal() -> None:
    roof = Roof(1e9, 4e9)
    assert roof.ridge == 1 / 4
    # An addition reads two values and writes one: 12 bytes for an operation; in int8 3, and 8 operations a nanosecond.
    add = 'name = "a", type = "add", inputs = ["x", "y"]'
    found = spec(add, inputs="x = [6], y = [6]").roofline(Device("d", 12e9, "made up", Peaks(float32=1e9)))
    assert found.layers[0].intensity == found.roof.ridge
    assert found.layers[0].seconds == 6 / 1e9


@pytest.mark.parametrize(
    ("dtype", "size", "peak"), [("float32", 4, 1e9), ("tf32", 4, 4e9), ("float16", 2, 2e9), ("int8", 1, 8e9)]
)
def test_the_dtype_changes_bytes_and_peak(dtype: str, size: int, peak: float) -> None:
    conv = rows(spec(CONV), dtype)["conv"]
    assert conv.bytes_read == size * (192 + 135 + 5)
    assert conv.seconds == max(conv.operations / peak, size * (192 + 135 + 5 + 320) / 4e9)


def test_the_batch_multiplies_all_but_the_weights() -> None:
    one, eight = (rows(spec(CONV, RELU, batch=batch)) for batch in (1, 8))
    assert eight["relu"].seconds == 8 * one["relu"].seconds
    assert eight["conv"].operations == 8 * one["conv"].operations
    assert eight["conv"].bytes_read == 8 * one["conv"].bytes_read - 7 * 4 * (135 + 5)


def test_the_network_takes_as_long_as_its_layers_one_by_one() -> None:
    found = archcalc.load("resnet50", batch=4).roofline("a100", "float16")
    assert found.time == sum(row.seconds for row in found.layers)
    assert found.bytes_read == sum(row.bytes_read for row in found.layers)
    assert found.inputs_per_second == 4 / found.time
    assert 0 < found.memory_seconds < found.time


def test_views_move_nothing_and_take_no_time() -> None:
    found = rows(spec('type = "flatten"', 'type = "dropout"'))
    assert all((row.operations, row.bytes_moved, row.seconds, row.bound) == (0, 0, 0, None) for row in found.values())
    assert spec('type = "flatten"').roofline(ROUND).inputs_per_second is None


def test_unknown_operations_leave_the_time_of_the_bytes() -> None:
    network = spec(
        'name = "g", type = "gcn_conv", inputs = ["x", "adjacency"], out_features = 4',
        'name = "r", type = "relu"',
        inputs="x = [7, 5], adjacency = [7, 7]",
    )
    found = network.roofline(ROUND)
    graph, relu = found.layers
    assert isinstance(graph.operations, Unknown)
    assert "nonzeros" in graph.operations.reason
    assert graph.bound is None
    assert graph.intensity == graph.operations
    assert (graph.seconds, graph.memory_seconds) == (graph.bytes_moved / 4e9, 0)
    assert found.operations == AtLeast(relu.operations, (Cause(graph.operations.reason, ("g",)),))
    assert found.to_dict()["totals"]["lower_bounds"] == {"operations": f"g: {graph.operations.reason}"}


def test_a_stride_that_skips_positions_reads_less() -> None:
    found = rows(spec('name = "c", type = "conv2d", out_channels = 1, kernel_size = 1, stride = 2, bias = false'))
    assert found["c"].bytes_read == 4 * (3 * 4 * 4 + 3)


def test_an_input_that_is_taken_twice_is_read_once() -> None:
    found = rows(spec('name = "a", type = "add", inputs = ["x", "x"]'))
    assert (found["a"].bytes_read, found["a"].bytes_written) == (4 * 192, 4 * 192)


@given(
    size=st.integers(1, 40),
    window=st.builds(Window, *(st.integers(1, 6), st.integers(1, 6)), *2 * (st.integers(0, 3),), st.integers(1, 4)),
)
def test_positions_read_by_windows(size: int, window: Window) -> None:
    count = window.count(size)
    if count < 1:
        return
    taps = {i * window.stride + k * window.dilation - window.before for i in range(count) for k in range(window.kernel)}
    read = len(taps & set(range(size)))
    assert count_read(count, window, size) == read
    assert _count_in_turns(count, *_taps_by_phase(window), size) == read


@given(
    size=st.integers(1, 40),
    units=st.integers(1, 60),
    window=st.builds(
        lambda ends, advance, step: PhasedWindow(*zip(*((a, a + b) for a, b in ends), strict=True), advance, step),
        st.lists(st.tuples(st.integers(-3, 12), st.integers(-1, 6)), min_size=1, max_size=4),
        st.integers(1, 9),
        st.integers(1, 3),
    ),
)
def test_positions_read_in_phases(size: int, units: int, window: PhasedWindow) -> None:
    turns = (divmod(unit, len(window.first)) for unit in range(units))
    taps = {
        position + turn * window.advance
        for turn, phase in turns
        for position in range(window.first[phase], window.last[phase] + 1, window.step)
    }
    assert count_read(units, window, size) == len(taps & set(range(size)))
    assert _count_in_turns(units, *_taps_by_phase(window), size) == len(taps & set(range(size)))


@pytest.mark.parametrize(
    ("layer", "read"),
    [
        ('type = "upsample", size = 1', 3),
        ('type = "upsample", size = 2', 3 * 2 * 2),
        ('type = "upsample", size = [2, 16]', 3 * 2 * 8),
        ('type = "conv2d", out_channels = 2, kernel_size = 1, connections = [[0], [2]]', 2 * 64 + 2 + 2),
        ('type = "conv_transpose2d", out_channels = 1, kernel_size = 1, padding = 1, bias = false', 3 * 6 * 6 + 3),
        ('type = "adaptive_avg_pool2d", output_size = 3', 3 * 64),
        ('type = "pixel_shuffle", upscale_factor = 1', 3 * 64),
    ],
)
def test_unread_positions_do_not_count(layer: str, read: int) -> None:
    assert rows(spec(f'name = "l", {layer}'))["l"].bytes_read == 4 * read


def test_very_many_units_are_counted_exactly() -> None:
    text = 'name = "l", type = "upsample", scale_factor = {}'
    for factor, read in ((2, 100_000), (0.5, 50_000), (0.25, 25_000)):
        found = rows(spec(text.format(factor), inputs="x = [1, 100000]"))
        assert found["l"].bytes_read == 4 * read
    skips = 'name = "l", type = "conv1d", out_channels = 1, kernel_size = 1, stride = 2, bias = false'
    assert rows(spec(skips, inputs="x = [1, 200001]"))["l"].bytes_read == 4 * (100_001 + 1)


# whole networks


@pytest.mark.every_spec
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_spec_on_every_device(name: str) -> None:
    network = archcalc.load(name)
    # Loads do not depend on the device; MACs are those of the summary.
    for layer, load in zip(network.layers, count_loads(network.context, "float32"), strict=True):
        assert layer.macs == 0 or load.operations == times(2, layer.macs)
    for device in shipped_devices().values():
        check(network.roofline(device))


def check(found: Roofline) -> None:
    roof = found.roof
    for row in found.layers:
        assert row.seconds >= row.bytes_moved / roof.bytes_per_second
        if row.operations is not None:
            assert row.seconds >= row.operations / roof.operations_per_second
        if row.intensity is not None and not math.isclose(row.intensity, roof.ridge):
            assert row.bound == ("memory" if row.intensity < roof.ridge else "arithmetic")
    assert 0 <= found.memory_seconds <= found.time


@pytest.mark.parametrize("batch", [10**310, 10**305])
def test_a_network_beyond_any_time(batch: int) -> None:
    with pytest.raises(UsageError, match="its time is no finite number"):
        spec(RELU, 'type = "relu"', batch=batch).roofline(Device("slow", 1, "made up", Peaks(float32=1)))


# blocks


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_blocks_are_the_sums_of_their_layers(depth: int) -> None:
    network = archcalc.load("resnet50", batch=32)
    whole = network.roofline("t4", "float16")
    collapsed = whole.collapsed(network.graph, depth)
    assert [row.name for row in collapsed.layers] == [row.name for row in network.collapsed(depth).layers]
    for row in collapsed.layers:
        inside = [layer for layer in whole.layers if layer.name == row.name or layer.name.startswith(f"{row.name}.")]
        assert row.operations == sum(layer.operations or 0 for layer in inside)
        assert row.bytes_moved == sum(layer.bytes_moved for layer in inside)
        assert row.seconds == pytest.approx(sum(layer.seconds for layer in inside))
        kinds = {layer.bound for layer in inside} - {None}
        assert row.bound == (kinds.pop() if len(kinds) == 1 else "both" if kinds else None)
    assert collapsed.time == pytest.approx(whole.time)
    assert whole.collapsed(network.graph, None) == whole


def test_every_dtype_has_a_size() -> None:
    peaks = Peaks(**dict.fromkeys(DTYPES, 1e12))
    assert all(rows_of(dtype, peaks) for dtype in DTYPES)


def rows_of(dtype: str, peaks: Peaks) -> float:
    return spec(CONV).roofline(Device("d", 1e9, "made up", peaks), dtype).time
