"""Counts of other tools for networks of torchvision and single layers of torch.nn, stored for the tests.

    python benchmarks/peer_counts.py > tests/data/peer_counts_more.json

Run it in an environment with torch, torchvision, torchinfo, fvcore, ptflops, thop, calflops and torchprofile. Each
single layer is paired with the same layer in a spec, so that `tests/analysis/test_counting.py` can count it without
them.
"""

import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F  # noqa: N812  # as everybody calls it
from torch import nn
from torchvision import models

TOOLS = ("torch", "torchvision", "torchinfo", "fvcore", "ptflops", "thop", "calflops", "torchprofile")


class Call(nn.Module):
    """A module that calls a function."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


class Attention(nn.Module):
    """Self-attention of a sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.attention(x, x, x, need_weights=False)[0]  # type: ignore[no-any-return]


class Lookup(nn.Module):
    """An embedding that looks up row 0, since tools may pass numbers that are out of range."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(50, 8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.table(torch.zeros_like(x).long())  # type: ignore[no-any-return]


class SqueezeAndExcite(nn.Module):
    """Squeeze-and-excitation: maps times a convolution of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.AdaptiveAvgPool2d(1), nn.Conv2d(6, 6, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.excite(self.squeeze(x))


class Shared(nn.Module):
    """A convolution that is used twice, as a child of one module or of two."""

    def __init__(self, parents: int) -> None:
        super().__init__()
        conv = nn.Conv2d(6, 6, 3)
        self.first = nn.Sequential(conv)
        self.second = self.first if parents == 1 else nn.Sequential(conv)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x))  # type: ignore[no-any-return]


class Layer(NamedTuple):
    """Entries of a spec, the shape of their input `x` without the batch, and the equal PyTorch module."""

    entry: str
    shape: tuple[int, ...]
    module: Callable[[], nn.Module]
    dtype: str = "float32"


NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "vgg11": (models.vgg11, (3, 224, 224)),
    "resnet34": (models.resnet34, (3, 224, 224)),
    "resnet101": (models.resnet101, (3, 224, 224)),
    "densenet121": (models.densenet121, (3, 224, 224)),
    "squeezenet1_1": (models.squeezenet1_1, (3, 224, 224)),
    "r3d_18": (models.video.r3d_18, (3, 16, 112, 112)),
}

READOUTS = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax}
MAPS, LINE, BOX, ROWS = (6, 9, 8), (6, 9), (4, 5, 6, 7), (9, 6)


def conv(kind: str, shape: tuple[int, ...], more: str = "", **options: Any) -> Layer:
    name = f"{'ConvTranspose' if 'transpose' in kind else 'Conv'}{kind[-2]}d"
    entry = f'type = "{kind}", out_channels = 8, kernel_size = 3{more}'
    return Layer(entry, shape, lambda: getattr(nn, name)(shape[0], 8, 3, **options))


def pool(kind: str, shape: tuple[int, ...]) -> Layer:
    """A pooling with windows or an adaptive one, as a module."""
    words = "".join({"avg": "Avg", "max": "Max"}.get(word, word.capitalize()) for word in kind.split("_")[:-1])
    name = f"{words}Pool{kind[-2]}d"
    if kind.startswith("adaptive"):
        return Layer(f'type = "{kind}", output_size = 3', shape, lambda: getattr(nn, name)(3))
    return Layer(f'type = "{kind}", kernel_size = 3, stride = 2', shape, lambda: getattr(nn, name)(3, 2))


def call(entry: str, shape: tuple[int, ...], name: str, *arguments: Any, **options: Any) -> Layer:
    """A call of a function, looked up at each call, since tools replace functions."""
    module = partial(Call, lambda x: getattr(F, name)(x, *arguments, **options))
    return Layer(f"{entry}, functional = true", shape, module)


