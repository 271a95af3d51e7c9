"""Reads exported text back: parses its classes without running anything.

It accepts the subset of Python in which exported text is written, by Python's own rules for names, and refuses all
other syntax. So no name or string of a spec can become code, and the result can be compared with the network.
"""

import ast
import unicodedata

from archcalc.export.copied import module_source

ANNOTATIONS = {"bool", "float", "int", "str", "tuple", "torch"}
RESERVED = ANNOTATIONS | {"functional", "getattr", "isinstance", "len", "max", "min", "nn", "range", "super", "zip"}


class UnreadableError(Exception):
    """A text contains something that exported text never does, or that Python would refuse."""


class Text:
    """The classes of a text. Raises UnreadableError if it contains anything else."""

    def __init__(self, text: str) -> None:
        self._copied = module_source()
        self.classes: dict[str, ast.ClassDef] = {}
        self._methods: dict[str, dict[str, ast.FunctionDef]] = {}
        self.known: set[str] = set()  # imported modules, copied functions and classes
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise UnreadableError(str(error)) from None
        expect(bool(tree.body), None)
        docstring, *statements = tree.body
        expect(_is_docstring(docstring), docstring)
        for statement in statements:
            self._define(statement)
        expect("torch" in self.known, tree)
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

    def methods(self, kind: str) -> dict[str, ast.FunctionDef]:
        """The methods of a class by name."""
        if kind not in self._methods:
            self._methods[kind] = found = methods_of(self.classes[kind])
            expect(("forward" in found) != self.is_chain(kind), self.classes[kind])
        return self._methods[kind]

    def is_chain(self, kind: str) -> bool:
        """Whether a class is an nn.Sequential, which calls its parts in order."""
        return kind == "nn.Sequential" or base_of(self, self.classes[kind]) == "nn.Sequential"

    def is_known(self, name: str) -> bool:
        """Whether a dotted name starts with an imported or copied one."""
        return name.split(".", maxsplit=1)[0] in self.known


def _check_names(node: ast.AST) -> None:
    """Refuse names with two leading underscores, which Python mangles."""
    names = [getattr(node, field, None) for field in ("id", "attr", "arg", "name")]
    for name in names:
        if isinstance(name, str) and name.startswith("__") and name != "__init__":
            raise UnreadableError(f"the name {name!r}")


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def expect(holds: bool, node: ast.AST | None) -> None:
    """Raise UnreadableError for syntax that exported text never contains, unless `holds`."""
    if not holds:
        raise UnreadableError(f"not exported text: {ast.unparse(node)[:80] if node else 'no class'}")


def methods_of(definition: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    """The methods of a class by name. Raises UnreadableError if it has anything else."""
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
    return bool(item.decorator_list or getattr(item, "type_params", ()))  # Python 3.11 has no type_params


def parameters_of(method: ast.FunctionDef) -> list[str]:
    """The names of a method's parameters, starting with `self`."""
    arguments = method.args
    expect(not (arguments.posonlyargs or arguments.vararg or arguments.kwonlyargs or arguments.kwarg), method)
    for annotation in [method.returns, *(one.annotation for one in arguments.args[1:])]:
        expect(annotation is None or all(map(_is_annotation, ast.walk(annotation))), method)
    names = [one.arg for one in arguments.args]
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


def base_of(text: Text, definition: ast.ClassDef) -> str:
    """The base class in torch.nn."""
    bases = [*map(ast.unparse, definition.bases)]
    expect(bases in (["nn.Module"], ["nn.Sequential"]) and text.is_known("nn"), definition)
    return bases[0]
