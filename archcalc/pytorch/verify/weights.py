"""Compares parameters and buffers by name: shapes, which of them are trained, and totals."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch

from archcalc.measured.verification import VerificationRow, compare
from archcalc.network import Network
from archcalc.pytorch.build import BuiltNetwork

Facts = dict[str, dict[str, Any]]


def compare_weights(network: Network, built: BuiltNetwork) -> Iterator[VerificationRow]:
    """A row per parameter and buffer of either side, then the totals."""
    nodes = network.graph.nodes
    for position, node in enumerate(nodes):
        inferred = network.context.layer_at(position)
        module = built.get_submodule(node.name)
        owner = node if node.owner is None else nodes[node.owner]
        state = "trainable" if owner.trainable else "frozen"
        claimed = {name: {"shape": list(shape), "state": state} for name, shape in inferred.parameters.items()}
        found = {name: _parameter(tensor) for name, tensor in module.named_parameters()}
        yield from _rows("parameter", node.name, claimed, found)
        claimed = {name: {"shape": list(shape)} for name, shape in inferred.buffers.items()}
        found = {name: {"shape": list(tensor.shape)} for name, tensor in module.named_buffers()}
        yield from _rows("buffer", node.name, claimed, found)
        row = network.layers[position]
        # Shared tensors are counted at their owner.
        own = node.owner is None
        counts = _count(module.parameters()) * own, _count(module.buffers()) * own
        if row.parameters or counts[0]:
            yield compare("parameter", f"{node.name}: count", row.parameters, counts[0])
        if row.buffers or counts[1]:
            yield compare("buffer", f"{node.name}: count", row.buffers, counts[1])
    yield from _totals(network, built)


def _parameter(tensor: torch.Tensor) -> dict[str, Any]:
    return {"shape": list(tensor.shape), "state": "trainable" if tensor.requires_grad else "frozen"}


def _rows(question: str, layer: str, claimed: Facts, found: Facts) -> Iterator[VerificationRow]:
    for name in dict.fromkeys([*claimed, *found]):
        yield compare(question, f"{layer}.{name}", claimed.get(name), found.get(name))


def _totals(network: Network, built: BuiltNetwork) -> Iterator[VerificationRow]:
    parameters = [*built.parameters()]
    trainable = [parameter for parameter in parameters if parameter.requires_grad]
    yield compare("parameter", "total", network.totals.parameters, _count(parameters))
    yield compare("parameter", "total trainable", network.totals.trainable_parameters, _count(trainable))
    yield compare("buffer", "total", network.totals.buffers, _count(built.buffers()))


def _count(tensors: Iterable[torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in tensors)
