"""Memory compared with a dispatch mode that follows every storage, with the allocator of the CPU, and by hand."""

import json
from contextlib import nullcontext
from functools import partial
from typing import Any

import msgspec
import pytest
import torch
from examples import EXAMPLES, Example
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.analysis.largest_batch import largest_batch
from archcalc.analysis.least_batch import check_batch
from archcalc.analysis.memory import DTYPES, OPTIMIZERS
from archcalc.errors import UsageError
from archcalc.layers.base import NONZEROS_UNKNOWN
from archcalc.numbers.bounds import AtLeast, AtMost, Unknown, floor_of, is_at_most
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.verify.storages import observe_memory, run, watch

pytestmark = pytest.mark.usefixtures("one_thread")


def spec(*layers: str, inputs: str, more: str = "", batch: int = 1) -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\n{more}\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=batch)


def check(network: archcalc.Network, dtype: str | None, training: bool) -> None:
    """The two sides agree to the byte, over the whole pass and in every layer."""
    predicted, seen = network.memory(dtype, training), observe_memory(network, dtype, training)
    assert [row.forward for row in predicted.layers] == [*seen.forward]
    assert predicted.peak == seen.peak


@pytest.mark.every_spec(few={"alexnet", "gcn_cora", "lenet5", "m5", "resnet18", "squeezenet1_1"})
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_shipped_specs(name: str, training: bool, dtype: str) -> None:
    check(archcalc.load(name, training=training, batch=2 if dtype == "float32" else 3), dtype, training)


@pytest.mark.every_spec
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_shipped_specs_with_a_single_sample(name: str) -> None:
    check(archcalc.load(name), None, training=False)


def alone(example: Example, batch: int, before: str, trainable: bool = True) -> archcalc.Network:
    """The layer of an example; every input that can have a gradient comes from another layer."""
    entries, names, inputs = [], [], []
    for number, tensor in enumerate(example.inputs):
        nonzeros = "" if tensor.nonzeros is None else f", nonzeros = {tensor.nonzeros}"
        inputs.append(f'x{number} = {{ shape = {[*tensor.shape]}, dtype = "{tensor.dtype}"{nonzeros} }}')
        names.append(f"x{number}")
        if before and tensor.dtype == "float32" and tensor.nonzeros is None:
            names[-1] = f"y{number}"
            entries.append(f'name = "y{number}", type = "{before}", input = "x{number}"')
    fields = msgspec.to_builtins(example.layer)
    options = [f"{key} = {json.dumps(value)}" for key, value in fields.items() if value is not None]
    common = f'name = "layer", type = "{example.layer.type}", inputs = {json.dumps(names)}'
    entries.append(", ".join([common, f"trainable = {json.dumps(trainable)}", *options]))
    return spec(*entries, inputs=", ".join(inputs), batch=batch)


