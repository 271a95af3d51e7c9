"""Counts the MACs of a training step: the forward pass, and the gradients of inputs and weights.

A MAC multiplies two factors. The gradient of a factor is the gradient of the product times the other factor: as many
MACs again for every factor that depends on trained weights. So a training step costs up to three times the inference,
and less if layers are frozen or read the network's inputs, which need no gradient. The optimizer's step has no MACs.
Only layers that an output depends on are counted.
"""

from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.layers.base import Count, Factor
from archcalc.numbers.bounds import sum_or_unknown, times


class TrainingMacs(NamedTuple):
    """MACs of one layer in one training step over a batch."""

    forward: Count
    input_gradients: Count  # of inputs, and of intermediate values
    weight_gradients: Count


class GradientFlow(NamedTuple):
    """The edges and nodes that have gradients, by number.

    `edges` have a gradient, and so do the weights of `nodes`, which belong to `owners`. `recorded` are the edges that
    autograd records, even if no output depends on them.
    """

    edges: frozenset[int] = frozenset()
    nodes: frozenset[int] = frozenset()
    owners: frozenset[int] = frozenset()
    recorded: frozenset[int] = frozenset()


def follow_gradients(context: AnalysisContext) -> GradientFlow:
    """Find the edges and nodes with gradients: those on a path from trained weights to an output."""
    graph = context.graph
    used = graph.ancestors(graph.outputs)
    flowing, recorded = set[int](), set[int]()
    trained: dict[int, int] = {}  # the owner of the weights, by node
    for position, node in enumerate(graph.nodes):
        edge, owner = graph.edge(position), position if node.owner is None else node.owner
        is_trained = graph.nodes[owner].trainable and bool(context.layer_at(position).parameters)
        if is_trained or not recorded.isdisjoint(node.sources):
            recorded.add(edge)
        if edge not in used:
            continue
        if is_trained:
            trained[position] = owner
        if is_trained or not flowing.isdisjoint(node.sources):
            flowing.add(edge)
    return GradientFlow(frozenset(flowing), frozenset(trained), frozenset(trained.values()), frozenset(recorded))


def count_training(context: AnalysisContext) -> tuple[TrainingMacs, ...]:
    """Count the MACs of every layer in one training step over the batch."""
    flow = follow_gradients(context)
    return tuple(_count_layer(context, position, flow) for position in range(len(context.graph.nodes)))


def _count_layer(context: AnalysisContext, position: int, flow: GradientFlow) -> TrainingMacs:
    node = context.graph.nodes[position]
    by_input, by_weight = list[Count](), list[Count]()
    if context.graph.edge(position) in flow.edges:
        for product in context.layer_at(position).products:
            for factor in (product.left, product.right):
                if _needs_gradient(factor, node.sources, flow, position in flow.nodes):
                    (by_input if factor.inputs else by_weight).append(product.macs)
    forward = context.operations[position].macs
    per_input, per_weight = sum_or_unknown(by_input), sum_or_unknown(by_weight)
    return TrainingMacs(forward, times(context.batch, per_input), times(context.batch, per_weight))


def _needs_gradient(factor: Factor, sources: tuple[int, ...], flow: GradientFlow, trained: bool) -> bool:
    return (factor.weights and trained) or any(sources[number] in flow.edges for number in factor.inputs)
