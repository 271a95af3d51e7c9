"""The typed form of a spec, and the JSON Schema for editors."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Expression = Annotated[str, Meta(description="an expression: arithmetic on numbers and variables")]
Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^.]+$")]
Named = Annotated[dict[str, Any], Meta(max_length=1_000)]
Words = Annotated[list[str], Meta(min_length=1)]
DType = Literal["float32", "float64", "float16", "bfloat16", "int64", "int32"]


class InputTable(Struct, forbid_unknown_fields=True):
    """An input: its shape without the batch, its dtype, and the number of nonzeros of a sparse one."""

    shape: list[Annotated[int, Meta(ge=1)]]
    dtype: DType = "float32"
    nonzeros: Annotated[int, Meta(ge=0)] | None = None


class Block(Struct, forbid_unknown_fields=True):
    """Layers under a name, used like a layer type."""

    layers: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    parameters: Annotated[list[str], Meta(max_length=1_000)] = []
    defaults: Named = {}
    inputs: Words = msgspec.field(default_factory=lambda: ["input"])


class Spec(Struct, forbid_unknown_fields=True):
    """A whole spec."""

    name: str
    inputs: dict[str, Any]
    layers: Annotated[list[dict[str, Any]], Meta(min_length=1)]
    source: str | None = None
    variables: Named = {}
    blocks: dict[str, Any] = {}
    outputs: Words | None = None
    budget: dict[str, Any] = {}
    ignore: list[dict[str, Any]] = []


class Entry(Struct):
    """The keys that every entry of `layers` may have, whatever its type."""

    type: str
    name: Name | None = None
    input: str | None = None
    inputs: Words | None = None
    repeat: Annotated[int, Meta(ge=0)] | Expression | None = None
    when: bool | Expression = True
    weights: str | None = None
    trainable: bool | Expression = True
    functional: bool | Expression = False


ENTRY_KEYS = Entry.__struct_fields__
