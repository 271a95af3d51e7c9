"""`verify` agrees with every right spec, and catches every broken fact."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import EXAMPLES, Example, one_layer
from msgspec.structs import replace
from networks import Wishes, network_of

import archcalc
from archcalc.analysis.inferred_layer import infer_layer
from archcalc.analysis.receptive_field import Field
from archcalc.analysis.summary import summarize
from archcalc.arithmetic import Window
from archcalc.errors import UsageError
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Dependency, Layer, PhasedWindow, Shape, Tensors
from archcalc.layers.constraints import ConstraintError
from archcalc.layers.convolution import Conv2d
from archcalc.layers.merging import Add
from archcalc.layers.pooling import AvgPool2d
from archcalc.measured.verification import Verification, VerificationRow
from archcalc.numbers.bounds import floor_of
from archcalc.pytorch.build import build
from archcalc.pytorch.verify import verify
from archcalc.pytorch.verify.weights import compare_weights

NETWORKS = Path(__file__).parent.parent / "data" / "networks"
PLAIN = Wishes(inputs=("map2d",), sizes=(20, 40), layers=5, language=False, dtypes=False, several=False)


pytestmark = pytest.mark.usefixtures("one_thread")


def format_differences(found: Verification) -> str:
    return "\n".join(map(str, found.differences)) + (found.failure or "")


# --- right networks agree --------------------------------------------------------------------------------------------


# Where measuring every field would take a minute or more (hundreds of layers, three dimensions, upsampling), the fields
# at the ends of stages are measured, which depend on all others.
CHOSEN_FIELDS = {
    "densenet121": ["relu0", "transition1.pool", "transition2.pool", "denseblock3.11.cat", "avgpool"],
    "r3d_18": ["stem.bn", "layer1.1.relu_2", "layer2.1.relu_2", "layer4.1.relu_2", "avgpool"],
    "resnet152": ["stem.maxpool", "layer1.2.relu_3", "layer2.7.relu_3", "layer4.2.relu_3", "head.avgpool"],
    "unet": ["down1.relu_2", "bottom.relu_2", "up4.enlarged", "up4.both", "up3.convs.relu_2"],
}


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5", "resnet18"})
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_shipped_spec_verifies(name: str) -> None:
    network = archcalc.load(name)
    # tests/export/test_export.py compares the outputs of the source of large ones, on smaller inputs.
    device = "meta" if floor_of(network.totals.macs) > 2e9 else "cpu"
    found = verify(network, device, CHOSEN_FIELDS.get(name))
    assert found.agrees, format_differences(found)
    uncovered = {row.layer for row in found.rows if row.status == "not covered" and row.question != "FLOPs"}
    assert not uncovered


@pytest.mark.parametrize("path", sorted(NETWORKS.glob("*.toml")), ids=lambda path: path.stem)
def test_networks_of_every_kind_verify_to_the_last_field(path: Path) -> None:
    found = verify(archcalc.load(path))
    assert found.agrees, format_differences(found)
    assert {row.status for row in found.rows if row.question.startswith("field")} == {"equal"}


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer_type_verifies(example: Example) -> None:
    found = verify(one_layer(example))
    assert found.agrees, format_differences(found)


def test_random_networks_verify() -> None:
    """Most fields are measured, and not marked as not covered. (A surface of its own checks that nothing differs.)"""
    rows = [row for seed in range(15) if (drawn := network_of(seed, PLAIN)) for row in verified(drawn.load())]
    fields = [row.status for row in rows if row.question.startswith("field")]
    assert fields.count("equal") > 0.8 * len(fields)


def verified(network: archcalc.Network) -> tuple[VerificationRow, ...]:
    found = verify(network)
    assert found.agrees, format_differences(found)
    return found.rows


HOLES = """
name = "units that see nothing"
inputs.x = [2, 17, 24]
layers = [
  { name = "pool", type = "adaptive_avg_pool2d", output_size = [4, 6] },
  { name = "up", type = "conv_transpose2d", out_channels = 2, kernel_size = 1, stride = 2 },
]
"""
TWO_READERS = """
name = "a dense layer along time beside a strided convolution"
outputs = ["time", "conv"]
inputs.x = [8, 24]
layers = [
  { name = "time", type = "linear", input = "x", out_features = 12 },
  { name = "conv", type = "conv1d", input = "x", out_channels = 8, kernel_size = 3, stride = 3 },
]
"""


# A map of 64 positions is multiplied by a gate that reads all of another.
GATE = """
name = "gate"
inputs.x = [3, 64]
layers = [
  { name = "g", type = "adaptive_max_pool1d", output_size = 1 }, { name = "f", type = "flatten" },
  { name = "l", type = "linear", out_features = 9 },
  { name = "me", type = "reshape", shape = [3, 3, 1] },
  { name = "xe", type = "reshape", input = "x", shape = [3, 1, 64] },
  { name = "products", type = "mul", inputs = ["xe", "me"] },
  { name = "p", type = "permute", dims = [1, 2, 0] },
  { name = "mean", type = "adaptive_avg_pool2d", output_size = [64, 1] },
  { name = "r", type = "reshape", shape = [3, 64] },
  { name = "c", type = "conv1d", out_channels = 8, kernel_size = 1 }, { type = "relu" },
]
"""
DILATED = """
name = "dilated convolution on a pooled map"
inputs.x = [4, 24, 24]
layers = [
  { name = "pool", type = "adaptive_avg_pool2d", output_size = 3 },
  { name = "conv", type = "conv2d", out_channels = 4, kernel_size = 3, dilation = 2, padding = 2 },
]
"""
ONE_KEY = """
name = "attention to a single token, whose gradients are zero"
inputs.x = [1, 8]
inputs.memory = [1, 8]
layers = [{ type = "multi_head_attention", inputs = ["x", "memory", "memory"], num_heads = 2 }]
"""

LRN_OF_VOLUMES = """
name = "a normalization along an axis of positions"
inputs.x = [2, 3, 6, 7]
layers = [{ type = "permute", dims = [1, 0, 3, 2] }, { type = "local_response_norm", size = 4 }]
"""
ONE_UNIT = """
name = "a single unit behind an upsampling, of which there is one phase alone"
outputs = ["sum"]
inputs.x = [1, 3, 3]
layers = [
  { name = "wide", type = "conv_transpose2d", out_channels = 2, kernel_size = 1, stride = 2, padding = 2 },
  { name = "one", type = "max_pool2d", kernel_size = 1, stride = 3 },
  { name = "line", type = "reshape", shape = [2] },
  { name = "back", type = "reshape", shape = [2, 1, 1] },
  { name = "sum", type = "add", inputs = ["one", "back"] },
]
"""
SQUARES = """
name = "squares of squares, whose gradients are soon zero or infinite"
inputs.x = [12, 1]
layers = [{ type = "rbf", out_features = 1, repeat = 12 }]
"""


@pytest.mark.parametrize("text", [HOLES, TWO_READERS, GATE, DILATED, ONE_KEY, SQUARES, LRN_OF_VOLUMES])
def test_fields_of_every_kind_are_measured(text: str) -> None:
    found = verify(archcalc.loads(text))
    assert found.agrees, format_differences(found)
    assert {row.status for row in found.rows if row.question.startswith("field")} == {"equal"}


def test_a_single_unit_shows_one_phase() -> None:
    found = verify(archcalc.loads(ONE_UNIT))
    assert found.agrees, format_differences(found)
    fields = {row.layer: row.status for row in found.rows if row.question.startswith("field")}
    assert [fields[layer] for layer in ("line", "back", "sum")] == ["equal"] * 3


def test_layers_without_a_pytorch_kernel_are_not_covered() -> None:
    found = verify(
        archcalc.loads(
            'name = "x"\ninputs.x = { shape = [1, 4, 4, 4], dtype = "float16" }\n'
            'layers = [{ type = "relu" }, { type = "avg_pool3d", kernel_size = 2 }]'
        )
    )
    assert found.agrees, format_differences(found)
    assert [row.status for row in found.rows if row.question == "output shape"] == ["equal", "not covered"]


def test_a_wrong_dtype_is_not_a_missing_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    silu = LAYER_TYPES["silu"]
    monkeypatch.setattr(silu, "takes", (*silu.takes, "int64"))
    found = verify(
        archcalc.loads('name = "x"\ninputs.x = { shape = [4], dtype = "int64" }\nlayers = [{ type = "silu" }]')
    )
    assert not found.agrees
    assert "not implemented for 'Long'" in (found.failure or "")


def test_a_network_without_layers_verifies() -> None:
    found = verify(archcalc.loads('name = "x"\ninputs.x = [1]\nlayers = [{ type = "relu", when = false }]'))
    assert found.agrees, format_differences(found)


# --- wrong networks are found ----------------------------------------------------------------------------------------

Mutation = Callable[[pytest.MonkeyPatch, type[Layer]], None]


def changed(method: str, change: Callable[[Any], Any]) -> Mutation:
    """Changes a method of a layer type, for the facts of layers but not for their modules."""

    def apply(patch: pytest.MonkeyPatch, layer: type[Layer]) -> None:
        original = getattr(layer, method)
        patch.setattr(layer, method, lambda self, *arguments: change(original(self, *arguments)))

    return apply


def larger(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], shape[axis] + 1, *shape[axis + 1 :])


def with_window(
    reads: tuple[tuple[Dependency, ...], ...], change: Callable[[Any], Any]
) -> tuple[tuple[Dependency, ...], ...]:
    return tuple(tuple(replace(read, window=change(read.window)) for read in axes) for axes in reads)


def wider(window: Any) -> Any:
    if isinstance(window, Window) and window.stride:
        return window._replace(kernel=window.kernel + 1)
    return replace(window, last=tuple(last + 1 for last in window.last)) if isinstance(window, PhasedWindow) else window


def moved(window: Any) -> Any:
    if isinstance(window, Window) and window.stride:
        return window._replace(before=window.before + 1, after=window.after - 1)
    if isinstance(window, PhasedWindow):
        return replace(window, first=tuple(f - 1 for f in window.first), last=tuple(last - 1 for last in window.last))
    return window


def faster(window: Any) -> Any:
    if isinstance(window, Window) and window.stride:
        return window._replace(stride=window.stride + 1)
    return replace(window, advance=window.advance + 1) if isinstance(window, PhasedWindow) else window


WINDOWS = {"wider": wider, "moved": moved, "faster": faster}


def positions_read(example: Example) -> bool:
    """Whether each unit of a layer reads a window of positions of its own."""
    network = one_layer(example)
    field = network.context.receptive_fields.edges[-1]
    return isinstance(field, Field) and all(axis.advance and not axis.mixed for axis in field.axes)


def caught(example: Example, mutation: Mutation, question: str, fields: tuple[()] | None = ()) -> None:
    """Runs `verify` with the mutation, without the other slow questions; without the mutation it agrees."""
    with pytest.MonkeyPatch.context() as patch:
        mutation(patch, type(example.layer))
        infer_layer.cache_clear()
        patch.setattr("archcalc.pytorch.verify.compare_sizes", lambda _: ())
        patch.setattr("archcalc.pytorch.verify.compare_source", lambda *_: ())
        found = verify(one_layer(example), fields=fields, storages=False)
    infer_layer.cache_clear()
    assert not found.agrees
    assert question in {row.question.partition(":")[0] for row in found.differences}, format_differences(found)


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_a_wrong_output_shape_is_caught(example: Example) -> None:
    for axis in range(len(example.output)):
        caught(example, changed("output_shape", lambda shape, axis=axis: larger(shape, axis)), "output shape")


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_a_wrong_dtype_is_caught(example: Example) -> None:
    if isinstance(example.layer, Add) and example.layer.inplace:
        with pytest.raises(archcalc.ShapeError, match="cannot overwrite"):  # already while it loads
            caught(example, changed("output_dtype", lambda _: "int32"), "output shape")
        return
    caught(example, changed("output_dtype", lambda _: "int32"), "output shape")


TENSORS = {
    "missing": lambda tensors: dict(list(tensors.items())[1:]),
    "additional": lambda tensors: {**tensors, "more": (3,)},
    "renamed": lambda tensors: {f"{name}_": shape for name, shape in tensors.items()},
    "larger": lambda tensors: {name: (*shape, 2) for name, shape in tensors.items()},
}


@pytest.mark.parametrize("kind", ["parameters", "buffers"])
@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_a_wrong_parameter_or_buffer_is_caught(example: Example, kind: str) -> None:
    tensors = getattr(example.layer, kind)(example.inputs)
    for name, change in TENSORS.items():
        if tensors or name == "additional":
            caught(example, changed(kind, change), kind[:-1])


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_wrong_macs_are_caught(example: Example) -> None:
    if example.layer.type == "rbf":
        return  # PyTorch's counter does not see them, and the row has that reason
    for more in (1, -1):
        change = changed("operations", lambda counts, more=more: counts | {"macs": add(counts.get("macs", 0), more)})
        caught(example, change, "FLOPs")


def add(count: Any, more: int) -> Any:
    return count + more if isinstance(count, int) else count


@pytest.mark.parametrize("change", WINDOWS)
@pytest.mark.parametrize("example", [example for example in EXAMPLES if positions_read(example)], ids=repr)
def test_a_wrong_window_is_caught(example: Example, change: str) -> None:
    field = one_layer(example).context.receptive_fields.edges[-1]
    if change == "faster" and all(axis.extent <= axis.period for axis in field.axes):
        return  # no unit would see it
    caught(example, changed("dependencies", lambda reads: with_window(reads, WINDOWS[change])), "field", fields=None)


def test_a_frozen_layer_that_trains_is_caught() -> None:
    network = archcalc.load("mnist_cnn")
    nodes = network.graph.nodes
    nodes[0] = replace(nodes[0], trainable=False)
    found = {row.layer: row for row in compare_weights(network, build(archcalc.load("mnist_cnn")))}
    assert (found["conv1.weight"].said["state"], found["conv1.weight"].found["state"]) == ("frozen", "trainable")
    assert [name for name, row in found.items() if row.status == "differs"] == [
        "conv1.weight",
        "conv1.bias",
        "total trainable",
    ]


def test_a_size_that_one_side_refuses_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        Conv2d, "check_fit", lambda _self, sizes: iter([ConstraintError("too small")] if min(sizes) < 8 else [])
    )
    found = verify(archcalc.load("conv_2x2_on_3x3", inputs={"image": [1, 9, 9]}))
    assert [(row.question, row.said, row.found) for row in found.differences] == [
        ("working sizes", "8 to 10, and 17 to 19", "2 to 3, 7 to 10, and 17 to 19")
    ]


@pytest.mark.parametrize(
    "layers",
    [
        (
            '{ type = "rbf", out_features = 5 }, '
            '{ type = "conv1d", out_channels = 2, kernel_size = 1, connections = [[0], [1]] }'
        ),
        '{ type = "graph_readout" }, { type = "batch_norm", track_running_stats = false }',
        (
            '{ type = "conv1d", out_channels = 2, kernel_size = 1 }, '
            '{ name = "a", type = "linear", out_features = 3 }, { type = "linear", out_features = 3, weights = "a" }'
        ),
    ],
)
def test_working_sizes_of_special_networks_are_run(layers: str) -> None:
    found = verify(archcalc.loads(f'name = "x"\ninputs.x = [2, 3]\nlayers = [{layers}]'))
    assert found.agrees, format_differences(found)
    assert any(row.question == "working sizes" for row in found.rows)


def test_the_first_layer_that_differs_is_named_and_the_rest_is_not_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every later layer is built for another input shape."""
    changed("output_shape", lambda shape: larger(shape, 0))(monkeypatch, AvgPool2d)
    found = verify(archcalc.load("lenet5"), fields=())
    assert found.differences[0][:4] == ("output shape", "S2", {"shape": [7, 14, 14]}, {"shape": [6, 14, 14]})
    assert "expected input" in found.failure
    assert found.failure.endswith("(at layer C3)")
    assert str(found).splitlines()[-1].endswith('the first: output shape of "S2"')


