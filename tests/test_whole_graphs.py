"""Random networks with branches, built in PyTorch: shapes, totals, and receptive fields measured by gradients."""

import json
from fractions import Fraction
from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

import archcalc
from archcalc.analysis.receptive_field import AxisField, Field
from archcalc.layers.adaptive_pooling import AdaptiveMaxPooling
from archcalc.layers.merging import Mul
from archcalc.layers.pooling import MaxPooling
from archcalc.pytorch.build import BuiltNetwork, build
from archcalc.pytorch.modules import Add

BATCH = 2
moderately = settings(deadline=None, derandomize=True, max_examples=80, database=None)

Entry = dict[str, Any]
Interval = tuple[int, int]


pytestmark = pytest.mark.usefixtures("one_thread")


# --- random networks -------------------------------------------------------------------------------------------------


def spec(shape: tuple[int, ...], entries: list[Entry], outputs: list[str] | None = None) -> str:
    def table(entry: Entry) -> str:
        return "{" + ", ".join(f"{key} = {json.dumps(value)}" for key, value in entry.items()) + "}"

    lines = ['name = "random"', "layers = [", *(f"  {table(entry)}," for entry in entries), "]"]
    if outputs:
        lines.append(f"outputs = {json.dumps(outputs)}")
    return "\n".join([*lines, "[inputs]", f"image = {json.dumps(list(shape))}"])


def shapes_of(shape: tuple[int, ...], entries: list[Entry]) -> dict[str, tuple[int, ...]] | None:
    """The shape on every edge; None if a layer does not fit."""
    try:
        network = archcalc.loads(spec(shape, entries))
    except archcalc.ShapeError:
        return None
    return {"image": shape} | {row.name: row.output_shape for row in network.layers}


@st.composite
def convolution(draw: st.DrawFn) -> Entry:
    entry: Entry = {"type": "conv2d", "out_channels": draw(st.sampled_from([2, 4]))}
    entry["kernel_size"] = draw(st.one_of(st.integers(1, 4), st.tuples(st.integers(1, 4), st.integers(1, 4))))
    pads = st.one_of(st.integers(0, 2), st.just("same"), st.just(((1, 0), (0, 2))))
    return entry | draw(
        st.fixed_dictionaries(
            {},
            optional={
                "stride": st.sampled_from([1, 2, (1, 3)]),
                "padding": pads,
                "dilation": st.sampled_from([1, 2, (3, 1)]),
                "bias": st.booleans(),
                "groups": st.just(2),
            },
        )
    )


@st.composite
def pooling(draw: st.DrawFn) -> Entry:
    kernel = draw(st.integers(2, 3))
    return {
        "type": draw(st.sampled_from(["max_pool2d", "avg_pool2d"])),
        "kernel_size": kernel,
        "stride": draw(st.integers(1, kernel)),
        "padding": draw(st.one_of(st.integers(0, 1), st.just("same"))),
        "ceil_mode": draw(st.booleans()),
    }


@st.composite
def transposed(draw: st.DrawFn) -> Entry:
    stride = draw(st.integers(1, 3))
    return {
        "type": "conv_transpose2d",
        "out_channels": draw(st.sampled_from([2, 4])),
        "kernel_size": draw(st.integers(1, 6)),
        "stride": stride,
        "padding": draw(st.integers(0, 2)),
        "output_padding": draw(st.integers(0, stride - 1)),
        "dilation": draw(st.integers(1, 2)),
    }


UPSAMPLING = st.sampled_from(
    [
        {"type": "upsample", "scale_factor": 2},
        {"type": "upsample", "scale_factor": [3, 1.5]},
        {"type": "upsample", "scale_factor": 2, "mode": "bilinear"},
        {"type": "upsample", "scale_factor": 3, "mode": "bilinear"},
        {"type": "upsample", "scale_factor": [1.5, 2], "mode": "bilinear"},
        {"type": "pixel_shuffle", "upscale_factor": 2},
    ]
)
PLAIN = st.sampled_from(
    [
        {"type": "relu"},
        {"type": "batch_norm"},
        {"type": "prelu"},
        {"type": "dropout"},
        {"type": "zero_pad", "padding": [[2, 0], [1, 1]]},
        {"type": "channel_shuffle", "groups": 2},
        {"type": "adaptive_avg_pool2d", "output_size": 7},
        {"type": "adaptive_max_pool2d", "output_size": [4, 9]},
    ]
)


