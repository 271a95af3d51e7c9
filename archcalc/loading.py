"""Loads a network from the text of a spec."""

from collections.abc import Mapping, Sequence
from os import PathLike, fspath
from typing import Any

from archcalc.errors import UsageError
from archcalc.graph import connect_sound
from archcalc.network import Network
from archcalc.spec.document import SpecDocument, parse, read
from archcalc.spec.expansion import expand


def load(
    path_or_name: str | PathLike[str],
    *,
    variables: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    training: bool = False,
    batch: int = 1,
) -> Network:
    """Read a spec and return its network.

    `path_or_name` is a TOML file, the name of a shipped spec such as `"lenet5"`, or `"-"` for standard input.
    `variables` replaces values of the spec's `[variables]`, `inputs` shapes of its `[inputs]` (without the batch axis).
    `training` keeps the entries with `when = "training"`. `batch` multiplies operations; shapes exclude it.

    Raises SpecError with every fault of the spec, ShapeError if layers do not fit together, and UsageError for invalid
    arguments.
    """
    return _analyse(read(path_of(path_or_name)), variables, inputs, training, batch)


def loads(
    text: str,
    *,
    variables: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    training: bool = False,
    batch: int = 1,
) -> Network:
    """Return the network of a spec's text; otherwise the same as `load`."""
    if not isinstance(text, str):
        raise UsageError(f"loads takes the text of a spec, not {type(text).__name__}")
    return _analyse(parse(text), variables, inputs, training, batch)


def path_of(spec: str | PathLike[str]) -> str:
    """The path or name of a spec as text. Raises UsageError for an object that is neither."""
    if isinstance(spec, Network):
        raise UsageError(f"{spec.name!r} is loaded already", "use the network itself")
    if not isinstance(spec, str | PathLike):
        kind = type(spec).__name__
        raise UsageError(f"a spec is a file, or the name of a shipped one, and not a {kind}", "loads takes its text")
    return fspath(spec)


def _analyse(
    document: SpecDocument,
    variables: Mapping[str, Any] | None,
    inputs: Mapping[str, Sequence[int]] | None,
    training: bool,
    batch: int,
) -> Network:
    if type(batch) is not int or batch < 1:
        raise UsageError(f"batch must be a whole number, 1 or more, and is {batch!r}")
    settings = mapping_of("variables", variables)
    shapes = {name: sizes_of(name, shape) for name, shape in mapping_of("inputs", inputs).items()}
    return Network(connect_sound(document, expand(document, settings, shapes, training)), batch)


def mapping_of(name: str, value: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """The mapping that an argument is, empty for None. Raises UsageError for anything else."""
    if not isinstance(value, Mapping | None):
        raise UsageError(f"{name} must be a mapping from names, and is {value!r}")
    return value or {}


def sizes_of(name: str, shape: Sequence[Any], words: bool = False) -> list[Any]:
    """The shape of an input as a list; with `words`, a size may be a name. Raises UsageError for anything else."""
    sizes = [size for size in shape if not (words and isinstance(size, str))]
    if isinstance(shape, str) or not all(type(size) is int and size > 0 for size in sizes):
        also = ", or names" if words else ""
        raise UsageError(f"the shape of input {name!r} must be whole numbers, 1 or more{also}, and is {shape!r}")
    return list(shape)
