"""The roofline of a network on a device: the least time of every layer, and of the network."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from msgspec import Struct, structs

from archcalc.analysis.collapse import collapse
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.load import Load, Roof, count_loads
from archcalc.analysis.summary import TreeRow, nest_like, sum_of
from archcalc.devices import Device
from archcalc.errors import UsageError
from archcalc.graph import Graph, Node
from archcalc.numbers.bounds import Amount, AtLeast, Inexact, Lower, Unknown, Value, known, quotient, reason_of, total
from archcalc.render.cells import fact_text
from archcalc.render.document import AMOUNT, Document
from archcalc.render.result import Result

TOO_LARGE = "the network is so large that its time is no finite number"
MEMORY, ARITHMETIC, BOTH = "memory", "arithmetic", "both"


class LayerRoofline(NamedTuple):
    """The least time of a layer for the whole batch, or of the layers of a collapsed block, one after the other.

    `memory_seconds` is the part of `seconds` that is known to be bound by memory. If the operations are not exact, the
    time is a lower bound from the known operations and the bytes.
    """

    name: str
    type: str
    family: str
    operations: Amount
    bytes_read: int
    bytes_written: int
    seconds: float
    memory_seconds: float

    @property
    def bytes_moved(self) -> int:
        """Bytes read and written."""
        return self.bytes_read + self.bytes_written

    @property
    def intensity(self) -> Value[float] | None:
        """Operations per byte; None if no bytes are moved."""
        return quotient(self.operations, self.bytes_moved) if self.bytes_moved else None

    @property
    def operations_per_second(self) -> float | None:
        """The attainable operations/s in this layer: the height of its point in the picture. None if it is unknown."""
        return None if isinstance(self.operations, Inexact) or not self.seconds else self.operations / self.seconds

    @property
    def bound(self) -> str | None:
        """`memory` or `arithmetic`, `both` for a block with both; None if it is unknown."""
        if isinstance(self.operations, Inexact) or not self.seconds:
            return None
        return MEMORY if self.memory_seconds == self.seconds else BOTH if self.memory_seconds else ARITHMETIC

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "name": self.name,
            "type": self.type,
            "operations": known(self.operations),
            "bytes_read": self.bytes_read,
            "bytes_written": self.bytes_written,
            "operations_per_byte": None if self.intensity is None else known(self.intensity),
            "bound": self.bound,
            "seconds": self.seconds,
            "memory_bound_seconds": self.memory_seconds,
            "unknown": reason_of(self.operations),
            "lower_bound": isinstance(self.operations, AtLeast),
        }


class Roofline(Struct, Result, frozen=True, kw_only=True):
    """The roofline of a network: the layers in order, and their sums. `input` is the name of the first input.

    `tree` has the rows of layers and of their blocks, if `nested` made it.
    """

    network: str
    input: str
    batch: int
    device: Device
    dtype: str
    layers: tuple[LayerRoofline, ...]
    tree: tuple[TreeRow, ...] = ()

    def __repr__(self) -> str:
        where = f"{self.device.name}, {self.dtype}, batch {self.batch}"
        return f"Roofline({self.network!r} on {where}: {fact_text(AMOUNT, 's', self.time)} or more)"

    def document(self) -> Document:
        """The roofline as a document."""
        from archcalc.analysis.roofline_document import roofline_document

        return roofline_document(self)

    @property
    def roof(self) -> Roof:
        """The peaks of the device in the dtype."""
        return Roof(self.device.peak(self.dtype), self.device.bytes_per_second)

    @property
    def operations(self) -> Lower[int]:
        """Operations of all layers; a lower bound if some are unknown."""
        return total((row.name, row.operations) for row in self.layers)

    @property
    def bytes_read(self) -> int:
        """By all layers."""
        return sum(row.bytes_read for row in self.layers)

    @property
    def bytes_written(self) -> int:
        """By all layers."""
        return sum(row.bytes_written for row in self.layers)

    @property
    def time(self) -> float:
        """The least time of the network in seconds: the sum over the layers."""
        return sum(row.seconds for row in self.layers)

    @property
    def memory_seconds(self) -> float:
        """The part of the time that is known to be bound by memory."""
        return sum(row.memory_seconds for row in self.layers)

    @property
    def inputs_per_second(self) -> float | None:
        """The most samples per second; None for a network that moves no bytes."""
        return self.batch / self.time if self.time else None

    def collapsed(self, graph: Graph, depth: int | None) -> "Roofline":
        """The same with blocks collapsed below `depth`, whose numbers are sums; unchanged for None."""
        groups = collapse(self.layers, graph, depth)
        return structs.replace(self, layers=tuple(_add_rows(group.name, group.type, group.rows) for group in groups))

    def nested(self, graph: Graph, depth: int | None, tree: Sequence[TreeRow]) -> "Roofline":
        """The same, collapsed below `depth`, with a `tree` of blocks and layers like the summary's of that depth."""
        own = nest_like(tree, lambda level: self.collapsed(graph, level).layers)
        return structs.replace(self.collapsed(graph, depth), tree=own)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        roof, operations = self.roof, self.operations
        return {
            "network": self.network,
            "batch": self.batch,
            "dtype": self.dtype,
            "device": {
                "name": self.device.name,
                "source": self.device.source,
                "note": self.device.note,
                "operations_per_second": roof.operations_per_second,
                "bytes_per_second": roof.bytes_per_second,
                "ridge_operations_per_byte": roof.ridge,
            },
            "layers": [row.to_dict() for row in self.layers],
            "totals": {
                "operations": known(operations),
                "bytes_read": self.bytes_read,
                "bytes_written": self.bytes_written,
                "seconds": self.time,
                "memory_bound_seconds": self.memory_seconds,
                "inputs_per_second": self.inputs_per_second,
                "lower_bounds": {"operations": operations.reason} if isinstance(operations, AtLeast) else {},
            },
        }


