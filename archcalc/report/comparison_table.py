"""Networks side by side as text: for a terminal, a pipe, a page or a program."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from archcalc.analysis.comparison import ComparedLayer, ComparedTotal, Comparison
from archcalc.analysis.measures import NO_FIELD, Measured
from archcalc.errors import printable
from archcalc.numbers.bounds import Amount, Unknown, certain, known, minus, quotient, reason_of, value_text
from archcalc.numbers.units import exact_percent
from archcalc.render.json_text import json_text
from archcalc.render.text_table import (
    Style,
    display_width,
    escaped,
    inputs_text,
    padded,
    page_table,
    shortened,
    text_table,
)

FORMATS = ("table", "plain", "markdown", "json")
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
ABSENT = "–"

Rows = list[list[str | None]]


class _Table(NamedTuple):
    header: list[str]
    rows: Rows
    notes: list[str]


def render(
    comparison: Comparison,
    format_name: str,
    quantity: str = "macs",
    only_differences: bool = False,
    style: Style | None = None,
) -> str:
    """The comparison in one of FORMATS, with the layers' share of one quantity; JSON has those of all."""
    if format_name == "json":
        return json_text(comparison.to_dict())
    style = style or Style()
    labels = [printable(label) for label in comparison.labels]
    if format_name == "markdown":
        return "\n\n".join(_markdown(_tables(comparison, labels, quantity, only_differences)))
    letters = _letters(labels, comparison, quantity, only_differences, style)
    parts = ["\n".join(_head(comparison, labels, letters, style))]
    for header, rows, notes in _tables(comparison, letters or labels, quantity, only_differences):
        table = text_table(header, rows, style, narrowed=(0,), rules=int(format_name == "table"))
        parts.append("\n".join([*table, *map(style.dim, notes)]))
    return "\n\n".join(parts)


def _markdown(tables: Iterable[_Table]) -> Iterator[str]:
    """Each table and its notes; with an empty line between, or else a note would be a row."""
    for header, rows, notes in tables:
        yield page_table(header, rows, "markdown")
        yield from (escaped(note, "markdown") for note in notes)


def _letters(
    labels: Sequence[str], comparison: Comparison, quantity: str, only_differences: bool, style: Style
) -> list[str] | None:
    """A letter for each column, where there is no room for labels even beside short names of layers."""
    tables = _tables(comparison, labels, quantity, only_differences)
    nameless = ((header, [["", *row[1:]] for row in rows]) for header, rows, _ in tables)
    lines = (line for header, rows in nameless for line in text_table(header, rows, Style()))
    if not style.width or max(map(display_width, lines)) <= style.width:
        return None
    return [chr(ord("A") + number) if number < 26 else f"{number + 1}" for number in range(len(labels))]


def _head(comparison: Comparison, labels: Sequence[str], letters: Sequence[str] | None, style: Style) -> Iterator[str]:
    """What each column stands for."""
    names = [f"{letter}  {label}" for letter, label in zip(letters, labels, strict=True)] if letters else labels
    width = max(map(display_width, names))
    for name, summary in zip(names, comparison.networks, strict=True):
        inputs = inputs_text(summary.inputs)
        batch = f" · batch {summary.batch}" if summary.batch > 1 else ""
        line = f"{padded(name, width)}  {printable(summary.name)} · {inputs}{batch}"
        yield shortened(line, style.width) if style.width else line


def _tables(comparison: Comparison, labels: Sequence[str], quantity: str, only_differences: bool) -> Iterator[_Table]:
    """The layers' table, if anything is in it, and that of the totals."""
    pair = ["Difference", " "] if len(labels) == 2 else []
    rows, notes = _layer_rows(comparison, quantity, only_differences)
    if rows or notes:
        yield _Table([comparison.totals[quantity].title, *labels, *pair], rows, notes)
    yield _Table(["Total", *labels, *pair], *_total_rows(comparison))


# layers


def _layer_rows(comparison: Comparison, quantity: str, only_differences: bool) -> tuple[Rows, list[str]]:
    """Rows of the layers that have some of the quantity, and how many are not shown."""
    having = [row for row in comparison.layers if any(value != 0 for value in row.sums[quantity])]
    shown = [row for row in having if not (only_differences and _is_equal(row, quantity))]
    none, equal = len(comparison.layers) - len(having), len(having) - len(shown)
    notes = [f"{none:,} {'layers have' if none > 1 else 'layer has'} none"] if none else []
    notes += [f"{equal:,} {'layers are' if equal > 1 else 'layer is'} equal"] if equal else []
    return [_layer_row(row, quantity) for row in shown], notes


