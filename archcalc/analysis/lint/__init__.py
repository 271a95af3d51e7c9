"""The checks behind `archcalc check`.

A check is a function with a code and a name; `RULES` lists them. It knows layers only by attributes of their classes.
Equal findings in several copies of a layer are one finding.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.lint import axes, parameters, structure, unused, windows  # noqa: F401  # importing them registers their checks
from archcalc.analysis.lint.ignore import Filter, codes_of, help_for
from archcalc.analysis.lint.rule import REGISTERED, Finding
from archcalc.errors import Diagnostic, Problem, UsageError, quoted

__all__ = ["RULES", "lint", "select"]

NEEDLESS = "I602"
RULES = tuple(sorted(REGISTERED, key=lambda registered: registered.code))


def lint(network: AnalysisContext, ignored: bool = False) -> list[Diagnostic]:
    """The findings of all checks, by code; with `ignored` also those that the spec ignores."""
    if ignored:
        problems = [problem for rule in RULES for problem in _merged(rule.code, rule.check(network))]
    else:
        sieve = Filter(network)
        problems = [found for rule in RULES for found in _merged(rule.code, sieve.kept(rule.code, rule.check(network)))]
        problems += _merged(NEEDLESS, sieve.needless())
    return network.graph.document.diagnostics(problems, "warning") if problems else []


def select(
    diagnostics: Iterable[Diagnostic], select: Sequence[str] = (), ignore: Sequence[str] = ()
) -> list[Diagnostic]:
    """The findings that `select` names (all, if it is empty) and `ignore` does not.

    Each word is a code (`W101`), a prefix of codes (`W`), or a check's name (`dropped-pixels`). Raises UsageError for
    any other word.
    """
    wanted = {code for word in select for code in _codes(word)} if select else {rule.code for rule in RULES}
    wanted -= {code for word in ignore for code in _codes(word)}
    return [diagnostic for diagnostic in diagnostics if diagnostic.code in wanted]


def _codes(word: str) -> list[str]:
    found = codes_of(word)
    if not found:
        raise UsageError(f"no check is called {quoted(word)}", help_for(word))
    return found


def _merged(code: str, findings: Iterable[Finding]) -> Iterator[Problem]:
    """One problem for all findings that differ only in their layers."""
    names: defaultdict[Finding, list[str]] = defaultdict(list)
    for finding in findings:
        names[finding._replace(names=())].extend(finding.names)
    for finding, found in names.items():
        message = f"{finding.message}: {_listed(finding.kind, found)}"
        yield Problem(message, finding.path, finding.reason, finding.help, code)


def _listed(kind: str, names: list[str]) -> str:
    if len(names) == 1:
        return f"{kind} {quoted(names[0])}"
    shown = [quoted(name) for name in names[: 3 if len(names) == 3 else 2]]
    last = f"{len(names) - 2:,} more" if len(names) > 3 else shown.pop()
    return f"{kind}s {', '.join(shown)} and {last}"
