"""The least time that every layer can take on a device: the roofline model (Williams, Waterman, Patterson 2009).

A layer of W operations that moves Q bytes takes max(W/π, Q/β) or longer, π being the operations/s of the device's
arithmetic and β the bytes/s of its memory. Memory bounds it below the ridge, where W/Q < π/β, and arithmetic above.

Operations are two for each MAC: its FLOPs. What a layer with MACs computes besides (biases, a softmax) is not in them,
for other units of the device may do it meanwhile. Of a layer without MACs they are its elementary operations, one each,
at the same peak, which no other unit of a device exceeds. Bytes are those of `traffic.py`. Layers are taken one by one:
a compiler that fuses them, and a cache that keeps what one writes for the next to read, move less than the sum. And an
algorithm with fewer MACs than the definition has, such as Winograd's for 3×3 convolutions, computes less.
"""

from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.operations import Operations
from archcalc.analysis.traffic import check_nonzeros, count_traffic
from archcalc.layers.base import Count
from archcalc.numbers.bounds import Unknown, sum_or_unknown

STORED = {"tf32": "float32"}  # what is a way to multiply, and no way to store


class Roof(NamedTuple):
    """What a device reaches in one dtype."""

    operations_per_second: float
    bytes_per_second: float

    @property
    def ridge(self) -> float:
        """Operations per byte from which on arithmetic is the bound."""
        return self.operations_per_second / self.bytes_per_second


class Load(NamedTuple):
    """What one layer computes and moves for a whole batch; `operations` are Unknown where they cannot be derived."""

    operations: Count
    bytes_read: int
    bytes_written: int

    @property
    def bytes_moved(self) -> int:
        """Read and written."""
        return self.bytes_read + self.bytes_written

    def memory_seconds(self, roof: Roof) -> float:
        """The least time in which the bytes are moved."""
        return self.bytes_moved / roof.bytes_per_second

    def arithmetic_seconds(self, roof: Roof) -> float:
        """The least time in which the operations are computed; 0, which is never more, if they are not known."""
        return 0.0 if isinstance(self.operations, Unknown) else self.operations / roof.operations_per_second


def count_loads(context: AnalysisContext, dtype: str) -> tuple[Load, ...]:
    """What every layer computes and moves in one inference pass, `dtype` in place of floating-point ones.

    Raises UsageError where nonzeros are not known.
    """
    check_nonzeros(context.graph)
    traffic = count_traffic(context, STORED.get(dtype, dtype))
    pairs = zip(context.operations, traffic, strict=True)
    return tuple([Load(_counted(operations), moved.reads, moved.outputs) for operations, moved in pairs])


def _counted(operations: Operations) -> Count:
    """Two for each MAC; of a layer without MACs one for each elementary operation."""
    if isinstance(operations.macs, Unknown):
        return operations.macs
    if operations.macs:
        return 2 * operations.macs
    return sum_or_unknown(operations.by_kind.values())
