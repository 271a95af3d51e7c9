"""Receptive fields whose answer is known beforehand; random ones are measured by gradients elsewhere."""

import pytest

import archcalc

Known = tuple[tuple[int | None, ...], tuple[float, ...]]


def field(layers: str, inputs: str) -> Known | str:
    """Size and jump of the last layer's field, or why they are unknown."""
    network = archcalc.loads(f'name = "x"\n{inputs}\nlayers = [{layers}]')
    last = network.layers[-1]
    if last.receptive_field is None:
        return last.unknown.get("receptive_field", "no positions")
    return last.receptive_field.size, tuple(map(float, last.receptive_field.jump))


LAYERS = {
    "GATE": '{ name = "g", type = "adaptive_avg_pool2d", output_size = 1 }',
    "EMBEDDING": '{ type = "embedding", num_embeddings = 9, embedding_dim = 4 }',
    "CONV2D": '{ type = "conv2d", out_channels = 4, kernel_size = [1, 3] }',
    "CONV4": '{ type = "conv2d", out_channels = 2, kernel_size = 4 }',
    "PADDED": '{ name = "c", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 }',
}
CONV = '{ type = "conv1d", out_channels = 4, kernel_size = 3 }'


@pytest.mark.parametrize(
    ("inputs", "layers", "known"),
    [
        # An input of two axes has its channels where the first layer that reads channels looks for them.
        ("inputs.x = [16, 16]", CONV, ((3,), (1,))),
        ("inputs.x = [9, 12]", '{ type = "linear", out_features = 4 }', ((1,), (1,))),
        ("inputs.x = [9, 12]", '{ type = "relu" }, { type = "multi_head_attention", num_heads = 3 }', ((9,), (0,))),
        # Reshapes: an axis of size 1 comes and goes.
        ("inputs.x = [8, 1, 98]", f'{{ type = "reshape", shape = [8, 98] }}, {CONV}', ((1, 3), (0, 1))),
        (
            "inputs.x = [8, 98]",
            '{ type = "batch_norm" }, { type = "reshape", shape = [8, 1, 98] }, CONV2D',
            ((3,), (1,)),
        ),
        ("inputs.x = [4, 3, 5]", '{ type = "flatten" }, { type = "linear", out_features = 2 }', ((3, 5), (0, 0))),
        ("inputs.x = [4, 6, 6]", '{ type = "reshape", shape = [4, 6, 3, 2] }', "a reshape splits an axis of positions"),
        # A map of one position, enlarged, is the same everywhere.
        (
            "inputs.x = [3, 4, 4]",
            'CONV4, { type = "upsample", size = 8, mode = "bilinear" }',
            ((4, 4), (0, 0)),
        ),
        # Permuted axes take their fields along.
        (
            "inputs.x = [3, 9, 9]",
            '{ type = "conv2d", out_channels = 2, kernel_size = [3, 5] }, { type = "permute", dims = [0, 2, 1] }',
            ((3, 5), (1, 1)),
        ),
        # Tokens: a linear layer leaves them apart, attention does not.
        (
            'inputs.x = { shape = [7], dtype = "int64" }',
            'EMBEDDING, { type = "linear", out_features = 4 }',
            ((1,), (1,)),
        ),
        (
            'inputs.x = { shape = [7], dtype = "int64" }',
            'EMBEDDING, { type = "multi_head_attention", num_heads = 2 }',
            ((7,), (0,)),
        ),
        # Squeeze-and-excitation: the gate sees everything, and so does what it gates.
        (
            "inputs.x = [4, 8, 8]",
            'PADDED, GATE, { type = "mul", inputs = ["c", "g"] }',
            ((10, 10), (0, 0)),
        ),
        ("inputs.x = [3]", '{ type = "linear", out_features = 2 }', "no positions"),
    ],
)
def test_known_answers(inputs: str, layers: str, known: Known | str) -> None:
    for short, layer in LAYERS.items():
        layers = layers.replace(short, layer)
    assert field(layers, inputs) == known


def test_a_permuted_square_has_its_channels_elsewhere() -> None:
    assert field(f'{{ type = "permute", dims = [1, 0] }}, {CONV}', "inputs.x = [16, 16]") in (
        ((3,), (1,)),
        ((16,), (0,)),
    )


@pytest.mark.parametrize("sizes", ["9, 12", "12, 12"])
def test_two_inputs_that_meet_are_laid_out_alike(sizes: str) -> None:
    tokens = int(sizes.partition(",")[0])
    inputs = f"inputs.x = [{sizes}]\ninputs.positions = [{sizes}]"
    layers = '{ type = "add", inputs = ["x", "positions"] }, { type = "multi_head_attention", num_heads = 3 }'
    assert field(layers, inputs) == ((tokens,), (0.0,))


def test_positions_side_by_side_are_unknown() -> None:
    layers = '{ name = "a", type = "relu" }, { type = "cat", inputs = ["a", "x"], dim = 1 }'
    assert field(f"{layers}, {CONV}", "inputs.x = [3, 8]") == "positions of several inputs lie side by side"


def test_branches_of_different_speed_are_unknown() -> None:
    layers = """
    { name = "a", type = "conv1d", out_channels = 2, kernel_size = 1, stride = 2, padding = 4 },
    { name = "b", type = "conv1d", input = "x", out_channels = 2, kernel_size = 1 },
    { type = "add", inputs = ["a", "b"] },
    """
    reason = "branches meet of which one moves faster over the input than the other"
    assert field(layers, "inputs.x = [1, 8]") == reason


def test_a_residual_graph_convolution_sees_one_hop() -> None:
    spec = """
    name = "x"
    inputs.nodes = [5, 3]
    inputs.edges = { shape = [5, 5], nonzeros = 9 }
    layers = [
      { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 3 },
      { type = "add", inputs = ["nodes", "g"] },
    ]
    """
    found = archcalc.loads(spec).layers[-1].receptive_field
    assert found is not None
    assert (found.size, found.unit) == ((1,), "hops")


def test_misaligned_centres_are_exact() -> None:
    spec = """
    name = "x"
    inputs.i = [1, 20]
    layers = [
      { name = "a", type = "conv1d", out_channels = 1, kernel_size = 2 },
      { type = "upsample", scale_factor = 3 },
    ]
    """
    found = archcalc.loads(spec).layers[-1].receptive_field
    assert found is not None
    assert [str(number) for number in (*found.size, *found.jump, *found.center)] == ["2", "1/3", "1/2"]
    assert found.to_dict() == {"size": [2], "jump": ["1/3"], "center": [0.5], "unit": "pixels"}
