"""Reads every line of an explanation back, and calculates it in Python, without archcalc."""

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
    """Both sides of each equals sign, and the value, are equal."""
    network = loaded(drawn)
    for row in network.layers:
        for section in network.explain(row.name).sections:
            for step in section.steps:
                if isinstance(step.value, int | Fraction) and "…" not in step.substituted:
                    found = calculated(step.substituted)
                    assert found is None or found == step.value, (row.name, section.title, step)
                    value = calculated(str(step).rpartition(" = ")[2])
                    assert value is None or value == step.value, (row.name, section.title, str(step))
                if section.title in _OF_ONE_AXIS:
                    values = values_of_symbols(step)
                    assert len(values) == len(dict(values)), (row.name, step)


def values_of_symbols(step: Derivation) -> set[tuple[str, str]]:
    """The symbols of a line with their numbers, without C and N, which every axis of every input has."""
    substituted = without_commas(step.substituted)
    symbols, numbers = (_LETTERS_OR_NUMBER.findall(text) for text in (step.symbolic, substituted))
    if not step.symbolic or "…" in step.symbolic:
        return set()
    return {pair for pair in zip(symbols, numbers, strict=True) if pair[0] not in ("C", "N")}


def without_commas(text: str) -> str:
    """The formula without the commas between thousands."""
    return re.sub(r"(?<=\d),(?=\d{3})", "", text)


def calculated(text: str) -> Any:
    """The value of a formula of numbers; None if it is no formula."""
    for sign, python in _SIGNS.items():
        text = text.replace(sign, python)
    text = without_commas(text)
    if re.search(r"[^\d\s.+\-*/%(),a-z]", text) or {*re.findall(r"[a-z]+", text)} - _NAMES.keys():
        return None
    # Whole numbers become fractions, for exact quotients; a decimal is a double, as in PyTorch.
    exact = re.sub(r"(?<![\d.])\d+(?![\d.])", lambda number: f"Fraction({number.group()})", text)
    return eval(exact, {"__builtins__": {}, "Fraction": Fraction, **_NAMES})  # digits and signs alone
