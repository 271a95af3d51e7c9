"""The state of a list of entries while it is written: edges with their shapes, variables, layers with weights."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from archcalc import SpecError
from archcalc.analysis.inferred_layer import check_constraints
from archcalc.graph import connect
from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer, Tensor, Tensors
from archcalc.network import Network
from archcalc.spec.document import SpecDocument
from archcalc.spec.expansion import expand

Entry = dict[str, Any]
OFTEN = {"convolution": 6, "dense": 4, "pooling": 3, "attention": 4, "graph": 3, "shaping": 2, "normalization": 2}


@dataclass
class Scope:
    """The entries of a network or of a block. `edges` are the shapes that can be read, by local name."""

    edges: dict[str, Tensor]
    known: Mapping[str, Any]  # variables and parameters, by name
    depth: int = 0
    entries: list[Entry] = field(default_factory=list)
    last: str | None = None  # what the next entry reads by default
    lenders: dict[str, Entry] = field(default_factory=dict)  # layers and blocks with weights, by name
    taken: set[str] = field(default_factory=set)  # names

    def next_name(self, kind: str) -> str:
        """The name that an unnamed entry of this type gets."""
        count = 1
        while (kind if count == 1 else f"{kind}_{count}") in self.taken:
            count += 1
        return kind if count == 1 else f"{kind}_{count}"


class Tried(NamedTuple):
    """The result of loading an entry by itself: its output, and that of every layer in it."""

    output: Tensor
    layers: dict[str, Tensor]


def load(data: dict[str, Any], training: bool = False, variables: dict[str, Any] | None = None) -> Network | None:
    """The network of a spec's data, without its text; None if the data are wrong."""
    document = SpecDocument("", "", data)
    try:
        return Network(connect(document, expand(document, variables or {}, {}, training)))
    except SpecError:
        return None


def try_entries(entries: list[Entry], name: str, scope: Scope, blocks: dict[str, Any], training: bool) -> Tried | None:
    """Loads the entry `name` with the other entries alone; None if they do not fit."""
    read = {source for entry in entries for source in entry["inputs"]}
    inputs = {source: table(scope.edges[source]) for source in sorted(read)}
    variables = {name: value for name, value in scope.known.items() if name != "training"}
    used = blocks if any(entry["type"] in blocks for entry in entries) else {}
    data = {"name": "", "inputs": inputs, "layers": entries, "blocks": used, "variables": variables}
    # Dots separate the names of blocks from those of the layers in them.
    renamed = {source: f"input {number}" for number, source in enumerate(inputs)}
    data["inputs"] = {renamed[source]: value for source, value in inputs.items()}
    data["layers"] = [{**entry, "inputs": [renamed[source] for source in entry["inputs"]]} for entry in entries]
    network = load(data | {"outputs": [name]}, training)
    if network is None:
        return None
    tensors = dict(zip(network.context.graph.edge_names, network.context.tensors, strict=True))
    output = network.context.tensors[network.graph.outputs[0]]
    assert output is not None  # otherwise the network would not have loaded
    inner = {edge: tensor for edge, tensor in tensors.items() if edge.startswith(f"{name}.") and tensor is not None}
    return Tried(output, inner)


def table(tensor: Tensor) -> dict[str, Any]:
    more = {} if tensor.nonzeros is None else {"nonzeros": tensor.nonzeros}
    return {"shape": [*tensor.shape], "dtype": tensor.dtype, **more}


@cache
def types_for(rank: int, dtype: str, allowed: frozenset[str]) -> tuple[str, ...]:
    """The layer types that accept one input of this rank and dtype; likelier ones are repeated."""
    return tuple(
        name
        for name, layer in LAYER_TYPES.items()
        if name in allowed
        and layer.input_counts[0] == 1
        and (not layer.ranks or rank in layer.ranks)
        and dtype in layer.takes
        for _ in range(OFTEN.get(layer.family, 1))
    )


def fits(layer: Layer, inputs: Tensors) -> bool:
    return not [*check_constraints(layer, inputs)]
