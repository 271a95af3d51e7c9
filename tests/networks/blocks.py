"""Blocks: written for the inputs and arguments of their first instance, and used again."""

from typing import Any

from networks.entries import EntryWriter
from networks.scope import Scope
from networks.values import expressed, word


class BlockWriter(EntryWriter):
    """Writes blocks and instances of them."""

    def _use_block(self, scope: Scope) -> None:
        sources = [self._source(scope)]
        if self.choice.chance(20):
            sources.append(self.choice.of([*scope.edges]))
        if self.blocks and self.choice.chance(50):
            kind = self.choice.of([*self.blocks])
            sources = [self._source(scope) for _ in self.blocks[kind].get("inputs", ["input"])]
            self._add(scope, {"type": kind, "inputs": sources}, self._near_arguments(kind))
        elif made := self._new_block(scope, sources):
            kind, arguments = made
            if not self._add(scope, {"type": kind, "inputs": sources}, arguments):
                del self.blocks[kind]

    def _near_arguments(self, kind: str) -> dict[str, Any]:
        """The arguments of a further instance: those of the first, or similar ones."""
        found = {}
        for name, value in self.first_arguments[kind].items():
            if name not in self.blocks[kind]["defaults"] or self.choice.chance(50):
                found[name] = max(value + self.choice.integer(-1, 1), 1) if type(value) is int else value
        return found

    def _new_block(self, scope: Scope, sources: list[str]) -> tuple[str, dict[str, Any]] | None:
        """A block whose layers fit the shapes of the sources, and the arguments of this instance."""
        names = ["input"] if len(sources) == 1 and self.choice.chance(70) else ["left", "right"][: len(sources)]
        values = self._parameter_values()
        inner = Scope(
            dict(zip(names, (scope.edges[source] for source in sources), strict=True)),
            self._known(values),
            scope.depth + 1,
            taken=set(names),
        )
        inner.last = names[0] if len(names) == 1 else None
        name = f"{self.choice.of(['block', 'unit', 'Stage', 'conv bn', 'é'])}{len(self.blocks) or ''}"
        while name in self.blocks:
            name += "_"
        self.choice.several(1, 4, lambda: self.extend(inner))
        self._shortcut(inner, names[0])
        if not inner.entries or inner.last is None:
            return None
        arguments, defaults = self._arguments_and_defaults(values)
        if name in self.blocks or values.keys() & self.variables.keys():
            return None  # made inside it
        block: dict[str, Any] = {"parameters": [*arguments], "defaults": defaults, "layers": inner.entries}
        if names != ["input"]:
            block["inputs"] = names
        self.blocks[name] = block
        self.first_arguments[name] = values
        return name, arguments

    def _shortcut(self, inner: Scope, first: str) -> None:
        alike = inner.last not in (None, first) and inner.edges[inner.last] == inner.edges[first]
        if alike and "add" in self.wishes.types and self.choice.chance(60):
            self._layer_of(inner, "add", [inner.last, first])

    def _parameter_values(self) -> dict[str, Any]:
        choice, found = self.choice, dict[str, Any]()
        for _ in range(choice.integer(0, 3)):
            kind = choice.of(["number", "number", "number", "truth", "list", "word"])
            value: Any = choice.integer(1, 4)
            if kind == "list":
                value = [choice.integer(1, 3) for _ in range(choice.integer(1, 3))]
            elif kind != "number":
                value = choice.chance(50) if kind == "truth" else "same"
            found[word(choice, {*self.variables, *found})] = value
        return found

    def _arguments_and_defaults(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Arguments, and the defaults of parameters that the first instance leaves out."""
        defaults: dict[str, Any] = {}
        arguments = {name: value for name, value in values.items() if self.choice.chance(65)}
        for name in (name for name in values if name not in arguments):
            defaults[name] = expressed(self.choice, values[name], {**self.variables, **arguments, **defaults})
        return arguments, defaults
