"""ONNX files, run by onnxruntime, have the outputs of the built module."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
import torch
from examples import EXAMPLES, Example, one_layer

import archcalc
from archcalc.errors import UsageError
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.onnx import to_onnx

CASES = Path(__file__).parent.parent / "data" / "export"


pytestmark = pytest.mark.usefixtures("one_thread")


def compare(network: archcalc.Network, batch: int = 3, tolerance: float = 1e-4) -> onnx.ModelProto:
    """The model of a network, after comparing both with equal weights on a batch other than the exported one."""
    torch.manual_seed(0)
    built = build(network).eval()
    data = to_onnx(network, built)
    model = onnx.load_from_string(data)
    onnx.checker.check_model(model, full_check=True)
    inputs = [values.to_dense() for values in random_inputs(network, batch, "cpu")]
    wanted = built(*(values.clone() for values in inputs))
    found = run(data, inputs)
    for one, other in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)
    return model


def run(model: bytes, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs of onnxruntime; a model may lack inputs that nothing reads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    feeds = {item.name: values.numpy() for item, values in zip(session.get_inputs(), inputs, strict=True)}
    return [torch.from_numpy(value) for value in session.run(None, feeds)]


# PyTorch's exporter takes half a minute for a hundred layers: specs with the layer types of smaller specs are left out,
# and so are the two GoogLeNets, one of which needs images of at least 193×193.
LARGE = {"resnet34", "resnet50", "resnet101", "resnet152", "resnet50_feature_extraction", "vgg13", "vgg16", "vgg19"}
LARGE |= {"densenet121", "inception_v3", "mobilenet_v2", "xception", "googlenet"}
LEFT_OUT = LARGE | {"googlenet_2014"}
SMALLER = {
    "alexnet": [3, 63, 63],
    "alexnet_2012": [3, 67, 67],
    "mobilenet_v1": [3, 33, 33],
    "r3d_18": [3, 3, 17, 17],
    "resnet18": [3, 33, 33],
    "squeezenet1_1": [3, 33, 33],
    "unet": [1, 188, 188],
    "vgg11": [3, 33, 33],
}


def test_specs_left_out_have_no_layer_types_of_their_own() -> None:
    types = {name: {row.type for row in archcalc.load(name).layers} for name in archcalc.shipped_specs()}
    tried = set[str]().union(*(found for name, found in types.items() if name not in LEFT_OUT))
    assert set[str]().union(*(types[name] for name in LARGE)) <= tried


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5"})
@pytest.mark.parametrize("name", [name for name in archcalc.shipped_specs() if name not in LEFT_OUT])
def test_every_shipped_spec(name: str) -> None:
    inputs = {next(iter(archcalc.load(name).inputs)): SMALLER[name]} if name in SMALLER else None
    network = archcalc.load(name, inputs=inputs)
    model = compare(network)
    assert [value.name for value in model.graph.input] == [*network.inputs]
    assert [value.name for value in model.graph.output] == [*network.outputs]
    assert model.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"


# PyTorch's exporter supports adaptive pooling only if all windows are equal, and not in three dimensions.
REFUSED = {"adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"}


@pytest.mark.slow
@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer_type(example: Example) -> None:
    network = one_layer(example)
    if example.layer.type in REFUSED:
        with pytest.raises(UsageError, match="PyTorch cannot export"):
            to_onnx(network)
    else:
        compare(network, batch=2, tolerance=1e-3)


def test_average_pooling_of_windows_that_reach_over_the_edge() -> None:
    """The exporter would compute the divisor of each window, and gets it wrong."""
    layer = "kernel_size = [2, 3], padding = [[1, 0], [0, 1]], ceil_mode = true"
    compare(spec("[3, 17, 18]", f'type = "avg_pool2d", {layer}'))


HARD_CASES = ["an_output_that_is_the_only_input", "names_that_are_no_identifiers", "several_inputs_and_outputs"]
MORE_HARD_CASES = [
    "a_layer_inside_a_block_is_read_and_is_an_output",
    "an_output_twice",
    "blocks_in_blocks_with_several_inputs",
    "shared_blocks",
    "shared_layers",
]


@pytest.mark.parametrize(
    "case", [*HARD_CASES, *(pytest.param(case, marks=pytest.mark.slow) for case in MORE_HARD_CASES)]
)
def test_hard_cases(case: str) -> None:
    compare(archcalc.load(CASES / f"{case}.toml"))


def test_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime has no convolution of it on a CPU."""
    monkeypatch.setattr(sys.modules[__name__], "run", run_reference)
    compare(archcalc.load(CASES / "in_double_precision.toml"), tolerance=1e-9)


