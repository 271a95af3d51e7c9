"""Layers that enlarge maps: padding, upsampling and pixel shuffle. Only interpolation computes anything."""

import math
from array import array
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from archcalc.arithmetic import POINT, Window, ceil_divide, floor
from archcalc.layers.base import (
    FLOATING,
    MAX_PHASES,
    Count,
    Dependency,
    Module,
    Natural,
    PerAxis,
    PhasedWindow,
    Positive,
    Shape,
    Tensors,
    UnknownWindow,
    elements,
    per_axis,
    size_text,
    torch_module,
)
from archcalc.layers.constraints import ConstraintError, axis_errors
from archcalc.layers.shaping import Shaping
from archcalc.layers.sliding import Pair, last_axis_first
from archcalc.tracing import untraced

Factor = Annotated[float, Meta(gt=0, le=2**62)]
Scale = Factor | tuple[Factor, ...]

EXACT = 2**24  # float32 represents all whole numbers up to it
LARGEST = 2**63  # sizes of PyTorch's tensors are smaller
MOST_ROUNDED = 2**18  # positions that are rounded one by one


class ZeroPad(Shaping):
    """Adds zeros around the spatial axes."""

    type: ClassVar[str] = "zero_pad"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (2, 3, 4)
    label_fields: ClassVar[tuple[str, ...]] = ("padding",)

    padding: Natural | tuple[Natural | Pair, ...]
    """Zeros at both ends of each axis: one number, one per axis, or a pair (before, after) per axis."""

    def pairs(self, rank: int) -> tuple[tuple[Any, Any], ...]:
        """The padding (before, after) of each spatial axis."""
        values = per_axis(self.padding, rank - 1)
        return tuple(value if isinstance(value, tuple) else (value, value) for value in values)

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        yield from axis_errors("padding", self.padding, len(inputs[0].shape) - 1)

    def output_shape(self, inputs: Tensors) -> Shape:
        channels, *sizes = inputs[0].shape
        pairs = self.pairs(len(inputs[0].shape))
        return (channels, *(size + before + after for size, (before, after) in zip(sizes, pairs, strict=True)))

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        pairs = self.pairs(len(inputs[0].shape))
        shifted = (Window(1, 1, before, after) for before, after in pairs)
        return ((Dependency(POINT, 0), *(Dependency(window, axis) for axis, window in enumerate(shifted, start=1))),)

    def module(self, inputs: Tensors) -> Module:
        pairs = self.pairs(len(inputs[0].shape))
        return torch_module(f"nn.ZeroPad{len(pairs)}d", {"padding": last_axis_first(pairs)})


class Upsample(Shaping):
    """Enlarges the spatial axes to `size` or by `scale_factor`, by the nearest value or linear interpolation.

    A fractional scale_factor r makes the size ⌊N·r⌋, and positions follow from that size (PyTorch's
    recompute_scale_factor). Linear interpolation along k axes takes 2ᵏ − 1 weighted means of two values: two
    multiplications and an addition each.
    """

    type: ClassVar[str] = "upsample"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (2, 3, 4)
    takes: ClassVar[tuple[str, ...]] = FLOATING
    label_fields: ClassVar[tuple[str, ...]] = ("scale_factor", "mode")
    shapeless: ClassVar[tuple[str, ...]] = ("mode", "align_corners")

    size: PerAxis | None = None
    """Size of the output: one number for all axes, or one per axis. Either this or scale_factor."""
    scale_factor: Scale | None = None
    """Factor by which each axis grows: one number, or one per axis. Either this or size."""
    mode: Literal["nearest", "linear", "bilinear", "trilinear"] = "nearest"
    """How output values are computed: the nearest input value, or linear interpolation along one, two or three axes."""
    align_corners: bool = False
    """Whether the outer positions of input and output coincide in an interpolation."""

    def check_fields(self) -> Iterator[ConstraintError]:
        if (self.size is None) == (self.scale_factor is None):
            yield ConstraintError("upsample takes either size or scale_factor", help="write one of the two")
        if self.align_corners and self.mode == "nearest":
            yield ConstraintError("align_corners is for linear interpolation", "align_corners", help="leave it out")

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        dimensions = len(inputs[0].shape) - 1
        yield from self.check_fields()
        yield from axis_errors("size", self.size, dimensions)
        yield from axis_errors("scale_factor", self.scale_factor, dimensions)
        linear = ("linear", "bilinear", "trilinear")[dimensions - 1]
        if self.mode not in ("nearest", linear):
            yield ConstraintError(
                f'mode "{self.mode}" is not for {dimensions} spatial axes', "mode", help=f'use "{linear}"'
            )
        if self.size is None and not isinstance(self.scale_factor, tuple | None):
            yield from self._vanishing(inputs[0].shape, (self.scale_factor,) * dimensions)
        elif isinstance(self.scale_factor, tuple) and len(self.scale_factor) == dimensions:
            yield from self._vanishing(inputs[0].shape, self.scale_factor)

    def _vanishing(self, shape: Shape, scales: tuple[float, ...]) -> Iterator[ConstraintError]:
        if any(scaled(size, scale) < 1 for size, scale in zip(shape[1:], scales, strict=True)):
            message = f"scale_factor leaves nothing of {size_text(shape)}"
            yield ConstraintError(message, "scale_factor", help="use a larger scale_factor")

    def output_shape(self, inputs: Tensors) -> Shape:
        channels, *sizes = inputs[0].shape
        if self.size is not None:
            return (channels, *per_axis(self.size, len(sizes)))
        scales = per_axis(self.scale_factor, len(sizes))
        return (channels, *(scaled(size, scale) for size, scale in zip(sizes, scales, strict=True)))

    def operations(self, inputs: Tensors, output: Shape) -> dict[str, Count]:
        if self.mode == "nearest":
            return {}
        means = elements(output) * (2 ** (len(output) - 1) - 1)
        return {"multiplications": 2 * means, "additions": means}

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        sizes = zip(inputs[0].shape[1:], self.output_shape(inputs)[1:], strict=True)
        windows = (upsampled(n, m, self.mode, self.align_corners) for n, m in sizes)
        return ((Dependency(POINT, 0), *(Dependency(window, axis) for axis, window in enumerate(windows, start=1))),)

    def module(self, inputs: Tensors) -> Module:
        options = self.changed("size", "scale_factor", "mode", "align_corners")
        factors = per_axis(self.scale_factor, 1)
        if any(isinstance(factor, float) and not factor.is_integer() for factor in factors):
            # By default, PyTorch would compute positions from the factor, not from the rounded size.
            options["recompute_scale_factor"] = True
        return torch_module("nn.Upsample", **options)


