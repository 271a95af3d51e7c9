"""Why a layer cannot be what it says, or take what it is given, and checks that several types have."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from archcalc.arithmetic import greatest_common_divisor
from archcalc.errors import Path, Problem, quoted


class ConstraintError(Struct, frozen=True, gc=False):
    """Why a layer cannot take its inputs; `field` is the one to change."""

    message: str
    field: str | None = None
    reason: str | None = None
    help: str | None = None

    def problem(self, name: str, path: Path, reads: str = "") -> Problem:
        """The same of the layer `name`, which the spec says at `path`; `reads` has the shapes that it gets."""
        message = f"{self.message}: layer {quoted(name)}" + (f" gets {reads}" if reads else "")
        return Problem(message, (*path, self.field) if self.field else path, self.reason, self.help)


def axis_errors(field: str, value: Any, dimensions: int) -> Iterator[ConstraintError]:
    """A list must have one value for each axis."""
    if isinstance(value, tuple) and len(value) != dimensions:
        axes, values = "axis" if dimensions == 1 else "axes", "value" if len(value) == 1 else "values"
        pairs = ", each a number or a pair [before, after]" if field == "padding" else ""
        remedy = f"give one number, or a list of {dimensions}{pairs}"
        yield ConstraintError(f"{field} has {len(value)} {values} for {dimensions} {axes}", field, help=remedy)


def divides(field: str, divisor: int, number: int, what: str, other: int = 0) -> Iterator[ConstraintError]:
    """`divisor` must divide `number`, and something else sees to it that it divides `other`; 0 if that is not known."""
    if number % divisor:
        common = greatest_common_divisor(number, other) if isinstance(number, int) and isinstance(other, int) else 0
        fitting = [d for d in range(1, min(common, 4096) + 1) if common % d == 0]
        nearest = sorted(fitting, key=lambda d: abs(d - divisor))[:3]
        both = f"{number} and {other}" if other not in (0, number) else f"{number}"
        remedy = f"{field} that divide {both}: {', '.join(map(str, sorted(nearest)))}" if nearest else None
        yield ConstraintError(f"{field} {divisor} does not divide the {number} {what}", field, help=remedy)


def dim_errors(dim: int, rank: int, field: str = "dim") -> Iterator[ConstraintError]:
    """`dim` must be an axis of the shape."""
    if not -rank <= dim < rank:
        remedy = f"axes are counted without the batch: {-rank} to {rank - 1}" if rank else None
        yield ConstraintError(f"{field} {dim} is no axis of a shape with {rank}", field, help=remedy)
