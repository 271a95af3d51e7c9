"""At which sizes of its inputs a network works, keeps its weights, and leaves no remainder: proven for all, or tried.

The layers' own conditions and formulas run on a size that is not said (`archcalc.numbers.varying`). Where they decide
by it, the sizes are parted until each part has one answer. What that cannot do is tried size by size, and says so.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.resized_network import ResizedNetwork
from archcalc.analysis.size_sets import SizeSet, listed_sizes, union
from archcalc.layers.base import Tensor
from archcalc.numbers.varying import CutError, DealError, Progression, SplitError, UndecidedError, Varying

TRIED = 512  # sizes, one after the other, where nothing can be proven
MOST_TRIED = 2_048
MAX_STEPS = 200_000  # layers times sizes, or times parts of all sizes
MAX_PARTS = 10_000  # of all sizes
MAX_SIZES = 2**17  # of a set that are handled one by one

QUESTIONS = 5  # two that are proven, and three sets

Progress = Callable[[int, int], None]


def part_of(progress: Progress, number: int, count: int) -> Progress:
    """The progress of one of several parts as that of the whole."""
    return lambda done, whole: progress(number * whole + done, count * whole)


class Answers(NamedTuple):
    """Where all layers fit, where weights have the shapes of the spec's own size, and no stride leaves a remainder."""

    works: SizeSet
    same_weights: SizeSet
    no_remainder: SizeSet


class State(NamedTuple):
    """Some sizes, and what they have come to before the layer at `position`: the tensors that are still read."""

    sizes: Progression
    edges: tuple[Tensor | None, ...]
    position: int = 0
    same_weights: bool = True
    same_memory: bool = True  # of results, as layers in place find it

    def parted(self, split: SplitError) -> "list[State]":
        """The same for parts of the sizes."""
        if isinstance(split, CutError):
            parts = self.sizes.cut(split.k)
        else:
            assert isinstance(split, DealError)
            if split.count > MAX_PARTS:
                raise NotProvenError
            parts = self.sizes.dealt(split.count)
        return [self._replace(sizes=part, edges=tuple(_on(part, tensor) for tensor in self.edges)) for part in parts]


def _on(part: Progression, tensor: Tensor | None) -> Tensor | None:
    if tensor is None:
        return None
    return tensor._replace(shape=tuple(n.on(part) if isinstance(n, Varying) else n for n in tensor.shape))


class NotProvenError(Exception):
    """The sizes cannot be parted so that each part has one answer, or that takes too long."""


def find_answers(network: ResizedNetwork, progress: Progress = lambda _done, _all: None) -> Answers:
    """The three sets of sizes."""
    search = _Search(network)
    parts = [part_of(progress, number, QUESTIONS) for number in range(QUESTIONS)]
    works = search.proven([Progression()], parts[0], even=False)
    same = works and [state for state in works if state.same_weights]
    even = works and search.proven([state.sizes for state in works], parts[1], even=True)
    return Answers(
        search.set_of(works, search.works, parts[2]),
        search.set_of(same, search.keeps_weights, parts[3]),
        search.set_of(even, search.leaves_nothing, parts[4]),
    )


class _Search:
    """Runs a network on sizes."""

    def __init__(self, network: ResizedNetwork) -> None:
        self.network = network
        self.count = len(network.graph.nodes)
        self.runs = MAX_STEPS // max(self.count, 1)  # through all layers, one size each

    def works(self, size: int) -> bool:
        """Whether every layer fits at one size."""
        return bool(self._at(size, even=False))

    def keeps_weights(self, size: int) -> bool:
        """And whether the weights of the spec's own size do."""
        return any(state.same_weights for state in self._at(size, even=False))

    def leaves_nothing(self, size: int) -> bool:
        """Whether every layer fits, and no stride leaves positions at its end."""
        return bool(self._at(size, even=True))

    def _at(self, size: int, even: bool) -> list[State]:
        return self._run(State(Progression(1, 0, size, size + 1), self.network.inputs(size)), even)

    def proven(self, sizes: list[Progression], progress: Progress, even: bool) -> list[State] | None:
        """Those of some sizes at which it works, and leaves no remainder if `even`; None if that is not proven."""
        waiting = [State(part, self.network.inputs(part.size())) for part in sizes]
        found: list[State] = []
        steps, parts = 0, len(waiting)
        most = max(MAX_STEPS, 4 * (self.count + 1))  # so that any network may be run through some times
        while waiting:
            state = waiting.pop()
            try:
                results = self._run(state, even)
            except (NotProvenError, UndecidedError, TypeError, AttributeError):  # the last two: it wants a plain number
                return None
            for result in results:
                (found if result.position == self.count else waiting).append(result)
            steps += max((result.position for result in results), default=self.count) - state.position + 1
            parts += len(results)
            progress(len(found), len(found) + len(waiting))
            if steps > most or parts > MAX_PARTS:
                return None
        return found

    def _run(self, state: State, even: bool) -> list[State]:
        """What some sizes come to: all layers behind them, nothing if one does not fit, or parts where it depends."""
        edges, same_weights, same_memory = [*state.edges], state.same_weights, state.same_memory
        known: dict[Any, InferredLayer | None] = {}  # networks are made of layers that are alike
        for position in range(state.position, self.count):
            try:
                inferred = self.network.inferred(position, edges, known)
                if inferred is None or (even and self.network.drops(position, inferred)):
                    return []
                same_weights = same_weights and self.network.keeps_weights(position, inferred)
                # Asked of every layer, so that what depends on the size parts the sizes.
                same_memory = self.network.keeps_memory(position, inferred) and same_memory
                edges.append(inferred.output)
            except SplitError as split:
                left = self.network.still_read(edges, position)
                return State(state.sizes, left, position, same_weights, same_memory).parted(split)
        if not same_memory and self.network.overwrites(state.sizes.start):
            return []
        return [State(state.sizes, (), self.count, same_weights)]

    def set_of(self, states: list[State] | None, question: Callable[[int], bool], progress: Progress) -> SizeSet:
        """The set, as it is proven, or else as it is found by trying."""
        found = None if states is None else union([state.sizes for state in states], MAX_SIZES)
        if found is not None and all((size in found) == question(size) for size in self._asked(found)):
            return found
        tried = min(max(TRIED, 2 * self.network.size), MOST_TRIED, self.runs)
        sizes = [size for size in range(1, tried + 1) if _holds_at(size, tried, question, progress)]
        own = [self.network.size] if self.network.size > tried and question(self.network.size) else []
        return listed_sizes([*sizes, *own], tried)

    def _asked(self, found: SizeSet) -> list[int]:
        """The sizes at which what is proven is compared with what layers say: the network's own, and some more."""
        own, sizes = self.network.size, found.around(self.network.size)
        return sorted(sizes, key=lambda size: abs(size - own))[: max(1, self.runs)]


def _holds_at(size: int, tried: int, question: Callable[[int], bool], progress: Progress) -> bool:
    progress(size, tried)
    return question(size)
