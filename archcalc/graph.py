"""The network as a graph: layers in topological order."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING

from msgspec import Struct

from archcalc.errors import Path, Problem, Remedy, UsageError, did_you_mean, quoted
from archcalc.layers.base import NONZEROS_UNKNOWN, Layer, Tensor
from archcalc.numbers.bounds import Unknown
from archcalc.spec.bindings import ExpandedInput
from archcalc.spec.document import SpecDocument
from archcalc.spec.evaluation import TooLargeError
from archcalc.spec.expanded import ExpandedLayer, Expansion, Instance, Source
from archcalc.spec.expense import end_search

if TYPE_CHECKING:
    from archcalc.spec.budget import Limit
    from archcalc.spec.ignore import Ignored


class Node(Struct, frozen=True, gc=False):
    """A layer in the graph. `sources` has the numbers of the edges that it reads, as in `Graph`."""

    name: str
    layer: Layer
    sources: tuple[int, ...]
    path: Path  # of its entry in the spec
    instances: tuple[Instance, ...]  # the blocks and repeated entries it is in, outermost first
    owner: int | None  # the node whose weights it uses
    trainable: bool
    functional: bool  # the published code calls a function, and has no module for it


class Graph(Struct, frozen=True, dict=True):
    """A network. Edges are numbered: the inputs first, then the outputs of the nodes, in order."""

    document: SpecDocument
    name: str
    source: str | None
    variables: dict[str, object]
    inputs: dict[str, Tensor]
    nodes: list[Node]
    outputs: tuple[int, ...]
    block_outputs: dict[str, str]  # the output layer of each instance of a block, by names
    left_out: set[str]  # entries whose `when` does not hold
    ignored: "tuple[Ignored, ...]"  # the findings of `check` that the spec ignores
    budget: "tuple[Limit, ...]"  # the limits of the spec
    problems: tuple[Problem, ...] = ()  # the faults of the spec; if there are any, the graph has the valid layers only
    others: tuple[ExpandedLayer, ...] = ()  # the layers that depend on something wrong

    @cached_property
    def first_edge(self) -> int:
        """The number of the first node's output; the edges before it are inputs."""
        return len(self.inputs)

    def edge(self, position: int) -> int:
        """The number of a node's output."""
        return self.first_edge + position

    def producer(self, edge: int) -> int | None:
        """The position of the node whose output an edge is; None for an input of the network."""
        position = edge - self.first_edge
        return None if position < 0 else position

    @cached_property
    def edge_names(self) -> tuple[str, ...]:
        """The names of all edges, by number: of inputs, then of nodes."""
        return (*self.inputs, *(node.name for node in self.nodes))

    @cached_property
    def positions(self) -> dict[str, int]:
        """The position of every node, by name."""
        return {node.name: position for position, node in enumerate(self.nodes)}

    @cached_property
    def readers(self) -> list[list[int]]:
        """The positions of the nodes that read each edge, in order; a node that reads it twice is listed twice."""
        found: list[list[int]] = [[] for _ in range(self.edge(len(self.nodes)))]
        for position, node in enumerate(self.nodes):
            for source in node.sources:
                found[source].append(position)
        return found

    def ancestors(self, edges: Iterable[int]) -> set[int]:
        """The edges and all edges that they depend on."""
        found = {*edges}
        for position in reversed(range(len(self.nodes))):
            if self.edge(position) in found:
                found.update(self.nodes[position].sources)
        return found

    def position(self, layer: str) -> int:
        """The position of a layer's node. Raises UsageError if no layer has that name."""
        if layer in self.positions:
            return self.positions[layer]
        inside = next((name for name in self.positions if name.startswith(f"{layer}.")), None)
        if inside:
            raise UsageError(f"{quoted(layer)} is a block", f"name one of its layers, such as {quoted(inside)}")
        if is_within(layer, self.left_out):
            hint = "--training keeps what exists in training alone"
            remedy = "see its when" if self.variables["training"] else hint
            raise UsageError(f"layer {quoted(layer)} is left out here", remedy)
        raise UsageError(f"no layer is called {quoted(layer)}", did_you_mean(layer, self.positions))


