"""Receptive fields of random networks compared with gradients: every layer, every axis, several units."""

import random
from collections.abc import Iterator

import pytest
import torch
from field_oracle import Oracle
from networks import Drawn, Wishes, network_of

import archcalc
from archcalc.analysis.axis_field import AxisField
from archcalc.analysis.dependence import Units, depends_on, unit_box
from archcalc.analysis.intervals import Intervals, along, count, everything, includes, merged, volume, within
from archcalc.analysis.receptive_field import Path, links_that_share
from archcalc.analysis.spans import NOT_FOLLOWED, SOLID, Span

pytestmark = pytest.mark.usefixtures("one_thread")
WISHES = Wishes(layers=8)


def mask(units: Units | None, shape: tuple[int, ...]) -> torch.Tensor:
    """The units as a mask, with one value per position."""
    found = torch.zeros(shape, dtype=torch.bool)
    for box in units.boxes if units else ():
        part = torch.ones((), dtype=torch.bool)
        for axis, intervals in enumerate(box):
            line = torch.zeros(shape[axis], dtype=torch.bool)
            for first, last in intervals:
                line[first : last + 1] = True
            part = part & line.reshape([-1 if other == axis else 1 for other in range(len(shape))])
        found |= part
    return found


def some_units(shape: tuple[int, ...], choice: random.Random) -> Iterator[dict[int, int]]:
    """Units at a corner, at an edge, in the middle and at random; on some axes all units together."""
    for _ in range(3):
        axes = [axis for axis in range(len(shape)) if choice.random() < 0.7]
        yield {axis: choice.choice([0, shape[axis] - 1, shape[axis] // 2]) for axis in axes}


def check_exactly(network: archcalc.Network, seed: int) -> int:
    """Compares the positions and channels of every input that units depend on; returns the number of comparisons."""
    oracle, choice, compared = Oracle(network), random.Random(seed), 0
    for edge in range(len(network.inputs), len(oracle.values)):
        shape = network.context.tensors[edge].shape
        for places in some_units(shape, choice):
            found = oracle.seen(edge, places)
            predicted = depends_on(network.context, edge, unit_box(shape, places))
            for number, (name, size) in enumerate(network.inputs.items()):
                units = predicted.get(number)
                here = mask(units, size)
                exact = units is None or not units.loose
                agrees = torch.equal(here, found[name]) if exact else bool((here | ~found[name]).all())
                assert agrees, (network.context.graph.edge_names[edge], places, name)
                compared += exact
    return compared


def seen_by(span: Span, size: int) -> Intervals:
    """The positions of a span that are in the input."""
    if span.first > span.last:
        return ()
    if span.mask in (SOLID, NOT_FOLLOWED):
        return within(((int(span.first), int(span.last)),), size)
    bits = (bit for bit in range(span.mask.bit_length()) if span.mask >> bit & 1)
    return within(merged((int(span.first) + bit,) * 2 for bit in bits), size)


def sees_no_padding(network: archcalc.Network, path: Path, place: int, span: Span) -> bool:
    """Whether a span is seen without padding: all units of layers before it lie in their tensors."""
    size = network.inputs[path.source][place]
    for paths in network.context.receptive_fields.paths:
        for other in paths:
            field = other.axes[other.places.index(place)] if other.source == path.source else None
            if isinstance(field, AxisField) and field.advance:
                before = [field.span(-1 - phase) for phase in range(field.period)]
                behind = [field.span(field.extent + phase) for phase in range(field.period)]
                least = max((each.first for each in before if each.first <= each.last), default=-1)
                most = min((each.last for each in behind if each.first <= each.last), default=size)
                if span.first <= least or span.last >= most:
                    return False
    return span.first >= 0 and span.last < size


def check_folds(network: archcalc.Network, seed: int) -> tuple[int, int]:
    """Compares the field along each axis of each input; returns the numbers of equal and of smaller measured ones."""
    oracle, choice = Oracle(network), random.Random(seed)
    equal = less = 0
    for edge in range(len(network.inputs), len(oracle.values)):
        for path in network.context.receptive_fields.paths[edge]:
            for place, field in zip(path.places, path.axes, strict=True):
                if not isinstance(field, AxisField):
                    continue
                for unit in {0, field.extent // 2, field.extent - 1, choice.randrange(field.extent)}:
                    alike = field.mixed or not field.advance
                    span = field.whole() if alike else field.span(unit)
                    size = network.inputs[path.source][place]
                    predicted, found = seen_by(span, size), measured(oracle, edge, path, place, None if alike else unit)
                    where = network.context.graph.edge_names[edge], path.source, place, unit
                    assert includes(predicted, found), (where, predicted, found)
                    equal, less = equal + (predicted == found), less + (predicted != found)
                    # Units that see nothing along one axis see nothing along the others; fields are per axis.
                    if predicted != found and not alike and (found or len(path.places) == 1):
                        assert may_be_less(network) or not sees_no_padding(network, path, place, span), where
    return equal, less


def may_be_less(network: archcalc.Network) -> bool:
    """Whether the field of all channels and phases may be larger than that of any single unit."""
    kinds = ("slice", "chunk", "conv_transpose", "pixel_shuffle")
    return any(row.type.startswith(kinds) for row in network.layers)


def measured(oracle: Oracle, edge: int, path: Path, place: int, unit: int | None) -> Intervals:
    """The positions on an axis of an input that a unit sees along local paths; for None, that all units see at all."""
    context = oracle.network.context
    places, cut = {}, frozenset[tuple[int, int]]()
    if unit is not None:
        places = {path.axes[path.places.index(place)].axis: unit}
        cut = links_that_share(context.graph, context.shapes, context.receptive_fields, path.source, place)
    seen = oracle.seen(edge, places, cut)[path.source]
    others = [axis for axis in range(seen.dim()) if axis != place]
    line = seen.amax(others) if others else seen
    return merged((int(position),) * 2 for position in line.nonzero())


def small(drawn: Drawn | None) -> archcalc.Network | None:
    """The network, if its gradients need little time and memory."""
    network = drawn and drawn.load()
    sizes = [tensor.shape for tensor in network.context.tensors] if network else []
    return network if all(torch.Size(shape).numel() < 2**15 for shape in sizes) else None


def test_units_depend_exactly_on_the_predicted_positions() -> None:
    compared = [check_exactly(network, seed) for seed in range(40) if (network := small(network_of(seed, WISHES)))]
    assert sum(compared) > 5 * len(compared)


def test_fields_are_those_of_gradients() -> None:
    results = [check_folds(network, seed) for seed in range(40) if (network := small(network_of(seed, WISHES)))]
    equal, less = map(sum, zip(*results, strict=True))
    assert equal > 5 * less


def test_global_pooling_does_not_see_skipped_positions() -> None:
    network = archcalc.loads("""
    name = "gaps"
    inputs.image = [1, 30, 31]
    layers = [
      { name = "conv", type = "conv2d", out_channels = 2, kernel_size = 3, stride = [4, 2] },
      { name = "pool", type = "adaptive_avg_pool2d", output_size = 1 },
    ]""")
    field = network.layers[1].receptive_field
    assert field is not None
    assert (field.size, field.holes) == ((27, 31), (True, False))  # rows 0 to 2, 4 to 6 … 24 to 26, and all columns
    assert check_folds(network, 0)[0]


def test_units_that_see_nothing_have_an_empty_field() -> None:
    """Every other unit of the first layer lies between the outputs of its kernel, and the second reads only those."""
    network = archcalc.loads("""
    name = "nothing"
    inputs.image = [1, 9, 9]
    layers = [
      { name = "spread", type = "conv_transpose2d", out_channels = 1, kernel_size = 1, stride = 2, padding = 1 },
      { name = "between", type = "conv2d", out_channels = 1, kernel_size = 1, stride = 2 },
      { name = "behind", type = "conv2d", out_channels = 1, kernel_size = 3 },
    ]""")
    fields = [row.receptive_field for row in network.layers]
    assert [field and field.size for field in fields] == [(1, 1), (None, None), (None, None)]
    assert check_exactly(network, 0)
    found = network.receptive_field("behind", (3, 3))
    assert (found.last.sees, found.last.seen.boxes, found.share(found.last)) == (None, (), 0)


# --- sets of positions -----------------------------------------------------------------------------------------------


def test_a_union_of_boxes_is_counted_once() -> None:
    cross = (((0, 6),), ((3, 3),)), (((3, 3),), ((0, 6),))
    assert volume(cross) == 13
    assert (along(cross, 0), count(along(cross, 1))) == (((0, 6),), 7)
    assert volume(()) == 0


@pytest.mark.parametrize("seed", range(20))
def test_intervals_are_sets(seed: int) -> None:
    choice = random.Random(seed)
    one, other = ({choice.randrange(30) for _ in range(choice.randrange(20))} for _ in range(2))
    found, more = (merged((number, number) for number in numbers) for numbers in (one, other))
    assert {n for first, last in found for n in range(first, last + 1)} == one
    assert count(found) == len(one)
    assert includes(found, more) == (other <= one)
    assert within(found, 10) == merged((number, number) for number in one if number < 10)
    assert includes(everything(30), found)
