"""The strides of tensors, as PyTorch computes them.

Shapes and strides begin with the batch. Strides are in values. None stands for unknown strides, because devices differ.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from archcalc.layers.base import Shape

Strides = tuple[int, ...] | None
StridedShape = tuple[Shape, Strides]  # the shape and strides of a tensor


def contiguous(shape: Shape) -> tuple[int, ...]:
    """The strides of a contiguous tensor."""
    return _dense(shape, range(len(shape) - 1, -1, -1))


def channels_last(shape: Shape) -> tuple[int, ...]:
    """The strides of maps in channels-last format."""
    return _dense(shape, _channels_first_axes(len(shape)))


def _channels_first_axes(rank: int) -> tuple[int, ...]:
    """The axes of maps in channels-last format, the fastest first."""
    return (1, *range(rank - 1, 1, -1), 0)


def _dense(shape: Shape, axes: Iterable[int]) -> tuple[int, ...]:
    """Strides without gaps for axes in order from the fastest to the slowest."""
    strides, step = [0] * len(shape), 1
    for axis in axes:
        strides[axis], step = step, step * max(shape[axis], 1)
    return tuple(strides)


def is_contiguous(shape: Shape, strides: Strides) -> bool | None:
    """Whether a tensor is contiguous; None if that is unknown."""
    return None if strides is None else _is_dense(shape, strides, range(len(shape) - 1, -1, -1))


def _is_dense(shape: Shape, strides: tuple[int, ...], axes: Iterable[int]) -> bool:
    step = 1
    for axis in axes:
        if shape[axis] != 1:
            if strides[axis] != step:
                return False
            step *= shape[axis]
    return True


def _has_no_gaps(shape: Shape, strides: tuple[int, ...]) -> bool:
    """Whether a tensor is dense: its axes, in some order, have no gaps."""
    axes = sorted((axis for axis in range(len(shape)) if shape[axis] > 1), key=strides.__getitem__)
    return _is_dense(shape, strides, axes)


def is_channels_last(shape: Shape, strides: tuple[int, ...]) -> bool:
    """Whether PyTorch regards maps as channels-last, by the order of their strides."""
    if len(shape) not in (4, 5) or not strides[1]:
        return False
    least = 0
    for axis in _channels_first_axes(len(shape)):
        if strides[axis] < least or (axis == 0 and least == strides[1]):
            return False
        least = strides[axis] * max(shape[axis], 1)
    return True


def in_format(shape: Shape, like: StridedShape) -> Strides:
    """Strides in the memory format of another tensor; None if that has two formats, and devices may use either."""
    read, strides = like
    if strides is None or len(read) != len(shape):
        return None
    chosen = channels_last(shape) if is_channels_last(read, strides) else contiguous(shape)
    is_either = is_contiguous(read, strides) and len(read) in (4, 5) and strides != contiguous(read)
    if is_either and _is_dense(read, strides, _channels_first_axes(len(read))):
        return agreed((contiguous(shape), channels_last(shape)))
    return chosen


def elementwise(shape: Shape, operands: Sequence[StridedShape]) -> Strides:
    """The strides of an elementwise operation's result, by the rules of PyTorch's TensorIterator."""
    known = [_of_rank(len(shape), read, strides) for read, strides in operands if strides is not None]
    if len(known) < len(operands):
        return None
    if all(read == shape for read, _ in known):
        if all(is_contiguous(*one) for one in known):  # axes of size 1 keep their strides
            return known[0][1]
        if len(shape) in (4, 5) and all(_is_dense(*one, _channels_first_axes(len(shape))) for one in known):
            return channels_last(shape)
        if all(_has_no_gaps(*one) for one in known) and len({strides for _, strides in known}) == 1:
            return known[0][1]
    return _dense(shape, _sorted_axes(shape, [_broadcast(shape, *one) for one in known]))


def _of_rank(rank: int, read: Shape, strides: tuple[int, ...]) -> tuple[Shape, tuple[int, ...]]:
    """The shape and strides of a tensor with further axes of size 1 behind the batch."""
    more = rank - len(read)
    if not read or not more:
        return read, strides
    return (read[0], *[1] * more, *read[1:]), (strides[0], *[strides[0]] * more, *strides[1:])


def _broadcast(shape: Shape, read: Shape, strides: tuple[int, ...]) -> tuple[int, ...]:
    """The strides of a tensor that is broadcast to a shape."""
    more = len(shape) - len(read)
    own = (0 if size == 1 != whole else step for size, whole, step in zip(read, shape[more:], strides, strict=True))
    return (*[0] * more, *own)


def _sorted_axes(shape: Shape, operands: Sequence[tuple[int, ...]]) -> list[int]:
    """The axes from the fastest to the slowest by the operands' strides; where these are ambiguous, the last first."""
    axes = list(range(len(shape) - 1, -1, -1))
    for start in range(1, len(axes)):
        place = start
        for before in range(start - 1, -1, -1):
            order = _compare(shape, operands, axes[before], axes[place])
            if order > 0:
                axes[before], axes[place] = axes[place], axes[before]
                place = before
            elif order < 0:
                break
    return axes


