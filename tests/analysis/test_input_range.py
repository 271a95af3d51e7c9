"""Sizes of inputs: compared with rfa_toolbox, with gradients, and with loading every size."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

import archcalc
from archcalc import Network
from archcalc.analysis.input_range import Bound, ExactSizes, SizeRange
from archcalc.analysis.receptive_field import Field, fold_shortest_fields
from archcalc.arithmetic import Window
from archcalc.numbers.bounds import Unknown

RFA = json.loads((Path(__file__).parent.parent / "data" / "rfa_toolbox.json").read_text("utf-8"))


def only_range(network: Network) -> SizeRange:
    (found,) = network.input_ranges()
    return found


def test_the_published_range_of_resnet50() -> None:
    found = only_range(archcalc.load("resnet50"))
    assert found.productive == Bound(75, "layer4.1.expand.conv")
    assert found.covered == Bound(427, "layer4.2.spatial.conv")
    assert [found.productive.size, found.covered.size] == RFA["published"]["resnet50"]


@pytest.mark.parametrize("name", RFA["range"])
def test_fields_along_the_longest_and_the_shortest_path(name: str) -> None:
    """rfa_toolbox's least size is the largest field that any layer gives along the shortest path, or a kernel's own."""
    network = archcalc.load(name)
    least, most = RFA["range"][name]
    covered = only_range(network).covered
    assert covered is not None
    assert covered.size == most
    analysed = network.analysed
    fields = fold_shortest_fields(analysed.graph, analysed.shapes).edges
    shortest = max(largest(field) for field in fields)
    kernels = max(
        window.kernel * axis.advance
        for position, node in enumerate(analysed.graph.nodes)
        for window in node.layer.windows(analysed.tensors_at(position)[0]).values()
        if isinstance(field := analysed.receptive_fields.edges[node.sources[0]], Field)
        for axis in field.axes
    )
    assert max(shortest, kernels) == least


def largest(field: Field | Unknown | None) -> int:
    assert not isinstance(field, Unknown)
    return max((axis.size or 0 for axis in field.axes if axis.advance), default=0) if field else 0


@settings(deadline=None, derandomize=True, max_examples=300, database=None)
@given(
    size=st.integers(1, 40),
    window=st.builds(
        lambda kernel, stride, padding, dilation: Window(kernel, stride, padding, padding, dilation),
        st.integers(1, 5),
        st.integers(1, 6),
        st.integers(0, 3),
        st.integers(1, 3),
    ),
)
def test_what_a_stride_drops_has_no_gradient(size: int, window: Window) -> None:
    if (count := window.count(size)) < 1:
        return
    image = torch.zeros(1, 1, size, requires_grad=True)
    # Every position from the first to the last that a window reaches over.
    kernel = torch.ones(1, 1, window.effective)
    output = functional.conv1d(image, kernel, stride=window.stride, padding=window.before)
    assert output.shape[-1] == count
    output.sum().backward()  # type: ignore[no-untyped-call]
    assert image.grad is not None
    read = image.grad[0, 0].nonzero().flatten().tolist()
    unread = size - 1 - read[-1] if read else size
    between = max(window.stride - window.effective, 0) if count > 1 else 0
    assert window.dropped(size, count) == max(unread - between, 0)


WINDOWS = st.tuples(st.sampled_from(["conv2d", "max_pool2d"]), st.integers(1, 5), st.integers(1, 3))


@settings(deadline=None, derandomize=True, max_examples=40, database=None)
@given(layers=st.lists(WINDOWS, min_size=1, max_size=4), padded=st.booleans())
def test_every_size_is_said_right(layers: list[tuple[str, int, int]], padded: bool) -> None:
    entries = [
        f'{{ type = "{kind}", kernel_size = {kernel}, stride = {stride}, padding = {kernel // 2 if padded else 0}'
        + (", out_channels = 1 }" if kind == "conv2d" else " }")
        for kind, kernel, stride in layers
    ]
    text = f'name = "x"\ninputs.image = [1, 400, 400]\nlayers = [{", ".join(entries)}]'
    found = only_range(archcalc.loads(text))
    assert isinstance(found.exact, ExactSizes)
    assert found.smallest is not None
    for size in range(1, found.exact.start + 3 * found.exact.modulus):
        problems = problems_at(text, size)
        assert (problems is None) == (size < found.smallest)
        if size >= found.exact.start:
            assert (problems == []) == (size % found.exact.modulus in found.exact.remainders)


def problems_at(text: str, size: int) -> list[str] | None:
    """The findings about dropped pixels; None if the size does not work."""
    try:
        network = archcalc.loads(text, inputs={"image": [1, size, size]})
    except archcalc.ShapeError:
        return None
    return [str(finding) for finding in network.check() if finding.code == "W101"]


@pytest.mark.parametrize(
    ("name", "smallest", "exact"),
    [
        ("lenet5", 32, ExactSizes(32, 4, (0,), 32, 32)),
        ("unet", 188, ExactSizes(188, 16, (12,), 572, 572)),  # the paper: even sizes before every pooling
        ("inception_v3", 75, ExactSizes(75, 32, (11,), 299, 299)),  # 75 is torchvision's and Keras' own minimum
        ("squeezenet1_1", 17, ExactSizes(17, 2, (1,), 223, 225)),
        ("m5", 1772, ExactSizes(1772, 1024, (748,), 31468, 32492)),
    ],
)
def test_known_sizes(name: str, smallest: int, exact: ExactSizes) -> None:
    found = only_range(archcalc.load(name))
    assert found.smallest == smallest
    assert found.exact == exact


def test_no_size_is_exact_where_a_layer_makes_the_size() -> None:
    text = """
    name = "x"
    inputs.image = [1, 32, 32]
    layers = [
      { type = "conv2d", out_channels = 1, kernel_size = 3 },
      { type = "adaptive_avg_pool2d", output_size = 4 },
      { type = "conv2d", out_channels = 1, kernel_size = 3, stride = 2 },
    ]
    """
    found = only_range(archcalc.loads(text))
    assert isinstance(found.exact, ExactSizes | Unknown)
    assert not isinstance(found.exact, ExactSizes) or found.exact.remainders == ()


def test_axes_of_different_sizes_have_answers_of_their_own() -> None:
    frames, sides = archcalc.load("r3d_18").input_ranges()
    assert (frames.size, [extent.axis for extent in frames.axes]) == (16, [1])
    assert (sides.size, [extent.axis for extent in sides.axes]) == (112, [2, 3])


def test_strides_too_long_to_try() -> None:
    pools = ", ".join(['{ type = "max_pool1d", kernel_size = 8 }'] * 7)
    found = only_range(archcalc.loads(f'name = "x"\ninputs.wave = [1, 4194304]\nlayers = [{pools}]'))
    assert found.exact == Unknown("the strides together move by 2,097,152 positions, too many to try all sizes between")
    assert found.smallest == 8**7


def test_a_network_without_windows() -> None:
    found = only_range(archcalc.load("dense_mnist"))
    assert (found.smallest, found.productive, found.covered) == (1, None, None)
    assert archcalc.loads('name = "x"\ninputs.x = [4]\nlayers = [{ type = "relu" }]').input_ranges() == ()
