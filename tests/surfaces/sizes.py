"""The sizes of `range`, tried around every end."""

from collections.abc import Iterator

import torch
from networks import Drawn

import archcalc
from archcalc.analysis.input_range import SizeRange
from archcalc.analysis.resizing import resized
from archcalc.graph import Graph
from archcalc.pytorch.build import build
from archcalc.pytorch.verify.sizes import Runner
from surfaces.runner import loaded


def check_sizes(drawn: Drawn) -> None:
    """PyTorch runs exactly the working sizes, and weights fit at exactly the reported sizes."""
    network, runner = loaded(drawn), Runner()
    for found in network.input_ranges():
        for size, graph in tried(network, found):
            assert (size in found.works) == runner.runs(graph), (size, found.works)
            if size in found.works:
                assert (size in found.same_weights) == same_weights(network, graph), (size, found.same_weights)


def tried(network: archcalc.Network, found: SizeRange) -> Iterator[tuple[int, Graph]]:
    for size in {*found.works.around(found.size), *found.same_weights.around(found.size), 5, 7, 12, 64, 101}:
        if found.works.tried is None or size <= found.works.tried:
            yield size, resized(network.graph, [*found.axes], {found.size: size})


def same_weights(network: archcalc.Network, graph: Graph) -> bool:
    """Whether the weights of one network load into the other."""
    other = archcalc.Network(graph)
    own, others = (build(one, "meta").state_dict() for one in (network, other))
    return shapes(own) == shapes(others)


def shapes(state: dict[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}
