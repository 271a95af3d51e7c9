"""Phrases that several documents share."""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from archcalc.layers.base import size_text

MOST_INPUTS = 20  # of a network, in the head of a report


def inputs_text(shapes: Mapping[str, Any], written: Callable[[Any], str] = size_text) -> str:
    """Inputs by name with their shapes, as the head of a report has them: `image 3×224×224`."""
    shown = [f"{name} {written(shape)}" for name, shape in islice(shapes.items(), MOST_INPUTS)]
    more = [f"and {len(shapes) - MOST_INPUTS:,} more"] if len(shapes) > MOST_INPUTS else []
    return ", ".join([*shown, *more])


def local_name(name: str, prefix: str) -> str:
    """A name without the prefix of its block, such as `layer1.`; a bare number keeps the segment before it."""
    if not name.startswith(prefix):
        return name
    block, local = prefix.rstrip(".").rpartition(".")[2], name.removeprefix(prefix)
    return f"{block}.{local}" if local[:1].isdecimal() and block else local
