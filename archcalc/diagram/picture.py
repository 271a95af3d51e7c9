"""The diagram of a network as plain data: cards, frames, arrows and a legend."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from archcalc.analysis.summary import add_rows, summarize
from archcalc.diagram.choice import choose
from archcalc.diagram.look import Look
from archcalc.diagram.parts import Part, Tile, parts_in, tiles_in
from archcalc.diagram.quantities import CardNumbers, Heat
from archcalc.errors import printable
from archcalc.layers.base import Layer, size_text
from archcalc.numbers.bounds import Unknown, value_text
from archcalc.numbers.units import engineering
from archcalc.render.style import shortened
from archcalc.render.words import local_name

if TYPE_CHECKING:
    from archcalc.analysis.context import AnalysisContext

LONGEST = 44  # letters of a name or another text in a card
LONGEST_TIP = 2_000
FIRST_BANDS, LAST_BANDS = 20, 4  # bands that are kept of a longer chain
MOST_MARKED = 2000  # layers by which a page finds a card
MOST_OWNERS = 2  # owners of weights that a card names


class CardLine(NamedTuple):
    """A line of a card; `kind` is name, type, line, mark or band. `color` is the family of a band."""

    kind: str
    left: str
    right: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """A node of the diagram. `color` is a family of layers; `heat`, a share from 0 to 1, replaces it."""

    number: int
    rows: tuple[CardLine, ...]
    color: str
    identifier: str
    classes: tuple[str, ...] = ()
    tip: str = ""
    copies: int = 1
    heat: float | None = None
    dashed: bool = False
    frozen: bool = False


@dataclass(frozen=True, slots=True)
class BlockFrame:
    """A frame around the parts of an open block. `block` is its type; empty if the name is the same."""

    number: int
    name: str
    block: str
    identifier: str
    parts: tuple["Card | BlockFrame", ...]
    tip: str
    copies: int

    @property
    def title(self) -> str:
        """The name and type in one line, without the number of copies."""
        return f"{self.name} · {self.block}" if self.block else self.name


class Arrow(NamedTuple):
    """An edge between cards by number. `kind` is data or weights."""

    source: int
    target: int
    text: str = ""
    kind: str = "data"
    is_main: bool = False  # on the trunk that a shortcut leaves and joins


class Diagram(NamedTuple):
    """A diagram. `legend` has a text for every colour; `notes` qualify the drawing."""

    title: str
    subtitle: str
    collapsed: str  # a note about what was collapsed automatically
    notes: tuple[str, ...]
    parts: tuple[Card | BlockFrame, ...]
    arrows: tuple[Arrow, ...]
    legend: dict[str, str]
    heat: Heat | None
    look: Look

    @property
    def titles(self) -> list[str]:
        """The name and the totals, if the look has a title."""
        return [self.title, self.subtitle] if self.look.title else []

    @property
    def explanations(self) -> tuple[str, ...]:
        """The notes, if the look has a legend."""
        return self.notes if self.look.legend else ()

    @property
    def cards(self) -> list[Card]:
        """All cards, in order."""
        return [*cards_in(self.parts)]


def draw(context: "AnalysisContext", look: Look) -> Diagram:
    """Make the diagram of a network. Raises UsageError for an unknown block, and for too many cards."""
    return _Painter(context, look).picture()


def cards_in(parts: Iterable[Card | BlockFrame]) -> Iterator[Card]:
    """All cards in parts and nested frames, in order."""
    for part in parts:
        if isinstance(part, Card):
            yield part
        else:
            yield from cards_in(part.parts)


def boxes_in(parts: Iterable[Card | BlockFrame]) -> Iterator[BlockFrame]:
    """All frames, outer before inner."""
    for part in parts:
        if isinstance(part, BlockFrame):
            yield part
            yield from boxes_in(part.parts)


class _Painter:
    def __init__(self, context: "AnalysisContext", look: Look) -> None:
        self.context, self.graph, self.look = context, context.graph, look
        self.choice = choose(context, look.depth, look.every_copy, look.block)
        self.found = self.choice.parts
        self.scope = self.found.scope
        self.lines = CardNumbers(context, look.show, self.found.originals)
        self.heat = Heat(look.heat, self.lines) if look.heat else None
        if self.heat:
            self.heat.scale(tiles_in(self.found.parts))
        self.training = self.found.training
        self.card_of: dict[int, int] = {}  # by edge
        self.used: dict[str, None] = {}  # colours and marks for the legend
        self.boxes = 0

    def picture(self) -> Diagram:
        inputs = [self._input(edge) for edge in self.scope.inputs]
        prefix = f"{self.scope.name}." if self.scope.name else ""
        parts = [self._part(part, prefix) for part in self.found.parts]
        outputs = [self._output(number, edge) for number, edge in enumerate(self.scope.outputs)]
        arrows = (*self._data_arrows(), *self._weight_arrows())
        collapsed = self.choice.note if self.look.depth is None else ""
        return Diagram(
            title=shortened(printable(": ".join(filter(None, (self.graph.name, self.scope.name)))), 80),
            subtitle=self._subtitle(),
            collapsed=collapsed,
            notes=tuple(note for note in (collapsed, *self._notes()) if note),
            parts=(*inputs, *parts, *outputs),
            arrows=arrows,
            legend={color: _LEGEND.get(color, color) for color in self.used},
            heat=self.heat,
            look=self.look,
        )

    # cards

    def _input(self, edge: int) -> Card:
        name, tensor = self.graph.edge_names[edge], self.context.tensors[edge]
        assert tensor is not None
        rows = (CardLine("name", _shorten(name), size_text(tensor.shape)), CardLine("type", "input"))
        if tensor.dtype != "float32":
            rows = (rows[0], CardLine("type", f"input, {tensor.dtype}"))
        self.card_of[edge] = edge
        dashed = self.scope.name is not None  # the input of a block is the output of another layer
        return Card(edge, rows, "end", f"input-{edge}", tip=f"input {_format_tip(name)}", dashed=dashed)

    def _output(self, number: int, edge: int) -> Card:
        name, tensor = self.graph.edge_names[edge], self.context.tensors[edge]
        assert tensor is not None
        if name == self.graph.block_outputs.get(self.scope.name or ""):
            name = self.scope.name or name  # the block's own output
        rows = (CardLine("name", _shorten(name), size_text(tensor.shape)), CardLine("type", "output"))
        place = len(self.graph.edge_names) + number
        return Card(place, rows, "end", f"output-{edge}", tip=f"output {_format_tip(name)}")

    def _part(self, part: Part, prefix: str) -> Card | BlockFrame:
        if isinstance(part, Tile):
            return self._card(part, prefix)
        parts = tuple(self._part(inner, f"{part.name}.") for inner in part.parts)
        self.boxes += 1
        name = _format_name(part, prefix)
        return BlockFrame(
            number=self.boxes,
            name=name,
            block="" if name == part.block else _shorten(part.block),
            identifier=f"block-{self.boxes}",
            parts=parts,
            tip=_format_tip(part.name),
            copies=part.copies,
        )

    def _card(self, tile: Tile, prefix: str) -> Card:
        number = self.graph.edge(tile.layers[0])
        self.card_of.update(dict.fromkeys(map(self.graph.edge, tile.layers), number))
        color = "block" if tile.is_collapsed else self.graph.nodes[tile.layers[0]].layer.family
        heat = self.heat.share(tile) if self.heat else None
        rows = [*self._rows(tile, prefix, color)]
        if self.heat is None:
            for used in (color, *(row.color for row in rows if row.kind == "band")):
                self.used[used] = None
        names = [self.graph.nodes[position].name for position in tile.layers]
        frozen, dashed = self._frozen(tile) == "frozen", set(names) <= self.training
        return Card(
            number=number,
            rows=tuple(rows),
            color=color,
            identifier=f"layer-{tile.layers[0]}",
            classes=tuple(f"layer-{position}" for position in islice(self.lines.stands_for(tile), MOST_MARKED)),
            tip=self._tooltip(tile),
            copies=tile.copies,
            heat=heat,
            dashed=dashed,
            frozen=frozen,
        )

    def _rows(self, tile: Tile, prefix: str, color: str) -> Iterator[CardLine]:
        rows = [summarize(self.context).layers[position] for position in tile.layers]
        name = _format_name(tile, prefix)
        if tile.is_collapsed:
            yield CardLine("name", name, size_text(self.lines.total(tile).output_shape))
            layers = f"{len(rows):,} layer{'s' * (len(rows) > 1)}"
            yield CardLine(
                "type", f"{_shorten(tile.block)} · {layers}" if tile.block else layers, _format_copies(tile.copies)
            )
        else:
            layer = self.graph.nodes[tile.layers[0]].layer
            yield CardLine("name", name, size_text(rows[0].output_shape))
            if name != layer.type or layer.label() or tile.copies > 1:
                yield CardLine("type", _format_layer(layer), _format_copies(tile.copies))
        yield from (CardLine("line", text) for text in self.lines.of(tile))
        yield from (CardLine("mark", text) for text in self._marks(tile))
        if not tile.is_collapsed:
            yield from self._bands(tile)

    def _bands(self, tile: Tile) -> Iterator[CardLine]:
        """A band for each layer of a chain after the first."""
        shape = summarize(self.context).layers[tile.layers[0]].output_shape
        left_out = range(FIRST_BANDS, len(tile.layers) - LAST_BANDS)
        for number, position in enumerate(tile.layers[1:], 1):
            if number in left_out:
                if number == FIRST_BANDS and left_out:
                    yield CardLine("line", f"… {len(left_out):,} more")
                continue
            layer, row = self.graph.nodes[position].layer, summarize(self.context).layers[position]
            changed = "" if row.output_shape == shape else size_text(row.output_shape)
            shape = row.output_shape
            yield CardLine("band", _format_layer(layer), changed, layer.family)

    def _marks(self, tile: Tile) -> Iterator[str]:
        if frozen := self._frozen(tile):
            yield frozen
        owners = dict.fromkeys(self._lender(position) for position in tile.layers)
        for owner in [owner for owner in owners if owner is not None and owner not in tile.layers][:MOST_OWNERS]:
            yield f"weights of {_shorten(self.graph.nodes[owner].name)}"
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
        """The owner of the weights that a layer shares; None without shared weights."""
        return self.graph.nodes[position].owner if self._weighs(position) else None

    def _tooltip(self, tile: Tile) -> str:
        row = self.lines.total(tile)
        name = f"{tile.name} to {tile.last}" if tile.block == "" else tile.name
        name = name if tile.copies == 1 else f"{tile.name} to {tile.last}, {tile.copies} equal ones, each:"
        macs = "unknown MACs" if isinstance(row.macs, Unknown) else f"{value_text(row.macs)} MACs"
        lines = [f"{_format_tip(name)} → {size_text(row.output_shape)}", f"{row.parameters:,} parameters, {macs}"]
        if not tile.is_collapsed:
            for position in tile.layers:
                node = self.graph.nodes[position]
                lines.append(f"{_format_tip(node.name)}: {node.layer.type} {printable(node.layer.label())}".rstrip())
        return "\n".join(lines)[:LONGEST_TIP]

    # arrows

    def _data_arrows(self) -> Iterator[Arrow]:
        edges: dict[tuple[int, int], dict[int, int]] = {}  # by arrow: edges, and input numbers if ordered
        for position in self.found.drawn:
            node = self.graph.nodes[position]
            own = self.graph.edge(position)
            target = self.card_of[own]
            counts = node.layer.orders_inputs and len(set(node.sources)) > 1 and target == own
            for place, source in enumerate(node.sources, start=1):
                edge = self.found.drawn_edge(self.graph, source)
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
            yield Arrow(self.card_of[self.found.drawn_edge(self.graph, edge)], len(self.graph.edge_names) + number)

    def _shapes(self, edges: dict[int, int]) -> str:
        """The label of an arrow: the shape, with its number among ordered inputs; or the number of tensors."""
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
                owner, user = self.graph.edge(self.found.originals[lender]), self.graph.edge(position)
                if owner in self.card_of and self.card_of[owner] != self.card_of[user]:
                    found[self.card_of[owner], self.card_of[user]] = None
        return (Arrow(owner, user, "", "weights") for owner, user in found)

    # texts around the picture

    def _subtitle(self) -> str:
        layers = summarize(self.context).layers
        rows = [layers[position] for position in self.scope.positions]
        total = add_rows("", "", (), rows, rows[-1]) if self.scope.name else summarize(self.context).totals
        block = f"{_shorten(self.scope.block)} · " if self.scope.block else ""
        batch = f" for a batch of {self.context.batch}" if self.context.batch > 1 else ""
        return f"{block}{total.parameters:,} parameters · {value_text(total.macs, engineering)} MACs{batch}"

    def _notes(self) -> Iterator[str]:
        if any(part.copies > 1 for part, _ in parts_in(self.found.parts)):
            each = ", whose numbers are those of one" if self.look.show else ""
            yield f"×n: n equal blocks in a row{each}"


_LEGEND = {"block": "collapsed"}


def _format_name(part: Part, prefix: str) -> str:
    """The name relative to the frame, with the name of the last copy."""
    return " … ".join(_shorten(local_name(name, prefix)) for name in (part.name, part.last) if name)


def _format_copies(copies: int) -> str:
    return f"×{copies}" if copies > 1 else ""


def _format_layer(layer: Layer) -> str:
    return f"{layer.type} {_shorten(layer.label())}".rstrip()


def _shorten(text: str) -> str:
    return shortened(printable(text), LONGEST)


def _format_tip(text: str) -> str:
    return shortened(printable(text), 300)
