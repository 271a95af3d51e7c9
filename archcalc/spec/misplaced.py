"""Layers in the wrong table of a spec that has no `layers` of its own; imported only for such a spec."""

from collections.abc import Iterator
from typing import Any

from archcalc.errors import Problem, quoted


def find_misplaced(data: dict[str, Any]) -> Iterator[Problem]:
    """Problems of `layers` or a layer's keys below the wrong header: TOML adds them to the table above."""
    inputs, budget = data.get("inputs"), data.get("budget")
    tables: dict[tuple[str, ...], Any] = {
        ("inputs",): inputs,
        ("variables",): data.get("variables"),
        ("budget",): budget,
    }
    for name, parts in (("inputs", inputs), ("budget", budget)):
        tables |= {(name, key): part for key, part in parts.items()} if isinstance(parts, dict) else {}
    for path, table in tables.items():
        if isinstance(table, dict) and _are_entries(table.get("layers")):
            header = f"[{quoted('.'.join(path))[1:-1]}]"
            message = f"layers is missing: below the header {header} it is a key of that table"
            remedy = f"write layers = … above {header}, or [[layers]] before each entry"
            yield Problem(message, (*path, "layers"), help=remedy)
    if isinstance(data.get("type"), str):
        message = "layers is missing: the keys of a layer are at the top level"
        yield Problem(message, ("type",), help="write [[layers]] above them")


def _are_entries(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(entry, dict) for entry in value)
