"""The options of a diagram."""

from typing import Any, NamedTuple

from archcalc.diagram.quantities import HEATS, check_names
from archcalc.diagram.style import STYLES
from archcalc.errors import UsageError, did_you_mean, quoted


class Look(NamedTuple):
    """The options of a diagram. `depth` 0 opens all blocks; None chooses by the number of cards.

    `block` is the name of a block to draw alone.
    """

    depth: int | None = None
    show: tuple[str, ...] = ()
    heat: str | None = None
    direction: str = "TB"
    style: str = "color"
    every_copy: bool = False
    block: str | None = None
    title: bool = True
    legend: bool = True


_CHOICES = {
    "heat": (None, *HEATS),
    "direction": ("TB", "LR"),
    "style": (*STYLES,),
    **dict.fromkeys(("every_copy", "title", "legend"), (True, False)),
}


def look_of(**wanted: Any) -> Look:
    """Check arguments and make a Look of them. Raises UsageError for unknown names and values."""
    for name, value in wanted.items():
        if name not in Look._fields:
            raise UsageError(f"a diagram takes no {quoted(name)}", did_you_mean(name, Look._fields))
        if name in _CHOICES and value not in _CHOICES[name]:
            raise UsageError(f"{name} must be one of {', '.join(map(repr, _CHOICES[name]))}, and is {value!r}")
        if name == "depth" and value is not None and (type(value) is not int or value < 0):
            raise UsageError(f"depth must be a whole number, 0 or more, or None, and is {value!r}")
        if name == "block" and value is not None and not isinstance(value, str):
            raise UsageError(f"block must be the name of a block, or None, and is {value!r}")
    return Look(**wanted | {"show": check_names(tuple(wanted.get("show", ())))})
