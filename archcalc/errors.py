"""Errors that a user can cause: the message, the value's place in the spec, the reason and the remedy."""

from collections.abc import Callable, Iterable
from itertools import islice

from msgspec import Struct

Path = tuple[str | int, ...]  # the keys that lead to a value in the spec: ("layers", 3, "kernel_size")

MAX_NESTING = 30  # of lists and tables in a spec
MOST_MEANT = 6  # words that a remedy suggests
SHOWN = 50  # problems printed at most
LONGEST_LINE = 200  # characters of a spec's line that are printed
LONGEST = 2_000  # characters of a line of a diagnostic


class Remedy:
    """A remedy that is searched for only when it is printed. Two remedies for the same word are equal."""

    def __init__(self, word: str, find: Callable[[], str | None]) -> None:
        self.word = word
        self.find = find

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Remedy) and self.word == other.word

    def __hash__(self) -> int:
        return hash(self.word)


class Problem(Struct, frozen=True, gc=False):
    """A fault of a spec. `path` has the keys that lead to the value; `code` is set for findings of `check`."""

    message: str
    path: Path = ()
    reason: str | None = None
    help: str | Remedy | None = None
    code: str | None = None
    unless: Callable[[], bool] | None = None  # suppresses the problem; called only for problems that would be printed


class Place(Struct, frozen=True, gc=False):
    """A line of a spec; `line` is None for the whole file."""

    source: str
    line: int | None = None
    text: str = ""

    def __str__(self) -> str:
        return self.source if self.line is None else f"{self.source}:{self.line}"


class Diagnostic(Struct, frozen=True, gc=False):
    """A problem with its place. `code` is set for findings of `check`."""

    message: str
    place: Place
    reason: str | None = None
    help: str | None = None
    severity: str = "error"
    code: str | None = None
    example: tuple[str, ...] = ()  # lines that show the remedy

    def __str__(self) -> str:
        code = f"[{self.code}]" if self.code else ""
        lines = [f"{self.severity}{code}: {self.message}", f"  ┌ {self.place}"]
        if self.place.text:
            lines.append(f"  │ {self.place.text}")
        if self.reason:
            lines.append(f"  = {self.reason}")
        if self.help:
            lines.append(f"  help: {self.help}")
        lines += [f"    {line}".rstrip() for line in self.example]
        return "\n".join(printable(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…") for line in lines)


class ArchcalcError(Exception):
    """The base class of all errors that the user can correct."""


class UsageError(ArchcalcError):
    """A value outside the spec is wrong: an unknown layer, column or code, or a missing package.

    `message` names the fault, and `help` the remedy, if one is known.
    """

    def __init__(self, message: str, help: str | None = None) -> None:  # noqa: A002  # as in a Diagnostic
        self.message = message
        self.help = help
        super().__init__(f"{message}; {help}" if help else message)


class SpecError(ArchcalcError):
    """The spec is wrong. `diagnostics` has every problem with its place; those that are printed have their remedy."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(str(self))

    def __str__(self) -> str:
        shown = [str(diagnostic) for diagnostic in self.diagnostics[:SHOWN]]
        if len(self.diagnostics) > SHOWN:
            shown.append(f"… and {len(self.diagnostics) - SHOWN} more")
        return "\n\n".join(shown)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A remedy for an unknown word: the closest known words, or else all of them; None if no word is known."""
    from archcalc.spelling import closest

    words = sorted(dict.fromkeys(known))  # sorting is fast for words that are in order already
    if close := closest(word, words):
        return meant(close)
    if not words:
        return None
    listed = ", ".join(map(quoted, words[:20]))
    return f"known: {listed}" + (", …" if len(words) > 20 else "")


def meant(words: Iterable[str]) -> str:
    """The question whether the user meant one of these words, of which it names the first few."""
    first = [*map(quoted, islice(words, MOST_MEANT + 1))]
    listed = " or ".join(first[:MOST_MEANT])
    return f"did you mean {listed}, …?" if len(first) > MOST_MEANT else f"did you mean {listed}?"


def quoted(word: str) -> str:
    """A word from a spec in double quotes, shortened and without control characters."""
    clean = printable(word)
    return f'"{clean[:77]}…"' if len(clean) > 80 else f'"{clean}"'


def excerpt(line: str) -> str:
    """A line of a spec, shortened to what a message can hold."""
    text = line[:2000].strip()
    return text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…"


def printable(text: str) -> str:
    """A text from a spec without control characters, which could control the terminal; a tab becomes a space."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else " " if letter == "\t" else "�" for letter in text)
