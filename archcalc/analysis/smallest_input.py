"""The smallest input sizes that a network accepts, for an error about sizes that are too small."""

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.resizing import extents, resized
from archcalc.analysis.shapes import infer_shapes
from archcalc.graph import Graph
from archcalc.layers.base import Shape

MAX_LAYERS_TRIED = 300_000  # layers times sizes


def smallest_shapes(graph: Graph) -> dict[str, Shape]:
    """The smallest shapes of all inputs at which the network works; the graph itself must work.

    Equal axes are resized together. Sizes are tried from 1 on; a size stays unchanged if that takes too many layers.
    """
    axes = extents(AnalysisContext(graph))
    smallest: dict[int, int] = {}
    for size in dict.fromkeys(extent.size for extent in axes):
        tried = range(1, min(size, MAX_LAYERS_TRIED // max(1, len(graph.nodes))))
        works = (n for n in tried if not infer_shapes(resized(graph, axes, {size: n})).problems)
        smallest[size] = next(works, size)
    small = resized(graph, axes, smallest)
    return {
        name: tensor.shape for name, tensor in (small if not infer_shapes(small).problems else graph).inputs.items()
    }