KNOWN = [example for example in EXAMPLES if example.layer.type != "multi_head_attention"]
# Batch, dtype, the layer that provides inputs with a gradient (if any), and whether the layer is trained.
SETTINGS = [
    (2, "float32", "prelu", True),
    (3, "bfloat16", "prelu", True),
    (2, "float32", "prelu", False),
    (2, "float32", "", True),
]


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("example", KNOWN, ids=repr)
def test_every_layer(example: Example, training: bool) -> None:
    for batch, dtype, before, trainable in SETTINGS:
        check(alone(example, batch, before, trainable), dtype, training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("example", [example for example in KNOWN if len(example.inputs[0].shape) > 1], ids=repr)
def test_a_single_sample(example: Example, training: bool) -> None:
    check(alone(example, 1, "prelu"), "float32", training)


# written out by hand

CONV = 'type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1, bias = false'
MAP, WEIGHT = 4 * 4 * 8 * 8, 4 * 4 * 4 * 9  # bytes of a map, and of the kernels


def test_a_chain_has_its_input_and_output_alive() -> None:
    found = spec(*[CONV] * 3, inputs="x = [4, 8, 8]").memory()
    # The network's input stays for the caller.
    assert [row.forward for row in found.layers] == [3 * WEIGHT + count * MAP for count in (2, 3, 3)]
    assert (found.peak, found.weights, found.activations) == (3 * WEIGHT + 3 * MAP, 3 * WEIGHT, 3 * MAP)
    assert (found.peak_layer, found.peak_pass) == ("conv2d_2", "forward")


def test_a_residual_branch_keeps_its_input_alive() -> None:
    layers = [f'name = "a", {CONV}', CONV, f'name = "b", {CONV}', 'type = "add", inputs = ["a", "b"]']
    found = spec(*layers, inputs="x = [4, 8, 8]").memory()
    # x, a, and two of the branch
    assert [row.forward - 3 * WEIGHT for row in found.layers] == [2 * MAP, 3 * MAP, 4 * MAP, 4 * MAP]


def test_the_parts_of_training() -> None:
    found = spec(CONV, 'type = "tanh"', inputs="x = [4, 8, 8]").memory(training=True, optimizer="adam")
    # In the backward pass of the convolution: x, the output of tanh, and the gradient of the convolution's output.
    assert found.weights == WEIGHT
    assert found.optimizer_state == 2 * WEIGHT + 4
    assert [row.saved for row in found.layers] == [MAP, MAP]
    # The gradient of the output is alive, too, while the gradient of tanh's input is allocated.
    assert [row.backward for row in found.layers] == [3 * WEIGHT + 4 + 3 * MAP + WEIGHT, 3 * WEIGHT + 4 + 4 * MAP]
    assert found.peak == 3 * WEIGHT + 4 + 4 * MAP


def test_frozen_layers_have_no_gradients_and_shared_weights_are_there_once() -> None:
    frozen = spec(f"{CONV}, trainable = false", inputs="x = [4, 8, 8]").memory(training=True, optimizer="momentum")
    assert (frozen.optimizer_state, frozen.gradients, frozen.layers[0].saved) == (0, 0, 0)
    assert frozen.layers[0].backward is None
    layers = [f'name = "a", {CONV}', f'name = "b", weights = "a", {CONV}']
    check(spec(*layers, inputs="x = [4, 8, 8]"), "float32", training=True)
    assert spec(*layers, inputs="x = [4, 8, 8]").memory().weights == WEIGHT


BRANCHES = {
    "unread": ([f'name = "a", {CONV}', f'name = "b", {CONV}', 'type = "tanh"'], 'outputs = ["a"]'),
    "two outputs": ([f'name = "a", {CONV}', f'name = "b", {CONV}', 'type = "tanh"'], 'outputs = ["a", "tanh"]'),
    "an input is an output": ([f'name = "a", {CONV}'], 'outputs = ["x", "a"]'),
    "read three times": (
        [
            f'name = "a", {CONV}',
            f'name = "b", {CONV}',
            f'name = "c", input = "a", {CONV}',
            'type = "add", inputs = ["a", "b", "c"]',
        ],
        "",
    ),
    "read twice by one": ([f'name = "a", {CONV}', 'type = "mul", inputs = ["a", "a"]'], ""),
    "joined, and read besides": (
        [f'name = "a", {CONV}', f'name = "b", {CONV}', 'type = "cat", inputs = ["a", "b"]', CONV],
        "",
    ),
    "an output twice": ([f'name = "a", repeat = 1, {CONV}', 'type = "tanh"'], 'outputs = ["a", "a.0", "tanh"]'),
    "an identity is its input": (
        ['name = "a", type = "layer_norm"', 'name = "b", type = "identity"', CONV, 'type = "dropout", p = 0.0', CONV],
        'outputs = ["conv2d_2", "b", "a"]',
    ),
    "joined, and an output": ([f'name = "a", {CONV}', 'type = "cat", inputs = ["a", "x"]'], 'outputs = ["cat", "a"]'),
    "a bias that is shared": (
        ['name = "a", type = "linear", out_features = 8', 'type = "linear", weights = "a", out_features = 8'],
        "",
    ),
    "shuffled in one group": ([CONV, 'type = "channel_shuffle", groups = 1', CONV], ""),
    "shuffled one by one": ([CONV, 'type = "channel_shuffle", groups = 4', CONV], ""),
    "frozen between": ([CONV, f"{CONV}, trainable = false", 'type = "tanh"', CONV], ""),
    "frozen first": ([f"{CONV}, trainable = false", 'type = "tanh"', CONV], ""),
    "views": ([CONV, 'type = "flatten"', 'type = "identity"', 'type = "linear", out_features = 5'], ""),
    "dropout": ([CONV, 'type = "dropout"', CONV, 'type = "dropout", p = 0.0', 'type = "dropout", p = 1.0'], ""),
    "broadcast outputs": (
        [
            f'name = "a", {CONV}',
            'name = "b", type = "conv2d", out_channels = 1, kernel_size = 3, padding = 1',
            'name = "c", type = "add", inputs = ["a", "b"]',
        ],
        'outputs = ["c", "b", "a"]',
    ),
    "padding": ([CONV, 'type = "max_pool2d", kernel_size = 3, stride = 2, padding = "same"', 'type = "tanh"'], ""),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", BRANCHES)
def test_graphs(name: str, training: bool) -> None:
    layers, more = BRANCHES[name]
    check(spec(*layers, inputs="x = [4, 8, 8]", more=more, batch=2), "float32", training)


PERMUTED = 'type = "permute", dims = [1, 2, 0]'
FLAT = 'type = "flatten"'
ROWS = 'type = "linear", out_features = 5'
OUT_OF_ORDER = {
    "a chunk behind which a convolution writes fresh values": [
        'type = "chunk", chunks = 2, index = 0',
        'type = "conv2d", out_channels = 16, kernel_size = 1',
        'type = "relu"',
        'type = "adaptive_avg_pool2d", output_size = 1',
        FLAT,
        'type = "linear", out_features = 3',
    ],
    "a copy of permuted values": [PERMUTED, FLAT],
    "a view of permuted values": [PERMUTED, 'type = "permute", dims = [2, 0, 1]', FLAT],
    "a view of axes that go on": [PERMUTED, 'type = "flatten", end_dim = -2'],
    "an elementwise layer keeps the order": [PERMUTED, 'type = "tanh"', 'type = "permute", dims = [2, 0, 1]', FLAT],
    "a softmax does not": [PERMUTED, 'type = "softmax"', FLAT],
    "a copy of a part": ['type = "slice", dim = -1, stop = 3', FLAT],
    "a view of a part": ['type = "slice", stop = 2', FLAT],
    "rows of a part": ['type = "slice", stop = 2', ROWS],
    "rows without a bias": ['type = "slice", dim = 1, stop = 3', f"{ROWS}, bias = false"],
    "rows of frozen weights": ['type = "slice", dim = 1, stop = 3', f"{ROWS}, trainable = false"],
    "rows that are permuted": [PERMUTED, ROWS, 'type = "tanh"'],
    "a whole axis is no part": [PERMUTED, 'type = "slice", stop = 8', FLAT],
    "a gradient of a sum": ['type = "flatten", start_dim = 1', 'type = "graph_readout", reduction = "sum"'],
    "gradients of what is joined": [
        'name = "a", type = "reshape", shape = [4, 2, 32]',
        'name = "b", type = "tanh"',
        'type = "cat", inputs = ["a", "b"], dim = 1',
    ],
    "an instance normalization": [PERMUTED, 'type = "instance_norm", affine = true', FLAT],
    "channels last": [PERMUTED, 'type = "permute", dims = [2, 0, 1]', 'type = "upsample", scale_factor = 2', FLAT],
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", OUT_OF_ORDER)
def test_values_out_of_order(name: str, training: bool) -> None:
    for batch in (1, 2, 3):
        check(spec(CONV, *OUT_OF_ORDER[name], inputs="x = [4, 8, 8]", batch=batch), "float32", training)


@pytest.mark.parametrize("training", [False, True])
def test_volumes_out_of_order_are_put_in_order_to_be_normalized(training: bool) -> None:
    """PyTorch refuses them otherwise."""
    layers = ['type = "prelu"', 'type = "permute", dims = [0, 1, 3, 2]', 'type = "local_response_norm", size = 3']
    network = spec(*layers, inputs="x = [4, 3, 5, 2]", batch=2)
    check(network, "float32", training)
    values = torch.rand(2, 4, 3, 5, 2)
    ordered = torch.where(values > 0, values, values / 4).permute(0, 1, 2, 4, 3).contiguous()
    assert torch.equal(archcalc.build(network)(values), torch.nn.LocalResponseNorm(3)(ordered))


def test_the_peak_is_a_lower_bound_where_devices_differ() -> None:
    """A convolution of maps with channels last returns such maps on a CPU, and contiguous ones on the device `meta`."""
    layers = ['type = "permute", dims = [2, 0, 1]', CONV, FLAT]
    network = spec(*layers, inputs="x = [8, 8, 4]", batch=2)
    found = network.memory().peak
    assert isinstance(found, AtLeast)
    assert found.reason.startswith("flatten: PyTorch may copy its input, since devices differ")
    peaks = [watch(network, device, None, training=False, batch=2).peak for device in ("cpu", "meta")]
    assert peaks[0] > peaks[1] >= found.value


SQUARE = 'type = "linear", out_features = 7'
FEW_VALUES = {  # inputs, layers
    "a weight for each value": (
        "x = [5]",
        [
            'name = "a", type = "prelu"',
            'type = "prelu", num_parameters = 5',
            'type = "add", inputs = ["a", "prelu"]',
        ],
    ),
    "shared weights of rows that are read twice": (
        "x = [1, 7]",
        [
            f'name = "a", {SQUARE}',
            f'name = "b", {SQUARE}',
            f'name = "c", {SQUARE}, weights = "b"',
            'type = "add", inputs = ["a", "c"]',
        ],
    ),
    "a gradient that is stretched": (
        "x = [3, 1]",
        [SQUARE, 'type = "graph_readout"', 'type = "rbf", out_features = 1'],
    ),
    "a sum of other axes that are as many values": (
        "x = [1, 4]",
        [
            f'name = "a", {SQUARE}',
            'name = "b", type = "reshape", shape = [1, 1, 7]',
            'type = "add", inputs = ["a", "b"]',
        ],
    ),
}


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", FEW_VALUES)
def test_few_values(name: str, training: bool) -> None:
    inputs, layers = FEW_VALUES[name]
    for batch in (1, 2):
        check(spec(*layers, inputs=inputs, batch=batch), "float32", training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("nodes", "features"), [(6, 1), (1, 3), (1, 1), (6, 3)])
def test_a_sparse_product_of_few_values(nodes: int, features: int, training: bool) -> None:
    """The fold of samples into another axis is a view if there is one node or one feature."""
    inputs = f"x = [{nodes}, 4], graph = {{ shape = [{nodes}, {nodes}], nonzeros = 1 }}"
    layer = f'type = "gcn_conv", out_features = {features}'
    layers = [f'name = "a", {layer}, inputs = ["x", "graph"]', f'name = "b", {layer}, inputs = ["a", "graph"]']
    for batch in (1, 2):
        check(spec(*layers, inputs=inputs, batch=batch), "float32", training)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("padding", ["1", "[[1, 0], [0, 2]]"])
def test_a_connection_table_is_padded_where_pytorch_does_it(padding: str, training: bool) -> None:
    layer = f'type = "conv2d", out_channels = 2, kernel_size = 3, padding = {padding}, connections = '
    layers = [layer + "[[0, 1, 2], [1, 3]]", layer + "[[0, 1], [0]]"]
    check(spec(*layers, inputs="x = [4, 8, 8]"), "float32", training)


ATTENTION = 'name = "a", type = "multi_head_attention", num_heads = 1'
OF_FEW_VALUES = (  # in which the gradient of attention's output is released before those of its weights are allocated
    'type = "silu"',
    'type = "cat", inputs = ["silu", "x"], dim = -1',
    'type = "adaptive_avg_pool1d", output_size = 2',
    ATTENTION,
    'type = "cat", inputs = ["a", "cat"], dim = 1',
)


@pytest.mark.parametrize(
    ("layers", "shape"),
    [((ATTENTION, ATTENTION.replace('"a"', '"b", weights = "a"')), "[1, 16]"), (OF_FEW_VALUES, "[1, 4]")],
)
def test_the_lower_bound_of_attention_is_near_the_peak(layers: tuple[str, ...], shape: str) -> None:
    network = archcalc.Network(spec(*layers, inputs=f"x = {shape}").graph)
    predicted, seen = network.memory(training=True).peak, observe_memory(network, training=True).peak
    assert isinstance(predicted, AtLeast)
    assert 0.85 * seen < predicted.value <= seen


def test_attention_is_a_lower_bound() -> None:
    network = spec('type = "multi_head_attention", num_heads = 3', inputs="x = [9, 12]")
    found = network.memory(training=True)
    assert isinstance(found.peak, AtLeast)
    assert found.peak.reason == (
        "multi_head_attention: PyTorch chooses among kernels for attention, which save different tensors"
    )
    assert found.peak.value < observe_memory(network, training=True).peak
    assert isinstance(found.gradients, Unknown)


# PyTorch's own counter


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_state_of_optimizers(optimizer: str) -> None:
    network = archcalc.load("mnist_cnn")
    built = archcalc.build(network)
    made = {
        "sgd": lambda: torch.optim.SGD(built.parameters(), 0.1),
        "momentum": lambda: torch.optim.SGD(built.parameters(), 0.1, momentum=0.9),
        "adam": lambda: torch.optim.Adam(built.parameters()),
        "adamw": lambda: torch.optim.AdamW(built.parameters()),
    }[optimizer]()
    built(torch.rand(1, 1, 28, 28)).sum().backward()
    made.step()
    kept = [value for state in made.state.values() for value in state.values() if isinstance(value, torch.Tensor)]
    assert network.memory(training=True, optimizer=optimizer).optimizer_state == sum(value.nbytes for value in kept)


def allocated(network: archcalc.Network) -> int:
    """The peak of the CPU's allocator in a training step without a dispatch mode, and the bytes allocated before."""
    built = archcalc.build(network).train()
    values = random_inputs(network, network.batch, "cpu")
    before = sum(tensor.nbytes for tensor in (*built.parameters(), *built.buffers(), *values))
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profiler:
        run(network, built, values, training=True)
    events = [event for event in profiler.profiler.kineto_results.events() if event.name() == "[memory]"]
    live = highest = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        live += event.nbytes()
        highest = max(highest, live)
    return before + highest


def test_the_peak_is_that_of_the_cpu_allocator() -> None:
    """In layers whose kernels need no workspace, and where no two gradients are added."""
    layers = [
        'type = "linear", out_features = 300',
        'name = "a", type = "tanh"',
        'type = "linear", out_features = 200',
        'type = "sigmoid"',
        'type = "linear", out_features = 10',
        'type = "log_softmax"',
    ]
    network = spec(*layers, inputs="x = [100]", batch=64)
    assert network.memory(training=True).peak == allocated(network)


def test_the_peak_is_that_of_pytorchs_memory_tracker() -> None:
    """It counts the same storages, in modules that hold nothing longer than the layers do."""
    from torch.distributed._tools.mem_tracker import MemTracker

    network = archcalc.load("dense_mnist", batch=16)
    built = archcalc.build(network, device="meta")
    tracker = MemTracker()
    values = random_inputs(network, 16, "meta")
    tracker.track_external(built, *values)
    with tracker:
        run(network, built, values, training=True)
    peak = tracker.get_tracker_snapshot("peak")[torch.device("meta")]["Total"]
    assert network.memory(training=True).peak == peak


# the largest batch


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("lenet5", {}),
        ("resnet18", {"dtype": "bfloat16"}),
        ("resnet18", {"training": True, "optimizer": "adam"}),
        ("gcn_classifier", {"training": True}),
    ],
)
def test_one_more_does_not_fit(name: str, options: dict[str, Any]) -> None:
    network = archcalc.load(name)
    for limit in (300 * 2**20, 10**9 + 1, 2**33):
        largest = network.largest_batch(limit, **options).batch
        assert largest > 0
        assert (
            network.memory(**options, batch=largest).peak <= limit < network.memory(**options, batch=largest + 1).peak
        )
        exact = network.memory(**options, batch=largest).peak
        assert network.largest_batch(exact, **options).batch == largest
        assert network.largest_batch(exact - 1, **options).batch == largest - 1


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 9)), min_size=1, max_size=5),
    st.integers(1, 30),
    st.integers(0, 2000),
)
def test_the_largest_batch_of_any_peak(lines: list[tuple[int, int]], growth: int, limit: int) -> None:
    """A peak is the maximum of lines over the batch; the search finds the same batch as trying one after the other."""

    def peak_at(batch: int) -> int:
        return max([batch * growth, *(start + slope * batch for start, slope in lines)])

    one_by_one = next(batch for batch in range(limit + 1) if peak_at(batch + 1) > limit)
    assert largest_batch(limit, peak_at) == one_by_one


