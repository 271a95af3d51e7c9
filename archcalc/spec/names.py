"""Names for the unnamed entries of a scope, and which of these names are doubtful."""

import re
from collections.abc import Collection
from typing import Any

from archcalc.layers import LAYER_TYPES


class EntryNames:
    """Names for the unnamed entries of one scope: `relu`, `relu_2`, …

    If the type of an unnamed entry is unknown, its name is doubtful, and so are later names with the same stem.
    """

    def __init__(self, entries: list[dict[str, Any]], taken: list[str], blocks: Collection[str]) -> None:
        self._owners = dict.fromkeys(taken, "an input")
        self._used = {*taken, *(name for data in entries if isinstance(name := data.get("name"), str))}
        self._counts: dict[str, int] = {}
        self._blocks = blocks
        self._shifted: set[str] = set()  # types that may have one more entry
        self._all_shifted = False
        self._doubtful: set[str] = set()

    def claim(self, name: str) -> str | None:
        """Reserve a name; return what has it already ("an input", "another entry"), if anything has."""
        owner = self._owners.get(name)
        self._owners.setdefault(name, "another entry")
        self._used.add(name)
        if owner:
            self._doubtful.add(name)
        return owner

    def next(self, type_name: str) -> str:
        """A name for the next entry of a type."""
        while True:
            count = self._counts.get(type_name, 0) + 1
            self._counts[type_name] = count
            name = type_name if count == 1 else f"{type_name}_{count}"
            if name not in self._used:
                self._used.add(name)
                if self._is_shifted(type_name):
                    self._doubtful.add(name)
                return name

    def doubt(self, types: list[str] | None) -> None:
        """Note an unnamed entry that is probably of one of these types; None for any type."""
        if types is None:
            self._all_shifted = True
        elif len(types) == 1:
            self._doubtful.add(self.next(types[0]))
        else:
            self._shifted.update(types)

    @property
    def in_doubt(self) -> bool:
        """Whether any name is doubtful."""
        return self._all_shifted or bool(self._shifted or self._doubtful)

    def is_doubtful(self, name: str) -> bool:
        """Whether it is unknown which entry has the name."""
        if name in self._used:
            return name in self._doubtful
        return self._is_shifted(name) or self._is_shifted(re.sub(r"_\d+$", "", name))

    def _is_shifted(self, type_name: str) -> bool:
        known = type_name in LAYER_TYPES or type_name in self._blocks
        return type_name in self._shifted or (self._all_shifted and known)
