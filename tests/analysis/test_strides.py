"""Strides compared with PyTorch's, for random shapes, permuted, sliced and expanded tensors."""

from collections.abc import Sequence
from typing import Any

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from archcalc.analysis import strides as layout


@st.composite
def tensors(draw: st.DrawFn, shape: Sequence[int]) -> torch.Tensor:
    """A random view: permuted, sliced, or expanded along an axis."""
    rank = len(shape)
    order = draw(st.permutations(range(rank)))
    larger = [size + draw(st.sampled_from([0, 0, 0, 1])) for size in shape]
    found = torch.empty([larger[axis] for axis in order], device="meta").permute([*map(order.index, range(rank))])
    for axis, size in enumerate(shape):
        found = found.narrow(axis, 0, size)
    if draw(st.integers(0, 9)) == 0:
        found = found.narrow(draw(st.integers(0, rank - 1)), 0, 1).expand(shape)
    return found


SHAPES = st.lists(st.sampled_from([1, 1, 2, 3, 4]), min_size=1, max_size=5).map(tuple)
MANY = settings(max_examples=300)


def strided(tensor: torch.Tensor) -> layout.StridedShape:
    return tuple(tensor.shape), tuple(tensor.stride())


def strides_that_matter(shape: Sequence[int], strides: Sequence[int] | None) -> list[int] | None:
    """The strides of axes with several positions; the others mean nothing."""
    return None if strides is None else [step for size, step in zip(shape, strides, strict=True) if size != 1]


@MANY
@given(st.data(), SHAPES)
def test_elementwise_operations(data: st.DataObject, shape: tuple[int, ...]) -> None:
    one, other = data.draw(tensors(shape)), data.draw(tensors(shape))
    assert layout.is_contiguous(*strided(one)) == one.is_contiguous()
    row = other.narrow(len(shape) - 1, 0, 1)
    for operands, result in (
        ([one], torch.tanh(one)),
        ([one, other], one + other),
        ([one, row], one + row),
    ):
        assert strides_that_matter(shape, layout.elementwise(shape, [*map(strided, operands)])) == strides_that_matter(
            shape, result.stride()
        )


@MANY
@given(st.data(), SHAPES.filter(lambda shape: len(shape) in (4, 5)))
def test_memory_formats(data: st.DataObject, shape: tuple[int, ...]) -> None:
    one = data.draw(tensors(shape))
    larger = torch.nn.functional.interpolate(one, scale_factor=2)
    found = layout.in_format(tuple(larger.shape), strided(one))
    assert found is None or strides_that_matter(larger.shape, found) == strides_that_matter(
        larger.shape, larger.stride()
    )


@MANY
@given(st.data(), SHAPES)
def test_other_axes(data: st.DataObject, shape: tuple[int, ...]) -> None:
    one = data.draw(tensors(shape))
    left, wanted = one.numel(), list[int]()
    while left > 1 and len(wanted) < 4:
        wanted.append(data.draw(st.sampled_from([size for size in range(1, left + 1) if left % size == 0])))
        left //= wanted[-1]
    wanted.append(left)
    assert layout.regrouped(*strided(one), tuple(wanted)) == viewed(one, wanted)  # type: ignore[arg-type]


def viewed(tensor: torch.Tensor, shape: Sequence[int]) -> Any:
    try:
        return tuple(tensor.view(*shape).stride())
    except RuntimeError:  # it would have to be copied
        return None