def _is_equal(row: ComparedLayer, quantity: str) -> bool:
    return all(row.layers) and len({certain(value) for value in row.sums[quantity]} - {None}) == 1


def _layer_row(row: ComparedLayer, quantity: str) -> list[str | None]:
    names = dict.fromkeys(printable(layer.name) for layer in row.layers if layer)
    cells = zip(row.layers, row.sums[quantity], strict=True)
    texts = [ABSENT if layer is None else value_text(value) for layer, value in cells]
    return [" → ".join(names), *texts, *_layer_difference(row, quantity)]


def _layer_difference(row: ComparedLayer, quantity: str) -> list[str]:
    """That of two networks; without a percentage where a layer is in one of them alone."""
    if len(row.layers) != 2:
        return []
    absolute, relative = _difference(*row.sums[quantity])
    return [absolute, relative if all(row.layers) else " "]


# totals


def _total_rows(comparison: Comparison) -> tuple[Rows, list[str]]:
    rows: Rows = []
    notes: dict[str, None] = {}
    for name in TOTALS:
        total = comparison.totals.get(name)
        if total and _is_told(comparison, name, total):
            rows += _rows_of(total)
            told = zip(comparison.labels, total.reasons, strict=True)
            silent = {None, reason_of(NO_FIELD.value)}
            notes |= {f"? {printable(label)}: {printable(why or '')}": None for label, why in told if why not in silent}
    return rows, [*notes]


def _is_told(comparison: Comparison, name: str, total: ComparedTotal) -> bool:
    """Buffers and fields are only told where there are any, and trainable parameters where some are not."""
    if name == "receptive_field":
        return any(reading != NO_FIELD for reading in total.readings)
    if name == "trainable_parameters":
        return total.values != comparison.totals["parameters"].values
    return name != "buffers" or any(value != 0 for value in total.values)


def _rows_of(total: ComparedTotal) -> Rows:
    """The values of two networks with their difference; under those of more, the differences from the first."""
    texts = [reading_text(reading) for reading in total.readings]
    first, *others = total.readings
    differences = [_total_difference(first, other) for other in others]
    if len(differences) == 1:
        return [[total.title, *texts, *differences[0]]]
    absolute, relative = ([" ", " ", *column] for column in zip(*differences, strict=True))
    return [[total.title, *texts], absolute, *([relative] if any(map(str.strip, relative)) else [])]


def _total_difference(first: Measured, other: Measured) -> tuple[str, str]:
    """As far as both are known, and not in different units."""
    if NO_FIELD in (first, other) or first.unit != other.unit:
        return ABSENT, " "
    return _difference(first.value, other.value)


def reading_text(reading: Measured) -> str:
    """What is known of a quantity; – where a network has no such thing, ? where it is not known."""
    if reading.sizes:
        return reading.text
    return ABSENT if reading == NO_FIELD else value_text(reading.value)


# texts


def _difference(first: Amount, other: Amount) -> tuple[str, str]:
    """How much more or less, and in relation to the first; with a sign where that is a bound."""
    apart, one, two = minus(other, first), known(first), known(other)
    if one is None or two is None or isinstance(apart, Unknown):
        return "?", " "
    if apart == 0:
        return "equal", " "
    absolute = value_text(apart, lambda number: f"{'−' if number < 0 else '+'}{abs(number):,}")
    relative = value_text(quotient(other, first, lambda above, below: relative_text(below, above)), str) if one else " "
    return absolute, relative


def relative_text(first: int, other: int) -> str:
    """A change in percent, or how many times as much from twice on."""
    if other >= 2 * first:
        return f"×{_ratio(other, first)}"
    return f"{'+' if other > first else '−'}{exact_percent(abs(other - first), first)}"


def _ratio(dividend: int, divisor: int) -> str:
    """A quotient of 1 or more with three digits that count, whatever the size of the numbers."""
    for places in (2, 1):
        scaled = (2 * 10**places * dividend + divisor) // (2 * divisor)
        if scaled < 1000:
            return f"{scaled // 10**places}.{scaled % 10**places:0{places}}"
    return f"{(2 * dividend + divisor) // (2 * divisor):,}"
