"""Finds the line of a value in a spec. Imported only for a diagnostic."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import tree_sitter_toml
from tree_sitter import Language, Node, Parser

from archcalc.errors import MAX_NESTING, Path, Place, excerpt


class Positions:
    """Finds the place of a value by its key path; with `paths`, of the values on these paths alone."""

    def __init__(self, source: str, text: str, paths: Iterable[Path] | None = None) -> None:
        self.source = source
        self.lines = text.split("\n")
        self._content = text.encode()
        self._paths = paths

    def place(self, path: Path) -> Place:
        """The line of the value, or of the nearest enclosing table that the text has."""
        for length in range(len(path), 0, -1):
            if (line := self._line_by_path.get(path[:length])) is not None:
                return Place(self.source, line + 1, excerpt(self.lines[line]))
        return Place(self.source)

    @cached_property
    def _line_by_path(self) -> dict[Path, int]:
        tree = Parser(Language(tree_sitter_toml.language())).parse(self._content)
        return _Reader(self._paths).read(tree.root_node)


class _Reader:
    """Walks the syntax tree once and notes the line of each key path."""

    def __init__(self, paths: Iterable[Path] | None) -> None:
        self.sought = None if paths is None else {path[:length] for path in paths for length in range(1, len(path) + 1)}
        self.lines: dict[Path, int] = {}
        self.table_counts: dict[Path, int] = {}

    def read(self, root: Node) -> dict[Path, int]:
        for node in root.named_children:
            if node.type == "pair":
                self._pair(node, ())
            elif node.type in ("table", "table_array_element"):
                self._table(node)
        return self.lines

    def _table(self, node: Node) -> None:
        key, *pairs = (child for child in node.named_children if child.type != "comment")
        path = self._current(_keys(key))
        if node.type == "table_array_element":
            index = self.table_counts.get(path, 0)
            self.table_counts[path] = index + 1
            self.lines.setdefault(path, node.start_point[0])
            path = (*path, index)
        self._note(path, node)
        for pair in pairs if self._leads(path) else ():
            self._pair(pair, path)

    def _leads(self, path: Path) -> bool:
        """Whether a path that is looked for may start with this one."""
        return self.sought is None or path in self.sought

    def _current(self, keys: list[str]) -> Path:
        """The path of a table's header; in an array of tables, that of its latest table."""
        path: Path = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if position < len(keys) - 1 and path in self.table_counts:
                path = (*path, self.table_counts[path] - 1)
        return path

    def _pair(self, node: Node, path: Path) -> None:
        # An explicit stack, since a stranger's file may nest deeply.
        waiting: list[tuple[Any, Path]] = [(node, path)]
        while waiting:
            current, prefix = waiting.pop()
            if current.type == "pair":
                key, value = (child for child in current.named_children if child.type != "comment")
                prefix = (*prefix, *_keys(key))[: MAX_NESTING + 1]
                self._note(prefix, current)
                waiting.append((value, prefix))
            elif current.type == "inline_table":
                waiting.extend((child, prefix) for child in current.named_children if child.type == "pair")
            elif current.type == "array":
                items = [child for child in current.named_children if child.type != "comment"]
                inside = [(item, (*prefix, index)) for index, item in enumerate(items) if self._leads((*prefix, index))]
                for item, path_of_item in inside:
                    self._note(path_of_item, item)
                waiting.extend(inside)

    def _note(self, path: Path, node: Node) -> None:
        """Note the line of a value, and of enclosing tables that have none yet."""
        for length in range(min(len(path), MAX_NESTING), 0, -1):
            if length < len(path) and path[:length] in self.lines:
                break
            self.lines[path[:length]] = node.start_point[0]


def _keys(node: Node) -> list[str]:
    """The parts of a bare, quoted or dotted key."""
    parts: list[str] = []
    # The node of a dotted key nests: all but the last part, then the last part; a stranger's key may have thousands.
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if current.type == "dotted_key":
            waiting.extend(current.named_children)
        else:
            parts.append(_key(current))
    return parts[::-1]


def _key(node: Node) -> str:
    text = (node.text or b"").decode()
    if node.type == "quoted_key":
        import tomllib

        return next(iter(tomllib.loads(f"{text} = 0")))
    return text