def connect(document: SpecDocument, expansion: Expansion) -> Graph:
    """Resolve every edge and sort the layers topologically. Raises SpecError for unknown names and cycles."""
    graph = connect_sound(document, expansion)
    if graph.problems:
        raise document.error(graph.problems)
    return graph


def connect_sound(document: SpecDocument, expansion: Expansion) -> Graph:
    """Return the graph of the layers that depend on nothing wrong, with the spec's problems."""
    return _Connector(document, expansion).connect()


class _Connector:
    def __init__(self, document: SpecDocument, expansion: Expansion) -> None:
        self.document = document
        self.expansion = expansion
        self.problems = [*expansion.problems]
        self.numbers = {item.name: -1 - i for i, item in enumerate(expansion.inputs)}
        self.not_found: set[Path] = set()
        self.known: dict[tuple[str, bool], list[str]] = {}  # names by scope, without and with those inside of blocks
        # Before sorting, a layer's number is its index in the expansion; inputs have negative numbers.
        self.numbers.update({layer.name: number for number, layer in enumerate(expansion.layers)})

    def connect(self) -> Graph:
        try:
            return self._connect()
        except TooLargeError:
            raise self.document.error(self.problems) from None

    def _connect(self) -> Graph:
        layers = self.expansion.layers
        found = [[self._find(source) for source in layer.sources] for layer in layers]
        sources = [[number for number in numbers if number is not None] for numbers in found]
        for source in self.expansion.loose:
            self._find(source)
        owners = self._owners()
        others: tuple[ExpandedLayer, ...] = ()
        outputs = self._outputs()
        order = self._order(sources)
        if self.problems:
            order = self._sound(order, found)
            sound = {*order}
            others = tuple(layer for number, layer in enumerate(layers) if number not in sound)
            owners = [owner if owner in sound else None for owner in owners]
            outputs = []
        edges = {-1 - i: i for i in range(len(self.expansion.inputs))}
        edges.update({number: len(edges) + position for position, number in enumerate(order)})
        return Graph(
            document=self.document,
            name=self.expansion.name,
            source=self.expansion.source,
            variables=dict(self.expansion.variables),
            inputs={item.name: _tensor(item) for item in self.expansion.inputs},
            nodes=self._nodes(order, sources, owners, edges),
            outputs=tuple(edges[output] for output in outputs),
            block_outputs=self._block_outputs(),
            left_out=self.expansion.dropped,
            ignored=self.expansion.ignored,
            budget=self.expansion.budget,
            problems=tuple(self.problems),
            others=others,
        )

    def _sound(self, order: list[int], found: list[list[int | None]]) -> list[int]:
        """The layers of `order` that depend on no missing layer."""
        sound: set[int] = set()
        for number in order:
            sources = found[number]
            if sources and all(source is not None and (source < 0 or source in sound) for source in sources):
                sound.add(number)
        return [number for number in order if number in sound]

    def _nodes(
        self, order: list[int], sources: list[list[int]], owners: list[int | None], edges: dict[int, int]
    ) -> list[Node]:
        """The layers in topological order, with edges and owners by their numbers in that order."""
        positions = {number: position for position, number in enumerate(order)}
        nodes = []
        for number in order:
            layer, owner = self.expansion.layers[number], owners[number]
            read = tuple([edges[source] for source in sources[number]])
            owned = None if owner is None else positions[owner]
            kept = layer.path, layer.instances, owned, layer.trainable, layer.functional
            nodes.append(Node(layer.name, layer.layer, read, *kept))
        return nodes

    def _block_outputs(self) -> dict[str, str]:
        if self.problems:
            return {}
        names = dict.fromkeys(instance.name for layer in self.expansion.layers for instance in layer.instances)
        found = {name: self._find(Source("", name, ())) for name in names}
        layers = self.expansion.layers
        return {name: layers[number].name for name, number in found.items() if number is not None and number >= 0}

    def _find(self, source: Source) -> int | None:
        """The number of the layer or input that a name stands for, through all aliases."""
        name = source.scope + source.name
        seen = dict[str, None]()
        while True:
            if self.expansion.doubts and self._is_doubtful(source):
                return None
            if name in self.numbers:
                break
            if is_within(name, self.expansion.broken):
                return None  # its own problem is reported already
            if name in seen or name not in self.expansion.aliases:
                self._not_found(source, name in seen)
                return None
            seen[name] = None
            source = self.expansion.aliases[name]
            name = source.scope + source.name
        found = self.numbers[name]
        self.numbers.update(dict.fromkeys(seen, found))  # later lookups skip the aliases
        return found

    def _is_doubtful(self, source: Source) -> bool:
        """Whether the entry, or one that it is in, may be an entry of unknown type."""
        prefix = ""
        for part in (source.scope + source.name).split(".") if source.is_written else ():
            names = self.expansion.doubts.get(prefix)
            if names is not None and names.is_doubtful(part):
                return True
            prefix += f"{part}."
        return False

    def _not_found(self, source: Source, circular: bool) -> None:
        if source.path in self.not_found:
            return
        self.not_found.add(source.path)
        end_search(self.problems)
        if circular:
            self.problems.append(Problem(f"{quoted(source.name)} is read in a cycle of entries left out", source.path))
        elif source.path[-1:] == ("weights",):
            message = f"no layer is called {quoted(source.scope + source.name)}"
            self.problems.append(Problem(message, source.path, help=self._remedy(source)))
        elif is_within(source.scope + source.name, self.expansion.dropped):
            message = f"{quoted(source.name)} is left out here, with the block that it is in"
            self.problems.append(Problem(message, source.path, help="leave out what reads it as well"))
        else:
            message = f"no layer or input is called {quoted(source.name)}"
            self.problems.append(Problem(message, source.path, help=self._remedy(source)))

    def _remedy(self, source: Source) -> str | Remedy:
        if source.scope and source.name in self.numbers:
            return f"a block has names of its own: make {quoted(source.name)} one of its inputs"
        return Remedy(source.name, lambda: did_you_mean(source.name, self._known(source)))

    def _known(self, source: Source) -> list[str]:
        """The names in the scope of an edge; names inside of blocks only if the edge names one."""
        scope, inside = source.scope, "." in source.name
        if (scope, inside) not in self.known:
            local = [name[len(scope) :] for name in (*self.numbers, *self.expansion.aliases) if name.startswith(scope)]
            self.known[scope, inside] = sorted({name for name in local if inside or "." not in name})
        copies = self.copies.get(source.path[:2]) or self.copies.get(source.path[:4], [])  # in a block
        own = {name.removeprefix(scope) for name in copies}
        return [name for name in self.known[scope, inside] if name not in own]

    @cached_property
    def copies(self) -> dict[Path, list[str]]:
        """The names of the layers that each entry expands to."""
        found: dict[Path, list[str]] = {}
        for layer in self.expansion.layers:
            found.setdefault(layer.path, []).append(layer.name)
        return found

    def _outputs(self) -> list[int]:
        wanted = self.expansion.outputs
        # An output that is left out is ignored; without a list the last layer is the output.
        named = [source for source in wanted if not is_within(source.name, self.expansion.dropped)]
        if wanted and not named:
            hint = "" if self.expansion.variables["training"] else ", or use --training"
            remedy = f"name one that always exists{hint}"
            self.problems.append(Problem("every output is left out", ("outputs",), help=remedy))
        last = [self.expansion.last] if self.expansion.last else []
        found = [self._find(source) for source in (named if wanted else last)]
        return [number for number in found if number is not None]

    def _owners(self) -> list[int | None]:
        """The layer at the end of each layer's chain of `weights`; None for a layer with weights of its own."""
        layers = self.expansion.layers
        if all(layer.weights is None for layer in layers):
            return [None] * len(layers)
        nearest = [self._lender(layer) for layer in layers]
        owners: dict[int, int] = {}
        for start in range(len(layers)):
            chain, number = dict[int, None](), start
            while number not in owners and number not in chain and (lender := nearest[number]) is not None:
                chain[number] = None
                number = lender
            if number in chain:
                message = f"the weights of {quoted(layers[number].name)} are its own, in a cycle"
                self.problems.append(Problem(message, (*layers[number].path, "weights")))
            owners.update(dict.fromkeys([*chain, number], owners.get(number, number)))
        return [owner if (owner := owners[number]) != number else None for number in range(len(layers))]

    def _lender(self, layer: ExpandedLayer) -> int | None:
        if layer.weights is None:
            return None
        name = layer.weights.scope + layer.weights.name
        if is_within(name, self.expansion.broken) or self._is_doubtful(layer.weights):
            return None
        message = "an input has no weights"
        if is_within(name, self.expansion.dropped):
            message = f"the weights of {quoted(layer.weights.name)} are left out with it"
        elif (number := self._find(layer.weights)) is None or number >= 0:
            return number
        self.problems.append(Problem(message, layer.weights.path, help="name a layer that always exists"))
        return None

    def _order(self, sources: list[list[int]]) -> list[int]:
        """A topological order: the order of the spec, except for layers that read later ones."""
        if all(source < number for number, found in enumerate(sources) for source in found):
            return [*range(len(sources))]
        waiting = [sum(source >= 0 for source in found) for found in sources]
        readers: defaultdict[int, list[int]] = defaultdict(list)
        for number, found in enumerate(sources):
            for source in found:
                readers[source].append(number)
        ready = [number for number, count in enumerate(waiting) if count == 0]
        heapify(ready)
        order: list[int] = []
        while ready:
            number = heappop(ready)
            order.append(number)
            for reader in readers[number]:
                waiting[reader] -= 1
                if waiting[reader] == 0:
                    heappush(ready, reader)
        if len(order) < len(sources):
            self.problems.extend(map(self._circular, _cycles(sources, set(range(len(sources))) - set(order))))
        return order

    def _circular(self, cycle: list[int]) -> Problem:
        layers = [self.expansion.layers[number] for number in cycle]
        # The numbers run against the direction of the edges.
        names = [quoted(layer.name) for layer in reversed(layers)]
        shown = " → ".join(names if len(names) <= 12 else [*names[:6], "…", *names[-5:]])
        message = f"layers read each other in a cycle: {shown}"
        return Problem(message, layers[0].path, help="change one of their inputs")


def _cycles(sources: list[list[int]], left: set[int]) -> Iterator[list[int]]:
    """Cycles among the layers `left`, each from a layer to itself; of cycles that share layers only one."""
    done: set[int] = set()
    for start in sorted(left):
        trail = {start: iter(sources[start])} if start not in done else {}
        while trail:
            number, unread = next(reversed(trail.items()))
            source = next((source for source in unread if source in left and source not in done), None)
            if source is None:
                trail.popitem()
                done.add(number)
            elif source in trail:
                numbers = [*trail]
                cycle = numbers[numbers.index(source) :]
                yield [*cycle, source]
                done.update(cycle)
                for number in cycle:
                    del trail[number]
            else:
                trail[source] = iter(sources[source])


def is_within(name: str, names: set[str]) -> bool:
    """Whether `names` has the name, or an instance of a block that contains it."""
    return bool(names) and (name in names or any(name[: dot.start()] in names for dot in re.finditer(r"\.", name)))


def _tensor(item: ExpandedInput) -> Tensor:
    nonzeros = Unknown(NONZEROS_UNKNOWN) if item.other_nonzeros else item.table.nonzeros
    return Tensor(tuple(item.table.shape), item.table.dtype, nonzeros)
