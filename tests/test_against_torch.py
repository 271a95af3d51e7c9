"""Every layer compared with torch.nn: both refuse, or both agree on shapes, parameters and buffers."""

import inspect
import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import pytest
import torch
from examples import C3_TABLE, EXAMPLES, Example, example, gcn_example
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from archcalc.analysis.inferred_layer import check_constraints
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import FLOATING, INTEGER, Tensor
from archcalc.pytorch import modules
from archcalc.pytorch.build import make_module

BATCH = 2
# Arguments that differ: axes, which PyTorch counts with the batch; ones always passed; None, which means false.
OTHER_DEFAULTS = {"dim", "start_dim", "normalized_shape", "align_corners"}
moderately = settings(max_examples=40)
thoroughly = settings(moderately, max_examples=80)


pytestmark = pytest.mark.usefixtures("one_thread")


class Facts(NamedTuple):
    """The shapes, parameters and buffers of a layer for its inputs, without the batch."""

    shape: tuple[int, ...]
    parameters: dict[str, tuple[int, ...]]
    buffers: dict[str, tuple[int, ...]]


def inferred_of(layer_type: str, *shapes: tuple[int, ...], dtype: str = "float32", **fields: Any) -> Facts | None:
    """archcalc's facts; None if it refuses."""
    try:
        layer = msgspec.convert(fields, LAYER_TYPES[layer_type])
    except msgspec.ValidationError:
        return None
    inputs = tuple(Tensor(shape, dtype) for shape in shapes)
    if [*check_constraints(layer, inputs)]:
        return None
    return Facts(layer.output_shape(inputs), layer.parameters(inputs), layer.buffers(inputs))


def facts_of(module: nn.Module, output: torch.Tensor) -> Facts:
    return Facts(
        tuple(output.shape[1:]),
        {name: tuple(parameter.shape) for name, parameter in module.named_parameters()},
        {name: tuple(buffer.shape) for name, buffer in module.named_buffers()},
    )


def done(make: Callable[[], nn.Module], *shapes: tuple[int, ...], batch: int = BATCH) -> Facts | None:
    """torch.nn's facts; None if it refuses. It runs on the CPU, which refuses more than the device `meta`."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Using padding='same' with even kernel|Initializing zero-element")
            module = make().eval()
            output = module(*(torch.zeros(batch, *shape) for shape in shapes))
    except (RuntimeError, ValueError, IndexError, AssertionError, ZeroDivisionError):
        return None
    # Some modules accept a layer with an empty output; archcalc refuses it.
    return None if 0 in output.shape else facts_of(module, output)


def run(example: Example, *values: torch.Tensor) -> torch.Tensor:
    module = make_module(example.layer.module(example.inputs)).eval()
    result: torch.Tensor = module(*values)
    return result


def random_inputs(example: Example) -> list[torch.Tensor]:
    return [
        torch.randn(BATCH, *shape) if dtype == "float32" else torch.randint(9, (BATCH, *shape))
        for shape, dtype, _ in example.inputs
    ]


class TestModules:
    """Each layer's own module has the static shapes, parameters and buffers."""

    @pytest.mark.parametrize("example", EXAMPLES, ids=repr)
    def test_module_agrees(self, example: Example) -> None:
        layer, inputs = example.layer, example.inputs
        assert not [*check_constraints(layer, inputs)]
        module = make_module(layer.module(inputs))
        output = module(*random_inputs(example))
        assert facts_of(module, output) == Facts(example.output, layer.parameters(inputs), layer.buffers(inputs))
        assert output.dtype == getattr(torch, layer.output_dtype(inputs))

    @pytest.mark.parametrize("example", EXAMPLES, ids=repr)
    def test_defaults_are_those_of_torch(self, example: Example) -> None:
        """A field at its default is left out of the call, so PyTorch's default must be the same."""
        made = example.layer.module(example.inputs)
        if not made.name.startswith("nn."):
            return
        theirs = inspect.signature(getattr(nn, made.name[3:])).parameters
        for field in msgspec.structs.fields(example.layer):
            if field.name in theirs and not field.required and field.name not in OTHER_DEFAULTS:
                assert field.default == theirs[field.name].default, field.name

    @pytest.mark.parametrize("example", EXAMPLES, ids=repr)
    def test_names_of_arguments_are_those_of_the_constructor(self, example: Example) -> None:
        made = example.layer.module(example.inputs)
        kind, _, name = made.name.rpartition(".")
        theirs = inspect.signature(getattr(nn if kind else modules, name)).parameters.values()
        positional = [one.name for one in theirs if one.kind is not inspect.Parameter.VAR_POSITIONAL]
        if len(positional) == len(theirs):  # else it passes them on to a class of torch.nn
            assert [*made.arguments] == positional[: len(made.arguments)]

    def test_every_layer_type_has_an_example(self) -> None:
        assert {example.layer.type for example in EXAMPLES} == set(LAYER_TYPES)


# --- windows ---------------------------------------------------------------------------------------------------------


def sizes(dimensions: int, most: int = 9) -> st.SearchStrategy[tuple[int, ...]]:
    return st.tuples(*[st.integers(1, most if dimensions < 3 else min(most, 6))] * dimensions)


