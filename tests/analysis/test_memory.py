"""Memory against what a dispatch mode sees of every storage, against the allocator of the CPU, and by hand."""

import json

import msgspec
import pytest
import torch
from examples import EXAMPLES, Example

import archcalc
from archcalc.analysis.memory import DTYPES, OPTIMIZERS, measure_memory
from archcalc.errors import UsageError
from archcalc.pytorch.verify.memory import observe_memory

pytestmark = pytest.mark.usefixtures("one_thread")

# An adjacency with nonzeros is sparse on the CPU only.
SPARSE = {"gcn_classifier", "gcn_cora"}


def spec(*layers: str, inputs: str, more: str = "", batch: int = 1) -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\n{more}\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=batch)


def check(network: archcalc.Network, dtype: str | None, training: bool, device: str = "meta") -> None:
    """The two sides agree to the byte, over the whole pass and in every layer."""
    said, seen = network.memory(dtype, training), observe_memory(network, dtype, training, device)
    assert [row.forward for row in said.layers] == [*seen.forward]
    assert said.peak == seen.peak
    assert said.lower_bound is None


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_shipped_specs(name: str, training: bool, dtype: str) -> None:
    batch = 1 if dtype == "float32" else 3
    check(archcalc.load(name, training=training, batch=batch), dtype, training, "cpu" if name in SPARSE else "meta")


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
    entries.append(
        ", ".join([f'name = "layer", type = "{example.layer.type}", inputs = {json.dumps(names)}, trainable = {json.dumps(trainable)}', *options])
    )
    return spec(*entries, inputs=", ".join(inputs), batch=batch)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer(example: Example, training: bool) -> None:
    device = "cpu" if any(tensor.nonzeros is not None for tensor in example.inputs) else "meta"
    for batch, dtype, before in (
        (1, "float32", "prelu"),
        (3, "float32", "prelu"),
        (2, "bfloat16", "prelu"),
        (2, "float32", ""),
    ):
        if device == "meta" or dtype == "float32":
            check(alone(example, batch, before), dtype, training, device)
