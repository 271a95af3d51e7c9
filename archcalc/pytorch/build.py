"""The network of a spec as an ordinary PyTorch module."""

from typing import Any, NamedTuple

import torch
from torch import nn

from archcalc.errors import quoted
from archcalc.graph import Graph
from archcalc.layers.base import Module
from archcalc.module_names import name_error
from archcalc.pytorch import modules
from archcalc.pytorch.device import check_size, find_device, find_dtype
from archcalc.report.network import Network


def build(
    network: Network, device: str | torch.device = "cpu", dtype: str | torch.dtype | None = None
) -> "BuiltNetwork":
    """The network with fresh weights on a device, its submodules named as the spec's layers.

    It takes the inputs in the order of the spec, each with the batch in front, and returns one tensor, or a tuple
    where the network has several outputs. On the device `meta` weights take no memory. Floating-point parameters have
    the given dtype, or without one the dtype of what their layer gives out. Raises UsageError for a device or dtype
    that is not there, for a layer that has the name of a module's own attribute, and for one too large for any tensor.
    """
    with find_device(device):
        built = BuiltNetwork(network.graph)
        for position, node in enumerate(network.graph.nodes):
            add_module(built, node.name, _module(network, position, dtype))
    for node in network.graph.nodes:
        if node.owner is not None:
            owner = network.graph.nodes[node.owner]
            _share(built.get_submodule(owner.name), built.get_submodule(node.name))
        elif not node.trainable:
            built.get_submodule(node.name).requires_grad_(False)
    return built


class Step(NamedTuple):
    """A layer's turn in the forward pass. Edges are those of the graph; `spent` are not read by any later step."""

    keys: tuple[str, ...]
    sources: tuple[int, ...]
    spent: tuple[int, ...]


class BuiltNetwork(nn.Module):
    """Runs the layers of a graph in their order."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        self._inputs = tuple(graph.inputs)
        self._outputs = graph.outputs
        self._steps = _steps(graph)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The outputs for a batch."""
        if len(inputs) != len(self._inputs):
            raise TypeError(f"the network takes {', '.join(self._inputs)}; it got {len(inputs)} inputs")
        values: list[torch.Tensor | None] = [*inputs]
        for step in self._steps:
            # Replaced submodules are found, and torch.compile can follow.
            module: Any = self
            for key in step.keys:
                module = module._modules[key]
            values.append(module(*(values[edge] for edge in step.sources)))
            for edge in step.spent:
                values[edge] = None  # its memory may be used again
        outputs = tuple(values[edge] for edge in self._outputs)
        return outputs[0] if len(outputs) == 1 else outputs


def _steps(graph: Graph) -> tuple[Step, ...]:
    last_read = {edge: node for node, found in enumerate(graph.nodes) for edge in found.sources}
    spent: dict[int, list[int]] = {}
    outputs = set(graph.outputs)
    for edge, node in last_read.items():
        if edge not in outputs:
            spent.setdefault(node, []).append(edge)
    return tuple(
        Step(tuple(node.name.split(".")), node.sources, tuple(spent.get(number, ())))
        for number, node in enumerate(graph.nodes)
    )


def _module(network: Network, position: int, dtype: str | torch.dtype | None) -> nn.Module:
    inputs, output = network.analysed.tensors_at(position)
    node, wanted = network.graph.nodes[position], find_dtype(dtype or output.dtype)
    made = torch.promote_types(wanted, torch.get_default_dtype())  # PyTorch makes modules in the default dtype first
    for name, shape in (node.layer.parameters(inputs) | node.layer.buffers(inputs)).items():
        check_size(f"{name} of layer {quoted(node.name)}", shape, made)
    module = make_module(node.layer.module(inputs))
    return module.to(wanted) if wanted.is_floating_point else module


def make_module(module: Module) -> nn.Module:
    """The module that a layer says does the same."""
    kind, _, name = module.name.rpartition(".")
    made: nn.Module = getattr(nn if kind == "nn" else modules, name)(*module.arguments, **module.options)
    return made


def add_module(root: nn.Module, name: str, module: nn.Module) -> None:
    """Puts a module in its place: `stage2.0.conv` into the module `0` in the module `stage2`."""
    *containers, own = name.split(".")
    parent = root
    for key in containers:
        if key not in parent._modules:
            _add_child(parent, key, nn.Module(), name)
        parent = parent.get_submodule(key)
    _add_child(parent, own, module, name)


def _add_child(parent: nn.Module, key: str, child: nn.Module, name: str) -> None:
    if hasattr(parent, key):
        raise name_error(name, key)
    parent.add_module(key, child)


def _share(owner: nn.Module, user: nn.Module) -> None:
    """Makes `user` use the parameters and buffers of `owner`, a module of the same structure."""
    for name, part in owner.named_modules():
        other = user.get_submodule(name)
        for missing in other._parameters.keys() - part._parameters.keys():
            part._parameters[missing] = None  # a layer of another type may ask for a bias that is not there
        # The dictionaries themselves are shared, so that the weights stay so when they move to another device.
        other._parameters = part._parameters
        other._buffers = part._buffers
