"""Which layers a network has in training alone."""

from archcalc.errors import SpecError
from archcalc.graph import Graph, connect
from archcalc.spec.expansion import expand


def only_in_training(graph: Graph) -> set[str]:
    """The layers that the network does not have outside of training."""
    if not graph.variables["training"]:
        return set()
    settings = {name: value for name, value in graph.variables.items() if name != "training"}
    shapes = {name: list(tensor.shape) for name, tensor in graph.inputs.items()}
    try:
        without = connect(graph.document, expand(graph.document, settings, shapes, False))
    except SpecError:
        return set()  # there is no network outside of training to compare with
    return {node.name for node in graph.nodes} - {node.name for node in without.nodes}
