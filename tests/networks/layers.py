"""Random fields of a layer of every type, for its input shapes.

`FIELDS` has a function for every layer type. It may choose values that do not fit; the caller checks them.
"""

from collections.abc import Callable
from typing import Any

from archcalc.layers.base import Tensors
from networks.choice import Choice

Fields = dict[str, Any]
Chooser = Callable[[Choice, Tensors], Fields]


def divisors(number: int) -> list[int]:
    return [divisor for divisor in range(1, number + 1) if number % divisor == 0]


def optional(choice: Choice, percent: int, **fields: Callable[[], Any]) -> Fields:
    """Keeps each of the fields with this probability."""
    return {name: value() for name, value in fields.items() if choice.chance(percent)}


def per_axis(choice: Choice, least: int, most: int, axes: int) -> Any:
    """One number for all axes, or a list of one for each."""
    if choice.chance(35):
        return [choice.integer(least, most) for _ in range(axes)]
    return choice.integer(least, most)


def each_axis(value: Any, axes: int) -> list[int]:
    return value if isinstance(value, list) else [value] * axes


def padding(choice: Choice, most: int, axes: int) -> Any:
    kind = choice.of(["number", "number", "axes", "pairs", "same", "valid"])
    if kind in ("same", "valid"):
        return kind
    if kind == "number":
        return choice.integer(0, most)
    values: list[Any] = [choice.integer(0, most) for _ in range(axes)]
    if kind == "pairs":
        pairs = ([choice.integer(0, most), choice.integer(0, most)] for _ in range(axes))
        return [pair if choice.chance(70) else value for pair, value in zip(pairs, values, strict=True)]
    return values


# convolutions


