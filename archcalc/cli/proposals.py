"""Completions of arguments. Imported only to complete a command line; never imports torch."""

import os
import re
from collections.abc import Iterable
from itertools import islice

from click import Context
from click.shell_completion import CompletionItem

from archcalc.errors import ArchcalcError
from archcalc.graph import connect_sound
from archcalc.spec.document import SPEC_KIND, read_file, shipped_specs
from archcalc.spec.expansion import expand

MOST = 1000  # completions
MOST_ENTRIES = 10_000  # of a folder
MAX_BYTES = 2**20  # of a spec: reading the layers of a larger one is too slow
# A shell inserts a completion literally, so it must not contain shell syntax.
_HARMLESS = re.compile(r"[\w./,+@%=-]+")


def specs(incomplete: str) -> "list[CompletionItem[str]]":
    """Complete a shipped spec, a TOML file or a folder."""
    return files_or(shipped_specs(), incomplete)


def files_or(names: Iterable[str], incomplete: str) -> "list[CompletionItem[str]]":
    """Complete a name, a TOML file or a folder."""
    return [*matching([*names, *_toml_files(incomplete)], incomplete), CompletionItem(incomplete, type="dir")]


def layers(context: Context, incomplete: str) -> "list[CompletionItem[str]]":
    """Complete a layer or block of the spec on the command line."""
    names = _layer_names(context)
    return matching([*_blocks(names), *names], incomplete)


def blocks(context: Context, incomplete: str) -> "list[CompletionItem[str]]":
    """Complete a block of the spec on the command line."""
    return matching(_blocks(_layer_names(context)), incomplete)


def listed(names: Iterable[str], incomplete: str) -> "list[CompletionItem[str]]":
    """Complete the last name of a list with commas."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    return matching([f"{before}{comma}{name}" for name in names if name.startswith(last) and name not in named], before)


def matching(names: Iterable[str], incomplete: str) -> "list[CompletionItem[str]]":
    """The names that start with `incomplete`, each once."""
    found = (name for name in dict.fromkeys(names) if name.startswith(incomplete) and _HARMLESS.fullmatch(name))
    return [CompletionItem(name) for name in islice(found, MOST)]


def _toml_files(incomplete: str) -> list[str]:
    folder = os.path.dirname(incomplete)
    try:
        with os.scandir(os.path.expanduser(folder) or ".") as entries:
            names = [entry.name for entry in islice(entries, MOST_ENTRIES)]
    except (OSError, ValueError):
        return []
    return [os.path.join(folder, name) for name in sorted(names) if name.endswith(".toml")]


def _layer_names(context: Context) -> list[str]:
    """The names of all valid layers of a spec, which may be unfinished; none if it cannot be read.

    Input shapes are ignored, since no name depends on them.
    """
    # After an option without its value, click leaves the arguments unparsed.
    spec = context.params.get("spec") or next(iter(context.args), "")
    path = shipped_specs().get(spec, spec)
    try:
        # Reading a pipe would block.
        if not os.path.isfile(path) or os.path.getsize(path) > MAX_BYTES:
            return []
        document = read_file(path, SPEC_KIND)
        expansion = expand(document, context.params.get("variables") or {}, {}, bool(context.params.get("training")))
        return [*connect_sound(document, expansion).positions]
    except (ArchcalcError, OSError, ValueError):
        return []


def _blocks(names: Iterable[str]) -> list[str]:
    """The blocks around layers, from their names: `layer1` and `layer1.0` of `layer1.0.conv1`."""
    parts = (name.split(".") for name in names)
    return [*dict.fromkeys(".".join(part[:depth]) for part in parts for depth in range(1, len(part)))]
