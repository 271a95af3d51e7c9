"""Names for what source text defines, made of the names in a spec, which may be any text."""

import re
import unicodedata
from keyword import iskeyword

MAX_NAME = 40
MAX_LOCAL = 20
MAX_OPERANDS = 70  # letters of an expression; a longer one is a module

# What generated code itself uses, and the letters that linters call ambiguous.
TAKEN = {"self", "owner", "user", "torch", "nn", "functional", "super", "len", "max", "min", "range", "float"}
TAKEN |= {"layer", "index", "l", "O", "I"}


def is_plain(name: str) -> bool:
    """Whether a name can be an attribute as it stands; two underscores in front would get the class's name."""
    fits = name.isidentifier() and not iskeyword(name) and len(name) <= MAX_NAME and not name.startswith("__")
    return fits and unicodedata.normalize("NFKC", name) == name


def variable(name: str) -> str:
    """A name for a variable that is as much as possible like any text."""
    clean = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name)).strip("_")[:MAX_LOCAL].rstrip("_")
    clean = clean if clean[:1].isalpha() else f"value_{clean}".rstrip("_")
    if not clean.isidentifier():
        return "value"
    return f"{clean}_" if iskeyword(clean) or clean in TAKEN else clean


def class_name(name: str, otherwise: str) -> str:
    """A name for a class: `conv_bn` makes ConvBn, `LeNet-5` LeNet5."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name))
    joined = "".join(word[:1].upper() + word[1:] for word in words)[:MAX_NAME]
    return joined if joined.isidentifier() and not iskeyword(joined) else otherwise


def is_readable(expression: str) -> bool:
    """Whether an expression is short enough for a reader, with the longest names in it; a concatenation always is."""
    return expression.startswith("torch.cat(") or len(expression) + MAX_LOCAL * expression.count("{") <= MAX_OPERANDS