def scaled(size: Any, scale: Any) -> Any:
    """⌊size · scale⌋, with the product rounded as in PyTorch; exact for a whole factor."""
    factor = untraced(scale)
    if isinstance(factor, float) and factor.is_integer():
        return size * int(factor)
    return size * scale if isinstance(factor, int) else floor(size * scale)


@lru_cache
def upsampled(size: int, output: int, mode: str, align_corners: bool) -> PhasedWindow | UnknownWindow:
    """The positions that each output reads in PyTorch, which rounds N/M and o·N/M to float32 for `nearest`."""
    window = interpolated(size, output, mode, align_corners)
    common = math.gcd(size, output) or 1
    advance, period = size // common, output // common
    if mode != "nearest" or size == 1 or size >= LARGEST or (period & (period - 1) == 0 and output * advance <= EXACT):
        return window  # nothing is rounded
    if output > MOST_ROUNDED:
        return UnknownWindow(f"float32 may round positions of an upsampling to {output}, too many to check", 1)
    (scale,) = array("f", [size / output])
    found = tuple(min(int(place), size - 1) for place in array("f", [unit * scale for unit in range(output)]))
    if all(place == unit * size // output for unit, place in enumerate(found)):
        return window
    if output > MAX_PHASES:
        return UnknownWindow(f"float32 rounds positions of {output}, which are more than {MAX_PHASES}", len({*found}))
    return PhasedWindow(found, found, size)


def interpolated(size: int, output: int, mode: str, align_corners: bool) -> PhasedWindow | UnknownWindow:
    """The positions that each output of an exact upsampling reads.

    Nearest: ⌊o·N/M⌋. Linear: the two around (o + ½)·N/M − ½, or o·(N − 1)/(M − 1) with align_corners.
    """
    if size == 1:
        return PhasedWindow((0,), (0,), 0)
    numerator, denominator = size, output
    if align_corners:
        numerator, denominator = (size - 1, output - 1) if output > 1 else (0, 1)
    common = math.gcd(numerator, denominator) or 1
    advance, period = numerator // common, denominator // common
    if period > MAX_PHASES:
        # Units a position or more apart read different positions; closer units together skip none.
        least = max(min(size, output) - 1, 1)
        return UnknownWindow(f"upsampling {size} positions to {output} has more than {MAX_PHASES} phases", least)
    if mode == "nearest":
        first = tuple(phase * advance // period for phase in range(period))
        return PhasedWindow(first, first, advance)
    # Both the source position and the period are doubled, so that halves are whole numbers.
    shift = 0 if align_corners else advance - period
    sources = [2 * phase * advance + shift for phase in range(period)]
    first = tuple(source // (2 * period) for source in sources)
    return PhasedWindow(first, tuple(ceil_divide(source, 2 * period) for source in sources), advance)


class PixelShuffle(Shaping):
    """C·r² × H × W to C × H·r × W·r (Shi et al. 2016)."""

    type: ClassVar[str] = "pixel_shuffle"
    channel_axis: ClassVar[int | None] = 0
    ranks: ClassVar[tuple[int, ...]] = (3,)
    label_fields: ClassVar[tuple[str, ...]] = ("upscale_factor",)

    upscale_factor: Positive
    """Factor r by which height and width grow; the channels shrink by r²."""

    def check(self, inputs: Tensors) -> Iterator[ConstraintError]:
        channels, *_ = inputs[0].shape
        if channels % self.upscale_factor**2:
            reason = f"{channels} mod {self.upscale_factor}² = {channels % self.upscale_factor**2}"
            message = f"upscale_factor {self.upscale_factor} needs a multiple of {self.upscale_factor**2} channels"
            remedy = f"use {-(-channels // self.upscale_factor**2) * self.upscale_factor**2} channels, say"
            yield ConstraintError(f"{message}, but reads {channels}", "upscale_factor", reason, remedy)

    def output_shape(self, inputs: Tensors) -> Shape:
        channels, height, width = inputs[0].shape
        factor = self.upscale_factor
        return (channels // factor**2, height * factor, width * factor)

    def dependencies(self, inputs: Tensors) -> tuple[tuple[Dependency, ...], ...]:
        _, *sizes = inputs[0].shape
        windows = [interpolated(size, size * self.upscale_factor, "nearest", False) for size in sizes]
        shuffled = Window(self.upscale_factor**2, self.upscale_factor**2)
        return (
            (
                Dependency(shuffled, 0, loose=True),
                *(Dependency(window, axis) for axis, window in enumerate(windows, start=1)),
            ),
        )

    def module(self, inputs: Tensors) -> Module:
        return torch_module("nn.PixelShuffle", {"upscale_factor": self.upscale_factor})
