"""A second reader of specs: Python's own `eval`, and a few lines for blocks, repeat, when and sharing."""

import math
import operator
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from networks import Drawn

from archcalc.layers import LAYER_TYPES
from archcalc.spec.expressions import round_to
from archcalc.spec.schema import ENTRY_KEYS
from surfaces.runner import loaded

FUNCTIONS = {"abs": abs, "ceil": math.ceil, "floor": math.floor, "int": int, "max": max, "min": min, "round": round}
NAMES = {**FUNCTIONS, "round_to": round_to, "sqrt": math.sqrt, "same": "same", "valid": "valid"}
WORDS = {"mode", "approximate", "reduction"}  # fields whose text is no expression
LITERAL_LIST = re.compile(r"\[[-\d, ]*,[-\d, ]*\]")  # in these specs, of two numbers or more


class Values(list[Any]):
    """A list with elementwise arithmetic, with a number or a list of the same length."""

    def paired(self, function: Callable[[Any, Any], Any], other: Any) -> "Values":
        others = other if isinstance(other, list) else [other] * len(self)
        return Values(function(one, two) for one, two in zip(self, others, strict=True))

    def __add__(self, other: Any) -> "Values":  # type: ignore[override]
        return self.paired(operator.add, other)

    def __sub__(self, other: Any) -> "Values":
        return self.paired(operator.sub, other)

    def __mul__(self, other: Any) -> "Values":  # type: ignore[override]
        return self.paired(operator.mul, other)

    def __floordiv__(self, other: Any) -> "Values":
        return self.paired(operator.floordiv, other)

    def __neg__(self) -> "Values":
        return self * -1

    __radd__, __rmul__ = __add__, __mul__


NAMES |= {"Values": Values, "true": True, "false": False, "__builtins__": {}}


def check_language(drawn: Drawn) -> None:
    """Every layer has the fields, inputs and weights of the text."""
    network, described = loaded(drawn), Reader(tomllib.loads(drawn.text), drawn.training).read(dict(drawn.variables))
    nodes = {node.name: node for node in network.graph.nodes}
    assert nodes.keys() == described.keys()
    edges = [*network.graph.inputs, *(node.name for node in network.graph.nodes)]
    for name, layer in described.items():
        node = nodes[name]
        assert node.layer == layer.layer, (name, node.layer, layer.layer)
        assert [edges[source] for source in node.sources] == layer.inputs, (name, layer.inputs)
        owner = None if node.owner is None else network.graph.nodes[node.owner].name
        assert owner == layer.owner, (name, owner, layer.owner)
        assert (node.trainable, node.functional) == (layer.trainable, layer.functional), name


@dataclass
class SpecLayer:
    """A layer as the text describes it."""

    layer: Any
    inputs: list[str]
    owner: str | None
    trainable: bool
    functional: bool


