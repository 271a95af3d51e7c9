"""The numbers in a diagram: lines of a card, and the quantity that its colour shows."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from archcalc.analysis.memory import measure_memory
from archcalc.analysis.summary import LayerSummary, add_rows, summarize
from archcalc.analysis.summary_document import COLUMNS, value_of
from archcalc.diagram.parts import Tile
from archcalc.diagram.style import UNKNOWN
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.numbers.bounds import Amount, Lower, Unknown, floor_of, highest, known, quotient, times, value_text
from archcalc.numbers.units import engineering, mebibytes, percent

if TYPE_CHECKING:
    from archcalc.analysis.context import AnalysisContext
    from archcalc.analysis.memory import Memory


def _format_parameters(rows: list[LayerSummary]) -> str:
    return _format_sum("parameters", [f"{row.parameters:,}" for row in rows if row.parameters])


def _format_macs(rows: list[LayerSummary]) -> str:
    return _format_sum("MACs", [value_text(row.macs, _format_count) for row in rows if row.macs != 0])


def _format_count(count: int) -> str:
    return engineering(count) if count >= 1000 else str(count)


def _format_sum(what: str, counts: list[str]) -> str:
    """The counts of the layers of a card: `9,408 + 128 parameters`."""
    return f"{' + '.join(counts)} {what}" if counts else ""


def _format_field(row: LayerSummary) -> str:
    size = value_of(COLUMNS["receptive_field"], row)
    return "" if size == "–" else f"field {size}"


LINES: dict[str, Callable[["CardNumbers", Tile], str]] = {
    "parameters": lambda lines, tile: _format_parameters(lines.rows(tile)),
    "macs": lambda lines, tile: _format_macs(lines.rows(tile)),
    "receptive-field": lambda lines, tile: _format_field(lines.total(tile)),
    "memory": lambda lines, tile: f"{value_text(lines.alive(tile), mebibytes)} alive",
}
HEATS = ("parameters", "macs", "memory", "check")


def check_names(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return names of lines. Raises UsageError for an unknown name."""
    for name in names:
        if name not in LINES:
            raise UsageError(f"a card cannot show {quoted(name)}", did_you_mean(name, LINES))
    return names


class CardNumbers:
    """The lines of cards besides name, type and shape. `originals` has the layer drawn in the place of each layer."""

    def __init__(self, context: "AnalysisContext", show: tuple[str, ...], originals: list[int]) -> None:
        self.context, self.show = context, check_names(show)
        self.drawn_as: defaultdict[int, list[int]] = defaultdict(list)  # the layers that a drawn layer stands for
        for position, drawn in enumerate(originals):
            self.drawn_as[drawn].append(position)

    def stands_for(self, tile: Tile) -> list[int]:
        """The layers of a tile and of its copies, in order."""
        return sorted({position for layer in tile.layers for position in self.drawn_as[layer]} | {*tile.layers})

    def total(self, tile: Tile) -> LayerSummary:
        """The row of a tile, for one copy."""
        rows = [summarize(self.context).layers[position] for position in tile.layers]
        output = self.context.graph.block_outputs.get(tile.name) if tile.block else None
        last = next((row for row in rows if row.name == output), rows[-1])
        return add_rows(tile.name, tile.block or rows[0].type, rows[0].inputs, rows, last)

    def rows(self, tile: Tile) -> list[LayerSummary]:
        """The rows of the layers of a chain, or the one row of a collapsed block."""
        if tile.is_collapsed:
            return [self.total(tile)]
        return [summarize(self.context).layers[position] for position in tile.layers]

    @cached_property
    def memory(self) -> "Memory":
        """The memory of inference."""
        return measure_memory(self.context)

    def alive(self, tile: Tile) -> Lower[int]:
        """The largest number of bytes of live values while a tile or a copy of it runs."""
        rows = (self.memory.layers[position] for position in self.stands_for(tile))
        return highest(map(self.memory.values_alive, rows))

    def of(self, tile: Tile) -> Iterator[str]:
        """The lines of a tile, without quantities that are zero."""
        return filter(None, (LINES[name](self, tile) for name in self.show))


class Heat:
    """A quantity as a colour: the value of a tile with all its copies, as a share of the largest value."""

    def __init__(self, what: str, lines: CardNumbers) -> None:
        if what not in HEATS:
            raise UsageError(f"no colour shows {quoted(what)}", did_you_mean(what, HEATS))
        self.context, self.what, self.lines = lines.context, what, lines
        self.copies: dict[Tile, int] = {}
        self.largest: Lower[int] = 1
        self.findings = _findings(self.context) if what == "check" else {}

    def scale(self, tiles: Iterable[tuple[Tile, int]]) -> None:
        """Find the largest value among tiles, each with its number of copies."""
        self.copies = dict(tiles)
        values = [value for tile in self.copies if not isinstance(value := self.value(tile), Unknown)]
        most = max(map(floor_of, values), default=0)
        self.largest = highest(value for value in values if floor_of(value) == most) if most else 1

    @property
    def most(self) -> int:
        """The largest value, or its lower bound."""
        return floor_of(self.largest)

    def value(self, tile: Tile) -> Amount:
        """The quantity of all copies of a tile."""
        if self.what == "memory":
            return self.lines.alive(tile)  # copies run one after another
        row = self.lines.total(tile)
        one: Amount = row.parameters if self.what == "parameters" else row.macs
        return times(self.copies[tile], one)

    def share(self, tile: Tile) -> float:
        """The share of the largest value, from 0 to 1; UNKNOWN for an unknown value."""
        if self.what == "check":
            return 1.0 if self._codes(tile) else 0.0
        value = known(self.value(tile))
        return UNKNOWN if value is None else value / self.most

    def text(self, tile: Tile) -> str:
        """The quantity that the colour shows, in words."""
        if self.what == "check":
            return ", ".join(self._codes(tile))
        if self.what == "memory":
            return "" if "memory" in self.lines.show else LINES["memory"](self.lines, tile)
        value, name = self.value(tile), {"macs": "MACs"}.get(self.what, self.what)
        if isinstance(value, Unknown):
            return f"unknown {name}"
        total = getattr(summarize(self.context).totals, self.what)
        if value == 0 or not known(total):
            return ""
        share = quotient(value, total)
        return f"unknown share of {name}" if isinstance(share, Unknown) else f"{value_text(share, percent)} of {name}"

    def legend(self) -> Iterator[tuple[float, str]]:
        """Shares with the text of the legend for their colours."""
        if self.what == "check":
            yield 1, "found by check"
            return
        write = mebibytes if self.what == "memory" else _format_count
        unit = {"macs": "MACs", "memory": "of values alive at once"}.get(self.what, self.what)
        yield 0, "0"
        yield 0.5, write(self.most // 2)
        yield 1, f"{value_text(self.largest, write)} {unit}"
        if any(self.share(tile) == UNKNOWN for tile in self.copies):
            yield UNKNOWN, "unknown"

    def _codes(self, tile: Tile) -> list[str]:
        names = [self.context.graph.nodes[position].name for position in self.lines.stands_for(tile)]
        return sorted({code for name in names for code in self.findings.get(name, ())})


def _findings(context: "AnalysisContext") -> dict[str, list[str]]:
    """The findings of `check` by layer: code and name of each rule."""
    from archcalc.analysis.lint import RULES

    found: dict[str, list[str]] = {}
    for rule in RULES:
        for finding in rule.check(context):
            for name in finding.names if finding.kind == "layer" else ():
                found.setdefault(name, []).append(f"{rule.code} {rule.name}")
    return found
