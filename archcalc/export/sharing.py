"""Finds modules of a class that share weights, and decides how the source text shares them.

Modules with the same construct are one module under two names. Other modules stay separate and share the tensors.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from archcalc.export.construct import Construct, equal
from archcalc.export.weights import Weights
from archcalc.graph import Graph
from archcalc.structure import Group, Keys, Unit, groups_in, layers_in


class SharedLayer(NamedTuple):
    """A layer that uses the weights of another; both by their path in the enclosing group."""

    user: Keys
    owner: Keys


class Sharing(NamedTuple):
    """How weights are shared: `same` maps modules to the module they are, `tied` layers to an owner and its tensors."""

    same: dict[Keys, Keys]
    tied: dict[Keys, tuple[Keys, tuple[str, ...]]]


def find_shared(graph: Graph, root: Group, weights: Weights, plain: bool) -> dict[Group, list[SharedLayer]]:
    """The shared weights of each class: the innermost block instance with both layers; the network, if `plain`."""
    places = {part: (group, key) for group in groups_in(root) for key, part in _layers(group)}
    found: dict[Group, list[SharedLayer]] = {}
    first: dict[tuple[Group, int], int] = {}  # by class and owner: the layer whose weights others in the class use
    for position in dict.fromkeys(node.owner for node in graph.nodes if node.owner is not None):
        first.update({(group, position): position for group, _ in _way(*places[position])})
    for position, node in enumerate(graph.nodes):
        if node.owner is not None and weights.tensors(node.owner):
            user = _way(*places[position])
            known = (first[group, node.owner] for group, _ in user[::-1] if (group, node.owner) in first)
            owner = _way(*places[node.owner if plain else next(known)])
            group, depth = (root, 0) if plain else _innermost(user, owner)
            shared = SharedLayer(tuple(key for _, key in user[depth:]), tuple(key for _, key in owner[depth:]))
            found.setdefault(group, []).append(shared)
            for around, _ in user:
                first.setdefault((around, node.owner), position)
    return found


def _layers(group: Group) -> Iterator[tuple[str, int]]:
    for key, part in group.parts.items():
        if isinstance(part, int):
            yield key, part


def _way(group: Group, key: str) -> list[tuple[Group, str]]:
    """The enclosing groups of a layer, outermost first, each with the key that leads to the layer."""
    found = [(group, key)]
    while group.parent is not None:
        found.append((group.parent, group.key))
        group = group.parent
    return found[::-1]


def _innermost(user: list[tuple[Group, str]], owner: list[tuple[Group, str]]) -> tuple[Group, int]:
    """The innermost class that contains both layers, and its depth."""
    both = enumerate(zip(user, owner, strict=False))
    depth = max(depth for depth, (one, other) in both if one[0] is other[0] and one[0].has_class)
    return user[depth][0], depth


class Resolver:
    """Decides how the instances of a class share weights in the source text."""

    def __init__(
        self, graph: Graph, groups: list[Group], weights: Weights, construct: Callable[[Unit], Construct]
    ) -> None:
        self._nodes = graph.nodes
        self._groups = groups
        self._weights = weights
        self._construct = construct
        self._known: dict[tuple[Keys, Keys], bool] = {}

    def resolve(self, shared: tuple[SharedLayer, ...]) -> Sharing:
        """The sharing of whole blocks where possible, else of layers, else of tensors."""
        same: dict[Keys, Keys] = {}
        tied = {}
        for user, owner in shared:
            common = _common_end(user, owner)
            ends = (len(user) - cut for cut in range(common, -1, -1))
            pairs = ((user[:end], owner[: end + len(owner) - len(user)]) for end in ends)
            pair = next((pair for pair in pairs if self._is_same(*pair)), None)
            if pair:
                same[pair[0]] = pair[1]
            else:
                position = unit_at(self._groups[0], owner)
                assert isinstance(position, int)
                tied[user] = owner, self._weights.tensors(position)
        return Sharing(same, tied)

    def _is_same(self, user: Keys, owner: Keys) -> bool:
        if (user, owner) not in self._known:
            self._known[user, owner] = bool(user) and bool(owner) and self._compare(user, owner)
        return self._known[user, owner]

    def _compare(self, user: Keys, owner: Keys) -> bool:
        """Whether two units share all weights and have the same construct, in all instances."""
        for group in self._groups:
            one, other = unit_at(group, user), unit_at(group, owner)
            if any(isinstance(unit, Group) and not unit.is_called for unit in (one, other)):
                return False
            if not equal(self._construct(one), self._construct(other)):
                return False
            pairs = zip(layers_in(one), layers_in(other), strict=True)
            weighty = (pair for pair in pairs if self._weights.layers[pair[0][1]].dtype is not None)
            if any(self._holder(layer) != self._holder(owned) for (_, layer), (_, owned) in weighty):
                return False
        return True

    def _holder(self, position: int) -> int:
        """The layer that owns the weights of a layer."""
        owner = self._nodes[position].owner
        return position if owner is None else owner


def unit_at(group: Group, keys: Keys) -> Unit:
    """The unit at a path in a group."""
    unit: Unit = group
    for key in keys:
        assert isinstance(unit, Group)
        unit = unit.parts[key]
    return unit


def _common_end(one: Keys, other: Keys) -> int:
    """The number of equal keys at the ends of two paths."""
    length = 0
    while length < min(len(one), len(other)) - 1 and one[-1 - length] == other[-1 - length]:
        length += 1
    return length
