"""The layer types, one class each; `LAYER_TYPES` maps their names in specs to the classes."""

from collections.abc import Iterator
from types import ModuleType

from archcalc.layers import (
    activation,
    adaptive_pooling,
    attention,
    convolution,
    dense,
    graph_convolution,
    merging,
    normalization,
    pooling,
    resizing,
    shaping,
    transposed_convolution,
)
from archcalc.layers.base import Layer

MODULES = (
    convolution,
    transposed_convolution,
    pooling,
    adaptive_pooling,
    dense,
    normalization,
    activation,
    shaping,
    resizing,
    merging,
    attention,
    graph_convolution,
)


def _types(module: ModuleType) -> Iterator[type[Layer]]:
    for value in vars(module).values():
        # An abstract class has no type of its own, and a class is listed by the module that defines it.
        if isinstance(value, type) and "type" in vars(value) and value.__module__ == module.__name__:
            yield value


LAYER_TYPES: dict[str, type[Layer]] = {layer.type: layer for module in MODULES for layer in _types(module)}
