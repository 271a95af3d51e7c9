"""Numbers with a value and a SymPy expression: values decide comparisons, expressions become the closed form.

Where a value decides something (a `when`, a comparison, an axis), the decision becomes a condition of the closed form,
unless it is the same for all values of the symbols.
"""

import operator
from collections.abc import Callable
from functools import reduce
from typing import Any

import sympy
from sympy.core.sorting import default_sort_key

from archcalc.arithmetic import maximum, minimum
from archcalc.errors import UsageError
from archcalc.symbolic import functions
from archcalc.symbolic.conditions import OPPOSITES, condition, is_certain, is_never_negative
from archcalc.symbolic.doubles import rounded, unrounded
from archcalc.symbolic.floors import count_terms, expanded, floor_divide
from archcalc.tracing import Number

MAX_TERMS = 100_000  # processed for one closed form; DenseNet-121 in four symbols takes 4,000
CHOICE_TERMS = 2_000  # terms that take as long as a maximum
MAX_CONDITIONS = 1_000
MAX_SIZE = 150  # operations of an expression; a larger one gets a name
MAX_INLINE = 10  # operations of a polynomial definition that replaces its name
MAX_POWER = 256
CHOICES = (sympy.Max, sympy.Min)
MAX_CHOICES = 8  # arguments of maxima and minima in an expression


