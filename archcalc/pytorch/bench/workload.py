"""A network made ready to run: built, on its device, with its inputs, as the steps of one call."""

import time
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any, NamedTuple

import torch

from archcalc.analysis.traffic import check_nonzeros
from archcalc.errors import UsageError, quoted
from archcalc.network import Network
from archcalc.pytorch import memory
from archcalc.pytorch.bench.clock import Step, find_clock
from archcalc.pytorch.bench.options import Options
from archcalc.pytorch.build import BuiltNetwork, build
from archcalc.pytorch.device import random_inputs

FORMS = {4: torch.channels_last, 5: torch.channels_last_3d}  # by the number of axes


class Workload(NamedTuple):
    """What to time. `steps` are the phases of one call, `forward` the first of them, of the module as it was built."""

    module: BuiltNetwork
    forward: Step
    steps: dict[str, Step]
    compile_seconds: float | None
    peak_memory: int | None  # bytes of the allocator on CUDA, in one call not recorded, weights and inputs included


def check_trainable(network: Network) -> None:
    """Raises UsageError for a network without anything to train."""
    if not network.totals.trainable_parameters:
        raise UsageError(f"{quoted(network.name)} has nothing to train", "use --mode inference")


def prepare(network: Network, dtype: str, options: Options, device: torch.device) -> Workload:
    """The network with random weights and inputs, after a first call.

    Raises OutOfMemoryError, PyTorch's errors, and UsageError where nonzeros are not known.
    """
    check_nonzeros(network.graph)
    if device.type == "cpu":
        memory.look_ahead(network, dtype, options.training)
    before = torch.cuda.memory_allocated() if device.type == "cuda" else 0
    with torch.inference_mode(mode=False):  # parameters are ordinary tensors, whatever they are used for
        module = build(network, device, dtype).train(options.training)
        inputs = random_inputs(network, network.batch, device, dtype)
        if options.channels_last:
            inputs = _channels_last(module, inputs)
    model: Any = _compiled(module) if options.compile else module
    steps = _training_steps(model, inputs) if options.training else {"forward": lambda: model(*inputs)}
    first = _timed(steps, device)  # finds algorithms, and compiles
    peak = _peak_memory(steps, before) if device.type == "cuda" else None  # a replay asks the allocator for nothing
    if options.cuda_graph:
        steps = {"replay": _recorded(steps)}
    return Workload(module, lambda: module(*inputs), steps, first if options.compile else None, peak)


def _channels_last(module: BuiltNetwork, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
    """Changes the weights in place; `Module.to` would give those of all layers one form, which few have."""
    for tensor in (*module.parameters(), *module.buffers()):
        tensor.data = _with_channels_last(tensor.data)
    return tuple(map(_with_channels_last, inputs))


def _with_channels_last(values: torch.Tensor) -> torch.Tensor:
    form = FORMS.get(values.dim())
    return values if form is None else values.contiguous(memory_format=form)


def _compiled(module: BuiltNetwork) -> Any:
    """What torch.compile makes of it, for the sizes that it is called with.

    PyTorch keeps a few compiled forms of a function and looks through them in every call: each network gets a function
    of its own.
    """
    code = type(module).forward.__code__.replace()
    module.forward = MethodType(FunctionType(code, type(module).forward.__globals__), module)  # type: ignore[method-assign]
    return torch.compile(module, dynamic=False)


def _training_steps(model: Any, inputs: tuple[torch.Tensor, ...]) -> dict[str, Step]:
    """Forward to a loss, backward, and a step of SGD. Its rate is 0: the work is the same, and the weights stay."""
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


def _run(steps: dict[str, Step]) -> None:
    for step in steps.values():
        step()


def _timed(steps: dict[str, Step], device: torch.device) -> float:
    clock = find_clock(device)
    clock.synchronize()
    start = time.perf_counter()
    _run(steps)
    clock.synchronize()
    return time.perf_counter() - start


def _recorded(steps: dict[str, Step]) -> Callable[[], None]:
    """All steps as one CUDA graph, recorded after some runs on a stream of their own, as PyTorch asks for."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            _run(steps)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        _run(steps)

    def replay(_kept: dict[str, Step] = steps) -> None:  # the graph uses their tensors, which must live as long as it
        graph.replay()

    return replay


def _peak_memory(steps: dict[str, Step], before: int) -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    _run(steps)
    torch.cuda.synchronize()
    return int(torch.cuda.max_memory_allocated()) - before
