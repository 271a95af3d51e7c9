"""What a spec ignores of the findings of the other checks, and what is odd about that."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.lint.rule import REGISTERED, Finding, rule
from archcalc.errors import did_you_mean, quoted
from archcalc.spec.ignore import Ignored


def codes_of(word: str) -> list[str]:
    """The codes that a word means: a code, the beginning of some, or a check's name; empty if it means none."""
    return [known.code for known in REGISTERED if word == known.name or (word and known.code.startswith(word))]


def help_for(word: str) -> str | None:
    """A remedy for a word that means no check."""
    return did_you_mean(word, [known for rule in REGISTERED for known in (rule.code, rule.name)])


@rule("I601", "unknown-ignore")
def _find_unknown(network: AnalysisContext) -> Iterator[Finding]:
    """The spec ignores a check that does not exist."""
    for entry in network.graph.ignored:
        if not codes_of(entry.code):
            message, path = "the spec ignores a check that does not exist", (*entry.path, "code")
            yield Finding(
                names=(entry.code,),
                message=message,
                path=path,
                reason="so it ignores nothing",
                help=help_for(entry.code) or "",
                kind="check",
            )


@rule("I602", "needless-ignore")
def _find_needless(_network: AnalysisContext) -> Iterator[Finding]:
    """The spec ignores a finding that is not there, though all inputs and variables are its own."""
    yield from ()  # `lint` takes them from the filter, which sees what the other checks find


class Filter:
    """Takes out of the findings what the spec ignores.

    An entry may cover some layers of a finding; a finding is taken out if entries cover them all.
    """

    def __init__(self, network: AnalysisContext) -> None:
        self._ignored = network.graph.ignored
        self._by_code: defaultdict[str, list[Ignored]] = defaultdict(list)
        for entry in self._ignored:
            for code in codes_of(entry.code):
                self._by_code[code].append(entry)
        self._patterns = {entry.path: _pattern(entry.layers) for entry in self._ignored}
        self._used: set[object] = set()
        self._left: dict[str, Finding] = {}  # by code, the first finding that is not taken out

    def kept(self, code: str, findings: Iterable[Finding]) -> Iterator[Finding]:
        """The findings of a check that the spec does not ignore."""
        for finding in findings:
            covering = [self._covering(code, name) for name in finding.names]
            if self._by_code[code] and all(covering):
                self._used.update(entry.path for entries in covering for entry in entries)
            else:
                self._left.setdefault(code, finding)
                yield finding

    def needless(self) -> Iterator[Finding]:
        """The entries that have taken nothing out, where the spec is as it is written."""
        message = "the spec ignores what is not found"
        for entry in self._ignored:
            codes = codes_of(entry.code)
            if not codes or not entry.expected or entry.path in self._used:
                continue
            reason, remedy = "nothing of the kind is found", "remove it"
            if left := next((self._left[code].names for code in codes if code in self._left), ()):
                reason, remedy = f"it is found in {quoted(left[-1])}", "name all layers of the finding, or remove it"
            yield Finding(
                names=(entry.code,), message=message, path=entry.path, reason=reason, help=remedy, kind="check"
            )

    def _covering(self, code: str, name: str) -> list[Ignored]:
        """The entries that cover a layer, or a block that it is in."""
        outer = [*accumulate(name.split("."), "{}.{}".format)]
        return [entry for entry in self._by_code[code] if any(map(self._patterns[entry.path].fullmatch, outer))]


def _pattern(layers: tuple[str, ...] | None) -> "re.Pattern[str]":
    """What the names match; `*` is any text. What stands between two is looked for once, so that this takes no time."""
    if layers is None:
        return re.compile(".*", re.DOTALL)
    return re.compile("|".join(map(_expression, layers)), re.DOTALL)


def _expression(layer: str) -> str:
    first, *others = map(re.escape, layer.split("*"))
    if not others:
        return first
    return f"{first}{''.join(f'(?>.*?{part})' for part in others[:-1])}.*{others[-1]}"