def make_roofline(context: AnalysisContext, device: Device, dtype: str) -> Roofline:
    """Compute the roofline of a network whose layers all fit.

    Raises UsageError for a dtype that the device does not support, and if a time is not finite.
    """
    roof = Roof(device.peak(dtype), device.bytes_per_second)
    graph, loads = context.graph, count_loads(context, dtype)
    try:
        rows = tuple([_row(node, load, roof) for node, load in zip(graph.nodes, loads, strict=True)])
    except OverflowError:
        raise UsageError(TOO_LARGE) from None
    found = Roofline(
        network=graph.name,
        input=next(iter(graph.inputs)),
        batch=context.batch,
        device=device,
        dtype=dtype,
        layers=rows,
    )
    if found.time == math.inf:
        raise UsageError(TOO_LARGE)
    return found


def _row(node: Node, load: Load, roof: Roof) -> LayerRoofline:
    memory, arithmetic = load.memory_seconds(roof), load.arithmetic_seconds(roof)
    decided = not isinstance(load.operations, Unknown)
    seconds, by_memory = max(memory, arithmetic), memory if decided and memory >= arithmetic else 0.0
    return LayerRoofline(
        name=node.name,
        type=node.layer.type,
        family=node.layer.family,
        operations=load.operations,
        bytes_read=load.bytes_read,
        bytes_written=load.bytes_written,
        seconds=seconds,
        memory_seconds=by_memory,
    )


def _add_rows(name: str, kind: str, rows: list[LayerRoofline]) -> LayerRoofline:
    """One row for a collapsed block; the row of a single layer is unchanged."""
    if len(rows) == 1 and rows[0].name == name:
        return rows[0]
    return LayerRoofline(
        name=name,
        type=kind,
        family="block",
        operations=sum_of([row.name for row in rows], [row.operations for row in rows]),
        bytes_read=sum(row.bytes_read for row in rows),
        bytes_written=sum(row.bytes_written for row in rows),
        seconds=sum(row.seconds for row in rows),
        memory_seconds=sum(row.memory_seconds for row in rows),
    )