POOLS = [f"{how}_pool{n}d" for how in ("avg", "max", "adaptive_avg", "adaptive_max") for n in (1, 2, 3)]
SHAPES = {"1": LINE, "2": MAPS, "3": BOX}
LAYERS: list[Layer] = [
    conv("conv1d", LINE),
    conv("conv2d", MAPS, ", groups = 2, stride = 2, padding = 1", groups=2, stride=2, padding=1),
    conv("conv2d", MAPS, ", bias = false", bias=False),
    conv("conv3d", BOX),
    conv("conv_transpose1d", LINE),
    conv("conv_transpose2d", MAPS, ", stride = 2", stride=2),
    conv("conv_transpose3d", BOX, ", bias = false", bias=False),
    Layer('type = "linear", out_features = 7', (20,), lambda: nn.Linear(20, 7)),
    Layer('type = "linear", out_features = 7', (5, 20), lambda: nn.Linear(20, 7)),
    Layer('type = "linear", out_features = 7, bias = false', (20,), lambda: nn.Linear(20, 7, bias=False)),
    *(pool(kind, SHAPES[kind[-2]]) for kind in POOLS),
    call('type = "avg_pool2d", kernel_size = 3, stride = 2', MAPS, "avg_pool2d", 3, 2),
    call('type = "max_pool2d", kernel_size = 3, stride = 2', MAPS, "max_pool2d", 3, 2),
    call('type = "adaptive_avg_pool2d", output_size = 3', MAPS, "adaptive_avg_pool2d", 3),
    Layer('type = "batch_norm"', LINE, lambda: nn.BatchNorm1d(6)),
    Layer('type = "batch_norm"', MAPS, lambda: nn.BatchNorm2d(6)),
    Layer('type = "batch_norm"', BOX, lambda: nn.BatchNorm3d(4)),
    Layer('type = "batch_norm", affine = false', MAPS, lambda: nn.BatchNorm2d(6, affine=False)),
    Layer(
        'type = "batch_norm", track_running_stats = false', MAPS, lambda: nn.BatchNorm2d(6, track_running_stats=False)
    ),
    Layer('type = "layer_norm"', ROWS, lambda: nn.LayerNorm(6)),
    Layer('type = "layer_norm", elementwise_affine = false', ROWS, lambda: nn.LayerNorm(6, elementwise_affine=False)),
    Layer('type = "group_norm", num_groups = 2', MAPS, lambda: nn.GroupNorm(2, 6)),
    Layer('type = "group_norm", num_groups = 2, affine = false', MAPS, lambda: nn.GroupNorm(2, 6, affine=False)),
    Layer('type = "instance_norm"', MAPS, lambda: nn.InstanceNorm2d(6)),
    Layer('type = "instance_norm", affine = true', MAPS, lambda: nn.InstanceNorm2d(6, affine=True)),
    Layer('type = "local_response_norm", size = 5', MAPS, lambda: nn.LocalResponseNorm(5)),
    Layer('type = "relu"', MAPS, nn.ReLU),
    Layer('type = "relu6"', MAPS, nn.ReLU6),
    Layer('type = "leaky_relu"', MAPS, nn.LeakyReLU),
    Layer('type = "prelu"', MAPS, nn.PReLU),
    Layer('type = "prelu", num_parameters = 6', MAPS, lambda: nn.PReLU(6)),
    Layer('type = "elu"', MAPS, nn.ELU),
    Layer('type = "gelu"', MAPS, nn.GELU),
    Layer('type = "silu"', MAPS, nn.SiLU),
    Layer('type = "sigmoid"', MAPS, nn.Sigmoid),
    Layer('type = "hardsigmoid"', MAPS, nn.Hardsigmoid),
    Layer('type = "hardswish"', MAPS, nn.Hardswish),
    Layer('type = "tanh"', MAPS, nn.Tanh),
    Layer('type = "softplus"', MAPS, nn.Softplus),
    Layer('type = "softmax"', ROWS, lambda: nn.Softmax(-1)),
    Layer('type = "log_softmax"', ROWS, lambda: nn.LogSoftmax(-1)),
    call('type = "relu"', MAPS, "relu"),
    call('type = "relu6"', MAPS, "relu6"),
    call('type = "leaky_relu"', MAPS, "leaky_relu"),
    call('type = "elu"', MAPS, "elu"),
    call('type = "gelu"', MAPS, "gelu"),
    call('type = "silu"', MAPS, "silu"),
    call('type = "sigmoid"', MAPS, "sigmoid"),
    call('type = "softmax"', ROWS, "softmax", -1),
    Layer('type = "upsample", scale_factor = 2', LINE, lambda: nn.Upsample(scale_factor=2)),
    Layer('type = "upsample", scale_factor = 2', MAPS, lambda: nn.Upsample(scale_factor=2)),
    Layer('type = "upsample", scale_factor = 2', BOX, lambda: nn.Upsample(scale_factor=2)),
    Layer('type = "upsample", size = [12, 7]', MAPS, lambda: nn.Upsample(size=(12, 7))),
    Layer('type = "upsample", scale_factor = 2, mode = "linear"', LINE, lambda: nn.Upsample(None, 2, "linear")),
    Layer('type = "upsample", scale_factor = 2, mode = "bilinear"', MAPS, lambda: nn.Upsample(None, 2, "bilinear")),
    Layer('type = "upsample", scale_factor = 2, mode = "trilinear"', BOX, lambda: nn.Upsample(None, 2, "trilinear")),
    Layer('type = "upsample", scale_factor = 1.5', MAPS, lambda: nn.Upsample(scale_factor=1.5)),
    call('type = "upsample", scale_factor = 2', MAPS, "interpolate", scale_factor=2),
    Layer('type = "adaptive_avg_pool2d", output_size = 5', (1, 6, 14), lambda: nn.AdaptiveAvgPool2d(5)),
    Layer('type = "leaky_relu", inplace = true', MAPS, lambda: nn.LeakyReLU(inplace=True)),
    Layer('type = "multi_head_attention", num_heads = 3', (9, 12), Attention),
    Layer(
        'type = "adaptive_avg_pool2d", output_size = 1 }, '
        '{ name = "c", type = "conv2d", out_channels = 6, kernel_size = 1 }, { type = "mul", inputs = ["x", "c"]',
        MAPS,
        SqueezeAndExcite,
    ),
    *(
        Layer(
            'name = "a", type = "conv2d", out_channels = 6, kernel_size = 3 }, '
            '{ type = "conv2d", out_channels = 6, kernel_size = 3, weights = "a"',
            MAPS,
            partial(Shared, parents),
        )
        for parents in (1, 2)
    ),
    Layer('type = "embedding", num_embeddings = 50, embedding_dim = 8', (12,), Lookup, "int64"),
    *(
        Layer(
            f'type = "graph_readout", reduction = "{name}"',
            ROWS,
            lambda name=name: Call(partial(READOUTS[name], dim=1)),
        )
        for name in READOUTS
    ),
    Layer('type = "dropout"', MAPS, nn.Dropout),
    Layer('type = "flatten"', MAPS, nn.Flatten),
    Layer('type = "zero_pad", padding = 1', MAPS, lambda: nn.ZeroPad2d(1)),
    Layer('type = "pixel_shuffle", upscale_factor = 2', (8, 3, 4), lambda: nn.PixelShuffle(2)),
]


