"""Memory against what a dispatch mode sees of every storage, against the allocator of the CPU, and by hand."""

import json

import msgspec
import pytest
from examples import EXAMPLES, Example

import archcalc
from archcalc.pytorch.verify.storages import observe_memory

pytestmark = pytest.mark.usefixtures("one_thread")


def spec(*layers: str, inputs: str, more: str = "", batch: int = 1) -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\n{more}\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=batch)


def check(network: archcalc.Network, dtype: str | None, training: bool) -> None:
    """The two sides agree to the byte, over the whole pass and in every layer."""
    said, seen = network.memory(dtype, training), observe_memory(network, dtype, training)
    assert [row.forward for row in said.layers] == [*seen.forward]
    assert said.peak == seen.peak
    assert said.lower_bound is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_shipped_specs(name: str, training: bool, dtype: str) -> None:
    check(archcalc.load(name, training=training, batch=2 if dtype == "float32" else 3), dtype, training)


@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_shipped_specs_with_a_single_sample(name: str) -> None:
    check(archcalc.load(name), None, training=False)


def alone(example: Example, batch: int, before: str, trainable: bool = True) -> archcalc.Network:
    """The layer of an example, behind a layer of another type for every input that can have a gradient."""
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
# Batches, dtypes, the layer that gives the inputs a gradient (none without one), and whether the layer is trained.
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
