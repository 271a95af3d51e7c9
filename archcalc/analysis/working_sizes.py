"""Finds the input sizes at which a network works, keeps its weights, and leaves no remainder, by proof or by trial.

The constraints and formulas of layers run on a varying size (`archcalc.numbers.varying`). Where they branch on it, the
set of sizes is split until each part has one answer. If that fails, sizes are tried one by one, up to a bound.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from archcalc.analysis.inferred_layer import InferredLayer
from archcalc.analysis.resized_network import ResizedNetwork
from archcalc.analysis.size_sets import SizeSet, listed_sizes, union
from archcalc.layers.base import Tensor
from archcalc.numbers.varying import CutError, DealError, Progression, SplitError, UndecidedError, Varying

TRIED = 512  # sizes that are tried if nothing is proven
MOST_TRIED = 2_048
MAX_STEPS = 200_000  # layers times sizes, or times parts of the set of sizes
MAX_PARTS = 10_000  # of the set of sizes
MAX_SIZES = 2**17  # of a set that are listed one by one

QUESTIONS = 5  # steps of the progress: two proofs, and three sets

Progress = Callable[[int, int], None]


def part_of(progress: Progress, number: int, count: int) -> Progress:
    """A progress function for one of several parts of the whole."""
    return lambda done, whole: progress(number * whole + done, count * whole)


class Answers(NamedTuple):
    """The sizes at which all layers fit, weights have the shapes of the spec's size, and strides leave no remainder."""

    works: SizeSet
    same_weights: SizeSet
    no_remainder: SizeSet


class State(NamedTuple):
    """A set of sizes, and the tensors that the layers from `position` on still read."""

    sizes: Progression
    edges: tuple[Tensor | None, ...]
    position: int = 0
    same_weights: bool = True
    same_memory: bool = True  # whether in-place layers are as safe as at the spec's size

    def parted(self, split: SplitError) -> "list[State]":
        """The state split into states for parts of the sizes."""
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
    """The sizes cannot be split so that each part has one answer, or that takes too long."""


def find_answers(network: ResizedNetwork, progress: Progress = lambda _done, _all: None) -> Answers:
    """Find the three sets of sizes."""
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
    """Runs a network on sets of sizes."""

    def __init__(self, network: ResizedNetwork) -> None:
        self.network = network
        self.count = len(network.graph.nodes)
        self.runs = MAX_STEPS // max(self.count, 1)  # sizes that may be run through all layers

    def works(self, size: int) -> bool:
        """Whether every layer fits at a size."""
        return bool(self._at(size, even=False))

    def keeps_weights(self, size: int) -> bool:
        """Whether every layer fits, and weights have the shapes of the spec's size."""
        return any(state.same_weights for state in self._at(size, even=False))

    def leaves_nothing(self, size: int) -> bool:
        """Whether every layer fits, and no stride leaves positions at the end."""
        return bool(self._at(size, even=True))

    def _at(self, size: int, even: bool) -> list[State]:
        return self._run(State(Progression(1, 0, size, size + 1), self.network.inputs(size)), even)

    def proven(self, sizes: list[Progression], progress: Progress, even: bool) -> list[State] | None:
        """The sizes at which the network works, and leaves no remainder if `even`; None if that is not proven."""
        waiting = [State(part, self.network.inputs(part.size())) for part in sizes]
        found: list[State] = []
        steps, parts = 0, len(waiting)
        most = max(MAX_STEPS, 4 * (self.count + 1))  # a network of any length is run a few times
        while waiting:
            state = waiting.pop()
            try:
                results = self._run(state, even)
            except (NotProvenError, UndecidedError, TypeError, AttributeError):  # the last two: it needs a plain number
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
        """Run layers on a state: returns the end state, nothing if a layer does not fit, or the parts after a split."""
        edges, same_weights, same_memory = [*state.edges], state.same_weights, state.same_memory
        known: dict[Any, InferredLayer | None] = {}  # networks repeat layers
        for position in range(state.position, self.count):
            try:
                inferred = self.network.inferred(position, edges, known)
                if inferred is None or (even and self.network.drops(position, inferred)):
                    return []
                same_weights = same_weights and self.network.keeps_weights(position, inferred)
                # Every layer is checked, so that dependence on the size splits the sizes.
                same_memory = self.network.keeps_memory(position, inferred) and same_memory
                edges.append(inferred.output)
            except SplitError as split:
                left = self.network.still_read(edges, position)
                return State(state.sizes, left, position, same_weights, same_memory).parted(split)
        if not same_memory and self.network.overwrites(state.sizes.start):
            return []
        return [State(state.sizes, (), self.count, same_weights)]

    def set_of(self, states: list[State] | None, question: Callable[[int], bool], progress: Progress) -> SizeSet:
        """The proven set if it passes a test at samples, or else the set that trying finds."""
        found = None if states is None else union([state.sizes for state in states], MAX_SIZES)
        if found is not None and all((size in found) == question(size) for size in self._samples(found)):
            return found
        tried = min(max(TRIED, 2 * self.network.size), MOST_TRIED, self.runs)
        sizes = [size for size in range(1, tried + 1) if _holds_at(size, tried, question, progress)]
        own = [self.network.size] if self.network.size > tried and question(self.network.size) else []
        return listed_sizes([*sizes, *own], tried)

    def _samples(self, found: SizeSet) -> list[int]:
        """The sizes at which a proven set is tested: the network's own, and some around its ends."""
        own, sizes = self.network.size, found.around(self.network.size)
        return sorted(sizes, key=lambda size: abs(size - own))[: max(1, self.runs)]


def _holds_at(size: int, tried: int, question: Callable[[int], bool], progress: Progress) -> bool:
    progress(size, tried)
    return question(size)