def test_few_batches_are_tried() -> None:
    tried: list[int] = []

    def peak_at(batch: int) -> int:
        tried.append(batch)
        return 10**6 + 10**5 * batch

    assert largest_batch(10**11, peak_at) == 999_990
    assert len(tried) < 9


def test_the_peak_never_falls_as_the_batch_grows() -> None:
    for name in archcalc.shipped_specs():
        network = archcalc.load(name)
        peaks = [network.memory(training=True, batch=batch).peak for batch in range(1, 6)]
        assert peaks == sorted(set(peaks))


@pytest.mark.parametrize("training", [False, True])
def test_a_lower_bound_of_the_peak_makes_the_batch_an_upper_bound(training: bool) -> None:
    network = spec('type = "multi_head_attention", num_heads = 8', inputs="x = [512, 256]")
    limit = 100 * 2**20
    largest = network.largest_batch(limit, training=training).batch
    assert isinstance(largest, AtMost)
    assert largest.reason.startswith("multi_head_attention: ")
    bounds = [network.memory(training=training, batch=largest.value + more).peak for more in (0, 1)]
    assert [is_at_most(bound, limit) for bound in bounds] == [None, False]
    # If the bound for a single sample is too large, no batch fits, exactly.
    least = network.memory(training=training).peak
    assert isinstance(least, AtLeast)
    assert network.largest_batch(least.value - 1, training=training).batch == 0


