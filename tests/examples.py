"""At least one example of every layer type, and the numbers in it that can be varied."""

import json
from typing import Any, NamedTuple

import msgspec

import archcalc
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer, Tensor, Tensors

# Integers that select an axis or a position; formulas may branch on them.
STRUCTURAL = {"dim", "dims", "start_dim", "end_dim", "start", "stop", "connections", "padding_idx"}


class Example(NamedTuple):
    layer: Layer
    inputs: Tensors

    @property
    def output(self) -> tuple[int, ...]:
        return self.layer.output_shape(self.inputs)

    def __repr__(self) -> str:
        return " ".join([self.layer.type, *("x".join(map(str, tensor.shape)) for tensor in self.inputs)])


def example(layer_type: str, *shapes: tuple[int, ...], dtype: str = "float32", **fields: Any) -> Example:
    layer = msgspec.convert(fields, LAYER_TYPES[layer_type])
    return Example(layer, tuple(Tensor(shape, dtype) for shape in shapes))


def gcn_example(nonzeros: int | None = 13, **fields: Any) -> Example:
    layer = msgspec.convert(fields, LAYER_TYPES["gcn_conv"])
    return Example(layer, (Tensor((7, 5)), Tensor((7, 7), nonzeros=nonzeros)))


C3_TABLE = [[0, 1, 2], [1, 2], [0], [2, 0]]

