"""Running without PyTorch's compiler."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


@contextmanager
def compiler_left_out() -> Iterator[None]:
    """Keeps PyTorch from importing its compiler, which takes longer than the whole verification of a ResNet-50.

    Kernels of the meta device import it on their first call: its tracer, only to be left as they are by it, and the
    symbols for sizes that are not known yet (with all of sympy), only to compare plain numbers. Stand-ins do that,
    make way for the modules themselves when more is asked for, and leave no trace behind.
    """
    marked: list[Callable[..., Any]] = []

    def leave_as_it_is(function: Callable[..., Any], *_arguments: Any, **_options: Any) -> Callable[..., Any]:
        marked.append(function)
        return function

    # `from … import …` asks for a path, as if for submodules, of which it has none.
    symbols = StandIn("torch.fx.experimental.symbolic_shapes", __path__=[])
    symbols.offer({name: _for_numbers(symbols, name, answer) for name, answer in ABOUT_NUMBERS.items()})
    algebra = StandIn("sympy", Basic=type("Basic", (), {}))  # of which no tensor is one
    tracer = StandIn("torch._dynamo", disable=leave_as_it_is)
    try:
        yield
    finally:
        for stand_in in (symbols, algebra, tracer):
            stand_in.make_way()
        for function in marked:
            vars(function).pop("__dynamo_disable", None)


class StandIn(ModuleType):
    """A few names of a module that is not imported yet; asked for another one, it makes way for the module."""

    def __init__(self, name: str, **names: Any) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)  # what looks for the module finds that it is there
        self._offered: dict[str, Any] = {}
        self.offer(names)
        sys.modules.setdefault(name, self)

    def offer(self, names: dict[str, Any]) -> None:
        self._offered.update(names)
        vars(self).update(names)

    def __getattr__(self, name: str) -> Any:
        # Tools that look through all modules ask for the others.
        if name.startswith("__") and name not in ("__path__", "__version__"):
            raise AttributeError(name)
        return self.original(name)

    def original(self, name: str) -> Any:
        """What the module itself calls by that name."""
        self.make_way()
        return getattr(import_module(self.__name__), name)

    def make_way(self) -> None:
        """From now on the module can be imported; whoever still holds the stand-in reaches it through that."""
        for name in self._offered:
            vars(self).pop(name, None)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


def _for_numbers(symbols: StandIn, name: str, answer: Callable[..., Any]) -> Callable[..., Any]:
    def ask(*sizes: Any, **options: Any) -> Any:
        plain = not options and _are_numbers(sizes)
        return answer(*sizes) if plain else symbols.original(name)(*sizes, **options)

    return ask


def _are_numbers(sizes: Any) -> bool:
    return all(isinstance(size, int) or (isinstance(size, (tuple, list)) and _are_numbers(size)) for size in sizes)


def _equal(left: Any, right: Any) -> bool:
    return left == right if isinstance(left, int) else len(left) == len(right) and all(map(_equal, left, right))


ABOUT_NUMBERS: dict[str, Callable[..., Any]] = {
    **dict.fromkeys(("expect_true", "guard_or_false", "guard_or_true", "guard_size_oblivious"), bool),
    "guarding_hint_or_throw": lambda number: number,
    "has_guarding_hint": lambda _number: True,
    "is_nested_int": lambda _number: False,
    "statically_known_true": bool,
    "sym_and": lambda *conditions: all(conditions),
    "sym_eq": _equal,
    "sym_or": lambda *conditions: any(conditions),
}
"""What PyTorch asks about sizes, answered for sizes that are known."""