def test_the_peak_may_be_exact_for_a_single_sample_only() -> None:
    """A part of a single sample is contiguous."""
    layers = [
        'name = "part", type = "slice", stop = 3',
        'type = "gcn_conv", inputs = ["part", "part"], out_features = 1',
    ]
    network = spec(*layers, inputs="x = [4, 3]")
    assert isinstance(network.memory().peak, int)
    limit = floor_of(network.memory(batch=3).peak)
    found = network.largest_batch(limit).batch
    assert isinstance(found, AtMost)
    assert found.value == 3
    assert observe_memory(network, batch=3).peak > limit


def test_not_even_one_sample() -> None:
    network = archcalc.load("lenet5")
    assert network.largest_batch(floor_of(network.memory().peak) - 1).batch == 0
    assert network.largest_batch(network.memory().peak).batch == 1
    assert network.largest_batch(0).batch == 0


@pytest.mark.parametrize(
    ("layer", "shape", "training", "least"),
    [
        ('"batch_norm"', [3], True, 2),
        ('"batch_norm"', [3, 1, 1], True, 2),
        ('"batch_norm"', [3, 1, 2], True, 1),
        ('"batch_norm"', [3, 1, 1], False, 1),
        ('"batch_norm", track_running_stats = false', [3, 1, 1], False, 2),
        ('"batch_norm", trainable = false', [3], True, 2),
        ('"instance_norm", track_running_stats = true', [3, 1], True, None),
        ('"instance_norm", track_running_stats = true', [3, 1], False, 1),
        ('"instance_norm", track_running_stats = true', [3, 2], True, 1),
    ],
)
def test_from_which_batch_on_pytorch_runs_a_network(
    layer: str, shape: list[int], training: bool, least: int | None
) -> None:
    network = spec(f"type = {layer}", inputs=f"x = {shape}")
    for batch in (1, 2, 3):
        refused = least is None or batch < least
        with pytest.raises(UsageError, match="PyTorch refuses") if refused else nullcontext():
            check_batch(network.context, batch, training)
        with pytest.raises(ValueError, match="more than 1") if refused else nullcontext():
            observe_memory(network, training=training, batch=batch)