def axes(values: st.SearchStrategy[Any], dimensions: int) -> st.SearchStrategy[Any]:
    """One number, or one for each axis."""
    return st.one_of(values, st.lists(values, min_size=dimensions, max_size=dimensions))


def mostly(least: int, most: int, seldom: int) -> st.SearchStrategy[int]:
    return st.integers(0, 19).flatmap(lambda n: st.just(seldom) if n == 19 else st.integers(least, most))


def native(value: Any) -> Any:
    """Lists as tuples, for torch.nn."""
    return tuple(native(item) for item in value) if isinstance(value, list) else value


@st.composite
def channels_and_groups(draw: st.DrawFn) -> tuple[int, int, int]:
    groups = draw(st.integers(1, 3))
    wrong = draw(mostly(0, 0, 1))
    return groups * draw(st.integers(1, 2)) + wrong, groups * draw(st.integers(1, 2)), groups


def numbers_of(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value]


def torch_class(name: str, dimensions: int) -> Any:
    return getattr(nn, f"{name}{dimensions}d")


def optional(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=fields)


@st.composite
def window_fields(
    draw: st.DrawFn, dimensions: int, kernel: int = 4, pad: int = 3, dilate: bool = True
) -> dict[str, Any]:
    fields = {
        "stride": axes(mostly(1, 4, 0), dimensions),
        "padding": axes(mostly(0, pad, -1), dimensions),
        "dilation": axes(mostly(1, 3, 0), dimensions),
    }
    if not dilate:
        del fields["dilation"]
    return {"kernel_size": draw(axes(mostly(1, kernel, 0), dimensions)), **draw(optional(**fields))}