def torch_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(image)
    return {"torch": counter.get_total_flops()}


def torchinfo_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    import torchinfo

    found = torchinfo.summary(model, input_data=image, verbose=0)
    return {"torchinfo": found.total_mult_adds, "torchinfo activations": found.total_output_bytes}


def fvcore_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis

    found = FlopCountAnalysis(model, image).total(), ActivationCountAnalysis(model, image).total()
    return {"fvcore": int(found[0]), "fvcore activations": int(found[1])}


def ptflops_count(model: nn.Module, image: torch.Tensor) -> dict[str, int | None]:
    from ptflops import get_model_complexity_info

    if len(image) > 1:
        return {}  # it always makes a single image

    def count(backend: str) -> int | None:
        options = {"as_strings": False, "print_per_layer_stat": False, "backend": backend}
        return get_model_complexity_info(model, tuple(image.shape[1:]), **options)[0]  # type: ignore[no-any-return]

    return {"ptflops": count("pytorch"), "ptflops-aten": count("aten")}


def thop_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    from thop import profile

    return {"thop": int(profile(model, (image,), verbose=False)[0])}


def calflops_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    from calflops import calculate_flops

    if not any(True for _ in model.parameters()):
        model.register_parameter("unused", nn.Parameter(torch.zeros(1)))  # it reads the device of some parameter
    options = {"print_results": False, "output_as_string": False}
    return {"calflops": calculate_flops(model, tuple(image.shape), **options)[0]}


def torchprofile_count(model: nn.Module, image: torch.Tensor) -> dict[str, int]:
    from torchprofile import profile_macs

    return {"torchprofile": profile_macs(model, image)}


COUNTERS = (
    torch_count,
    torchinfo_count,
    fvcore_count,
    ptflops_count,
    thop_count,
    calflops_count,
    torchprofile_count,
)


def count(make: Callable[[], nn.Module], shape: tuple[int, ...], batch: int = 1) -> dict[str, int | None]:
    """The count of every tool; None if it fails."""
    found: dict[str, int | None] = {}
    for counter in COUNTERS:
        model, functions = make().eval(), [(place, dict(vars(place))) for place in (F, torch, torch.Tensor)]
        try:
            with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found |= counter(model, torch.zeros(batch, *shape))
        except Exception as error:  # a tool may raise anything
            name = counter.__name__.removesuffix("_count")
            print(f"{name} fails: {type(error).__name__}: {error}", file=sys.stderr)
            found[name] = None
        finally:
            for place, before in functions:
                restore(place, before)
    return found


def restore(place: Any, before: dict[str, Any]) -> None:
    """Restores the attributes of a module or class, in which a tool that fails leaves functions of its own."""
    for name in set(vars(place)) - set(before):
        delattr(place, name)
    for name, value in before.items():
        if vars(place)[name] is not value:
            setattr(place, name, value)


def main() -> None:
    logging.disable()
    networks = {name: count(make, shape) for name, (make, shape) in NETWORKS.items()}
    two = {"resnet18": count(models.resnet18, (3, 224, 224), batch=2)}
    layers = [
        {
            "layers": f"[{{ {layer.entry} }}]",
            "shape": list(layer.shape),
            "dtype": layer.dtype,
            "counts": count(lambda layer=layer: nn.Sequential(layer.module()), layer.shape),  # type: ignore[misc]
        }
        for layer in LAYERS
    ]
    versions = {tool: version(tool) for tool in TOOLS}
    print(json.dumps({"versions": versions, "networks": networks, "batch_of_two": two, "layers": layers}, indent=1))


if __name__ == "__main__":
    main()
