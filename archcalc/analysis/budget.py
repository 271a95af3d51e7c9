"""Checks a network against a budget, and names the layer that costs most."""

from collections.abc import Iterable, Iterator, Mapping

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.measures import MEASURES, Measured
from archcalc.errors import Diagnostic, Place, Problem, UsageError, quoted
from archcalc.numbers.bounds import AtLeast, is_at_least, is_at_most, known, reason_of
from archcalc.numbers.units import exact_percent
from archcalc.quantities import QUANTITIES, Bound, amount_text, quantity_name, whole_amount
from archcalc.spec.budget import Limit

OVER, UNDER, UNDECIDED = "B501", "B502", "B503"
SEVERITY = "failure"  # neither an error of the spec nor a warning
WORDS: dict[Bound, tuple[str, str]] = {"max": ("more", "maximum"), "min": ("less", "minimum")}


def limits_of(bound: Bound, amounts: Mapping[str, int | str]) -> list[Limit]:
    """Parse limits by quantity, outside of a spec. Raises UsageError for an unknown quantity or an invalid amount."""
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


def check_budget(context: AnalysisContext, limits: Iterable[Limit] = ()) -> list[Diagnostic]:
    """A finding for every broken limit of the spec's budget and of `limits`, which replace the spec's.

    A total that is a lower bound breaks a maximum if the bound exceeds it; otherwise the limit cannot be decided, which
    is a finding as well.
    """
    every = {(limit.quantity, limit.bound): limit for limit in (*context.graph.budget, *limits)}
    return [found for limit in every.values() for found in _breaches(context, limit)]


def _breaches(context: AnalysisContext, limit: Limit) -> Iterator[Diagnostic]:
    quantity = QUANTITIES[limit.quantity]
    measured = MEASURES[limit.quantity].whole(context)
    more_or_less, most_or_least = WORDS[limit.bound]
    bound = f"the {most_or_least} of {amount_text(limit.amount, quantity.unit)}"
    is_kept = (is_at_most if limit.bound == "max" else is_at_least)(measured.value, limit.amount)
    value, missing = known(measured.value), reason_of(measured.value)
    if is_kept:
        return
    if value is None:
        message = f"{limit.quantity}: unknown, which may be on either side of {bound}"
        yield _diagnostic(context, limit, UNDECIDED, message, missing)
        return
    amount = amount_text(value, quantity.unit)
    if is_kept is None:
        message = f"{limit.quantity}: {amount} or more, which may be on either side of {bound}"
        yield _diagnostic(context, limit, UNDECIDED, message, f"unknown: {missing}")
        return
    at_least, excess = "at least " if missing else "", abs(value - limit.amount)
    share = f" ({exact_percent(excess, limit.amount)})" if limit.amount else ""
    distance = f"{amount_text(excess, quantity.unit)}{share} {more_or_less}"
    message = f"{limit.quantity}: {at_least}{amount}, which is {at_least}{distance} than {bound}"
    code = OVER if limit.bound == "max" else UNDER
    yield _diagnostic(context, limit, code, message, _most(context, limit.quantity, measured))


def _most(context: AnalysisContext, quantity: str, measured: Measured) -> str | None:
    """The layer that costs most, or the layer at which the quantity is measured, in words."""
    if measured.layer is not None:
        return f"{measured.text if measured.sizes else 'the peak is'} at layer {quoted(measured.layer)}"
    whole = known(measured.value)
    layers = MEASURES[quantity].layers
    if not layers or not whole:
        return None
    values = [known(value) or 0 for value in layers(context)]
    most = max(values)
    name, of_known = context.graph.nodes[values.index(most)].name, isinstance(measured.value, AtLeast)
    which = "most of what is known" if of_known else "most"
    return f"{which} is in layer {quoted(name)}: {most:,} ({'≤ ' * of_known}{exact_percent(most, whole)})"


def _diagnostic(context: AnalysisContext, limit: Limit, code: str, message: str, reason: str | None) -> Diagnostic:
    document = context.graph.document
    if limit.path:
        (found,) = document.diagnostics([Problem(message, limit.path, reason, code=code)], SEVERITY)
        return found
    option = f"--{limit.bound} {limit.quantity.replace('_', '-')}={limit.text}"
    return Diagnostic(message, Place(document.source, text=option), reason, severity=SEVERITY, code=code)
