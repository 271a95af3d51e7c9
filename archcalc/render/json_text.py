"""Results for other programs."""

import re
from typing import Any

# What json leaves as it is, and a terminal would obey or not show; the line ends are json's own, between values.
_NOT_ASCII = re.compile(r"[^ -~\n]")


def json_text(value: Any, indent: int = 2) -> str:
    """The value as JSON that is safe to show: letters as they are, everything that cannot be printed escaped."""
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)
