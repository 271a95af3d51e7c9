"""Exported text read back: what its classes would make and run, found without running anything.

Only the little Python that exported text is written in is understood, by Python's own rules for names; whatever else
stands in a text is refused. So no name or string of a spec can become code unseen, and what is understood can be
compared with the network.
"""

import ast
import operator
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from archcalc.export.copied import ModuleSource
from archcalc.module_names import MODULE_ATTRIBUTES

ANNOTATIONS = {"bool", "float", "int", "str", "tuple", "torch"}
RESERVED = ANNOTATIONS | {"functional", "getattr", "isinstance", "len", "nn", "range", "super", "zip"}
CONTAINERS = ("nn.Module", "nn.Sequential", "nn.ModuleList")
STATES = ("requires_grad_", "to")

_OPERATORS: dict[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod, ast.Eq: operator.eq, ast.NotEq: operator.ne, ast.Lt: operator.lt, ast.LtE: operator.le,
    ast.Gt: operator.gt, ast.GtE: operator.ge, ast.USub: operator.neg, ast.Not: operator.not_,
}  # fmt: skip


class UnreadableError(Exception):
    """A text holds something that exported text never does, or that Python would refuse."""


class Made:
    """A module: what it is an instance of, and what it was made with or holds."""

    def __init__(self, kind: str, arguments: tuple[Any, ...] = (), options: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self.arguments = arguments
        self.options = dict(options or {})
        self.parts: dict[str, Made] = {}
        self.tied: dict[str, Tensor] = {}  # tensors that are another module's
        self.lent: set[str] = set()  # tensors that others have taken
        self.frozen: set[str] | None = set()  # tensors; None for all
        self.dtype = "float32"

    def is_frozen(self, tensor: str) -> bool:
        """Whether a tensor of its own is not trained."""
        return self.frozen is None or tensor in self.frozen

    def holder(self, tensor: str) -> "Tensor":
        """Whose a tensor is, and what it is called there."""
        found = Tensor(self, tensor)
        while found.name in found.module.tied:
            found = found.module.tied[found.name]
        return found

    def every(self) -> "Iterator[tuple[tuple[str, ...], Made]]":
        """It and the modules in it, by the way to each."""
        waiting: list[tuple[tuple[str, ...], Made]] = [((), self)]
        while waiting:
            keys, made = waiting.pop()
            yield keys, made
            waiting.extend(((*keys, key), part) for key, part in reversed(made.parts.items()))


class Tensor(NamedTuple):
    """A parameter or buffer of a module that torch.nn or `archcalc.pytorch.modules` has."""

    module: Made
    name: str


class Text:
    """The classes of a text. Raises UnreadableError for one that holds anything else."""

    def __init__(self, text: str) -> None:
        self._copied = ModuleSource()
        self.classes: dict[str, ast.ClassDef] = {}
        self._methods: dict[str, dict[str, ast.FunctionDef]] = {}
        self.known: set[str] = set()  # modules that are imported, functions and classes that are copied
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UnreadableError(str(error)) from None
        expect(bool(tree.body), None)
        docstring, *statements = tree.body
        expect(_is_docstring(docstring), docstring)
        for statement in statements:
            self._define(statement)
        if "__" in unicodedata.normalize("NFKC", text).replace(" __init__(", "").replace(".__init__(", ""):
            for node in ast.walk(tree):
                _check_names(node)

    def _define(self, statement: ast.stmt) -> None:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            expect(self._copied.has_import(statement), statement)
            self.known.update(alias.asname or alias.name for alias in statement.names)
            return
        expect(isinstance(statement, ast.ClassDef | ast.FunctionDef), statement)
        assert isinstance(statement, ast.ClassDef | ast.FunctionDef)
        name = statement.name
        expect(name not in RESERVED and name not in self.known and name not in self.classes, statement)
        if name in self._copied.names:
            expect(self._copied.is_copy(statement), statement)
            self.known.add(name)
        else:
            expect(isinstance(statement, ast.ClassDef), statement)
            assert isinstance(statement, ast.ClassDef)
            self.classes[name] = statement

    def network(self) -> Made:
        """An instance of the last class."""
        expect(bool(self.classes), None)
        return _Maker(self).make([*self.classes][-1], (), {})

    def methods(self, kind: str) -> dict[str, ast.FunctionDef]:
        """The methods of one of the classes."""
        if kind not in self._methods:
            self._methods[kind] = methods_of(self.classes[kind])
        return self._methods[kind]

    def is_chain(self, kind: str) -> bool:
        """Whether modules of a class call what they hold one after the other."""
        return kind == "nn.Sequential" or _base(self, self.classes[kind]) == "nn.Sequential"

    def is_known(self, name: str) -> bool:
        """Whether a dotted name is of something imported or copied."""
        return name.split(".", maxsplit=1)[0] in self.known


def _check_names(node: ast.AST) -> None:
    """Names with two underscores in front would get the class's name."""
    names = [getattr(node, field, None) for field in ("id", "attr", "arg", "name")]
    for name in names:
        if isinstance(name, str) and name.startswith("__") and name != "__init__":
            raise UnreadableError(f"the name {name!r}")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def expect(holds: bool, node: ast.AST | None) -> None:
    """Refuses what exported text never holds."""
    if not holds:
        raise UnreadableError(f"not exported text: {ast.unparse(node)[:80] if node else 'no class'}")


def methods_of(definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """The methods of a class that has nothing else."""
    expect(not _is_decorated(definition) and not definition.keywords, definition)
    docstring, *rest = definition.body
    expect(_is_docstring(docstring), definition)
    found: dict[str, ast.FunctionDef] = {}
    for item in rest:
        expect(isinstance(item, ast.FunctionDef), item)
        assert isinstance(item, ast.FunctionDef)
        expect(not _is_decorated(item) and item.name not in found and item.name in ("__init__", "forward"), item)
        found[item.name] = item
    return found


def _is_decorated(item: ast.ClassDef | ast.FunctionDef) -> bool:
    return bool(item.decorator_list or getattr(item, "type_params", ()))  # which Python 3.11 does not have


def parameters_of(method: ast.FunctionDef) -> list[str]:
    """The names of a method's parameters, with `self` in front."""
    given = method.args
    expect(not (given.posonlyargs or given.vararg or given.kwonlyargs or given.kwarg), method)
    for annotation in [method.returns, *(one.annotation for one in given.args[1:])]:
        expect(annotation is None or all(map(_is_annotation, ast.walk(annotation))), method)
    names = [one.arg for one in given.args]
    expect(len({*names}) == len(names) and names[:1] == ["self"], method)
    return names


def _is_annotation(node: ast.AST) -> bool:
    if isinstance(node, ast.Name):
        return node.id in ANNOTATIONS
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) == "torch.Tensor"
    if isinstance(node, ast.Constant):
        return node.value is None or node.value is ...
    return isinstance(node, ast.Subscript | ast.Tuple | ast.BinOp | ast.BitOr | ast.Load)


class _Maker:
    """Makes instances of the classes of a text."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def make(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Made:
        """What a call of a class gives."""
        if kind not in self._text.classes:
            return self._standard(kind, arguments, options)
        made = Made(kind)
        base = _base(self._text, self._text.classes[kind])
        init = self._text.methods(kind).get("__init__")
        expect(init is not None or (base == "nn.Module" and not arguments and not options), self._text.classes[kind])
        if init is not None:
            scope = {"self": made, **self._bound(init, arguments, options)}
            first, *rest = init.body
            self._first(first, base, made, scope)
            self._run(rest, scope)
        return made

    def _standard(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Made:
        if kind not in CONTAINERS:
            return Made(kind, arguments, options)
        made = Made(kind)
        parts = arguments[0] if kind == "nn.ModuleList" else arguments
        if options or (kind == "nn.Module" and parts) or not all(isinstance(part, Made) for part in parts):
            raise UnreadableError(f"{kind} of something else than modules")
        made.parts = {str(number): part for number, part in enumerate(parts)}
        return made

    def _bound(self, init: ast.FunctionDef, arguments: tuple[Any, ...], options: dict[str, Any]) -> dict[str, Any]:
        """The values of a constructor's parameters."""
        _, *names = parameters_of(init)
        defaults = init.args.defaults
        values = dict(zip(names[len(names) - len(defaults) :], (_literal(one) for one in defaults), strict=True))
        given = dict(zip(names, arguments, strict=False))
        twice = given.keys() & options.keys()
        values |= given | options
        if len(arguments) > len(names) or twice or values.keys() != {*names}:
            raise UnreadableError(f"wrong arguments: {ast.unparse(init.args)} gets {sorted({*values})}")
        return values

    def _first(self, statement: ast.stmt, base: str, made: Made, scope: dict[str, Any]) -> None:
        """The call of the base's constructor."""
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
                expect(not made.tied and not made.lent, value)  # buffers would not be shared any more
                made.dtype = text.removeprefix("torch.")
            else:
                made.frozen = None
                for owner, name in made.tied.values():
                    if owner.frozen is not None:
                        owner.frozen.add(name)

    def value(self, node: ast.expr, scope: Mapping[str, Any]) -> Any:  # noqa: C901, PLR0911, PLR0912
        # A case for each kind of syntax that constructors are written in; anything else is refused.
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


def _base(text: Text, definition: ast.ClassDef) -> str:
    bases = [*map(ast.unparse, definition.bases)]
    expect(bases in (["nn.Module"], ["nn.Sequential"]) and text.is_known("nn"), definition)
    return bases[0]


def _literal(node: ast.expr) -> Any:
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise UnreadableError(f"no literal: {ast.unparse(node)[:80]}") from None


def _calculated(sign: ast.AST, *operands: Any) -> Any:
    if isinstance(sign, ast.Not | ast.Eq | ast.NotEq) or all(isinstance(one, int | float) for one in operands):
        try:
            return _OPERATORS[type(sign)](*operands)
        except ArithmeticError as error:
            raise UnreadableError(str(error)) from None
    raise UnreadableError(f"{type(sign).__name__} of {operands}")


def _hold(owner: Any, key: Any, value: Any) -> None:
    """Sets an attribute of a module: a module in it, or a tensor that is another's."""
    if isinstance(value, Tensor):
        module, name = (owner.module, f"{owner.name}.{key}") if isinstance(owner, Tensor) else (owner, key)
        if not isinstance(module, Made) or module.kind in CONTAINERS or module.parts:
            raise UnreadableError(f"{key!r} cannot be a tensor")
        if name in module.lent or name in module.tied:
            raise UnreadableError(f"{name!r} is shared twice")
        module.tied[name] = value.module.holder(value.name)
        module.tied[name].module.lent.add(module.tied[name].name)
        return
    fits = isinstance(owner, Made) and isinstance(value, Made) and isinstance(key, str)
    if not fits or key in MODULE_ATTRIBUTES or not key or "." in key:
        raise UnreadableError(f"a module cannot have {key!r}")
    owner.parts[key] = value


def _part(owner: Any, key: str, node: ast.AST) -> Any:
    """An attribute of a module: a module in it, or one of its tensors."""
    if isinstance(owner, Tensor):
        return Tensor(owner.module, f"{owner.name}.{key}")
    expect(isinstance(owner, Made), node)
    if key in owner.parts or owner.kind in CONTAINERS:
        return find_part(owner, key)
    expect(not owner.parts, node)
    return Tensor(owner, key)


def find_part(owner: Made, key: str) -> Made:
    """A module in another."""
    if key not in owner.parts:
        raise UnreadableError(f"no module is called {key!r}")
    return owner.parts[key]
