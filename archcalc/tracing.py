"""Numbers that record their derivation, so that an explanation cannot disagree with the number it explains."""

from collections.abc import Iterator
from typing import Any

# The precedence of each operation; operands of lower precedence are written in parentheses.
_BINDING = {"+": 1, "-": 1, "*": 2, "/": 2, "neg": 2, "**": 3}
_SIGN = {"+": " + ", "-": " − ", "*": "·", "/": "/"}
_ATOM = 9

MAX_OPERANDS = 24  # operands of a chain that are written out


def plain(value: Any) -> str:
    """A number as a formula prints it: with commas between thousands and a true minus sign."""
    return (f"{value:,}" if isinstance(value, int) else str(value)).replace("-", "−")


class Number:
    """Abstract: a number with more than its value. Formulas call `apply` for functions that are no operators."""

    __slots__ = ()

    value: Any

    def named(self, symbol: str, plain: Any = None) -> "Number":
        """The same number as an intermediate result called `symbol`; or `plain`, if they are equal."""
        return self

    def whole(self) -> "Number":
        """The same number where it can only be a whole one."""
        return self

    def equals(self, other: Any) -> bool:
        """Whether it equals another number for all values of their symbols."""
        return self is other

    def __index__(self) -> int:
        """The value as an int."""
        raise TypeError(f"{self} is no plain number")

    def apply(self, function: Any, form: str, operands: tuple[Any, ...]) -> Any:
        """`function` of the operands, one of which is this number; `form` is its notation, such as `min` or `⌈⌉`."""
        raise NotImplementedError(form)


class Traced(Number):
    """A number with its derivation: `value`, and the operation and operands that it was computed from.

    A leaf has a `symbol` (`F` for a kernel size) for the general form of the formula. A named intermediate result is
    written as one number where it is used, and its derivation apart.
    """

    __slots__ = ("operands", "operation", "symbol", "value")

    def __init__(self, value: Any, symbol: str = "", operation: str = "", operands: tuple[Any, ...] = ()) -> None:
        self.value = value
        self.symbol = symbol
        self.operation = operation
        self.operands = operands

    def named(self, symbol: str, plain: Any = None) -> "Traced":
        if isinstance(plain, Traced) and plain.value == self.value:
            return plain
        return Traced(self.value, symbol, "name", (self,))

    def apply(self, function: Any, form: str, operands: tuple[Any, ...]) -> "Traced":
        return Traced(function(*map(untraced, operands)), "", form, _flat(form, operands))

    def substituted(self) -> str:
        """The derivation in values: `⌊(32 + 2·0 − 5)/1⌋ + 1`."""
        return _write(self, symbolic=False)[0]

    def symbolic(self) -> str:
        """The derivation in symbols: `⌊(N + 2·P − F)/S⌋ + 1`."""
        return _write(self, symbolic=True)[0]

    def intermediates(self) -> Iterator["Traced"]:
        """The named intermediate results that this number depends on, operands first."""
        for operand in self.operands:
            if isinstance(operand, Traced):
                yield from operand.intermediates()
        if self.operation == "name":
            yield self

    def __add__(self, other: Any) -> "Traced":
        return _apply(self, "+", other)

    def __radd__(self, other: Any) -> "Traced":
        return _apply(other, "+", self)

    def __sub__(self, other: Any) -> "Traced":
        return _apply(self, "-", other)

    def __rsub__(self, other: Any) -> "Traced":
        return _apply(other, "-", self)

    def __mul__(self, other: Any) -> "Traced":
        return _apply(self, "*", other)

    def __rmul__(self, other: Any) -> "Traced":
        return _apply(other, "*", self)

    def __floordiv__(self, other: Any) -> "Traced":
        return _apply(self, "//", other)

    def __rfloordiv__(self, other: Any) -> "Traced":
        return _apply(other, "//", self)

    def __mod__(self, other: Any) -> "Traced":
        return _apply(self, "%", other)

    def __pow__(self, other: Any) -> "Traced":
        return _apply(self, "**", other)

    def __neg__(self) -> "Traced":
        return Traced(-self.value, "", "neg", (self,))

    def __repr__(self) -> str:
        return f"{self.substituted()} = {plain(self.value)}"


_COMPUTE = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "**": lambda a, b: a**b,
}


def untraced(number: Any) -> Any:
    """The value of a tracing number; any other number unchanged."""
    return number.value if isinstance(number, Traced) else number


def call(function: Any, form: str, *operands: Any) -> Any:
    """`function` of operands of which at least one is a `Number`; `form` is its notation."""
    return next(operand for operand in operands if isinstance(operand, Number)).apply(function, form, operands)


def _apply(left: Any, operation: str, right: Any) -> Traced:
    return Traced(_COMPUTE[operation](untraced(left), untraced(right)), "", operation, _flat(operation, (left, right)))


def _flat(operation: str, operands: tuple[Any, ...]) -> tuple[Any, ...]:
    """The operands of an operation; a chain of the same operation is flattened, to bound the depth of recursion."""
    first, *others = operands
    if operation in ("+", "*", "min", "max") and isinstance(first, Traced) and first.operation == operation:
        return (*first.operands, *others)
    return operands


def _write(number: Any, symbolic: bool) -> tuple[str, int]:
    """The text of a number, and the precedence of its outermost operation."""
    if not isinstance(number, Traced):
        return plain(number), _ATOM
    if number.operation in ("", "name"):
        return (number.symbol if symbolic and number.symbol else plain(number.value)), _ATOM
    if number.operation == "neg":
        return "−" + _wrapped(number.operands[0], 3, symbolic), _BINDING["neg"]
    if number.operation in _SIGN:
        return _write_sign(number, symbolic)
    return _write_call(number, symbolic)


def _write_call(number: Traced, symbolic: bool) -> tuple[str, int]:
    operands = number.operands
    match number.operation:
        case "//":
            return f"⌊{_quotient(number, symbolic)}⌋", _ATOM
        case "⌊⌋":
            return f"⌊{_write(operands[0], symbolic)[0]}⌋", _ATOM
        case "⌈⌉":
            return f"⌈{_quotient(number, symbolic)}⌉", _ATOM
        case "%":
            return f"{_wrapped(operands[0], 2, symbolic)} mod {_wrapped(operands[1], 2, symbolic)}", 1
        case "**":
            return f"{_wrapped(operands[0], 4, symbolic)}^{_wrapped(operands[1], 4, symbolic)}", 3
        case function:
            return f"{function}({', '.join(_elided([_write(operand, symbolic)[0] for operand in operands]))})", _ATOM


def _write_sign(number: Traced, symbolic: bool) -> tuple[str, int]:
    binding = _BINDING[number.operation]
    first, *others = number.operands
    # A sum behind a minus is written in parentheses.
    after = binding + 1 if number.operation == "-" else binding
    written = [_wrapped(first, binding, symbolic), *(_wrapped(other, after, symbolic) for other in others)]
    return _SIGN[number.operation].join(_elided(written)), binding


def _elided(written: list[str]) -> list[str]:
    """The operands of a chain; the middle of a long one is left out."""
    return written if len(written) <= MAX_OPERANDS else [*written[:6], "…", *written[-3:]]


def _quotient(number: Traced, symbolic: bool) -> str:
    top, bottom = number.operands
    return f"{_wrapped(top, 2, symbolic)}/{_wrapped(bottom, 3, symbolic)}"


def _wrapped(number: Any, binding: int, symbolic: bool) -> str:
    text, own = _write(number, symbolic)
    return f"({text})" if own < binding else text