class Algebra:
    """The state that all numbers of one closed form share.

    Attributes: `definitions` of the symbols that stand for intermediate results, in order of creation (a symbol's name
    is the first letter of its final name); `inline`, expressions that replace some of these symbols; `conditions`.
    """

    def __init__(self) -> None:
        self.definitions: dict[Any, Any] = {}
        self.inline: dict[Any, Any] = {}
        self.conditions: dict[Any, None] = {}
        self._names: dict[Any, Any] = {}
        self._cores: dict[Any, Any] = {}  # sums without their constants, in terms of named sums
        self._whole: dict[Any, Any] = {}
        self._terms = 0

    def symbol(self, name: str, value: Any) -> "Symbolic":
        """A number with a symbol as its expression; the symbol is integer or real, and positive, as the value is."""
        signs = {"positive": True} if value > 0 else {"nonnegative": True} if value == 0 else {}
        return Symbolic(self, value, sympy.Symbol(name, real=True, integer=isinstance(value, int) or None, **signs))

    def number(self, value: Any, expression: Any) -> Any:
        """A number with a value and an expression; the plain value if the expression is constant."""
        self._spend(1)
        if isinstance(value, float):
            expression = rounded(expression)
        if expression.is_Rational:
            return value
        return Symbolic(self, value, expression)

    def _spend(self, terms: int) -> None:
        self._terms += terms
        if self._terms > MAX_TERMS:
            raise UsageError("computing the closed form takes too many terms: use fewer symbols")

    def shortened(self, number: Any, letter: str, positive: bool = False) -> Any:
        """The number with a name as its expression, unless it is a product of symbols; `positive` for a size."""
        if not isinstance(number, Symbolic):
            return number
        return self.number(number.value, self._name(number.expression, letter, positive))

    def _name(self, expression: Any, letter: str, positive: bool) -> Any:
        if is_monomial(expression):
            return expression
        full = self.resolved(expression)
        if is_monomial(full):
            return full
        if full not in self._names:
            self._names[full] = self._define(full, letter, positive)
        return self._names[full]

    def _define(self, full: Any, letter: str, positive: bool) -> Any:
        """A new name for an expression; a short one, or a multiple of a named one plus a constant, is inlined."""
        written = full.xreplace(self.inline)
        if not (is_polynomial(written) and written.count_ops() <= MAX_INLINE):
            constant = full.as_coefficients_dict().get(sympy.S.One, sympy.S.Zero)
            factor, core = (full - constant).primitive()
            if core not in self._cores:
                name = self._new(full if factor == 1 else core, letter, positive and factor == 1)
                self._cores[core] = name - constant if factor == 1 else name
            written = constant + factor * self._cores[core]
            if is_monomial(written):
                return written
        name = self._new(full, letter, positive)
        self.inline[name] = written
        return name

    def _new(self, full: Any, letter: str, positive: bool) -> Any:
        signs = {"positive": True} if positive or full.is_positive else {}
        name = sympy.Dummy(letter, integer=full.is_integer or None, real=True, **signs)
        self.definitions[name] = full
        return name

    def taken_as_whole(self, number: "Symbolic") -> "Symbolic":
        """A number such as 32·alpha as an integer, so that its floors vanish; printed unchanged."""
        full = self.resolved(number.expression)
        if full not in self._whole:
            name = self._whole[full] = sympy.Dummy("n", integer=True)
            self.definitions[name] = full
            self.inline[name] = full.xreplace(self.inline)
        return Symbolic(self, int(number.value), self._whole[full])

    def resolved(self, expression: Any) -> Any:
        """The expanded expression with all names replaced by their definitions; unchanged if that is too large."""
        named = [self.definitions[name] for name in expression.free_symbols if name in self.definitions]
        if has_many_choices(expression, *named):
            return expression
        full = expanded(expression.xreplace(self.definitions))
        size = full.count_ops()
        self._spend(size)
        too_much = size > MAX_SIZE or count_terms(full) > MAX_SIZE or has_nested_floors(full)
        return expression if too_much else full

    def decide(self, relation: Callable[[Any, Any], bool], left: Any, right: Any) -> bool:
        """Decide a relation by the values; note it as a condition, unless it holds for all values of the symbols."""
        truth = relation(value_of(left), value_of(right))
        sides = expression_of(left), expression_of(right)
        if sides[0] == sides[1]:
            return truth
        difference = self.resolved(sides[0] - sides[1])
        if not is_certain(relation, difference):
            self._keep(condition(relation if truth else OPPOSITES[relation], difference, sides))
        return truth

    def _keep(self, found: Any) -> None:
        self.conditions[found] = None
        if len(self.conditions) > MAX_CONDITIONS:
            raise UsageError(f"the closed form holds under more than {MAX_CONDITIONS:,} conditions: use fewer symbols")

    def floor(self, expression: Any) -> Any:
        """⌊expression⌋."""
        return self.floor_divide(expression, sympy.S.One)

    def floor_divide(self, dividend: Any, divisor: Any) -> Any:
        """⌊dividend / divisor⌋; a nested floor that cannot be combined gets a name."""
        if divisor == 1 and dividend.is_integer:
            return dividend
        if dividend.is_Mul and is_monomial(dividend) and len(dividend.free_symbols) > 1:
            # A product of sizes is not expanded: no floors would combine.
            return floor_divide(dividend, self.resolved(divisor))
        sides = self.resolved(dividend), self.resolved(divisor)
        found = floor_divide(*sides)
        if has_nested_floors(found):
            return floor_divide(*(self._without(side, sympy.floor) for side in sides))
        return found

    def _without(self, expression: Any, *functions: Any) -> Any:
        """The expression with names in place of calls of these functions."""
        atoms = expression.atoms(*functions)
        inner = {part for atom in atoms for part in atom.atoms(*functions) - {atom}}
        parts = sorted(atoms - inner, key=default_sort_key)
        return expression.xreplace({part: self._name(part, "n", False) for part in parts})

    def ceil_divide(self, dividend: Any, divisor: Any) -> Any:
        """⌈dividend / divisor⌉ in terms of a floor, so that equal quotients compare equal."""
        whole = dividend.is_integer and divisor.is_integer and divisor.is_positive
        if whole:
            return self.floor_divide(dividend + divisor - 1, divisor)
        return -self.floor_divide(-dividend, divisor)

    def largest(self, *expressions: Any) -> Any:
        """The largest expression; `Max` only of those that are not provably smaller."""
        return reduce(lambda one, other: self._chosen(one, other, sympy.Max, True), expressions)

    def smallest(self, *expressions: Any) -> Any:
        """The smallest expression; `Min` only of those that are not provably larger."""
        return reduce(lambda one, other: self._chosen(one, other, sympy.Min, False), expressions)

    def _chosen(self, one: Any, other: Any, function: Any, larger: bool) -> Any:
        if is_never_negative(self.resolved(one - other)):
            return one if larger else other
        if is_never_negative(self.resolved(other - one)):
            return other if larger else one
        if has_many_choices(one, other):
            one, other = self._without(one, *CHOICES), self._without(other, *CHOICES)
        self._spend(CHOICE_TERMS)
        return function(one, other)