def test_a_batch_that_pytorch_refuses_to_train() -> None:
    network = spec('type = "linear", out_features = 2', 'name = "b", type = "batch_norm"', inputs="x = [4]")
    with pytest.raises(UsageError, match=r'layer "b" at batch 1, since .* use a batch of 2 or more'):
        network.memory(training=True)
    least = floor_of(network.memory(training=True, batch=2).peak)
    assert network.largest_batch(least, training=True).batch == 2
    assert network.largest_batch(least - 1, training=True).batch == 0


def test_a_network_that_pytorch_trains_at_no_batch() -> None:
    network = spec('name = "n", type = "instance_norm", track_running_stats = true', inputs="x = [4, 1]")
    for ask in (network.memory, partial(network.largest_batch, 10**9)):
        with pytest.raises(UsageError, match=r'refuses to train layer "n" at any batch, since .* larger maps'):
            ask(training=True)


def test_a_network_that_does_not_grow() -> None:
    unread = 'type = "relu", when = "training"'
    network = spec(unread, inputs="x = { shape = [7, 7], nonzeros = 9 }", more='outputs = ["x"]')
    assert network.largest_batch(9 * 20 - 1).batch == 0
    with pytest.raises(UsageError, match="every batch fits"):
        network.largest_batch(9 * 20)


