"""Compares the output of every layer of the built network, and the operations that PyTorch's own counter counts."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archcalc.layers.base import elements
from archcalc.measured.verification import VerificationRow, compare, uncovered
from archcalc.network import Network
from archcalc.numbers.bounds import Unknown, floor_of, known
from archcalc.pytorch.build import BuiltNetwork
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.memory import is_out_of_memory
from archcalc.pytorch.modules import Rbf

NO_SQUARES = "PyTorch's counter does not count squares of differences"
_NO_KERNEL = re.compile(r"not implemented for '(Half|BFloat16)'")
BATCH = 2  # with two samples, a layer that mixes or ignores one differs


class Observed(NamedTuple):
    """The output of one layer, without the batch, and the operations counted in it, for one sample."""

    shape: list[int]
    dtype: str
    flops: float  # an int if whole, which is exact


class Observation(NamedTuple):
    """The observed outputs by layer; `failure` is PyTorch's error and its layer.

    `missing` is the error if PyTorch lacks a kernel for halves on the device, which is not a failure of the network.
    """

    layers: dict[str, Observed]
    flops: float  # of the whole network, for one sample
    failure: str | None
    missing: str | None = None

    def compare(self, question: str, layer: str, claimed: Any, found: Any, note: str = "") -> VerificationRow:
        """A row of the table; not covered if a missing kernel stopped the network before this layer."""
        if self.missing and layer not in self.layers:
            return uncovered(question, layer, self.missing, said=claimed)
        return compare(question, layer, claimed, found, note)


def observe(network: Network, built: BuiltNetwork, device: torch.device) -> Observation:
    """Run the network on random inputs and observe every layer."""
    counter = FlopCounterMode(display=False)
    found: dict[str, Observed] = {}
    running = ["input"]
    before = [0]

    def enter(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any) -> None:
            running[0], before[0] = name, counter.get_total_flops()

        return hook

    def leave(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            flops = _for_one_sample(counter.get_total_flops() - before[0])
            found[name] = Observed(list(output.shape[1:]), str(output.dtype).removeprefix("torch."), flops)

        return hook

    with ExitStack() as stack:
        for node in network.graph.nodes:
            module = built.get_submodule(node.name)
            stack.callback(module.register_forward_pre_hook(enter(node.name)).remove)
            stack.callback(module.register_forward_hook(leave(node.name)).remove)
        failure = _run(built, random_inputs(network, BATCH, device), counter)
    flops = _for_one_sample(counter.get_total_flops())
    if failure and _NO_KERNEL.search(failure):
        return Observation(found, flops, None, f"PyTorch has no kernel on {device} for layer {running[0]}: {failure}")
    return Observation(found, flops, failure and f"{failure} (at layer {running[0]})")


def _run(built: BuiltNetwork, inputs: tuple[torch.Tensor, ...], counter: FlopCounterMode) -> str | None:
    """PyTorch's error; None if the network runs."""
    # The counter does not see products in fused attention kernels.
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
            built.eval()(*inputs)
    except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
        if is_out_of_memory(error):
            raise
        return str(error).partition("\n")[0]
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
    return None


def compare_shapes(network: Network, observed: Observation) -> Iterator[VerificationRow]:
    """A row per layer: its output's shape, and its dtype if that is not float32."""
    for position, row in enumerate(network.layers):
        _, output = network.context.tensors_at(position)
        seen = observed.layers.get(row.name)
        claimed: dict[str, Any] = {"shape": list(row.output_shape)}
        found: dict[str, Any] | None = seen and {"shape": seen.shape}
        if output.dtype != "float32" or (seen and seen.dtype != "float32"):
            claimed["dtype"], found = output.dtype, seen and {"shape": seen.shape, "dtype": seen.dtype}
        yield observed.compare("output shape", row.name, claimed, found)


def compare_operations(network: Network, built: BuiltNetwork, observed: Observation) -> Iterator[VerificationRow]:
    """A row per layer with MACs on either side, the total, and the kinds that PyTorch's counter does not count."""
    # Two per MAC of the summary, for one sample, adjusted where PyTorch's counter differs.
    total = 2 * floor_of(network.totals.macs) // network.batch
    for position, row in enumerate(network.layers):
        claimed, more, note = _flops(network, position)
        seen = observed.layers.get(row.name)
        if not claimed and not (seen and seen.flops):
            continue
        total += more
        if isinstance(built.get_submodule(row.name), Rbf):
            total -= claimed or 0
            yield uncovered("FLOPs", row.name, NO_SQUARES, said=claimed)
        else:
            yield observed.compare("FLOPs", row.name, claimed, None if seen is None else seen.flops, note)
    yield observed.compare("FLOPs", "total counted", total, observed.flops)
    yield from _other_operations(network)


def _flops(network: Network, position: int) -> tuple[int | None, int, str]:
    """The FLOPs of a layer as PyTorch counts them (None if unknown), how many archcalc omits, and a note."""
    row, layer = network.layers[position], network.graph.nodes[position].layer
    inputs, output = network.context.tensors_at(position)
    # PyTorch counts a sparse matrix as a dense one.
    full = tuple(tensor._replace(nonzeros=elements(tensor.shape)) for tensor in inputs)
    macs, counted = (layer.operations(tensors, output.shape).get("macs", 0) for tensors in (inputs, full))
    if isinstance(counted, Unknown):
        return None, 0, counted.reason
    more = 2 * counted if isinstance(macs, Unknown) else 2 * (counted - macs)
    note = "with every entry of the adjacency, as PyTorch counts it" if more else ""
    return 2 * (known(row.macs) or 0) // network.batch + more, more, note


def _for_one_sample(flops: int) -> float:
    """FLOPs per sample, as an int if whole: a float is exact up to 2⁵³ only."""
    return flops / BATCH if flops % BATCH else flops // BATCH


def _other_operations(network: Network) -> Iterator[VerificationRow]:
    totals: dict[str, int] = {}
    for operations in network.context.operations:
        for kind, count in operations.by_kind.items():
            if kind != "macs" and not isinstance(count, Unknown):
                totals[kind] = totals.get(kind, 0) + count // network.batch
    for kind, count in totals.items():
        if count:
            note = "PyTorch's counter counts convolutions, matrix products and attention alone"
            yield uncovered("FLOPs", f"all {kind.replace('_', ' ')}", note, said=count)
