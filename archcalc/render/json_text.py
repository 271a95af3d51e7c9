"""Results as JSON."""

import re
from typing import Any

# The characters that json leaves unescaped and that a terminal may not print; line ends between values are json's own.
_NOT_ASCII = re.compile(r"[^ -~\n]")


def json_text(value: Any, indent: int = 2) -> str:
    """The value as JSON that is safe to print: printable characters are kept, all others escaped."""
    import json

    text = json.dumps(value, indent=indent, ensure_ascii=False)
    return _NOT_ASCII.sub(lambda found: found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1], text)