@st.composite
def branches(draw: st.DrawFn, channels: int) -> list[Entry]:
    """Two or three ways from one edge to layers of one size, and their meeting."""
    stride = draw(st.integers(1, 2))
    choices: list[Entry] = [
        {"type": "conv2d", "out_channels": channels, "kernel_size": k, "padding": d * (k // 2), "dilation": d}
        for k, d in ((1, 1), (3, 1), (3, 2), (5, 1))
    ]
    choices.append({"type": "max_pool2d", "kernel_size": 3, "padding": 1})
    ways = draw(st.lists(st.sampled_from(choices), min_size=2, max_size=3))
    names = [f"way{number}" for number in range(len(ways))]
    found = [{**way, "stride": stride, "name": name} for way, name in zip(ways, names, strict=True)]
    if draw(st.booleans()):
        found.append({"type": "adaptive_avg_pool2d", "output_size": 1, "name": "squeeze"})
        return [*found[:1], found[-1] | {"inputs": ["way0"]}, {"type": "mul", "inputs": ["way0", "squeeze"]}]
    return [*found, {"type": draw(st.sampled_from(["add", "cat", "mul"])), "inputs": names}]


@st.composite
def specs(draw: st.DrawFn, sizes: st.SearchStrategy[int]) -> str:
    shape = (draw(st.integers(1, 4)), draw(sizes), draw(sizes))
    entries: list[Entry] = []
    known = {"image": shape}
    source = "image"
    for number in range(draw(st.integers(1, 5))):
        channels = known[source][0]
        more = draw(st.one_of(convolution(), pooling(), transposed(), UPSAMPLING, PLAIN, branches(channels)))
        added = named(more if isinstance(more, list) else [more], number, source)
        found = shapes_of(shape, [*entries, *added])
        if found and max(found[added[-1]["name"]][1:]) <= 160:
            known, entries, source = found, [*entries, *added], added[-1]["name"]
        if source != "image" and draw(st.integers(0, 3)) == 0:
            source = draw(st.sampled_from(list(known)))  # an earlier edge is read once more
    if not entries:
        entries = [{"type": "relu", "name": "only"}]
    if draw(st.booleans()):
        entries += [
            {"type": "adaptive_avg_pool2d", "name": "pool", "output_size": draw(st.integers(1, 3))},
            {"type": "flatten", "name": "flat"},
            {"type": "linear", "name": "head", "out_features": 3},
        ]
    return spec(shape, entries)


def named(entries: list[Entry], number: int, source: str) -> list[Entry]:
    """The entries with names of their own; the first ones read `source`."""
    own = {entry["name"]: f"{entry['name']}_{number}" for entry in entries if "name" in entry}
    return [
        {
            **entry,
            "name": own.get(entry.get("name", ""), f"layer{number}"),
            "inputs": [own.get(name, source) for name in entry.get("inputs", ["image"])],
        }
        for entry in entries
    ]


# --- shapes and totals -----------------------------------------------------------------------------------------------


def test_random_networks_are_what_the_summary_says() -> None:
    @moderately
    @given(specs(st.integers(5, 24)))
    def check(text: str) -> None:
        network = archcalc.loads(text)
        built = build(network)
        shapes = record_shapes(built, network)
        built(torch.zeros(BATCH, *network.inputs["image"]))
        assert shapes == {row.name: (BATCH, *row.output_shape) for row in network.layers}
        assert sum(parameter.numel() for parameter in built.parameters()) == network.totals.parameters
        assert sum(buffer.numel() for buffer in built.buffers()) == network.totals.buffers

    check()


def record_shapes(built: BuiltNetwork, network: archcalc.Network) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}

    def record(name: str) -> Any:
        return lambda _module, _inputs, output: shapes.update({name: tuple(output.shape)})

    for row in network.layers:
        built.get_submodule(row.name).register_forward_hook(record(row.name))
    return shapes


# --- receptive fields ------------------------------------------------------------------------------------------------


class Sum(nn.Module):
    """Max pooling's reads, with a gradient at every one of them."""

    def __init__(self, layer: MaxPooling, shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, *sizes = shape
        windows, outputs = layer.spatial_windows(tuple(sizes)), layer.spatial_output(tuple(sizes))
        axes = zip(windows, sizes, outputs, strict=True)
        self.padding = [(w.before, (m - 1) * w.stride + w.effective - n - w.before) for w, n, m in axes]
        self.weight = torch.ones(channels, 1, *(window.kernel for window in windows), dtype=torch.double)
        self.steps = {"stride": [w.stride for w in windows], "dilation": [w.dilation for w in windows]}

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        ends = [end for pair in reversed(self.padding) for end in pair]
        return functional.conv2d(functional.pad(values, ends), self.weight, groups=len(self.weight), **self.steps)


def measurable(network: archcalc.Network) -> BuiltNetwork:
    """The network with positive weights, so that gradients do not cancel, and without what would hide a read."""
    built = build(network).double().eval()
    for parameter in built.parameters():
        nn.init.constant_(parameter, 0.0 if parameter.dim() == 1 else 0.1)
    for node in network.graph.nodes:
        if isinstance(node.layer, MaxPooling):
            tensor = network.analysed.tensors[node.sources[0]]
            assert tensor is not None
            built.add_module(node.name, Sum(node.layer, tensor.shape))
        elif isinstance(node.layer, AdaptiveMaxPooling):
            built.add_module(node.name, nn.AdaptiveAvgPool2d(node.layer.output_size))
        elif isinstance(node.layer, Mul):
            # Where one factor is zero, the product hides that it reads the other.
            built.add_module(node.name, Add(3))
        elif node.layer.family in ("activation", "normalization"):
            built.add_module(node.name, nn.Identity())
    return built


class Measured(NamedTuple):
    """A positive image, and what every layer has made of it."""

    image: torch.Tensor
    outputs: dict[str, torch.Tensor]


def ran(network: archcalc.Network) -> Measured:
    built = measurable(network)
    outputs: dict[str, torch.Tensor] = {}

    def record(name: str) -> Any:
        return lambda _module, _inputs, output: outputs.update({name: output})

    for row in network.layers:
        built.get_submodule(row.name).register_forward_hook(record(row.name))
    image = torch.rand(1, *network.inputs["image"], dtype=torch.double) + 0.5
    built(image.requires_grad_())
    return Measured(image, outputs)


def seen(measured: Measured, name: str, place: tuple[int, ...]) -> tuple[Interval, ...]:
    """The first and the last position along each axis at which a unit's gradient is not zero; nothing if it is."""
    values = measured.outputs[name][(0, ..., *place)].sum()
    if not values.requires_grad:
        return ()
    (gradient,) = torch.autograd.grad(values, measured.image, retain_graph=True, materialize_grads=True)
    positions = gradient[0].abs().sum(0).nonzero()
    if not len(positions):
        return ()
    return tuple((int(axis.min()), int(axis.max())) for axis in positions.T)


def clipped(interval: tuple[float, float], size: int) -> Interval:
    return max(int(interval[0]), 0), min(int(interval[1]), size - 1)


def moving_fields(network: archcalc.Network, axis: int) -> list[AxisField]:
    """Of every edge whose units do not all see the same."""
    fields = (field.axes[axis] for field in network.analysed.receptive_fields.edges if isinstance(field, Field))
    return [field for field in fields if field.advance]


def padding_is_far(network: archcalc.Network, axis: int, interval: tuple[float, float]) -> bool:
    """Whether a unit sees no padding of any layer, which is said to lie before its first unit or behind its last."""
    for field in moving_fields(network, axis):
        before = [field.sees(-1 - phase) for phase in range(field.period)]
        behind = [field.sees(field.extent + phase) for phase in range(field.period)]
        least = max((first for first, last in before if first <= last), default=-1)
        most = min((last for first, last in behind if first <= last), default=network.inputs["image"][axis + 1])
        if interval[0] <= least or interval[1] >= most:
            return False
    return True


def nothing_is_padded(network: archcalc.Network, axis: int) -> bool:
    """Whether the units of every layer see the image from its first to its last position, and nothing else."""
    whole = (0, network.inputs["image"][axis + 1] - 1)
    return all(field.covered() == whole for field in moving_fields(network, axis))


def meets_behind_holes(network: archcalc.Network) -> bool:
    """Whether branches meet of which one may see nothing along one axis, and so nothing along the others either.

    Fields are said for each axis by itself, and then are only an upper bound.
    """
    empty = (
        first > last
        for edge in network.analysed.receptive_fields.edges
        if isinstance(edge, Field)
        for field in edge.axes
        for first, last in zip(field.first, field.last, strict=True)
    )
    return any(node.layer.family == "merging" for node in network.graph.nodes) and any(empty)


def sees_nothing(network: archcalc.Network, axes: tuple[AxisField, ...], said: list[tuple[float, float]]) -> bool:
    """Whether a unit may see nothing: between what a transposed convolution spreads, or in padding."""
    return any(
        first > last or not field.advance or not padding_is_far(network, axis, (first, last))
        for axis, (field, (first, last)) in enumerate(zip(axes, said, strict=True))
    )


def compare_fields(network: archcalc.Network) -> int:
    """Compares units around the middle of every edge with what they are said to see; gives the number compared."""
    measured = ran(network)
    compared = 0
    for row in network.layers:
        if row.type == "flatten":
            continue  # its units lie on several axes at once
        if row.receptive_field is None:
            assert "phases" in row.unknown["receptive_field"], row.unknown
            continue
        axes = row.receptive_field.axes
        middle = [extent // 2 for extent in row.output_shape[1:]]
        for step in range(-2, 3) if middle else [0]:
            place = tuple(min(max(m + step, 0), n - 1) for m, n in zip(middle, row.output_shape[1:], strict=True))
            found = seen(measured, row.name, place)
            said = [field.sees(place[axis] if place else 0) for axis, field in enumerate(axes)]
            if not found:
                assert sees_nothing(network, axes, said), (row.name, place)
                continue
            assert all(first <= last for first, last in said), (row.name, place)
            for axis, size in enumerate(network.inputs["image"][1:]):
                reach = clipped(said[axis], size)
                assert reach[0] <= found[axis][0] <= found[axis][1] <= reach[1], (row.name, axis, place)
                moving = axes[axis].advance
                if meets_behind_holes(network):
                    continue
                if padding_is_far(network, axis, said[axis]) if moving else nothing_is_padded(network, axis):
                    assert found[axis] == reach, (row.name, axis, place)
                    compare_summary(row.receptive_field, axis, place, found[axis])
                    compared += 1
    return compared


def compare_summary(field: archcalc.ReceptiveField, axis: int, place: tuple[int, ...], found: Interval) -> None:
    """Size, jump and centre, where they are the same for all units."""
    size, jump, center = field.size[axis], field.jump[axis], field.center[axis]
    if field.axes[axis].period > 1 or not jump:
        return
    assert found[1] - found[0] + 1 == size
    assert Fraction(found[0] + found[1], 2) == center + place[axis] * jump


def test_receptive_fields_are_those_of_gradients() -> None:
    compared = []

    @moderately
    @given(specs(st.integers(30, 50)))
    def check(text: str) -> None:
        compared.append(compare_fields(archcalc.loads(text)))

    check()
    assert sum(compared) > 20 * len(compared)
    assert compared.count(0) < len(compared) / 4


def test_what_no_window_reaches_is_not_seen_by_a_global_pooling() -> None:
    layers: list[Entry] = [
        {"type": "conv2d", "name": "conv", "out_channels": 2, "kernel_size": 3, "stride": [4, 2]},
        {"type": "adaptive_avg_pool2d", "name": "pool", "output_size": 1},
    ]
    network = archcalc.loads(spec((1, 30, 31), layers))
    assert seen(ran(network), "pool", (0, 0)) == ((0, 26), (0, 30))
    field = network.layers[1].receptive_field
    assert field is not None
    assert field.size == (27, 31)


def test_units_that_see_nothing_are_said_to_see_nothing() -> None:
    """Every other unit of the first layer lies between what its kernel fills, and the second reads only those."""
    layers: list[Entry] = [
        {"type": "conv_transpose2d", "name": "spread", "out_channels": 1, "kernel_size": 1, "stride": 2, "padding": 1},
        {"type": "conv2d", "name": "between", "out_channels": 1, "kernel_size": 1, "stride": 2},
        {"type": "conv2d", "name": "behind", "out_channels": 1, "kernel_size": 3},
    ]
    network = archcalc.loads(spec((1, 9, 9), layers))
    fields = [row.receptive_field for row in network.layers]
    assert [field and field.size for field in fields] == [(1, 1), (None, None), (None, None)]
    assert seen(ran(network), "behind", (3, 3)) == ()
