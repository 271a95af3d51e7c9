"""Values of a spec: whether an annotation allows them, and their text in messages."""

from typing import Any

import msgspec

from archcalc.errors import quoted


def is_right(value: Any, annotation: Any) -> bool:
    """Whether an annotation allows a value."""
    try:
        msgspec.convert(value, annotation)
    except msgspec.ValidationError:
        return False
    return True


def kind_of(value: Any) -> str:
    """The kind of a value, in the words of TOML."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "text", list: "a list"}
    return next((text for kind, text in kinds.items() if isinstance(value, kind)), "a table")


def format_value(value: Any) -> str:
    """A value in TOML's notation, shortened to 80 letters."""
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        text = f"[{', '.join(map(format_value, value[:80]))}]"
    else:
        text = "a table" if isinstance(value, dict) else str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
