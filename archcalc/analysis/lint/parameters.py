"""Checks of parameters."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.layout import missing_flattens
from archcalc.analysis.lint.rule import CheckedLayer, Finding, checked_layers, counted, rule
from archcalc.arithmetic import product
from archcalc.errors import Path
from archcalc.layers.base import Layer, Shape, resolve_axis
from archcalc.numbers.bounds import known


@rule("P201", "bias-before-normalization")
def _find_useless_biases(network: AnalysisContext) -> Iterator[Finding]:
    """A normalization subtracts the mean of each channel, and with it the bias of the layer before."""
    uses: defaultdict[int, list[CheckedLayer]] = defaultdict(list)
    for checked in checked_layers(network):
        position, owner = network.graph.positions[checked.node.name], checked.node.owner
        uses[position if owner is None else owner].append(checked)
    useless: defaultdict[tuple[Path, str, str], list[Biased]] = defaultdict(list)
    for position, users in uses.items():
        node, layer = network.graph.nodes[position], users[0].node.layer
        bias = users[0].inferred.parameters.get("bias")
        removers = [_removers(network, checked) for checked in users if bias]
        if bias and all(removers):
            types = " and ".join(sorted(set[str]().union(*removers)))
            field = next((field for field in ("bias", "affine") if field in layer.__struct_fields__), "")
            names = tuple(checked.node.name for checked in users)
            useless[node.path, types, field].append(Biased(names, product(bias)))
    for (path, types, field), found in useless.items():
        total = sum(biased.biases for biased in found)
        message = f"{counted(total, 'bias parameter')} before {types} can have no effect"
        reason = f"{types} subtracts the mean of each channel, and a bias is the same for a whole channel"
        remedy = f"set {field} = false" if field else "leave out one of the two layers"
        names = tuple(name for biased in found for name in biased.names)
        yield Finding(names, message, (*path, field) if field else path, reason, remedy)


class Biased(NamedTuple):
    """The layers that share a bias, and its number of values."""

    names: tuple[str, ...]
    biases: int


def _removers(network: AnalysisContext, checked: CheckedLayer) -> set[str]:
    """The types of layers that remove the bias of a layer; empty if the bias has an effect."""
    graph = network.graph
    axis, waiting, found = _channel_axis(checked.node.layer, checked.output.shape), [checked.edge], set()
    while waiting:
        edge = waiting.pop()
        readers = [reader for reader in graph.readers[edge] if reader < network.fitting]
        if edge in graph.outputs or not readers:
            return set()
        for reader in readers:
            layer = graph.nodes[reader].layer
            if layer.is_identity:
                waiting.append(graph.edge(reader))
            elif layer.removes_bias and _channel_axis(layer, checked.output.shape) == axis is not None:
                found.add(layer.type)
            else:
                return set()
    return found


def _channel_axis(layer: Layer, shape: Shape) -> int | None:
    return None if layer.channel_axis is None else resolve_axis(layer.channel_axis, len(shape))


@rule("P202", "dominant-dense")
def _find_dominant_dense(network: AnalysisContext) -> Iterator[Finding]:
    """One dense layer holds more than half of all parameters of a network that is not all dense."""
    nodes = network.graph.nodes[: network.fitting]
    mistaken = {found.node.name for found in missing_flattens(network)}  # their sizes change with the missing flatten
    total = sum(own.total for own in network.parameters)
    counted_layers = zip(network.operations, nodes, strict=True)
    mixed = any(known(own.macs) != 0 and node.layer.family != "dense" for own, node in counted_layers)
    for own, node in zip(network.parameters, nodes, strict=True):
        dense = node.layer.family == "dense" and not node.layer.is_lookup
        if mixed and dense and 2 * own.total > total and node.name not in mistaken:
            message = f"a dense layer holds {100 * own.total / total:.1f} % of all parameters"
            reason = f"{own.total:,} of {total:,}"
            remedy = "let it read less, by pooling before it, or give it fewer features"
            yield Finding((node.name,), message, node.path, reason, remedy)