def convolution(axes: int) -> Chooser:
    def choose(choice: Choice, tensors: Tensors) -> Fields:
        channels, *sizes = tensors[0].shape
        groups = choice.of(divisors(channels)) if choice.chance(30) else 1
        outputs = groups * choice.integer(1, max(1, 6 // groups))
        kernel = per_axis(choice, 1, min(4, max(1, *sizes)), axes)
        fields: Fields = {"out_channels": outputs, "kernel_size": kernel}
        if groups > 1 or choice.chance(5):
            fields["groups"] = groups
        fields |= optional(
            choice,
            35,
            padding=lambda: padding(choice, 2, axes),
            stride=lambda: per_axis(choice, 1, 3, axes),
            dilation=lambda: per_axis(choice, 1, 3, axes),
            bias=lambda: choice.chance(30),
        )
        if groups == 1 and choice.chance(8):
            fields["connections"] = [subset(choice, channels) for _ in range(outputs)]
        return fields

    return choose


def subset(choice: Choice, count: int) -> list[int]:
    found = [number for number in range(count) if choice.chance(50)]
    return found or [choice.integer(0, count - 1)]


def transposed(axes: int) -> Chooser:
    def choose(choice: Choice, tensors: Tensors) -> Fields:
        channels = tensors[0].shape[0]
        groups = choice.of(divisors(channels)) if choice.chance(30) else 1
        fields: Fields = {
            "out_channels": groups * choice.integer(1, max(1, 4 // groups)),
            "kernel_size": per_axis(choice, 1, 4, axes),
        }
        if groups > 1:
            fields["groups"] = groups
        fields |= optional(
            choice,
            45,
            stride=lambda: per_axis(choice, 1, 3, axes),
            padding=lambda: per_axis(choice, 0, 2, axes),
            dilation=lambda: per_axis(choice, 1, 3, axes),
            bias=lambda: choice.chance(30),
        )
        steps = (each_axis(fields.get(name, 1), axes) for name in ("stride", "dilation"))
        room = min(max(pair) for pair in zip(*steps, strict=True)) - 1
        if room and choice.chance(40):
            fields["output_padding"] = per_axis(choice, 0, room, axes)
        return fields

    return choose


# pooling


def pooling(axes: int, **more: Callable[[Choice, int], Any]) -> Chooser:
    def choose(choice: Choice, tensors: Tensors) -> Fields:
        sizes = tensors[0].shape[1:]
        kernel = per_axis(choice, 1, min(4, *sizes), axes)
        fields: Fields = {"kernel_size": kernel}
        fields |= optional(
            choice,
            40,
            stride=lambda: per_axis(choice, 1, 3, axes),
            padding=lambda: padding(choice, min(each_axis(kernel, axes)) // 2, axes),
            ceil_mode=lambda: choice.chance(80),
        )
        return fields | {name: value(choice, axes) for name, value in more.items() if choice.chance(35)}

    return choose


def max_pooling(axes: int) -> Chooser:
    return pooling(axes, dilation=lambda choice, axes: per_axis(choice, 1, 3, axes))


def average_pooling(axes: int) -> Chooser:
    return pooling(axes, count_include_pad=lambda choice, _: choice.chance(30))


def adaptive(axes: int) -> Chooser:
    return lambda choice, _: {"output_size": 1 if choice.chance(30) else per_axis(choice, 1, 6, axes)}


def subsample(choice: Choice, tensors: Tensors) -> Fields:
    return optional(choice, 50, kernel_size=lambda: per_axis(choice, 1, 3, 2), stride=lambda: per_axis(choice, 1, 3, 2))


# normalization


def batch_norm(choice: Choice, tensors: Tensors) -> Fields:
    return optional(
        choice,
        25,
        eps=lambda: choice.of([1e-3, 1e-5, 0.1]),
        momentum=lambda: choice.of([0.01, 0.1, 0.9]),
        affine=lambda: choice.chance(30),
        track_running_stats=lambda: choice.chance(40),
    )


def instance_norm(choice: Choice, tensors: Tensors) -> Fields:
    return optional(
        choice,
        35,
        eps=lambda: choice.of([1e-3, 1e-5, 0.1]),
        momentum=lambda: choice.of([0.01, 0.1, 0.9]),
        affine=lambda: choice.chance(70),
        track_running_stats=lambda: choice.chance(70),
    )


def layer_norm(choice: Choice, tensors: Tensors) -> Fields:
    shape = [*tensors[0].shape]
    last = choice.integer(1, max(1, len(shape)))
    return optional(
        choice,
        35,
        normalized_shape=lambda: shape[-1] if last == 1 and shape and choice.chance(50) else shape[-last:],
        eps=lambda: choice.of([1e-3, 1e-5, 0.1]),
        elementwise_affine=lambda: choice.chance(40),
        bias=lambda: choice.chance(30),
    )


def group_norm(choice: Choice, tensors: Tensors) -> Fields:
    return {"num_groups": choice.of(divisors(tensors[0].shape[0]))} | optional(
        choice, 25, eps=lambda: choice.of([1e-3, 0.1]), affine=lambda: choice.chance(30)
    )


def local_response_norm(choice: Choice, tensors: Tensors) -> Fields:
    return {"size": choice.integer(1, 5)} | optional(
        choice,
        25,
        alpha=lambda: choice.of([1e-4, 1e-2]),
        beta=lambda: choice.of([0.5, 0.75, 1.0]),
        k=lambda: choice.of([1.0, 2.0]),
    )


# activations, and types with few fields


def simple(percent: int = 30, **fields: Callable[[Choice], Any]) -> Chooser:
    return lambda choice, _: {name: value(choice) for name, value in fields.items() if choice.chance(percent)}


def in_place(choice: Choice) -> bool:
    return choice.chance(70)


def softmax(choice: Choice, tensors: Tensors) -> Fields:
    rank = max(1, len(tensors[0].shape))
    return optional(choice, 50, dim=lambda: choice.integer(-rank, rank - 1))


def prelu(choice: Choice, tensors: Tensors) -> Fields:
    channels = tensors[0].shape[0] if tensors[0].shape else 1
    return optional(choice, 40, num_parameters=lambda: channels)


# dense


def linear(choice: Choice, tensors: Tensors) -> Fields:
    return {"out_features": choice.integer(1, 6)} | optional(choice, 30, bias=lambda: choice.chance(30))


def embedding(choice: Choice, tensors: Tensors) -> Fields:
    rows = choice.integer(1, 9)
    fields = {"num_embeddings": rows, "embedding_dim": choice.integer(1, 6)}
    return fields | optional(choice, 25, padding_idx=lambda: choice.integer(0, rows - 1))


def attention(choice: Choice, tensors: Tensors) -> Fields:
    return {"num_heads": choice.of(divisors(tensors[0].shape[-1]))} | optional(
        choice, 30, bias=lambda: choice.chance(30), dropout=lambda: choice.of([0.0, 0.25])
    )


# shaping


def flatten(choice: Choice, tensors: Tensors) -> Fields:
    rank = max(1, len(tensors[0].shape))
    start = choice.integer(0, rank - 1)
    return optional(
        choice,
        40,
        start_dim=lambda: start - rank if choice.chance(30) else start,
        end_dim=lambda: choice.integer(start, rank - 1) - (rank if choice.chance(50) else 0),
    )


def reshape(choice: Choice, tensors: Tensors) -> Fields:
    """Joins neighbouring axes, or splits an axis; sometimes leaves one size open."""
    shape = [*tensors[0].shape] or [1]
    axis = choice.integer(0, len(shape) - 1)
    if choice.chance(50):
        first = choice.of(divisors(shape[axis]))
        shape[axis : axis + 1] = [first, shape[axis] // first]
    elif len(shape) > 1:
        axis = min(axis, len(shape) - 2)
        shape[axis : axis + 2] = [shape[axis] * shape[axis + 1]]
    if choice.chance(40):
        shape[choice.integer(0, len(shape) - 1)] = -1
    return {"shape": shape}


def permute(choice: Choice, tensors: Tensors) -> Fields:
    left = [*range(len(tensors[0].shape))]
    dims = [left.pop(choice.integer(0, len(left) - 1)) for _ in range(len(left))]
    return {"dims": [dim - len(dims) if choice.chance(20) else dim for dim in dims]}


def a_slice(choice: Choice, tensors: Tensors) -> Fields:
    rank = len(tensors[0].shape)
    dim = choice.integer(-rank, rank - 1) if rank and choice.chance(50) else 0
    size = tensors[0].shape[dim] if rank else 1
    start = choice.integer(0, max(0, min(2, size - 1)))
    return optional(
        choice,
        60,
        start=lambda: start - size if choice.chance(30) else start,
        stop=lambda: choice.of([size, size + 2, start + 1, -1]),
    ) | ({"dim": dim} if dim or choice.chance(10) else {})


def chunk(choice: Choice, tensors: Tensors) -> Fields:
    rank = len(tensors[0].shape)
    dim = choice.integer(-rank, rank - 1) if rank and choice.chance(50) else 0
    chunks = choice.integer(1, 4)
    fields = {"chunks": chunks, "index": choice.integer(0, chunks - 1)}
    return fields | ({"dim": dim} if dim or choice.chance(10) else {})


def zero_pad(choice: Choice, tensors: Tensors) -> Fields:
    found = padding(choice, 2, len(tensors[0].shape) - 1)
    return {"padding": 1 if isinstance(found, str) else found}


def upsample(choice: Choice, tensors: Tensors) -> Fields:
    axes = len(tensors[0].shape) - 1
    fields: Fields = {}
    if choice.chance(40):
        fields["size"] = per_axis(choice, 1, 9, axes)
    else:
        factors = [2, 3, 1.5, 1, 0.5, 2.5]
        one = choice.of(factors)
        fields["scale_factor"] = [choice.of(factors) for _ in range(axes)] if choice.chance(35) else one
    if choice.chance(50):
        fields["mode"] = ("linear", "bilinear", "trilinear")[axes - 1]
        fields |= optional(choice, 40, align_corners=lambda: choice.chance(80))
    elif choice.chance(20):
        fields["mode"] = "nearest"
    return fields


def pixel_shuffle(choice: Choice, tensors: Tensors) -> Fields:
    fitting = [factor for factor in (1, 2, 3) if tensors[0].shape[0] % factor**2 == 0]
    return {"upscale_factor": choice.of(fitting)}


def cat(choice: Choice, tensors: Tensors) -> Fields:
    """Concatenates along an axis; the shapes must be equal on all others."""
    shapes = [tensor.shape for tensor in tensors]
    rank = len(shapes[0])
    fitting = [
        axis for axis in range(rank) if len({(len(shape), shape[:axis], shape[axis + 1 :]) for shape in shapes}) == 1
    ]
    axis = choice.of(fitting or [0])
    if axis == 0 and choice.chance(80):
        return {}
    return {"dim": axis - rank if choice.chance(30) else axis}


FIELDS: dict[str, Chooser] = {
    "conv1d": convolution(1),
    "conv2d": convolution(2),
    "conv3d": convolution(3),
    "conv_transpose1d": transposed(1),
    "conv_transpose2d": transposed(2),
    "conv_transpose3d": transposed(3),
    "max_pool1d": max_pooling(1),
    "max_pool2d": max_pooling(2),
    "max_pool3d": max_pooling(3),
    "avg_pool1d": average_pooling(1),
    "avg_pool2d": average_pooling(2),
    "avg_pool3d": average_pooling(3),
    "subsample": subsample,
    "adaptive_avg_pool1d": adaptive(1),
    "adaptive_avg_pool2d": adaptive(2),
    "adaptive_avg_pool3d": adaptive(3),
    "adaptive_max_pool1d": adaptive(1),
    "adaptive_max_pool2d": adaptive(2),
    "adaptive_max_pool3d": adaptive(3),
    "linear": linear,
    "rbf": lambda choice, _: {"out_features": choice.integer(1, 6)},
    "embedding": embedding,
    "batch_norm": batch_norm,
    "layer_norm": layer_norm,
    "group_norm": group_norm,
    "instance_norm": instance_norm,
    "local_response_norm": local_response_norm,
    "relu": simple(inplace=in_place),
    "relu6": simple(inplace=in_place),
    "leaky_relu": simple(inplace=in_place, negative_slope=lambda choice: choice.of([0.1, 0.2, 1])),
    "prelu": prelu,
    "elu": simple(inplace=in_place, alpha=lambda choice: choice.of([0.5, 2])),
    "gelu": simple(approximate=lambda choice: choice.of(["none", "tanh"])),
    "silu": simple(inplace=in_place),
    "sigmoid": simple(),
    "hardsigmoid": simple(inplace=in_place),
    "hardswish": simple(inplace=in_place),
    "tanh": simple(),
    "softplus": simple(beta=lambda choice: choice.of([0.5, 2]), threshold=lambda choice: choice.of([1, 10])),
    "softmax": softmax,
    "log_softmax": softmax,
    "dropout": simple(p=lambda choice: choice.of([0.1, 0.0, 1.0]), inplace=in_place),
    "identity": simple(),
    "flatten": flatten,
    "reshape": reshape,
    "permute": permute,
    "channel_shuffle": lambda choice, tensors: {"groups": choice.of(divisors(tensors[0].shape[0]))},
    "slice": a_slice,
    "chunk": chunk,
    "zero_pad": zero_pad,
    "upsample": upsample,
    "pixel_shuffle": pixel_shuffle,
    "add": simple(inplace=in_place),
    "mul": simple(),
    "cat": cat,
    "multi_head_attention": attention,
    "gcn_conv": linear,
    "graph_readout": simple(60, reduction=lambda choice: choice.of(["mean", "sum", "max"])),
}
