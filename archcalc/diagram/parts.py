"""Divides a network into tiles (chains of layers, collapsed blocks) and frames (open blocks); copies are drawn once."""

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.copies import Copies, Member
from archcalc.diagram.scope import DrawnScope, find_scope
from archcalc.graph import Graph
from archcalc.layers.base import Elementwise
from archcalc.structure import Group, Unit, layers_in


@dataclass(slots=True, eq=False)
class Tile:
    """A chain of layers, or a collapsed block. `layers` are positions in the graph.

    `copies` is the length of the run of equal tiles that it stands for, `last` the name of the last one.
    """

    name: str
    layers: list[int]
    block: str | None = None  # the type of a collapsed block; empty for collapsed consecutive tiles
    copies: int = 1
    last: str = ""

    @property
    def is_collapsed(self) -> bool:
        """Whether the tile is collapsed, and no chain."""
        return self.block is not None


@dataclass(slots=True, eq=False)
class Frame:
    """An open block with its parts. `copies` and `last` are as in Tile."""

    name: str
    block: str
    parts: list["Part"] = field(default_factory=list)
    copies: int = 1
    last: str = ""


Part = Tile | Frame
Kind = Callable[[Group], Hashable]  # a key for blocks: only the first block of each key is opened


@dataclass(slots=True, eq=False)
class Parts:
    """All parts, outermost first. `originals` has, for every layer, itself or its original, which is drawn.

    `training` has the names of the layers that exist only in training.
    """

    parts: list[Part]
    originals: list[int]
    training: set[str]
    scope: DrawnScope

    @property
    def drawn(self) -> list[int]:
        """The layers that are drawn themselves, by position."""
        return [position for position in self.scope.positions if self.originals[position] == position]

    def drawn_edge(self, graph: Graph, edge: int) -> int:
        """The edge that is drawn in the place of an edge: for a copy, the edge of its original."""
        producer = graph.producer(edge)
        return edge if producer is None else graph.edge(self.originals[producer])


def find_parts(
    context: AnalysisContext,
    depth: int | None,
    every_copy: bool = False,
    scope: DrawnScope | None = None,
    kind: Kind | None = None,
) -> Parts:
    """The parts of the network or of one block, collapsed below `depth` (None: all open).

    Runs of equal blocks are drawn once, unless `every_copy`. With `kind`, only the first block of each kind is open.
    """
    return _Finder(context, depth, every_copy, scope or find_scope(context.graph), kind).find()


def parts_in(parts: list[Part], copies: int = 1) -> Iterator[tuple[Part, int]]:
    """All parts, each before its inner parts, with their numbers of copies in the network."""
    for part in parts:
        yield part, copies * part.copies
        if isinstance(part, Frame):
            yield from parts_in(part.parts, copies * part.copies)


def tiles_in(parts: list[Part]) -> Iterator[tuple[Tile, int]]:
    """All tiles, with their numbers of copies in the network."""
    return ((part, copies) for part, copies in parts_in(parts) if isinstance(part, Tile))


def in_stretches(found: Parts, most: int) -> Parts:
    """Collapse consecutive tiles, so that there are at most `most`."""
    tiles = [tile for tile, _ in tiles_in(found.parts)]
    length = -(-len(tiles) // most)
    stretches = [tiles[start : start + length] for start in range(0, len(tiles), length)]
    return replace(found, parts=[_stretch(stretch, found) for stretch in stretches])


def _stretch(tiles: list[Tile], found: Parts) -> Tile:
    if len(tiles) == 1:
        return tiles[0]
    drawn = {position for tile in tiles for position in tile.layers}
    layers = [position for position in found.scope.positions if found.originals[position] in drawn]
    return Tile(tiles[0].name, layers, "", last=tiles[-1].last or tiles[-1].name)


class _Finder:
    def __init__(
        self, context: AnalysisContext, depth: int | None, every_copy: bool, scope: DrawnScope, kind: Kind | None
    ) -> None:
        self.graph, self.depth, self.every_copy, self.scope = context.graph, depth, every_copy, scope
        self.kind, self.opened = kind, set[Hashable]()
        self.copies = Copies(context)
        self.originals = [*range(len(self.graph.nodes))]

    def find(self) -> Parts:
        parts = self._parts(self.scope.group)
        for position, original in enumerate(self.originals):  # an original may itself be a copy within its block
            self.originals[position] = self.originals[original]
        return Parts(parts, self.originals, self.copies.training, self.scope)

    def _parts(self, group: Group) -> list[Part]:
        """The parts for the members of a group."""
        parts: list[Part] = []
        for run in self._runs(self._members(group)):
            found = self._drawn(run[0].unit)
            before = parts[-1] if parts else None
            if len(run) == 1 and isinstance(found, Tile) and isinstance(before, Tile) and self._goes_on(before, found):
                before.layers += found.layers
                continue
            if len(run) > 1:
                found.copies, found.last = len(run), self._name(run[-1].unit)
            parts.append(found)
        return parts

    def _runs(self, units: list[Unit]) -> Iterator[list[Member]]:
        runs = self.copies.runs(units)
        for run in ([member] for found in runs for member in found) if self.every_copy else runs:
            for member in run[1:]:
                self.draw_as(member, run[0])
            yield run

    def draw_as(self, copy: Member, original: Member) -> None:
        """Draw the layers of a copy as the layers of its original."""
        for position, drawn in zip(copy.layers, original.layers, strict=True):
            self.originals[position] = drawn

    def _drawn(self, unit: Unit) -> Part:
        if isinstance(unit, int):
            return Tile(self.graph.nodes[unit].name, [unit])
        name, block = self._name(unit), unit.type
        kind = self.kind(unit) if self.kind else None
        opened, is_again = {*self.opened}, kind in self.opened
        parts = self._parts(unit)
        if len(parts) == 1 and isinstance(parts[0], Tile) and not parts[0].is_collapsed and parts[0].copies == 1:
            return parts[0]  # a frame around a single chain adds nothing
        if is_again or self._is_collapsed(unit):
            self.opened = opened
            return Tile(name, [position for _, position in layers_in(unit)], block)
        if kind is not None:
            self.opened.add(kind)
        return Frame(name, block, parts)

    def _name(self, unit: Unit) -> str:
        return self.graph.nodes[unit].name if isinstance(unit, int) else ".".join(unit.path)

    def _is_collapsed(self, group: Group) -> bool:
        return self.depth is not None and len(group.path) - self.scope.level >= self.depth

    def _members(self, group: Group) -> list[Unit]:
        """The blocks and layers in a group; an open repeated entry is replaced by its members."""
        found: list[Unit] = []
        for part in group.parts.values():
            is_open = isinstance(part, Group) and part.repeat and not self._is_collapsed(part)
            found += self._members(part) if isinstance(part, Group) and is_open else [part]
        return found

    def _goes_on(self, before: Tile, found: Tile) -> bool:
        """Whether a tile continues the chain before it: elementwise layers and views."""
        if before.is_collapsed or before.copies > 1 or found.is_collapsed or found.copies > 1:
            return False
        edge = self.graph.edge(before.layers[-1])
        alone = len(self.graph.readers[edge]) == 1 and edge not in self.graph.outputs
        linked = self.graph.nodes[found.layers[0]].sources == (edge,)
        return alone and linked and all(self._only_follows(position) for position in found.layers)

    def _only_follows(self, position: int) -> bool:
        layer = self.graph.nodes[position].layer
        return len(self.graph.nodes[position].sources) == 1 and (isinstance(layer, Elementwise) or layer.is_view)
