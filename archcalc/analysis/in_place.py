"""Layers that work in place: whether anything still needs what they overwrite.

PyTorch lets a layer overwrite what another one reads later, which then reads something else. Where autograd keeps the
value for a backward pass, it refuses to train. What keeps what the layers say themselves (`Layer.steps`).
"""

from collections.abc import Iterator
from typing import Any

from archcalc.analysis.analysed import AnalysedGraph
from archcalc.analysis.facts import LayerFacts
from archcalc.analysis.training import GradientFlow, follow_gradients
from archcalc.errors import Problem, quoted
from archcalc.graph import Node
from archcalc.layers.base import RESULT, Step


def check_in_place(analysed: AnalysedGraph) -> list[Problem]:
    """What a layer must not overwrite, at inference or in training."""
    found = [*_Follower(analysed, training=True).run()]
    if any(facts.inference_steps != facts.training_steps for _, facts in analysed.known()):
        found = [*_Follower(analysed, training=False).run(), *found]
    return [*dict.fromkeys(found)]


def memory_of(facts: LayerFacts) -> tuple[Any, ...]:
    """What decides about layers in place, of what a layer says: all but sizes and how results lie."""
    return tuple(
        [
            (
                step.reads,
                step.kept([True] * len(step.reads)),
                step.is_view,
                step.in_place,
                step.of_many,
                bool(step.unclear),
            )
            for step in steps
        ]
        for steps in (facts.inference_steps, facts.training_steps)
    )


class _Follower:
    """Goes through the layers in order, and knows which edges share their memory: that of the same number."""

    def __init__(self, analysed: AnalysedGraph, training: bool) -> None:
        self.analysed, self.graph, self.training = analysed, analysed.graph, training
        self.flow = follow_gradients(analysed) if training else GradientFlow()
        self.edges = [*range(len(self.graph.inputs))]  # the memory of each edge
        self.sharing = {memory: [edge] for edge, memory in enumerate(self.edges)}  # the edges of each memory
        self.count = len(self.edges)  # of memories
        self.locks: list[str | None] = [None] * self.count  # by edge, the layer whose several views it is one of
        self.kept: dict[int, str] = {}  # by memory, a layer whose backward pass needs it
        self.outputs = {*self.graph.outputs}
        self.last_reads = {edge: position for position, node in enumerate(self.graph.nodes) for edge in node.sources}

    def run(self) -> Iterator[Problem]:
        """The problems, in the order of the layers."""
        for position, (node, facts) in enumerate(self.analysed.known()):
            steps = facts.training_steps if self.training else facts.inference_steps
            memories, locks = self._memories(node, steps), self._locks(position, steps)
            self.locks.append(locks[-1])
            for number, step in enumerate(steps, start=len(node.sources)):
                if step.in_place:
                    yield from self._overwritten(position, memories[number], locks[number])
            self.edges.append(memories[-1])
            self.sharing.setdefault(memories[-1], []).append(self.analysed.edge(position))
            if self.analysed.edge(position) in self.flow.edges:
                self._keep(position, steps, memories)

    def _memories(self, node: Node, steps: tuple[Step, ...]) -> list[int]:
        """The memory of each input and of the result of each step."""
        memories = [self.edges[source] for source in node.sources]
        for step in steps:
            first = step.reads[0] if step.is_view or step.in_place else None
            self.count += 1
            memories.append(memories[first] if isinstance(first, int) else self.count)
        return memories

    def _locks(self, position: int, steps: tuple[Step, ...]) -> list[str | None]:
        """Of each input and result, the layer that made it as one of several views, or what it is a view of."""
        node = self.graph.nodes[position]
        makes_many = self.analysed.edge(position) in self.flow.recorded  # or else autograd does not mind
        found = [self.locks[source] for source in node.sources]
        for step in steps:
            first = step.reads[0] if step.is_view or step.in_place else None
            inherited = found[first] if isinstance(first, int) else None
            found.append(node.name if step.of_many and makes_many else inherited)
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
        if memory in self.kept:
            reason = "PyTorch refuses to train the network"
            yield Problem(f"{message} the backward pass of {quoted(self.kept[memory])} needs", path, reason, remedy)

    def _still_needed(self, position: int, memory: int) -> list[int]:
        """The edges of a memory that something reads after a layer, or that are outputs; the others are forgotten."""
        edges = self.sharing.get(memory, [])
        edges[:] = [edge for edge in edges if edge in self.outputs or self.last_reads.get(edge, -1) > position]
        return edges

    def _keep(self, position: int, steps: tuple[Step, ...], memories: list[int]) -> None:
        """Note what the backward passes of the steps need: of those that a gradient goes through."""
        node = self.graph.nodes[position]
        needs = [source in self.flow.edges for source in node.sources]  # a gradient; then the results
        for number, step in enumerate(steps, start=len(node.sources)):
            wanted = [needs[read] if isinstance(read, int) else self._is_trained(read, position) for read in step.reads]
            needs.append(any(wanted))
            if not needs[-1]:
                continue
            kept = [number if place == RESULT else place for place in step.kept(wanted)]
            if step.unclear and any(self._is_trained(read, position) for read in step.reads if isinstance(read, str)):
                kept += [read for read in step.reads if isinstance(read, int)]  # whatever the kernel
            self.kept.update({memories[place]: node.name for place in kept})

    def _is_trained(self, name: str, position: int) -> bool:
        return position in self.flow.nodes and name in self.analysed.facts_at(position).parameters
