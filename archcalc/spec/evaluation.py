"""Evaluates the expressions in a spec's values, and notes a problem for each that cannot be evaluated."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from archcalc.errors import Path, Problem, Remedy, quoted
from archcalc.spec.expressions import (
    UNFIT,
    ExpressionError,
    UnknownVariableError,
    Value,
    count_values,
    evaluate,
    names_in,
)
from archcalc.spec.problems import wrong_value
from archcalc.spec.wanted import ANYTHING, ITEM, Wanted

MAX_VALUES = 2_000_000  # in all lists that expressions return

Variables = Mapping[str, Value]


class TooLargeError(Exception):
    """The spec expands to more layers, or longer lists, than any network has; the problems hold the reason."""


class Evaluator:
    """Evaluates the expressions of one spec. Raises TooLargeError if their lists grow beyond MAX_VALUES."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.declared: Mapping[str, Any] = {}  # the spec's variables as written, in order
        self.noted: set[tuple[Path, str]] = set()  # expressions that have a problem
        self.values = 0  # in all lists that expressions returned so far

    def fields(
        self,
        fields: dict[str, Any],
        variables: Variables,
        path: Path,
        wanted: Mapping[str, Wanted] = {},
    ) -> dict[str, Any]:
        """The values of a table, by key; `wanted` holds what each key takes."""
        return {
            key: self.value(value, variables, (*path, key), wanted.get(key, ANYTHING))
            if isinstance(value, (str, list))
            else value
            for key, value in fields.items()
        }

    def value(self, value: Any, variables: Variables, path: Path, wanted: Wanted = ANYTHING) -> Any:
        """The value with its expressions evaluated, UNFIT if one cannot be; whole floats become integers."""
        if isinstance(value, list):
            return self._list(value, variables, path) if wanted.lists else value  # a list here is wrong anyway
        if not isinstance(value, str) or value in wanted.words:
            return value
        known = variables.get(value)
        if type(known) in (int, bool):
            return known  # the shortcut for most expressions, which are the name of a variable
        if not wanted.values:
            return value if known is None else known  # a word, or a block's argument whose value is a word
        try:
            result = evaluate(value, variables)
            size = count_values(result) if isinstance(result, list) else None
        except ExpressionError as error:
            self._note(value, error, variables, path, wanted)
            return UNFIT
        if size is not None:
            self._measure(size, path)
        return _whole(result)

    def _list(self, value: list[Any], variables: Variables, path: Path) -> Any:
        items = [self.value(item, variables, (*path, i), ITEM) for i, item in enumerate(value)]
        return UNFIT if UNFIT in items else items

    def names(self, fields: dict[str, Any], variables: Variables, path: Path, wanted: Mapping[str, Wanted]) -> None:
        """Note unknown names in expressions, and unknown words, where the values of variables are unknown."""
        for key, value in fields.items():
            kind = wanted.get(key, ANYTHING)
            if not isinstance(value, str) or value in kind.words:
                continue
            if not kind.values:
                if value not in variables:
                    self.problems.append(wrong_value(key, value, kind.annotation, (*path, key)))
            elif unknown := [word for word in names_in(value) if word not in variables]:
                self._note(value, UnknownVariableError(unknown[0], variables), variables, (*path, key), kind)

    def _note(self, text: str, error: ExpressionError, variables: Variables, path: Path, wanted: Wanted) -> None:
        """Note why an expression cannot be evaluated: one problem for each unknown name in it, else one for the error.

        Only the first use of a block notes a problem of an expression in it.
        """
        if (path, text) in self.noted:
            return
        self.noted.add((path, text))
        name = next(part for part in reversed(path) if isinstance(part, str))
        errors = [error]
        if isinstance(error, UnknownVariableError):
            errors = [UnknownVariableError(word, variables) for word in names_in(text) if word not in variables]
        for one in errors:
            remedy = Remedy(text, partial(_remedy, text, name, one, variables, wanted, self.declared))
            message = str(one)
            if wanted.words and text.isidentifier():
                message = f"neither a variable nor {' or '.join(map(quoted, wanted.words))}"
            self.problems.append(Problem(f"{name} = {quoted(text)}: {message}", path, help=remedy))

    def _measure(self, size: int, path: Path) -> None:
        """Count the values of a list; lists that expressions build from each other must not exhaust memory."""
        self.values += size
        if self.values > MAX_VALUES:
            message = f"the lists of the spec's expressions have more than {MAX_VALUES:,} values"
            self.problems.append(Problem(message, path, help="use shorter lists"))
            raise TooLargeError


def _remedy(text: str, name: str, error: ExpressionError, *known: Any) -> str | None:
    from archcalc.spec.remedies import expression_remedy, unknown_variable_remedy

    if isinstance(error, UnknownVariableError):
        return unknown_variable_remedy(text, name, error.name, *known)
    return expression_remedy(text, name, error, known[1])


def _whole(value: Value) -> Value:
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
