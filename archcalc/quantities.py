"""Quantities that networks are compared and limited by, and amounts such as `25.6M`.

`analysis/measures.py` measures them. `summary` imports this module only for a spec with a budget.
"""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from archcalc.errors import UsageError, did_you_mean, meant, quoted

Bound = Literal["max", "min"]


class Unit(NamedTuple):
    """The unit of a quantity, and the suffixes that an amount of it may have."""

    name: str
    suffixes: Mapping[str, int]
    example: str


COUNT = Unit("", MappingProxyType({"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "B": 10**9, "T": 10**12}), "25.6M")
SIZE = Unit("", MappingProxyType({"": 1}), "224")
BYTES = Unit(
    "bytes",
    MappingProxyType(
        {"": 1, "B": 1}
        | {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", start=1)}
        | {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", start=1)}
    ),
    "120MiB",
)


class Quantity(NamedTuple):
    """A quantity of a network. `is_sum`: it is the sum of the layers' values."""

    title: str
    summary: str
    unit: Unit = COUNT
    is_sum: bool = True


QUANTITIES: dict[str, Quantity] = {
    "parameters": Quantity("Parameters", "Parameters, shared ones once."),
    "trainable_parameters": Quantity("Trainable", "Parameters that are trained."),
    "buffers": Quantity("Buffers", "Values of buffers, such as the statistics of batch normalizations."),
    "macs": Quantity("MACs", "Multiplications with an addition, for the whole batch."),
    "flops": Quantity("FLOPs", "Two for each MAC."),
    "connections": Quantity("Connections", "Weighted links of all units, and one for each bias."),
    "activations": Quantity("Activations", "The values of all outputs, but for those that are views of an input."),
    "peak_memory": Quantity(
        "Peak memory",
        "Bytes alive at once at most in one pass of inference over the batch: weights, buffers and activations, as "
        "`archcalc memory` counts them.",
        BYTES,
        is_sum=False,
    ),
    "receptive_field": Quantity(
        "Field",
        "The receptive field of the last layer with several positions, along its shortest axis; later layers see the "
        "whole map in any network.",
        SIZE,
        is_sum=False,
    ),
    "layers": Quantity("Layers", "Layers of any type.", is_sum=False),
}
SUMS = tuple(name for name, quantity in QUANTITIES.items() if quantity.is_sum)


def quantity_name(word: str, known: Sequence[str] = tuple(QUANTITIES)) -> str:
    """The name of a quantity, which the command line may write with dashes. Raises UsageError if there is none."""
    name = word.replace("-", "_")
    if name not in known:
        raise UsageError(f"no quantity is called {quoted(word)}", did_you_mean(name, known))
    return name


# Commas separate thousands, as in the summary. Exponents are short, so that powers are computed quickly.
_AMOUNT = re.compile(r"(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)\s*(?P<suffix>[A-Za-z]*)")
MAX_LETTERS = 80  # of an amount


def whole_amount(text: str, unit: Unit, bound: Bound) -> int:
    """Parse an amount such as `25.6M` or `120MiB` exactly.

    Quantities are whole numbers, so a fractional maximum is rounded down and a fractional minimum up. Raises UsageError
    for text that is no amount.
    """
    found = _AMOUNT.fullmatch(text.strip()) if len(text) <= MAX_LETTERS and text.isascii() else None
    if not found:
        raise UsageError(f"{quoted(text)} is no amount", f"write it as {unit.example}")
    factors = {suffix.lower(): factor for suffix, factor in unit.suffixes.items()}  # `m` means a million, not a milli
    if found["suffix"].lower() not in factors:
        known = ", ".join(filter(None, unit.suffixes)) or "none"
        meanings = [suffix for suffix in unit.suffixes if suffix.lower().startswith(found["suffix"].lower())]
        remedy = meant(f"{found['number']}{suffix}" for suffix in meanings) if meanings else f"known here: {known}"
        raise UsageError(f"{quoted(text)} has the unit {quoted(found['suffix'])}", remedy)
    from fractions import Fraction

    amount = Fraction(found["number"].replace(",", "")) * factors[found["suffix"].lower()]
    return amount.__floor__() if bound == "max" else amount.__ceil__()


def amount_text(value: int, unit: Unit) -> str:
    """A value with all its digits and its unit."""
    return f"{value:,} {unit.name}".rstrip()
