"""A spec's data as TOML text, in one of several styles."""

import re
from typing import Any

from networks.choice import Choice

BARE = re.compile(r"[A-Za-z0-9_-]+")
ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t"}


def inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, dict):
        return (
            "{ " + ", ".join(f"{key(name)} = {inline(item)}" for name, item in value.items()) + " }" if value else "{}"
        )
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(inline, value))}]"
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def quoted(text: str) -> str:
    return f'"{"".join(map(_letter, text))}"'


def _letter(letter: str) -> str:
    if letter in ESCAPED:
        return ESCAPED[letter]
    return letter if letter.isprintable() else f"\\U{ord(letter):08x}"


def key(name: str) -> str:
    return name if BARE.fullmatch(name) else quoted(name)


def to_toml(data: dict[str, Any], choice: Choice | None = None) -> str:
    """The text of a spec: its entries in one list, or as separate tables."""
    tables = {name: data[name] for name in ("variables", "inputs", "budget") if name in data}
    lines = [f"{name} = {inline(data[name])}" for name in ("name", "source", "outputs") if name in data]
    apart = choice is not None and choice.chance(20)
    if not apart:
        lines += _entries("layers", data["layers"])
    for name, table in tables.items():
        lines += [f"[{name}]", *(f"{key(item)} = {inline(value)}" for item, value in table.items())]
    for entry in data.get("ignore", []):
        lines += ["[[ignore]]", *(f"{item} = {inline(value)}" for item, value in entry.items())]
    for name, block in data.get("blocks", {}).items():
        lines.append(f"[blocks.{key(name)}]")
        lines += [f"{item} = {inline(value)}" for item, value in block.items() if item != "layers"]
        lines += _entries("layers", block["layers"])
    if apart:
        for entry in data["layers"]:
            lines += ["[[layers]]", *(f"{key(item)} = {inline(value)}" for item, value in entry.items())]
    return "\n".join(lines) + "\n"


def _entries(name: str, entries: list[dict[str, Any]]) -> list[str]:
    return [f"{name} = [", *(f"  {inline(entry)}," for entry in entries), "]"]
