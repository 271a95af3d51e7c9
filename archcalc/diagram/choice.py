"""Chooses the depth of a drawing: every block open, or blocks collapsed if there would be too many cards."""

from collections.abc import Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.parts import Kind, Parts, find_parts, in_stretches, tiles_in
from archcalc.diagram.scope import DrawnScope, find_scope
from archcalc.errors import UsageError
from archcalc.structure import Group, layers_in

MANY = 60  # tiles; with more, blocks are collapsed automatically
MANY_KINDS = 80  # tiles, if every open block is of another type
MANY_ARROWS = 150  # between tiles; Graphviz lays out this many within seconds
TOO_MANY = 400  # tiles and merging edges
MANY_PASSED = 300  # rows of tiles that arrows pass
MOST = 4_000  # tiles and merging edges at a depth that the user chose
MOST_PASSED = 600  # rows of tiles that arrows pass: Graphviz's time grows with their square, 600 take 10 seconds


class Choice(NamedTuple):
    """The parts to draw, and the depth at which blocks are collapsed (0: all open).

    `in_stretches` collapses consecutive tiles to one; `firsts` opens only the first block of each kind.
    """

    parts: Parts
    depth: int
    in_stretches: bool = False
    firsts: bool = False
    most: int = MANY  # allowed tiles

    @property
    def note(self) -> str:
        """A note about what is collapsed; empty if nothing is."""
        collapsed = [f"blocks are collapsed at depth {self.depth}"] if self.depth else []
        collapsed += ["of each kind of block, only the first is open"] if self.firsts else []
        collapsed += ["stretches of layers are collapsed"] if self.in_stretches else []
        return ", ".join(collapsed)


def choose(context: AnalysisContext, depth: int | None, every_copy: bool, block: str | None = None) -> Choice:
    """The parts at `depth`; for None, at the largest depth with few enough tiles.

    If a depth opens too many tiles, only the first block of each kind is opened; if even collapsed blocks are too many,
    consecutive tiles are collapsed to one. Raises UsageError for an unknown block, and for too many tiles at `depth`.
    """
    scope = find_scope(context.graph, block)
    ends = len(scope.inputs) + len(scope.outputs)  # which cannot be collapsed
    if ends > TOO_MANY:
        raise UsageError(f"{ends:,} inputs and outputs are too many for a picture (at most {TOO_MANY})")
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
    """Choices with fewer and fewer tiles; the last is collapsed at depth 1."""
    deepest = scope.levels(context.graph)
    for depth in (0, *range(deepest, 0, -1)):
        for kind in (None, _by_layers(context), _by_name) if deepest and depth != 1 else (None,):
            parts = find_parts(context, depth or None, every_copy, scope, kind)
            yield Choice(parts, depth, firsts=kind is not None, most=MANY_KINDS if kind is _by_name else MANY)


def _by_layers(context: AnalysisContext) -> Kind:
    """A kind of block: its type with the types of its layers."""
    nodes = context.graph.nodes

    def kind(group: Group) -> tuple[object, ...]:
        return _by_name(group), *((keys, nodes[position].layer.type) for keys, position in layers_in(group))

    return kind


def _by_name(group: Group) -> str:
    return group.type


def _checked(parts: Parts, context: AnalysisContext) -> Parts:
    """Return the parts. Raises UsageError if there are too many to draw."""
    remedy = "leave out --depth to collapse blocks automatically"
    if (size := _size(parts, context)) > MOST:
        raise UsageError(f"{size:,} cards and merging arrows are too many for a picture", remedy)
    if (passed := _passed(parts, context)) > MOST_PASSED:
        arrows = f"arrows that pass {passed:,} rows of cards"
        raise UsageError(f"{arrows} are more than Graphviz lays out in time (at most {MOST_PASSED})", remedy)
    return parts


def _arrows(parts: Parts, context: AnalysisContext) -> list[tuple[int, int]]:
    """The arrows between tiles, and from inputs to tiles, in the order of their targets."""
    graph, found = context.graph, dict[tuple[int, int], None]()
    tile_of = {
        graph.edge(position): number
        for number, (tile, _) in enumerate(tiles_in(parts.parts))
        for position in tile.layers
    }
    for position in parts.drawn:
        edges = (parts.drawn_edge(graph, edge) for edge in graph.nodes[position].sources)
        target = tile_of[graph.edge(position)]
        # Inputs, which are no tiles, have negative numbers.
        found |= dict.fromkeys((tile_of.get(edge, -1 - edge), target) for edge in edges)
    return [(source, target) for source, target in found if source != target]


def _is_quick(parts: Parts, context: AnalysisContext) -> bool:
    """Whether Graphviz lays out the parts within a few seconds."""
    return len(_arrows(parts, context)) <= MANY_ARROWS and _passed(parts, context) <= MANY_PASSED


def _passed(parts: Parts, context: AnalysisContext) -> int:
    """The number of rows that all arrows together pass; each tile is one row below the tiles that it reads."""
    arrows, rows = _arrows(parts, context), dict[int, int]()
    for source, target in arrows:
        rows[target] = max(rows.get(target, 0), rows.get(source, 0) + 1)
    return sum(rows[target] - rows.get(source, 0) - 1 for source, target in arrows)


def _size(parts: Parts, context: AnalysisContext) -> int:
    """The number of tiles, and of the edges that merge: all but the first into each layer."""
    sources = (context.graph.nodes[position].sources for position in parts.drawn)
    return sum(1 for _ in tiles_in(parts.parts)) + sum(len(found) - 1 for found in sources)
