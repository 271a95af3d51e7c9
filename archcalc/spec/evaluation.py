"""Values of a spec with their expressions evaluated, and a problem noted for each that cannot be."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal, get_args, get_origin

import msgspec

from archcalc.errors import Path, Problem, closest, did_you_mean, quoted
from archcalc.spec.expressions import UNFIT, ExpressionError, Value, count_values, evaluate

MAX_VALUES = 2_000_000  # in all the lists that expressions give

Variables = Mapping[str, Value]


class TooLargeError(Exception):
    """The spec makes more layers, or longer lists, than any network has. Why is among the problems."""


class Evaluator:
    """Evaluates the expressions of one spec. Raises TooLargeError if their lists grow beyond MAX_VALUES."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        self.values = 0  # that expressions have given, in lists

    def fields(
        self, fields: dict[str, Any], variables: Variables, path: Path, words: frozenset[str] = frozenset()
    ) -> dict[str, Any]:
        """The values of a table, by key."""
        return {
            key: self.value(value, variables, (*path, key), words) if isinstance(value, (str, list)) else value
            for key, value in fields.items()
        }

    def value(self, value: Any, variables: Variables, path: Path, words: frozenset[str] = frozenset()) -> Any:
        """The value with its expressions evaluated, UNFIT if one cannot be; whole floats become integers."""
        if isinstance(value, list):
            items = [self.value(item, variables, (*path, i), words) for i, item in enumerate(value)]
            return UNFIT if UNFIT in items else items
        if not isinstance(value, str) or value in words:
            return value
        if type(known := variables.get(value)) in (int, bool):
            return known  # as it is already; most expressions are the name of a variable
        try:
            result = evaluate(value, variables)
            size = count_values(result) if isinstance(result, list) else None
        except ExpressionError as error:
            name = next(part for part in reversed(path) if isinstance(part, str))
            # A word that is no variable may be meant as one of the words that stand for themselves.
            meant = value.isidentifier() and closest(value, words)
            remedy = did_you_mean(value, words) if meant else error.help
            self.problems.append(Problem(f"{name} = {quoted(value)}: {error}", path, help=remedy))
            return UNFIT
        if size is not None:
            self._measure(size, path)
        return _whole(result)

    def _measure(self, size: int, path: Path) -> None:
        """Lists that expressions make of each other must not grow beyond any memory."""
        self.values += size
        if self.values > MAX_VALUES:
            message = f"the lists of the spec's expressions have more than {MAX_VALUES:,} values"
            self.problems.append(Problem(message, path, help="use shorter lists"))
            raise TooLargeError


def _whole(value: Value) -> Value:
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def words_of(struct: type[msgspec.Struct]) -> frozenset[str]:
    """The words (`same`, `nearest` …) that some field of a structure takes; other strings are expressions."""
    types = [annotation for base in struct.__mro__ for annotation in vars(base).get("__annotations__", {}).values()]
    words: set[str] = set()
    while types:
        kind = types.pop()
        if get_origin(kind) is Literal:
            words.update(word for word in get_args(kind) if isinstance(word, str))
        else:
            types.extend(get_args(kind))
    return frozenset(words)
