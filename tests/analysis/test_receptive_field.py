"""Receptive fields with a known answer; random networks are measured by gradients elsewhere."""

import itertools

import pytest

import archcalc
from archcalc.analysis.measures import MEASURES

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
    "DILATED": '{ type = "conv1d", out_channels = 1, kernel_size = 3, dilation = 3 }',
    "CONV4": '{ type = "conv2d", out_channels = 2, kernel_size = 4 }',
    "PADDED": '{ name = "c", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 }',
}
CONV = '{ type = "conv1d", out_channels = 4, kernel_size = 3 }'


@pytest.mark.parametrize(
    ("inputs", "layers", "known"),
    [
        # The first layer that reads channels decides which of two axes holds them.
        ("inputs.x = [16, 16]", CONV, ((3,), (1,))),
        ("inputs.x = [9, 12]", '{ type = "linear", out_features = 4 }', ((1,), (1,))),
        ("inputs.x = [9, 12]", '{ type = "relu" }, { type = "multi_head_attention", num_heads = 3 }', ((9,), (0,))),
        # Reshapes: an axis of size 1 appears and disappears.
        ("inputs.x = [8, 1, 98]", f'{{ type = "reshape", shape = [8, 98] }}, {CONV}', ((1, 3), (0, 1))),
        (
            "inputs.x = [8, 98]",
            '{ type = "batch_norm" }, { type = "reshape", shape = [8, 1, 98] }, CONV2D',
            ((3,), (1,)),
        ),
        ("inputs.x = [4, 3, 5]", '{ type = "flatten" }, { type = "linear", out_features = 2 }', ((3, 5), (0, 0))),
        ("inputs.x = [4, 6, 6]", '{ type = "reshape", shape = [4, 6, 3, 2] }', "a reshape splits an axis of positions"),
        # An enlarged map of one position is the same everywhere.
        (
            "inputs.x = [3, 4, 4]",
            'CONV4, { type = "upsample", size = 8, mode = "bilinear" }',
            ((4, 4), (0, 0)),
        ),
        # Fields follow their axes through a permute.
        (
            "inputs.x = [3, 9, 9]",
            '{ type = "conv2d", out_channels = 2, kernel_size = [3, 5] }, { type = "permute", dims = [0, 2, 1] }',
            ((3, 5), (1, 1)),
        ),
        # A linear layer keeps tokens separate, attention mixes them.
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
        # Squeeze-and-excitation: the gate sees everything, and the gated maps keep their positions.
        ("inputs.x = [4, 8, 8]", "PADDED, GATE", ((10, 10), (0, 0))),
        ("inputs.x = [4, 8, 8]", 'PADDED, GATE, { type = "mul", inputs = ["c", "g"] }', ((3, 3), (1, 1))),
        # A layer without a window decides which axis holds channels, but a layer with a window overrules it.
        ("inputs.x = [8, 24]", f'{{ type = "layer_norm" }}, {CONV}', ((3,), (1,))),
        ("inputs.x = [24, 8]", '{ type = "batch_norm" }, { type = "linear", out_features = 4 }', ((1,), (1,))),
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


def test_concatenated_positions_have_unknown_fields() -> None:
    layers = '{ name = "a", type = "relu" }, { type = "cat", inputs = ["a", "x"], dim = 1 }'
    assert field(f"{layers}, {CONV}", "inputs.x = [3, 8]") == "positions of several inputs lie side by side"


def test_branches_with_different_jumps_have_unknown_fields() -> None:
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


def test_nodes_see_the_fields_of_their_positions() -> None:
    """Pairs of six positions become nodes."""
    spec = """
    name = "x"
    inputs.x = [6, 4]
    inputs.edges = [3, 3]
    layers = [
      { type = "linear", out_features = 2, input = "x" },
      { name = "nodes", type = "conv1d", out_channels = 3, kernel_size = 1, groups = 3 },
      { type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
      { type = "conv1d", out_channels = 1, kernel_size = 1 },
    ]
    """
    found = archcalc.loads(spec).layers[-1].receptive_field
    assert found is not None
    assert found.size == (6,)


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


TWO_READERS = """
name = "a dense layer along time beside a strided convolution"
outputs = ["time", "conv", "sum"]
inputs.x = [8, 24]
layers = [
  { name = "time", type = "linear", input = "x", out_features = 8 },
  { name = "conv", type = "conv1d", input = "x", out_channels = 8, kernel_size = 3, stride = 3 },
  { name = "sum", type = "add", inputs = ["time", "conv"] },
]
"""


def test_layers_read_the_axes_of_an_input_in_their_own_way() -> None:
    time, conv, both = (row.receptive_field.to_dict() for row in archcalc.loads(TWO_READERS).layers)
    assert (time["size"], time["jump"]) == ([1], [1])  # channels apart, all positions
    assert (conv["size"], conv["jump"]) == ([3], [3])  # all channels, positions apart
    # Where they meet, both axes have positions, and units see all along the other branch.
    assert (both["size"], both["jump"]) == ([1, 3], [1, 3])
    assert both["global"] == {"size": [8, 24], "from": "time"}


GATED = """
name = "gated"
inputs.image = [3, 32, 32]
layers = [
  { name = "stem", type = "conv2d", out_channels = 8, kernel_size = 3, stride = 2, padding = 1 },
  { name = "se", type = "squeeze" },
  { name = "next", type = "conv2d", out_channels = 8, kernel_size = 3, padding = 1 },
  { name = "pool", type = "adaptive_avg_pool2d", output_size = 1 },
  { type = "flatten" },
  { name = "head", type = "linear", out_features = 10 },
]
[blocks.squeeze]
parameters = []
layers = [
  { name = "pool", type = "adaptive_avg_pool2d", output_size = 1 },
  { name = "gate", type = "conv2d", out_channels = 8, kernel_size = 1 },
  { name = "scale", type = "mul", inputs = ["input", "gate"] },
]
"""


def test_local_and_global_fields_are_two_facts() -> None:
    network = archcalc.loads(GATED)
    rows = {row.name: row.receptive_field for row in network.layers}
    local = rows["next"]
    assert (local.size, [*map(int, local.jump)], [*map(int, local.center)]) == ((7, 7), [2, 2], [0, 0])
    assert (local.global_size, local.global_from) == ((33, 33), "se.pool")
    assert rows["stem"].global_from is None
    assert (rows["head"].size, [*map(int, rows["head"].jump)]) == ((37, 37), [0, 0])  # from -3 to 33
    text = str(network)
    assert "7×7 + all" in text
    assert "+ all: from se.pool on" in text
    assert MEASURES["receptive_field"].whole(network.context)[:2] == (7, (7, 7))  # the field that budgets limit


def test_a_shortcut_around_attention_keeps_positions() -> None:
    text = """
    name = "block"
    inputs.x = { shape = [7], dtype = "int64" }
    layers = [
      { name = "embedding", type = "embedding", num_embeddings = 9, embedding_dim = 4 },
      { name = "attention", type = "multi_head_attention", num_heads = 2 },
      { name = "sum", type = "add", inputs = ["embedding", "attention"] },
      { name = "dense", type = "linear", out_features = 4 },
    ]
    """
    found = archcalc.loads(text).layers[-1].receptive_field
    assert (found.size, found.jump, found.global_size, found.global_from) == ((1,), (1,), (7,), "attention")


def test_fields_of_concatenated_tokens_are_known_behind_attention() -> None:
    """Tokens of two inputs lie on one axis, with no jump over either input; attention reads all of them."""
    text = """
    name = "class token"
    inputs.token = [1, 8]
    inputs.patches = [6, 8]
    layers = [
      { name = "row", type = "cat", inputs = ["token", "patches"], dim = 0 },
      { name = "attention", type = "multi_head_attention", num_heads = 2 },
    ]
    """
    fields = archcalc.loads(text).context.receptive_fields
    assert fields.on_input(2, "patches").reason == "positions of several inputs lie side by side"
    assert [axis.size for axis in fields.on_input(3, "patches").axes] == [6]


@pytest.mark.parametrize(
    ("layers", "size", "holes"),
    [
        ('{ type = "conv1d", out_channels = 1, kernel_size = 3, dilation = 2 }', 5, True),
        # A kernel of 3 fills the holes of a dilation of 2, and of 3 behind it.
        ('CONV, { type = "conv1d", out_channels = 1, kernel_size = 3, dilation = 3 }', 9, False),
        ('{ type = "conv1d", out_channels = 1, kernel_size = 3, dilation = 2 }, CONV', 7, False),
        ('{ type = "conv1d", out_channels = 1, kernel_size = 3, dilation = 4 }, CONV', 11, True),
        # A stride of 2 over windows of 1 leaves every other position out, also for an average of all.
        ('{ type = "conv1d", out_channels = 1, kernel_size = 1, stride = 2 }, CONV', 5, True),
        (
            '{ type = "max_pool1d", kernel_size = 1, stride = 2 }, { type = "adaptive_avg_pool1d", output_size = 1 }',
            39,
            True,
        ),
        ('{ type = "max_pool1d", kernel_size = 2 }, { type = "adaptive_avg_pool1d", output_size = 1 }', 40, False),
        # Behind a transposed convolution, units see every third position of what lies below a dilation of 3.
        ('DILATED, { type = "conv_transpose1d", out_channels = 1, kernel_size = 2, stride = 2 }', 7, True),
    ],
)
def test_sizes_with_holes_are_marked(layers: str, size: int, holes: bool) -> None:
    layers = layers.replace("CONV", CONV).replace("DILATED", LAYERS["DILATED"])
    network = archcalc.loads(f'name = "x"\ninputs.x = [1, 40]\nlayers = [{layers}]')
    found = network.layers[-1].receptive_field
    assert (found.size, found.holes) == ((size,), (holes,))
    assert found.to_dict().get("holes") == ([True] if holes else None)
    assert ("° holes: a unit does not see" in str(network)) == any(
        row.receptive_field.holes[0] for row in network.layers
    )


@pytest.mark.parametrize("order", [*itertools.permutations(("x", "gated", "again"))], ids=", ".join)
def test_the_order_in_which_branches_meet_does_not_matter(order: tuple[str, ...]) -> None:
    """The positions of `x` are on the last axis of the product, and on the first behind the other branches."""
    inputs = ", ".join(f'"{name}"' for name in order)
    layers = f"""
      {{ name = "maps", type = "embedding", num_embeddings = 4, embedding_dim = 1 }},
      {{ type = "conv1d", out_channels = 1, kernel_size = 1 }},
      {{ name = "gated", type = "mul", inputs = ["maps", "conv1d"] }},
      {{ name = "again", type = "relu" }},
      {{ type = "mul", inputs = [{inputs}] }},
    """
    assert field(layers, 'inputs.x = { shape = [2], dtype = "int64" }') == ((2,), (0,))


@pytest.mark.parametrize("order", [*itertools.permutations(("e", "l2", "l3"))], ids=", ".join)
def test_the_order_does_not_matter_behind_two_layouts_either(order: tuple[str, ...]) -> None:
    layers = f"""
      {{ name = "e", type = "embedding", num_embeddings = 5, embedding_dim = 4 }},
      {{ name = "x0", type = "relu" }},
      {{ name = "l0", type = "linear", out_features = 4, input = "e" }},
      {{ name = "l1", type = "permute", dims = [1, 0], input = "e" }},
      {{ name = "l2", type = "conv1d", out_channels = 4, kernel_size = 1, input = "l0" }},
      {{ type = "add", inputs = ["l1", "l2"] }},
      {{ name = "l3", type = "conv1d", out_channels = 4, kernel_size = 1 }},
      {{ name = "m", type = "mul", inputs = [{", ".join(f'"{name}"' for name in order)}] }},
      {{ type = "cat", inputs = ["m", "x0"], dim = 0 }},
      {{ type = "conv1d", out_channels = 4, kernel_size = 3, padding = 1 }},
    """
    assert field(layers, 'inputs.x = { shape = [4], dtype = "int64" }') == ((4,), (0,))


@pytest.mark.parametrize("order", [*itertools.permutations(("b1", "f", "b3"))], ids=", ".join)
def test_branches_with_global_fields_cover_the_input_together(order: tuple[str, ...]) -> None:
    """All units see positions 0 to 5 and 5 to 7; units of the two branches with different jumps also see others."""
    layers = f"""
      {{ type = "slice", start = 0, stop = 6, dim = 1 }},
      {{ name = "g1", type = "adaptive_avg_pool1d", output_size = 1 }},
      {{ type = "slice", start = 0, stop = 7, dim = 1, input = "x" }},
      {{ name = "c1", type = "conv1d", out_channels = 1, kernel_size = 1, stride = 2 }},
      {{ name = "b1", type = "mul", inputs = ["c1", "g1"] }},
      {{ type = "slice", start = 5, stop = 8, dim = 1, input = "x" }},
      {{ name = "f", type = "adaptive_avg_pool1d", output_size = 1 }},
      {{ type = "slice", start = 1, stop = 6, dim = 1, input = "x" }},
      {{ name = "g3", type = "adaptive_avg_pool1d", output_size = 1 }},
      {{ name = "c3", type = "slice", start = 1, stop = 5, dim = 1, input = "x" }},
      {{ name = "b3", type = "mul", inputs = ["c3", "g3"] }},
      {{ type = "mul", inputs = [{", ".join(f'"{name}"' for name in order)}] }},
    """
    assert field(layers, "inputs.x = [1, 8]") == ((8,), (0,))


def test_a_branch_that_sees_nothing_has_no_global_field() -> None:
    """The units of the first layer read padding alone, and so do all units behind them."""
    layers = """
      { name = "cut", type = "conv_transpose1d", out_channels = 1, kernel_size = 1, stride = 3, padding = 1 },
      { name = "again", type = "conv_transpose1d", out_channels = 1, kernel_size = 1, stride = 3, padding = 1 },
      { type = "linear", out_features = 1 },
      { type = "add", inputs = ["again", "linear"] },
    """
    network = archcalc.loads(f'name = "x"\ninputs.x = [1, 2]\nlayers = [{layers}]')
    for row in network.layers:
        assert "∞" not in str(network.explain(row.name))
        assert "inf" not in str(network.explain(row.name))
