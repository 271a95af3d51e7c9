"""Every line of an explanation, read back and calculated: by Python, not by archcalc."""

import math
import re
from fractions import Fraction
from typing import Any

from networks import Drawn

from archcalc.analysis.explanation import Derivation
from surfaces.runner import loaded

_SIGNS = {"−": "-", "·": "*", "^": "**", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", " mod ": "%", "′": "_"}
_NAMES: dict[str, Any] = {"floor": math.floor, "ceil": math.ceil, "min": min, "max": max}
_NAMES["gcd"] = lambda one, other: math.gcd(int(one), int(other))
_OF_ONE_AXIS = ("output shape", "receptive field")  # elsewhere, F·F are the sizes of a kernel along its axes
_LETTERS_OR_NUMBER = re.compile(r"C/G|[A-Za-z]+′?|\d+(?:[.]\d+)?")


def check_explained_lines(drawn: Drawn) -> None:
    """What stands on the left of each equals sign comes to what stands on its right, and to the value."""
    network = loaded(drawn)
    for row in network.layers:
        for section in network.explain(row.name).sections:
            for step in section.steps:
                if isinstance(step.value, int | Fraction) and "…" not in step.substituted:
                    found = calculated(step.substituted)
                    assert found is None or found == step.value, (row.name, section.title, step)
                    shown = calculated(str(step).rpartition(" = ")[2])
                    assert shown is None or shown == step.value, (row.name, section.title, str(step))
                if section.title in _OF_ONE_AXIS:
                    values = values_of_symbols(step)
                    assert len(values) == len(dict(values)), (row.name, step)


def values_of_symbols(step: Derivation) -> set[tuple[str, str]]:
    """The symbols in a line, each with the numbers in its place; every axis of every input has a C or an N, though."""
    substituted = without_commas(step.substituted)
    symbols, numbers = (_LETTERS_OR_NUMBER.findall(text) for text in (step.symbolic, substituted))
    if not step.symbolic or "…" in step.symbolic:
        return set()
    return {pair for pair in zip(symbols, numbers, strict=True) if pair[0] not in ("C", "N")}


def without_commas(text: str) -> str:
    """A formula without the commas between thousands."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def calculated(text: str) -> Any:
    """The value of a formula with its numbers put in; None for what is no formula."""
    for sign, python in _SIGNS.items():
        text = text.replace(sign, python)
    text = without_commas(text)
    if re.search(r"[^\d\s.+\-*/%(),a-z]", text) or {*re.findall(r"[a-z]+", text)} - _NAMES.keys():
        return None
    # Whole numbers are fractions, so that a quotient is exact; a decimal is a double, as in PyTorch.
    exact = re.sub(r"(?<![\d.])\d+(?![\d.])", lambda number: f"Fraction({number.group()})", text)
    return eval(exact, {"__builtins__": {}, "Fraction": Fraction, **_NAMES})  # digits and signs alone
