"""Source text of classes in `archcalc.pytorch.modules` and their dependencies, without importing PyTorch."""

import ast
import re
from collections.abc import Iterable
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple


class Copied(NamedTuple):
    """Import statements and definitions, in source order."""

    imports: list[str]
    definitions: list[str]


class ModuleSource:
    """The source of the modules that torch.nn lacks."""

    def __init__(self) -> None:
        file = Path(__file__).parent.parent / "pytorch" / "modules.py"
        self._text = file.read_text("utf-8")
        tree = ast.parse(self._text)
        kinds = ast.ClassDef | ast.FunctionDef
        self._definitions = {item.name: item for item in tree.body if isinstance(item, kinds)}
        self._imports = [item for item in tree.body if isinstance(item, ast.Import | ast.ImportFrom)]

    def has_import(self, item: ast.stmt) -> bool:
        """Whether the source has an import statement, so that copies may need it."""
        return any(
            isinstance(item, ast.Import | ast.ImportFrom)
            and isinstance(known, type(item))
            and getattr(known, "module", None) == getattr(item, "module", None)
            and {(one.name, one.asname) for one in item.names} <= {(one.name, one.asname) for one in known.names}
            for known in self._imports
        )

    def is_copy(self, item: ast.stmt) -> bool:
        """Whether a definition is equal to one in the source."""
        known = self._definitions.get(getattr(item, "name", ""))
        return known is not None and ast.dump(known) == ast.dump(item)

    @cached_property
    def names(self) -> set[str]:
        """The names that the source defines."""
        return {*self._definitions}

    def copy(self, names: Iterable[str]) -> Copied:
        """The definitions of some names and of all names that these use, with the imports."""
        needed: set[str] = set()
        used = set[str]()
        waiting = [*names]
        while waiting:
            name = waiting.pop()
            if name in self._definitions and name not in needed:
                needed.add(name)
                found = {node.id for node in ast.walk(self._definitions[name]) if isinstance(node, ast.Name)}
                used |= found
                waiting.extend(found)
        definitions = [self._source(item) for name, item in self._definitions.items() if name in needed]
        return Copied([text for item in self._imports if (text := _import(item, used))], definitions)

    def _source(self, item: ast.stmt) -> str:
        lines = self._text.splitlines()[item.lineno - 1 : item.end_lineno]
        return "\n".join(re.sub(r"  # type: ignore.*", "", line) for line in lines)


@cache
def module_source() -> ModuleSource:
    """The module source, cached: parsing it takes longer than exporting a small network."""
    return ModuleSource()


def _import(item: ast.Import | ast.ImportFrom, used: set[str]) -> str | None:
    """An import statement reduced to the used names; None if none is used."""
    names = [alias.name for alias in item.names if (alias.asname or alias.name) in used]
    if not names:
        return None
    if isinstance(item, ast.ImportFrom):
        return f"from {item.module} import {', '.join(names)}"
    return f"import {', '.join(names)}"
