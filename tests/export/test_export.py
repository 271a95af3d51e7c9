"""Exported source text has the network's weights and outputs, and passes formatters and linters."""

import json
import subprocess
import sys
import time
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import EXAMPLES, Example, one_layer
from hypothesis import given, settings
from hypothesis import strategies as st
from smaller import smaller
from torch import nn

import archcalc
from archcalc.errors import UsageError
from archcalc.export import source
from archcalc.export.layout import literal
from archcalc.export.proof import find_fault
from archcalc.export.source import growing, write
from archcalc.module_names import MODULE_ATTRIBUTES
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs

DATA = Path(__file__).parent.parent / "data"
RESNET = DATA / "resnet50.toml"
CASES = sorted(DATA.glob("export/*.toml"))  # networks that are hard to write as source text
moderately = settings(max_examples=60)


pytestmark = pytest.mark.usefixtures("one_thread")


def run(text: str) -> nn.Module:
    """An instance of the last class of a source text."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), names)
    *_, last = (item for item in names.values() if isinstance(item, type) and item.__module__ == "exported")
    made: nn.Module = last()
    return made


def state_of(module: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (tensor.shape, tensor.dtype) for name, tensor in module.state_dict(keep_vars=True).items()}


def trained(module: nn.Module) -> dict[str, bool]:
    return {name: tensor.requires_grad for name, tensor in module.state_dict(keep_vars=True).items()}


def identical(module: nn.Module) -> set[frozenset[str]]:
    """Groups of names that share one tensor."""
    together: dict[int, set[str]] = {}
    for name, tensor in module.state_dict(keep_vars=True).items():
        together.setdefault(id(tensor), set()).add(name)
    return {frozenset(names) for names in together.values()}


def check(network: archcalc.Network, quick: archcalc.Network | None = None) -> str:
    """The source text of a network, after comparing its module with the built one.

    Both run on the network's inputs, or on smaller ones that fit the same weights.
    """
    text = network.to_source()
    torch.manual_seed(0)
    made, built = run(text), build(network)
    assert state_of(made) == state_of(built)
    assert trained(made) == trained(built)
    assert identical(made) == identical(built)
    made.load_state_dict(built.state_dict())
    inputs = random_inputs(quick or network, 2, "cpu")
    for training in (False, True):
        # In-place layers may change the inputs; the seed gives dropout the same random numbers.
        found = [seeded(one.train(training), inputs) for one in (made, built)]
        torch.testing.assert_close(*found, equal_nan=True)
    torch.testing.assert_close(made.state_dict(), built.state_dict(), equal_nan=True)
    return text


def seeded(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    """The outputs of a module for copies of inputs, with a fixed random seed."""
    torch.manual_seed(0)
    with torch.no_grad():
        return module(*(values.clone() for values in inputs))


# --- the same network ------------------------------------------------------------------------------------------------


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5", "resnet18", "squeezenet1_1"})
@pytest.mark.parametrize("name", archcalc.shipped_specs())
def test_every_shipped_spec(name: str) -> None:
    network = archcalc.load(name)
    small = archcalc.load(name, inputs=smaller(network))
    # Padding "same" may need other modules at another size.
    alike = str(build(small, "meta")) == str(build(network, "meta"))
    text = check(network, small if alike else network)
    with torch.device("meta"):
        assert [*run(text).state_dict()] == [*build(network, "meta").state_dict()]


@pytest.mark.parametrize("file", CASES, ids=lambda file: file.stem)
def test_every_hard_case(file: Path) -> None:
    check(archcalc.load(file))


def test_parameters_of_networks_whose_stages_are_lists() -> None:
    assert parameters_of("repeats_from_a_list") == 9 * (8 * 8 + 8)
    assert parameters_of("efficientnet") == 5_288_548  # torchvision's efficientnet_b0
    assert parameters_of("regnet") == 4_344_144  # torchvision's regnet_y_400mf
    assert parameters_of("resnext") == 25_028_904  # torchvision's resnext50_32x4d
    assert parameters_of("shufflenet") == 1_366_792  # torchvision's shufflenet_v2_x0_5


def parameters_of(case: str) -> int:
    text = archcalc.load(DATA / "export" / f"{case}.toml").to_source()
    return sum(parameter.numel() for parameter in run(text).parameters())


@pytest.mark.every_spec
@pytest.mark.parametrize("case", [*archcalc.shipped_specs(), *CASES], ids=str)
def test_the_text_and_the_plain_text_equal_the_network(case: str | Path) -> None:
    context = archcalc.load(case).context
    assert find_fault(context, write(context)) is None
    assert find_fault(context, write(context, plain=True)) is None


def test_plain_text_has_the_same_weights_and_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "write", lambda context, **_: write(context, plain=True))
    text = check(archcalc.load(DATA / "export" / "shared_blocks.toml"))
    assert text.count("\nclass ") > 6  # one for each use of a block


# In the class `twice`, the second layer shares the weights of the first; the network replaces them by those of `one`.
SHARED_WITH_WHAT_IS_SHARED = """
name = "shared with what is shared"
inputs.x = [4, 9]
layers = [{ name = "one", type = "twice" }, { name = "two", type = "twice", stride = 2, weights = "one" }]
[blocks.twice]
defaults = { stride = 1 }
layers = [
  { name = "a", type = "conv1d", out_channels = 4, kernel_size = 3, padding = 1, stride = "stride" },
  { name = "b", type = "conv1d", out_channels = 4, kernel_size = 3, padding = 2, weights = "a" },
]
"""


def test_instances_that_cannot_share_a_class_are_written_plainly() -> None:
    network = archcalc.loads(SHARED_WITH_WHAT_IS_SHARED)
    assert find_fault(network.context, write(network.context)) == "'weight' is shared twice"
    assert "class Twice2" in check(network)


@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer_type(example: Example) -> None:
    check(one_layer(example))


def test_resnet50() -> None:
    check(archcalc.load(RESNET, inputs={"image": [3, 32, 32]}))


# --- how it reads ----------------------------------------------------------------------------------------------------


def ruff(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def test_formatters_and_linters_find_nothing(tmp_path: Path) -> None:
    networks = [archcalc.load(RESNET), *map(archcalc.load, archcalc.shipped_specs()), *map(one_layer, EXAMPLES)]
    networks += map(archcalc.load, CASES)
    for number, network in enumerate(networks):
        (tmp_path / f"model_{number}.py").write_text(network.to_source(), "utf-8")
    for command in (["check"], ["format", "--diff"]):
        done = ruff(*command, "--isolated", ".", folder=tmp_path)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", ["lenet5", "resnet50"])
def test_golden_texts(name: str, golden: Callable[[Path, str], None]) -> None:
    network = archcalc.load(RESNET if name == "resnet50" else name)
    golden(Path("source", f"{name}.txt"), network.to_source())


def test_values_that_differ_are_parameters_by_the_names_of_the_spec() -> None:
    text = archcalc.load(RESNET).to_source()
    assert "self.expand = ConvBn(width, 4 * width)" in text
    assert "*(Bottleneck(4 * width, width) for _ in range(count - 1))," in text
    assert "self.stage2 = Stage(256, 128, 4)" in text
    assert text.count("\nclass ") == 4


def test_every_class_is_there_once() -> None:
    text = archcalc.load(DATA / "export" / "shared_blocks.toml").to_source()
    assert [line for line in text.splitlines() if line.startswith("class")] == [
        "class ConvBn(nn.Module):",
        "class Trunk(nn.Module):",
        "class Siamese(nn.Module):",
    ]
    assert "self.trunk_right = self.trunk_left" in text


def test_copies_whose_arguments_grow_are_a_loop() -> None:
    text = archcalc.load(DATA / "export" / "copies_that_grow.toml").to_source()
    assert "*(DenseLayer(in_channels + 32 * index) for index in range(count))," in text
    assert "self.dense3 = DenseBlock(256, 24)" in text


@pytest.mark.parametrize("start", ["0", "5", "width", "2 * width", "width - 1", "4 if wide else 3"])
@pytest.mark.parametrize("step", ["0", "1", "3", "-1", "-2", "width", "width // 2", "width - 1"])
def test_growing_values(start: str, step: str) -> None:
    for index in range(4):
        names = {"width": 7, "wide": False, "index": index}
        assert eval(growing(start, step), names) == eval(start, names) + eval(step, names) * index


def test_growing_values_are_short() -> None:
    assert growing("0", "2") == "2 * index"
    assert growing("width", "1") == "width + index"


def test_modules_that_may_be_missing_are_identities() -> None:
    text = archcalc.load(DATA / "export" / "blocks_with_and_without_a_part.toml").to_source()
    assert "self.side = ConvBn(in_channels, channels) if project else nn.Identity()" in text
    assert "self.pool = nn.MaxPool2d(3, stride=1, padding=1) if pool else nn.Identity()" in text


def test_copies_called_one_by_one_are_a_loop() -> None:
    text = archcalc.load(DATA / "export" / "copies_with_two_inputs.toml").to_source()
    assert "self.step = nn.ModuleList([Update() for _ in range(3)])" in text
    assert "for layer in self.step:\n            x = layer(x, skip)" in text


def test_only_used_modules_are_copied() -> None:
    assert "ConnectedConv" not in archcalc.load("lenet5").to_source()
    assert archcalc.load("lenet5_1998").to_source().count("class ConnectedConv") == 1


def test_modules_to_copy_fit_the_width_of_exported_text() -> None:
    folder = Path(archcalc.__file__).parent / "pytorch"
    done = ruff("format", "--isolated", "--diff", "modules.py", folder=folder)
    assert done.returncode == 0, done.stdout


# --- names and texts in a spec ---------------------------------------------------------------------------------------

MEANINGFUL = [*"'\"\\\n#{}%$\t\0\x85\u2028 ", '"""', "'''", "\\N", "\\x", "${", "f'", "é", "import os", "self", "torch"]
TEXTS = st.lists(st.sampled_from(MEANINGFUL) | st.characters(codec="utf-8"), min_size=1, max_size=9).map("".join)


@given(TEXTS)
@moderately
def test_any_text_is_data(text: str) -> None:
    assert eval(literal(text)) == text
    name = text.replace(".", "") or "x"
    entry = {"name": name, "type": "linear", "out_features": 4}
    spec = {
        "name": text,
        "source": text,
        "inputs": {name: [4]},
        "layers": [entry | {"name": f"1{name}"}, {"name": f"a{name}", "type": name, "trainable": False}],
        "blocks": {name: {"layers": [entry]}},
    }
    try:
        network = archcalc.loads("\n".join(f"{key} = {inline(value)}" for key, value in spec.items()))
    except archcalc.SpecError:
        return  # a name that no spec may have
    if name not in MODULE_ATTRIBUTES:
        check(network)


HOSTILE = ["torch", "nn", "functional", "self", "x", "out", "outputs", "range", "len", "super", "float", "int", "tuple"]
HOSTILE += ["index_", "layer", "owner", "user", "copies", "step", "repeat", "in_channels", "in_features", "with_extra"]
HOSTILE += ["_", "__init__", "__x", "l", "O", "class", "print", "Tensor", "Identity", "Sequential", "value", "number"]
HOSTILE += ["ﬁ", "ℌ", "e\u0301", "ＳＥＬＦ", "self\n", "a b", "'", '"""', "\\", "\\N{DASH}", "{x}", "%s", "1x", "None"]
NO_PARAMETERS = {"class", "repeat", "functional", "int", "None", "copies"}  # names with a meaning in expressions


@pytest.mark.parametrize("name", HOSTILE)
def test_names_with_a_meaning_in_python(name: str) -> None:
    fits = name.isidentifier() and name not in NO_PARAMETERS and unicodedata.normalize("NFKC", name) == name
    parameter = name if fits else "parameter"
    block = {
        "parameters": [parameter, "copies"],
        "inputs": [name],
        "layers": [
            {"name": f"{name}_", "type": "linear", "out_features": f"{parameter} * 2"},
            {"name": "stack", "type": "linear", "out_features": f"{parameter} + 1", "repeat": "copies[0]"},
            {"name": "extra", "type": "linear", "out_features": parameter, "when": f"{parameter} > 3"},
            {"name": f"{name}2", "type": "cat", "inputs": ["extra", name], "when": f"{parameter} > 4"},
        ],
    }
    uses = [{"name": f"{name}{count}", "type": name, parameter: count, "copies": [count]} for count in (3, 4, 5)]
    spec = {"name": name, "variables": {"variable": 1}, "inputs": {name: [4]}, "layers": uses, "blocks": {name: block}}
    spec["layers"][0]["repeat"] = 2  # type: ignore[index]
    network = archcalc.loads("\n".join(f"{key} = {inline(value)}" for key, value in spec.items()))
    check(network)
    assert find_fault(network.context, write(network.context)) is None


def inline(value: Any) -> str:
    """A value as TOML, every letter escaped."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{inline(key)} = {inline(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(inline, value))}]"
    return json.dumps(value) if not isinstance(value, str) else f'"{"".join(map(escaped, value))}"'


def escaped(letter: str) -> str:
    return f"\\U{ord(letter):08x}"


def test_the_attributes_of_modules_are_known() -> None:
    # Once PyTorch's compiler has run in this process, it leaves marks of three underscores on the class.
    assert {name for name in dir(nn.Module()) if not name.startswith("___")} <= MODULE_ATTRIBUTES


@pytest.mark.parametrize("name", ["forward", "training", "_modules", "_steps", "__class__"])
@pytest.mark.parametrize("layer_type", ["relu", "block"])
def test_a_reserved_name_is_refused_as_in_build(name: str, layer_type: str) -> None:
    network = archcalc.loads(f"""
    name = "taken"
    inputs.x = [4]
    layers = [{{ name = "{name}", type = "{layer_type}" }}]
    blocks.block.layers = [{{ name = "inside", type = "relu" }}]
    """)
    with pytest.raises(UsageError, match=f'^"{name}" cannot be built: ') as ours:
        network.to_source()
    with pytest.raises(UsageError) as theirs:
        build(network)
    assert str(ours.value) == str(theirs.value)


def test_torch_is_not_imported() -> None:
    script = "import sys; sys.modules['torch'] = None; import archcalc; archcalc.load('gcn_cora').to_source()"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_heads_of_training() -> None:
    text = """
    name = "an auxiliary head"
    outputs = ["logits", "extra"]
    inputs.x = [4]
    layers = [
      { name = "hidden", type = "linear", out_features = 3 },
      { name = "extra", type = "linear", out_features = 2, when = "training" },
      { name = "logits", type = "linear", input = "hidden", out_features = 2 },
    ]"""
    assert "extra" not in check(archcalc.loads(text))
    assert "self.extra = " in check(archcalc.loads(text, training=True))


LONG = {
    "a chain": "layers = [" + "{ type = 'relu' }, " * 30_000 + "]",
    "blocks": "layers = [{ type = 'b', repeat = 10000 }]\nblocks.b.layers = [{ type = 'linear', out_features = 4 },"
    " { type = 'add', inputs = ['linear', 'input'] }, { type = 'relu' }]",
    "copies that differ": "layers = [{ type = 'linear', out_features = '1 + index % 7', repeat = 10000 }]",
    "shared": "layers = [{ type = 'linear', out_features = 4, name = 'a' },"
    " { type = 'linear', out_features = 4, weights = 'a', repeat = 10000 }]",
}


@pytest.mark.slow
@pytest.mark.parametrize("layers", LONG.values(), ids=LONG)
def test_a_very_long_network_takes_seconds(layers: str) -> None:
    network = archcalc.loads(f"name = 'long'\ninputs.x = [4]\n{layers}")
    start = time.perf_counter()
    compile(network.to_source(), "exported", "exec")
    assert time.perf_counter() - start < 30


def test_a_sum_of_very_many_inputs() -> None:
    inputs = ", ".join(f'"r.{number}"' for number in range(3000))
    layers = f'[{{ name = "r", type = "relu", repeat = 3000 }}, {{ type = "add", inputs = [{inputs}] }}]'
    check(archcalc.loads(f'name = "sum"\ninputs.x = [4]\nlayers = {layers}'))


def test_a_module_of_one_copy_uses_the_parameters_of_the_block() -> None:
    text = archcalc.load(DATA / "export" / "one_projection.toml").to_source()
    assert "self.short = nn.Conv2d(8, channels, 1, stride=stride)" in text
