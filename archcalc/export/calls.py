"""Finds the calls in the `forward` methods of exported text, and their arguments, without running it."""

import ast
from collections.abc import Callable
from typing import Any, NamedTuple

from archcalc.export.making import Made, find_part
from archcalc.export.reading import Text, UnreadableError, expect, parameters_of

FREE = {"torch", "len"}  # names that expressions may use besides tensors


class Expression(NamedTuple):
    """A Python expression on the tensors `reads`, by number."""

    text: str
    reads: tuple[int, ...]


class Reached(NamedTuple):
    """A module, and its path as a sequence of attribute names."""

    made: Made
    keys: tuple[str, ...]


Called = Callable[[tuple[str, ...], tuple[int, ...]], int]  # from a layer's path and inputs to its result
Evaluated = Callable[[Expression], int]
Scope = dict[str, Any]


class Calls:
    """Walks through the calls of a network in order. Tensors are numbers, which `called` and `evaluated` return."""

    def __init__(self, text: Text, called: Called, evaluated: Evaluated) -> None:
        self._text = text
        self._called = called
        self._evaluated = evaluated
        self._expressions: dict[ast.expr, tuple[str, tuple[str, ...]]] = {}  # cached

    def outputs(self, network: Made, inputs: tuple[int, ...]) -> tuple[int, ...]:
        """The outputs of the network."""
        found = self._call(Reached(network, ()), inputs)
        return found if isinstance(found, tuple) else (found,)

    def _call(self, reached: Reached, inputs: tuple[Any, ...]) -> Any:
        if not all(isinstance(one, int) for one in inputs):
            raise UnreadableError(f"{'.'.join(reached.keys)} is called with arguments that are not tensors")
        made = reached.made
        forward = self._text.methods(made.kind).get("forward") if made.kind in self._text.classes else None
        if forward is not None:
            return self._forward(forward, reached, inputs)
        if made.kind == "nn.Sequential" or made.kind in self._text.classes:
            return self._chain(reached, inputs)
        return self._called(reached.keys, inputs)

    def _chain(self, reached: Reached, inputs: tuple[int, ...]) -> Any:
        if len(inputs) != 1 or not self._text.is_chain(reached.made.kind):
            raise UnreadableError(f"{'.'.join(reached.keys)} cannot be called")
        value: Any = inputs[0]
        for key, part in reached.made.parts.items():
            value = self._call(Reached(part, (*reached.keys, key)), (value,))
        return value

    def _forward(self, method: ast.FunctionDef, reached: Reached, inputs: tuple[int, ...]) -> Any:
        _, *names = parameters_of(method)
        if len(names) != len(inputs) or method.args.defaults:
            raise UnreadableError(f"{'.'.join(reached.keys)} gets {len(inputs)} inputs")
        scope: Scope = {"self": reached, **dict(zip(names, inputs, strict=True))}
        # A name that is assigned anywhere in a function is local in all of it.
        local = {node.id for node in ast.walk(method) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        scope.update(dict.fromkeys(local - scope.keys()))
        return self._result(method.body, scope)

    def _result(self, statements: list[ast.stmt], scope: Scope) -> Any:
        """Run statements; the value that the last one returns."""
        expect(bool(statements), None)
        *before, last = statements
        for statement in before:
            self._run(statement, scope)
        match last:
            case ast.Return(value=ast.expr() as value):
                return self._value(value, scope)
            case ast.If(test=test, body=body, orelse=otherwise):
                return self._result(body if self._flag(test, scope) else otherwise, scope)
        raise UnreadableError(f"not exported text: {ast.unparse(last)[:80]}")

    def _run(self, statement: ast.stmt, scope: Scope) -> None:
        match statement:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                scope[name] = self._value(value, scope)
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=value):
                found = self._value(value, scope)
                expect(isinstance(found, tuple) and len(found) == len(targets), statement)
                for target, one in zip(targets, found, strict=True):
                    expect(isinstance(target, ast.Name), target)
                    scope[target.id] = one  # type: ignore[attr-defined]
            case ast.Expr(value=ast.Call() as value):
                self._value(value, scope)
            case ast.If(test=test, body=body, orelse=otherwise):
                for inner in body if self._flag(test, scope) else otherwise:
                    self._run(inner, scope)
            case ast.For(target=ast.Name(id=name), iter=several, body=[*body], orelse=[]):
                container = self._reach(several, scope)
                expect(container is not None and container.made.kind in ("nn.ModuleList", "nn.Sequential"), several)
                assert container
                for key in container.made.parts:
                    scope[name] = _inner(container, key)
                    for inner in body:
                        self._run(inner, scope)
            case _:
                expect(False, statement)

    def _value(self, node: ast.expr, scope: Scope) -> Any:  # noqa: PLR0911  # a case for each kind of syntax
        match node:
            case ast.Name(id=name) if scope.get(name) is not None:
                return scope[name]
            case ast.IfExp(test=test, body=body, orelse=otherwise):
                return self._value(body if self._flag(test, scope) else otherwise, scope)
            case ast.Tuple(elts=items):
                return tuple(self._value(item, scope) for item in items)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=int() as number)) if isinstance(
                scope.get(name), tuple
            ):
                return scope[name][number]
            case ast.Call() if module := self._reach(node, scope):
                return module
            case ast.Call(func=function, args=arguments, keywords=[]) if module := self._reach(function, scope):
                return self._call(module, tuple(self._value(one, scope) for one in arguments))
        return self._evaluated(self._expression(node, scope))

    def _expression(self, node: ast.expr, scope: Scope) -> Expression:
        """An expression with numbers in place of the names of tensors."""
        if node not in self._expressions:
            self._expressions[node] = numbered(node)
        text, names = self._expressions[node]
        values = [scope.get(name) for name in names]
        reads = (*(value for value in values if isinstance(value, int)),)
        expect(len(reads) == len(names) and not FREE & scope.keys(), node)
        return Expression(text, reads)

    def _flag(self, node: ast.expr, scope: Scope) -> bool:
        """The value of a Boolean attribute of a module."""
        owner = self._reach(node.value, scope) if isinstance(node, ast.Attribute) else None
        if owner is None or not isinstance(node, ast.Attribute) or node.attr not in owner.made.flags:
            raise UnreadableError(f"not exported text: {ast.unparse(node)[:80]}")
        return owner.made.flags[node.attr]

    def _reach(self, node: ast.expr, scope: Scope) -> Reached | None:
        """The module that an expression refers to; None if it is not a module."""
        match node:
            case ast.Name(id=name):
                return scope[name] if isinstance(scope.get(name), Reached) else None
            case ast.Attribute(value=owner, attr=key):
                return _inner(reached, key) if (reached := self._reach(owner, scope)) else None
            case ast.Subscript(value=owner, slice=ast.Constant(value=int() as number)):
                return _inner(reached, str(number)) if (reached := self._reach(owner, scope)) else None
            case ast.Call(
                func=ast.Attribute(value=owner, attr="get_submodule"), args=[ast.Constant(value=str() as way)]
            ):
                reached = self._reach(owner, scope)
                for key in way.split("."):
                    reached = reached and _inner(reached, key)
                return reached
        return None


def _inner(reached: Reached, key: str) -> Reached:
    return Reached(find_part(reached.made, key), (*reached.keys, key))


def numbered(node: ast.expr) -> tuple[str, tuple[str, ...]]:
    """The text of an expression with its names replaced by numbered ones, and the original names in order."""
    tree = ast.parse(ast.unparse(node), mode="eval")
    names = [one for one in ast.walk(tree) if isinstance(one, ast.Name) and one.id not in FREE]
    found = (*(one.id for one in names),)
    for number, one in enumerate(names):
        one.id = f"tensor_{number}"
    return ast.unparse(tree), found
