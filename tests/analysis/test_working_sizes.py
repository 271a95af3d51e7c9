"""Every claim about sizes, compared with PyTorch at all small sizes and at some very large ones."""

from collections.abc import Iterator

import pytest
import torch

import archcalc
from archcalc import Network
from archcalc.analysis.input_range import SizeRange
from archcalc.analysis.input_range_document import sizes_text
from archcalc.analysis.resizing import resized
from archcalc.pytorch.verify.sizes import Runner

CONV = '{ type = "conv2d", out_channels = 4, kernel_size = 3, stride = 2, padding = 1 }'
SPECS = {
    # A fixed length behind a stride: sizes 32 to 39 have 4×4 positions.
    "fixed length": """
      inputs.image = [3, 32, 32]
      layers = [
        { type = "conv2d", out_channels = 4, kernel_size = 8, stride = 8 }, { type = "reshape", shape = [4, 16] },
        { type = "linear", out_features = 2 },
      ]""",
    # A vision transformer: patches, and a position table of one length.
    "position table": """
      inputs.image = [3, 32, 32]
      inputs.positions = [16, 12]
      layers = [
        { type = "conv2d", input = "image", out_channels = 12, kernel_size = 8, stride = 8 },
        { type = "flatten", start_dim = 1 }, { name = "tokens", type = "permute", dims = [1, 0] },
        { name = "placed", type = "add", inputs = ["tokens", "positions"] },
        { type = "multi_head_attention", num_heads = 3 }, { type = "layer_norm" },
      ]""",
    "flatten and linear": f"""
      inputs.image = [3, 20, 20]
      layers = [{CONV}, {CONV}, {{ type = "flatten" }}, {{ type = "linear", out_features = 2 }}]""",
    "same layer twice": """
      inputs.image = [3, 12]
      layers = [
        { name = "a", type = "linear", out_features = 12 },
        { type = "max_pool1d", kernel_size = 2, stride = 1, padding = 1 },
        { type = "slice", dim = 1, stop = 12 }, { type = "linear", out_features = 12, weights = "a" },
      ]""",
    "weights of a later layer": """
      inputs.image = [3, 12]
      layers = [
        { type = "linear", out_features = 12, weights = "b" },
        { type = "max_pool1d", kernel_size = 2, stride = 1, padding = 1 },
        { type = "slice", dim = 1, stop = 12 }, { name = "b", type = "linear", out_features = 12 },
      ]""",
    "multiples of 8": f"""
      inputs.image = [3, 64, 64]
      layers = [
        {{ name = "a", type = "max_pool2d", kernel_size = 2 }}, {{ name = "b", type = "max_pool2d", kernel_size = 2 }},
        {{ name = "c", type = "max_pool2d", kernel_size = 2 }}, {{ name = "d", type = "upsample", scale_factor = 2 }},
        {{ name = "e", type = "cat", inputs = ["d", "b"] }},
        {{ name = "f", type = "conv_transpose2d", out_channels = 4, kernel_size = 2, stride = 2 }},
        {{ name = "g", type = "cat", inputs = ["f", "a"] }}, {{ name = "h", type = "upsample", scale_factor = 2 }},
        {{ name = "i", type = "cat", inputs = ["h", "image"] }}, {CONV},
      ]""",
    "two fixed lengths that agree at one size": """
      inputs.image = [1, 24]
      layers = [
        { name = "a", type = "max_pool1d", input = "image", kernel_size = 2 },
        { name = "b", type = "avg_pool1d", input = "image", kernel_size = 5, stride = 1 },
        { name = "c", type = "slice", input = "b", dim = 1, start = 8 },
        { name = "d", type = "add", inputs = ["a", "c"] },
      ]""",
    "ceil mode": """
      inputs.image = [1, 17, 17]
      layers = [
        { name = "a", type = "max_pool2d", kernel_size = 3, stride = 2, ceil_mode = true },
        { name = "b0", type = "identity", input = "image" },
        { name = "b", type = "max_pool2d", kernel_size = 3, stride = 2, padding = 1, ceil_mode = true },
        { name = "c", type = "slice", input = "b", dim = 1, stop = -1 },
        { name = "d", type = "slice", input = "c", dim = 2, stop = -1 },
        { name = "e", type = "add", inputs = ["a", "d"] },
      ]""",
    "chunks": """
      inputs.image = [2, 32]
      layers = [
        { name = "a", type = "chunk", chunks = 4, index = 3, dim = 1, input = "image" },
        { name = "b", type = "chunk", chunks = 4, index = 0, dim = 1, input = "image" },
        { name = "c", type = "mul", inputs = ["a", "b"] },
      ]""",
    "upsampling by dyadic factors": """
      inputs.image = [2, 16]
      layers = [
        { name = "a", type = "upsample", scale_factor = 2.5 }, { name = "b", type = "upsample", scale_factor = 0.5 },
        { name = "c", type = "upsample", scale_factor = 0.8125, input = "a" },
        { name = "d", type = "conv1d", out_channels = 2, kernel_size = 3, input = "b" },
      ]
      outputs = ["c", "d"]""",
    "upsampling by a decimal": """
      inputs.image = [2, 16]
      layers = [
        { name = "a", type = "upsample", scale_factor = 2.3 },
        { name = "b", type = "upsample", scale_factor = 1.15, input = "image" },
        { name = "c", type = "slice", dim = 1, stop = 18, input = "a" },
        { name = "d", type = "slice", dim = 1, stop = 18, input = "b" },
        { name = "e", type = "add", inputs = ["c", "d"] },
      ]""",
    "same padding": """
      inputs.image = [1, 19, 19]
      layers = [
        { name = "a", type = "conv2d", out_channels = 2, kernel_size = 3, stride = 2, padding = "same" },
        { name = "b", type = "max_pool2d", kernel_size = 3, stride = 3, padding = "same" },
        { name = "c", type = "reshape", shape = [-1, 8] },
      ]""",
    "pixel shuffle": """
      inputs.image = [4, 12, 12]
      layers = [
        { name = "a", type = "pixel_shuffle", upscale_factor = 2 },
        { name = "b", type = "zero_pad", padding = [[1, 2], 0] },
        { name = "c", type = "slice", dim = 1, start = 3 },
        { name = "d", type = "avg_pool2d", kernel_size = 3, stride = 2 },
        { name = "e", type = "reshape", shape = [11, -1] },
      ]""",
    "three axes": """
      inputs.video = [1, 8, 8, 8]
      layers = [
        { type = "avg_pool3d", kernel_size = 3, stride = 2, padding = 1 },
        { type = "conv3d", out_channels = 2, kernel_size = 2 },
        { type = "adaptive_avg_pool3d", output_size = 2 }, { type = "conv3d", out_channels = 2, kernel_size = 2 },
      ]""",
    "normalized shape": """
      inputs.image = [2, 16]
      layers = [
        { type = "conv1d", out_channels = 3, kernel_size = 2, stride = 2 },
        {type = "layer_norm", normalized_shape = [3, 8] },
      ]""",
    "tokens": """
      inputs.ids = { shape = [10], dtype = "int64" }
      inputs.table = [12, 6]
      layers = [
        { name = "words", type = "embedding", num_embeddings = 50, embedding_dim = 6, input = "ids" },
        { name = "places", type = "slice", input = "table", stop = 10 },
        { name = "sum", type = "add", inputs = ["words", "places"] },
      ]""",
    "group of one value": """
      inputs.image = [2, 9]
      layers = [
        { type = "max_pool1d", kernel_size = 3, padding = 1, stride = 4 },
        {type = "group_norm", num_groups = 2 },
      ]""",
    "sides of two sizes": """
      inputs.image = [1, 12, 20]
      layers = [
        { type = "max_pool2d", kernel_size = [2, 3] },
        { type = "permute", dims = [0, 2, 1] }, { type = "reshape", shape = [9, -1] },
      ]""",
    "two inputs": """
      inputs.left = [3, 20, 20]
      inputs.right = [3, 10, 10]
      layers = [
        { name = "a", type = "max_pool2d", kernel_size = 2, input = "left" },
        { name = "b", type = "add", inputs = ["a", "right"] },
      ]""",
}
SIZES = range(1, 50)
FAR = (64, 256, 257, 1000, 4096)


