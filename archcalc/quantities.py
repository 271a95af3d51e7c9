"""What networks are compared by and held to: every quantity declared once, with how it is read off a network.

On the way to `summary` nothing of this is imported, unless the spec has a budget.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.numbers.bounds import Amount, Unknown

if TYPE_CHECKING:
    from archcalc.analysis.counting import ConventionCount
    from archcalc.report.field import ReceptiveField
    from archcalc.report.network import Network

Bound = Literal["max", "min"]
LayerValues = list[Amount]  # one for each layer of a network


class Measured(NamedTuple):
    """What a network has of a quantity: exact, a bound, or unknown.

    `sizes` are those of a receptive field, of which the smallest is the value. `layer` is the one at which a quantity
    is read that is no sum over layers.
    """

    value: Amount
    sizes: tuple[int | None, ...] = ()
    unit: str = ""  # `hops` where sizes are not in pixels
    layer: str | None = None
    text: str = ""  # of sizes, with their marks


class Unit(NamedTuple):
    """What a quantity is counted in, and the suffixes that an amount of it may have."""

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
    """Something that a network has more or less of.

    `layers` gives what each layer adds to the whole, for a quantity that is a sum over layers.
    """

    title: str
    summary: str
    unit: Unit
    read: "Callable[[Network], Measured]"
    layers: "Callable[[Network], LayerValues] | None" = None


def _summed(title: str, summary: str, attribute: str) -> Quantity:
    """A quantity that the rows and the totals of the summary have."""

    def read(network: "Network") -> Measured:
        return Measured(getattr(network.totals, attribute))

    return Quantity(title, summary, COUNT, read, lambda network: [getattr(row, attribute) for row in network.layers])


def _counted(title: str, summary: str, count: "Callable[[Network], ConventionCount]") -> Quantity:
    """A quantity that a counting convention has."""

    def read(network: "Network") -> Measured:
        return Measured(count(network).total)

    return Quantity(title, summary, COUNT, read, lambda network: [*count(network).layers])


def by_convention(name: str) -> Quantity:
    """The operations as a counting convention has them. Raises UsageError if there is none of that name."""
    from archcalc.analysis.counting import find_convention

    found = find_convention(name)
    return _counted(found.title, found.sentence, lambda network: network.count(name))


NO_FIELD = Measured(Unknown("no layer has positions of the input to see"))


def _field(network: "Network") -> Measured:
    """That of the last layer whose units are laid out along an axis; of the last of all, where none is.

    It is that of the paths that keep positions. What comes behind, such as a global average, sees the whole map in any
    network.
    """
    last: Measured | None = None
    for row in reversed(network.layers):
        if "receptive_field" in row.unknown:
            return Measured(Unknown(f"{row.name}: {row.unknown['receptive_field']}"), layer=row.name)
        if row.receptive_field:
            reading = _field_reading(row.name, row.receptive_field)
            if any(axis.extent > 1 and axis.advance and not axis.mixed for axis in row.receptive_field.axes):
                return reading
            last = last or reading
    return last or NO_FIELD


def _field_reading(layer: str, field: "ReceptiveField") -> Measured:
    from archcalc.report.field import marked_size

    smallest = min(size or 0 for size in field.size)
    unit = "hops" if field.unit == "hops" else ""
    return Measured(smallest, field.size, unit, layer, marked_size(field).text())


def _peak_memory(network: "Network") -> Measured:
    memory = network.memory()
    return Measured(memory.peak, layer=memory.peak_layer)


def sizes_text(reading: Measured) -> str:
    """The sizes of a field as archcalc writes them: `32×32`, `2 hops`, `427×427 + all`."""
    return reading.text


QUANTITIES: dict[str, Quantity] = {
    "parameters": _summed("Parameters", "Parameters, shared ones once.", "parameters"),
    "trainable_parameters": _summed("Trainable", "Those of them that are trained.", "trainable_parameters"),
    "buffers": _summed("Buffers", "Values of buffers, such as the statistics of batch normalizations.", "buffers"),
    "macs": _summed("MACs", "Multiplications with an addition, for the whole batch.", "macs"),
    "flops": _summed("FLOPs", "Two for each MAC.", "flops"),
    "connections": _summed("Connections", "Weighted links of all units, and one for each bias.", "connections"),
    "activations": _counted(
        "Activations",
        "The values of all outputs, but for those that are views of an input.",
        lambda network: network.count_activations(),
    ),
    "peak_memory": Quantity(
        "Peak bytes",
        "Bytes alive at once at most in one pass of inference over the batch: weights, buffers and activations, as "
        "`archcalc memory` counts them.",
        BYTES,
        _peak_memory,
    ),
    "receptive_field": Quantity(
        "Field",
        "That of the last layer whose units lie side by side, along its shortest axis; what comes behind sees the "
        "whole map in any network.",
        SIZE,
        _field,
    ),
    "layers": Quantity("Layers", "Layers of any type.", COUNT, lambda network: Measured(len(network.layers))),
}
SUMS = tuple(name for name, quantity in QUANTITIES.items() if quantity.layers)


def quantity_name(word: str, known: Sequence[str] = tuple(QUANTITIES)) -> str:
    """The name of a quantity, which the command line may write with dashes. Raises UsageError if there is none."""
    name = word.replace("-", "_")
    if name not in known:
        raise UsageError(f"no quantity is called {quoted(word)}; {did_you_mean(name, known)}")
    return name


# Thousands as the summary prints them, or none; no exponent is so large that its power would take long.
_AMOUNT = re.compile(r"(?P<number>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][+-]?\d{1,2})?)\s*(?P<suffix>[A-Za-z]*)")
MAX_LETTERS = 80  # of an amount


def whole_amount(text: str, unit: Unit, bound: Bound) -> int:
    """The amount that a text such as `25.6M` or `120MiB` says, exactly.

    What is counted is whole: of an amount that is not, the largest whole number below it is the same maximum, and the
    smallest above it the same minimum. Raises UsageError for text that is no amount.
    """
    found = _AMOUNT.fullmatch(text.strip()) if len(text) <= MAX_LETTERS and text.isascii() else None
    if not found:
        raise UsageError(f"{quoted(text)} is no amount; write it as {unit.example}")
    factors = {suffix.lower(): factor for suffix, factor in unit.suffixes.items()}  # nobody means a thousandth by m
    if found["suffix"].lower() not in factors:
        known = ", ".join(filter(None, unit.suffixes)) or "none"
        raise UsageError(f"{quoted(text)} has the unit {quoted(found['suffix'])}; known here: {known}")
    from fractions import Fraction

    amount = Fraction(found["number"].replace(",", "")) * factors[found["suffix"].lower()]
    return amount.__floor__() if bound == "max" else amount.__ceil__()


def amount_text(value: int, unit: Unit) -> str:
    """A value with all its digits, and the name of its unit."""
    return f"{value:,} {unit.name}".rstrip()
