"""Finds the known words closest to an unknown one. Imported only for an error."""

from collections.abc import Iterable
from functools import lru_cache

MAX_LETTERS = 60  # letters of a word that are compared
ADDED = 0.9  # the weight of an inserted letter: omissions are likelier than other errors
MAX_COMPARED = 20_000  # known words that are searched


def closest(word: str, known: Iterable[str]) -> list[str]:
    """The known words with the least distance from a word; none if all are too far from it."""
    words = tuple(known)
    return [*_closest(word[:MAX_LETTERS], words)] if len(words) <= MAX_COMPARED else []


@lru_cache(maxsize=4096)
def _closest(word: str, known: tuple[str, ...]) -> tuple[str, ...]:
    plain = plainly(word)
    if not plain:
        return ()
    found: dict[str, float] = {}
    for other in known:
        if (difference := _difference(plain, plainly(other[:MAX_LETTERS]))) is not None:
            found[other] = difference
    least = min(found.values(), default=None)
    return tuple(sorted(other for other, difference in found.items() if difference == least))


@lru_cache(maxsize=4096)
def plainly(word: str) -> str:
    """A word in lower case, letters and digits only: `Conv2D`, `conv_2d` and `conv-2d` become the same."""
    return "".join(letter for letter in word.lower() if letter.isalnum()) or word.lower()


def _difference(word: str, known: str) -> float | None:
    """The distance of a known word from a word; None if it is too far."""
    if word == known:
        return 0
    shorter, longer = sorted((len(word), len(known)))
    allowed = min(longer // 2, 1 + (shorter > 3) + (shorter > 7))
    if abs(len(word) - len(known)) <= allowed and max(len({*word} - {*known}), len({*known} - {*word})) <= allowed:
        edits = _edits(word, known)
        if edits <= allowed and (edits <= 1 or word[0] == known[0]):
            return edits
    return _abbreviation(word, known)


def _abbreviation(word: str, known: str) -> float | None:
    """The distance of an abbreviation: a prefix (`kernel` for `kernel_size`), or some letters in order (`params`)."""
    if len(word) < 3 or not known or 3 * len(word) < len(known):
        return None
    if known.startswith(word):
        return 1.5
    if word.startswith(known) and 3 * len(known) >= len(word) and len(known) >= 3:
        return 1.6
    letters = iter(known)
    return 2.5 if word[0] == known[0] and all(letter in letters for letter in word) else None


def _edits(word: str, known: str) -> float:
    """The optimal string alignment distance: letters to insert, remove, replace, or swap with the next."""
    last = [ADDED * column for column in range(len(known) + 1)]
    before = last
    for row, letter in enumerate(word, start=1):
        current = [1.0 * row]
        for column, other in enumerate(known, start=1):
            cost = min(last[column] + 1, current[column - 1] + ADDED, last[column - 1] + (letter != other))
            if row > 1 and column > 1 and (letter, word[row - 2]) == (known[column - 2], other):
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
