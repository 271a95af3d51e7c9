"""Arithmetic in specs: `"4 * width"`, `"2 if index == 0 else 1"`.

Python's own parser reads the text; only the syntax listed here is evaluated. Arithmetic on a list (`"kernel // 2"` with
`kernel = [1, 7]`) is elementwise.
"""

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from keyword import iskeyword, kwlist
from typing import Any

from archcalc.errors import did_you_mean, quoted
from archcalc.tracing import Number, call

Value = Any  # bool, int, float, a word, or a list of these

MAX_NESTING = 20  # of lists in lists
MAX_LENGTH = 500
MAX_BITS = 256  # of any intermediate integer
MAX_VALUES = 10_000  # of a list, counting those of nested lists

WORDS = {word: word for word in ("same", "valid")}  # values of padding, which may be an argument of a block
TRUTHS = {"true": True, "false": False}
_OWN = ("and", "or", "not", "if", "else", "in", "is")  # words of expressions

_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
_COMPARISONS: dict[type[ast.AST], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


class Unfit:
    """Replaces a value that is wrong and already reported, so that it is not reported twice."""


UNFIT = Unfit()


class _UnfitVariableError(Exception):
    """An expression needs a variable that is UNFIT."""


class ExpressionError(Exception):
    """An expression that cannot be evaluated."""

    def __init__(self, message: str, remedy: str | None = None) -> None:
        super().__init__(message)
        self._remedy = remedy

    @property
    def help(self) -> str | None:
        """What to do instead."""
        return self._remedy


class UnknownVariableError(ExpressionError):
    """A name in an expression that no variable has; `known` are the names of the variables."""

    def __init__(self, name: str, known: Iterable[str]) -> None:
        super().__init__(f"no variable is called {quoted(name)}")
        self.name = name
        self.known = known

    @property
    def help(self) -> str | None:
        return did_you_mean(self.name, (*self.known, *FUNCTIONS))


def round_to(number: float, divisor: int) -> int:
    """The nearest multiple of `divisor` that is not more than 10 % below `number` (MobileNet's channel rounding)."""
    if number <= 0:
        raise ExpressionError(f"round_to takes numbers greater than 0, not {number}", "multiply by a factor above 0")
    nearest = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return nearest + divisor if nearest < 0.9 * number else nearest


def _round(number: float, *digits: int) -> float:
    # Python would compute a power of ten for any number of digits.
    if any(abs(count) > MAX_BITS for count in digits):
        raise ExpressionError(f"numbers have no {abs(digits[0])} digits to round to", _HELP)
    return round(number, *digits)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs,
    "ceil": math.ceil,
    "floor": math.floor,
    "int": int,
    "max": max,
    "min": min,
    "round": _round,
    "round_to": round_to,
    "sqrt": math.sqrt,
}
_HELP = f"expressions are arithmetic on numbers and variables, with {', '.join(FUNCTIONS)}"


def evaluate(text: str, variables: Mapping[str, Value]) -> Value:
    """The value of an expression; UNFIT if it needs an UNFIT variable. Raises ExpressionError."""
    try:
        if text in variables:
            value: Value = _checked(variables[text])
            return value
        names = names_in(text)
        values = [variables[name] for name in names if name in variables]
        kinds = [*map(type, values)]
        if len(values) == len(names) and list not in kinds and dict not in kinds:
            return _remembered(text, names, *values)
        value = _checked(_evaluate(_parse(text), variables))
    except _UnfitVariableError:
        return UNFIT
    except OverflowError:
        raise ExpressionError("an intermediate number is larger than any size", _HELP) from None
    except ZeroDivisionError:
        raise ExpressionError("a division by 0", "change the divisor, or the base of a negative power") from None
    except IndexError as error:
        raise ExpressionError(
            str(error), "an index is below the length of the list, and counts from its end if negative"
        ) from None
    except (ArithmeticError, TypeError, ValueError) as error:
        raise ExpressionError(str(error), _HELP) from None
    except RecursionError:
        raise ExpressionError("nested too deeply", _HELP) from None
    return value


@lru_cache(maxsize=4096)
def _parse(text: str) -> ast.expr:
    if _is_name(text):
        return ast.Name(text, ast.Load())
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"an expression of more than {MAX_LENGTH} characters", "move parts of it to variables")
    try:
        # Python warns of syntax such as `1if x else 2`; the warning would name a file that does not exist.
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return _parse_names(text.strip())
    except (SyntaxError, ValueError, MemoryError):
        raise ExpressionError("not an expression", _HELP) from None


def _is_name(text: str) -> bool:
    """Whether an expression is a single name, as most are; it then needs no parsing."""
    return text.isascii() and text.isidentifier() and not iskeyword(text) and len(text) <= MAX_LENGTH


