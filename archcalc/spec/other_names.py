"""What other people call layer types, fields and words, as `other_names.toml` says. Imported only for an error."""

import os
import re
import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from archcalc.spelling import plainly


class OtherNames(NamedTuple):
    """What a name may mean, the likeliest first, and what to do about one that means nothing of its own."""

    fields: frozenset[str]  # that the table knows
    types: dict[str, list[str]]
    advice: dict[str, str]
    keys: dict[str, list[str]]
    key_advice: dict[str, str]
    words: dict[str, list[str]]


@cache
def other_names() -> OtherNames:
    """The table, by the names that others use."""
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
    """What a name may mean, by the name; each thing bears its own name too."""
    found: dict[str, list[str]] = {}
    for name, others in table.items():
        for other in dict.fromkeys([plainly(name.replace("{d}d", "")), *others.split()]):
            found.setdefault(other, []).append(name)
    return found


def _advice(entries: list[dict[str, Any]]) -> dict[str, str]:
    return {name: " ".join(entry["help"].split()) for entry in entries for name in entry["names"].split()}


def other_type(name: str, dimensions: int | None) -> list[str] | str:
    """The types that somebody else calls so, or how to write what has no type; an empty list if nobody does.

    `dimensions` are those of the inputs, for a name that says none.
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
    """The fields that somebody else calls so, the likeliest first."""
    return other_names().keys.get(plainly(key), [])


def other_word(word: str, known: Iterable[str]) -> list[str]:
    """The word, of those that are known, that somebody else calls so."""
    plain = plainly(word.rpartition(".")[-1])
    meant = other_names().words.get(plain, [])
    return [name for name in known if name in meant or plainly(name) == plain][:1]
