"""The picture of a network as plain data: cards with their texts, frames, arrows, a legend."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.summary import add_rows, summarize
from archcalc.diagram.choice import choose
from archcalc.diagram.look import Look
from archcalc.diagram.parts import Part, Tile, parts_in, tiles_in
from archcalc.diagram.quantities import Heat, Lines
from archcalc.errors import printable
from archcalc.layers.base import Layer, size_text
from archcalc.numbers.bounds import Unknown, value_text
from archcalc.numbers.units import engineering
from archcalc.render.style import shortened

if TYPE_CHECKING:
    from archcalc.analysis.context import AnalysisContext

LONGEST = 44  # letters of a name or a text in a card
LONGEST_TIP = 2_000
FIRST_BANDS, LAST_BANDS = 20, 4  # layers of a chain that a card has, where it has more
MOST_MARKED = 2000  # layers that a card on a page can be found by
MOST_OWNERS = 2  # named in a card


class Row(NamedTuple):
    """A line of a card; `kind` is name, type, line, mark or band. `color` names what the ground of a band shows."""

    kind: str
    left: str
    right: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A node of the picture. `color` is a family of layers, `heat` a share from 0 to 1 that replaces it."""

    number: int
    rows: tuple[Row, ...]
    color: str
    identifier: str
    classes: tuple[str, ...] = ()
    tip: str = ""
    copies: int = 1
    heat: float | None = None
    dashed: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class Box:
    """A frame around what an open block is made of."""

    number: int
    title: str
    identifier: str
    parts: tuple["Card | Box", ...]
    tip: str
    copies: int


class Arrow(NamedTuple):
    """An edge between cards by number. `kind` is data or weights."""

    source: int
    target: int
    text: str = ""
    kind: str = "data"
    is_main: bool = False  # along the trunk from which a shortcut leaves, and to which it comes back


class Picture(NamedTuple):
    """Everything that is drawn. `legend` has a text for every colour; `notes` say what the reader must know."""

    title: str
    subtitle: str
    collapsed: str  # what has been collapsed without being asked for
    notes: tuple[str, ...]
    parts: tuple[Card | Box, ...]
    arrows: tuple[Arrow, ...]
    legend: dict[str, str]
    heat: Heat | None
    look: Look

    @property
    def titles(self) -> list[str]:
        """What stands above it: its name, and what it has in all."""
        return [self.title, self.subtitle] if self.look.title else []

    @property
    def explanations(self) -> tuple[str, ...]:
        """What the reader must know, beside the colours."""
        return self.notes if self.look.legend else ()

    @property
    def cards(self) -> list[Card]:
        """All cards, in order."""
        return [*_cards(self.parts)]


def draw(context: "AnalysisContext", look: Look) -> Picture:
    """The picture of a network."""
    return _Painter(context, look).picture()


def _cards(parts: Iterable[Card | Box]) -> Iterator[Card]:
    for part in parts:
        if isinstance(part, Card):
            yield part
        else:
            yield from _cards(part.parts)


