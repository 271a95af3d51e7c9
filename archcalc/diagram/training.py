"""Finds the layers that exist only in training."""

from archcalc.errors import SpecError
from archcalc.graph import Graph, connect
from archcalc.spec.expansion import expand


def only_in_training(graph: Graph) -> set[str]:
    """The names of the layers that exist only in training; none if the network cannot be built without training."""
    if not graph.variables["training"]:
        return set()
    settings = {name: value for name, value in graph.variables.items() if name != "training"}
    shapes = {name: list(tensor.shape) for name, tensor in graph.inputs.items()}
    try:
        without = connect(graph.document, expand(graph.document, settings, shapes, False))
    except SpecError:
        return set()  # the spec is wrong outside of training
    return {node.name for node in graph.nodes} - {node.name for node in without.nodes}
