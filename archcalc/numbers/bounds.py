"""Inexact values: lower bounds, upper bounds and unknown values.

An exact value is a plain number. Inexact values are not numbers: arithmetic, comparison by size, truth and formatting
as a number raise TypeError, so that they are never taken for exact. The functions here compute with them and keep the
direction of a bound and its reasons. Values are never negative unless a function's docstring allows it.
"""

from __future__ import annotations  # without it, every start builds the unions of generic types

from collections.abc import Callable, Iterable, Mapping
from operator import truediv
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar, cast

from msgspec import Struct

N = TypeVar("N", bound=float)
V = TypeVar("V")
MOST_NAMES = 3  # names of layers in one line


class Cause(Struct, frozen=True, gc=False):
    """A reason why a value is inexact, and the layers that it applies to."""

    why: str
    layers: tuple[str, ...] = ()

    def __str__(self) -> str:
        names = self._listed(MOST_NAMES)
        return f"{names}: {self.why}" if names else self.why

    def text(self, most: int) -> str:
        """The reason, followed by its layers (`most` at most) if there are several."""
        return f"{self.why}: {self._listed(most)}" if len(self.layers) > 1 else str(self)

    def _listed(self, most: int) -> str:
        hidden = len(self.layers) - most
        return ", ".join(self.layers[:most]) + (f" and {hidden:,} more" if hidden > 0 else "")


Causes = tuple[Cause, ...]


class Inexact(Struct, frozen=True, gc=False):
    """A value that is not exact. Abstract."""

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false")


class Unknown(Inexact, frozen=True, gc=False):
    """A value that cannot be derived, and the reason. It is never 0."""

    reason: str

    @property
    def causes(self) -> Causes:
        """The reason as the only cause."""
        return (Cause(self.reason),)

    def __str__(self) -> str:
        return "?"


class Bound(Inexact, Generic[N], frozen=True, gc=False):
    """A bound of a value, and the causes why the value is not exact. Abstract."""

    value: N
    causes: Causes

    @property
    def reason(self) -> str:
        """The causes in one line."""
        return reason_text(self.causes)


class AtLeast(Bound[N], Generic[N], frozen=True, gc=False):
    """A lower bound: the value is `value` or more."""

    def __str__(self) -> str:
        return f"≥ {self.value}"


class AtMost(Bound[N], Generic[N], frozen=True, gc=False):
    """An upper bound: the value is `value` or less."""

    def __str__(self) -> str:
        return f"≤ {self.value}"


Lower: TypeAlias = N | AtLeast[N]  # exact, or a lower bound
Amount: TypeAlias = int | AtLeast[int] | Unknown
Value: TypeAlias = N | AtLeast[N] | AtMost[N] | Unknown


# what is known of a value


def known(value: Value[N]) -> N | None:
    """The number of an exact value or a bound; None if the value is unknown."""
    if isinstance(value, Bound):
        return value.value
    return None if isinstance(value, Unknown) else value


def floor_of(value: Lower[N]) -> N:
    """The number of an exact value or a lower bound: the value is this or more."""
    return value.value if isinstance(value, AtLeast) else value


def certain(value: Value[N]) -> N | None:
    """The number of an exact value; None if the value is inexact."""
    return None if isinstance(value, Inexact) else value


def causes_of(value: Any) -> Causes:
    """The causes why a value is inexact; empty for an exact one."""
    return value.causes if isinstance(value, Unknown | Bound) else ()


def reason_of(value: Any) -> str | None:
    """The causes of a value in one line; None for an exact value."""
    return reason_text(causes_of(value)) or None


def reason_text(causes: Iterable[Cause]) -> str:
    """Several causes in one line."""
    return "; ".join(map(str, causes))


def is_at_most(value: Value[N], limit: N) -> bool | None:
    """Whether a value is within a maximum; None if that is undecided."""
    if isinstance(value, AtLeast):
        return None if value.value <= limit else False
    if isinstance(value, AtMost):
        return True if value.value <= limit else None
    return None if isinstance(value, Unknown) else value <= limit


def is_at_least(value: Value[N], limit: N) -> bool | None:
    """Whether a value reaches a minimum; None if that is undecided."""
    if isinstance(value, AtLeast):
        return True if value.value >= limit else None
    if isinstance(value, AtMost):
        return None if value.value >= limit else False
    return None if isinstance(value, Unknown) else value >= limit


# values made of others


def gathered(causes: Iterable[Cause]) -> Causes:
    """The causes, with the layers of equal reasons merged."""
    by_reason: dict[str, list[Cause]] = {}
    # Rows of a table often share the same cause object, with the names of all layers.
    for cause in {id(cause): cause for cause in causes}.values():
        by_reason.setdefault(cause.why, []).append(cause)
    return tuple(own[0] if len(own) == 1 else _together(own) for own in by_reason.values())


