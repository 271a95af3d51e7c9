"""The registry of checks, and the layers that they check."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.errors import Path
from archcalc.graph import Node
from archcalc.layers.base import Tensor, Tensors


class Finding(NamedTuple):
    """A finding of a check, and the names of its layers (or inputs), which are no part of the message."""

    names: tuple[str, ...]
    message: str
    path: Path
    reason: str
    help: str
    kind: str = "layer"


Check = Callable[[AnalysisContext], Iterator[Finding]]


class Rule(NamedTuple):
    """A check: its code, its name, a sentence on what it finds, and the function."""

    code: str
    name: str
    summary: str
    check: Check


REGISTERED: list[Rule] = []


def rule(code: str, name: str) -> Callable[[Check], Check]:
    """Register a function as a check; its docstring says in a sentence what it finds."""

    def register(check: Check) -> Check:
        REGISTERED.append(Rule(code, name, check.__doc__ or "", check))
        return check

    return register


class CheckedLayer(NamedTuple):
    """A layer with its inputs and output; `edge` is the number of its output."""

    edge: int
    node: Node
    inferred: InferredLayer
    inputs: Tensors
    output: Tensor


def checked_layers(network: AnalysisContext) -> Iterator[CheckedLayer]:
    """Every layer with its inputs and output."""
    for position, node in enumerate(network.graph.nodes[: network.fitting]):
        yield CheckedLayer(
            network.graph.edge(position), node, network.layer_at(position), *network.tensors_at(position)
        )


def counted(count: int, what: str) -> str:
    """A number with a noun: `1 pixel`, `2 pixels`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
