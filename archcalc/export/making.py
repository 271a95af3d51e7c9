"""Finds the modules that exported text constructs, by interpreting its constructors without running them."""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from archcalc.export.reading import Text, UnreadableError, base_of, expect, parameters_of
from archcalc.module_names import MODULE_ATTRIBUTES

CONTAINERS = ("nn.Module", "nn.Sequential", "nn.ModuleList")

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip


class Made:
    """A module: its class, its constructor's arguments, and its submodules and tensors."""

    def __init__(self, kind: str, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self.arguments = arguments
        self.options = dict(options or {})
        self.parts: dict[str, Made] = {}
        self.tied: dict[str, ModuleTensor] = {}  # tensors that belong to another module
        self.flags: dict[str, bool] = {}  # Boolean attributes
        self.lent: set[str] = set()  # tensors that other modules use
        self.frozen: set[str] | None = set()  # tensors; None for all
        self.dtype = "float32"

    def is_frozen(self, tensor: str) -> bool:
        """Whether one of its own tensors is frozen."""
        return self.frozen is None or tensor in self.frozen

    def holder(self, tensor: str) -> "ModuleTensor":
        """The module that owns a tensor, with the tensor's name there."""
        found = ModuleTensor(self, tensor)
        while found.name in found.module.tied:
            found = found.module.tied[found.name]
        return found

    def every(self) -> "Iterator[tuple[tuple[str, ...], Made]]":
        """The module and all modules in it, with the path of each."""
        waiting: list[tuple[tuple[str, ...], Made]] = [((), self)]
        while waiting:
            keys, made = waiting.pop()
            yield keys, made
            waiting.extend(((*keys, key), part) for key, part in reversed(made.parts.items()))


class ModuleTensor(NamedTuple):
    """A parameter or buffer of a module."""

    module: Made
    name: str


def make(text: Text) -> Made:
    """An instance of the last class of a text. Raises UnreadableError."""
    expect(bool(text.classes), None)
    return _Maker(text).make([*text.classes][-1], (), {})


class _Maker:
    """Makes instances of the classes of a text."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def make(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Made:
        """The instance that a constructor call makes."""
        if kind not in self._text.classes:
            return self._standard(kind, arguments, options)
        made = Made(kind)
        base = base_of(self._text, self._text.classes[kind])
        init = self._text.methods(kind).get("__init__")
        expect(init is not None or (base == "nn.Module" and not arguments and not options), self._text.classes[kind])
        if init is not None:
            scope = {"self": made, **self._bound(init, arguments, options)}
            first = next((number for number, one in enumerate(init.body) if isinstance(one, ast.Expr)), 0)
            for statement in init.body[:first]:
                expect(isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name), statement)
            self._run(init.body[:first], scope)
            self._first(init.body[first], base, made, scope)
            self._run(init.body[first + 1 :], scope)
        return made

    def _standard(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Made:
        if kind not in CONTAINERS:
            return Made(kind, arguments, options)
        made = Made(kind)
        parts = arguments[0] if kind == "nn.ModuleList" else arguments
        if options or (kind == "nn.Module" and parts) or not all(isinstance(part, Made) for part in parts):
            raise UnreadableError(f"{kind} with arguments that are not modules")
        made.parts = {str(number): part for number, part in enumerate(parts)}
        return made

    def _bound(self, init: ast.FunctionDef, arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
        """The values of a constructor's parameters by name."""
        _, *names = parameters_of(init)
        defaults = init.args.defaults
        values = dict(zip(names[len(names) - len(defaults) :], (_literal(one) for one in defaults), strict=True))
        positional = dict(zip(names, arguments, strict=False))
        twice = positional.keys() & options.keys()
        values |= positional | options
        if len(arguments) > len(names) or twice or values.keys() != {*names}:
            raise UnreadableError(f"wrong arguments: {ast.unparse(init.args)} gets {sorted({*values})}")
        return values

    def _first(self, statement: ast.stmt, base: str, made: Made, scope: dict[str, Any]) -> None:
        """Interpret the call of the base class's constructor."""
        call = statement.value if isinstance(statement, ast.Expr) else None
        expect(isinstance(call, ast.Call) and ast.unparse(call.func) == "super().__init__", statement)
        assert isinstance(call, ast.Call)
        expect("super" not in scope and (base == "nn.Sequential" or not call.args) and not call.keywords, statement)
        made.parts = self._standard(base, self._arguments(call, scope), {}).parts

    def _run(self, statements: list[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in statements:
            match statement:
                case ast.Assign(targets=[target], value=value):
                    self._assign(target, self.value(value, scope), scope)
                case ast.If(test=test, body=body, orelse=otherwise):
                    self._run(body if self.value(test, scope) else otherwise, scope)
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr="add_module"), args=[key, value])):
                    _hold(self.value(owner, scope), self.value(key, scope), self.value(value, scope))
                case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=state), args=[value])):
                    self._set_state(self.value(owner, scope), state, value)
                case _:
                    expect(False, statement)

    def _assign(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        match target:
            case ast.Name(id=name):
                scope[name] = value
            case ast.Attribute(value=owner, attr=key):
                _hold(self.value(owner, scope), key, value)
            case ast.Subscript(value=owner, slice=ast.Constant(value=int() as number)):
                container = self.value(owner, scope)
                expect(isinstance(container, Made) and str(number) in container.parts, target)
                _hold(container, str(number), value)
            case _:
                expect(False, target)

    def _set_state(self, module: Any, state: str, value: ast.expr) -> None:
        text = ast.unparse(value)
        known = text == "False" if state == "requires_grad_" else state == "to" and text.startswith("torch.")
        expect(isinstance(module, Made) and known, value)
        for _, made in module.every():
            if state == "to":
                expect(not made.tied and not made.lent, value)  # else buffers would no longer be shared
                made.dtype = text.removeprefix("torch.")
            else:
                made.frozen = None
                for owner, name in made.tied.values():
                    if owner.frozen is not None:
                        owner.frozen.add(name)

    def value(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911, PLR0912
        # One case for each kind of syntax in exported constructors; all other syntax is refused.
        match node:
            case ast.Constant(value=bool() | int() | float() | str() | None as value):
                return value
            case ast.Name(id=name) if name in scope:
                return scope[name]
            case ast.Tuple(elts=items):
                return tuple(self.value(item, scope) for item in items)
            case ast.UnaryOp(op=sign, operand=operand) if type(sign) in _OPERATORS:
                return _calculated(sign, self.value(operand, scope))
            case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
                return _calculated(sign, self.value(left, scope), self.value(right, scope))
            case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _OPERATORS:
                return _calculated(sign, self.value(left, scope), self.value(right, scope))
            case ast.BoolOp(op=joint, values=[*operands]):
                return self._boolean(joint, operands, scope)
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                return self.value(body if self.value(test, scope) else otherwise, scope)
            case ast.Attribute(value=owner, attr=key):
                return _part(self.value(owner, scope), key, node)
            case ast.Subscript(value=owner, slice=ast.Constant(value=int() as number)):
                return _part(self.value(owner, scope), str(number), node)
            case ast.ListComp(elt=item, generators=[loop]) | ast.GeneratorExp(elt=item, generators=[loop]):
                return self._repeated(item, loop, scope)
            case ast.List(elts=items):
                return self._items(items, scope)
            case ast.Call(
                func=ast.Attribute(value=owner, attr="get_submodule"), args=[ast.Constant(value=str() as way)]
            ):
                module = self.value(owner, scope)
                for key in way.split("."):
                    module = _part(module, key, node)
                return module
            case ast.Call(func=ast.Name(id="max" | "min" as name), args=[*items], keywords=[]) if name not in scope:
                values = self._items(items, scope)
                expect(len(values) > 1 and all(isinstance(value, int | float) for value in values), node)
                return max(values) if name == "max" else min(values)
            case ast.Call(func=function):
                kind = _dotted(function)
                expect(self._is_class(kind, scope), node)
                options = {str(one.arg): self.value(one.value, scope) for one in node.keywords if one.arg}
                expect(len(options) == len(node.keywords), node)
                return self.make(kind, self._arguments(node, scope), options)
        raise UnreadableError(f"not exported text: {ast.unparse(node)[:80]}")

    def _is_class(self, kind: str, scope: Mapping[str, Any]) -> bool:
        first, *rest = kind.split(".")
        if first in scope:
            return False
        return kind in self._text.classes or (self._text.is_known(kind) and (first == "nn") == (len(rest) == 1))

    def _arguments(self, call: ast.Call, scope: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(self._items(call.args, scope))

    def _items(self, items: list[ast.expr], scope: Mapping[str, Any]) -> list[Any]:
        found = []
        for item in items:
            if isinstance(item, ast.Starred):
                found.extend(self.value(item.value, scope))
            else:
                found.append(self.value(item, scope))
        return found

    def _repeated(self, item: ast.expr, loop: ast.comprehension, scope: Mapping[str, Any]) -> list[Any]:
        match loop:
            case ast.comprehension(
                target=ast.Name(id=name),
                iter=ast.Call(func=ast.Name(id="range"), args=[times], keywords=[]),
                ifs=[],
                is_async=0,
            ) if "range" not in scope:
                count = self.value(times, scope)
                expect(type(count) is int, times)
                return [self.value(item, {**scope, name: number}) for number in range(count)]
        raise UnreadableError(f"not exported text: {ast.unparse(loop)[:80]}")

    def _boolean(self, joint: ast.boolop, operands: list[ast.expr], scope: Mapping[str, Any]) -> Any:
        value: Any = None
        for operand in operands:
            value = self.value(operand, scope)
            if bool(value) == isinstance(joint, ast.Or):
                break
        return value


def _dotted(node: ast.expr) -> str:
    """A name such as `nn.Linear`."""
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise UnreadableError(f"not a literal: {ast.unparse(node)[:80]}") from None


def _calculated(sign: ast.AST, *operands: Any) -> Any:
    if isinstance(sign, ast.Not | ast.Eq | ast.NotEq) or all(isinstance(one, int | float) for one in operands):
        try:
            return _OPERATORS[type(sign)](*operands)
        except ArithmeticError as error:
            raise UnreadableError(str(error)) from None
    raise UnreadableError(f"{type(sign).__name__} of {operands}")


def _hold(owner: Any, key: Any, value: Any) -> None:
    """Set an attribute of a module to a submodule, or to a tensor of another module."""
    if isinstance(value, ModuleTensor):
        module, name = (owner.module, f"{owner.name}.{key}") if isinstance(owner, ModuleTensor) else (owner, key)
        if not isinstance(module, Made) or module.kind in CONTAINERS or module.parts:
            raise UnreadableError(f"{key!r} cannot be a tensor")
        if name in module.lent or name in module.tied:
            raise UnreadableError(f"{name!r} is shared twice")
        module.tied[name] = value.module.holder(value.name)
        module.tied[name].module.lent.add(module.tied[name].name)
        return
    fits = isinstance(owner, Made) and isinstance(value, Made | bool) and isinstance(key, str)
    if not fits or key in MODULE_ATTRIBUTES or not key or "." in key:
        raise UnreadableError(f"a module cannot have {key!r}")
    if isinstance(value, bool) != (key in owner.flags) and (key in owner.parts or key in owner.flags):
        raise UnreadableError(f"{key!r} is a module and a number")
    if isinstance(value, bool):
        owner.flags[key] = value
    else:
        owner.parts[key] = value


def _part(owner: Any, key: str, node: ast.AST) -> Any:
    """An attribute of a module: a submodule or a tensor."""
    if isinstance(owner, ModuleTensor):
        return ModuleTensor(owner.module, f"{owner.name}.{key}")
    expect(isinstance(owner, Made), node)
    if key in owner.parts or owner.kind in CONTAINERS:
        return find_part(owner, key)
    expect(not owner.parts, node)
    return ModuleTensor(owner, key)


def find_part(owner: Made, key: str) -> Made:
    """A submodule by name. Raises UnreadableError if there is none."""
    if key not in owner.parts:
        raise UnreadableError(f"no module is called {key!r}")
    return owner.parts[key]
