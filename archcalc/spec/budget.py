"""The `[budget]` of a spec: upper and lower limits of its network's quantities. Imported where a spec has one."""

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from archcalc.errors import Path, Problem, UsageError
from archcalc.quantities import QUANTITIES, Bound, whole_amount
from archcalc.spec.problems import convert, convert_rest
from archcalc.spec.values import format_value

# A number, or one with a unit: "25.6M".
Amount = Annotated[float, Meta(ge=0)] | Annotated[str, Meta(description='text with a unit, such as "25.6M"')]
Limits = msgspec.defstruct(
    "Limits",
    [
        (name, Annotated[Amount | None, Meta(description=quantity.summary)], None)
        for name, quantity in QUANTITIES.items()
    ],
    forbid_unknown_fields=True,
)


class Budget(Struct, forbid_unknown_fields=True):
    """What the network may have at most, and must have at least. An amount may have a unit: "25.6M", "120MiB"."""

    max: dict[str, Any] = {}
    min: dict[str, Any] = {}


class Limit(NamedTuple):
    """A quantity's maximum or minimum; `text` is the amount as it was written, `path` where the spec says so."""

    quantity: str
    bound: Bound
    amount: int
    text: str
    path: Path = ()


def read_budget(data: Mapping[str, Any], problems: list[Problem]) -> tuple[Limit, ...]:
    """The limits of a budget; each that makes no sense adds a problem."""
    budget = convert(data, Budget, ("budget",), problems)
    if budget is None:
        return ()
    found = [*_limits("max", budget.max, problems), *_limits("min", budget.min, problems)]
    lowest = {limit.quantity: limit for limit in found if limit.bound == "min"}
    for limit in found:
        least = lowest.get(limit.quantity)
        if least and limit.bound == "max" and least.amount > limit.amount:
            message = f"{limit.quantity} must be {least.text} at least, and may be {limit.text} at most"
            problems.append(Problem(message, limit.path, help="no network is both"))
    return tuple(found)


def _limits(bound: Bound, data: dict[str, Any], problems: list[Problem]) -> list[Limit]:
    path: Path = ("budget", bound)
    right = convert(data, Limits, path, problems) or convert_rest(data, Limits)
    limits = []
    for name, value in data.items():
        if getattr(right, name, None) is None:
            continue  # its value is wrong and already reported
        try:
            amount = whole_amount(_digits(value), QUANTITIES[name].unit, bound)
        except UsageError as error:
            problems.append(Problem(f"{name} = {format_value(value)}: {error}", (*path, name)))
        else:
            limits.append(Limit(name, bound, amount, str(value), (*path, name)))
    return limits


def _digits(value: float | str) -> str:
    """A TOML number as text, so that 25.6e6 is read exactly and not as a float."""
    return value if isinstance(value, str) else str(value)
