"""The `[[ignore]]` of a spec: intended findings of `archcalc check`, with reasons. Imported where a spec has one."""

from collections.abc import Callable
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, Struct

from archcalc.errors import Path, Problem
from archcalc.spec.problems import convert
from archcalc.spec.schema import Expression

MAX_IGNORED = 100  # entries, and patterns of all entries together


class Ignore(Struct, forbid_unknown_fields=True):
    """An intended finding of `archcalc check`: the check's code or name, where, and why.

    `layers` are names of layers, inputs or blocks, with `*` for any letters; without them it holds everywhere.
    """

    code: Annotated[str, Meta(min_length=1)]
    reason: Annotated[str, Meta(min_length=1)]
    layers: Annotated[list[str], Meta(min_length=1)] | None = None
    when: bool | Expression = True


class Ignored(NamedTuple):
    """An entry whose `when` holds. `expected`: it is a finding itself if it matches none."""

    code: str
    layers: tuple[str, ...] | None
    path: Path
    expected: bool


def read_ignored(
    entries: list[dict[str, Any]], holds: Callable[[Any, Path], bool], expected: bool, problems: list[Problem]
) -> tuple[Ignored, ...]:
    """The entries whose `when` holds; each that makes no sense adds a problem."""
    found = []
    for number, data in enumerate(entries):
        path: Path = ("ignore", number)
        entry = convert(data, Ignore, path, problems)
        if entry and (entry.when is True or holds(entry.when, (*path, "when"))):
            found.append(Ignored(entry.code, None if entry.layers is None else tuple(entry.layers), path, expected))
    patterns = sum(len(entry.layers or ()) for entry in found)
    if max(len(entries), patterns) > MAX_IGNORED:
        message = f"more than {MAX_IGNORED} entries or names to ignore"
        problems.append(Problem(message, ("ignore",), help="name blocks, or use patterns: stage*.shortcut"))
    return tuple(found)