def has_nested_floors(expression: Any) -> bool:
    """Whether the expression has a floor in a floor."""
    return any(part.args[0].has(sympy.floor) for part in expression.atoms(sympy.floor))


def has_many_choices(*expressions: Any) -> bool:
    """Whether maxima and minima have so many arguments that SymPy, which compares them all, would take seconds."""
    return sum(len(part.args) for expression in expressions for part in expression.atoms(*CHOICES)) > MAX_CHOICES


def is_monomial(expression: Any) -> bool:
    """Whether it is an integer times a product of symbols."""
    coefficient, factors = expression.as_coeff_mul()
    return bool(coefficient.is_Integer) and all(factor.as_base_exp()[0].is_Symbol for factor in factors)


def is_polynomial(expression: Any) -> bool:
    """Whether it consists of integers and symbols in sums, products and powers."""
    if expression.is_Symbol or expression.is_Integer:
        return True
    if expression.is_Pow:
        return bool(expression.exp.is_Integer and expression.exp > 0) and is_polynomial(expression.base)
    return bool(expression.is_Add or expression.is_Mul) and all(map(is_polynomial, expression.args))


def value_of(number: Any) -> Any:
    """The value of a number of any kind."""
    return number.value if isinstance(number, Symbolic) else number


def expression_of(number: Any) -> Any:
    """The expression of a number of any kind; of a decimal, the exact value of its double."""
    if isinstance(number, Symbolic):
        return number.expression
    return sympy.Integer(number) if isinstance(number, int) else sympy.Rational(number)


