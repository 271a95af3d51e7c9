"""Entries: layers that read existing edges, branches that meet, layers that share weights."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from archcalc.layers import LAYER_TYPES
from archcalc.layers.base import Layer, Tensor, Tensors, elements
from networks.choice import Choice
from networks.layers import FIELDS
from networks.scope import Entry, Scope, Tried, fits, try_entries, types_for
from networks.values import expressed, fresh, word

MOST_VALUES = 6_000  # on an edge
MOST_COPIES = 4
KINDS = ("map2d", "map2d", "map1d", "map3d", "features", "tokens", "graph", "sequence")


@dataclass(frozen=True)
class Wishes:
    """Options of the generator.

    `types`: the allowed layer types. `inputs`: kinds of inputs, from KINDS; repeat a kind to draw it more often.
    `sizes`: smallest and largest size of an axis of positions. `layers`: largest number of entries outside blocks.
    `language`: whether to use blocks, repeat, expressions, when, shared and frozen weights and odd names, or only a
    plain graph of layers. `dtypes`: whether to draw floating-point inputs other than float32. `several`: whether to
    draw several inputs.
    """

    types: frozenset[str] = frozenset(LAYER_TYPES)
    inputs: tuple[str, ...] = KINDS
    sizes: tuple[int, int] = (3, 14)
    layers: int = 8
    language: bool = True
    dtypes: bool = True
    several: bool = True


class EntryWriter:
    """Writes entries, decision by decision. Abstract: blocks are written by `networks.blocks`."""

    def __init__(self, choice: Choice, wishes: Wishes) -> None:
        self.choice = choice
        self.wishes = wishes
        self.variables: dict[str, Any] = {}
        self.blocks: dict[str, Any] = {}
        self.first_arguments: dict[str, dict[str, Any]] = {}  # the arguments that each block was made with
        self.training = wishes.language and choice.chance(25)

    def rare(self, percent: int) -> bool:
        """True with this probability, but never for a plain graph of layers."""
        return self.wishes.language and self.choice.chance(percent)

    def _known(self, parameters: dict[str, Any]) -> Mapping[str, Any]:
        """The names for expressions: parameters of a block, and the variables, of which there may be more later."""
        return ChainMap(parameters, self.variables, {"training": self.training})

    def extend(self, scope: Scope) -> None:
        """One more entry, or a few that belong together."""
        kind = self.choice.of(["layer"] * 5 + ["merge", "branches", "block", "block", "shared"])
        if kind == "merge" and len(scope.edges) > 1:
            self._merge(scope)
        elif kind == "branches":
            self._branches(scope)
        elif kind == "block" and self.wishes.language and scope.depth < 3:
            self._use_block(scope)
        elif kind == "shared" and self.wishes.language and scope.lenders:
            self._share(scope)
        else:
            self._layer(scope, self._source(scope))

    def _source(self, scope: Scope) -> str:
        if scope.last is not None and self.choice.chance(80):
            return scope.last
        return self.choice.of([*scope.edges])

    def _layer(self, scope: Scope, source: str) -> str | None:
        """A layer of a type that accepts the shape of `source`."""
        tensor = scope.edges[source]
        if tensor.nonzeros is not None:  # an adjacency is for graph convolutions
            return self._graph_convolution(scope)
        adjacency = self._adjacency(scope, tensor)
        if adjacency and self.choice.chance(40) and "gcn_conv" in self.wishes.types:
            return self._layer_of(scope, "gcn_conv", [source, adjacency])
        kinds = types_for(len(tensor.shape), tensor.dtype, self.wishes.types)
        return self._layer_of(scope, self.choice.of(kinds), [source]) if kinds else None

    def _adjacency(self, scope: Scope, tensor: Tensor) -> str | None:
        if len(tensor.shape) != 2:
            return None
        nodes = tensor.shape[0]
        found = [name for name, other in scope.edges.items() if other.shape == (nodes, nodes)]
        return self.choice.of(found) if found else None

    def _graph_convolution(self, scope: Scope) -> str | None:
        for name, tensor in reversed(scope.edges.items()):
            adjacency = self._adjacency(scope, tensor)
            if adjacency and tensor.nonzeros is None and "gcn_conv" in self.wishes.types:
                return self._layer_of(scope, "gcn_conv", [name, adjacency])
        return None

    def _layer_of(self, scope: Scope, kind: str, sources: list[str]) -> str | None:
        tensors = tuple(scope.edges[source] for source in sources)
        fields = self._fields(kind, tensors)
        if fields is None:
            return None
        return self._add(scope, {"type": kind, "inputs": sources}, fields)

    def _fields(self, kind: str, tensors: Tensors) -> dict[str, Any] | None:
        """Fields with which the layer fits; fewer or simpler ones if necessary."""
        for _ in range(3):
            fields = FIELDS[kind](self.choice, tensors)
            layer = converted(kind, fields)
            if layer is not None and fits(layer, tensors) and elements(layer.output_shape(tensors)) <= MOST_VALUES:
                return fields
        return None

    def _merge(self, scope: Scope) -> None:
        """Merges existing edges."""
        first = self.choice.of([*scope.edges])
        kinds = [kind for kind in ("add", "mul", "cat", "multi_head_attention") if kind in self.wishes.types]
        kind = self.choice.of(kinds)
        one = scope.edges[first]
        rows = [name for name, other in scope.edges.items() if other.nonzeros is None and meets(kind, one, other)]
        if not rows or one.nonzeros is not None:
            return
        if kind == "multi_head_attention":
            key = self.choice.of(rows)
            values = [name for name in rows if scope.edges[name].shape[0] == scope.edges[key].shape[0]]
            sources = [first, key, self.choice.of(values)]
        else:
            sources = [first, *(self.choice.of(rows) for _ in range(self.choice.of([1, 1, 2])))]
        self._layer_of(scope, kind, sources)

    def _branches(self, scope: Scope) -> None:
        """Branches from one edge, and the layer that merges them."""
        source = self._source(scope)
        ends: list[str | None] = []
        self.choice.several(1, 3, lambda: ends.append(self._way(scope, source)))
        found = [*dict.fromkeys(end for end in ends if end)]
        meeting = [source, *found] if len(found) < 2 or self.choice.chance(40) else found
        for kind in self._meetings():
            one = scope.edges[meeting[0]] if meeting else None
            if len(meeting) > 1 and one and all(meets(kind, one, scope.edges[end]) for end in meeting[1:]):
                self._layer_of(scope, kind, meeting)
                return

    def _meetings(self) -> list[str]:
        kinds = [kind for kind in ("add", "mul", "cat") if kind in self.wishes.types]
        first = self.choice.integer(0, len(kinds) - 1) if kinds else 0
        return kinds[first:] + kinds[:first]

    def _way(self, scope: Scope, source: str) -> str | None:
        end: str | None = source
        for _ in range(self.choice.of([1, 1, 2])):
            end = self._same_size(scope, end) if self.choice.chance(60) else self._layer(scope, end)
            if end is None:
                return None
        return end

    def _same_size(self, scope: Scope, source: str) -> str | None:
        """A layer that keeps a shape with which branches can be merged."""
        tensor = scope.edges[source]
        channels, *sizes = tensor.shape or (1,)
        kernel = self.choice.of([1, 3])
        window = {"kernel_size": kernel, "padding": kernel // 2}
        options: list[Entry] = [{"type": "relu"}, {"type": "sigmoid"}, {"type": "dropout"}]
        if 1 <= len(sizes) <= 3:
            convolution = {"type": f"conv{len(sizes)}d", "out_channels": channels, **window}
            pooling = {"type": f"max_pool{len(sizes)}d", "stride": 1, **window}
            squeeze = {"type": f"adaptive_avg_pool{len(sizes)}d", "output_size": 1}
            options += [convolution, convolution, pooling, squeeze]
        if len(tensor.shape) <= 2:
            options.append({"type": "linear", "out_features": [1, *tensor.shape][-1]})
        takes = types_for(len(tensor.shape), tensor.dtype, self.wishes.types)
        fitting = [entry for entry in options if entry["type"] in takes]
        if not fitting or tensor.nonzeros is not None:
            return None
        kind, fields = (chosen := dict(self.choice.of(fitting))).pop("type"), chosen
        return self._add(scope, {"type": kind, "inputs": [source]}, fields)

    def _share(self, scope: Scope) -> None:
        """A copy of a layer or a block that shares its weights, on an edge of the same shape."""
        name = self.choice.of([*scope.lenders])
        entry = scope.lenders[name]
        shapes = [scope.edges[source] for source in entry["inputs"]]
        inputs = [self.choice.of([edge for edge, other in scope.edges.items() if other == tensor]) for tensor in shapes]
        self._add(scope, entry | {"inputs": inputs, "weights": name}, {}, lender=name)

    def _add(self, scope: Scope, entry: Entry, fields: dict[str, Any], lender: str | None = None) -> str | None:
        """Adds the entry with its fields and the common keys of entries, if it fits; returns its name."""
        choice = self.choice
        entry = entry | self._common(scope, entry["type"], fields)
        unnamed = lender is None and choice.chance(30)
        name = scope.next_name(entry["type"]) if unnamed else fresh(choice, scope.taken, 10 * self.wishes.language)
        named = {"name": name, **entry}
        others = [{"name": lender, **scope.lenders[lender]}] if lender else []
        tried = try_entries([*others, named], name, scope, self.blocks, self.training)
        if tried is None or elements(tried.output.shape) > MOST_VALUES:
            return None
        self._know(scope, name, entry, tried)
        scope.entries.append(self._written(scope, dict(entry if unnamed else named)))
        scope.last = name
        return name

    def _common(self, scope: Scope, kind: str, fields: dict[str, Any]) -> Entry:
        """The fields, and common keys of entries."""
        if not self.wishes.language:
            return fields
        choice, known = self.choice, scope.known
        entry: Entry = {}
        if choice.chance(25 if kind in self.blocks else 12):
            count = self._copies(known)
            entry["repeat"] = expressed(choice, count, known)
            fields = self._by_index(fields, count)
        if choice.chance(35):
            fields = {name: expressed(choice, value, known) for name, value in fields.items()}
        if choice.chance(10):
            entry["when"] = self._condition(known)
        if choice.chance(8):
            entry["trainable"] = expressed(choice, choice.chance(20), known)
        if kind in LAYER_TYPES and choice.chance(6):
            entry["functional"] = expressed(choice, choice.chance(80), known)
        return fields | entry

    def _copies(self, known: Mapping[str, Any]) -> int:
        counts = [value for value in known.values() if type(value) is int and value <= MOST_COPIES]
        return self.choice.of(counts if counts and self.choice.chance(60) else [2, 3, 1, 0])

    def _by_index(self, fields: dict[str, Any], count: int) -> dict[str, Any]:
        """The fields, one of whose numbers comes from a list by the copy's index, or is calculated from the index."""
        numbers = [name for name, value in fields.items() if type(value) is int]
        if not numbers or not self.choice.chance(75):
            return fields
        field = self.choice.of(numbers)
        value = fields[field]
        form = self.choice.of(["list", "list", "list", "growing", "first", "index"])
        if form == "index" and value == 0:
            return fields | {field: "index"}
        if form == "growing":
            return fields | {field: f"{value} + index"}
        if form == "first":
            return fields | {field: f"{value} if index == 0 else {self.choice.integer(1, 2)}"}
        name = word(self.choice, {*self.variables, *self._parameters()})
        self.variables[name] = [value, *(self.choice.integer(1, 3) for _ in range(max(count - 1, 0)))]
        return fields | {field: f"{name}[index]"}

    def _parameters(self) -> set[str]:
        return {name for block in self.blocks.values() for name in (*block["parameters"], *block["defaults"])}

    def _condition(self, known: Mapping[str, Any]) -> Any:
        conditions = ["training", "not training", expressed(self.choice, True, known)]
        return self.choice.of([*conditions, expressed(self.choice, self.choice.chance(60), known)])

    def _know(self, scope: Scope, name: str, entry: Entry, tried: Tried) -> None:
        scope.taken.add(name)
        scope.edges[name] = tried.output
        inner = [*tried.layers.items()]
        for edge, tensor in inner[:3]:
            if self.choice.chance(30):
                scope.edges[edge] = tensor
        if "." not in "".join(entry["inputs"]) and "weights" not in entry and "when" not in entry:
            scope.lenders[name] = {key: value for key, value in entry.items() if key != "trainable"}

    def _written(self, scope: Scope, entry: Entry) -> Entry:
        """The entry as it is written: a single input may be left out if it is the entry above, or be no list."""
        inputs = entry["inputs"]
        if len(inputs) == 1 and inputs[0] == scope.last and self.choice.chance(75):
            del entry["inputs"]
        elif len(inputs) == 1 and self.choice.chance(70):
            del entry["inputs"]
            entry["input"] = inputs[0]
        return entry

    def _use_block(self, scope: Scope) -> None:
        raise NotImplementedError


def converted(kind: str, fields: dict[str, Any]) -> Layer | None:
    try:
        return msgspec.convert(fields, LAYER_TYPES[kind])
    except msgspec.ValidationError:
        return None


def meets(kind: str, one: Tensor, other: Tensor) -> bool:
    """Whether two edges can meet in a layer of this type."""
    floating = one.dtype.startswith(("float", "bfloat")) and one.dtype == other.dtype
    if kind == "multi_head_attention":
        return floating and len(one.shape) == len(other.shape) == 2
    if kind == "cat":
        alike = len(one.shape) == len(other.shape) > 0
        return alike and sum(a != b for a, b in zip(one.shape, other.shape, strict=True)) <= 1
    pairs = zip(reversed(one.shape), reversed(other.shape), strict=False)
    return all(a == b or 1 in (a, b) for a, b in pairs)
