"""Which use of an entry has a problem: the same entry may be right in one use of its block and wrong in another."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import structs

from archcalc.errors import Path, Problem, quoted
from archcalc.spec.evaluation import Variables
from archcalc.spec.expressions import UNFIT
from archcalc.spec.templates import variables_in
from archcalc.spec.values import format_value


class Blame:
    """Adds the use of a block to the problems of a list; a problem that several uses have names the first."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.named: set[tuple[Path, str]] = set()

    def name(self, before: int, path: Path, written: Mapping[str, Any], use: str, own: Variables) -> None:
        """Name a use in the problems after the first `before`, with the variables in `own` that the value depends on.

        `written` holds the values of the table at `path`, by key.
        """
        if len(self.problems) == before:
            return

        @cache  # a list may have a problem in each of its values
        def reason(key: str | int) -> str | None:
            names = variables_in([written[key]]) if isinstance(key, str) and key in written else ()
            values = [f"{name} = {format_value(own[name])}" for name in names if name in own and own[name] is not UNFIT]
            return f"in {quoted(use)}, with {', '.join(values)}" if values else None

        def named(problem: Problem) -> Problem:
            keys = problem.path[len(path) :] if problem.path[: len(path)] == path else ()
            return structs.replace(problem, reason=reason(keys[0])) if keys else problem

        new = [found for found in self.problems[before:] if (found.path, found.message) not in self.named]
        self.named.update((found.path, found.message) for found in new)
        self.problems[before:] = map(named, new)