EXAMPLES = [
    example("conv1d", (4, 20), out_channels=6, kernel_size=3, stride=2, padding=1, dilation=2, groups=2),
    example("conv1d", (4, 20), out_channels=6, kernel_size=4, padding=[[1, 2]], bias=False),
    example("conv2d", (4, 20, 21), out_channels=6, kernel_size=[3, 5], stride=[2, 1], padding=[1, 0], groups=2),
    example("conv2d", (3, 20, 21), out_channels=5, kernel_size=4, stride=3, padding="same"),
    example("conv2d", (3, 20, 21), out_channels=5, kernel_size=4, dilation=[2, 1], padding="valid"),
    example("conv2d", (3, 20, 21), out_channels=4, kernel_size=5, padding=[[0, 1], 2], connections=C3_TABLE),
    example("conv3d", (2, 6, 7, 8), out_channels=4, kernel_size=[1, 2, 3], padding=[[0, 1], [1, 0], [1, 1]]),
    example("conv_transpose1d", (4, 9), out_channels=6, kernel_size=3, stride=2, padding=1, groups=2),
    example("conv_transpose2d", (4, 5, 6), out_channels=6, kernel_size=3, stride=2, padding=1, output_padding=1),
    example("conv_transpose3d", (2, 3, 4, 5), out_channels=4, kernel_size=[1, 2, 3], dilation=2, bias=False),
    example("max_pool1d", (3, 17), kernel_size=3, dilation=2, padding=1, ceil_mode=True),
    example("max_pool2d", (3, 17, 18), kernel_size=3, stride=2, padding="same"),
    example("max_pool2d", (3, 17, 18), kernel_size=[3, 4], stride=2, padding=[1, 2], ceil_mode=True),
    example("max_pool3d", (2, 9, 8, 7), kernel_size=2),
    example("avg_pool1d", (3, 17), kernel_size=3, stride=2, padding=1, ceil_mode=True),
    example("avg_pool2d", (3, 17, 18), kernel_size=3, stride=2, padding="same", count_include_pad=False),
    example("avg_pool2d", (3, 17, 18), kernel_size=[2, 3], padding=[[1, 0], [0, 1]], ceil_mode=True),
    example("avg_pool3d", (2, 9, 8, 7), kernel_size=3, padding=1),
    example("subsample", (6, 28, 28)),
    example("subsample", (6, 28, 28), kernel_size=[3, 2], stride=2),
    example("adaptive_avg_pool1d", (3, 17), output_size=5),
    example("adaptive_avg_pool2d", (3, 17, 18), output_size=[1, 7]),
    example("adaptive_avg_pool3d", (3, 6, 7, 8), output_size=3),
    example("adaptive_max_pool1d", (3, 17), output_size=5),
    example("adaptive_max_pool2d", (3, 17, 18), output_size=[4, 6]),
    example("adaptive_max_pool3d", (3, 6, 7, 8), output_size=3),
    example("linear", (3, 20), out_features=7),
    example("linear", (20,), out_features=7, bias=False),
    example("rbf", (84,), out_features=10),
    example("embedding", (12,), dtype="int64", num_embeddings=50, embedding_dim=8, padding_idx=3),
    example("batch_norm", (6,)),
    example("batch_norm", (6, 9), affine=False),
    example("batch_norm", (6, 9, 8)),
    example("batch_norm", (6, 9, 8, 7), track_running_stats=False),
    example("layer_norm", (9, 6)),
    example("layer_norm", (9, 6), normalized_shape=[9, 6], bias=False),
    example("layer_norm", (6,), elementwise_affine=False),
    example("group_norm", (6, 9), num_groups=3),
    example("group_norm", (6, 9, 8), num_groups=2, affine=False),
    example("instance_norm", (6, 9)),
    example("instance_norm", (6, 9, 8), affine=True, track_running_stats=True),
    example("instance_norm", (6, 3, 4, 5), affine=True),
    example("local_response_norm", (6, 9, 8), size=5),
    example("relu", (6, 9)),
    example("relu6", (6, 9)),
    example("leaky_relu", (6, 9), negative_slope=0.2),
    example("prelu", (6, 9)),
    example("prelu", (6, 9), num_parameters=6),
    example("elu", (6, 9), alpha=2),
    example("gelu", (6, 9)),
    example("gelu", (6, 9), approximate="tanh"),
    example("silu", (6, 9)),
    example("sigmoid", (6, 9)),
    example("hardsigmoid", (6, 9)),
    example("hardswish", (6, 9)),
    example("tanh", (6, 9)),
    example("softplus", (6, 9), beta=2, threshold=10),
    example("softmax", (6, 9)),
    example("softmax", (6, 9), dim=0),
    example("log_softmax", (6, 9, 8), dim=1),
    example("dropout", (6, 9), p=0.3),
    example("identity", (6, 9)),
    example("flatten", (6, 9, 8)),
    example("flatten", (6, 9, 8), start_dim=1),
    example("flatten", (6, 9, 8), end_dim=-2),
    example("reshape", (6, 9, 8), shape=[3, -1]),
    example("reshape", (6, 9, 8), shape=[54, 8]),
    example("permute", (6, 9, 8), dims=[1, -1, 0]),
    example("zero_pad", (6, 9), padding=2),
    example("zero_pad", (6, 9, 8), padding=[[1, 2], 3]),
    example("zero_pad", (6, 3, 4, 5), padding=[1, 2, 3]),
    example("upsample", (6, 9), scale_factor=3),
    example("upsample", (6, 9, 8), scale_factor=1.5, mode="bilinear"),
    example("upsample", (6, 9, 8), size=[18, 5], mode="bilinear", align_corners=True),
    example("upsample", (2, 3, 4, 5), scale_factor=[1, 2, 3], mode="trilinear"),
    example("pixel_shuffle", (12, 5, 6), upscale_factor=2),
    example("channel_shuffle", (6, 9, 8), groups=3),
    example("slice", (6, 9), start=1, stop=4),
    example("slice", (6, 9), start=-5, dim=-1),
    example("slice", (6, 9), stop=-2, dim=1),
    example("chunk", (6, 9), chunks=4, index=1),
    example("chunk", (6, 9), chunks=2, index=1, dim=-1),
    example("add", (6, 9), (6, 9)),
    example("add", (6, 9), (6, 9), (9,), inplace=True),
    example("add", (6, 9, 8), (9, 1), (8,)),
    example("mul", (6, 1, 1), (6, 9, 8)),
    example("cat", (6, 9), (4, 9), (1, 9)),
    example("cat", (6, 9), (6, 2), dim=-1),
    example("multi_head_attention", (9, 12), num_heads=3),
    example("multi_head_attention", (9, 12), (7, 10), (7, 11), num_heads=4),
    example("multi_head_attention", (9, 12), (7, 12), (7, 12), num_heads=4, bias=False),
    gcn_example(out_features=4),
    gcn_example(nonzeros=None, out_features=4, bias=False),
    example("graph_readout", (7, 5)),
    example("graph_readout", (7, 5), reduction="sum"),
    example("graph_readout", (7, 5), reduction="max"),
]


def one_layer(example: Example) -> archcalc.Network:
    """A network of one layer, with inputs large enough to measure receptive fields."""
    inputs = {
        f"x{number}": {"shape": list(tensor.shape), "dtype": tensor.dtype}
        | ({} if tensor.nonzeros is None else {"nonzeros": tensor.nonzeros})
        for number, tensor in enumerate(example.inputs)
    }
    layer = {"name": "layer", "type": example.layer.type, "inputs": [*inputs], **fields_of(example.layer)}
    lines = ['name = "one layer"', f"layers = [{toml(layer)}]", "[inputs]"]
    return archcalc.loads("\n".join([*lines, *(f"{name} = {toml(table)}" for name, table in inputs.items())]))


def fields_of(layer: Layer) -> dict[str, Any]:
    values = msgspec.to_builtins(layer)
    return {name: value for name, value in values.items() if value is not None}


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    return f"[{', '.join(map(toml, value))}]" if isinstance(value, list) else json.dumps(value)
