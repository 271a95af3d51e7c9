"""What is odd about a network: the checks behind `archcalc check`.

A check is one function with a code and a name; `RULES` lists them. It knows layers by their class facts alone. What it
finds in several copies of a layer, with the same numbers, is one finding.
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
    """Everything odd about a network, by code, but what its spec ignores; with `ignored`, that too."""
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
    """The findings that `select` names (all, if it names none) and `ignore` does not.

    Each word is a code (`W101`), the beginning of one (`W`), or a check's name (`dropped-pixels`). Raises UsageError
    for any other.
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
    """A problem for all findings that differ in nothing but the layers."""
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
