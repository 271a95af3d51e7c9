"""The smallest inputs that fit the weights of a network, for tests that run shipped specs on a CPU."""

import archcalc

LEAST = 64  # positions along an axis: enough for every layer of a deep network to have some


def smaller(network: archcalc.Network) -> dict[str, list[int]]:
    """Small input shapes, by name, with which the network has the same weights; a sparse input keeps its shape."""
    shapes = {name: [*shape] for name, shape in network.inputs.items()}
    if any(tensor.nonzeros is not None for tensor in network.graph.inputs.values()):
        return shapes
    for found in network.input_ranges():
        size = found.same_weights.next_from(min(LEAST, found.size)) or found.size
        for extent in found.axes:
            shapes[extent.source][extent.axis] = min(size, found.size)
    return shapes