def run_reference(model: bytes, inputs: list[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs of ONNX's reference implementation."""
    from onnx.reference import ReferenceEvaluator

    evaluator = ReferenceEvaluator(onnx.load_from_string(model))
    feeds = {name: values.numpy() for name, values in zip(evaluator.input_names, inputs, strict=True)}
    return [torch.from_numpy(value) for value in evaluator.run(None, feeds)]


def test_names_that_the_exporter_gives_itself() -> None:
    model = compare(
        archcalc.loads("""
        name = "named as the exporter names values"
        inputs = { x = [4], relu = [4] }
        outputs = ["linear", "x", "x", "sum", "layer.weight"]
        layers = [
          { name = "a b", type = "linear", out_features = 4, input = "x" },
          { name = "b", type = "relu" },
          { name = "sum", type = "add", inputs = ["relu", "b"] },
          { name = "linear", type = "linear", out_features = 4 },
          { name = "layer", type = "block" },
        ]
        [blocks.block]
        layers = [{ name = "weight", type = "tanh" }]
        """)
    )
    assert [value.name for value in model.graph.input] == ["x", "relu"]
    assert [value.name for value in model.graph.output] == ["linear", "x_2", "x_3", "sum", "layer.weight"]


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    to_onnx(archcalc.load("dense_3x3"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_named(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: Callable[..., Any]
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    message = f"error: this needs {package}, which is not installed\n  help: pip install 'archcalc[onnx]'\n"
    assert program("export", "lenet5", "-o", str(tmp_path / "a.onnx")) == (2, "", message)


def spec(x: str, layer: str) -> archcalc.Network:
    return archcalc.loads(f'name = "large"\ninputs.x = {x}\nlayers = [{{ {layer} }}]')


@pytest.mark.parametrize(
    ("sizes", "size"), [((1, 600_000_000), r"2\.2 GiB"), ((1_000_000, 100_000_000), r"372529\.0 GiB")]
)
def test_networks_too_large_for_a_file(sizes: tuple[int, int], size: str) -> None:
    features, out_features = sizes
    network = spec(f"[{features}]", f'type = "linear", out_features = {out_features}, bias = false')
    for built in (None, build(network, "meta")):
        with pytest.raises(UsageError, match=f"weights of {size} are more than the 2 GiB"):
            to_onnx(network, built)


@pytest.mark.parametrize(
    "network",
    [
        spec("[1, 4000000, 4000000]", 'type = "relu"'),
        spec("{ shape = [1000000, 1000000], nonzeros = 900000000000 }", 'type = "relu", when = "training"'),
    ],
    ids=["input", "nonzeros"],
)
def test_networks_too_large_for_the_memory(network: archcalc.Network) -> None:
    with pytest.raises(UsageError, match='"large" does not fit into memory during the export to ONNX'):
        to_onnx(network)


def test_memory_that_runs_out_on_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(torch.onnx, "export", refuse)
    with pytest.raises(UsageError, match='"large" does not fit into memory'):
        to_onnx(spec("[1]", 'type = "relu"'))


def test_more_layers_than_the_exporter_gets_through_are_refused() -> None:
    network = archcalc.loads('name = "x"\ninputs.x = [1]\nlayers = [{ type = "relu", repeat = 5001 }]')
    with pytest.raises(UsageError, match="has 5,001 layers: export to ONNX takes networks of at most 5,000"):
        to_onnx(network)