def _parse_names(text: str) -> ast.expr:
    """Parse an expression in which Python's keywords are names, but for those of expressions."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        # Python sees no keyword where a letter is a bold one (𝐚), and turns it back into the plain letter.
        words = "|".join(word for word in kwlist if word.islower() and word not in _OWN)
        names = re.sub(rf"\b({words})\b", lambda word: chr(ord(word[0][0]) - ord("a") + ord("𝐚")) + word[0][1:], text)
        return ast.parse(names, mode="eval").body


@lru_cache(maxsize=4096)
def names_in(text: str) -> tuple[str, ...]:
    """The variables that an expression may depend on; none if the text is not an expression."""
    try:
        names = {text} if _is_name(text) else {node.id for node in ast.walk(_parse(text)) if isinstance(node, ast.Name)}
    except (ExpressionError, RecursionError):
        return ()
    return tuple(sorted(names - FUNCTIONS.keys() - WORDS.keys() - TRUTHS.keys()))


# Typed, since True == 1 == 1.0.
@lru_cache(maxsize=4096, typed=True)
def _remembered(text: str, names: tuple[str, ...], *values: Value) -> Value:
    """The value of an expression for these values of its variables; cached, since copies of a block share it."""
    value: Value = _checked(_evaluate(_parse(text), dict(zip(names, values, strict=True))))
    return value


def _evaluate(node: ast.expr, variables: Mapping[str, Value]) -> Any:  # noqa: C901, PLR0911
    # One case for each allowed kind of syntax; all other syntax is refused.
    match node:
        case ast.Constant(value=bool() | int() | float() as value):
            return _checked(value)
        case ast.Constant(value=str() as value) if value in WORDS:
            return value
        case ast.Name(id=name):
            return _lookup(name, variables)
        case ast.BinOp() if type(node.op) in _OPERATORS:
            return _binary(node.op, _evaluate(node.left, variables), _evaluate(node.right, variables))
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            return _binary(ast.Mult(), -1 if isinstance(sign, ast.USub) else 1, _evaluate(operand, variables))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return not _evaluate(operand, variables)
        case ast.BoolOp(op=joint, values=[*operands]):
            return _boolean(joint, operands, variables)
        case ast.Compare() if all(type(op) in _COMPARISONS for op in node.ops):
            return _compare(node, variables)
        case ast.IfExp(test=test, body=body, orelse=otherwise):
            return _evaluate(body if _evaluate(test, variables) else otherwise, variables)
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _checked(_call(name, [_number(_evaluate(argument, variables)) for argument in arguments]))
        case ast.List(elts=items):
            return _checked([_evaluate(item, variables) for item in items])
        case ast.Subscript(value=value, slice=index):
            return _item(_evaluate(value, variables), _evaluate(index, variables))
    raise ExpressionError(f"{quoted(ast.unparse(node))} is not arithmetic, and is not evaluated", _HELP)


def _lookup(name: str, variables: Mapping[str, Value]) -> Any:
    for known in (variables, WORDS, TRUTHS):
        if name in known:
            if known[name] is UNFIT:
                raise _UnfitVariableError
            return known[name]
    raise UnknownVariableError(name, variables)


def _binary(sign: ast.operator, left: Any, right: Any) -> Any:
    if isinstance(left, list) or isinstance(right, list):
        return [_binary(sign, one, other) for one, other in _paired(left, right)]
    _number(left), _number(right)
    whole = isinstance(left, int) and isinstance(right, int)
    # A number of b bits is 2^(b − 1) at least.
    if whole and isinstance(sign, ast.Pow) and (left.bit_length() - 1) * right >= MAX_BITS:
        raise ExpressionError(f"{left} ** {right} is larger than any size", _HELP)
    return _checked(_OPERATORS[type(sign)](left, right))


def _paired(left: Any, right: Any) -> list[tuple[Any, Any]]:
    length = max(len(side) for side in (left, right) if isinstance(side, list))
    sides = [side if isinstance(side, list) else [side] * length for side in (left, right)]
    if len(sides[0]) != len(sides[1]):
        message = f"lists of {len(sides[0])} and {len(sides[1])} values do not pair up"
        raise ExpressionError(message, "calculate with lists of one length, or with a list and a number")
    return list(zip(*sides, strict=True))


def _boolean(joint: ast.boolop, operands: list[ast.expr], variables: Mapping[str, Value]) -> Any:
    value: Any = None
    for operand in operands:
        value = _evaluate(operand, variables)
        if bool(value) == isinstance(joint, ast.Or):
            break
    return value


def _compare(node: ast.Compare, variables: Mapping[str, Value]) -> bool:
    left = _evaluate(node.left, variables)
    for sign, operand in zip(node.ops, node.comparators, strict=True):
        right = _evaluate(operand, variables)
        if not _COMPARISONS[type(sign)](left, right):
            return False
        left = right
    return True


def _call(name: str, arguments: list[Any]) -> Any:
    function = FUNCTIONS[name]
    if any(isinstance(argument, Number) for argument in arguments):
        return call(function, name, *arguments)
    return function(*arguments)


def _item(value: Any, index: Any) -> Any:
    if not isinstance(value, list) or (type(index) is not int and not isinstance(index, Number)):
        raise ExpressionError("only a list can be indexed, by a whole number", _HELP)
    if type(index) is int and not -len(value) <= index < len(value):
        places = f"the first of a list is number 0, the last of this one {len(value) - 1}" if value else "it is empty"
        raise ExpressionError(f"a list of {len(value)} has no number {index}", places)
    return value[index]


_NUMBERS = (int, float, Number)


def _number(value: Any) -> Any:
    if not isinstance(value, _NUMBERS):
        text = quoted(value) if isinstance(value, str) else str(value)
        raise ExpressionError(f"{text} is not a number", _HELP)
    return value


def _checked(value: Any) -> Any:
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise ExpressionError(f"a number of {value.bit_length()} bits is larger than any size", _HELP)
    if isinstance(value, complex) or (isinstance(value, float) and not math.isfinite(value)):
        raise ExpressionError(f"{value} is not a finite number", _HELP)
    if isinstance(value, list) and count_values(value) > MAX_VALUES:
        raise ExpressionError(f"a list of more than {MAX_VALUES:,} values is larger than any shape", _HELP)
    return value


def count_values(value: Any) -> int:
    """The number of values in a list and the lists in it. Raises ExpressionError if they nest too deeply."""
    count, level = 0, [value]
    for _ in range(MAX_NESTING + 1):
        count += sum(not isinstance(item, list) for item in level)
        level = [inner for item in level if isinstance(item, list) for inner in item]
        if not level:
            return count
    raise ExpressionError(f"lists nest deeper than {MAX_NESTING}", "use flatter lists")
