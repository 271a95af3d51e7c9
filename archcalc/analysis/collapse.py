"""Collapses blocks and the copies of repeated entries to one row each."""

from collections.abc import Iterable
from typing import Generic, NamedTuple, TypeVar

from archcalc.errors import UsageError
from archcalc.graph import Graph, Node

T = TypeVar("T")


class Collapsed(NamedTuple, Generic[T]):
    """A collapsed block with the rows of its layers, or a single layer. `last` is the row of its output layer."""

    name: str
    type: str
    rows: list[T]
    last: T


def collapse(rows: Iterable[T], graph: Graph, depth: int | None) -> list[Collapsed[T]]:
    """Group rows by blocks, collapsed below `depth`: 1 collapses all blocks, None opens all.

    `rows` has one row for each layer, or for the first layers. Raises UsageError for a depth below 1.
    """
    check_depth(depth)
    found: dict[str, tuple[str, dict[str, T]]] = {}  # for each group its type, and rows by layer
    for node, row in zip(graph.nodes, rows, strict=False):
        name, kind = _name_and_type(node, depth)
        found.setdefault(name, (kind, {}))[1][node.name] = row
    return [_group(name, kind, own, graph.block_outputs.get(name)) for name, (kind, own) in found.items()]


def check_depth(depth: object) -> None:
    """Raise UsageError for a depth at which no block is."""
    if depth is not None and (type(depth) is not int or depth < 1):
        raise UsageError(f"a depth cannot be {depth!r}", "use a whole number, 1 or more, or None for all layers")


def _group(name: str, kind: str, own: dict[str, T], output: str | None) -> Collapsed[T]:
    rows = [*own.values()]
    return Collapsed(name, kind, rows, own.get(output or "", rows[-1]))


def _name_and_type(node: Node, depth: int | None) -> tuple[str, str]:
    """The name and type of the group that a layer is in."""
    if depth is None or len(node.instances) < depth:
        return node.name, node.layer.type
    collapsed = node.instances[depth - 1]
    return collapsed.name, collapsed.type