# options


def test_every_dtype() -> None:
    network = spec(CONV, inputs="x = [4, 8, 8]")
    sizes = {dtype: network.memory(dtype).peak for dtype in DTYPES}
    half = (WEIGHT + 2 * MAP) // 2
    assert sizes == {"float32": 2 * half, "bfloat16": half, "float16": half, "float64": 4 * half, "int8": half // 2}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "float31"}, 'no dtype of a network is called "float31"; did you mean "float32"'),
        ({"training": True, "optimizer": "adams"}, 'no optimizer is called "adams"; did you mean'),
        ({"optimizer": "adam"}, "an optimizer works in training alone"),
        ({"training": True, "dtype": "int8"}, "int8 is for inference"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        archcalc.load("lenet5").memory(**options)
    with pytest.raises(UsageError, match=message):
        archcalc.load("lenet5").largest_batch(10**9, **options)


@pytest.mark.parametrize("batch", [0, -1, 2.5, True])
def test_a_wrong_batch(batch: Any) -> None:
    with pytest.raises(archcalc.UsageError, match="batch must be a whole number, 1 or more, and is"):
        archcalc.load("lenet5").memory(batch=batch)


def test_a_network_of_which_every_layer_is_left_out() -> None:
    found = spec('type = "relu", when = "training"', inputs="x = [4, 8, 8]", more='outputs = ["x"]').memory()
    assert (found.peak, found.peak_layer, found.layers) == (4 * 8 * 8 * 4, "x", ())


def test_layers_without_gradient_save_nothing() -> None:
    """PyTorch trains this: subsample saves nothing of its input, which needs no gradient."""
    network = spec(
        'name = "s", type = "subsample", kernel_size = 2, input = "x"',
        'name = "r", type = "relu", inplace = true, input = "x"',
        inputs="x = [4, 8, 8]",
        more='outputs = ["s", "r"]',
    )
    check(network, "float32", training=True)
    built = archcalc.build(network).train()
    sum(output.sum() for output in built(torch.ones(2, 4, 8, 8))).backward()


@pytest.mark.parametrize("training", [False, True])
def test_memory_is_a_lower_bound_where_nonzeros_are_unknown(training: bool) -> None:
    """For any number of nonzeros, the bound is at most PyTorch's peak."""
    text = """
    name = "graph"
    inputs.x = [8, 3]
    inputs.a = { shape = [8, 8], nonzeros = %d }
    layers = [{ type = "relu" , input = "x" }, { type = "gcn_conv", inputs = ["relu", "a"], out_features = 4 }]
    """
    nonzeros = [0, 1, 40, 81]
    texts = [text.replace("8", "9") % count for count in nonzeros]
    peaks = [archcalc.loads(one).memory(training=training).peak for one in texts]
    found = archcalc.loads(text % 50, inputs={"x": [9, 3], "a": [9, 9]}).memory(training=training)
    assert isinstance(found.peak, AtLeast)
    assert found.peak.value == peaks[0]
    assert peaks == sorted(peaks)
    assert NONZEROS_UNKNOWN in found.peak.reason


def test_bytes_moved_need_the_nonzeros() -> None:
    network = archcalc.load("gcn_cora", inputs={"features": [9, 4], "adjacency": [9, 9]})
    with pytest.raises(archcalc.UsageError, match='the nonzeros of input "adjacency" are unknown, since the spec has'):
        network.roofline("a100")


def test_fixed_memory_and_values() -> None:
    memory = archcalc.load("resnet18", batch=2).memory(training=True, optimizer="adam")
    assert memory.buffers
    assert memory.optimizer_state
    assert memory.fixed == memory.weights + memory.buffers + memory.optimizer_state
    assert all(memory.values_alive(row) == row.live - memory.fixed for row in memory.layers)
