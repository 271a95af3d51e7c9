"""Layers that work in place: archcalc and PyTorch both refuse to overwrite a value that is needed, or neither does."""

import json
from typing import Any

import msgspec
import pytest
import torch
from examples import EXAMPLES, Example
from torch import nn

import archcalc
from archcalc.layers import LAYER_TYPES
from archcalc.pytorch.build import make_module
from archcalc.pytorch.verify.storages import observe_memory

pytestmark = pytest.mark.usefixtures("one_thread")

IN_PLACE = sorted(name for name, layer in LAYER_TYPES.items() if "inplace" in layer.__struct_fields__)


def spec(*layers: str, inputs: str = "x = [6, 8, 8]", more: str = "") -> archcalc.Network:
    entries = "".join(f"  {{ {layer} }},\n" for layer in layers)
    return archcalc.loads(f'name = "t"\n{more}\ninputs = {{ {inputs} }}\nlayers = [\n{entries}]', batch=2)


def problems(*layers: str, **options: str) -> list[tuple[str, str | None]]:
    try:
        spec(*layers, **options)
    except archcalc.SpecError as error:
        return [(problem.message, problem.reason) for problem in error.diagnostics]
    return []


CONV = 'type = "conv2d", out_channels = 6, kernel_size = 3, padding = 1'
READ_LATER = 'layer "act" works in place on a value that layer "sum" reads later'


def test_layer_types_with_inplace_are_pytorchs() -> None:
    def has_it(layer_type: str) -> bool:
        example = next(example for example in EXAMPLES if example.layer.type == layer_type)
        return hasattr(make_module(example.layer.module(example.inputs)), "inplace")

    assert sorted(name for name in LAYER_TYPES if has_it(name)) == IN_PLACE


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("layer_type", IN_PLACE)
def test_memory_equals_pytorchs(layer_type: str, training: bool) -> None:
    other = ', inputs = ["{}", "input"]' if layer_type == "add" else ""
    network = spec(
        f'name = "input", {CONV}',
        f'name = "a", {CONV}',
        f'type = "{layer_type}", inplace = true{other.format("a")}',
        CONV,
        'name = "b", type = "batch_norm"',
        f'type = "{layer_type}", inplace = true{other.format("b")}',
    )
    predicted, seen = network.memory(training=training), observe_memory(network, training=training)
    assert [row.forward for row in predicted.layers] == [*seen.forward]
    assert predicted.peak == seen.peak
    assert predicted.layers[2].output == 0


def test_in_place_saves_an_output() -> None:
    plain, in_place = (spec(CONV, f'type = "relu"{option}').memory() for option in ("", ", inplace = true"))
    assert in_place.peak == plain.peak - 4 * 2 * 6 * 8 * 8


def test_overwriting_a_value_that_is_read_later() -> None:
    found = problems(
        f'name = "a", {CONV}',
        'name = "act", type = "relu", inplace = true',
        'name = "sum", type = "add", inputs = ["act", "a"]',
    )
    assert found == [(READ_LATER, '"sum" would read the result of "act" instead')]


def test_overwriting_a_value_that_is_read_later_through_a_view() -> None:
    found = problems(
        f'name = "a", {CONV}',
        'name = "flat", type = "flatten"',
        'name = "act", type = "relu", inplace = true',
        'name = "b", type = "flatten", input = "a"',
        'name = "sum", type = "add", inputs = ["act", "b"]',
    )
    assert (
        'layer "act" works in place on a value that layer "b" reads later',
        '"b" would read the result of "act" instead',
    ) in found


def test_dropout_shares_its_memory_at_inference_alone() -> None:
    layers = [f'name = "a", {CONV}', 'type = "dropout"', 'name = "act", type = "relu", inplace = true']
    assert problems(*layers, 'name = "sum", type = "add", inputs = ["act", "a"]') == [
        (READ_LATER, '"sum" would read the result of "act" instead')
    ]


def test_an_output_of_the_network() -> None:
    found = problems(
        f'name = "a", {CONV}', 'name = "act", type = "relu", inplace = true', more='outputs = ["a", "act"]'
    )
    assert found == [('layer "act" works in place on a value that is an output of the network', None)]


def test_a_value_without_later_readers_may_be_overwritten() -> None:
    layers = [f'name = "a", {CONV}', 'type = "add", inputs = ["a", "a"]', 'type = "relu", input = "a", inplace = true']
    assert problems(*layers) == []


