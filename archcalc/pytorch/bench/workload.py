"""Workloads: a built network on its device with inputs, as the phases of one call."""

import time
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import torch

from archcalc.analysis.traffic import check_nonzeros
from archcalc.errors import UsageError, quoted
from archcalc.network import Network
from archcalc.pytorch import memory
from archcalc.pytorch.bench.clock import Phase, find_clock
from archcalc.pytorch.bench.options import Options
from archcalc.pytorch.build import BuiltNetwork, build
from archcalc.pytorch.device import random_inputs

FORMS = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of axes


class Workload(NamedTuple):
    """The code to time. `phases` are the phases of one call, `forward` is the first, on the uncompiled module."""

    module: BuiltNetwork
    forward: Phase
    phases: dict[str, Phase]
    compile_seconds: float | None
    peak_memory: int | None  # bytes of CUDA's allocator in one call without a graph, including weights and inputs


def check_trainable(network: Network) -> None:
    """Raise UsageError for a network without trainable parameters."""
    if not network.totals.trainable_parameters:
        raise UsageError(f"{quoted(network.name)} has nothing to train: use --mode inference")


def prepare(network: Network, dtype: str, options: Options, device: torch.device) -> Workload:
    """The network with random weights and inputs, after a first call.

    Raises OutOfMemoryError, PyTorch's errors, and UsageError if nonzeros are unknown.
    """
    check_nonzeros(network.graph)
    if device.type == "cpu":
        memory.look_ahead(network, dtype, options.training)
    before = torch.cuda.memory_allocated() if device.type == "cuda" else 0
    with torch.inference_mode(mode=False):  # so that parameters are ordinary tensors
        module = build(network, device, dtype).train(options.training)
        inputs = random_inputs(network, network.batch, device, dtype)
        if options.channels_last:
            inputs = _channels_last(module, inputs)
    model: Any = _compiled(module) if options.compile else module
    phases = _training_phases(model, inputs) if options.training else {"forward": lambda: model(*inputs)}
    first = _timed(phases, device)  # selects algorithms, and compiles
    peak = _peak_memory(phases, before) if device.type == "cuda" else None  # a replay allocates nothing
    if options.cuda_graph:
        phases = {"replay": _recorded(phases)}
    return Workload(module, lambda: module(*inputs), phases, first if options.compile else None, peak)


def _channels_last(module: BuiltNetwork, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Convert weights (in place) and inputs to channels last; `Module.to` has one format for 4 and 5 axes."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = _with_channels_last(tensor.data)
    return tuple(map(_with_channels_last, inputs))


def _with_channels_last(values: torch.Tensor) -> torch.Tensor:
    form = FORMS.get(values.dim())
    return values if form is None else values.contiguous(memory_format=form)


def _compiled(module: BuiltNetwork) -> Any:
    """The module compiled by torch.compile, for the sizes that it is called with.

    PyTorch caches a few compiled forms of a function and searches them in every call, so each network gets its own
    function.
    """
    code = type(module).forward.__code__.replace()
    module.forward = MethodType(FunctionType(code, type(module).forward.__globals__), module)  # type: ignore[method-assign]
    return torch.compile(module, dynamic=False)


def _training_phases(model: Any, inputs: tuple[torch.Tensor, ...]) -> dict[str, Phase]:
    """The phases forward (with a loss), backward, and a step of SGD with rate 0, so that the weights do not change."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.0)
    loss: list[torch.Tensor] = []

    def forward() -> None:
        loss.append(total_mean(model(*inputs)))

    def backward() -> None:
        loss.pop().backward()

    def step() -> None:
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return {"forward": forward, "backward": backward, "step": step}


def total_mean(outputs: torch.Tensor | tuple[torch.Tensor, ...]) -> torch.Tensor:
    """The sum of the means of all floating-point outputs."""
    several = outputs if isinstance(outputs, tuple) else (outputs,)
    return torch.stack([values.mean() for values in several if values.is_floating_point()]).sum()


def _run(phases: dict[str, Phase]) -> None:
    for phase in phases.values():
        phase()


def _timed(phases: dict[str, Phase], device: torch.device) -> float:
    clock = find_clock(device)
    clock.synchronize()
    start = time.perf_counter()
    _run(phases)
    clock.synchronize()
    return time.perf_counter() - start


def _recorded(phases: dict[str, Phase]) -> Callable[[], None]:
    """All phases as one CUDA graph, recorded after some runs on a side stream, as PyTorch requires."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            _run(phases)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _run(phases)

    def replay(_phases: dict[str, Phase] = phases) -> None:  # keeps their tensors alive, which the graph uses
        graph.replay()

    return replay


def _peak_memory(phases: dict[str, Phase], before: int) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    _run(phases)
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated()) - before
