"""The exported source text, executed, compared with the built module."""

from typing import Any

import torch
from networks import Drawn
from torch import nn

import archcalc
from archcalc.export.proof import find_fault
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs
from surfaces.runner import loaded

BATCH = 2


def check_source(drawn: Drawn) -> None:
    """The weights have the same names, shapes, dtypes and trainability; the outputs are equal in both modes."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    text = network.to_source()
    assert find_fault(network.context, text) is None  # the text contains only the network
    made, built = executed(text), build(network)
    assert state_of(made) == state_of(built)
    assert {*made.state_dict()} == {*built.state_dict()}  # in the order in which they run and are written
    assert identical(made) == identical(built)
    made.load_state_dict(built.state_dict(), strict=True)
    for training in (False, True):
        found = outputs(network, made.train(training))
        wanted = outputs(network, built.train(training))
        if isinstance(wanted, str):
            assert found == wanted
        else:
            torch.testing.assert_close(found, wanted, equal_nan=True)


def executed(text: str) -> nn.Module:
    """An instance of the last class of a source text."""
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(text, "exported", "exec"), names)
    *_, last = (item for item in names.values() if isinstance(item, type) and item.__module__ == "exported")
    made: nn.Module = last()
    return made


def state_of(module: nn.Module) -> dict[str, Any]:
    return {
        name: (tuple(value.shape), value.dtype, value.requires_grad)
        for name, value in module.state_dict(keep_vars=True).items()
    }


def identical(module: nn.Module) -> set[frozenset[str]]:
    """Groups of names that share one tensor."""
    together: dict[int, set[str]] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        together.setdefault(id(value), set()).add(name)
    return {frozenset(names) for names in together.values()}


def outputs(network: archcalc.Network, module: nn.Module) -> Any:
    """Outputs for the same inputs and random seed, or PyTorch's error, which other surfaces check."""
    torch.manual_seed(0)
    inputs = random_inputs(network, BATCH, "cpu")
    try:
        found = module(*inputs)
    except (ValueError, IndexError, RuntimeError) as error:
        return str(error)
    return found if isinstance(found, tuple) else (found,)
