"""The layer types, one class each; `LAYER_TYPES` finds them by the name that specs use."""

from collections.abc import Iterator

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
    merging,
    attention,
    graph_convolution,
)


def _concrete(base: type[Layer]) -> Iterator[type[Layer]]:
    for subclass in base.__subclasses__():
        if "type" in vars(subclass):
            yield subclass
        yield from _concrete(subclass)


LAYER_TYPES: dict[str, type[Layer]] = {layer.type: layer for layer in _concrete(Layer)}
