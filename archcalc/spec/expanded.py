"""The result of expanding a spec: its layers, with edges still by name."""

from typing import TYPE_CHECKING

from msgspec import Struct

from archcalc.errors import Path, Problem
from archcalc.layers.base import Layer
from archcalc.spec.bindings import ExpandedInput
from archcalc.spec.evaluation import Variables
from archcalc.spec.expressions import Value
from archcalc.spec.names import EntryNames

if TYPE_CHECKING:
    from archcalc.spec.budget import Limit
    from archcalc.spec.ignore import Ignored


# Classes with many instances are Structs: constructing one takes a third of the time of a NamedTuple.
class Source(Struct, frozen=True, gc=False):
    """An edge whose producer is not looked up yet: `name`, local to `scope`, written at `path`."""

    scope: str
    name: str
    path: Path

    @property
    def is_written(self) -> bool:
        """Whether the spec names the producer; if not, it is the entry before."""
        return "layers" not in self.path[-2:]


class Instance(Struct, gc=False):
    """Layers under one name: an instance of a block, or all copies of a repeated entry that has a name.

    `name` is the full name, `block` the name of the block or of the repeated type, `path` the place of the entry in the
    spec, `arguments` the values of the block's parameters. `copies` is their number; None for an instance of a block.
    """

    name: str
    block: str
    path: Path
    arguments: Variables
    copies: int | None = None

    @property
    def type(self) -> str:
        """The block's name, and the number of copies: `basic ×3`."""
        return self.block if self.copies is None else f"{self.block} ×{self.copies}"


class ExpandedLayer(Struct, frozen=True, gc=False):
    """One layer of the network, with its inputs still by name."""

    name: str
    layer: Layer
    sources: tuple[Source, ...]
    path: Path
    instances: tuple[Instance, ...]  # outermost first
    weights: Source | None
    trainable: bool
    functional: bool


class Expansion(Struct, frozen=True, gc=False):
    """A spec with every expression evaluated and every block expanded.

    `aliases` are names that stand for another edge: a block instance for its last layer, a block's `input` for the
    instance's input, an entry left out (`dropped`) or wrong (`broken`) for its own first input. `loose` are edges that
    wrong entries and blocks read. `doubts` are the names of scopes in which some are unknown, by the scope's prefix.
    """

    name: str
    source: str | None
    variables: dict[str, Value]
    inputs: list[ExpandedInput]
    layers: list[ExpandedLayer]
    aliases: dict[str, Source]
    dropped: set[str]
    broken: set[str]
    loose: list[Source]
    doubts: dict[str, EntryNames]
    outputs: list[Source]
    last: Source | None
    budget: "tuple[Limit, ...]"
    ignored: "tuple[Ignored, ...]"
    problems: list[Problem]
