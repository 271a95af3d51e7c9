"""The network of a spec as an ordinary PyTorch module."""

from typing import Any, NamedTuple

import torch
from torch import nn

from archcalc.errors import UsageError, quoted
from archcalc.graph import Graph
from archcalc.layers.base import Module
from archcalc.module_names import check_names, names_error
from archcalc.network import Network
from archcalc.pytorch import modules
from archcalc.pytorch.device import check_size, find_device, find_dtype
from archcalc.structure import Group, find_structure, groups_in


def build(
    network: Network, device: str | torch.device = "cpu", dtype: str | torch.dtype | None = None
) -> "BuiltNetwork":
    """The network with fresh weights on a device; its submodules have the names of the spec's layers.

    It takes the inputs in the order of the spec, with the batch as the first axis, and returns a tensor, or a tuple if
    the network has several outputs. On the device `meta`, weights take no memory. Floating-point parameters have
    `dtype`, by default the dtype of their layer's output. Raises UsageError for a device or dtype that is not
    available, a layer with the name of a module's own attribute, and a tensor that is too large for PyTorch.
    """
    with find_device(device):
        layers = [_module(network, position, dtype) for position in range(len(network.graph.nodes))]
    built = BuiltNetwork(network.graph, layers)
    for node in network.graph.nodes:
        if node.owner is not None:
            owner = network.graph.nodes[node.owner]
            _share(built.get_submodule(owner.name), built.get_submodule(node.name))
        elif not node.trainable:
            built.get_submodule(node.name).requires_grad_(False)
    return built


class Turn(NamedTuple):
    """A call of a submodule in the forward pass. Edges are the graph's; `spent` are edges that are not read again."""

    keys: tuple[str, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    spent: tuple[int, ...]


class BlockModule(nn.Module):
    """Runs the parts of a block, or of the network, in order."""

    def __init__(self, group: Group) -> None:
        super().__init__()
        self._inputs = group.inputs
        self._outputs = group.outputs
        self._steps = _turns(group)

    def forward(self, *inputs: torch.Tensor) -> Any:
        """The outputs for a batch: one tensor, or a tuple."""
        values = dict(zip(self._inputs, inputs, strict=True))
        for turn in self._steps:
            # Looked up by name, so that replaced submodules are used and torch.compile can trace the call.
            module: Any = self
            for key in turn.keys:
                module = module._modules[key]
            found = module(*(values[edge] for edge in turn.inputs))
            values.update(zip(turn.outputs, found if len(turn.outputs) > 1 else (found,), strict=True))
            for edge in turn.spent:
                del values[edge]  # frees its memory
        outputs = tuple(values[edge] for edge in self._outputs)
        return outputs[0] if len(outputs) == 1 else outputs


MOST_LAYERS = 5_000


def check_layers(network: Network, what: str) -> None:
    """Raise UsageError for more layers than PyTorch's exporter and counters can process in minutes."""
    count = len(network.graph.nodes)
    if count > MOST_LAYERS:
        message = f"{quoted(network.name)} has {count:,} layers: {what} takes networks of at most {MOST_LAYERS:,}"
        raise UsageError(message)


class BuiltNetwork(BlockModule):
    """A network of its layers' modules, with a module for every block and for the copies of every repeated entry.

    Chained copies are a Sequential. A block between whose layers others must run is only a container of its layers.
    Weights are in the order of the layers, those of a block together.
    """

    def __init__(self, graph: Graph, layers: list[nn.Module]) -> None:
        root = find_structure(graph)
        check_names(root)
        super().__init__(root)
        self._names = tuple(graph.inputs)
        for group in groups_in(root):
            parent = self.get_submodule(".".join(group.path))
            for key, part in group.parts.items():
                if hasattr(parent, key):
                    raise names_error([".".join((*group.path, key))])  # a newer release reserves more names
                parent.add_module(key, _container(part) if isinstance(part, Group) else layers[part])

    def forward(self, *inputs: torch.Tensor, **named: torch.Tensor) -> Any:
        """The outputs for a batch: one tensor, or a tuple. Inputs are positional in the order of the spec, or named."""
        values = (*inputs, *(named[name] for name in self._names[len(inputs) :] if name in named))
        if len(values) != len(self._names) or len(values) != len(inputs) + len(named):
            got = ", ".join([f"{len(inputs)} inputs", *named])
            raise TypeError(f"the network takes {', '.join(self._names)}; it got {got}")
        return BlockModule.forward(self, *values)


def _container(group: Group) -> nn.Module:
    if group.is_chain:
        return nn.Sequential()
    return BlockModule(group) if group.is_called else nn.Module()


def _turns(group: Group) -> tuple[Turn, ...]:
    last_read = {edge: number for number, step in enumerate(group.steps) for edge in step.inputs}
    for number, step in enumerate(group.steps):
        for edge in step.outputs:
            last_read.setdefault(edge, number)
    spent: dict[int, list[int]] = {}
    for edge, number in last_read.items():
        if edge not in group.outputs:
            spent.setdefault(number, []).append(edge)
    return tuple(
        Turn(step.keys, step.inputs, step.outputs, tuple(spent.get(number, ())))
        for number, step in enumerate(group.steps)
    )


def _module(network: Network, position: int, dtype: str | torch.dtype | None) -> nn.Module:
    inputs, output = network.context.tensors_at(position)
    node, inferred = network.graph.nodes[position], network.context.layer_at(position)
    wanted = find_dtype(dtype or output.dtype)
    made = torch.promote_types(wanted, torch.get_default_dtype())  # PyTorch makes modules in the default dtype first
    for name, shape in (inferred.parameters | inferred.buffers).items():
        check_size(f"{name} of layer {quoted(node.name)}", shape, made)
    module = make_module(node.layer.module(inputs))
    return module.to(wanted) if wanted.is_floating_point else module


def make_module(module: Module) -> nn.Module:
    """The PyTorch module of a layer, constructed from its description."""
    kind, _, name = module.name.rpartition(".")
    made: nn.Module = getattr(nn if kind == "nn" else modules, name)(*module.arguments.values(), **module.options)
    return made


def _share(owner: nn.Module, user: nn.Module) -> None:
    """Make `user` use the parameters and buffers of `owner`, a module of the same structure."""
    for name, part in owner.named_modules():
        other = user.get_submodule(name)
        for missing in other._parameters.keys() - part._parameters.keys():
            part._parameters[missing] = None  # a layer of another type may ask for a bias that is not there
        # The dictionaries themselves are shared, so that the weights stay so when they move to another device.
        other._parameters = part._parameters
        other._buffers = part._buffers
