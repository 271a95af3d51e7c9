"""Layers that work in place: whether anything still needs what they overwrite.

PyTorch lets a layer overwrite what another one reads later, which then reads something else. Where autograd keeps the
value for a backward pass, it refuses to train. What keeps what the layers say themselves (`Layer.kernel_ops`).
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
    """What a layer must not overwrite, at inference or in training."""
    found = [*_Follower(context, training=True).run()]
    if any(inferred.inference_ops != inferred.training_ops for _, inferred in context.known()):
        found = [*_Follower(context, training=False).run(), *found]
    return [*dict.fromkeys(found)]


def memory_of(inferred: InferredLayer) -> tuple[Any, ...]:
    """What decides about layers in place, of what a layer says: all but sizes and how results lie."""
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
    """Goes through the layers in order, and knows which edges share their memory: that of the same number."""

    def __init__(self, context: AnalysisContext, training: bool) -> None:
        self.context, self.graph, self.training = context, context.graph, training
        self.flow = follow_gradients(context) if training else GradientFlow()
        self.edges = [*range(len(self.graph.inputs))]  # the memory of each edge
        self.sharing = {memory: [edge] for edge, memory in enumerate(self.edges)}  # the edges of each memory
        self.count = len(self.edges)  # of memories
        self.locks: list[str | None] = [None] * self.count  # by edge, the layer whose several views it is one of
        self.saved_by: dict[int, str] = {}  # by memory, a layer whose backward pass needs it
        self.outputs = {*self.graph.outputs}
        self.last_reads = {edge: position for position, node in enumerate(self.graph.nodes) for edge in node.sources}

    def run(self) -> Iterator[Problem]:
        """The problems, in the order of the layers."""
        for position, (node, inferred) in enumerate(self.context.known()):
            ops = inferred.training_ops if self.training else inferred.inference_ops
            memories, locks = self._memories(node, ops), self._locks(position, ops)
            self.locks.append(locks[-1])
            for number, op in enumerate(ops, start=len(node.sources)):
                if op.in_place:
                    yield from self._overwritten(position, memories[number], locks[number])
            self.edges.append(memories[-1])
            self.sharing.setdefault(memories[-1], []).append(self.context.graph.edge(position))
            if self.context.graph.edge(position) in self.flow.edges:
                self._keep(position, ops, memories)

    def _memories(self, node: Node, ops: tuple[KernelOp, ...]) -> list[int]:
        """The memory of each input and of the result of each step."""
        memories = [self.edges[source] for source in node.sources]
        for op in ops:
            first = op.operands[0] if op.is_view or op.in_place else None
            self.count += 1
            memories.append(memories[first] if isinstance(first, int) else self.count)
        return memories

    def _locks(self, position: int, ops: tuple[KernelOp, ...]) -> list[str | None]:
        """Of each input and result, the layer that made it as one of several views, or what it is a view of."""
        node = self.graph.nodes[position]
        makes_many = self.context.graph.edge(position) in self.flow.recorded  # or else autograd does not mind
        found = [self.locks[source] for source in node.sources]
        for op in ops:
            first = op.operands[0] if op.is_view or op.in_place else None
            inherited = found[first] if isinstance(first, int) else None
            found.append(node.name if op.of_many and makes_many else inherited)
        return found

    def _overwritten(self, position: int, memory: int, lock: str | None) -> Iterator[Problem]:
        node = self.graph.nodes[position]
        path, remedy = (*node.path, "inplace"), "leave inplace out"
        message = f"layer {quoted(node.name)} works in place on a value that"
        for edge in self._still_needed(position, memory):
            if edge in self.outputs:
                yield Problem(f"{message} is an output of the network", path, help=remedy)
            if (reader := self.last_reads.get(edge, -1)) > position:
                name = quoted(self.graph.nodes[reader].name)
                reason = f"{name} would read what {quoted(node.name)} makes of it"
                yield Problem(f"{message} layer {name} reads later", path, reason, remedy)
        if memory in [self.edges[source] for source in node.sources[1:]]:
            yield Problem(f"{message} it reads as another input, too", path, help=remedy)
        if lock:
            reason = "PyTorch refuses to train the network"
            yield Problem(f"{message} is one of several views that {quoted(lock)} makes together", path, reason, remedy)
        if memory in self.saved_by:
            reason = "PyTorch refuses to train the network"
            yield Problem(f"{message} the backward pass of {quoted(self.saved_by[memory])} needs", path, reason, remedy)

    def _still_needed(self, position: int, memory: int) -> list[int]:
        """The edges of a memory that something reads after a layer, or that are outputs; the others are forgotten."""
        edges = self.sharing.get(memory, [])
        edges[:] = [edge for edge in edges if edge in self.outputs or self.last_reads.get(edge, -1) > position]
        return edges

    def _keep(self, position: int, ops: tuple[KernelOp, ...], memories: list[int]) -> None:
        """Note what the backward passes of the steps need: of those that a gradient goes through."""
        node = self.graph.nodes[position]
        needs = [source in self.flow.edges for source in node.sources]  # a gradient; then the results
        for number, op in enumerate(ops, start=len(node.sources)):
            wanted = [
                needs[read] if isinstance(read, int) else self._is_trained(read, position) for read in op.operands
            ]
            needs.append(any(wanted))
            if not needs[-1]:
                continue
            saved_operands = [number if place == RESULT else place for place in op.saved_operands(wanted)]
            if op.unclear and any(self._is_trained(read, position) for read in op.operands if isinstance(read, str)):
                saved_operands += [read for read in op.operands if isinstance(read, int)]  # whatever the kernel
            self.saved_by.update({memories[place]: node.name for place in saved_operands})

    def _is_trained(self, name: str, position: int) -> bool:
        return position in self.flow.nodes and name in self.context.layer_at(position).parameters
