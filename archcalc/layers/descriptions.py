"""The description of each field of a layer type: the text below the field in its class.

    stride: PerAxis = 1
    \"\"\"Distance between neighbouring windows.\"\"\"

Python discards such texts, so they are read from the source, for help, documentation and the JSON Schema alone.
"""

import ast
import inspect
import sys
from functools import cache
from itertools import pairwise

from archcalc.layers.base import Layer


def field_descriptions(layer: type[Layer]) -> dict[str, str]:
    """The description of each field, by name; none where Python runs without source files."""
    found: dict[str, str] = {}
    for base in reversed(layer.__mro__):
        if issubclass(base, Layer):
            found |= _described_in(base.__module__).get(base.__name__, {})
    return {name: found[name] for name in layer.__struct_fields__ if name in found}


@cache
def _described_in(module: str) -> dict[str, dict[str, str]]:
    """The descriptions in a module, by class and field."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except OSError:
        return {}
    return {node.name: dict(_described_fields(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _described_fields(node: ast.ClassDef) -> list[tuple[str, str]]:
    """Each field that a text follows, with the text."""
    return [
        (field.target.id, " ".join(text.value.value.split()))
        for field, text in pairwise(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    ]
