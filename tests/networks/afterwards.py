"""Changes a finished spec: in-place layers, arithmetic on lists, ignored findings, other values.

These decisions come last, so that more of them do not change the rest of a seed's network.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from archcalc.analysis.lint import RULES
from archcalc.layers import LAYER_TYPES
from networks.entries import EntryWriter
from networks.scope import Entry, load
from networks.values import of_lists

Values = tuple[tuple[str, Any], ...]


class Finisher:
    """Changes the data of a spec, decision by decision."""

    def __init__(self, writer: EntryWriter, data: dict[str, Any]) -> None:
        self.writer, self.choice, self.data = writer, writer.choice, data

    def finish(self) -> Values:
        """Changes the data; returns other values for some of the variables, with which it also loads."""
        for entry in [*self._entries()]:
            self._work_in_place(entry)
            self._calculate_lists(entry)
        if self.writer.rare(10):
            self.data["ignore"] = [self._ignored() for _ in range(self.choice.integer(1, 3))]
        return self._other_values() if self.writer.rare(15) else ()

    def mixed(self, variables: Values) -> dict[str, Any] | None:
        """The data with its layers in random order, some before their inputs; None if they are no network then."""
        entries, names = self.data["layers"], Counter[str]()
        taken = {*self.data["inputs"], *(entry["name"] for entry in entries if "name" in entry)}
        before = next(iter(self.data["inputs"]))
        found: list[Entry] = []
        for entry in entries:
            name = entry.get("name") or _next_name(entry["type"], names, taken)
            reads = {} if "input" in entry or "inputs" in entry else {"input": before}
            found.append({"name": name, **entry, **reads})
            before = name
        found = [found.pop(self.choice.integer(0, len(found) - 1)) for _ in entries]
        data = {"outputs": [before], **self.data, "layers": found}
        return data if load(data, self.writer.training, dict(variables)) else None

    def _entries(self) -> Iterator[Entry]:
        for part in (self.data, *self.data.get("blocks", {}).values()):
            yield from part["layers"]

    def _work_in_place(self, entry: Entry) -> None:
        layer = LAYER_TYPES.get(entry["type"])
        if layer and "inplace" in layer.__struct_fields__ and "inplace" not in entry and self.writer.rare(50):
            entry["inplace"] = True
            if not load(self.data, self.writer.training):
                del entry["inplace"]

    def _calculate_lists(self, entry: Entry) -> None:
        for name, value in entry.items():
            numbers = isinstance(value, list) and len(value) > 1 and all(type(item) is int for item in value)
            if numbers and self.writer.rare(20):
                entry[name] = of_lists(self.choice, value, self.writer.variables)

    def _ignored(self) -> dict[str, Any]:
        known = self.choice.of(RULES)
        entry = {"code": self.choice.of([known.code, known.name, known.code[:2], "X9"]), "reason": "it is meant"}
        if self.choice.chance(60):
            names = [item["name"] for item in self.data["layers"] if "name" in item] + ["*", "b*", "*1"]
            entry["layers"] = [self.choice.of(names) for _ in range(self.choice.integer(1, 2))]
        if self.choice.chance(20):
            entry["when"] = self.choice.of(["training", "not training"])
        return entry

    def _other_values(self) -> Values:
        found: dict[str, Any] = {}
        for name, value in self.writer.variables.items():
            other = {**found, name: self._another(value)}
            if type(value) in (int, bool, float) and load(self.data, self.writer.training, other):
                found = other
        return tuple(found.items())

    def _another(self, value: Any) -> Any:
        if isinstance(value, bool):
            return not value
        return self.choice.integer(1, 4) if isinstance(value, int) else self.choice.of([1.5, 0.5, 2.0])


def _next_name(type_name: str, counts: Counter[str], taken: set[str]) -> str:
    """The name that archcalc gives the next unnamed entry of a type."""
    while True:
        counts[type_name] += 1
        name = type_name if counts[type_name] == 1 else f"{type_name}_{counts[type_name]}"
        if name not in taken:
            taken.add(name)
            return name
