"""Running without PyTorch's compiler."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch

COMPILER = "torch._dynamo"


@contextmanager
def compiler_left_out() -> Iterator[None]:
    """Keeps PyTorch from importing its compiler, which takes longer than the whole verification of a ResNet-50.

    Kernels of the meta device import it on their first call, only to be left as they are by it. A stand-in does that,
    and leaves no trace behind.
    """
    if COMPILER in sys.modules:
        yield
        return
    marked: list[Callable[..., Any]] = []

    def leave_as_it_is(function: Callable[..., Any], *_arguments: Any, **_options: Any) -> Callable[..., Any]:
        marked.append(function)
        return function

    sys.modules[COMPILER] = stand_in = ModuleType(COMPILER)
    stand_in.disable = leave_as_it_is  # type: ignore[attr-defined]
    try:
        yield
    finally:
        del sys.modules[COMPILER]
        vars(torch).pop("_dynamo", None)
        for function in marked:
            vars(function).pop("__dynamo_disable", None)
