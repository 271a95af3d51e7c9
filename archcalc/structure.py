"""The tree of a network's blocks, and the order in which the parts of each block run.

A group contains layers: it is the network, an instance of a block, or the copies of a repeated entry. It is called as
one unit, unless something outside must run between its parts. In that case it is open: its parts run as parts of the
group around it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import NamedTuple

from archcalc.graph import Graph
from archcalc.spec.expanded import Instance

Keys = tuple[str, ...]  # the path to a layer from a group around it


@dataclass(slots=True, eq=False)
class Group:
    """Layers under one name. `inputs` are the edges that it reads from outside, `outputs` its edges read outside."""

    key: str = ""
    parent: "Group | None" = None
    instance: Instance | None = None
    repeat: Instance | None = None  # the repeated entry, if it is the copies of one
    parts: dict[str, "Unit"] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    steps: tuple["Step", ...] = ()
    is_chain: bool = False  # its parts are numbered, and each reads the one before
    is_called: bool = False
    is_list: bool = False  # its parts are numbered, and called one by one

    @property
    def path(self) -> Keys:
        """The path to it from the network."""
        keys, group = list[str](), self
        while group.parent is not None:
            keys.append(group.key)
            group = group.parent
        return tuple(reversed(keys))

    @property
    def type(self) -> str:
        """The name of the block, with the number of copies for a repeated entry; empty for the network."""
        found = self.instance or self.repeat
        return found.type if found else ""

    @property
    def has_class(self) -> bool:
        """Whether it becomes a class of its own: a called instance of a block, or the network."""
        return self.is_called and (self.instance is not None or self.parent is None)

    @property
    def called(self) -> list["Unit"]:
        """The parts that it calls; a chain's parts are called by their container."""
        return [*self.parts.values()] if self.is_chain else [step.unit for step in self.steps]

    @property
    def is_open(self) -> bool:
        """Whether it can never be called as one unit: copies of an entry that form no chain."""
        return self.instance is None and self.parent is not None and not self.is_chain


Unit = Group | int  # a layer is its position in the graph


class Step(NamedTuple):
    """One call of a part. `keys` is the path to it, `inputs` and `outputs` are edges."""

    keys: Keys
    unit: Unit
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def find_structure(graph: Graph) -> Group:
    """The network as a tree of groups, each with its steps."""
    root, parents = _tree(graph)
    inputs_of, outputs_of = _crossings(graph, parents)
    for group in reversed([*groups_in(root)]):
        group.inputs, group.outputs = (*inputs_of.get(group, ()),), (*outputs_of.get(group, ()),)
        if group is not root and group.instance:
            _put_output_first(graph, group)
        group.outputs = group.outputs or (() if group is root else (_last_edge(graph, group),))
        group.is_chain = group is not root and _is_chain(graph, group)
        group.steps = _steps(graph, group)
        inside = {edge for step in group.steps for edge in step.outputs}
        read = (edge for step in group.steps for edge in step.inputs)
        group.inputs = (*dict.fromkeys(edge for edge in read if edge not in inside),)
    root.inputs, root.outputs = (*range(graph.first_edge),), graph.outputs
    for group in called_groups(root):
        group.is_called = True
    return root


def called_groups(root: Group) -> Iterator[Group]:
    """The groups that are called as one unit, each before the groups inside it."""
    waiting = [root]
    while waiting:
        group = waiting.pop()
        yield group
        waiting.extend(unit for unit in reversed(group.called) if isinstance(unit, Group))


def groups_in(group: Group) -> Iterator[Group]:
    """The group and all groups inside it, each before the groups inside it."""
    waiting = [group]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(part for part in reversed(found.parts.values()) if isinstance(part, Group))


def layers_in(unit: Unit) -> Iterator[tuple[Keys, int]]:
    """The layers of a unit, each with the path to it."""
    waiting: list[tuple[Keys, Unit]] = [((), unit)]
    while waiting:
        keys, found = waiting.pop()
        if isinstance(found, int):
            yield keys, found
        else:
            waiting.extend(((*keys, key), part) for key, part in reversed(found.parts.items()))


def _tree(graph: Graph) -> tuple[Group, list[Group]]:
    """The root group, and the innermost group of every layer."""
    root = Group()
    parents = []
    for position, node in enumerate(graph.nodes):
        *containers, own = node.name.split(".")
        group = root
        for depth, key in enumerate(containers, start=1):
            part = group.parts.get(key)
            if not isinstance(part, Group):
                name = ".".join(containers[:depth])
                instance = next((instance for instance in node.instances if instance.name == name), None)
                is_repeat = instance is not None and instance.copies is not None
                part = group.parts[key] = Group(key, group, *((None, instance) if is_repeat else (instance, None)))
            group = part
        group.parts[own] = position
        parents.append(group)
    return root, parents


