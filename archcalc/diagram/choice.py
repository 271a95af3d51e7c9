"""How much of a network is drawn: all of it, or with blocks closed where that would be too much to look at."""

from collections.abc import Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.parts import Kind, Parts, find_parts, in_stretches, tiles_in
from archcalc.diagram.scope import DrawnScope, find_scope
from archcalc.errors import UsageError
from archcalc.structure import Group, layers_in

MANY = 60  # tiles; blocks are closed by themselves where there would be more
MANY_KINDS = 80  # tiles of which those in open blocks are all of different types of blocks
MANY_ARROWS = 150  # between tiles, which Graphviz lays out within seconds, however they cross
TOO_MANY = 400  # tiles and merging edges
MANY_PASSED = 300  # rows of tiles that they pass by
MOST = 4_000  # tiles and merging edges that are drawn if somebody asks for them, and
MOST_PASSED = 600  # rows of tiles that arrows pass by: Graphviz's time grows with their square, 600 take 10 seconds


class Choice(NamedTuple):
    """What is drawn, at which depth (0 for all blocks open), and whether as stretches of layers.

    With `firsts`, only the first block of each kind is open.
    """

    parts: Parts
    depth: int
    in_stretches: bool = False
    firsts: bool = False
    most: int = MANY  # tiles that it may have

    @property
    def note(self) -> str:
        """What has been folded."""
        collapsed = [f"blocks are folded at depth {self.depth}"] if self.depth else []
        collapsed += ["of each kind of block, only the first is open"] if self.firsts else []
        collapsed += ["stretches of layers are folded"] if self.in_stretches else []
        return ", ".join(collapsed)


def choose(context: AnalysisContext, depth: int | None, every_copy: bool, block: str | None = None) -> Choice:
    """The parts at the depth asked for, or for None at the deepest that leaves a picture to look at.

    Where too much would be open at a depth, only the first block of each kind is; where even closed blocks, or layers
    in no block, are too many, stretches of them are one tile each. Raises UsageError where what is asked for is more
    than can be drawn, and for a block that does not exist.
    """
    scope = find_scope(context.graph, block)
    ends = len(scope.inputs) + len(scope.outputs)  # none of which can be folded
    if ends > TOO_MANY:
        raise UsageError(f"{ends:,} inputs and outputs are too many for a picture; {TOO_MANY} are not")
    if depth is not None:
        return Choice(_checked(find_parts(context, depth or None, every_copy, scope), context), depth)
    for choice in _tried(context, every_copy, scope):
        tiles = sum(1 for _ in tiles_in(choice.parts.parts))
        if tiles <= choice.most and _is_quick(choice.parts, context):
            return choice
    if _is_quick(choice.parts, context) and _size(choice.parts, context) <= TOO_MANY:
        return choice
    most, stretches = MANY, in_stretches(choice.parts, MANY)
    while most > 1 and not _is_quick(stretches, context):
        most //= 2
        stretches = in_stretches(choice.parts, most)
    return Choice(stretches, choice.depth, True)


def _tried(context: AnalysisContext, every_copy: bool, scope: DrawnScope) -> Iterator[Choice]:
    """Ever less of the network; what is folded at depth 1 comes last."""
    deepest = scope.levels(context.graph)
    for depth in (0, *range(deepest, 0, -1)):
        for kind in (None, _by_layers(context), _by_name) if deepest and depth != 1 else (None,):
            parts = find_parts(context, depth or None, every_copy, scope, kind)
            yield Choice(parts, depth, firsts=kind is not None, most=MANY_KINDS if kind is _by_name else MANY)


def _by_layers(context: AnalysisContext) -> Kind:
    """Blocks are of one kind that are uses of one block with the same types of layers."""
    nodes = context.graph.nodes

    def kind(group: Group) -> tuple[object, ...]:
        return _by_name(group), *((keys, nodes[position].layer.type) for keys, position in layers_in(group))

    return kind


def _by_name(group: Group) -> str:
    return group.type


def _checked(parts: Parts, context: AnalysisContext) -> Parts:
    """Raises UsageError for more than can be drawn."""
    remedy = "leave out --depth, and what is too much is folded"
    if (size := _size(parts, context)) > MOST:
        raise UsageError(f"{size:,} cards and merging arrows are too many for a picture: {remedy}")
    if (passed := _passed(parts, context)) > MOST_PASSED:
        arrows = f"arrows that pass by {passed:,} rows of cards"
        raise UsageError(f"{arrows} are more than Graphviz lays out in time (at most {MOST_PASSED}): {remedy}")
    return parts


def _arrows(parts: Parts, context: AnalysisContext) -> list[tuple[int, int]]:
    """The arrows from one tile, or an input, to another, in the order of what they lead to."""
    graph, found = context.graph, dict[tuple[int, int], None]()
    tile_of = {
        graph.edge(position): number
        for number, (tile, _) in enumerate(tiles_in(parts.parts))
        for position in tile.layers
    }
    for position in parts.drawn:
        edges = (parts.drawn_edge(graph, edge) for edge in graph.nodes[position].sources)
        target = tile_of[graph.edge(position)]
        # What is no tile, as inputs are, has a number below zero.
        found |= dict.fromkeys((tile_of.get(edge, -1 - edge), target) for edge in edges)
    return [(source, target) for source, target in found if source != target]


def _is_quick(parts: Parts, context: AnalysisContext) -> bool:
    """Whether Graphviz lays it out within a few seconds."""
    return len(_arrows(parts, context)) <= MANY_ARROWS and _passed(parts, context) <= MANY_PASSED


def _passed(parts: Parts, context: AnalysisContext) -> int:
    """How many rows of tiles all arrows together pass by, each tile being a row below what it reads."""
    arrows, rows = _arrows(parts, context), dict[int, int]()
    for source, target in arrows:
        rows[target] = max(rows.get(target, 0), rows.get(source, 0) + 1)
    return sum(rows[target] - rows.get(source, 0) - 1 for source, target in arrows)


def _size(parts: Parts, context: AnalysisContext) -> int:
    """Tiles, and edges that are not the first of the layer that reads them."""
    sources = (context.graph.nodes[position].sources for position in parts.drawn)
    return sum(1 for _ in tiles_in(parts.parts)) + sum(len(found) - 1 for found in sources)
