"""Other tools' names for layer types, fields and words, from `other_names.toml`. Imported only for an error."""

import os
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from archcalc.spelling import plainly


class OtherNames(NamedTuple):
    """The meanings of other tools' names, the likeliest first, and advice for names without a counterpart."""

    fields: frozenset[str]  # those in the table
    types: dict[str, list[str]]
    advice: dict[str, str]
    keys: dict[str, list[str]]
    key_advice: dict[str, str]
    words: dict[str, list[str]]


@cache
def other_names() -> OtherNames:
    """The table of `other_names.toml`, keyed by the other names."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "other_names.toml"), "rb") as file:
        table = tomllib.load(file)
    types, keys, words = (_inverted(table[part]) for part in ("types", "keys", "words"))
    return OtherNames(
        fields=frozenset(table["keys"]),
        types=types,
        advice=_advice(table["advice"]),
        keys=keys,
        key_advice=_advice(table["key_advice"]),
        words=words,
    )


def _inverted(table: dict[str, str]) -> dict[str, list[str]]:
    """The meanings of each name; archcalc's own name is one."""
    found: dict[str, list[str]] = {}
    for name, others in table.items():
        for other in dict.fromkeys([plainly(name.replace("{d}d", "")), *others.split()]):
            found.setdefault(other, []).append(name)
    return found


def _advice(entries: list[dict[str, Any]]) -> dict[str, str]:
    return {name: " ".join(entry["help"].split()) for entry in entries for name in entry["names"].split()}


def other_type(name: str, dimensions: int | None) -> list[str] | str:
    """The types that another tool's name may mean, or advice for a name without a type; an empty list if unknown.

    `dimensions` is the number of spatial axes of the inputs, for a name without one.
    """
    plain = plainly(re.split(r"[./:]", name)[-1])
    own = re.search(r"[123](?=d)", plain)
    stem = re.sub(r"[123]d", "", plain)
    of = [int(own[0])] if own else [dimensions] if dimensions else [1, 2, 3]
    known = other_names()
    for word in (plain, stem, re.sub(r"(layer|\d+)$", "", stem)):
        if word in known.advice:
            return known.advice[word].replace("{d}", str(of[0] if len(of) == 1 else 2))
        if word in known.types:
            return [*dict.fromkeys(found.replace("{d}", str(d)) for found in known.types[word] for d in of)]
    return []


def other_keys(key: str) -> list[str]:
    """The fields that another tool's name may mean, the likeliest first."""
    return other_names().keys.get(plainly(key), [])


def other_word(word: str, known: Iterable[str]) -> list[str]:
    """The known word that another tool's word means, as a list of at most one."""
    plain = plainly(word.rpartition(".")[-1])
    meant = other_names().words.get(plain, [])
    return [name for name in known if name in meant or plainly(name) == plain][:1]