def _crossings(graph: Graph, parents: list[Group]) -> tuple[dict[Group, dict[int, None]], dict[Group, dict[int, None]]]:
    """The edges into each group, and the edges out of it."""
    inputs_of: dict[Group, dict[int, None]] = {}
    outputs_of: dict[Group, dict[int, None]] = {}

    def parent_of(edge: int) -> Group | None:
        position = graph.producer(edge)
        return None if position is None else parents[position]

    def leave(edge: int, inner: Group | None, around: set[Group]) -> None:
        while inner is not None and inner not in around:
            outputs_of.setdefault(inner, {})[edge] = None
            inner = inner.parent

    for position, node in enumerate(graph.nodes):
        around = set(_ancestors(parents[position]))
        for edge in node.sources:
            source = parent_of(edge)
            leave(edge, source, around)
            sources = set(_ancestors(source))
            for group in around - sources:
                inputs_of.setdefault(group, {})[edge] = None
    for edge in graph.outputs:
        leave(edge, parent_of(edge), set())
    return inputs_of, outputs_of


def _ancestors(group: Group | None) -> Iterator[Group]:
    while group is not None:
        yield group
        group = group.parent


def _put_output_first(graph: Graph, group: Group) -> None:
    """Sort a group's outputs: the block's output first, then the others in the order of the layers."""
    assert group.instance
    output = graph.block_outputs.get(group.instance.name)
    group.outputs = (*sorted(group.outputs, key=lambda edge: (graph.edge_names[edge] != output, edge)),)


def _last_edge(graph: Graph, group: Group) -> int:
    """The unconsumed output of a group."""
    return graph.edge(max(position for _, position in layers_in(group)))


def _step(graph: Graph, keys: Keys, unit: Unit) -> Step:
    if isinstance(unit, int):
        return Step(keys, unit, graph.nodes[unit].sources, (graph.edge(unit),))
    return Step(keys, unit, unit.inputs, unit.outputs)


def _is_chain(graph: Graph, group: Group) -> bool:
    """Whether parts are numbered from 0, each reads only the one before, and only the last is read outside."""
    if not is_numbered(group):
        return False
    if any(isinstance(part, Group) and part.is_open for part in group.parts.values()):
        return False
    steps = [_step(graph, (key,), part) for key, part in group.parts.items()]
    if any(len(step.inputs) != 1 or len(step.outputs) != 1 for step in steps):
        return False
    linked = all(step.inputs == before.outputs for before, step in pairwise(steps))
    return linked and group.outputs == steps[-1].outputs


def is_numbered(group: Group) -> bool:
    """Whether the names of the parts are 0, 1, …, as in containers of PyTorch."""
    return all(key == str(number) for number, key in enumerate(group.parts))


def _steps(graph: Graph, group: Group) -> tuple[Step, ...]:
    """The parts in topological order; groups that allow no such order are opened."""
    steps = [_step(graph, (key,), part) for key, part in group.parts.items()]
    while True:
        opened = {number for number, step in enumerate(steps) if isinstance(step.unit, Group) and step.unit.is_open}
        if not opened:
            order, stuck = _order(steps)
            if not stuck:
                return tuple(steps[number] for number in order)
            opened = {number for number in stuck if isinstance(steps[number].unit, Group)}
        steps = _opened(graph, steps, opened)


def _opened(graph: Graph, steps: list[Step], numbers: set[int]) -> list[Step]:
    """The steps with the groups at `numbers` replaced by their parts."""
    found: list[Step] = []
    for number, step in enumerate(steps):
        if number in numbers and isinstance(step.unit, Group):
            found.extend(_step(graph, (*step.keys, key), part) for key, part in step.unit.parts.items())
        else:
            found.append(step)
    return found


def _order(steps: list[Step]) -> tuple[list[int], set[int]]:
    """The topological order of the steps, and the steps that are part of a cycle."""
    producers = {edge: number for number, step in enumerate(steps) for edge in step.outputs}
    sources = [{producers[edge] for edge in step.inputs if edge in producers} for step in steps]
    readers: list[set[int]] = [set() for _ in steps]
    for number, found in enumerate(sources):
        for source in found:
            readers[source].add(number)
    first = [_first(step) for step in steps]
    order = _sorted(sources, readers, first)
    # Steps behind a cycle are left over as well; a sort from the end finds them.
    stuck = set(range(len(steps))) - set(order)
    return order, stuck and stuck - set(_sorted(readers, sources, first))


def _first(step: Step) -> int:
    """Steps that may run in any order keep the order of the network."""
    return min(step.outputs)


def _sorted(sources: list[set[int]], readers: list[set[int]], first: list[int]) -> list[int]:
    waiting = [len(found) for found in sources]
    ready = [(first[number], number) for number, count in enumerate(waiting) if not count]
    heapify(ready)
    order = []
    while ready:
        _, number = heappop(ready)
        order.append(number)
        for reader in readers[number]:
            waiting[reader] -= 1
            if not waiting[reader]:
                heappush(ready, (first[reader], reader))
    return order
