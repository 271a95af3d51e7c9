"""Finds runs of equal blocks, of which a diagram draws only the first."""

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from archcalc.analysis.context import AnalysisContext
from archcalc.diagram.training import only_in_training
from archcalc.structure import Keys, Unit, layers_in


class Member(NamedTuple):
    """A block or a layer. `layers` has the keys from the block to each of its layers."""

    unit: Unit
    layers: dict[int, Keys]  # by position in the graph

    @property
    def numbers(self) -> dict[int, int]:
        """The number of each layer within the member, by position in the graph."""
        return {position: number for number, position in enumerate(self.layers)}


class Copies:
    """Finds the members of a group that equal the member before them."""

    def __init__(self, context: AnalysisContext) -> None:
        self.graph, self.tensors = context.graph, context.tensors
        self.training = only_in_training(self.graph)
        self.users: defaultdict[int, list[int]] = defaultdict(list)  # the positions that use the weights of a layer
        for position, node in enumerate(self.graph.nodes):
            if node.owner is not None:
                self.users[node.owner].append(position)

    def runs(self, units: list[Unit]) -> Iterator[list[Member]]:
        """Runs of equal units, in order, each of which reads the one before."""
        run: list[Member] = []
        for unit in units:
            member = Member(unit, {position: keys for keys, position in layers_in(unit)})
            if run and not self._is_copy(run[-1], member):
                yield run
                run = []
            run.append(member)
        if run:
            yield run

    def _is_copy(self, one: Member, other: Member) -> bool:
        """Whether two blocks are equal, and the second is the only reader of the first."""
        if isinstance(one.unit, int) or isinstance(other.unit, int) or len(one.layers) != len(other.layers):
            return False
        outputs = self._select_outputs(one)
        if len(outputs) != 1 or outputs[0] in self.graph.outputs or not self._holds_readers(other, outputs[0]):
            return False
        entry = self._entry(one, other, outputs[0])
        alike = entry is not None and self.tensors[entry] == self.tensors[outputs[0]]
        return alike and self._signature(one, entry) == self._signature(other, outputs[0])

    def _select_outputs(self, member: Member) -> list[int]:
        """The edges that layers outside the member read, or that are outputs."""
        edges = map(self.graph.edge, member.layers)
        return [edge for edge in edges if edge in self.graph.outputs or not self._holds_readers(member, edge)]

    def _holds_readers(self, member: Member, edge: int) -> bool:
        """Whether all readers of an edge are in a member."""
        return member.layers.keys() >= {*self.graph.readers[edge]}

    def _entry(self, one: Member, other: Member, output: int) -> int | None:
        """The edge that one block reads where the other reads the output of the first."""
        for mine, theirs in zip(one.layers, other.layers, strict=True):
            sources = self.graph.nodes[theirs].sources
            if output in sources and len(self.graph.nodes[mine].sources) == len(sources):
                return self.graph.nodes[mine].sources[sources.index(output)]
        return None

    def _signature(self, member: Member, entry: int | None) -> list[object]:
        """A key that is equal for two blocks only if they differ in nothing but their names."""
        numbers = member.numbers
        found: list[object] = ["" if isinstance(member.unit, int) else member.unit.type]
        for position, keys in member.layers.items():
            node = self.graph.nodes[position]
            read = ["entry" if s == entry else self._number_of(s, numbers) for s in node.sources]
            owner = None if node.owner is None else numbers.get(node.owner, ("layer", node.owner))
            lent = [position for user in self.users[position] if user not in numbers]
            found.append((keys, node.layer, node.trainable, node.name in self.training, read, owner, lent))
        return found

    def _number_of(self, edge: int, numbers: dict[int, int]) -> object:
        """The number of a producer within its member; the edge itself for a producer outside."""
        producer = self.graph.producer(edge)
        return ("edge", edge) if producer is None else numbers.get(producer, ("edge", edge))
