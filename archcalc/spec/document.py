"""Reads the text of a spec and parses it as TOML."""

import os.path
import re
import sys
import tomllib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import Struct

from archcalc.errors import (
    MAX_NESTING,
    SHOWN,
    Diagnostic,
    Place,
    Problem,
    Remedy,
    SpecError,
    did_you_mean,
    excerpt,
    quoted,
)
from archcalc.reading import read_bytes

MAX_REMEMBERED = 100_000  # characters of a text whose data is cached
MAX_SIGNS = 1_000_000  # commas, equals signs and opening brackets of a text: a bound of its tables, lists and values


class Kind(Struct, frozen=True, gc=False):
    """A kind of file: its name in messages, how such a file starts, and how large it may be."""

    name: str
    start: str
    max_bytes: int


SPEC_KIND = Kind("spec", 'start with name = "…", an [inputs] table and [[layers]]', 8 * 2**20)


class SpecDocument(Struct, frozen=True, gc=False):
    """A spec as text and as TOML data; `source` is what messages call it."""

    source: str
    text: str
    data: dict[str, Any]

    def error(self, problems: Iterable[Problem]) -> SpecError:
        """The problems as one error, each with its line."""
        return SpecError(self.diagnostics(problems))

    def diagnostics(self, problems: Iterable[Problem], severity: str = "error") -> list[Diagnostic]:
        """The problems with their places, in the order of lines, each once even if many copies of a layer have it.

        Remedies that take a search are found for the first SHOWN alone.
        """
        from archcalc.spec.positions import Positions

        found_once = [*dict.fromkeys(problems)]
        positions = Positions(self.source, self.text, [problem.path for problem in found_once])
        placed = [(positions.place(problem.path), problem) for problem in found_once]
        placed.sort(key=lambda pair: pair[0].line or 0)
        found: list[Diagnostic] = []
        for place, problem in placed:
            shown = len(found) < SHOWN
            if shown and problem.unless and problem.unless():
                continue
            remedy = problem.help
            if isinstance(remedy, Remedy):
                remedy = remedy.find() if shown else None
            found.append(
                Diagnostic(
                    message=problem.message,
                    place=place,
                    reason=problem.reason,
                    help=remedy,
                    severity=severity,
                    code=problem.code,
                )
            )
        return found


def specs_folder() -> str:
    """The folder of the shipped specs: inside the installed package, or beside it in a checkout."""
    # os.path, since importing pathlib alone takes a third of the interpreter's start.
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inside = os.path.join(package, "specs")
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(package), "specs")


def shipped_specs() -> dict[str, str]:
    """The paths of the shipped specs, by name."""
    folder = specs_folder()
    files = sorted(file for file in os.listdir(folder) if file.endswith(".toml"))
    return {file.removesuffix(".toml"): os.path.join(folder, file) for file in files}


def read(path_or_name: str) -> SpecDocument:
    """Read a spec: a path, the name of a shipped spec, or `-` for standard input.

    Raises SpecError if there is no such file, or if it is not UTF-8 text or not TOML.
    """
    if path_or_name == "-":
        # A process may be started without a standard input.
        content = sys.stdin.buffer.read(SPEC_KIND.max_bytes + 1) if sys.stdin else b""
        return parse(_decode(content, "<stdin>", SPEC_KIND), "<stdin>")
    return read_file(_find(path_or_name), SPEC_KIND)


def read_file(path: str, kind: Kind) -> SpecDocument:
    """Read a TOML file. Raises SpecError if there is none, if it is too large, or if it is not UTF-8 text or TOML."""
    try:
        content = read_bytes(path, kind.max_bytes)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise _unreadable(path, f"cannot read {quoted(path)}: {reason.lower()}") from None
    return parse(_decode(content, path, kind), path)


def parse(text: str, source: str = "<string>") -> SpecDocument:
    """Parse the text of a spec. Raises SpecError with the line if it is not TOML, or would take too long to be read."""
    _check_size(source, text)
    try:
        return SpecDocument(source, text, (_remembered if len(text) <= MAX_REMEMBERED else tomllib.loads)(text))
    except RecursionError:
        raise _unreadable(source, "arrays or tables are nested too deeply") from None
    except ValueError as error:
        raise _broken_toml(source, text, str(error)) from None


# A sequence of key parts, each with its full stop; ++ and the lookbehind keep the search linear.
_DOTTED = re.compile(r"""(?<![\w-])(?:(?>[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*+\.[ \t]*+)++""")


