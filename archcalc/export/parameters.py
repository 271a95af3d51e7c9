"""The parameters of a class's constructor, and an expression on them for every value that differs between instances.

An expression must have the right value in every instance. It is the spec's own (`4 * width`), else a parameter or
expression with the same values, a multiple of a parameter, or a new parameter.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from archcalc.export.construct import ABSENT
from archcalc.export.formulas import PythonExpression, translate
from archcalc.export.layout import literal
from archcalc.export.names import is_plain, variable
from archcalc.module_names import Names
from archcalc.spec.expressions import ExpressionError, evaluate

MAX_FACTOR = 16

Values = Sequence[Any]  # one for each instance; ABSENT if an instance lacks the module


class Parameter(NamedTuple):
    """A parameter of a constructor; `default` is ABSENT if it is required."""

    name: str
    values: Values
    default: Any = ABSENT

    @property
    def annotation(self) -> str:
        """The type annotation."""
        return " | ".join(dict.fromkeys(map(_type_name, self.values)))


class ConstructorParameters:
    """The parameters of one class. `arguments` are those of each instance in the spec, `defaults` the block's.

    A parameter whose default is an expression on others, and right in all instances, is computed by the constructor.
    """

    def __init__(
        self, arguments: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], variables: Mapping[str, Any]
    ) -> None:
        self._names = Names(["self", "max", "min"])
        self._variables = variables
        self._declared: dict[str, Parameter] = {}
        self._derived: dict[str, PythonExpression] = {}
        self._used: dict[str, Parameter] = {}
        self._made: list[Parameter] = []
        self._expressions: dict[tuple[str, ...], str] = {}
        for name in arguments[0] if arguments else ():
            values = [_frozen(instance[name]) for instance in arguments]
            if is_plain(name) and name.isascii() and variable(name) == name and all(map(_is_literal, values)):
                default = defaults.get(name)
                formula = self._formula(default, values, None)
                if formula and formula.names and len({*map(literal, values)}) > 1:
                    self._derived[name] = formula
                self._declared[name] = Parameter(name, values, default if _is_constant(default) else ABSENT)

    @property
    def parameters(self) -> list[Parameter]:
        """All used parameters, those with a default last."""
        spec = [self._used[name] for name in self._declared if name in self._used and name not in self._derived]
        return sorted([*self._made, *spec], key=lambda parameter: parameter.default is not ABSENT)

    @property
    def derived(self) -> dict[str, str]:
        """The expressions that the constructor evaluates first, by name of the variable."""
        return {name: formula.text for name, formula in self._derived.items() if name in self._used}

    def written(self, text: Any, values: Values, copies: int | None = None) -> str | None:
        """The spec's own expression, if it has these values and depends on parameters alone."""
        formula = self._formula(text, values, copies)
        return self._use(formula.text, formula.names, values) if formula and formula.names else None

    def _formula(self, text: Any, values: Values, copies: int | None) -> PythonExpression | None:
        formula = translate(text, self._declared, self._variables, copies)
        try:
            return formula if formula and self._have(formula, values) else None
        except ExpressionError:
            return None

    def _have(self, formula: PythonExpression, values: Values) -> bool:
        if formula.text in self._declared:
            return _alike(self._declared[formula.text].values, values)
        for number, value in enumerate(values):
            inside = {name: self._declared[name].values[number] for name in formula.names}
            # In specs, arithmetic on lists is elementwise, which it is not in Python.
            if not all(isinstance(one, int) for one in inside.values()):
                return False
            if value is not ABSENT and literal(evaluate(formula.text, inside)) != literal(value):
                return False
        return True

    def _use(self, text: str, names: Iterable[str], values: Values) -> str:
        for name in names:
            self._use_name(name)
        if ABSENT not in values:
            self._expressions.setdefault(tuple(map(literal, values)), text)
        return text

    def _use_name(self, name: str) -> str:
        self._used[name] = self._declared[name]
        for inner in self._derived[name].names if name in self._derived else ():
            self._use_name(inner)
        return name

    def find(self, name: str, values: Values, owner: str) -> str:
        """An expression for values that differ between instances; makes a new parameter if there is none."""
        if ABSENT not in values and (text := self._expressions.get(tuple(map(literal, values)))):
            return text
        if text := self.same(values):
            return text
        for parameter in (*self._used.values(), *self._made):
            if text := _multiple(parameter, values):
                return text
        return self._new(name, values, owner)

    def same(self, values: Values) -> str | None:
        """The name of a parameter with these values, if there is one."""
        for parameter in (*self._made, *self._used.values(), *self._declared.values()):
            if _alike(parameter.values, values):
                return self._use_name(parameter.name) if parameter.name in self._declared else parameter.name
        return None

    def count(self, values: Values) -> str | None:
        """An expression for numbers that are one less than a parameter, if there is one."""
        for parameter in (*self._used.values(), *self._declared.values()):
            if all(type(one) is int for one in parameter.values) and values == [one - 1 for one in parameter.values]:
                return f"{self._use_name(parameter.name)} - 1"
        return None

    def _new(self, name: str, values: Values, owner: str) -> str:
        taken = {*self._declared, *(parameter.name for parameter in self._made)}
        name = variable(name)
        name = self._names.add(name if name not in taken else variable(f"{owner}_{name}"))
        present = next(value for value in values if value is not ABSENT)
        # An instance that lacks the module may get any value.
        filled = [present if value is ABSENT else value for value in values]
        self._made.append(Parameter(name, filled))
        return name


def _multiple(parameter: Parameter, values: Values) -> str | None:
    """A multiple or a fraction of a parameter with these values, if at least two different values agree."""
    pairs = [pair for pair in zip(parameter.values, values, strict=True) if pair[1] is not ABSENT]
    if not all(type(one) is int and type(other) is int and one > 0 and other > 0 for one, other in pairs):
        return None
    if len(set(pairs)) < 2:
        return None
    (one, other), *_ = pairs
    factor, part = other // one, one // other
    if 1 < factor <= MAX_FACTOR and all(value == factor * base for base, value in pairs):
        return f"{factor} * {parameter.name}"
    if 1 < part <= MAX_FACTOR and all(value == base // part for base, value in pairs):
        return f"{parameter.name} // {part}"
    return None


def _alike(known: Values, values: Values) -> bool:
    pairs = zip(known, values, strict=True)
    return all(value is ABSENT or literal(value) == literal(one) for one, value in pairs)


def _is_constant(value: Any) -> bool:
    return isinstance(value, bool | int | float)


def _is_literal(value: Any) -> bool:
    return _is_constant(value) or (isinstance(value, tuple) and all(map(_is_literal, value)))


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _type_name(value: Any) -> str:
    if value is None:
        return "None"
    if isinstance(value, tuple | list):
        inner = " | ".join(dict.fromkeys(map(_type_name, value))) or "int"
        return f"tuple[{inner}, ...]"
    return type(value).__name__
