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
from archcalc.analysis.input_range import SizeBound, SizeRange
from archcalc.analysis.receptive_field import Field, propagate_shortest_fields
from archcalc.analysis.resizing import resized
from archcalc.analysis.size_sets import SizeSet
from archcalc.arithmetic import Window
from archcalc.numbers.bounds import Unknown

RFA = json.loads((Path(__file__).parent.parent / "data" / "rfa_toolbox.json").read_text("utf-8"))


def only_range(network: Network) -> SizeRange:
    (found,) = network.input_ranges()
    return found


def test_the_published_range_of_resnet50() -> None:
    found = only_range(archcalc.load("resnet50"))
    assert found.productive == SizeBound(75, "layer4.1.expand.conv")
    assert found.covered == SizeBound(427, "layer4.2.spatial.conv")
    assert [found.productive.size, found.covered.size] == RFA["published"]["resnet50"]


@pytest.mark.parametrize("name", RFA["range"])
def test_fields_along_the_longest_and_the_shortest_path(name: str) -> None:
    """rfa_toolbox's smallest size is the largest field of any layer along the shortest path, or a kernel's size."""
    network = archcalc.load(name)
    least, most = RFA["range"][name]
    covered = only_range(network).covered
    assert covered is not None
    assert covered.size == most
    context = network.context
    fields = propagate_shortest_fields(context.graph, context.shapes).edges
    shortest = max(largest(field) for field in fields)
    kernels = max(
        window.kernel * axis.advance
        for position, node in enumerate(context.graph.nodes)
        for window in node.layer.windows(context.tensors_at(position)[0]).values()
        if isinstance(field := context.receptive_fields.edges[node.sources[0]], Field)
        for axis in field.axes
    )
    assert max(shortest, kernels) == least


def largest(field: Field | Unknown | None) -> int:
    assert not isinstance(field, Unknown)
    return max((axis.size or 0 for axis in field.axes if axis.advance), default=0) if field else 0


@settings(max_examples=300)
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
def test_dropped_positions_have_no_gradient(size: int, window: Window) -> None:
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


@settings(max_examples=40)
@given(layers=st.lists(WINDOWS, min_size=1, max_size=4), padded=st.booleans())
def test_every_size_is_classified_correctly(layers: list[tuple[str, int, int]], padded: bool) -> None:
    entries = [
        f'{{ type = "{kind}", kernel_size = {kernel}, stride = {stride}, padding = {kernel // 2 if padded else 0}'
        + (", out_channels = 1 }" if kind == "conv2d" else " }")
        for kind, kernel, stride in layers
    ]
    text = f'name = "x"\ninputs.image = [1, 400, 400]\nlayers = [{", ".join(entries)}]'
    found = only_range(archcalc.loads(text))
    assert found.works.tried is found.no_remainder.tried is None
    for size in range(1, found.no_remainder.start + 3 * found.no_remainder.modulus):
        problems = problems_at(text, size)
        assert (problems is not None) == (size in found.works)
        assert (problems == []) == (size in found.no_remainder)


def problems_at(text: str, size: int) -> list[str] | None:
    """The findings about dropped pixels; None if the size does not work."""
    try:
        network = archcalc.loads(text, inputs={"image": [1, size, size]})
    except archcalc.ShapeError:
        return None
    return [str(finding) for finding in network.check() if finding.code == "W101"]


@pytest.mark.parametrize(
    ("name", "smallest", "even"),
    [
        ("lenet5", 32, SizeSet((), 32, 4, (0,))),
        ("unet", 188, SizeSet((), 188, 16, (12,))),  # the paper: even sizes before every pooling
        ("inception_v3", 75, SizeSet((), 75, 32, (11,))),  # 75 is torchvision's and Keras' own minimum
        ("squeezenet1_1", 17, SizeSet((), 17, 2, (1,))),
        ("m5", 1772, SizeSet((), 1772, 1024, (748,))),
    ],
)
def test_known_sizes(name: str, smallest: int, even: SizeSet) -> None:
    found = only_range(archcalc.load(name))
    assert found.works.smallest == smallest
    assert found.no_remainder == even


def test_a_unet_works_at_steps_of_16() -> None:
    assert only_range(archcalc.load("unet")).works == SizeSet((), 188, 16, (12,))


def test_every_size_leaves_a_remainder_where_a_layer_makes_the_size() -> None:
    text = """
    name = "x"
    inputs.image = [1, 32, 32]
    layers = [
      { type = "conv2d", out_channels = 1, kernel_size = 3 },
      { type = "adaptive_avg_pool2d", output_size = 4 },
      { type = "conv2d", out_channels = 1, kernel_size = 3, stride = 2 },
    ]
    """
    assert only_range(archcalc.loads(text)).no_remainder == SizeSet()