def _together(causes: list[Cause]) -> Cause:
    return Cause(causes[0].why, tuple(dict.fromkeys(name for cause in causes for name in cause.layers)))


def at_least(value: N, causes: Causes) -> Lower[N]:
    """A lower bound if there are causes, else the exact value."""
    return AtLeast(value, causes) if causes else value


def total(values: Iterable[tuple[str, N | AtLeast[N] | Unknown]]) -> Lower[N]:
    """The sum of the values of named layers; a lower bound if one of them is inexact."""
    every = [*values]
    exact = [value for _, value in every if not isinstance(value, Inexact)]
    sum_known: Any = sum(exact)
    if len(exact) == len(every):
        return cast("N", sum_known)
    sum_known += sum(value.value for _, value in every if isinstance(value, AtLeast))
    return at_least(sum_known, gathered(cause for pair in every for cause in _named(*pair)))


def sum_or_unknown(values: Iterable[int | Unknown]) -> int | Unknown:
    """The sum, or the first unknown value."""
    known_sum = 0
    for value in values:
        if isinstance(value, Unknown):
            return value
        known_sum += value
    return known_sum


def _named(name: str, value: Any) -> Iterable[Cause]:
    """The causes of a layer's value; a cause without layers gets this one."""
    return (cause if cause.layers else Cause(cause.why, (name,)) for cause in causes_of(value))


def times(factor: int, value: V) -> V:
    """A value times a factor of 0 or more."""
    return cast("V", mapped(value, lambda number: factor * number))


def plus(value: V, more: int) -> V:
    """The sum of a value and a number, which may be negative."""
    return cast("V", mapped(value, lambda number: number + more))


def mapped(value: Any, function: Callable[[Any], Any]) -> Any:
    """A monotonically increasing function of a value."""
    if isinstance(value, Bound):
        return type(value)(function(value.value), value.causes)
    return value if isinstance(value, Unknown) else function(value)


def highest(values: Iterable[Lower[N]]) -> Lower[N]:
    """The largest value; a lower bound if one of the values is, since that one may be the largest."""
    every = [*values]
    return at_least(max(map(floor_of, every)), gathered(cause for value in every for cause in causes_of(value)))


def minus(value: Value[N], other: Value[N]) -> Value[N]:
    """The difference, which may be negative."""
    return _opposed(value, other, lambda one, two: one - two)


def quotient(dividend: Value[Any], divisor: Value[Any], divide: Callable[[Any, Any], Any] = truediv) -> Value[Any]:
    """The quotient of positive values; `divide` divides plain numbers."""
    return _opposed(dividend, divisor, divide)


def _opposed(value: Value[Any], other: Value[Any], function: Callable[[Any, Any], Any]) -> Value[Any]:
    """A function that rises with `value` and falls with `other`: exact, a bound in its direction, or unknown."""
    directions = {_direction(value), -_direction(other)} - {0}
    causes = gathered((*causes_of(value), *causes_of(other)))
    one, two = known(value), known(other)
    if one is None or two is None or len(directions) > 1:
        return Unknown(reason_text(causes))
    found = function(one, two)
    return (AtLeast if directions == {1} else AtMost)(found, causes) if directions else found


def _direction(value: Any) -> int:
    """1 for a lower bound, −1 for an upper bound, 0 for an exact value."""
    return isinstance(value, AtLeast) - isinstance(value, AtMost)


# texts, and plain values for JSON


def value_text(value: Any, form: Callable[[Any], str] = "{:,}".format, most: str = "≤ ") -> str:
    """The text of a value: `1,234`, `≥ 1,234`, `≤ 1,234` or `?`."""
    if not isinstance(value, Inexact):
        return form(value)
    if isinstance(value, Unknown):
        return "?"
    sign = "≥ " if isinstance(value, AtLeast) else most if isinstance(value, AtMost) else ""
    return sign + form(known(value))


def beside(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values for JSON: numbers, null for unknown values, and the reasons for inexact ones.

    The reasons are under `lower_bounds`, `upper_bounds` and `unknown`, by the name of the value.
    """
    kinds = {"lower_bounds": AtLeast, "upper_bounds": AtMost, "unknown": Unknown}
    reasons = {
        key: {name: reason_of(value) for name, value in values.items() if isinstance(value, kind)}
        for key, kind in kinds.items()
    }
    numbers = {name: known(value) for name, value in values.items()}
    return {**numbers, **{key: found for key, found in reasons.items() if found}}