SUM = 'name = "sum", type = "add", inplace = true'


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            ['name = "small", type = "adaptive_avg_pool2d", output_size = 1', f'{SUM}, inputs = ["small", "x"]'],
            "a sum of 6×8×8 cannot overwrite 6×1×1",
        ),
        ([f'{SUM}, inputs = ["ids", "x"]'], "a sum of float32 cannot overwrite int64"),
        (
            [f'name = "a", {CONV}, input = "x"', f'{SUM}, inputs = ["a", "a"]'],
            'layer "sum" works in place on a value that it reads as another input, too',
        ),
        (
            [
                f'name = "a", {CONV}, input = "x"',
                'name = "b", type = "permute", dims = [0, 2, 1]',
                f'{SUM}, inputs = ["a", "b"]',
            ],
            'layer "sum" works in place on a value that it reads as another input, too',
        ),
    ],
)
def test_a_sum_that_cannot_be_in_place(layers: list[str], message: str) -> None:
    inputs = 'x = [6, 8, 8], ids = { shape = [6, 8, 8], dtype = "int64" }'
    layers = [layers[0].replace("output_size = 1", 'output_size = 1, input = "x"'), *layers[1:]]
    assert [found.partition(": ")[0] for found, _ in problems(*layers, inputs=inputs)] == [message]
    plain = [layer.replace(", inplace = true", "") for layer in layers]
    assert problems(*plain, inputs=inputs) == []


def test_an_overwritten_input_holds_the_operands_of_its_sum() -> None:
    """The caller holds the tensor, which now has a gradient."""
    network = spec(
        'name = "kept", type = "tanh"',
        'name = "a", type = "batch_norm"',
        'name = "sum", type = "add", inputs = ["x", "a"], inplace = true',
        'name = "b", type = "tanh", input = "kept"',
        f'name = "c", {CONV}',
        more='outputs = ["c"]',
    )
    predicted, seen = network.memory(training=True), observe_memory(network, training=True)
    assert [row.forward for row in predicted.layers] == [*seen.forward]
    assert predicted.peak == seen.peak


@pytest.mark.parametrize("between", [[], ['name = "view", type = "identity"']])
def test_an_overwritten_tensor_without_gradient_may_hold_itself(between: list[str]) -> None:
    """The tensor holds the sum that made it, which holds the tensor: neither is released."""
    network = spec(
        f'name = "a", {CONV}',
        *between,
        'name = "b", type = "avg_pool2d", kernel_size = 3, stride = 1, padding = 1',
        'name = "sum", type = "add", inputs = ["a", "b"], inplace = true',
        f'name = "c", {CONV}, input = "x"',
        f'name = "d", {CONV}',
        more='outputs = ["d"]',
    )
    for training in (False, True):
        predicted, seen = network.memory(training=training), observe_memory(network, training=training)
        assert [row.forward for row in predicted.layers] == [*seen.forward]
        assert predicted.peak == seen.peak


def test_a_sum_in_place_is_the_same_sum() -> None:
    layers = [
        'name = "a", type = "tanh"',
        'name = "b", type = "adaptive_avg_pool2d", output_size = 1',
        'type = "add", inputs = ["a", "b", "x"]',
    ]
    plain, in_place = (archcalc.build(spec(*layers[:2], layers[2] + more)) for more in ("", ", inplace = true"))
    image = torch.rand(2, 6, 8, 8)
    assert torch.equal(plain(image), in_place(image))
    assert plain.add(*[torch.ones(2, 6, 8, 8)] * 3).max() == in_place.add(*torch.ones(3, 2, 6, 8, 8)).max() == 3
    value = torch.ones(2, 6, 8, 8)
    assert in_place.add(value, torch.ones(2, 6, 1, 1)) is value


@pytest.mark.parametrize("trainable", [True, False])
def test_attention_needs_the_operands_of_its_products(trainable: bool) -> None:
    layers = [
        'name = "a", type = "linear", out_features = 4',
        f'name = "b", type = "multi_head_attention", num_heads = 2, trainable = {str(trainable).lower()}',
        'type = "add", inputs = ["a", "b"]',
    ]
    built = archcalc.build(spec(*layers, inputs="x = [1, 4]"))
    value = built.a(torch.rand(1, 1, 4))
    reads = built.b(value)
    value.add_(reads)
    if trainable:
        with pytest.raises(RuntimeError, match="inplace operation"):
            value.sum().backward()
    else:
        value.sum().backward()
    refused = 'layer "add" works in place on a value that the backward pass of "b" needs'
    found = problems(*layers[:2], f"{layers[2]}, inplace = true", inputs="x = [1, 4]")
    assert found == ([(refused, "PyTorch refuses to train the network")] if trainable else [])


