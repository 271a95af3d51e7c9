"""The MACs of training, against PyTorch's counter and against formulas written out here."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.analysis.training import TrainingMacs, count_training
from archcalc.numbers.bounds import Unknown
from archcalc.pytorch.device import random_inputs


def spec(*layers: str, inputs: str = "x = [6, 8, 8]", more: str = "") -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(
        f'name = "t"\n{more}\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=3, training=True
    )


def rows(network: archcalc.Network) -> dict[str, TrainingMacs]:
    return {node.name: row for node, row in zip(network.graph.nodes, count_training(network.context), strict=True)}


def flops(network: archcalc.Network) -> int:
    """Two for each MAC of a training step."""
    total = 0
    for row in count_training(network.context):
        for count in row:
            assert isinstance(count, int)
            total += 2 * count
    return total


def torch_flops(network: archcalc.Network) -> int:
    """The FLOPs that PyTorch's counter finds in a forward and a backward pass."""
    built = archcalc.build(network, device="meta")
    with FlopCounterMode(display=False) as counter:
        outputs = built(*random_inputs(network, network.batch, "meta"))
        loss = sum(output.mean() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))
        assert isinstance(loss, torch.Tensor)
        loss.backward()
    return counter.get_total_flops()


CONV = 'type = "conv2d", out_channels = 4, kernel_size = 3'
DENSE = 'type = "linear", out_features = 5'
PRELU = 'type = "prelu"'  # trained, without MACs: the layer behind it needs the gradient of its input

NETWORKS = {
    "first layer": spec(CONV),
    "second layer": spec(CONV, CONV),
    "behind a parameter": spec(PRELU, CONV),
    "strided, dilated": spec(PRELU, CONV + ", stride = 2, dilation = 2, padding = 1"),
    "uneven padding": spec(PRELU, CONV + ", padding = [[0, 1], [1, 0]]"),
    "transposed": spec(PRELU, 'type = "conv_transpose2d", out_channels = 4, kernel_size = 3, stride = 2'),
    "one axis": spec(PRELU, 'type = "conv1d", out_channels = 4, kernel_size = 3', inputs="x = [6, 20]"),
    "dense": spec(DENSE, 'type = "relu"', DENSE, inputs="x = [7]"),
    "dense on rows": spec(DENSE, DENSE, inputs="x = [9, 7]"),
    "frozen first": spec(CONV + ", trainable = false", CONV, CONV),
    "frozen between": spec(CONV, CONV + ", trainable = false", CONV),
    "frozen last": spec(CONV, CONV + ", trainable = false"),
    "branches": spec(
        f'name = "a", input = "x", {CONV}',
        f'name = "b", input = "x", {CONV}',
        'type = "cat", inputs = ["a", "b"]',
        CONV,
    ),
    "shared": spec(f'name = "a", {DENSE}', f'name = "b", weights = "a", {DENSE}', inputs="x = [5]"),
    "unread": spec(f'name = "a", {CONV}', f'name = "b", input = "x", {CONV}', more='outputs = ["a"]'),
    "two outputs": spec(f'name = "a", {CONV}', f'name = "b", {CONV}', more='outputs = ["a", "b"]'),
    "embedding": spec(
        'type = "embedding", num_embeddings = 9, embedding_dim = 6',
        DENSE,
        inputs='x = { shape = [4], dtype = "int64" }',
    ),
    "graph, dense adjacency": spec(
        f'name = "y", input = "x", {PRELU}',
        'type = "gcn_conv", inputs = ["y", "a"], out_features = 5',
        inputs="x = [7, 6], a = { shape = [7, 7], nonzeros = 49 }",
    ),
    "attention on an input": spec('type = "multi_head_attention", num_heads = 2', inputs="x = [7, 6]"),
    "attention": spec(PRELU, 'type = "multi_head_attention", num_heads = 2', inputs="x = [7, 6]"),
    "attention of three": spec(
        f'name = "q", input = "x", {PRELU}',
        f'name = "v", input = "y", {PRELU}',
        'type = "multi_head_attention", num_heads = 2, inputs = ["q", "y", "v"]',
        inputs="x = [7, 6], y = [5, 4]",
    ),
    "frozen attention": spec(
        PRELU, 'type = "multi_head_attention", num_heads = 2, trainable = false', inputs="x = [7, 6]"
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_as_pytorch_counts(name: str) -> None:
    network = NETWORKS[name]
    assert flops(network) == torch_flops(network) > 0


# Left out: grouped convolutions (a connection table runs as one), whose backward pass PyTorch counts as that of full
# ones; rbf, which runs as elementwise operations; an adjacency with nonzeros, which is dense on the device `meta`.
GROUPED = {"alexnet_2012", "lenet5_1998", "mobilenet_v1", "mobilenet_v2", "xception"}
SPARSE = {"gcn_classifier", "gcn_cora"}


@pytest.mark.every_spec
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs().keys() - GROUPED - SPARSE))
def test_shipped_specs_as_pytorch_counts(name: str) -> None:
    network = archcalc.load(name, batch=2, training=True)
    assert flops(network) == torch_flops(network) > 0


def test_the_parts_of_a_step() -> None:
    found = rows(spec(f'name = "a", {DENSE}', f'name = "b", {DENSE}', inputs="x = [7]"))
    a, b = 3 * 7 * 5, 3 * 5 * 5
    assert found == {"a": TrainingMacs(a, 0, a), "b": TrainingMacs(b, b, b)}


def test_a_grouped_convolution_costs_three_times_its_inference() -> None:
    found = rows(spec(PRELU, f'name = "grouped", {CONV}, groups = 2'))
    macs = 3 * 4 * 6 * 6 * 3 * 9
    assert found["grouped"] == TrainingMacs(macs, macs, macs)


def test_a_sparse_adjacency_takes_no_gradient() -> None:
    network = archcalc.load("gcn_cora", training=True)
    first, second = (rows(network)[name] for name in ("conv1", "conv2"))
    weights, links = (2708 * 1433 * 16, 2708 * 16 * 7), (13264 * 16, 13264 * 7)
    # Behind the weights, the adjacency passes the gradient on; the features of the first layer need none.
    assert first == TrainingMacs(weights[0] + links[0], links[0], weights[0])
    assert second == TrainingMacs(weights[1] + links[1], weights[1] + links[1], weights[1])


def test_unknown_macs_stay_unknown() -> None:
    network = spec(
        'name = "g", type = "gcn_conv", inputs = ["x", "a"], out_features = 5', inputs="x = [7, 6], a = [7, 7]"
    )
    row = rows(network)["g"]
    assert isinstance(row.forward, Unknown)
    assert isinstance(row.input_gradients, Unknown)
    assert row.weight_gradients == 3 * 7 * 6 * 5


def test_products_add_up_to_the_macs() -> None:
    for network in (*NETWORKS.values(), *map(archcalc.load, archcalc.shipped_specs())):
        for position, node in enumerate(network.graph.nodes):
            inputs, output = network.context.tensors_at(position)
            macs = [product.macs for product in node.layer.products(inputs, output.shape)]
            assert sum(macs) == node.layer.operations(inputs, output.shape).get("macs", 0)  # type: ignore[arg-type]
