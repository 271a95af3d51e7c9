"""Bytes moved, layer by layer, by the definition written out in numbers."""

import archcalc
from archcalc.analysis.traffic import SIZES, Traffic, count_traffic


def rows(network: archcalc.Network, dtype: str | None = None, training: bool = False) -> dict[str, Traffic]:
    found = count_traffic(network.context, dtype, training)
    return {node.name: row for node, row in zip(network.graph.nodes, found, strict=True)}


def spec(*layers: str, inputs: str, batch: int = 1) -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=batch)


def test_lenet5() -> None:
    found = rows(archcalc.load("lenet5"))
    assert found["C1"] == Traffic(inputs=4 * 1024, parameters=4 * 156, outputs=4 * 6 * 28 * 28)
    assert found["tanh"] == Traffic(inputs=4 * 4704, outputs=4 * 4704)
    assert found["flatten"] == Traffic()


def test_the_batch_multiplies_values_and_not_weights() -> None:
    found = rows(archcalc.load("dense_mnist", batch=8))
    assert found["fc1"] == Traffic(inputs=4 * 8 * 784, parameters=4 * 401_920, outputs=4 * 8 * 512)


def test_a_dtype_is_for_floating_point_values() -> None:
    network = spec(
        'name = "table", type = "embedding", num_embeddings = 1000, embedding_dim = 6',
        inputs='x = { shape = [4], dtype = "int64" }',
    )
    # At least one of the 1000 rows is read: the four tokens may be equal.
    assert rows(network)["table"] == Traffic(inputs=8 * 4, parameters=4 * 6, outputs=4 * 24)
    assert rows(network, "bfloat16")["table"] == Traffic(inputs=8 * 4, parameters=2 * 6, outputs=2 * 24)


def test_a_sparse_input_is_read_once_for_all_samples() -> None:
    found = rows(archcalc.load("gcn_cora", batch=2))
    adjacency = 13264 * (4 + 16)
    assert found["conv1"].inputs == 4 * 2 * 2708 * 1433 + adjacency
    assert found["dropout1"] == Traffic()


def test_running_statistics_are_read_and_the_counter_is_not() -> None:
    assert rows(spec('name = "bn", type = "batch_norm"', inputs="x = [6, 8, 8]"))["bn"].buffers == 4 * 2 * 6


def test_views_move_nothing() -> None:
    network = spec(
        'type = "permute", dims = [1, 2, 0]',
        'type = "slice", stop = 4',
        'type = "chunk", chunks = 2, index = 1',
        'type = "reshape", shape = [-1]',
        'type = "identity"',
        'type = "dropout"',
        inputs="x = [6, 8, 8]",
    )
    assert set(rows(network).values()) == {Traffic()}


def test_training() -> None:
    network = spec(
        'name = "a", type = "linear", out_features = 5',
        'name = "d", type = "dropout"',
        'name = "b", type = "linear", out_features = 2, bias = false',
        inputs="x = [7]",
        batch=3,
    )
    a, d, b = rows(network, training=True).values()
    a_in, a_weights, a_out, b_weights, b_out = 4 * 21, 4 * 40, 4 * 15, 4 * 10, 4 * 6
    # Backward: the gradient of the output, the operands of the forward pass, the needed gradients.
    assert a == Traffic(a_in, a_weights, 0, a_out, a_out + a_in + a_weights + a_weights, 3 * a_weights)
    assert d == Traffic(a_out, 0, 0, a_out, a_out + a_out + a_out, 0)
    assert b == Traffic(a_out, b_weights, 0, b_out, b_out + a_out + b_weights + a_out + b_weights, 3 * b_weights)
    assert a.total == a.forward + a.backward + a.step


def test_frozen_layers_write_no_gradient() -> None:
    network = spec(
        'name = "a", type = "linear", out_features = 5, trainable = false',
        'name = "b", type = "linear", out_features = 5, weights = "c"',
        'name = "c", type = "linear", out_features = 5',
        inputs="x = [5]",
    )
    a, b, c = rows(network, training=True).values()
    assert (a.backward, a.step) == (0, 0)
    assert b.backward == 4 * (5 + 5 + 30 + 30)  # no gradient of the input
    assert (b.step, c.step) == (0, 3 * 4 * 30)  # weights are trained once, however often they are used


def test_every_dtype_has_its_size() -> None:
    import torch

    assert {name: getattr(torch, name).itemsize for name in SIZES} == SIZES