def test_a_frozen_network_saves_nothing() -> None:
    layers = [f"{CONV}, trainable = false", 'type = "tanh"', 'type = "relu", inplace = true']
    assert problems(*layers) == []
    assert problems(*(one.replace(", trainable = false", "") for one in layers)) == [
        (
            'layer "relu" works in place on a value that the backward pass of "tanh" needs',
            "PyTorch refuses to train the network",
        )
    ]


def test_an_error_has_its_place_and_a_remedy() -> None:
    with pytest.raises(archcalc.SpecError, match=r"backward pass of \"tanh\" needs") as caught:
        spec(CONV, 'type = "tanh"', 'type = "relu", inplace = true')
    assert caught.value.diagnostics[0].place.line is not None
    assert "inplace = true" in caught.value.diagnostics[0].place.text
    assert caught.value.diagnostics[0].help == "leave inplace out"


def trains(example: Example) -> bool:
    """Whether PyTorch trains the layer of an example with an in-place layer behind it."""
    module = make_module(example.layer.module(example.inputs))
    values = [torch.rand(2, *tensor.shape, requires_grad=True) for tensor in example.inputs]
    try:
        nn.ReLU(inplace=True)(module(*[value * 1 for value in values])).sum().backward()
    except RuntimeError as error:
        assert "inplace operation" in str(error) or "modified inplace" in str(error)  # noqa: PT017
        return False
    return True


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.inputs[0].dtype == "float32"], ids=repr)
def test_behind_every_layer(example: Example) -> None:
    if example.layer.type == "multi_head_attention" or any(tensor.nonzeros is not None for tensor in example.inputs):
        return  # one is not known, the other is sparse
    names = [f"y{number}" for number in range(len(example.inputs))]
    before = [f'name = "{name}", input = "x{number}", type = "prelu"' for number, name in enumerate(names)]
    inputs = ", ".join(f"x{number} = {[*tensor.shape]}" for number, tensor in enumerate(example.inputs))
    fields: dict[str, Any] = msgspec.to_builtins(example.layer)
    options = [f"{key} = {json.dumps(value)}" for key, value in fields.items() if value is not None]
    layer = ", ".join([f'name = "layer", type = "{example.layer.type}", inputs = {json.dumps(names)}', *options])
    assert (problems(*before, layer, 'name = "act", type = "relu", inplace = true', inputs=inputs) == []) == trains(
        example
    )


CHUNK = 'name = "part", type = "chunk", chunks = 2, index = 0'


@pytest.mark.parametrize("end", ['name = "end", type = "tanh", input = "x"', 'name = "end", type = "tanh"'])
@pytest.mark.parametrize("between", [(), ('type = "flatten", start_dim = 1',)])
def test_views_made_by_one_operation_are_not_overwritten(between: tuple[str, ...], end: str) -> None:
    """Nor views of them, whether an output needs them or not."""
    layers = (f'name = "input", {CONV}', CHUNK, *between, 'name = "act", type = "relu", inplace = true', end)
    ((message, reason),) = problems(*layers)
    assert message == 'layer "act" works in place on a value that is one of several views that "part" makes together'
    assert reason == "PyTorch refuses to train the network"
    part = nn.Conv2d(6, 6, 3)(torch.rand(2, 6, 8, 8)).chunk(2, 1)[0]
    with pytest.raises(RuntimeError, match="is a view and is being modified inplace"):
        nn.functional.relu(part.flatten(2) if between else part, inplace=True)


@pytest.mark.parametrize("outputs", ['["act"]', '["act", "sum"]'])
def test_the_base_of_several_views_may_be_overwritten(outputs: str) -> None:
    layers = (
        *(f'name = "input", {CONV}', CHUNK, 'name = "sum", type = "add", inputs = ["part", "part"]'),
        'name = "act", type = "relu", inplace = true, input = "input"',
    )
    assert problems(*layers, more=f"outputs = {outputs}") == []
    convolved = nn.Conv2d(6, 6, 3)(torch.rand(2, 6, 8, 8))
    part = convolved.chunk(2, 1)[0]
    total = (part + part).sum()
    (nn.functional.relu(convolved, inplace=True).sum() + total).backward()