class _Painter:
    def __init__(self, context: "AnalysisContext", look: Look) -> None:
        self.context, self.graph, self.look = context, context.graph, look
        self.first = len(self.graph.inputs)
        self.choice = choose(context, look.depth, look.every_copy, look.block)
        self.found = self.choice.parts
        self.scope = self.found.scope
        self.lines = Lines(context, look.show, self.found.shown)
        self.heat = Heat(look.heat, self.lines) if look.heat else None
        if self.heat:
            self.heat.scale(tiles_in(self.found.parts))
        self.training = self.found.training
        self.card_of: dict[int, int] = {}  # by edge
        self.used: dict[str, None] = {}  # colours and marks for the legend
        self.boxes = 0

    def picture(self) -> Picture:
        inputs = [self._input(edge) for edge in self.scope.inputs]
        prefix = f"{self.scope.name}." if self.scope.name else ""
        parts = [self._part(part, prefix) for part in self.found.parts]
        outputs = [self._output(number, edge) for number, edge in enumerate(self.scope.outputs)]
        arrows = (*self._data_arrows(), *self._weight_arrows())
        collapsed = self.choice.note if self.look.depth is None else ""
        return Picture(
            shortened(printable(": ".join(filter(None, (self.graph.name, self.scope.name)))), 80),
            self._subtitle(),
            collapsed,
            tuple(note for note in (collapsed, *self._notes()) if note),
            (*inputs, *parts, *outputs),
            arrows,
            {color: _LEGEND.get(color, color) for color in self.used},
            self.heat,
            self.look,
        )

    # cards

    def _input(self, edge: int) -> Card:
        name, tensor = self.context.graph.edge_names[edge], self.context.tensors[edge]
        assert tensor is not None
        rows = (Row("name", _short(name), size_text(tensor.shape)), Row("type", "input"))
        if tensor.dtype != "float32":
            rows = (rows[0], Row("type", f"input, {tensor.dtype}"))
        self.card_of[edge] = edge
        dashed = self.scope.name is not None  # of a block, it is what some other layer gives
        return Card(edge, rows, "end", f"input-{edge}", tip=f"input {_tip(name)}", dashed=dashed)

    def _output(self, number: int, edge: int) -> Card:
        name, tensor = self.context.graph.edge_names[edge], self.context.tensors[edge]
        assert tensor is not None
        if name == self.graph.block_outputs.get(self.scope.name or ""):
            name = self.scope.name or name  # the block's own
        rows = (Row("name", _short(name), size_text(tensor.shape)), Row("type", "output"))
        place = len(self.context.graph.edge_names) + number
        return Card(place, rows, "end", f"output-{edge}", tip=f"output {_tip(name)}")

    def _part(self, part: Part, prefix: str) -> Card | Box:
        if isinstance(part, Tile):
            return self._card(part, prefix)
        parts = tuple(self._part(inner, f"{part.name}.") for inner in part.parts)
        self.boxes += 1
        name = _named(part, prefix)
        title = name if name == part.block else f"{name} · {_short(part.block)}"
        return Box(self.boxes, title, f"block-{self.boxes}", parts, _tip(part.name), part.copies)

    def _card(self, tile: Tile, prefix: str) -> Card:
        number = self.first + tile.layers[0]
        self.card_of.update({self.first + position: number for position in tile.layers})
        color = "block" if tile.is_closed else self.graph.nodes[tile.layers[0]].layer.family
        heat = self.heat.share(tile) if self.heat else None
        rows = [*self._rows(tile, prefix, color)]
        if self.heat is None:
            for used in (color, *(row.color for row in rows if row.kind == "band")):
                self.used[used] = None
        names = [self.graph.nodes[position].name for position in tile.layers]
        frozen, dashed = self._frozen(tile) == "frozen", set(names) <= self.training
        return Card(
            number,
            tuple(rows),
            color,
            f"layer-{tile.layers[0]}",
            tuple(f"layer-{position}" for position in islice(self.lines.stands_for(tile), MOST_MARKED)),
            self._tooltip(tile),
            tile.copies,
            heat,
            dashed,
            frozen,
        )

    def _rows(self, tile: Tile, prefix: str, color: str) -> Iterator[Row]:
        rows = [summarize(self.context).layers[position] for position in tile.layers]
        name = _named(tile, prefix)
        if tile.is_closed:
            yield Row("name", name, size_text(self.lines.total(tile).output_shape))
            layers = f"{len(rows):,} layer{'s' * (len(rows) > 1)}"
            yield Row("type", f"{_short(tile.block)} · {layers}" if tile.block else layers, _times(tile.copies))
        else:
            layer = self.graph.nodes[tile.layers[0]].layer
            yield Row("name", name, size_text(rows[0].output_shape))
            if name != layer.type or layer.label() or tile.copies > 1:
                yield Row("type", _described(layer), _times(tile.copies))
        yield from (Row("line", text) for text in self.lines.of(tile))
        yield from (Row("mark", text) for text in self._marks(tile))
        if not tile.is_closed:
            yield from self._bands(tile)

    def _bands(self, tile: Tile) -> Iterator[Row]:
        """The layers of a chain behind the first."""
        shape = summarize(self.context).layers[tile.layers[0]].output_shape
        left_out = range(FIRST_BANDS, len(tile.layers) - LAST_BANDS)
        for number, position in enumerate(tile.layers[1:], 1):
            if number in left_out:
                if number == FIRST_BANDS and left_out:
                    yield Row("line", f"… {len(left_out):,} more")
                continue
            layer, row = self.graph.nodes[position].layer, summarize(self.context).layers[position]
            changed = "" if row.output_shape == shape else size_text(row.output_shape)
            shape = row.output_shape
            yield Row("band", _described(layer), changed, layer.family)

    def _marks(self, tile: Tile) -> Iterator[str]:
        if frozen := self._frozen(tile):
            yield frozen
        owners = dict.fromkeys(self._lender(position) for position in tile.layers)
        for owner in [owner for owner in owners if owner is not None and owner not in tile.layers][:MOST_OWNERS]:
            yield f"weights of {_short(self.graph.nodes[owner].name)}"
        if {self.graph.nodes[position].name for position in tile.layers} <= self.training:
            yield "in training only"
        if self.heat and (text := self.heat.text(tile)):
            yield text

    def _frozen(self, tile: Tile) -> str:
        holding = [position for position in tile.layers if self._weighs(position)]
        holders = [position if (owner := self._lender(position)) is None else owner for position in holding]
        kept = [self.graph.nodes[holder].trainable for holder in holders]
        return "" if all(kept) else "partly frozen" if any(kept) else "frozen"

    def _weighs(self, position: int) -> bool:
        inferred = self.context.shapes.inferred[position]
        return inferred is not None and inferred.parameter_count > 0

    def _lender(self, position: int) -> int | None:
        """The layer whose weights another uses, if it has any."""
        return self.graph.nodes[position].owner if self._weighs(position) else None

    def _tooltip(self, tile: Tile) -> str:
        row = self.lines.total(tile)
        name = f"{tile.name} to {tile.last}" if tile.block == "" else tile.name
        name = name if tile.copies == 1 else f"{tile.name} to {tile.last}, {tile.copies} equal ones, each:"
        macs = "unknown MACs" if isinstance(row.macs, Unknown) else f"{value_text(row.macs)} MACs"
        lines = [f"{_tip(name)} → {size_text(row.output_shape)}", f"{row.parameters:,} parameters, {macs}"]
        if not tile.is_closed:
            for position in tile.layers:
                node = self.graph.nodes[position]
                lines.append(f"{_tip(node.name)}: {node.layer.type} {printable(node.layer.label())}".rstrip())
        return "\n".join(lines)[:LONGEST_TIP]

    # arrows

    def _data_arrows(self) -> Iterator[Arrow]:
        edges: dict[tuple[int, int], dict[int, int]] = {}  # and which of the target's inputs, where that matters
        for position in self.found.drawn:
            node = self.graph.nodes[position]
            target = self.card_of[self.first + position]
            counts = node.layer.orders_inputs and len(set(node.sources)) > 1 and target == self.first + position
            for place, source in enumerate(node.sources, start=1):
                edge = self._drawn_edge(source)
                if self.card_of[edge] != target:
                    edges.setdefault((self.card_of[edge], target), {}).setdefault(edge, place if counts else 0)
        into: dict[int, list[int]] = {}
        for (_, target), tensors in edges.items():
            into.setdefault(target, []).extend(tensors)
        readers: dict[int, list[int]] = {}
        for source, target in edges:
            readers.setdefault(source, []).append(target)
        for (source, target), tensors in edges.items():
            is_few = len(into[target]) <= 2 and len(readers[source]) <= 2
            is_main = is_few and into[target][0] in tensors and readers[source][0] == target
            yield Arrow(source, target, self._shapes(tensors) if len(into[target]) > 1 else "", is_main=is_main)
        for number, edge in enumerate(self.scope.outputs):
            yield Arrow(self.card_of[self._drawn_edge(edge)], len(self.context.graph.edge_names) + number)

    def _drawn_edge(self, edge: int) -> int:
        return edge if edge < self.first else self.first + self.found.shown[edge - self.first]

    def _shapes(self, edges: dict[int, int]) -> str:
        """The shape of a value on the way, with its place among those that are joined; or how many values there are."""
        if len(edges) > 1:
            return f"{len(edges)} tensors"
        ((edge, place),) = edges.items()
        tensor = self.context.tensors[edge]
        assert tensor is not None
        return f"{place}: {size_text(tensor.shape)}" if place else size_text(tensor.shape)

    def _weight_arrows(self) -> Iterator[Arrow]:
        found: dict[tuple[int, int], None] = {}
        for position in self.found.drawn:
            lender = self._lender(position)
            if lender is not None:
                owner, user = self._drawn_edge(self.first + lender), self.first + position
                if owner in self.card_of and self.card_of[owner] != self.card_of[user]:
                    found[self.card_of[owner], self.card_of[user]] = None
        return (Arrow(owner, user, "", "weights") for owner, user in found)

    # texts around the picture

    def _subtitle(self) -> str:
        layers = summarize(self.context).layers
        rows = [layers[position] for position in self.scope.positions]
        total = add_rows("", "", (), rows, rows[-1]) if self.scope.name else summarize(self.context).totals
        block = f"{_short(self.scope.block)} · " if self.scope.block else ""
        batch = f" for a batch of {self.context.batch}" if self.context.batch > 1 else ""
        return f"{block}{total.parameters:,} parameters · {value_text(total.macs, engineering)} MACs{batch}"

    def _notes(self) -> Iterator[str]:
        if any(part.copies > 1 for part, _ in parts_in(self.found.parts)):
            each = ", whose numbers are those of one" if self.look.show else ""
            yield f"×n: n equal blocks in a row{each}"


_LEGEND = {"block": "collapsed"}


def _named(part: Part, prefix: str) -> str:
    """The name inside of the frame, and that of the last copy; a bare number keeps the name before it."""
    names = [name for name in (part.name, part.last) if name]
    parent = prefix.rstrip(".").rpartition(".")[2]
    local = [name.removeprefix(prefix) for name in names]
    shown = [f"{parent}.{name}" if name[:1].isdecimal() and parent else name for name in local]
    return " … ".join(_short(name) for name in shown)


def _times(copies: int) -> str:
    return f"×{copies}" if copies > 1 else ""


def _described(layer: Layer) -> str:
    return f"{layer.type} {_short(layer.label())}".rstrip()


def _short(text: str) -> str:
    return shortened(printable(text), LONGEST)


def _tip(text: str) -> str:
    return shortened(printable(text), 300)
