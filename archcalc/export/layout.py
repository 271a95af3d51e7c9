"""Lays out Python source text in lines of at most 88 characters, broken as common formatters do."""

from collections.abc import Sequence
from typing import Any

WIDTH = 88
INDENT = "    "

Lines = list[str]


def literal(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, tuple | list):
        return f"({', '.join(map(literal, value))}{',' * (len(value) == 1)})"
    return repr(value)


def _quoted(text: str) -> str:
    """A string literal in double quotes, or in single quotes if these need fewer backslashes."""
    body = repr(text + "'\"")[1:-1].removesuffix("\\'\"").replace("\\'", "'")
    if text.count('"') > text.count("'"):
        return "'" + body.replace("'", "\\'") + "'"
    return '"' + body.replace('"', '\\"') + '"'


class Call:
    """A call or a collection in brackets: `nn.Linear(4, 2)`, a tuple.

    A trailing comma keeps formatters from joining its lines again.
    """

    def __init__(self, function: str, items: Sequence["Item"], brackets: str = "()") -> None:
        self.function = function
        self.items = items
        self.before, self.after = brackets[0], brackets[1]

    def __str__(self) -> str:
        is_tuple = self.function[-1:] in ("", "=") and self.before == "("
        comma = "," if len(self.items) == 1 and is_tuple else ""
        return f"{self.function}{self.before}{', '.join(map(str, self.items))}{comma}{self.after}"

    @property
    def is_flat(self) -> bool:
        """Whether its items may share a line of their own."""
        return len(self.items) > 1 and all(isinstance(item, str) for item in self.items)

    def lines(self, before: str, after: str, depth: int) -> Lines:
        """The call in lines, with a text before and after it."""
        line = f"{INDENT * depth}{before}{self}{after}"
        if len(line) <= WIDTH or not self.items:
            return [line]
        inner = [INDENT * (depth + 1) + ", ".join(map(str, self.items))]
        if len(inner[0]) > WIDTH or not self.is_flat:
            inner = [line for item in self.items for line in item_lines(item, ",", depth + 1)]
        margin = INDENT * depth
        return [f"{margin}{before}{self.function}{self.before}", *inner, f"{margin}{self.after}{after}"]


class Repeat:
    """Copies of an item by a comprehension: as arguments, `*(Block(64) for _ in range(3))`, or as a list."""

    def __init__(self, item: "Item", loop: str, is_list: bool = False) -> None:
        self.item = item
        self.loop = loop
        self.before, self.after = ("[", "]") if is_list else ("*(", ")")

    def __str__(self) -> str:
        return f"{self.before}{self.item} {self.loop}{self.after}"

    def lines(self, before: str, after: str, depth: int) -> Lines:
        """The copies in lines, with a text before and after them; on one line if they fit."""
        line = f"{INDENT * depth}{before}{self}{after}"
        if len(line) <= WIDTH:
            return [line]
        inner = f"{INDENT * (depth + 1)}{self.item} {self.loop}"
        apart = [*item_lines(self.item, "", depth + 1), f"{INDENT * (depth + 1)}{self.loop}"]
        lines = [inner] if len(inner) <= WIDTH else apart
        return [f"{INDENT * depth}{before}{self.before}", *lines, f"{INDENT * depth}{self.after}{after}"]


Item = str | Call | Repeat


def item_lines(item: Item, after: str, depth: int) -> Lines:
    """An item on its own lines."""
    return [f"{INDENT * depth}{item}{after}"] if isinstance(item, str) else item.lines("", after, depth)


def value_text(value: Any, name: str = "") -> Item:
    """A value as an item, with the argument's name in front; a long tuple can be broken."""
    before = f"{name}=" if name else ""
    if not isinstance(value, tuple | list) or len(literal(value)) < WIDTH // 2:
        return before + literal(value)
    return Call(before, [value_text(item) for item in value])


def docstring(text: str, depth: int) -> Lines:
    """A docstring in wrapped lines; nothing in the text can end its quotes."""
    import textwrap

    width = WIDTH - len(INDENT) * depth
    wrapped: Lines = []
    for paragraph in text.split("\n"):
        wrapped += textwrap.wrap(_clean(paragraph), width, break_long_words=False, break_on_hyphens=False) or [""]
    wrapped[0] = f'"""{wrapped[0]}'
    if len(wrapped) == 1 and len(wrapped[0]) + 3 <= width:
        wrapped[0] += '"""'
    else:
        wrapped.append('"""')
    return [f"{INDENT * depth}{line}".rstrip() for line in wrapped]


def _clean(text: str) -> str:
    """A text of a spec without characters that have a meaning in a docstring."""
    from archcalc.errors import printable

    return " ".join(printable(text).replace("\\", "\\\\").replace('"', "'").split())
