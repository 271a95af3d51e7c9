"""What a check is, and what it looks at."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.errors import Path
from archcalc.graph import Node
from archcalc.layers.base import Tensor, Tensors


class Finding(NamedTuple):
    """Something odd, and the layers (or inputs) it is odd about; their names are no part of the message."""

    names: tuple[str, ...]
    message: str
    path: Path
    reason: str
    help: str
    kind: str = "layer"


Check = Callable[[AnalysisContext], Iterator[Finding]]


class Rule(NamedTuple):
    """A check: its code, its name, what it looks for in a sentence, and the function."""

    code: str
    name: str
    summary: str
    check: Check


REGISTERED: list[Rule] = []


def rule(code: str, name: str) -> Callable[[Check], Check]:
    """Make a function a check; its docstring says what it looks for."""

    def register(check: Check) -> Check:
        REGISTERED.append(Rule(code, name, check.__doc__ or "", check))
        return check

    return register


class CheckedLayer(NamedTuple):
    """A layer with what it gets and gives; `edge` is the number of its output."""

    edge: int
    node: Node
    inferred: InferredLayer
    inputs: Tensors
    output: Tensor


def checked_layers(network: AnalysisContext) -> Iterator[CheckedLayer]:
    """Every layer with what it gets and gives."""
    for position, node in enumerate(network.graph.nodes[: network.fitting]):
        yield CheckedLayer(
            network.graph.edge(position), node, network.layer_at(position), *network.tensors_at(position)
        )


def counted(count: int, what: str) -> str:
    """A number and what it counts: `1 pixel`, `2 pixels`."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