@dataclass
class Place:
    """The scope of an entry: its instance of a block, its variables, and the instance whose weights it uses."""

    prefix: str = ""
    variables: dict[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    weights: str | None = None  # the prefix of the instance whose weights are used
    trainable: bool = True


class Reader:
    """Reads the data of a valid spec."""

    def __init__(self, data: dict[str, Any], training: bool) -> None:
        self.data, self.training = data, training
        self.layers: dict[str, SpecLayer] = {}
        self.stands_for: dict[str, str] = {}
        self.names: set[str] = set()

    def read(self, variables: dict[str, Any]) -> dict[str, SpecLayer]:
        self.variables: dict[str, Any] = {"training": self.training}
        for name, value in self.data.get("variables", {}).items():
            self.variables[name] = evaluated(variables.get(name, value), self.variables)
        inputs = tuple(self.data["inputs"])
        self.entries(self.data["layers"], Place("", self.variables, inputs), inputs[0] if len(inputs) == 1 else "")
        for name, layer in self.layers.items():
            layer.inputs = [self.found(source) for source in layer.inputs]
            while (owner := layer.owner and self.found(layer.owner)) and self.layers[owner].owner:
                layer.owner = self.layers[owner].owner
            layer.owner = owner if owner != name else None
        return self.layers

    def found(self, name: str) -> str:
        while name in self.stands_for:
            name = self.stands_for[name]
        return name

    def entries(self, entries: list[dict[str, Any]], place: Place, before: str) -> str:
        taken = {*place.inputs, *(entry["name"] for entry in entries if "name" in entry)}
        for entry in entries:
            alone = place.prefix and len(entries) == 1 and "name" not in entry and "repeat" in entry
            name = entry.get("name") or ("" if alone else unused(entry["type"], taken))
            taken.add(name)
            read = entry.get("inputs") or ([entry["input"]] if "input" in entry else None)
            sources = [place.prefix + source for source in read] if read else [before]
            before = self.repeated(entry, name, place, sources)
        return before

    def repeated(self, entry: dict[str, Any], name: str, place: Place, sources: list[str]) -> str:
        full = place.prefix + name
        if "repeat" not in entry:
            self.entry(entry, name, "", place, sources)
            return full
        for index in range(evaluated(entry["repeat"], place.variables)):
            copy = Place(**vars(place) | {"variables": {**place.variables, "index": index}})
            number = f".{index}" if name else str(index)
            self.entry(entry, name, number, copy, sources)
            sources = [full + number, *sources[1:]]
        self.stands_for[full] = sources[0]
        return full

    def entry(self, entry: dict[str, Any], name: str, number: str, place: Place, sources: list[str]) -> None:
        full = place.prefix + name + number
        if not evaluated(entry.get("when", True), place.variables):
            self.stands_for[full] = sources[0]
            return
        self.names.add(full)
        weights = self.weights(entry, name, number, place)
        trainable = place.trainable and bool(evaluated(entry.get("trainable", True), place.variables))
        fields = {key: value for key, value in entry.items() if key not in ENTRY_KEYS}
        if entry["type"] not in LAYER_TYPES:
            self.block(entry["type"], fields, full, place, (sources, weights, trainable))
            return
        kind = LAYER_TYPES[entry["type"]]
        values = {key: value if key in WORDS else evaluated(value, place.variables) for key, value in fields.items()}
        functional = bool(evaluated(entry.get("functional", False), place.variables))
        self.layers[full] = SpecLayer(msgspec.convert(values, kind), sources, weights, trainable, functional)

    def weights(self, entry: dict[str, Any], name: str, number: str, place: Place) -> str | None:
        """The layer or block whose weights an entry uses; of a repeated entry, the copy with the same index."""
        if "weights" in entry:
            lender = place.prefix + entry["weights"]
            return lender + number if lender + number in self.names else lender
        return None if place.weights is None else place.weights + name + number

    def block(self, kind: str, fields: dict[str, Any], full: str, place: Place, instance: tuple[Any, ...]) -> None:
        block, (sources, weights, trainable) = self.data["blocks"][kind], instance
        names = tuple(block.get("inputs", ["input"]))
        self.stands_for |= {f"{full}.{name}": source for name, source in zip(names, sources, strict=True)}
        variables = self.variables | {key: evaluated(value, place.variables) for key, value in fields.items()}
        for name, value in block.get("defaults", {}).items():
            if name not in fields:
                variables[name] = evaluated(value, variables)
        inside = Place(f"{full}.", variables, names, weights and f"{weights}.", trainable)
        first = f"{full}.{names[0]}" if len(names) == 1 else ""
        self.stands_for[full] = self.entries(block["layers"], inside, first)


def unused(kind: str, taken: set[str]) -> str:
    numbered = (kind if number == 1 else f"{kind}_{number}" for number in range(1, len(taken) + 2))
    return next(name for name in numbered if name not in taken)


def evaluated(value: Any, variables: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return Values(evaluated(item, variables) for item in value)
    if not isinstance(value, str):
        return value
    found = eval(LITERAL_LIST.sub(r"Values(\g<0>)", value.strip()), NAMES, variables)
    return int(found) if isinstance(found, float) and found.is_integer() else found
