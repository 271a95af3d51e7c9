"""Whether a network keeps to a budget, and which layer costs most where it does not."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from archcalc.errors import Diagnostic, Place, Problem, UsageError, quoted
from archcalc.quantities import (
    QUANTITIES,
    Bound,
    Measured,
    Quantity,
    amount_text,
    quantity_name,
    sizes_text,
    whole_amount,
)
from archcalc.report.units import exact_percent
from archcalc.spec.budget import Limit

if TYPE_CHECKING:
    from archcalc.report.network import Network

OVER, UNDER, UNDECIDED = "B501", "B502", "B503"
SEVERITY = "failure"  # neither an error of the spec nor a warning
WORDS: dict[Bound, tuple[str, str]] = {"max": ("more", "maximum"), "min": ("less", "minimum")}


def limits_of(bound: Bound, amounts: Mapping[str, int | str]) -> list[Limit]:
    """Limits that are not a spec's, by quantity. Raises UsageError for a quantity or an amount that makes no sense."""
    limits = []
    for word, amount in amounts.items():
        name = quantity_name(word)
        if type(amount) not in (int, str):
            raise UsageError(f"{word} = {amount!r} is neither a whole number nor text such as 25.6M")
        try:
            limits.append(Limit(name, bound, whole_amount(str(amount), QUANTITIES[name].unit, bound), str(amount)))
        except UsageError as error:
            raise UsageError(f"{word}: {error}") from None
    return limits


def check_budget(network: "Network", limits: Iterable[Limit] = ()) -> list[Diagnostic]:
    """What breaks the spec's budget, or the limits given, which replace the spec's for the same quantity and bound.

    A total that misses something unknown is above a maximum as soon as what is known is; otherwise nothing can be said
    of it, which is a finding as well.
    """
    every = {(limit.quantity, limit.bound): limit for limit in (*network.graph.budget, *limits)}
    return [found for limit in every.values() for found in _breaches(network, limit)]


def _breaches(network: "Network", limit: Limit) -> Iterator[Diagnostic]:
    quantity = QUANTITIES[limit.quantity]
    reading = quantity.read(network)
    more_or_less, most_or_least = WORDS[limit.bound]
    bound = f"the {most_or_least} of {amount_text(limit.amount, quantity.unit)}"
    value, missing = reading.known, reading.missing
    if value is None:
        message = f"{limit.quantity}: unknown, and maybe on either side of {bound}"
        yield _diagnostic(network, limit, UNDECIDED, message, missing)
        return
    excess = value - limit.amount if limit.bound == "max" else limit.amount - value
    said = amount_text(value, quantity.unit)
    if missing and (limit.bound == "min") == (excess > 0):
        message = f"{limit.quantity}: {said} or more, which may be on either side of {bound}"
        yield _diagnostic(network, limit, UNDECIDED, message, f"unknown: {missing}")
    elif excess > 0:
        at_least = "at least " if missing else ""
        share = f" ({exact_percent(excess, limit.amount)})" if limit.amount else ""
        distance = f"{amount_text(excess, quantity.unit)}{share} {more_or_less}"
        message = f"{limit.quantity}: {at_least}{said}, which is {distance} than {bound}"
        code = OVER if limit.bound == "max" else UNDER
        yield _diagnostic(network, limit, code, message, _most(network, quantity, reading))


def _most(network: "Network", quantity: Quantity, reading: Measured) -> str | None:
    """The layer that costs most, or the one that the quantity is that of."""
    if reading.layer is not None:
        return f"{sizes_text(reading) if reading.sizes else 'the peak is'} at layer {quoted(reading.layer)}"
    if not quantity.layers or not reading.known:
        return None
    values = [value or 0 for value in quantity.layers(network)]
    most = max(values)
    name = network.layers[values.index(most)].name
    return f"most is in layer {quoted(name)}: {most:,} ({exact_percent(most, reading.known)})"


def _diagnostic(network: "Network", limit: Limit, code: str, message: str, reason: str | None) -> Diagnostic:
    document = network.graph.document
    if limit.path:
        (found,) = document.diagnostics([Problem(message, limit.path, reason, code=code)], SEVERITY)
        return found
    option = f"--{limit.bound} {limit.quantity.replace('_', '-')}={limit.text}"
    return Diagnostic(message, Place(document.source, text=option), reason, severity=SEVERITY, code=code)