def same_padding(shape: tuple[int, ...], fields: dict[str, Any]) -> list[tuple[int, int]]:
    """TensorFlow's rule, written independently of archcalc."""
    pairs = []
    for axis, size in enumerate(shape):
        kernel, stride, dilation = (
            value[axis] if isinstance(value, list) else value
            for value in (fields["kernel_size"], fields.get("stride", 1), fields.get("dilation", 1))
        )
        missing = max((math.ceil(size / stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
        pairs.append((missing // 2, missing - missing // 2))
    return pairs


def flat(pairs: list[Any]) -> list[int]:
    """For F.pad, the last axis first."""
    return [side for pair in reversed(pairs) for side in pair]


class Padded(nn.Sequential):
    """F.pad before a module, whose parameters keep their names."""

    def __init__(self, pairs: list[Any], module: nn.Module) -> None:
        super().__init__()
        self.pairs, self.inner = pairs, (module,)

    def named_parameters(self, *args: Any, **kwargs: Any) -> Any:
        return self.inner[0].named_parameters()

    def forward(self, values: torch.Tensor) -> Any:
        return self.inner[0](functional.pad(values, flat(self.pairs)))


@pytest.mark.parametrize("dimensions", [1, 2, 3])
class TestConvolutions:
    @thoroughly
    @given(data=st.data())
    def test_convolution(self, dimensions: int, data: st.DataObject) -> None:
        channels, out_channels, groups = data.draw(channels_and_groups())
        fields = data.draw(window_fields(dimensions)) | data.draw(optional(bias=st.booleans()))
        shape = (channels, *data.draw(sizes(dimensions)))
        fields |= {"out_channels": out_channels, "groups": groups}
        kwargs = {name: native(value) for name, value in fields.items()}
        expected = done(lambda: torch_class("Conv", dimensions)(channels, **kwargs), shape)
        assert inferred_of(f"conv{dimensions}d", shape, **fields) == expected

    @moderately
    @given(data=st.data())
    def test_valid_and_same_padding(self, dimensions: int, data: st.DataObject) -> None:
        fields = data.draw(window_fields(dimensions)) | {"padding": data.draw(st.sampled_from(["same", "valid"]))}
        if fields["padding"] == "same":
            fields.pop("stride", None)  # torch.nn has no "same" with a stride
        shape = (2, *data.draw(sizes(dimensions)))
        kwargs = {name: native(value) for name, value in fields.items()}
        expected = done(lambda: torch_class("Conv", dimensions)(2, 3, **kwargs), shape)
        assert inferred_of(f"conv{dimensions}d", shape, out_channels=3, **fields) == expected

    @moderately
    @given(data=st.data())
    def test_asymmetric_padding(self, dimensions: int, data: st.DataObject) -> None:
        fields = data.draw(window_fields(dimensions))
        pair = st.lists(st.integers(0, 3), min_size=2, max_size=2)
        fields["padding"] = data.draw(st.lists(pair, min_size=dimensions, max_size=dimensions))
        shape = (2, *data.draw(sizes(dimensions)))
        kwargs = {name: native(value) for name, value in fields.items() if name != "padding"}
        expected = done(lambda: Padded(fields["padding"], torch_class("Conv", dimensions)(2, 3, **kwargs)), shape)
        assert inferred_of(f"conv{dimensions}d", shape, out_channels=3, **fields) == expected

    @moderately
    @given(data=st.data())
    def test_modules_pad_like_functional_pad(self, dimensions: int, data: st.DataObject) -> None:
        fields = data.draw(window_fields(dimensions))
        shape = (2, *data.draw(sizes(dimensions)))
        pair = st.lists(st.integers(0, 3), min_size=2, max_size=2)
        pads = st.one_of(st.lists(pair, min_size=dimensions, max_size=dimensions), st.just("same"))
        fields["padding"] = data.draw(pads)
        if inferred_of(f"conv{dimensions}d", shape, out_channels=3, **fields) is None:
            return
        found = example(f"conv{dimensions}d", shape, out_channels=3, **fields)
        module = make_module(found.layer.module(found.inputs))
        pairs = same_padding(shape[1:], fields) if fields["padding"] == "same" else fields["padding"]
        values = torch.randn(BATCH, *shape)
        convolve = getattr(functional, f"conv{dimensions}d")
        stride, dilation = native(fields.get("stride", 1)), native(fields.get("dilation", 1))
        padded = functional.pad(values, flat(pairs))
        expected = convolve(padded, module.weight, module.bias, stride=stride, dilation=dilation)
        torch.testing.assert_close(module(values), expected)

    @thoroughly
    @given(data=st.data())
    def test_transposed_convolution(self, dimensions: int, data: st.DataObject) -> None:
        channels, out_channels, groups = data.draw(channels_and_groups())
        fields = data.draw(window_fields(dimensions))
        fields |= data.draw(optional(bias=st.booleans(), output_padding=axes(mostly(0, 1, -1), dimensions)))
        shape = (channels, *data.draw(sizes(dimensions, most=6)))
        fields |= {"out_channels": out_channels, "groups": groups}
        kwargs = {name: native(value) for name, value in fields.items()}
        expected = done(lambda: torch_class("ConvTranspose", dimensions)(channels, **kwargs), shape)
        if 0 in numbers_of(fields.get("dilation", 1)):
            expected = None  # meaningless, but accepted for a kernel of size 1
        assert inferred_of(f"conv_transpose{dimensions}d", shape, **fields) == expected


@pytest.mark.parametrize("dimensions", [1, 2, 3])
class TestPooling:
    @thoroughly
    @given(data=st.data())
    def test_max_pool(self, dimensions: int, data: st.DataObject) -> None:
        fields = data.draw(window_fields(dimensions, pad=2)) | data.draw(optional(ceil_mode=st.booleans()))
        shape = (2, *data.draw(sizes(dimensions)))
        kwargs = {name: native(value) for name, value in fields.items()}
        expected = done(lambda: torch_class("MaxPool", dimensions)(**kwargs), shape)
        assert inferred_of(f"max_pool{dimensions}d", shape, **fields) == expected

    @thoroughly
    @given(data=st.data())
    def test_average_pool(self, dimensions: int, data: st.DataObject) -> None:
        fields = data.draw(window_fields(dimensions, pad=2, dilate=False))
        fields |= data.draw(optional(ceil_mode=st.booleans(), count_include_pad=st.booleans()))
        shape = (2, *data.draw(sizes(dimensions)))
        kwargs = {name: native(value) for name, value in fields.items()}
        expected = done(lambda: torch_class("AvgPool", dimensions)(**kwargs), shape)
        assert inferred_of(f"avg_pool{dimensions}d", shape, **fields) == expected

    @moderately
    @given(data=st.data())
    def test_adaptive_pool(self, dimensions: int, data: st.DataObject) -> None:
        size = data.draw(axes(mostly(1, 12, 1), dimensions))
        shape = (2, *data.draw(sizes(dimensions)))
        kind = data.draw(st.sampled_from(["Avg", "Max"]))
        expected = done(lambda: torch_class(f"Adaptive{kind}Pool", dimensions)(native(size)), shape)
        assert inferred_of(f"adaptive_{kind.lower()}_pool{dimensions}d", shape, output_size=size) == expected

    @moderately
    @given(data=st.data())
    def test_modules_pool_only_positions_of_the_input(self, dimensions: int, data: st.DataObject) -> None:
        """Unequal padding, "same" and ceil_mode, compared with every window written out."""
        kind = data.draw(st.sampled_from(["max", "avg"]))
        fields = data.draw(window_fields(dimensions, dilate=kind == "max"))
        pair = st.lists(st.integers(0, 2), min_size=2, max_size=2)
        pads = st.one_of(st.lists(pair, min_size=dimensions, max_size=dimensions), st.just("same"))
        fields |= data.draw(optional(ceil_mode=st.booleans())) | {"padding": data.draw(pads)}
        shape = (1, *data.draw(sizes(dimensions, most=6)))
        if kind == "avg":
            fields |= data.draw(optional(count_include_pad=st.booleans()))
        layer_type = f"{kind}_pool{dimensions}d"
        if inferred_of(layer_type, shape, **fields) is None:
            return
        found = example(layer_type, shape, **fields)
        values = torch.randn(1, *shape)
        torch.testing.assert_close(run(found, values), pooled(found, values, kind))


def pooled(found: Example, values: torch.Tensor, kind: str) -> torch.Tensor:
    """Pooling of one map, unit by unit."""
    output = torch.empty(1, *found.output)
    shape = found.inputs[0].shape[1:]
    windows = found.layer.spatial_windows(shape)
    for unit in itertools.product(*map(range, found.output[1:])):
        starts = [i * w.stride - w.before for i, w in zip(unit, windows, strict=True)]
        reads = [
            [p for p in range(start, start + w.effective, w.dilation) if 0 <= p < size]
            for start, w, size in zip(starts, windows, shape, strict=True)
        ]
        read = values[0, 0]
        for axis, positions in enumerate(reads):
            read = read.index_select(axis, torch.tensor(positions, dtype=torch.long))
        if kind == "max":
            output[(0, 0, *unit)] = read.max() if read.numel() else -torch.inf
            continue
        counted = [
            min(start + w.effective, size + w.after) - start if found.layer.count_include_pad else len(positions)
            for start, w, size, positions in zip(starts, windows, shape, reads, strict=True)
        ]
        output[(0, 0, *unit)] = read.sum() / math.prod(counted)
    return output


# --- all other layers ------------------------------------------------------------------------------------------------


small = st.integers(1, 5)
shapes_of_any_rank = st.lists(small, max_size=4).map(tuple)
a_dim = st.integers(-5, 4)


def shapes_of_rank(*ranks: int) -> st.SearchStrategy[tuple[int, ...]]:
    return st.sampled_from(ranks).flatmap(lambda rank: st.tuples(*[small] * rank))


def made(compute: Callable[..., torch.Tensor], *shapes: tuple[int, ...]) -> tuple[int, ...] | None:
    """The output shape of a function for inputs *without* a batch, so that axes are counted as in archcalc; or None."""
    try:
        found = tuple(compute(*(torch.zeros(shape) for shape in shapes)).shape)
    except (RuntimeError, IndexError, ValueError):
        return None
    return None if 0 in found else found


def shape_said(layer_type: str, *shapes: tuple[int, ...], **fields: Any) -> tuple[int, ...] | None:
    facts = inferred_of(layer_type, *shapes, **fields)
    return None if facts is None else facts.shape


class TestNormalizations:
    @moderately
    @given(shapes_of_rank(1, 2, 3, 4), optional(affine=st.booleans(), track_running_stats=st.booleans()))
    def test_batch_norm(self, shape: tuple[int, ...], fields: dict[str, Any]) -> None:
        dimensions = max(1, len(shape) - 1)
        expected = done(lambda: torch_class("BatchNorm", dimensions)(shape[0], **fields), shape)
        assert inferred_of("batch_norm", shape, **fields) == expected

    @moderately
    @given(shapes_of_rank(2, 3, 4), optional(affine=st.booleans(), track_running_stats=st.booleans()))
    def test_instance_norm(self, shape: tuple[int, ...], fields: dict[str, Any]) -> None:
        expected = done(lambda: torch_class("InstanceNorm", len(shape) - 1)(shape[0], **fields), shape)
        assert inferred_of("instance_norm", shape, **fields) == expected

    @moderately
    @given(shapes_of_rank(1, 2, 3, 4), mostly(1, 5, 0), optional(affine=st.booleans()))
    def test_group_norm(self, shape: tuple[int, ...], groups: int, fields: dict[str, Any]) -> None:
        # A group of a single value is refused for a single sample.
        expected = done(lambda: nn.GroupNorm(groups, shape[0], **fields), shape, batch=1)
        assert inferred_of("group_norm", shape, num_groups=groups, **fields) == expected

    @moderately
    @given(st.data())
    def test_layer_norm(self, data: st.DataObject) -> None:
        shape = data.draw(shapes_of_rank(1, 2, 3, 4))
        fields = data.draw(optional(elementwise_affine=st.booleans(), bias=st.booleans()))
        end = list(shape[data.draw(st.integers(-len(shape), -1)) :])
        normalized = data.draw(st.one_of(st.just(end), st.lists(small, min_size=1, max_size=2), small))
        # A batch of a size that no shape has, so that it is no normalized axis by accident.
        expected = done(lambda: nn.LayerNorm(normalized, **fields), shape, batch=7)
        assert inferred_of("layer_norm", shape, normalized_shape=normalized, **fields) == expected

    @moderately
    @given(shapes_of_rank(2, 3, 4), st.integers(1, 6))
    def test_local_response_norm(self, shape: tuple[int, ...], size: int) -> None:
        assert inferred_of("local_response_norm", shape, size=size) == done(lambda: nn.LocalResponseNorm(size), shape)


ACTIVATIONS: dict[str, tuple[dict[str, Any], Callable[[], nn.Module]]] = {
    "relu": ({}, nn.ReLU),
    "relu6": ({}, nn.ReLU6),
    "leaky_relu": ({"negative_slope": 0.3}, lambda: nn.LeakyReLU(0.3)),
    "elu": ({"alpha": 2.0}, lambda: nn.ELU(2.0)),
    "gelu": ({"approximate": "tanh"}, lambda: nn.GELU("tanh")),
    "silu": ({}, nn.SiLU),
    "sigmoid": ({}, nn.Sigmoid),
    "hardsigmoid": ({}, nn.Hardsigmoid),
    "hardswish": ({}, nn.Hardswish),
    "tanh": ({}, nn.Tanh),
    "softplus": ({"beta": 2.0, "threshold": 3.0}, lambda: nn.Softplus(2.0, 3.0)),
    "dropout": ({"p": 0.25}, lambda: nn.Dropout(0.25)),
    "identity": ({}, nn.Identity),
}


class TestActivations:
    @pytest.mark.parametrize("layer_type", ACTIVATIONS)
    def test_values_are_those_of_torch(self, layer_type: str) -> None:
        fields, make = ACTIVATIONS[layer_type]
        found = example(layer_type, (3, 4), **fields)
        values = 4 * torch.randn(BATCH, 3, 4)
        torch.testing.assert_close(run(found, values), make().eval()(values))
        assert inferred_of(layer_type, (3, 4), **fields) == done(make, (3, 4))

    @moderately
    @given(shapes_of_any_rank, small)
    def test_prelu(self, shape: tuple[int, ...], parameters: int) -> None:
        assert inferred_of("prelu", shape, num_parameters=parameters) == done(lambda: nn.PReLU(parameters), shape)

    @moderately
    @given(shapes_of_any_rank.filter(len), a_dim, st.sampled_from(["softmax", "log_softmax"]))
    def test_softmax(self, shape: tuple[int, ...], dim: int, layer_type: str) -> None:
        expected = made(lambda x: getattr(torch, layer_type)(x, dim), shape)
        assert shape_said(layer_type, shape, dim=dim) == expected
        if expected:
            values = torch.randn(BATCH, *shape)
            each = torch.stack([getattr(torch, layer_type)(sample, dim) for sample in values])
            torch.testing.assert_close(run(example(layer_type, shape, dim=dim), values), each)

    @moderately
    @given(st.floats(-0.5, 1.5))
    def test_dropout(self, p: float) -> None:
        assert inferred_of("dropout", (3,), p=p) == done(lambda: nn.Dropout(p), (3,))


class TestDense:
    @moderately
    @given(shapes_of_any_rank, mostly(1, 6, 0), st.booleans())
    def test_linear(self, shape: tuple[int, ...], features: int, bias: bool) -> None:
        # nn.Linear reads a batch of single values as one sample.
        expected = done(lambda: nn.Linear(shape[-1], features, bias=bias), shape) if shape and features else None
        assert inferred_of("linear", shape, out_features=features, bias=bias) == expected

    @moderately
    @given(shapes_of_any_rank, small, small, st.one_of(st.none(), st.integers(-1, 6)))
    def test_embedding(self, shape: tuple[int, ...], rows: int, width: int, padding: int | None) -> None:
        # PyTorch counts a negative padding_idx from the end; a spec does not.
        fields: dict[str, Any] = {"num_embeddings": rows, "embedding_dim": width, "padding_idx": padding}
        wanted = None
        if padding is None or 0 <= padding < rows:
            module = nn.Embedding(rows, width, padding_idx=padding)
            wanted = facts_of(module, module(torch.zeros(BATCH, *shape, dtype=torch.long)))
        elif padding > 0:
            with pytest.raises(AssertionError, match="within num_embeddings"):
                nn.Embedding(rows, width, padding_idx=padding)
        assert inferred_of("embedding", shape, dtype="int64", **fields) == wanted

    @moderately
    @given(st.data())
    def test_attention(self, data: st.DataObject) -> None:
        tokens, features = data.draw(small), data.draw(st.integers(1, 8))
        heads, bias = data.draw(st.integers(1, 4)), data.draw(st.booleans())
        query, (key, value) = (tokens, features), data.draw(keys_and_values(features))
        expected = done(lambda: TorchAttention(features, heads, bias, key[1], value[1]), query, key, value)
        assert inferred_of("multi_head_attention", query, key, value, num_heads=heads, bias=bias) == expected
        expected = done(lambda: TorchAttention(features, heads, bias, features, features), query)
        assert inferred_of("multi_head_attention", query, num_heads=heads, bias=bias) == expected


@st.composite
def keys_and_values(draw: st.DrawFn, features: int) -> tuple[tuple[int, int], tuple[int, int]]:
    widths = st.one_of(st.just(features), small)
    tokens = draw(small)
    return (tokens, draw(widths)), (draw(mostly(tokens, tokens, 6)), draw(widths))


class TorchAttention(nn.MultiheadAttention):
    def __init__(self, features: int, heads: int, bias: bool, keys: int, values: int) -> None:
        super().__init__(features, heads, bias=bias, kdim=keys, vdim=values, batch_first=True)

    def forward(self, *inputs: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
        query, key, value = inputs if len(inputs) == 3 else inputs * 3
        return super().forward(query, key, value)[0]


class TestShaping:
    @moderately
    @given(shapes_of_any_rank, a_dim, a_dim)
    def test_flatten(self, shape: tuple[int, ...], start: int, end: int) -> None:
        if shape or (start in (0, -1) and end in (0, -1)):
            expected = made(lambda x: torch.flatten(x, start, end), shape)
            assert shape_said("flatten", shape, start_dim=start, end_dim=end) == expected

    @moderately
    @given(st.data())
    def test_reshape(self, data: st.DataObject) -> None:
        shape = data.draw(shapes_of_any_rank)
        wanted = data.draw(st.one_of(st.permutations(shape), st.lists(st.integers(-1, 6), max_size=4)))
        if wanted and data.draw(st.booleans()):
            wanted[data.draw(st.integers(0, len(wanted) - 1))] = -1
        assert shape_said("reshape", shape, shape=wanted) == made(lambda x: x.reshape(wanted), shape)

    @moderately
    @given(st.data())
    def test_permute(self, data: st.DataObject) -> None:
        shape = data.draw(shapes_of_any_rank)
        rank = len(shape)
        turned = st.permutations(range(rank)).map(lambda dims: [dim - rank * (dim % 2) for dim in dims])
        dims = data.draw(st.one_of(turned, st.lists(st.integers(-3, 3), max_size=4)))
        assert shape_said("permute", shape, dims=dims) == made(lambda x: x.permute(dims), shape)

    @moderately
    @given(shapes_of_any_rank, st.integers(-7, 7), st.one_of(st.none(), st.integers(-7, 7)), a_dim)
    def test_slice(self, shape: tuple[int, ...], start: int, stop: int | None, dim: int) -> None:
        expected = made(lambda x: x.movedim(dim, 0)[start:stop].movedim(0, dim), shape) if shape else None
        assert shape_said("slice", shape, start=start, stop=stop, dim=dim) == expected

    @moderately
    @given(shapes_of_any_rank, mostly(1, 6, 0), st.integers(0, 5), a_dim)
    def test_chunk(self, shape: tuple[int, ...], chunks: int, index: int, dim: int) -> None:
        expected = made(lambda x: torch.chunk(x, chunks, dim)[index], shape)
        assert shape_said("chunk", shape, chunks=chunks, index=index, dim=dim) == expected

    @moderately
    @given(st.data())
    def test_zero_pad(self, data: st.DataObject) -> None:
        dimensions = data.draw(st.integers(1, 3))
        shape = (2, *data.draw(sizes(dimensions)))
        pairs = [[data.draw(st.integers(0, 3)) for _ in range(2)] for _ in range(dimensions)]
        assert shape_said("zero_pad", shape, padding=pairs) == made(lambda x: functional.pad(x, flat(pairs)), shape)
        values = torch.randn(BATCH, *shape)
        expected = functional.pad(values, flat(pairs))
        torch.testing.assert_close(run(example("zero_pad", shape, padding=pairs), values), expected)

    @thoroughly
    @given(st.data())
    def test_upsample(self, data: st.DataObject) -> None:
        dimensions = data.draw(st.integers(1, 3))
        shape = (2, *data.draw(sizes(dimensions)))
        factors = st.one_of(st.integers(1, 4), st.floats(0.1, 4, allow_nan=False))
        fields: dict[str, Any] = data.draw(
            st.one_of(
                optional(size=axes(st.integers(1, 12), dimensions), scale_factor=axes(factors, dimensions)),
                st.fixed_dictionaries({"size": axes(st.integers(1, 12), dimensions)}),
                st.fixed_dictionaries({"scale_factor": axes(factors, dimensions)}),
            )
        )
        linear = ["linear", "bilinear", "trilinear"]
        modes = st.sampled_from(["nearest", linear[dimensions - 1], linear[dimensions - 1], linear[dimensions % 3]])
        fields["mode"] = data.draw(modes)
        corners = data.draw(st.sampled_from([None, True, False])) if fields["mode"] != "nearest" else None
        kwargs = {name: native(value) for name, value in fields.items()} | {"align_corners": corners}
        expected = done(lambda: nn.Upsample(**kwargs), shape)
        assert inferred_of("upsample", shape, align_corners=bool(corners), **fields) == expected

    @moderately
    @given(shapes_of_rank(3), mostly(1, 3, 0), st.booleans())
    def test_pixel_shuffle(self, shape: tuple[int, ...], factor: int, fitting: bool) -> None:
        channels, *positions = shape
        shape = (channels * factor**2 if fitting and factor else channels, *positions)
        expected = done(lambda: nn.PixelShuffle(factor), shape)
        assert inferred_of("pixel_shuffle", shape, upscale_factor=factor) == expected

    @moderately
    @given(shapes_of_rank(2, 3, 4), mostly(1, 4, 0))
    def test_channel_shuffle(self, shape: tuple[int, ...], groups: int) -> None:
        assert inferred_of("channel_shuffle", shape, groups=groups) == done(lambda: nn.ChannelShuffle(groups), shape)


@st.composite
def nearly_equal_shapes(draw: st.DrawFn) -> list[tuple[int, ...]]:
    """Equal shapes, some with one axis of another size or with fewer axes."""
    first = draw(shapes_of_any_rank)
    shapes = [first]
    for _ in range(draw(st.integers(1, 2))):
        shape = [
            draw(mostly(size, size, 1)) if draw(st.booleans()) else draw(st.sampled_from([size, size, 1, 3]))
            for size in first
        ]
        shapes.append(tuple(shape[draw(mostly(0, 0, 1)) :]))
    return draw(st.permutations(shapes))


class TestMerging:
    @thoroughly
    @given(nearly_equal_shapes(), st.sampled_from(["add", "mul"]))
    def test_broadcasting(self, shapes: list[tuple[int, ...]], layer_type: str) -> None:
        combine = torch.add if layer_type == "add" else torch.mul

        def all_of(first: torch.Tensor, *others: torch.Tensor) -> torch.Tensor:
            for other in others:
                first = combine(first, other)
            return first

        expected = made(all_of, *shapes)
        assert shape_said(layer_type, *shapes) == expected
        if expected is not None:
            batches = [torch.randn(BATCH, *shape) for shape in shapes]
            each = torch.stack([all_of(*samples) for samples in zip(*batches, strict=True)])
            torch.testing.assert_close(run(example(layer_type, *shapes), *batches), each)

    @thoroughly
    @given(nearly_equal_shapes(), a_dim)
    def test_cat(self, shapes: list[tuple[int, ...]], dim: int) -> None:
        expected = made(lambda *tensors: torch.cat(tensors, dim), *shapes)
        assert shape_said("cat", *shapes, dim=dim) == expected

    @pytest.mark.parametrize("layer_type", ["add", "mul", "cat"])
    def test_dtypes(self, layer_type: str) -> None:
        layer = LAYER_TYPES[layer_type]()
        for dtypes in itertools.product(FLOATING + INTEGER, repeat=2):
            inputs = tuple(Tensor((3,), dtype) for dtype in dtypes)
            values = (torch.zeros(BATCH, 3, dtype=getattr(torch, dtype)) for dtype in dtypes)
            assert f"torch.{layer.output_dtype(inputs)}" == str(make_module(layer.module(inputs))(*values).dtype)


# --- values ----------------------------------------------------------------------------------------------------------


class TestValues:
    def test_connection_table_is_a_dense_convolution_with_zeros(self) -> None:
        found = example("conv2d", (3, 9, 8), out_channels=4, kernel_size=3, padding=[[1, 0], 1], connections=C3_TABLE)
        module = make_module(found.layer.module(found.inputs))
        nn.init.normal_(module.bias)
        dense = torch.zeros(4, 3, 3, 3)
        links = ((target, source) for target, row in enumerate(C3_TABLE) for source in row)
        for weight, (target, source) in zip(module.weight, links, strict=True):
            dense[target, source] = weight.detach()
        values = torch.randn(BATCH, 3, 9, 8)
        expected = functional.conv2d(functional.pad(values, (1, 1, 1, 0)), dense, module.bias)
        torch.testing.assert_close(module(values), expected)

    def test_subsample_is_a_weighted_mean(self) -> None:
        found = example("subsample", (3, 7, 8), kernel_size=[2, 3], stride=2)
        module = make_module(found.layer.module(found.inputs))
        module.weight.data, module.bias.data = torch.tensor([1.0, -2.0, 3.0]), torch.tensor([0.5, 0.0, -1.0])
        values = torch.randn(BATCH, 3, 7, 8)
        sums = functional.avg_pool2d(values, (2, 3), 2) * 6
        expected = sums * module.weight.reshape(3, 1, 1) + module.bias.reshape(3, 1, 1)
        torch.testing.assert_close(module(values), expected)

    def test_rbf_is_a_squared_distance(self) -> None:
        found = example("rbf", (5, 7), out_features=4)
        module = make_module(found.layer.module(found.inputs))
        assert module.weight.abs().eq(1).all()
        values = torch.randn(BATCH, 5, 7)
        expected = torch.cdist(values, module.weight.expand(BATCH, -1, -1)) ** 2
        torch.testing.assert_close(module(values), expected)

    @pytest.mark.parametrize("kind", ["batched", "shared", "sparse"])
    def test_graph_convolution_is_two_products(self, kind: str) -> None:
        found = gcn_example(out_features=4)
        module = make_module(found.layer.module(found.inputs))
        features, adjacency = torch.randn(BATCH, 7, 5), torch.rand(7, 7).round()
        forms = {"batched": adjacency.expand(BATCH, 7, 7), "shared": adjacency, "sparse": adjacency.to_sparse()}
        each = [adjacency @ sample @ module.weight.T + module.bias for sample in features]
        torch.testing.assert_close(module(features, forms[kind]), torch.stack(each))

    def test_attention_is_that_of_torch(self) -> None:
        found = example("multi_head_attention", (5, 8), (4, 6), (4, 7), num_heads=2)
        module = make_module(found.layer.module(found.inputs))
        plain = nn.MultiheadAttention(8, 2, kdim=6, vdim=7, batch_first=True)
        plain.load_state_dict(module.state_dict())
        values = random_inputs(found)
        torch.testing.assert_close(module(*values), plain(*values)[0])

    @pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
    def test_readout_reduces_over_the_nodes(self, reduction: str) -> None:
        values = torch.randn(BATCH, 7, 5)
        expected = {"mean": values.mean(1), "sum": values.sum(1), "max": values.max(1).values}[reduction]
        torch.testing.assert_close(run(example("graph_readout", (7, 5), reduction=reduction), values), expected)

    def test_shaping_keeps_the_batch(self) -> None:
        values = torch.randn(BATCH, 6, 9)
        torch.testing.assert_close(run(example("reshape", (6, 9), shape=[2, -1]), values), values.reshape(BATCH, 2, 27))
        torch.testing.assert_close(run(example("permute", (6, 9), dims=[-1, 0]), values), values.transpose(1, 2))
        torch.testing.assert_close(run(example("slice", (6, 9), start=-4, stop=-1), values), values[:, 2:5])
        torch.testing.assert_close(run(example("chunk", (6, 9), chunks=4, index=2), values), values[:, 4:])
        torch.testing.assert_close(run(example("flatten", (6, 9), end_dim=0), values), values)


# --- operations ------------------------------------------------------------------------------------------------------


def counted(module: nn.Module, *shapes: tuple[int, ...]) -> int:
    """Multiplications and additions as PyTorch counts them, for one sample."""
    # The fused kernel of attention in eval mode hides its products, so modules are in training mode.
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        module.to("meta")(*(torch.empty(BATCH, *shape) for shape in shapes))
    flops: int = counter.get_total_flops()
    assert flops % BATCH == 0
    return flops // BATCH


class TestOperations:
    @moderately
    @given(st.data(), st.integers(1, 3), st.booleans())
    def test_convolutions(self, data: st.DataObject, dimensions: int, transposed: bool) -> None:
        name = "conv_transpose" if transposed else "conv"
        channels, out_channels, groups = data.draw(channels_and_groups())
        fields = data.draw(window_fields(dimensions)) | {"out_channels": out_channels, "groups": groups}
        shape = (channels, *data.draw(sizes(dimensions)))
        if inferred_of(f"{name}{dimensions}d", shape, **fields) is None:
            return
        found = example(f"{name}{dimensions}d", shape, **fields)
        kwargs = {field: native(value) for field, value in fields.items()}
        module = torch_class("ConvTranspose" if transposed else "Conv", dimensions)(channels, **kwargs)
        assert 2 * found.layer.operations(found.inputs, found.output)["macs"] == counted(module, shape)

    @moderately
    @given(shapes_of_any_rank.filter(len), small)
    def test_linear(self, shape: tuple[int, ...], features: int) -> None:
        found = example("linear", shape, out_features=features)
        macs = found.layer.operations(found.inputs, found.output)["macs"]
        assert 2 * macs == counted(nn.Linear(shape[-1], features), shape)

    @moderately
    @given(st.data(), st.booleans(), st.booleans())
    def test_attention(self, data: st.DataObject, alone: bool, need_weights: bool) -> None:
        heads = data.draw(st.integers(1, 3))
        features = heads * data.draw(small)
        keys = data.draw(small)
        shapes = [(data.draw(small), features), (keys, data.draw(small)), (keys, data.draw(small))][: 1 if alone else 3]
        found = example("multi_head_attention", *shapes, num_heads=heads)
        macs = found.layer.operations(found.inputs, found.output)["macs"]
        assert 2 * macs == counted(make_module(found.layer.module(found.inputs)), *shapes)

    @pytest.mark.parametrize(
        "found",
        [
            example("conv2d", (3, 9, 8), out_channels=4, kernel_size=3, connections=C3_TABLE),
            example("conv2d", (3, 9, 8), out_channels=4, kernel_size=4, stride=3, padding="same"),
            gcn_example(nonzeros=49, out_features=4),
        ],
        ids=["connections", "same", "full adjacency"],
    )
    def test_modules_that_torch_lacks(self, found: Example) -> None:
        macs = found.layer.operations(found.inputs, found.output)["macs"]
        assert 2 * macs == counted(
            make_module(found.layer.module(found.inputs)), *(tensor.shape for tensor in found.inputs)
        )


# --- inputs of several dtypes ----------------------------------------------------------------------------------------

# In place, PyTorch keeps the dtype whatever is added; archcalc does not.
SEVERAL = [found for found in EXAMPLES if len(found.inputs) > 1 and not found.layer.works_in_place]


def dtype_given(found: Example, dtypes: tuple[str, ...]) -> torch.dtype | None:
    """PyTorch's output dtype; None if it refuses."""
    kinds = [getattr(torch, dtype) for dtype in dtypes]
    module = make_module(found.layer.module(found.inputs)).to(kinds[0])
    values = [torch.ones(BATCH, *tensor.shape, dtype=kind) for tensor, kind in zip(found.inputs, kinds, strict=True)]
    try:
        output: torch.Tensor = module(*values)
        return output.dtype
    except RuntimeError:
        return None


@pytest.mark.parametrize("found", SEVERAL, ids=repr)
def test_inputs_of_several_dtypes(found: Example) -> None:
    """They are refused where PyTorch refuses them, and otherwise promoted like PyTorch's."""
    for dtypes in itertools.product(FLOATING, repeat=len(found.inputs)):
        inputs = tuple(tensor._replace(dtype=dtype) for tensor, dtype in zip(found.inputs, dtypes, strict=True))
        refused = [*check_constraints(found.layer, inputs)]
        expected = None if refused else getattr(torch, found.layer.output_dtype(inputs))
        assert dtype_given(found, dtypes) == expected, dtypes