def _compare(shape: Shape, operands: Sequence[tuple[int, ...]], one: int, other: int) -> int:
    """1 if the first axis is slower, −1 if the other is, by the first operand that decides; 0 if none does."""
    for strides in operands:
        if strides[one] and strides[other]:
            if strides[one] != strides[other]:
                return -1 if strides[one] < strides[other] else 1
            if shape[one] > shape[other]:
                return 1
    return 0


def permuted(strides: Strides, order: Sequence[int]) -> Strides:
    """The strides of a permuted tensor."""
    return None if strides is None else tuple(strides[axis] for axis in order)


def inverse(order: Sequence[int]) -> tuple[int, ...]:
    """The inverse of a permutation of axes."""
    return tuple(order.index(axis) for axis in range(len(order)))


def regrouped(shape: Shape, strides: tuple[int, ...], wanted: Shape) -> Strides:
    """The strides of a view in another shape; None if there is no such view, and values must be copied."""
    if not shape:
        return (1,) * len(wanted)
    found, place, step = [0] * len(wanted), len(wanted) - 1, strides[-1]
    inside = filled = 1
    for axis in range(len(shape) - 1, -1, -1):
        inside *= shape[axis]
        if axis and (shape[axis - 1] == 1 or strides[axis - 1] == inside * step):
            continue  # the axis before continues this one
        while place >= 0 and (filled < inside or wanted[place] == 1):
            found[place] = filled * step
            filled *= wanted[place]
            place -= 1
        if filled != inside:
            return None
        if axis:
            step, inside, filled = strides[axis - 1], 1, 1
    return tuple(found) if place < 0 else None


def agreed(candidates: Iterable[Strides]) -> Strides:
    """The strides if all candidates are the same; None if devices may differ."""
    found = {*candidates}
    return found.pop() if len(found) == 1 else None


def _pooled_1d(shape: Shape, reads: Sequence[StridedShape]) -> Strides:
    """The strides of 1-d pooling, which PyTorch runs as 2-d pooling on maps of height 1."""
    (read, strides), *_ = reads
    if strides is None:
        return None
    batch, channels, length = strides
    pair = (*read[:2], 1, read[2]), (batch, channels, length * read[2], length)
    whole = (*shape[:2], 1, shape[2])
    return contiguous(shape) if in_format(whole, pair) == contiguous(whole) else None


def _joined(shape: Shape, reads: Sequence[StridedShape]) -> Strides:
    """The strides of a concatenation: channels-last if all operands are."""
    formats = [in_format(read, (read, strides)) for read, strides in reads]
    if None in formats:
        return None
    every = all(found != contiguous(read) for found, (read, _) in zip(formats, reads, strict=True))
    return channels_last(shape) if every else contiguous(shape)


# The functions that compute the strides of a result, by the name of its layout.
_LAYOUTS: dict[str, Callable[[Shape, Sequence[StridedShape]], Strides]] = {
    "fresh": lambda shape, _reads: contiguous(shape),
    "format": lambda shape, reads: in_format(shape, reads[0]),
    "alike": elementwise,
    "line": _pooled_1d,
    "joined": _joined,
    "unclear": lambda _shape, _reads: None,
}


@lru_cache(maxsize=256)  # layers repeat
def result_strides(layout: str, shape: Shape, reads: tuple[StridedShape, ...]) -> Strides:
    """The strides of an operation's result; a `layout` of several names lists the choices of devices."""
    if not reads:
        return contiguous(shape)
    return agreed(_LAYOUTS[name](shape, reads) for name in layout.split("|"))


@lru_cache(maxsize=256)
def gradient(layout: str, read: StridedShape, grad_strides: Strides, result: StridedShape) -> Strides:
    """The strides of the gradient that an operation allocates for an operand; None if kernels may differ."""
    shape, strides = read
    if strides is None or grad_strides is None:
        return None
    back = (result[0], grad_strides)
    if result[0] == shape and layout == "alike":
        return agreed((elementwise(shape, (back, read)), elementwise(shape, (read, back))))
    if is_contiguous(*read) and is_contiguous(*back):
        return contiguous(shape)
    if layout == "format":
        return agreed((in_format(shape, read), in_format(shape, back)))
    return None
