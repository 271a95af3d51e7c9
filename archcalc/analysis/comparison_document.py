"""A comparison of networks as a document."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from archcalc.analysis.measures import NO_FIELD, Measured
from archcalc.numbers.bounds import Amount, Unknown, certain, known, minus, quotient, reason_of, value_text
from archcalc.numbers.units import exact_percent
from archcalc.render.cells import ABSENT, fact_text, scale_of
from archcalc.render.document import BYTES, COUNT, NAME, TEXT, Column, Document, Fact, Facts, NumberText, Row, Table
from archcalc.render.words import inputs_text

if TYPE_CHECKING:
    from archcalc.analysis.comparison import ComparedLayer, ComparedTotal, Comparison


TOTALS = (
    "parameters",
    "trainable_parameters",
    "buffers",
    "macs",
    "count",
    "activations",
    "peak_memory",
    "receptive_field",
    "layers",
)


def comparison_document(comparison: Comparison, quantity: str = "macs", only_differences: bool = False) -> Document:
    """The comparison as a document, with one quantity of the layers; JSON has all quantities."""
    return Document(
        title=" · ".join(comparison.labels),
        parts=[Facts([*_networks(comparison)]), *_tables(comparison, quantity, only_differences)],
        data=comparison.to_dict,
        records=lambda: [_record(comparison, row, quantity) for row in comparison.layers],
    )


def _networks(comparison: Comparison) -> Iterator[Fact]:
    """The network of each label."""
    for label, summary in zip(comparison.labels, comparison.networks, strict=True):
        batch = f" · batch {summary.batch}" if summary.batch > 1 else ""
        yield Fact(label, f"{summary.name} · {inputs_text(summary.inputs)}{batch}", TEXT)


def _tables(comparison: Comparison, quantity: str, only_differences: bool) -> Iterator[Table]:
    """The tables of layers, of changes and of totals; the first two only if they have rows."""
    rows, notes = _layer_rows(comparison, quantity, only_differences)
    if rows or notes:
        yield Table(_columns(comparison, comparison.totals[quantity].title), rows, notes=notes)
    if changed := [*_changed_rows(comparison)]:
        yield Table([Column("Changed", NAME), *_of_several(comparison), Column("", wrapped=True)], changed)
    rows, notes = _total_rows(comparison)
    yield Table(_columns(comparison, "Total"), rows, notes=notes)


def _columns(comparison: Comparison, title: str) -> list[Column]:
    labels = [
        Column(label, COUNT, priority=0 if number < 2 else 1, short=_letter(number))
        for number, label in enumerate(comparison.labels)
    ]
    pair = [Column("Difference", COUNT, priority=1), Column("", COUNT, priority=2)] if len(labels) == 2 else []
    return [Column(title, NAME), *labels, *pair]


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{number + 1}"


# changes of layers


def _of_several(comparison: Comparison) -> list[Column]:
    return [Column("In")] if len(comparison.labels) > 2 else []


def _changed_rows(comparison: Comparison) -> Iterator[Row]:
    """Types and arguments that differ from the first network's, of open blocks and of the rows."""
    blocks = [(block.name, block.changes) for block in comparison.blocks]
    for name, changed in (*blocks, *((_names(row), row.changes) for row in comparison.layers)):
        for label, changes in zip(comparison.labels[1:], changed, strict=True):
            if changes:
                several = [label] if len(comparison.labels) > 2 else []
                yield Row([name, *several, ", ".join(map(str, changes))])


def _names(row: ComparedLayer) -> str:
    return " → ".join(dict.fromkeys(layer.name for layer in row.layers if layer))


def _layer_rows(comparison: Comparison, quantity: str, only_differences: bool) -> tuple[list[Row], list[str]]:
    """Rows of the layers with a share of the quantity, and notes that count the others."""
    having = [row for row in comparison.layers if any(value != 0 for value in row.sums[quantity])]
    shown = [row for row in having if not (only_differences and _is_equal(row, quantity))]
    none, equal = len(comparison.layers) - len(having), len(having) - len(shown)
    notes = [f"{none:,} {'layers have' if none > 1 else 'layer has'} none"] if none else []
    notes += [f"{equal:,} {'layers are' if equal > 1 else 'layer is'} equal"] if equal else []
    return [_layer_row(row, quantity) for row in shown], notes


def _is_equal(row: ComparedLayer, quantity: str) -> bool:
    return all(row.layers) and len({certain(value) for value in row.sums[quantity]} - {None}) == 1


def _layer_row(row: ComparedLayer, quantity: str) -> Row:
    cells = zip(row.layers, row.sums[quantity], strict=True)
    values = [ABSENT if layer is None else value for layer, value in cells]
    return Row([_names(row), *values, *_layer_difference(row, quantity)])


