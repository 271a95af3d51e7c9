"""Checks that layers overwrite no value that is still needed.

PyTorch lets a layer overwrite a value that another layer reads later, which then computes something else. If autograd
saved the value for a backward pass, PyTorch refuses to train. `Layer.kernel_ops` declares what a layer saves.
"""

from collections.abc import Iterator
from typing import Any

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.training import GradientFlow, follow_gradients
from archcalc.errors import Problem, quoted
from archcalc.graph import Node
from archcalc.layers.base import RESULT, KernelOp


def check_in_place(context: AnalysisContext) -> list[Problem]:
    """The problems of values that a layer must not overwrite, at inference or in training."""
    found = [*_Follower(context, training=True).run()]
    if any(inferred.inference_ops != inferred.training_ops for _, inferred in context.known()):
        found = [*_Follower(context, training=False).run(), *found]
    return [*dict.fromkeys(found)]


def memory_effects(inferred: InferredLayer) -> tuple[Any, ...]:
    """The properties of a layer's kernels that this check depends on: all but sizes and strides."""
    return tuple(
        [
            (
                op.operands,
                op.saved_operands([True] * len(op.operands)),
                op.is_view,
                op.in_place,
                op.of_many,
                bool(op.unclear),
            )
            for op in ops
        ]
        for ops in (inferred.inference_ops, inferred.training_ops)
    )


class _Follower:
    """Visits the layers in order, and records which edges share a storage. Storages have numbers."""

    def __init__(self, context: AnalysisContext, training: bool) -> None:
        self.context, self.graph, self.training = context, context.graph, training
        self.flow = follow_gradients(context) if training else GradientFlow()
        self.edges = [*range(self.graph.first_edge)]  # the storage of each edge
        self.sharing = {storage: [edge] for edge, storage in enumerate(self.edges)}  # the edges of each storage
        self.count = len(self.edges)  # of storages
        self.locks: list[str | None] = [None] * self.count  # for each edge, the layer that made it as one of many views
        self.saved_by: dict[int, str] = {}  # for a storage, a layer whose backward pass needs it
        self.outputs = {*self.graph.outputs}
        self.last_reads = {edge: position for position, node in enumerate(self.graph.nodes) for edge in node.sources}

    def run(self) -> Iterator[Problem]:
        """The problems, in the order of the layers."""
        for position, (node, inferred) in enumerate(self.context.known()):
            ops = inferred.training_ops if self.training else inferred.inference_ops
            storages, locks = self._storages(node, ops), self._locks(position, ops)
            self.locks.append(locks[-1])
            for number, op in enumerate(ops, start=len(node.sources)):
                if op.in_place:
                    yield from self._overwritten(position, storages[number], locks[number])
            self.edges.append(storages[-1])
            self.sharing.setdefault(storages[-1], []).append(self.context.graph.edge(position))
            if self.context.graph.edge(position) in self.flow.edges:
                self._keep(position, ops, storages)

    def _storages(self, node: Node, ops: tuple[KernelOp, ...]) -> list[int]:
        """The storage of each input, then of the result of each kernel."""
        storages = [self.edges[source] for source in node.sources]
        for op in ops:
            first = op.operands[0] if op.is_view or op.in_place else None
            self.count += 1
            storages.append(storages[first] if isinstance(first, int) else self.count)
        return storages

    def _locks(self, position: int, ops: tuple[KernelOp, ...]) -> list[str | None]:
        """The layer that made each input and result, or its base, as one of several views; None for other values."""
        node = self.graph.nodes[position]
        makes_many = self.context.graph.edge(position) in self.flow.recorded  # autograd checks only recorded views
        found = [self.locks[source] for source in node.sources]
        for op in ops:
            first = op.operands[0] if op.is_view or op.in_place else None
            inherited = found[first] if isinstance(first, int) else None
            found.append(node.name if op.of_many and makes_many else inherited)
        return found

    def _overwritten(self, position: int, storage: int, lock: str | None) -> Iterator[Problem]:
        node = self.graph.nodes[position]
        path, remedy = (*node.path, "inplace"), "leave inplace out"
        message = f"layer {quoted(node.name)} works in place on a value that"
        for edge in self._still_needed(position, storage):
            if edge in self.outputs:
                yield Problem(f"{message} is an output of the network", path, help=remedy)
            if (reader := self.last_reads.get(edge, -1)) > position:
                name = quoted(self.graph.nodes[reader].name)
                reason = f"{name} would read the result of {quoted(node.name)} instead"
                yield Problem(f"{message} layer {name} reads later", path, reason, remedy)
        if storage in [self.edges[source] for source in node.sources[1:]]:
            yield Problem(f"{message} it reads as another input, too", path, help=remedy)
        if lock:
            reason = "PyTorch refuses to train the network"
            yield Problem(f"{message} is one of several views that {quoted(lock)} makes together", path, reason, remedy)
        if storage in self.saved_by:
            reason = "PyTorch refuses to train the network"
            saver = quoted(self.saved_by[storage])
            yield Problem(f"{message} the backward pass of {saver} needs", path, reason, remedy)

    def _still_needed(self, position: int, storage: int) -> list[int]:
        """The edges of a storage that are read after a layer or are outputs; the others are removed from `sharing`."""
        edges = self.sharing.get(storage, [])
        edges[:] = [edge for edge in edges if edge in self.outputs or self.last_reads.get(edge, -1) > position]
        return edges

    def _keep(self, position: int, ops: tuple[KernelOp, ...], storages: list[int]) -> None:
        """Record the storages that the backward passes of a layer's kernels need."""
        node = self.graph.nodes[position]
        needs = [source in self.flow.edges for source in node.sources]  # gradients, by operand: inputs, then results
        for number, op in enumerate(ops, start=len(node.sources)):
            wanted = [
                needs[read] if isinstance(read, int) else self._is_trained(read, position) for read in op.operands
            ]
            needs.append(any(wanted))
            if not needs[-1]:
                continue
            saved_operands = [number if place == RESULT else place for place in op.saved_operands(wanted)]
            if op.unclear and any(self._is_trained(read, position) for read in op.operands if isinstance(read, str)):
                saved_operands += [read for read in op.operands if isinstance(read, int)]  # some kernels save them
            self.saved_by.update({storages[place]: node.name for place in saved_operands})

    def _is_trained(self, name: str, position: int) -> bool:
        return position in self.flow.nodes and name in self.context.layer_at(position).parameters