@pytest.mark.parametrize(
    ("layer", "changing", "before"),
    [
        ('{ type = "adaptive_avg_pool2d", output_size = 4 }', "adaptive_avg_pool2d", "adaptive_avg_pool2d"),
        ('{ type = "upsample", size = 24 }', "upsample", "upsample"),
        ('{ type = "adaptive_avg_pool2d", output_size = 1 }', None, "adaptive_avg_pool2d"),  # reads the whole map
    ],
)
def test_windows_that_grow_with_the_input_are_left_out(layer: str, changing: str | None, before: str) -> None:
    """At another size they would see another part of the input."""
    conv = '{ type = "conv2d", out_channels = 1, kernel_size = 5 }'
    found = only_range(
        archcalc.loads(f'name = "x"\ninputs.image = [1, 33, 33]\nlayers = [{conv}, {layer}, {conv[:-4]}1 }}]')
    )
    assert (found.covered, found.changing, found.before) == (SizeBound(5, "conv2d"), changing, before)


def test_squeeze_and_excitation_sees_more_than_by_windows() -> None:
    text = """
    name = "x"
    inputs.image = [3, 64, 64]
    layers = [
      { name = "a", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 },
      { name = "p", type = "adaptive_avg_pool2d", output_size = 1 },
      { type = "mul", inputs = ["a", "p"] },
      { name = "b", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 },
      { type = "flatten" },
    ]
    """
    found = only_range(archcalc.loads(text))
    assert (found.productive, found.covered, found.before) == (SizeBound(3, "b", True), SizeBound(5, "b", True), "p")


def test_an_unknown_field_has_a_reason() -> None:
    text = """
    name = "x"
    inputs.image = [1, 8, 8]
    layers = [
      { type = "conv2d", out_channels = 1, kernel_size = 3 },
      { type = "reshape", shape = [1, -1] },
      { type = "conv1d", out_channels = 1, kernel_size = 3 },
    ]
    """
    found = only_range(archcalc.loads(text))
    assert (found.covered, found.unknown) == (None, "positions were mixed by a reshape")


def test_axes_of_different_sizes_have_answers_of_their_own() -> None:
    frames, sides = archcalc.load("r3d_18").input_ranges()
    assert (frames.size, [extent.axis for extent in frames.axes]) == (16, [1])
    assert (sides.size, [extent.axis for extent in sides.axes]) == (112, [2, 3])


def test_a_network_without_windows() -> None:
    found = only_range(archcalc.load("dense_mnist"))
    assert (found.works.smallest, found.productive, found.covered) == (1, None, None)
    assert archcalc.loads('name = "x"\ninputs.x = [4]\nlayers = [{ type = "relu" }]').input_ranges().ranges == ()


def test_sizes_at_which_a_needed_value_is_overwritten_do_not_work() -> None:
    """With as many channels as groups, PyTorch shuffles nothing and returns a view of the input."""
    text = """
    name = "x"
    inputs.x = [3, 8]
    layers = [
      { type = "conv1d", out_channels = 3, kernel_size = 1 }, { type = "permute", dims = [1, 0] },
      { name = "start", type = "tanh" },
      { type = "channel_shuffle", groups = 2 }, { type = "add", inputs = ["channel_shuffle", "start"], inplace = true },
    ]
    """
    network = archcalc.loads(text)
    sizes = only_range(network)
    assert [size for size in range(1, 9) if size in sizes.works] == [4, 6, 8]
    with pytest.raises(archcalc.SpecError, match="works in place on a value that it reads as another input"):
        archcalc.Network(resized(network.graph, [*sizes.axes], {8: 2}))


def test_fields_of_very_many_layers_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcalc.analysis.input_range.MOST_LAYERS", 2)
    text = (
        'name = "x"\ninputs.x = [1, 9]\nlayers = [{ type = "conv1d", out_channels = 1, kernel_size = 3, repeat = 3 }]'
    )
    found = only_range(archcalc.loads(text))
    assert (found.works.smallest, found.covered) == (7, None)
    assert found.unknown == "fields are compared at several sizes in networks of at most 2 layers"


def test_paddings_beyond_any_number_of_the_machine() -> None:
    text = """
    name = "x"
    inputs.x = [1, 8, 8]
    layers = [
      { type = "conv2d", out_channels = 1, kernel_size = 3, padding = 999999999999999999999999999999 },
      { type = "adaptive_avg_pool2d", output_size = 7 },
    ]
    """
    assert only_range(archcalc.loads(text)).works.smallest == 1
