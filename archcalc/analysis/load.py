"""The least time that every layer can take on a device: the roofline model (Williams, Waterman, Patterson 2009).

A layer of W operations that moves Q bytes takes at least max(W/π, Q/β), where π is the operations/s of the device's
arithmetic and β the bytes/s of its memory. Memory limits it below the ridge, where W/Q < π/β, and arithmetic above.

A layer with MACs has two operations for each MAC. Its other operations (biases, a softmax) are left out, because other
units of the device may run them meanwhile. A layer without MACs has its elementary operations, one each, at the same
peak, which no other unit of a device exceeds. `traffic.py` counts the bytes. Layers are counted one by one: a compiler
that fuses them, and a cache that keeps an output for the next layer, move fewer bytes than the sum. An algorithm with
fewer MACs than the definition, such as Winograd's for 3×3 convolutions, computes less.
"""

from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.operations import Operations
from archcalc.analysis.traffic import check_nonzeros, count_traffic
from archcalc.layers.base import Count
from archcalc.numbers.bounds import Unknown, sum_or_unknown

STORED = {"tf32": "float32"}  # the storage dtype of a dtype that is only a mode of multiplication


class Roof(NamedTuple):
    """The peaks of a device in one dtype."""

    operations_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """The operations per byte from which arithmetic limits the time."""
        return self.operations_per_second / self.bytes_per_second


class Load(NamedTuple):
    """Operations and bytes of one layer for a whole batch; `operations` are Unknown if they cannot be derived."""

    operations: Count
    bytes_read: int
    bytes_written: int

    @property
    def bytes_moved(self) -> int:
        """Bytes read and written."""
        return self.bytes_read + self.bytes_written

    def memory_seconds(self, roof: Roof) -> float:
        """The least time to move the bytes."""
        return self.bytes_moved / roof.bytes_per_second

    def arithmetic_seconds(self, roof: Roof) -> float:
        """The least time to compute the operations; 0, a lower bound, if they are unknown."""
        return 0.0 if isinstance(self.operations, Unknown) else self.operations / roof.operations_per_second


def count_loads(context: AnalysisContext, dtype: str) -> tuple[Load, ...]:
    """The operations and bytes of every layer in one inference pass; `dtype` replaces floating-point dtypes.

    Raises UsageError if a number of nonzeros is unknown.
    """
    check_nonzeros(context.graph)
    traffic = count_traffic(context, STORED.get(dtype, dtype))
    pairs = zip(context.operations, traffic, strict=True)
    return tuple([Load(_counted(operations), moved.reads, moved.outputs) for operations, moved in pairs])


def _counted(operations: Operations) -> Count:
    """Two operations for each MAC; for a layer without MACs one for each elementary operation."""
    if isinstance(operations.macs, Unknown):
        return operations.macs
    if operations.macs:
        return 2 * operations.macs
    return sum_or_unknown(operations.by_kind.values())
