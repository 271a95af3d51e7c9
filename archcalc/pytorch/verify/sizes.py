"""Verifies which input sizes work: tries sizes on both sides of every end of the predicted ranges."""

from collections.abc import Iterator

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.in_place import check_in_place
from archcalc.analysis.input_range_document import sizes_text
from archcalc.analysis.resizing import format_axes, resized
from archcalc.analysis.size_sets import listed_sizes
from archcalc.graph import Graph
from archcalc.layers.base import INTEGER, Layer, Tensor
from archcalc.measured.verification import VerificationRow, compare
from archcalc.network import Network
from archcalc.pytorch.build import make_module
from archcalc.pytorch.device import find_dtype
from archcalc.pytorch.modules import ConnectedConv


def compare_sizes(network: Network) -> Iterator[VerificationRow]:
    """A row for every size of an input: equal axes are resized together, the others keep their size."""
    graph, runner = network.graph, Runner()
    for found in network.input_ranges():
        axes = [*found.axes]
        tried = found.works.around(found.size)
        claimed = [size for size in tried if size in found.works]
        run = [size for size in tried if runner.runs(resized(graph, axes, {found.size: size}))]
        note = f"tried: {_text(tried)}"
        yield compare("working sizes", format_axes(graph, axes), _text(claimed), _text(run), note)


def _text(sizes: list[int]) -> str:
    return sizes_text(listed_sizes(sizes))


class Runner:
    """Runs a graph on the meta device; constructs each layer's module for the shapes that PyTorch computes."""

    def __init__(self) -> None:
        # Outputs and weight shapes, cached by layer and inputs: equal layers on equal inputs run once.
        self.known: dict[str, tuple[torch.Tensor, list[torch.Size]]] = {}

    def runs(self, graph: Graph) -> bool:
        """Whether every layer accepts its inputs, has a non-empty output, and can share the weights it shares."""
        values, weights = [_empty(tensor) for tensor in graph.inputs.values()], list[list[torch.Size]]()
        try:
            with torch.no_grad(), torch.device("meta"):
                for node in graph.nodes:
                    inputs = [values[edge] for edge in node.sources]
                    value, shapes = self._run(node.layer, inputs)
                    values.append(value)
                    weights.append(shapes)
                    if 0 in values[-1].shape:
                        return False
        except (RuntimeError, ValueError, TypeError, IndexError, ZeroDivisionError, AssertionError):
            return False
        shared = ((position, node.owner) for position, node in enumerate(graph.nodes) if node.owner is not None)
        return all(weights[position] == weights[owner] for position, owner in shared) and not _overwrites(graph)

    def _run(self, layer: Layer, inputs: list[torch.Tensor]) -> tuple[torch.Tensor, list[torch.Size]]:
        tensors = tuple(_tensor_of(value) for value in inputs)
        module = layer.module(tensors)
        key = repr((module, tensors))
        if key not in self.known:
            made = make_module(module).eval()
            if isinstance(made, ConnectedConv) and max(made.table[0]) >= inputs[0].shape[1]:
                raise IndexError("a connection reads a missing map, which the device meta does not check")
            value = _of_two_samples(made, inputs) if isinstance(made, _BatchNorm) else made(*inputs)
            self.known[key] = value, [weight.shape for weight in (*made.parameters(), *made.buffers())]
        return self.known[key]


def _overwrites(graph: Graph) -> bool:
    """Whether an in-place layer overwrites a value that is still needed; PyTorch allows it at inference."""
    return any(node.layer.works_in_place for node in graph.nodes) and bool(check_in_place(AnalysisContext(graph)))


def _of_two_samples(module: nn.Module, inputs: list[torch.Tensor]) -> torch.Tensor:
    """The output for two samples, for batch statistics where each sample has one value per channel."""
    values: torch.Tensor = module(torch.cat([*inputs, *inputs]))
    return values[:1]


def _empty(tensor: Tensor) -> torch.Tensor:
    dtype = find_dtype(tensor.dtype if tensor.dtype in INTEGER else "float32")
    return torch.empty(1, *tensor.shape, dtype=dtype, device="meta")


def _tensor_of(value: torch.Tensor) -> Tensor:
    return Tensor(tuple(value.shape[1:]), str(value.dtype).removeprefix("torch."))
