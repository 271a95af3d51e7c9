"""The part of a network that is drawn: all of it, or one block."""

from typing import NamedTuple

from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.graph import Graph
from archcalc.structure import Group, find_structure, groups_in, layers_in


class DrawnScope(NamedTuple):
    """The layers to draw, by position, with the edges into them and out of them.

    `name` is None for the whole network. `outputs` starts with the output of the block. `level` is the number of
    blocks and repeated entries around the members of `group`.
    """

    name: str | None
    group: Group
    positions: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    level: int

    @property
    def block(self) -> str:
        """The type of the block; empty for the network."""
        return self.group.type

    def levels(self, graph: Graph) -> int:
        """The depth of the nested blocks and repeated entries."""
        return max((len(graph.nodes[position].instances) for position in self.positions), default=0) - self.level


def find_scope(graph: Graph, block: str | None = None) -> DrawnScope:
    """The scope of the whole network, or of one block. Raises UsageError for an unknown block."""
    root = find_structure(graph)
    if block is None:
        inputs, outputs = tuple(range(graph.first_edge)), tuple(dict.fromkeys(graph.outputs))
        return DrawnScope(
            name=None, group=root, positions=tuple(range(len(graph.nodes))), inputs=inputs, outputs=outputs, level=0
        )
    groups = {".".join(group.path): group for group in groups_in(root) if group is not root}
    if block not in groups:
        raise _no_block(graph, block, groups)
    positions = tuple(sorted(position for _, position in layers_in(groups[block])))
    inputs, outputs = _crossing(graph, {*positions})
    own = graph.block_outputs.get(block)
    outputs = (*sorted(outputs, key=lambda edge: graph.edge_names[edge] != own),)
    around = [i for i in graph.nodes[positions[0]].instances if f"{block}.".startswith(f"{i.name}.")]
    return DrawnScope(
        name=block, group=groups[block], positions=positions, inputs=inputs, outputs=outputs, level=len(around)
    )


def _crossing(graph: Graph, inside: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The edges into a set of layers, and the edges out of it or to outputs; at least its last edge."""
    own = {graph.edge(position) for position in inside}
    read = dict.fromkeys(edge for position in sorted(inside) for edge in graph.nodes[position].sources)
    used = {edge for edge in own if not inside.issuperset(graph.readers[edge])}
    outputs = sorted(used | (own & {*graph.outputs})) or [max(own)]
    return tuple(edge for edge in read if edge not in own), tuple(outputs)


def _no_block(graph: Graph, name: str, groups: dict[str, Group]) -> UsageError:
    if name in graph.edge_names:
        kind = "an input" if name in graph.inputs else "a layer"
        return UsageError(f"{quoted(name)} is {kind}, not a block")
    if not groups:
        return UsageError(f"no block is called {quoted(name)}: the network has none")
    return UsageError(f"no block is called {quoted(name)}", did_you_mean(name, groups))
