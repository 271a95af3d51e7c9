"""What a spec is expanded to: its layers, with edges still by name."""

from typing import TYPE_CHECKING

from msgspec import Struct

from archcalc.errors import Path, Problem
from archcalc.layers.base import Layer
from archcalc.spec.bindings import ExpandedInput
from archcalc.spec.evaluation import Variables
from archcalc.spec.expressions import Value
from archcalc.spec.names import Names

if TYPE_CHECKING:
    from archcalc.spec.budget import Limit
    from archcalc.spec.ignore import Ignored


# What there is many of is a Struct, which is made in a third of the time of a NamedTuple.
class Source(Struct, frozen=True, gc=False):
    """An edge that is not looked up yet: `name` as `scope` knows it, written at `path`."""

    scope: str
    name: str
    path: Path

    @property
    def is_written(self) -> bool:
        """Whether the spec names it; if not, it is the entry before."""
        return "layers" not in self.path[-2:]


class Instance(Struct, gc=False):
    """Layers under one name: a use of a block, or the copies of a repeated entry that has a name.

    `name` is its full name, `block` the block's (of copies what is repeated), `path` where the spec says so,
    `arguments` the values of the block's parameters. `copies` is how many there are; None for a use of a block.
    """

    name: str
    block: str
    path: Path
    arguments: Variables
    copies: int | None = None

    @property
    def type(self) -> str:
        """The block's name, and how often it is repeated: `basic ×3`."""
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
    """A spec with nothing left to evaluate.

    `aliases` are names that stand for another: a block instance for its last layer, a block's `input` for what it was
    given, an entry left out (`dropped`) or wrong (`broken`) for what it would have read, which is `loose`. `doubts` are
    the names in scopes where some are not known, by what stands in front of them.
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
    doubts: dict[str, Names]
    outputs: list[Source]
    last: Source | None
    budget: "tuple[Limit, ...]"
    ignored: "tuple[Ignored, ...]"
    problems: list[Problem]
