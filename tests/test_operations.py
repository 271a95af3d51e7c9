"""Operations other than MACs, compared with formulas written out here and with counting by brute force."""

import math

import pytest
import torch
from torch import nn

import archcalc
from archcalc.arithmetic import adaptive_reads


def operations(layer: str, shape: str, inputs: str = "x") -> dict[str, int | None]:
    names = ", ".join(f'"{name}"' for name in inputs.split())
    spec = f'name = "o"\ninputs.x = {shape}\nlayers = [{{ inputs = [{names}], {layer} }}]'
    return {kind: count for kind, count in archcalc.loads(spec).layers[-1].operations.items() if count}


N = 4 * 6 * 6  # values of a 4×6×6 map


@pytest.mark.parametrize(
    ("layer", "shape", "expected"),
    [
        ('type = "relu"', "[4, 6, 6]", {"comparisons": N}),
        ('type = "relu6"', "[4, 6, 6]", {"comparisons": 2 * N}),
        ('type = "sigmoid"', "[4, 6, 6]", {"exponentials": N, "additions": N, "divisions": N}),
        ('type = "hardswish"', "[9]", {"additions": 9, "comparisons": 18, "divisions": 9, "multiplications": 9}),
        ('type = "gelu"', "[9]", {"multiplications": 27, "additions": 9, "error_functions": 9}),
        # max: 9 of 10, minus max: 10, sum: 9
        ('type = "softmax"', "[10]", {"comparisons": 9, "additions": 10 + 9, "exponentials": 10, "divisions": 10}),
        (
            'type = "log_softmax"',
            "[10]",
            {"comparisons": 9, "additions": 10 + 9 + 10, "exponentials": 10, "logarithms": 1},
        ),
        ('type = "max_pool2d", kernel_size = 2', "[4, 6, 6]", {"comparisons": 4 * 9 * 3}),
        ('type = "avg_pool2d", kernel_size = 3', "[4, 6, 6]", {"additions": 4 * 4 * 8, "divisions": 4 * 4}),
        ('type = "adaptive_avg_pool2d", output_size = 1', "[4, 6, 6]", {"additions": 4 * 35, "divisions": 4}),
        ('type = "adaptive_max_pool2d", output_size = 3', "[4, 6, 6]", {"comparisons": 4 * 9 * 3}),
        ('type = "subsample"', "[4, 6, 6]", {"additions": 4 * 9 * (3 + 1), "multiplications": 4 * 9}),
        ('type = "batch_norm"', "[4, 6, 6]", {"additions": N, "multiplications": N}),
        # per channel of 36: sum 35, mean 1; differences 36; squares 36, sum 35, variance 1; ε 1, root 1; 36 quotients
        (
            'type = "instance_norm"',
            "[4, 6, 6]",
            {
                "additions": 4 * (35 + 36 + 35 + 1),
                "multiplications": N,
                "divisions": 4 * (1 + 1 + 36),
                "square_roots": 4,
            },
        ),
        (
            'type = "layer_norm"',
            "[3, 10]",
            {
                "additions": 3 * (9 + 10 + 9 + 1) + 30,
                "multiplications": 30 + 30,
                "divisions": 3 * (1 + 1 + 10),
                "square_roots": 3,
            },
        ),
        (
            'type = "local_response_norm", size = 5',
            "[4, 6, 6]",
            {"multiplications": 2 * N, "additions": 5 * N, "powers": N, "divisions": N},
        ),
        (
            'type = "upsample", scale_factor = 2, mode = "bilinear"',
            "[4, 6, 6]",
            {"multiplications": 6 * 4 * N, "additions": 3 * 4 * N},
        ),
        ('type = "rbf", out_features = 3', "[10]", {"macs": 30, "additions": 30}),
        ('type = "embedding", num_embeddings = 9, embedding_dim = 4', '{ shape = [7], dtype = "int64" }', {}),
        ('type = "dropout"', "[9]", {}),
    ],
)
def test_by_formula(layer: str, shape: str, expected: dict[str, int]) -> None:
    assert operations(layer, shape) == expected


@pytest.mark.parametrize(("layer", "kind"), [("add", "additions"), ("mul", "multiplications")])
def test_merging(layer: str, kind: str) -> None:
    assert operations(f'type = "{layer}"', "[4, 6, 6]", "x x x") == {kind: 2 * N}


def test_attention() -> None:
    tokens, features, heads = 7, 12, 3
    scores = heads * tokens * tokens
    assert operations('type = "multi_head_attention", num_heads = 3', f"[{tokens}, {features}]") == {
        "macs": 4 * tokens * features**2 + 2 * tokens**2 * features,
        "multiplications": tokens * features,
        "additions": 4 * tokens * features + (scores - heads * tokens) + scores,
        "comparisons": scores - heads * tokens,
        "exponentials": scores,
        "divisions": scores,
    }


@pytest.mark.parametrize(("size", "output"), [(10, 7), (7, 10), (6, 3), (5, 5), (13, 4), (1, 3), (9, 1)])
def test_adaptive_windows_by_counting(size: int, output: int) -> None:
    by_definition = sum(math.ceil((i + 1) * size / output) - i * size // output for i in range(output))
    # PyTorch's windows: the positions that each mean depends on.
    values = torch.zeros(1, 1, size, dtype=torch.double, requires_grad=True)
    means = nn.AdaptiveAvgPool1d(output)(values)[0, 0]
    by_torch = sum(int(torch.autograd.grad(mean, values, retain_graph=True)[0].count_nonzero()) for mean in means)
    assert adaptive_reads(size, output) == by_definition == by_torch


def test_connections_are_links_and_biases() -> None:
    spec = """
    name = "c"
    inputs.x = [4, 6, 6]
    layers = [
      { name = "grouped", type = "conv2d", out_channels = 8, kernel_size = 3, groups = 2 },
      { name = "norm", type = "batch_norm" },
      { name = "up", type = "conv_transpose2d", out_channels = 2, kernel_size = 2, stride = 2, bias = false },
      { name = "flat", type = "flatten" },
      { name = "dense", type = "linear", out_features = 5 },
    ]
    """
    counts = {row.name: row.connections for row in archcalc.loads(spec).layers}
    assert counts == {
        "grouped": 8 * 16 * (2 * 9 + 1),
        "norm": 2 * 8 * 16,
        "up": 8 * 16 * 2 * 4,
        "flat": 0,
        "dense": 5 * (2 * 8 * 8 + 1),
    }
