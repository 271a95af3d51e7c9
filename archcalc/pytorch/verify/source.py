"""Verifies exported source text: reads it back, runs it, and compares weights and outputs with the built module."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from archcalc.errors import UsageError
from archcalc.export.proof import find_fault
from archcalc.export.reading import Text
from archcalc.measured.verification import VerificationRow, compare, uncovered
from archcalc.network import Network
from archcalc.pytorch.build import BuiltNetwork
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.memory import is_out_of_memory

QUESTION = "exported source"
BATCHES = (1, 2)  # one sample is fast; batch normalization of single positions needs two in training
ACTING = (nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, nn.RReLU, nn.MultiheadAttention)


def compare_source(network: Network, built: BuiltNetwork, device: torch.device) -> Iterator[VerificationRow]:
    """Rows for the text, its parameters and buffers and, except on `meta`, its outputs at inference and in training."""
    try:
        text = network.to_source()
    except UsageError as error:
        yield uncovered(QUESTION, "text", str(error))
        return
    # It runs only if it contains nothing but the network.
    fault = find_fault(network.context, text)
    yield compare(QUESTION, "text", "the network", fault or "the network")
    if fault is None:
        with device:
            made = run_source(text)
        yield from _compare_tensors(made, built)
        if device.type != "meta":
            yield from _compare_outputs(network, made, built, device)


def run_source(text: str) -> nn.Module:
    """An instance of the network that exported text defines."""
    name = [*Text(text).classes][-1]
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), names)  # it was read back before
    made: nn.Module = names[name]()
    return made


def _compare_tensors(made: nn.Module, built: BuiltNetwork) -> Iterator[VerificationRow]:
    """Rows for the number of tensors and of values, and for each tensor that differs."""
    claimed, found = ({name: _inferred(one) for name, one in module.state_dict().items()} for module in (built, made))
    yield compare(QUESTION, "state_dict: tensors", len(claimed), len(found))
    yield compare(QUESTION, "state_dict: values", _values(built), _values(made))
    for name in dict.fromkeys([*claimed, *found]):
        if claimed.get(name) != found.get(name):
            yield compare(QUESTION, name, claimed.get(name), found.get(name))


def _inferred(tensor: torch.Tensor) -> dict[str, Any]:
    return {"shape": list(tensor.shape), "dtype": str(tensor.dtype).removeprefix("torch.")}


def _values(module: nn.Module) -> int:
    return sum(tensor.numel() for tensor in module.state_dict().values())


def _compare_outputs(
    network: Network, made: nn.Module, built: BuiltNetwork, device: torch.device
) -> Iterator[VerificationRow]:
    """A row for each output, at inference, and in training if the network computes something else then."""
    try:
        made.load_state_dict(built.state_dict())
    except RuntimeError as error:
        yield VerificationRow(QUESTION, "weights loaded", "all", str(error).partition("\n")[0], "differs")
        return
    buffers = {name: tensor.clone() for name, tensor in built.named_buffers()}
    acts = any(isinstance(module, ACTING) for module in built.modules())  # training differs from inference
    for training in (False, True)[: 1 + acts]:
        results = _run_both(network, built.train(training), made.train(training), device)
        for number, edge in enumerate(network.graph.outputs):
            name = f"{network.context.graph.edge_names[edge]}, {'in training' if training else 'at inference'}"
            yield _row(name, *(one if isinstance(one, str) else one[number] for one in results))
    built.eval()
    for name, tensor in built.named_buffers():
        tensor.copy_(buffers[name])  # training has changed the statistics


def _run_both(network: Network, built: nn.Module, made: nn.Module, device: torch.device) -> list[Any]:
    """The outputs of both for one sample, or for two if one is refused."""
    results: list[Any] = []
    for batch in BATCHES:
        inputs = random_inputs(network, batch, device)
        results = [_run(module, inputs) for module in (built, made)]
        if not all(isinstance(one, str) for one in results):
            break
    return results


def _run(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | str:
    """The outputs with a fixed random seed, or PyTorch's error."""
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            found = module(*(values.clone() for values in inputs))
        except (RuntimeError, ValueError, TypeError, IndexError, NotImplementedError) as error:
            if is_out_of_memory(error):
                raise
            return str(error).partition("\n")[0]
    return found if isinstance(found, tuple) else (found,)


def _row(name: str, claimed: torch.Tensor | str, found: torch.Tensor | str) -> VerificationRow:
    if isinstance(claimed, str) and claimed == found:
        return uncovered(QUESTION, name, f"PyTorch refuses both: {claimed}")
    if isinstance(claimed, str) or isinstance(found, str):
        texts = (one if isinstance(one, str) else "an output" for one in (claimed, found))
        return compare(QUESTION, name, *texts)
    try:
        torch.testing.assert_close(found, claimed, equal_nan=True)
    except AssertionError as error:
        return VerificationRow(QUESTION, name, "the same values", " ".join(str(error).split()), "differs")
    return compare(QUESTION, name, "the same values", "the same values")
