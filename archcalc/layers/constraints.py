"""Violated constraints of a layer, on its fields or its inputs, and checks that several types share."""

from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from archcalc.arithmetic import greatest_common_divisor
from archcalc.errors import Path, Problem, quoted


class ConstraintError(Struct, frozen=True, gc=False):
    """A violated constraint of a layer; `field` is the one to change."""

    message: str
    field: str | None = None
    reason: str | None = None
    help: str | None = None

    def problem(self, name: str, path: Path, reads: str = "") -> Problem:
        """The error as a problem of the layer `name` at `path`; `reads` is the text of its input shapes."""
        message = f"{self.message}: layer {quoted(name)}" + (f" gets {reads}" if reads else "")
        return Problem(message, (*path, self.field) if self.field else path, self.reason, self.help)


def axis_errors(field: str, value: Any, dimensions: int) -> Iterator[ConstraintError]:
    """Check that a list has one value for each axis."""
    if isinstance(value, tuple) and len(value) != dimensions:
        axes, values = "axis" if dimensions == 1 else "axes", "value" if len(value) == 1 else "values"
        pairs = ", each a number or a pair [before, after]" if field == "padding" else ""
        remedy = f"write one number, or a list of {dimensions}{pairs}"
        yield ConstraintError(f"{field} has {len(value)} {values} for {dimensions} {axes}", field, help=remedy)


def divides(field: str, divisor: int, number: int, what: str, other: int = 0) -> Iterator[ConstraintError]:
    """Check that `divisor` divides `number`; the remedy lists divisors of `other` as well (0 if it is unknown)."""
    if number % divisor:
        common = greatest_common_divisor(number, other) if isinstance(number, int) and isinstance(other, int) else 0
        fitting = [d for d in range(1, min(common, 4096) + 1) if common % d == 0]
        nearest = sorted(fitting, key=lambda d: abs(d - divisor))[:3]
        both = f"{number} and {other}" if other not in (0, number) else f"{number}"
        remedy = f"{field} that divide {both}: {', '.join(map(str, sorted(nearest)))}" if nearest else None
        yield ConstraintError(f"{field} {divisor} does not divide the {number} {what}", field, help=remedy)


def dim_errors(dim: int, rank: int, field: str = "dim") -> Iterator[ConstraintError]:
    """Check that `dim` is an axis of a shape of this rank."""
    if not -rank <= dim < rank:
        remedy = f"axes are counted without the batch: {-rank} to {rank - 1}" if rank else None
        yield ConstraintError(f"{field} {dim} is not an axis of a shape with {rank}", field, help=remedy)
