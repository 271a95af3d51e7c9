"""Valid Python names from the names of a spec, which may be any text."""

import re
import unicodedata
from keyword import iskeyword

MAX_NAME = 40
MAX_LOCAL = 20
MAX_OPERANDS = 70  # letters of an expression; a longer one becomes a module

# Names that generated code uses itself, and letters that linters call ambiguous.
TAKEN = {"self", "owner", "user", "torch", "nn", "functional", "super", "len", "max", "min", "range", "float"}
TAKEN |= {"layer", "index", "l", "O", "I"}


def is_plain(name: str) -> bool:
    """Whether a name can be an attribute unchanged; Python mangles names with two leading underscores."""
    fits = name.isidentifier() and not iskeyword(name) and len(name) <= MAX_NAME and not name.startswith("__")
    return fits and unicodedata.normalize("NFKC", name) == name


def variable(name: str) -> str:
    """A valid variable name that resembles a text."""
    clean = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).strip("_")[:MAX_LOCAL].rstrip("_")
    clean = clean if clean[:1].isalpha() else f"value_{clean}".rstrip("_")
    if not clean.isidentifier():
        return "value"
    return f"{clean}_" if iskeyword(clean) or clean in TAKEN else clean


def class_name(name: str, otherwise: str) -> str:
    """A class name from a text: ConvBn for `conv_bn`, LeNet5 for `LeNet-5`; `otherwise` if nothing is left."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name))
    joined = "".join(word[:1].upper() + word[1:] for word in words)[:MAX_NAME]
    return joined if joined.isidentifier() and not iskeyword(joined) else otherwise


def is_readable(expression: str) -> bool:
    """Whether an expression is short enough to read, even with long names; a concatenation always is."""
    return expression.startswith("torch.cat(") or len(expression) + MAX_LOCAL * expression.count("{") <= MAX_OPERANDS
