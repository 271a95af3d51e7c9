"""Rows of layers, with those of a collapsed block, or of the copies of a repeated entry, as one group."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from archcalc.graph import Graph, Node

Row = TypeVar("Row")


class Collapsed(NamedTuple, Generic[Row]):
    """A closed block and the rows of its layers, or one layer alone. `last` is the row whose output the whole gives."""

    name: str
    type: str
    rows: list[Row]
    last: Row


def collapse(rows: Iterable[Row], graph: Graph, depth: int | None) -> list[Collapsed[Row]]:
    """Groups of rows where blocks are closed below `depth`: 1 leaves no block open, None opens all.

    `rows` has one for each layer, or for the first of them.
    """
    found: dict[str, tuple[str, dict[str, Row]]] = {}  # by name the type, and rows by layer
    for node, row in zip(graph.nodes, rows, strict=False):
        name, kind = _name_and_type(node, depth)
        found.setdefault(name, (kind, {}))[1][node.name] = row
    return [_group(name, kind, own, graph.block_outputs.get(name)) for name, (kind, own) in found.items()]


def _group(name: str, kind: str, own: dict[str, Row], output: str | None) -> Collapsed[Row]:
    rows = [*own.values()]
    return Collapsed(name, kind, rows, own.get(output or "", rows[-1]))


def _name_and_type(node: Node, depth: int | None) -> tuple[str, str]:
    """Name and type of what stands for a layer."""
    if depth is None or len(node.instances) < depth:
        return node.name, node.layer.type
    closed = node.instances[depth - 1]
    return closed.name, closed.type