# --- measuring -------------------------------------------------------------------------------------------------------


def test_operations_are_exact_beyond_what_a_float_holds() -> None:
    side, width = 94_906_267, 1_000_003
    layers = ", ".join(f'{{ type = "linear", out_features = {size}, bias = false }}' for size in (side, width))
    found = verify(archcalc.loads(f'name = "wide"\ninputs.x = [{side}]\nlayers = [{layers}]'), "meta", ())
    rows = [(row.said, row.found, row.status) for row in found.rows if row.question == "FLOPs"]
    assert 2 * side * side > 2**53
    counts = [2 * side * side, 2 * side * width, 2 * side * (side + width)]
    assert rows == [(count, count, "equal") for count in counts]


def test_fields_can_be_measured_for_some_layers_alone() -> None:
    found = verify(archcalc.load("mnist_cnn"), fields=["pool1", "flatten"])
    rows = [row for row in found.rows if row.question.startswith("field")]
    assert [(row.layer, row.status) for row in rows] == [("pool1", "equal"), ("flatten", "not covered")]
    with pytest.raises(archcalc.UsageError, match='no layer is called "S3"'):
        verify(archcalc.load("lenet5"), fields=["S3"])


def test_a_large_network_is_verified_without_memory() -> None:
    network = archcalc.loads("""
    name = "large"
    inputs.x = [1000000000]
    layers = [{ name = "a", type = "linear", out_features = 1000000000, bias = false }]
    """)
    assert verify(network, "meta").agrees
    with pytest.raises(
        archcalc.UsageError, match='"large" does not fit into the memory of cpu; --device meta takes none'
    ):
        verify(network)