def _layer_difference(row: ComparedLayer, quantity: str) -> list[str]:
    """The difference between two networks; without a percentage if only one has the layer."""
    if len(row.layers) != 2:
        return []
    first, other = row.sums[quantity]
    absolute, relative = _difference(first, other)
    return [absolute, relative if all(row.layers) else ""]


# totals


def _total_rows(comparison: Comparison) -> tuple[list[Row], list[str]]:
    rows: list[Row] = []
    notes: dict[str, None] = {}
    for name in TOTALS:
        total = comparison.totals.get(name)
        if total and _is_shown(comparison, name, total):
            rows += _rows_of(total)
            reasons = zip(comparison.labels, total.reasons, strict=True)
            silent = {None, reason_of(NO_FIELD.value)}
            notes |= {f"? {label}: {why}": None for label, why in reasons if why not in silent}
    return rows, [*notes]


def _is_shown(comparison: Comparison, name: str, total: ComparedTotal) -> bool:
    """Whether a total is listed: buffers and fields if there are any, trainable parameters if some are frozen."""
    if name == "receptive_field":
        return any(found != NO_FIELD for found in total.measured)
    if name == "trainable_parameters":
        return total.values != comparison.totals["parameters"].values
    return name != "buffers" or any(value != 0 for value in total.values)


def _rows_of(total: ComparedTotal) -> list[Row]:
    """A row of two networks' values and difference; for more networks, differences are in rows below."""
    texts = measured_texts(total.measured)
    first, *others = total.measured
    differences = [_total_difference(first, other) for other in others]
    if len(differences) == 1:
        return [Row([total.title, *texts, *differences[0]])]
    absolute, relative = (["", "", *column] for column in zip(*differences, strict=True))
    return [Row([total.title, *texts]), Row(absolute), *([Row(relative)] if any(map(str.strip, relative)) else [])]


def _total_difference(first: Measured, other: Measured) -> tuple[str, str]:
    """The difference of two totals; a dash if their units differ or one is missing."""
    if NO_FIELD in (first, other) or first.unit != other.unit:
        return "–", ""
    return _difference(first.value, other.value, _bytes_text if first.unit == BYTES else "{:,}".format)


def measured_texts(row: Sequence[Measured]) -> list[str]:
    """The values of a quantity, bytes in one unit; – for a network without it, ? if it is unknown."""
    return [_measured_text(found, row) for found in row]


def _measured_text(found: Measured, row: Sequence[Measured]) -> str:
    if found.sizes:
        return found.text
    if found.unit == BYTES and not isinstance(found.value, Unknown):
        scale = scale_of(BYTES, "", [other.value for other in row])
        return f"{value_text(found.value, scale.text)} {scale.name}"
    return ABSENT if found == NO_FIELD else NumberText(value_text(found.value))


def _bytes_text(size: int) -> str:
    return fact_text(BYTES, "", size)


# texts


def _difference(first: Amount, other: Amount, form: Callable[[int], str] = "{:,}".format) -> tuple[str, str]:
    """The absolute and relative difference; a sign marks bounds."""
    apart, one, two = minus(other, first), known(first), known(other)
    if one is None or two is None or isinstance(apart, Unknown):
        return "?", ""
    if apart == 0:
        return "equal", ""
    absolute = NumberText(value_text(apart, lambda number: f"{'−' if number < 0 else '+'}{form(abs(number))}"))
    relative = value_text(quotient(other, first, lambda above, below: relative_text(below, above)), str) if one else ""
    return absolute, relative


def relative_text(first: int, other: int) -> str:
    """A change in percent, or as a factor from 2 and below 1/1000."""
    if other >= 2 * first:
        return f"×{_ratio(other, first)}"
    if first > 1000 * other > 0:
        return f"÷{_ratio(first, other)}"  # in percent it would round to all of it
    return f"{'+' if other > first else '−'}{exact_percent(abs(other - first), first)}"


def _ratio(dividend: int, divisor: int) -> str:
    """A quotient of 1 or more with three significant digits, for numbers of any size."""
    for places in (2, 1):
        scaled = (2 * 10**places * dividend + divisor) // (2 * divisor)
        if scaled < 1000:
            return f"{scaled // 10**places}.{scaled % 10**places:0{places}}"
    return f"{(2 * dividend + divisor) // (2 * divisor):,}"


# for programs


def _record(comparison: Comparison, row: ComparedLayer, quantity: str) -> dict[str, Any]:
    """A layer's name and quantity in every network, and its changes."""
    found: dict[str, Any] = {}
    for label, layer, value in zip(comparison.labels, row.layers, row.sums[quantity], strict=True):
        found |= {f"layer of {label}": layer and layer.name, f"{quantity} of {label}": known(value) if layer else None}
    for label, changes in zip(comparison.labels[1:], row.changes, strict=True):
        found[f"changes of {label}"] = ", ".join(map(str, changes))
    return found
