"""The built network: names, sharing, freezing, inputs and outputs, devices, and PyTorch's compilers."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from smaller import smaller
from torch import nn

import archcalc
from archcalc.errors import UsageError
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs

BLOCKS = """
name = "blocks"
[inputs]
image = [3, 8, 8]
[blocks.conv_bn]
parameters = ["channels"]
layers = [
  { name = "conv", type = "conv2d", out_channels = "channels", kernel_size = 3, padding = 1, bias = false },
  { name = "bn", type = "batch_norm" },
]
[[layers]]
name = "stage"
type = "conv_bn"
channels = 4
repeat = 2
[[layers]]
name = "head"
type = "conv2d"
out_channels = 2
kernel_size = 1
"""


def chain(*layers: str, inputs: str = "x = [4]", more: str = "") -> archcalc.Network:
    entries = ", ".join(f"{{ {layer} }}" for layer in layers)
    return archcalc.loads(f'name = "chain"\n{more}\ninputs = {{ {inputs} }}\nlayers = [{entries}]')


def test_tied_weights_of_different_types() -> None:
    network = archcalc.loads("""
    name = "a language model's two ends"
    inputs.words = { shape = [6], dtype = "int64" }
    layers = [
      { name = "embedding", type = "embedding", num_embeddings = 50, embedding_dim = 8 },
      { name = "logits", type = "linear", out_features = 50, bias = false, weights = "embedding" },
    ]
    """)
    built = build(network)
    assert network.totals.parameters == sum(p.numel() for p in built.parameters()) == 50 * 8
    words = torch.randint(50, (2, 6))
    table = built.get_submodule("embedding").weight
    assert torch.equal(built(words), table[words] @ table.T)


def test_full_stops_in_names_make_nested_modules() -> None:
    built = build(archcalc.loads(BLOCKS))
    keys = [*built.state_dict()]
    assert keys[:3] == ["stage.0.conv.weight", "stage.0.bn.weight", "stage.0.bn.bias"]
    assert keys[-2:] == ["head.weight", "head.bias"]
    assert isinstance(built.get_submodule("stage.1.bn"), nn.BatchNorm2d)
    assert built(torch.zeros(2, 3, 8, 8)).shape == (2, 2, 8, 8)


@pytest.mark.parametrize("name", ["squeezenet1_1", "densenet121", "unet", "googlenet", "mobilenet_v2"])
def test_weights_are_in_the_order_of_the_layers(name: str) -> None:
    network = archcalc.load(name)
    layers = dict.fromkeys(key.rpartition(".")[0] for key in build(network, "meta").state_dict())
    assert [*layers] == [row.name for row in network.layers if row.parameters or row.buffers]


def test_a_block_runs_by_itself_and_its_hooks_do() -> None:
    built = archcalc.build(
        Path(__file__).parent.parent / "data" / "resnet50.toml", inputs={"image": [3, 64, 64]}
    ).eval()
    seen: dict[str, tuple[int, ...]] = {}
    for name, module in built.named_modules():
        module.register_forward_hook(lambda _m, _i, output, name=name: seen.update({name: tuple(output.shape)}))
    built(torch.rand(1, 3, 64, 64))
    assert {*seen} == {name for name, _ in built.named_modules()}
    assert seen["stage2"] == seen["stage2.3"] == seen["stage2.3.add"] == (1, 512, 8, 8)
    values = torch.rand(1, 256, 16, 16)
    assert isinstance(built.stage2, nn.Sequential)
    torch.testing.assert_close(built.stage2(values), built.stage2[1:](built.stage2[0](values)))


OPEN = """
name = "a block that something outside runs in between of"
inputs.x = [4]
outputs = ["outside", "pair"]
layers = [
  { name = "pair", type = "pair", inputs = ["x", "outside"] },
  { name = "outside", type = "linear", input = "pair.first", out_features = 4 },
]
[blocks.pair]
inputs = ["a", "b"]
layers = [
  { name = "first", type = "linear", input = "a", out_features = 4 },
  { type = "add", inputs = ["first", "b"] },
]
"""


def test_a_block_that_cannot_run_as_one_call_holds_its_layers() -> None:
    built = archcalc.build(archcalc.loads(OPEN))
    values = torch.rand(2, 4)
    outside, pair = built(values)
    torch.testing.assert_close(outside, built.outside(built.pair.first(values)))
    torch.testing.assert_close(pair, built.pair.first(values) + outside)


def test_inputs_may_be_passed_by_name() -> None:
    built = build(chain('type = "add", inputs = ["x", "y"]', inputs="x = [4], y = [4]"))
    one, other = torch.rand(2, 2, 4)
    assert torch.equal(built(one, other), built(y=other, x=one))
    assert torch.equal(built(one, other), built(one, y=other))
    with pytest.raises(TypeError, match="takes x, y; it got 1 inputs, z"):
        built(one, z=other)


def test_submodules_can_be_replaced() -> None:
    built = build(chain('name = "a", type = "linear", out_features = 2'))
    built.a = nn.Linear(4, 7)
    assert built(torch.zeros(2, 4)).shape == (2, 7)


SHARED = (
    'name = "a", type = "linear", out_features = 4',
    'name = "b", type = "linear", out_features = 4, weights = "a"',
)


def test_shared_weights_are_the_same_parameters() -> None:
    network = chain(*SHARED)
    built = build(network)
    assert built.a.weight is built.b.weight
    assert sum(parameter.numel() for parameter in built.parameters()) == network.totals.parameters == 20
    built.a.weight.data.fill_(1)
    built.a.bias.data.zero_()
    torch.testing.assert_close(built(torch.ones(1, 4)), torch.full((1, 4), 16.0))


@pytest.mark.parametrize(("layer", "refused"), [('"linear", out_features = 4', True), ('"relu"', False)])
def test_weights_of_another_dtype_are_not_shared(layer: str, refused: bool) -> None:
    layers = (f'name = "a", type = {layer}, input = "x"', f'name = "b", type = {layer}, input = "y", weights = "a"')
    inputs = 'x = [4], y = { shape = [4], dtype = "float64" }'
    if not refused:  # nothing is shared
        chain(*layers, inputs=inputs)
        return
    with pytest.raises(archcalc.SpecError, match="its weights are float64, those are float32"):
        chain(*layers, inputs=inputs)


@pytest.mark.parametrize("dtypes", [("int64", "int32"), ("int32", "int64")], ids=" ".join)
def test_tables_are_shared_whatever_the_dtype_of_the_words(dtypes: tuple[str, ...]) -> None:
    embedding = 'type = "embedding", num_embeddings = 5, embedding_dim = 2'
    layers = (f'name = "a", {embedding}, input = "x"', f'name = "b", {embedding}, input = "y", weights = "a"')
    x, y = (f'{{ shape = [3], dtype = "{dtype}" }}' for dtype in dtypes)
    network = chain(*layers, inputs=f"x = {x}, y = {y}", more='outputs = ["a", "b"]')
    one, other = build(network)(*random_inputs(network, 2, "cpu"))
    assert one.dtype == other.dtype == torch.float32


@pytest.mark.parametrize("layer_type", ["batch_norm", "multi_head_attention"])
def test_sharing_outlives_moves_and_copies(layer_type: str) -> None:
    more = ", num_heads = 2" if layer_type == "multi_head_attention" else ""
    layers = (f'name = "{name}", type = "{layer_type}"{more}' for name in ("a", 'b", weights = "a'))
    network = chain(*layers, inputs="x = [6, 4]")
    with torch.device("meta"):
        built = build(network)
    moved = copy.deepcopy(built.to_empty(device="cpu").double())
    for kind in ("parameters", "buffers"):
        ours, theirs = (dict(getattr(module, f"named_{kind}")()) for module in (moved.a, moved.b))
        assert all(ours[name] is theirs[name] for name in theirs)
    assert sum(parameter.numel() for parameter in moved.parameters()) == network.totals.parameters
    assert sum(buffer.numel() for buffer in moved.buffers()) == network.totals.buffers


def test_frozen_layers_take_no_gradient() -> None:
    layers = [f'name = "{name}", type = "linear", out_features = 4' for name in "ab"]
    network = chain(layers[0] + ", trainable = false", layers[1])
    parameters = dict(build(network).named_parameters())
    assert {name: parameter.requires_grad for name, parameter in parameters.items()} == {
        "a.weight": False,
        "a.bias": False,
        "b.weight": True,
        "b.bias": True,
    }
    trainable = sum(parameter.numel() for parameter in parameters.values() if parameter.requires_grad)
    assert trainable == network.totals.trainable_parameters


def test_inputs_and_outputs_are_in_the_order_of_the_spec() -> None:
    network = chain(
        'name = "table", type = "embedding", num_embeddings = 9, embedding_dim = 5, input = "tokens"',
        'name = "dense", type = "linear", out_features = 2, input = "x"',
        inputs='x = [4], tokens = { shape = [3], dtype = "int64" }',
        more='outputs = ["table", "dense", "x"]',
    )
    values = torch.rand(2, 4)
    table, dense, same = build(network)(values, torch.zeros(2, 3, dtype=torch.long))
    assert (table.shape, dense.shape) == ((2, 3, 5), (2, 2))
    assert same is values


def test_a_missing_input_is_named() -> None:
    with pytest.raises(TypeError, match="takes x, y; it got 1 inputs"):
        build(chain('type = "add", inputs = ["x", "y"]', inputs="x = [4], y = [4]"))(torch.zeros(2, 4))


def test_parameters_have_the_dtype_of_their_input() -> None:
    built = build(chain('name = "a", type = "batch_norm"', inputs='x = { shape = [4], dtype = "float64" }'))
    assert built.a.weight.dtype == torch.double
    assert built.a.num_batches_tracked.dtype == torch.long
    assert built(torch.zeros(2, 4, dtype=torch.double)).dtype == torch.double


def test_a_tensor_is_released_after_its_last_reader() -> None:
    built = build(chain(*['type = "relu"'] * 3, 'type = "add", inputs = ["relu", "relu_3"]'))
    assert [step.spent for step in built._steps] == [(0,), (), (2,), (1, 3)]


@pytest.mark.parametrize("name", ["forward", "training", "type", "_modules", "T_destination", "_steps"])
def test_a_name_that_modules_reserve_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f'^"{name}" cannot be built: .* use other names'):
        build(chain(f'name = "{name}", type = "relu"'))


def test_all_reserved_names_are_reported_at_once() -> None:
    names = ["forward", "half", "train"]
    network = chain(*[f'name = "{name}", type = "relu"' for name in ["a", *names]])
    listed = '"forward", "half", "train"'
    with pytest.raises(UsageError, match=f"^{listed} cannot be built: "):
        build(network)
    with pytest.raises(UsageError, match=f"^{listed} cannot be built"):
        network.to_source()


def test_a_reserved_name_of_a_block_is_refused() -> None:
    with pytest.raises(UsageError, match=r'^"half" cannot be built: '):
        build(archcalc.loads(BLOCKS.replace('"stage"', '"half"')))


@pytest.mark.parametrize("name", ["weight", "bias", "a layer", "0", "ß", "class"])
def test_other_names_are_accepted(name: str) -> None:
    built = build(chain(f'name = "{name}", type = "linear", out_features = 2'))
    assert [*built.state_dict()] == [f"{name}.weight", f"{name}.bias"]
    assert built.train().eval()(torch.zeros(2, 4)).shape == (2, 2)


# --- the public function ---------------------------------------------------------------------------------------------


def test_a_spec_is_built_by_name_with_its_options() -> None:
    built = archcalc.build("stacked_3x3", variables={"C": 4}, inputs={"image": [4, 9, 9]})
    assert sum(parameter.numel() for parameter in built.parameters()) == 27 * 4**2
    assert archcalc.build(archcalc.load("lenet5")).C1.weight.shape == (6, 1, 5, 5)


def test_a_loaded_network_takes_no_more_options() -> None:
    with pytest.raises(UsageError, match="a loaded network takes no variables"):
        archcalc.build(archcalc.load("lenet5"), training=True)


def test_heads_of_training_exist_in_training_alone() -> None:
    network = """
    name = "an auxiliary head"
    outputs = ["logits", "auxiliary"]
    inputs.x = [4]
    layers = [
      { name = "hidden", type = "linear", out_features = 3 },
      { name = "auxiliary", type = "linear", out_features = 2, when = "training" },
      { name = "logits", type = "linear", input = "hidden", out_features = 2 },
    ]
    """
    values = torch.rand(5, 4)
    assert archcalc.build(archcalc.loads(network))(values).shape == (5, 2)
    assert [output.shape for output in archcalc.build(archcalc.loads(network, training=True))(values)] == [(5, 2)] * 2


def test_a_network_larger_than_any_memory_is_built_on_meta() -> None:
    network = chain('name = "a", type = "linear", out_features = 1000000000', inputs="x = [1000000000]")
    built = archcalc.build(network, device="meta", dtype="bfloat16")
    assert built.a.weight.numel() == 10**18
    assert built(*random_inputs(network, 2, "meta", "bfloat16")).shape == (2, 10**9)


def test_a_dtype_is_for_floating_point_parameters() -> None:
    built = archcalc.build(chain('name = "a", type = "batch_norm"'), dtype=torch.double)
    assert (built.a.weight.dtype, built.a.num_batches_tracked.dtype) == (torch.double, torch.long)


def test_the_adjacency_is_sparse_with_the_nonzeros_of_the_spec() -> None:
    network = archcalc.load("gcn_cora", inputs={"features": [2708, 20]})
    features, adjacency = random_inputs(network, 2, "cpu")
    assert adjacency._nnz() == 13264
    assert archcalc.build(network)(features, adjacency).shape == (2, 2708, 7)


@pytest.mark.parametrize("layer", ['"relu"', '"cat", inputs = ["x", "x"]', '"identity"'])
def test_only_a_graph_convolution_reads_a_sparse_matrix(layer: str) -> None:
    message = "takes a tensor for each sample, not an input with nonzeros"
    with pytest.raises(archcalc.ShapeError, match=message):
        archcalc.loads(f'name = "x"\ninputs.x = {{ shape = [3, 3], nonzeros = 4 }}\nlayers = [{{ type = {layer} }}]')


@pytest.mark.parametrize(
    ("device", "message"),
    [("cud", 'no device is called "cud"; did you mean "cuda"'), ("cuda:99", 'device "cuda:99" is not there: PyTorch')],
)
def test_a_missing_device(device: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        archcalc.build("lenet5", device=device)


def test_a_dtype_that_does_not_exist() -> None:
    with pytest.raises(UsageError, match='no dtype is called "float31"; did you mean "float32"'):
        archcalc.build("lenet5", dtype="float31")


def test_without_torch_an_error_names_the_remedy() -> None:
    script = "import sys; sys.modules['torch'] = None; import archcalc; archcalc.build('lenet5')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr.endswith(
        "UsageError: this needs PyTorch, which is not installed; pip install 'archcalc[torch]'\n"
    )


@pytest.mark.cuda
def test_a_network_is_built_on_the_gpu() -> None:
    network = archcalc.load("lenet5")
    built = archcalc.build(network, device="cuda", dtype="float16")
    assert {parameter.device.type for parameter in built.parameters()} == {"cuda"}
    assert built(*random_inputs(network, 2, "cuda", "float16")).dtype == torch.half


# --- PyTorch's compilers ---------------------------------------------------------------------------------------------

SHIPPED = archcalc.shipped_specs()


def built_with_inputs(name: str) -> tuple[nn.Module, list[torch.Tensor]]:
    """A shipped spec's module with dense inputs, since the compilers refuse sparse ones."""
    network = archcalc.load(name, inputs=smaller(archcalc.load(name)))
    return build(network).eval(), [values.to_dense() for values in random_inputs(network, 2, "cpu")]


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5", "resnet18"})
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_spec_can_be_exported_as_a_graph(name: str) -> None:
    built, values = built_with_inputs(name)
    exported = torch.export.export(built, tuple(values))
    assert {*exported.state_dict} == {*built.state_dict()}
    torch.testing.assert_close(exported.module()(*values), built(*values))


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_every_shipped_spec_can_be_compiled_in_one_piece(name: str) -> None:
    torch.compiler.reset()  # PyTorch keeps only a few compiled forms of a function
    built, values = built_with_inputs(name)
    # Compilation after the capture takes half a minute for a large network, and meets the same kinds of layers.
    backend = "aot_eager" if len(archcalc.load(name).layers) < 60 else "eager"
    compiled = torch.compile(built, fullgraph=True, backend=backend)
    torch.testing.assert_close(compiled(*values), built(*values))


@pytest.mark.parametrize("size", [10**23, 2**61])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_sizes_beyond_any_tensor(size: int, device: str) -> None:
    network = chain(f'name = "fc", type = "linear", out_features = "{size}"')
    with pytest.raises(UsageError, match=f'weight of layer "fc", {size}×4, is larger than any tensor of PyTorch'):
        build(network, device)
    network = chain('name = "a", type = "relu"', inputs=f"x = [{size}]")
    with pytest.raises(UsageError, match=f'input "x", 2×{size}, is larger than any tensor of PyTorch'):
        random_inputs(network, 2, device)