def test_memory_that_runs_out_on_the_way_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch.nn.Conv2d, "forward", refuse)
    with pytest.raises(archcalc.UsageError, match="does not fit into the memory of cpu"):
        verify(archcalc.load("lenet5"))


PADDED = """
name = "padded"
inputs.image = [1, 64, 64]
layers = [
  { name = "a", type = "conv2d", out_channels = 2, kernel_size = 3, padding = 1 },
  { name = "b", type = "conv2d", out_channels = 2, kernel_size = 3, padding = 1, stride = 2 },
]
"""
EVERYTHING = {
    "all alike": lambda size, _window: Window(size, 0),
    "a huge window": lambda size, window: window._replace(kernel=size, before=size // 2, after=size // 2),
    "a window as wide as the rest": lambda _size, window: window._replace(kernel=window.kernel + 20, before=11),
}


@pytest.mark.parametrize("claim", EVERYTHING)
def test_too_large_a_field_is_caught_despite_padding(claim: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Conv2d.dependencies

    def reads(self: Conv2d, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        ((channels, *spatial),) = original(self, inputs)
        sizes = inputs[0].shape[1:]
        pairs = zip(spatial, sizes, strict=True)
        return ((channels, *(replace(read, window=EVERYTHING[claim](size, read.window)) for read, size in pairs)),)

    monkeypatch.setattr(Conv2d, "dependencies", reads)
    found = verify(archcalc.loads(PADDED))
    assert [(row.question[:5], row.layer) for row in found.differences] == [("field", "a"), ("field", "b")]


def test_a_row_of_the_summary_that_is_wrong_is_caught() -> None:
    for changes in ({"macs": 7}, {"parameters": 3}, {"buffers": 1}, {"output_shape": (1, 2, 3)}):
        network = archcalc.load("lenet5")
        rows = (replace(network.layers[0], **changes), *network.layers[1:])
        network.context.answers[summarize.__wrapped__] = replace(network.summary, layers=rows)
        assert {row.layer for row in verify(network, "meta", ()).differences} <= {"C1", "C1: count"}
        assert not verify(network, "meta", ()).agrees


@pytest.mark.parametrize("total", ["parameters", "trainable_parameters", "buffers", "macs"])
def test_a_total_of_the_summary_that_is_wrong_is_caught(total: str) -> None:
    network = archcalc.load("lenet5")
    totals = replace(network.totals, **{total: getattr(network.totals, total) + 1})
    network.context.answers[summarize.__wrapped__] = replace(network.summary, totals=totals)
    (row,) = verify(network, "meta", ()).differences
    assert row.layer.startswith("total")


def test_exported_source_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archcalc.load("lenet5")
    rows = [row for row in verify(network, fields=[], storages=False).rows if row.question == "exported source"]
    assert [(row.layer, row.said, row.found) for row in rows] == [
        ("text", "the network", "the network"),
        ("state_dict: tensors", 10, 10),
        ("state_dict: values", 61_706, 61_706),
        ("output, at inference", "the same values", "the same values"),
    ]
    text = network.to_source().replace("nn.Linear(84, 10)", "nn.Linear(84, 11)")
    monkeypatch.setattr("archcalc.network.Network.to_source", lambda _self: text)
    found = verify(network, fields=[], storages=False)
    assert [(row.layer, row.found) for row in found.differences] == [
        ("text", "output is made by nn.Linear(84, 11), not nn.Linear(84, 10)")
    ]


@pytest.mark.parametrize(
    ("old", "new", "layer"),
    [
        ("nn.Linear(84, 10)", "nn.Linear(84, 10, bias=False)", "state_dict: tensors"),
        ("nn.Linear(84, 10)", "nn.Linear(84, 11)", "state_dict: values"),
        ("x = self.tanh_4(x)", "x = self.tanh_4(self.tanh_4(x))", "output, at inference"),
        ("return self.output(x)", "return self.output(x) if self.training else x", "output, at inference"),
    ],
)
def test_exported_source_that_is_another_network_differs(
    monkeypatch: pytest.MonkeyPatch, old: str, new: str, layer: str
) -> None:
    network = archcalc.load("lenet5")
    text = network.to_source()
    assert old in text
    monkeypatch.setattr("archcalc.network.Network.to_source", lambda _self: text.replace(old, new))
    monkeypatch.setattr("archcalc.pytorch.verify.source.find_fault", lambda *_: None)
    differences = verify(network, fields=[], storages=False).differences
    assert layer in [row.layer for row in differences]


def test_exported_source_is_run_in_training_if_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    network = archcalc.load("googlenet", inputs={"image": [3, 64, 64]})
    rows = [row for row in verify(network, fields=[], storages=False).rows if row.question == "exported source"]
    assert [row.layer for row in rows[3:]] == ["fc, at inference", "fc, in training"]
    assert {row.status for row in rows} == {"equal"}
    text = network.to_source().replace("x = self.dropout(x)", "x = x if self.training else self.dropout(x)")
    monkeypatch.setattr("archcalc.network.Network.to_source", lambda _self: text)
    monkeypatch.setattr("archcalc.pytorch.verify.source.find_fault", lambda *_: None)
    (difference,) = verify(network, fields=[], storages=False).differences
    assert difference.layer == "fc, in training"


def test_on_meta_exported_source_has_its_weights_compared() -> None:
    found = verify(archcalc.load("resnet18"), "meta", fields=[], storages=False)
    rows = [row.layer for row in found.rows if row.question == "exported source"]
    assert rows == ["text", "state_dict: tensors", "state_dict: values"]


def test_networks_that_cannot_be_exported_are_not_covered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_self: object) -> None:
        raise UsageError("for no reason")

    monkeypatch.setattr("archcalc.network.Network.to_source", refuse)
    found = verify(archcalc.load("lenet5"), fields=[], storages=False)
    (row,) = [row for row in found.rows if row.question == "exported source"]
    assert (row.status, row.note) == ("not covered", "for no reason")
    assert found.agrees


def test_more_layers_than_can_be_run_are_refused() -> None:
    network = archcalc.loads('name = "x"\ninputs.x = [1]\nlayers = [{ type = "relu", repeat = 5001 }]')
    with pytest.raises(archcalc.UsageError, match="has 5,001 layers: verify takes networks of at most 5,000"):
        verify(network)
