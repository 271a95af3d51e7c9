"""Shapes, weights and operations of every layer, compared with the built network."""

from typing import Any

import torch
from networks import Drawn
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archcalc
from archcalc.pytorch.build import BuiltNetwork, build
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.verify import verify
from surfaces.runner import loaded

BATCH = 2


def check_shapes(drawn: Drawn) -> None:
    """Shapes and dtypes of all outputs, parameters and buffers, and operations, are PyTorch's on `meta`."""
    network = loaded(drawn)
    built = build(network, "meta").eval()
    outputs = recorded(network, built)
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        found = built(*random_inputs(network, BATCH, "meta"))
    assert len(found if isinstance(found, tuple) else (found,)) == len(network.outputs)
    for position, row in enumerate(network.layers):
        _, predicted = network.context.tensors_at(position)
        seen = outputs[row.name]
        assert tuple(seen.shape) == (BATCH, *row.output_shape), row.name
        assert str(seen.dtype) == f"torch.{predicted.dtype}", row.name
    weights = dict(built.named_parameters())
    assert sum(parameter.numel() for parameter in weights.values()) == network.totals.parameters
    trained = sum(parameter.numel() for parameter in weights.values() if parameter.requires_grad)
    assert trained == network.totals.trainable_parameters
    assert sum(buffer.numel() for buffer in built.buffers()) == network.totals.buffers
    if not any(row.type in ("rbf", "gcn_conv") for row in network.layers):  # squares, and sparse products
        assert counter.get_total_flops() * network.batch == 2 * network.totals.macs * BATCH


def recorded(network: archcalc.Network, built: BuiltNetwork) -> dict[str, torch.Tensor]:
    """The outputs of all layers when the network runs."""
    outputs: dict[str, torch.Tensor] = {}

    def record(name: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
            outputs[name] = output

        return hook

    for row in network.layers:
        built.get_submodule(row.name).register_forward_hook(record(row.name))
    return outputs


def check_verify(drawn: Drawn) -> None:
    """`verify` ends with a table, and finds no difference."""
    found = verify(loaded(drawn))
    assert str(found)
    assert found.to_dict()
    differing = [f"{row.question}, {row.layer}: {row.said} and {row.found}" for row in found.differences]
    assert not differing, differing[:5]
    assert found.failure is None, found.failure
