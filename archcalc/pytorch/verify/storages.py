"""Measures PyTorch's memory while a network runs: tracks every storage from its first use until it is freed.

The layers run in the order of the graph, by default on the device `meta`, and a value is dropped after its last
consumer. Modules of blocks would keep their inputs alive longer, in Python's frames.
"""

import weakref
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from archcalc.errors import UsageError
from archcalc.measured.verification import VerificationRow, compare, uncovered
from archcalc.network import Network
from archcalc.numbers.bounds import AtLeast
from archcalc.pytorch.build import BuiltNetwork, build
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.memory import is_out_of_memory
from archcalc.pytorch.verify.forward import BATCH


class LiveStorages(TorchDispatchMode):
    """Counts the live bytes of all storages that operations have read or allocated."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.highest = 0
        self._sizes: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **kwargs or {})
        for value in tree_leaves((args, kwargs, output)):
            if isinstance(value, torch.Tensor):
                self.follow(value)
        return output

    def follow(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage until it is freed; a sparse tensor has two, of indices and of values."""
        if tensor.layout == torch.sparse_coo:
            self.follow(tensor._indices())
            self.follow(tensor._values())
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._sizes:
            self._sizes[key] = storage.nbytes()
            self.live += storage.nbytes()
            self.highest = max(self.highest, self.live)
            weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.live -= self._sizes.pop(key)


class _Loss(torch.autograd.Function):
    """A loss that allocates nothing but a gradient for each output."""

    @staticmethod
    def forward(ctx: Any, *outputs: torch.Tensor) -> torch.Tensor:
        ctx.like = [(output.shape, output.dtype) for output in outputs]
        ctx.device = outputs[0].device
        return outputs[0].new_empty(0)

    @staticmethod
    def backward(ctx: Any, *_gradients: torch.Tensor) -> Any:
        return tuple(torch.zeros(shape, dtype=dtype, device=ctx.device) for shape, dtype in ctx.like)


class ObservedMemory(NamedTuple):
    """Peaks of live bytes, in all and by layer in the forward pass, and bytes of parameters' gradients at the end."""

    peak: int
    forward: tuple[int, ...]
    gradients: int


# Types whose memory on a CPU differs from `meta`: at inference it saves no statistics, and no indices of maxima.
OTHERWISE_ON_A_CPU = ("batch_norm", "instance_norm", "channel_shuffle", "max_pool1d")
OTHER_DEVICE = "a sparse matrix product runs on a CPU alone, where other layers of the network use other memory"


def has_sparse(network: Network) -> bool:
    """Whether an input is sparse; on the device `meta` it would be dense."""
    return any(tensor.nonzeros is not None for tensor in network.graph.inputs.values())


def is_comparable(network: Network) -> bool:
    """Whether the memory on the device that can run the network is the predicted one."""
    types = {node.layer.type for node in network.graph.nodes}
    return not has_sparse(network) or types.isdisjoint(OTHERWISE_ON_A_CPU)


def compare_memory(network: Network) -> Iterator[VerificationRow]:
    """A row for the peak at inference, and one for the peak in training."""
    for which, training in (("inference", False), ("training", True)):
        try:
            claimed = network.memory(training=training, batch=BATCH)
        except UsageError as error:
            yield uncovered("peak memory", which, str(error))
            continue
        if isinstance(claimed.peak, AtLeast):
            yield uncovered("peak memory", which, claimed.peak.reason, said=f"≥ {claimed.peak.value:,}")
            continue
        if not is_comparable(network):
            yield uncovered("peak memory", which, OTHER_DEVICE, said=claimed.peak)
            continue
        try:
            found = observe_memory(network, training=training, batch=BATCH)
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            if is_out_of_memory(error):
                raise
            refusal = str(error).partition("\n")[0]
            yield uncovered("peak memory", which, f"PyTorch refused: {refusal}", said=claimed.peak)
        else:
            yield compare("peak memory", which, claimed.peak, found.peak, f"bytes, for a batch of {BATCH}")


def tracker_of(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> LiveStorages:
    """A tracker that already counts the tensors of a module and its inputs."""
    tracker = LiveStorages()
    constants = (value for part in module.modules() for value in vars(part).values())
    for tensor in (*module.parameters(), *module.buffers(), *constants, *inputs):
        if isinstance(tensor, torch.Tensor):
            tracker.follow(tensor)
    return tracker


def go_back(outputs: Iterable[torch.Tensor]) -> None:
    """Run the backward pass, from a gradient for each output that can have one."""
    if trained := [output for output in outputs if output.requires_grad]:
        loss = _Loss.apply(*trained)
        loss.backward(torch.empty_like(loss))


def observe_memory(
    network: Network,
    dtype: str | None = None,
    training: bool = False,
    batch: int | None = None,
) -> ObservedMemory:
    """Run the network once on a batch, by default its own, without an optimizer.

    It runs on the device `meta`; a network with a sparse adjacency runs on the CPU, since `meta` has dense ones alone.
    """
    return watch(network, "cpu" if has_sparse(network) else "meta", dtype, training, batch)


def watch(network: Network, device: str, dtype: str | None, training: bool, batch: int | None) -> ObservedMemory:
    """Run the network once on a batch, on the given device, and observe its memory."""
    built = build(network, device, dtype).train(training)
    inputs = random_inputs(network, batch or network.batch, device, dtype)
    tracker = tracker_of(built, inputs)
    with tracker:
        forward = run(network, built, inputs, training, tracker)
    gradients = sum(p.grad.untyped_storage().nbytes() for p in built.parameters() if p.grad is not None)
    return ObservedMemory(tracker.highest, tuple(forward), gradients)


def run(
    network: Network,
    built: BuiltNetwork,
    inputs: tuple[torch.Tensor, ...],
    training: bool,
    tracker: LiveStorages | None = None,
) -> list[int]:
    """Run all layers, then in training the backward pass; return the peak of live bytes in each layer."""
    with torch.set_grad_enabled(training):
        outputs, forward = _run_layers(network, built, dict(enumerate(inputs)), tracker or LiveStorages())
        go_back(outputs)
    return forward


def _run_layers(
    network: Network, built: BuiltNetwork, values: dict[int, torch.Tensor], tracker: LiveStorages
) -> tuple[list[torch.Tensor], list[int]]:
    """The outputs of the network, and the peak of live bytes in each layer. Values are dropped after their last use."""
    graph, found = network.graph, list[int]()
    last = {edge: position for position, node in enumerate(graph.nodes) for edge in node.sources}
    highest = 0
    for position, node in enumerate(graph.nodes):
        highest, tracker.highest = max(highest, tracker.highest), tracker.live
        edge = network.context.graph.edge(position)
        values[edge] = built.get_submodule(node.name)(*[values[source] for source in node.sources])
        found.append(tracker.highest)
        for source in {*node.sources, edge}:
            if last.get(source, position) == position and source not in graph.outputs:
                del values[source]
    tracker.highest = max(highest, tracker.highest)
    return [values[edge] for edge in graph.outputs], found
