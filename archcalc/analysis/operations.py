"""Counts the operations of every layer, by kind.

One MAC is one multiplication and one addition; a FLOP is either. Only convolutions, matrix products and dense layers
have MACs, as in torchvision's tables and PyTorch's own counter (which counts two FLOPs for each).
"""

from collections.abc import Mapping

from msgspec import Struct

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.layers.base import Count
from archcalc.numbers.bounds import times


class Operations(Struct, frozen=True, gc=False):
    """The operations of one layer for a whole batch, by kind; `connections` do not depend on the batch.

    `unknown` has the reason for each number that cannot be derived.
    """

    by_kind: Mapping[str, Count]
    connections: Count
    unknown: Mapping[str, str]

    @property
    def macs(self) -> Count:
        """MACs; 0 for a layer without any."""
        return self.by_kind.get("macs", 0)


def count_operations(inferred: InferredLayer, batch: int) -> Operations:
    """The operations of one layer in one inference pass over a batch."""
    if batch == 1:
        return Operations(inferred.operations, inferred.connections, inferred.unknown)
    by_kind = {kind: times(batch, count) for kind, count in inferred.operations.items()}
    return Operations(by_kind, inferred.connections, inferred.unknown)
