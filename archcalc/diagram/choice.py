"""How much of a network is drawn: all of it, or with blocks closed where that would be too much to look at."""

from typing import NamedTuple

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.diagram.parts import Parts, find_parts, in_stretches, levels, tiles_in
from archcalc.errors import UsageError

MANY = 60  # tiles; blocks are closed by themselves where there would be more
MANY_ARROWS = 150  # between tiles, which Graphviz lays out within seconds, however they cross
TOO_MANY = 400  # tiles and merging edges
MOST = 4_000  # tiles and merging edges that are drawn if somebody asks for them


class Choice(NamedTuple):
    """What is drawn, at which depth (0 for all blocks open), and whether as stretches of layers."""

    parts: Parts
    depth: int
    in_stretches: bool = False

    @property
    def note(self) -> str:
        """What has been folded."""
        folded = [f"blocks are folded at depth {self.depth}"] if self.depth else []
        folded += ["stretches of layers are folded"] if self.in_stretches else []
        return ", ".join(folded)


def choose(analysed: AnalysedGraph, depth: int | None, every_copy: bool) -> Choice:
    """The parts at the depth asked for, or for None at the deepest that leaves a picture to look at.

    Where even closed blocks, or layers in no block, are too many, stretches of them are one tile each. Raises
    UsageError where what is asked for is more than can be drawn.
    """
    if depth is not None:
        parts = find_parts(analysed, depth or None, every_copy)
        if (size := _size(parts, analysed)) > MOST:
            remedy = "leave out --depth, and what is too much is folded"
            raise UsageError(f"{size:,} cards and merging arrows are too many for a picture: {remedy}")
        return Choice(parts, depth)
    for tried in (0, *range(levels(analysed.graph), 0, -1)):
        choice = Choice(find_parts(analysed, tried or None, every_copy), tried)
        tiles = sum(1 for _ in tiles_in(choice.parts.parts))
        if tiles <= MANY and _pairs(choice.parts, analysed) <= MANY_ARROWS:
            return choice
    if _pairs(choice.parts, analysed) <= MANY_ARROWS and _size(choice.parts, analysed) <= TOO_MANY:
        return choice
    most, stretches = MANY, in_stretches(choice.parts, MANY)
    while _pairs(stretches, analysed) > MANY_ARROWS:
        most //= 2
        stretches = in_stretches(choice.parts, most)
    return Choice(stretches, choice.depth, True)


def _pairs(parts: Parts, analysed: AnalysedGraph) -> int:
    """How many arrows lead from one tile to another."""
    tile_of = {position: number for number, (tile, _) in enumerate(tiles_in(parts.parts)) for position in tile.layers}
    first, found = len(analysed.graph.inputs), set[tuple[int, int]]()
    for position, node in enumerate(analysed.graph.nodes):
        if parts.shown[position] == position:
            sources = (parts.shown[source - first] if source >= first else source - first for source in node.sources)
            found |= {(tile_of.get(source, source), tile_of[position]) for source in sources}
    return sum(source != target for source, target in found)


def _size(parts: Parts, analysed: AnalysedGraph) -> int:
    """Tiles, and edges that are not the first of the layer that reads them."""
    nodes = [node for position, node in enumerate(analysed.graph.nodes) if parts.shown[position] == position]
    return sum(1 for _ in tiles_in(parts.parts)) + sum(len(node.sources) - 1 for node in nodes)