def ranges(text: str) -> Iterator[tuple[Network, SizeRange]]:
    network = archcalc.loads(f'name = "x"\n{text}')
    for found in network.input_ranges():
        yield network, found


@pytest.mark.parametrize("name", SPECS)
def test_pytorch_runs_exactly_the_working_sizes(name: str) -> None:
    for network, found in ranges(SPECS[name]):
        runner = Runner()
        for size in (*SIZES, *FAR):
            if found.works.tried and size > found.works.tried:
                continue
            runs = runner.runs(resized(network.graph, [*found.axes], {found.size: size}))
            assert (size in found.works) == runs, size


@pytest.mark.parametrize("name", SPECS)
def test_weights_fit_at_the_reported_sizes(name: str) -> None:
    """The weights of a network built for the spec's own size load into one built for another."""
    for network, found in ranges(SPECS[name]):
        own = archcalc.build(network, device="meta").state_dict()
        for size in {*found.works.around(found.size), *SIZES[found.size - 8 : found.size + 8]}:
            if size in found.works:
                other = archcalc.build(at(SPECS[name], network, found, size), device="meta").state_dict()
                assert (size in found.same_weights) == (shapes(own) == shapes(other)), size
            else:
                assert size not in found.same_weights


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


def at(text: str, network: Network, found: SizeRange, size: int) -> Network:
    inputs = resized(network.graph, [*found.axes], {found.size: size}).inputs
    return archcalc.loads(f'name = "x"\n{text}', inputs={name: [*tensor.shape] for name, tensor in inputs.items()})


def test_only_a_rounded_product_is_tried_size_by_size() -> None:
    tried = {name for name, text in SPECS.items() for _, found in ranges(text) if found.works.tried is not None}
    assert tried == {"upsampling by a decimal"}


@pytest.mark.parametrize(
    ("name", "works", "same_weights"),
    [
        ("fixed length", "32 to 39", "32 to 39"),
        ("multiples of 8", "multiples of 8, from 8 on", "multiples of 8, from 8 on"),
        ("flatten and linear", "at every size", "17 to 20"),
        ("two fixed lengths that agree at one size", "13, and 23 to 24", "13, and 23 to 24"),
    ],
)
def test_the_answers_as_text(name: str, works: str, same_weights: str) -> None:
    ((_, found),) = ranges(SPECS[name])
    assert (sizes_text(found.works), sizes_text(found.same_weights)) == (works, same_weights)


def test_strides_too_long_to_try() -> None:
    pools = ", ".join(['{ type = "max_pool1d", kernel_size = 8 }'] * 7)
    network = archcalc.loads(f'name = "x"\ninputs.wave = [1, 4194304]\nlayers = [{pools}]')
    (found,) = network.input_ranges()
    assert (found.works.smallest, found.works.tried, found.works.is_endless) == (8**7, None, True)
    assert found.no_remainder.tried is not None
    assert 4194304 in found.no_remainder
