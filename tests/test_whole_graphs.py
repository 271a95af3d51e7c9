"""Random networks with branches, built in PyTorch: shapes, totals, and receptive fields measured by gradients."""

import json
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_fields_by_gradients import check_exactly, check_folds

import archcalc
from archcalc.pytorch.build import BuiltNetwork, build

BATCH = 2
moderately = settings(deadline=None, derandomize=True, max_examples=80, database=None)

Entry = dict[str, Any]


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


def test_receptive_fields_are_those_of_gradients() -> None:
    @settings(moderately, max_examples=30)
    @given(specs(st.integers(12, 30)))
    def check(text: str) -> None:
        network = archcalc.loads(text)
        check_exactly(network, 0)
        check_folds(network, 0)

    check()


def test_what_no_window_reaches_is_not_seen_by_a_global_pooling() -> None:
    layers: list[Entry] = [
        {"type": "conv2d", "name": "conv", "out_channels": 2, "kernel_size": 3, "stride": [4, 2]},
        {"type": "adaptive_avg_pool2d", "name": "pool", "output_size": 1},
    ]
    network = archcalc.loads(spec((1, 30, 31), layers))
    field = network.layers[1].receptive_field
    assert field is not None
    assert (field.size, field.holes) == ((27, 31), (True, False))  # rows 0 to 2, 4 to 6 … 24 to 26, and all columns
    assert check_folds(network, 0)[0]


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
    assert check_exactly(network, 0)
    found = network.receptive_field("behind", (3, 3))
    assert (found.last.sees, found.last.seen.boxes, found.share(found.last)) == (None, (), 0)