def _check_size(source: str, text: str) -> None:
    """Refuse a text that is too expensive: parsing is quadratic in a key's parts and takes memory for each value."""
    for key in _DOTTED.finditer(text):
        if key[0].count(".") >= MAX_NESTING:
            raise _at_line(source, text, text.count("\n", 0, key.start()) + 1, "lists or tables are nested too deeply")
    if sum(map(text.count, ",=[{")) > MAX_SIGNS:
        raise _unreadable(source, f"more than {MAX_SIGNS:,} keys, lists and values", "use repeat for what repeats")


@lru_cache(maxsize=64)
def _remembered(text: str) -> dict[str, Any]:
    """The data of a text, which nobody changes: a sweep of variables or inputs loads the same text again."""
    return tomllib.loads(text)


def _find(path_or_name: str) -> str:
    """The path of a spec; a name without folder and ending is first looked for among the shipped ones."""
    if os.path.basename(path_or_name) != path_or_name or path_or_name.endswith(".toml"):
        return path_or_name
    shipped = os.path.join(specs_folder(), f"{path_or_name}.toml")
    if os.path.isfile(shipped):
        return shipped
    if os.path.exists(path_or_name):
        return path_or_name
    message = f"neither a file nor a shipped spec is called {quoted(path_or_name)}"
    raise _unreadable(path_or_name, message, did_you_mean(path_or_name, shipped_specs()))


def _decode(content: bytes, source: str, kind: Kind) -> str:
    if len(content) > kind.max_bytes:
        raise _unreadable(source, f"larger than {kind.max_bytes // 2**20} MiB, which is no {kind.name}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _unreadable(source, f"not a text file: byte {error.start} is not UTF-8") from None
    if not text.strip():
        raise _unreadable(source, f"the {kind.name} is empty", kind.start)
    # TOML takes \r\n as a line end.
    return text.replace("\r\n", "\n")


def _unreadable(source: str, message: str, remedy: str | None = None) -> SpecError:
    return SpecError([Diagnostic(message, Place(source), help=remedy)])


# The remedy by the beginning of Python's message; the first that fits.
_TOML_REMEDIES = {
    "Unclosed array": "is a comma missing at the end of the line before, or a bracket?",
    "Unclosed inline table": "is a comma missing? { } must stay on one line",
    "Invalid initial character for a key part": "is a comma or a quote missing? { } must stay on one line",
    "Invalid value": "a value is a number, true, false, a [list], a { table } or text in double quotes",
    "Cannot overwrite a value": "is the key there twice?",
    "Duplicate inline table key": "keep one of the two",
    "Cannot declare": "is the table there twice? [[layers]] begins one more of a list, [layers] a single one",
    "Cannot mutate immutable namespace": "write it inside of the { } or [ ] where the rest is",
    "Expected '=' after a key": "write key = value; does text stand in double quotes?",
    "Expected newline or end of document": "write one key = value on each line; in { }, put commas between them",
    "Expected ']": "a table's header stands alone on its line: [inputs], or [[layers]] for one more of a list",
    "Invalid statement": "write key = value, [table] or [[layers]]",
    "Unescaped": r"write \\ for a backslash, or the text in single quotes",
    "Unterminated string": "is a double quote missing?",
    "Illegal character '\\n'": "is a quote missing? Text stays on its line",
    "Illegal character": "write it as an escape, such as \\u0007, in double quotes",
    "Found invalid character '\\n'": "is a quote missing? Text stays on its line",
    "Found invalid character": "write it as an escape, such as \\u0007, in double quotes",
    "Escaped character": "use the number of a letter, or the letter itself",
    "Invalid hex value": r"four hexadecimal digits follow \u, eight \U",
    "Expected": "is a quote missing?",
    "Invalid date": "text stands in double quotes",
}


def _broken_toml(source: str, text: str, message: str) -> SpecError:
    found = re.search(r" \(at line (\d+), column (\d+)\)$", message)
    if found:
        number, what = int(found[1]), message[: found.start()]
    elif digits := re.search(r"\d[\d_]{4300,}", text):
        # For such a number, Python's message has no position.
        number, what = (
            text.count("\n", 0, digits.start()) + 1,
            f"a number of {len(digits[0]):,} digits is beyond any size",
        )
    else:
        what = message.replace(" (at end of document)", " at the end of the file")
        number = text.rstrip().count("\n") + 1
    remedy = next((help_text for start, help_text in _TOML_REMEDIES.items() if what.startswith(start)), None)
    return _at_line(source, text, number, f"not TOML: {what}", remedy)


def _at_line(source: str, text: str, number: int, message: str, remedy: str | None = None) -> SpecError:
    place = Place(source, number, excerpt(text.split("\n")[number - 1]))
    return SpecError([Diagnostic(message, place, help=remedy)])