class Symbolic(Number):
    """A number with a value and an expression."""

    __slots__ = ("algebra", "expression", "value")

    def __init__(self, algebra: Algebra, value: Any, expression: Any) -> None:
        self.algebra = algebra
        self.value = value
        self.expression = expression

    def whole(self) -> Any:
        return self if self.expression.is_integer else self.algebra.taken_as_whole(self)

    def apply(self, function: Any, form: str, operands: tuple[Any, ...]) -> Any:
        value = function(*map(value_of, operands))
        if function in (minimum, maximum) and value_of(operands[0]) != value_of(operands[1]):
            return self._clamped(operands, value)
        return self.algebra.number(value, _FORMS[form](self.algebra, *map(expression_of, operands)))

    def _clamped(self, operands: tuple[Any, ...], value: Any) -> Any:
        """The operand that a maximum or minimum returns; a condition keeps the choice."""
        chosen, other = operands if value_of(operands[0]) == value else reversed(operands)
        self.algebra.decide(operator.le if value < value_of(other) else operator.ge, chosen, other)
        return chosen

    def _combined(self, function: Any, left: Any, right: Any, exact: Any = None) -> Any:
        if not isinstance(left, _KINDS) or not isinstance(right, _KINDS):
            return NotImplemented
        value = function(value_of(left), value_of(right))
        sides = (self._carried(side) for side in (left, right))
        return self.algebra.number(value, (exact or function)(*sides))

    def _carried(self, side: Any) -> Any:
        """The expression of an operand; a large one is replaced by a name."""
        expression = expression_of(side)
        if not isinstance(side, Symbolic) or expression.is_Symbol or expression.count_ops() <= MAX_SIZE:
            return expression
        return expression_of(self.algebra.shortened(side, "n"))

    def __add__(self, other: Any) -> Any:
        return self._combined(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return self._combined(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return self._combined(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return self._combined(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return self._combined(operator.mul, self, other, _multiply)

    def __rmul__(self, other: Any) -> Any:
        return self._combined(operator.mul, other, self, _multiply)

    def __truediv__(self, other: Any) -> Any:
        return self._combined(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._combined(operator.truediv, other, self)

    def __floordiv__(self, other: Any) -> Any:
        return self._combined(operator.floordiv, self, other, self.algebra.floor_divide)

    def __rfloordiv__(self, other: Any) -> Any:
        return self._combined(operator.floordiv, other, self, self.algebra.floor_divide)

    def _modulo(self, dividend: Any, divisor: Any) -> Any:
        return dividend - divisor * self.algebra.floor_divide(dividend, divisor)

    def __mod__(self, other: Any) -> Any:
        return self._combined(operator.mod, self, other, self._modulo)

    def __rmod__(self, other: Any) -> Any:
        return self._combined(operator.mod, other, self, self._modulo)

    def __pow__(self, other: Any) -> Any:
        return self._combined(operator.pow, self, other, _power)

    def __rpow__(self, other: Any) -> Any:
        return self._combined(operator.pow, other, self, _power)

    def __neg__(self) -> Any:
        return -1 * self

    def __abs__(self) -> Any:
        return self.apply(abs, "abs", (self,))

    def _decided(self, relation: Any, other: Any) -> Any:
        return self.algebra.decide(relation, self, other) if isinstance(other, _KINDS) else NotImplemented

    def __eq__(self, other: object) -> Any:
        return self._decided(operator.eq, other)

    def __ne__(self, other: object) -> Any:
        return self._decided(operator.ne, other)

    def __lt__(self, other: Any) -> Any:
        return self._decided(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._decided(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._decided(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._decided(operator.ge, other)

    def __bool__(self) -> bool:
        return self.algebra.decide(operator.ne, self, 0)

    def __index__(self) -> int:
        """The value, where Python needs an int, as for an axis; the closed form then holds for that value alone."""
        if not isinstance(self.value, int):
            raise TypeError(f"{self.value} is not a whole number")
        self.algebra.decide(operator.eq, self, self.value)
        return self.value

    def __hash__(self) -> int:
        """Equal for equal expressions of one algebra; numbers of other algebras note their conditions elsewhere."""
        return hash((id(self.algebra), self.expression))

    def __repr__(self) -> str:
        return str(self.expression)


_KINDS = (int, float, Symbolic)


def _multiply(one: Any, other: Any) -> Any:
    product = one * other
    powers = (factor.as_base_exp()[1] for factor in sympy.Mul.make_args(product))
    if any(power.is_Rational and abs(power) > MAX_POWER for power in powers):
        raise UsageError(f"a number in the closed form is raised to a power above {MAX_POWER}")
    return product


def _power(base: Any, exponent: Any) -> Any:
    if exponent.is_Rational and abs(exponent) > MAX_POWER:
        raise UsageError(f"a number in the closed form is raised to a power above {MAX_POWER}")
    return base**exponent


def _truncated(algebra: Algebra, number: Any) -> Any:
    number = unrounded(number)
    if number.is_nonnegative or is_never_negative(algebra.resolved(number)):
        return algebra.floor(number)
    return sympy.sign(number) * sympy.floor(abs(number))


def _rounded(_algebra: Algebra, number: Any, *digits: Any) -> Any:
    if digits:
        raise UsageError("round with a number of digits has no closed form: leave that number out of the symbols")
    return number if number.is_integer else functions.round(number)


def _rounded_to(algebra: Algebra, number: Any, divisor: Any) -> Any:
    return functions.round_to(algebra.resolved(number), algebra.resolved(divisor))


def _common_divisor(algebra: Algebra, one: Any, other: Any) -> Any:
    return one if algebra.resolved(one - other) == 0 else functions.gcd(one, other)


_FORMS: dict[str, Callable[..., Any]] = {
    "⌊⌋": lambda algebra, number: algebra.floor(unrounded(number)),
    "⌈⌉": Algebra.ceil_divide,
    "abs": lambda _algebra, number: sympy.Abs(number),
    "ceil": lambda algebra, number: -algebra.floor(-unrounded(number)),
    "floor": lambda algebra, number: algebra.floor(unrounded(number)),
    "gcd": _common_divisor,
    "int": _truncated,
    "max": Algebra.largest,
    "min": Algebra.smallest,
    "round": _rounded,
    "round_to": _rounded_to,
    "sqrt": lambda _algebra, number: sympy.sqrt(number),
}
