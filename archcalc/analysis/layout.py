"""The axis of channels or features of every tensor, and layers that take another axis for it."""

from collections.abc import Iterator

from msgspec import Struct

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.arithmetic import product
from archcalc.graph import Node
from archcalc.layers.base import INTEGER, Shape, Tensor, resolve_axis

IMAGE_CHANNELS = 4  # the most channels of an input that is taken for an image or a video


class Mistaken(Struct, frozen=True, gc=False):
    """A layer that combines values along `axis`, although `channels` is the axis of channels or features."""

    edge: int
    node: Node
    shape: Shape  # of its first input
    axis: int
    channels: int


def channel_axes(network: AnalysisContext) -> list[int | None]:
    """The axis of channels or features of every edge; None if it is unknown."""
    axes = [_of_input(tensor) for tensor in network.graph.inputs.values()]
    for node, inferred in network.known():
        axes.append(_behind(inferred, [axes[source] for source in node.sources]))
    return axes


def _of_input(tensor: Tensor) -> int | None:
    """0 for an input of three axes or more that looks like an image, or else None."""
    first, *others = tensor.shape or (0,)
    image = len(others) >= 2 and first <= IMAGE_CHANNELS < min(others)
    return 0 if image and tensor.dtype not in INTEGER else None


def _behind(inferred: InferredLayer, axes: list[int | None]) -> int | None:
    layer, rank = inferred.layer, len(inferred.output.shape)
    if layer.is_lookup:
        return rank - 1
    normalizes = layer.family == "normalization" and axes[0] is not None  # normalizations do not change axes
    if layer.channel_axis is not None and not normalizes:
        return resolve_axis(layer.channel_axis, rank) if rank else None
    found = {
        None if reads[axis].mixed and rank > 1 else reads[axis].axis
        for axis, reads in zip(axes, inferred.dependencies, strict=True)
        if axis is not None and reads
    }
    return found.pop() if len(found) == 1 else None


def missing_flattens(network: AnalysisContext) -> list[Mistaken]:
    """Dense layers and attention that read a spatial axis as features."""
    return [found for found in mistaken_axes(network) if found.node.layer.family in ("dense", "attention")]


def mistake(network: AnalysisContext, found: Mistaken) -> str:
    """What is wrong with the input of a layer of `missing_flattens`, in a few words."""
    if found.node.layer.family == "attention":
        return "positions are read as features"
    return "flatten leaves the channels apart" if incomplete_flatten(network, found) else "flatten is missing"


def incomplete_flatten(network: AnalysisContext, found: Mistaken) -> Node | None:
    """The flatten right before a layer, if it joins only spatial axes."""
    producer = network.graph.producer(found.node.sources[0])
    before = None if producer is None else network.graph.nodes[producer]
    return before if before is not None and getattr(before.layer, "start_dim", None) else None


def mistaken_axes(network: AnalysisContext) -> Iterator[Mistaken]:
    """The layers that combine values of their first input along another axis than channels or features."""
    axes = channel_axes(network)
    for position, (node, inferred) in enumerate(network.known()):
        channels = axes[node.sources[0]] if node.sources else None
        combined = _combined_axes(inferred)
        if channels is None or not combined or channels in combined:
            continue
        shape = inferred.inputs[0].shape
        if shape[combined[-1]] != product(shape):  # otherwise all other axes have size 1
            yield Mistaken(network.graph.edge(position), node, shape, combined[-1], channels)


def _combined_axes(inferred: InferredLayer) -> list[int]:
    """The axes along which a layer combines values of features, in order."""
    layer, rank = inferred.layer, len(inferred.inputs[0].shape) if inferred.inputs else 0
    if layer.sums_to_one:
        return [resolve_axis(getattr(layer, "dim"), rank)]  # noqa: B009  # only these layers have it
    if layer.channel_axis != -1 or layer.family not in ("dense", "attention", "normalization"):
        return []
    shape = getattr(layer, "normalized_shape", None)
    return [*range(rank - (len(shape) if isinstance(shape, tuple) else 1), rank)]
