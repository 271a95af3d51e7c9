"""The network as an ONNX graph, by PyTorch's own exporter."""

import contextlib
import io
import logging
import re
import warnings
from collections.abc import Iterator
from keyword import iskeyword
from typing import Any

import torch
from msgspec import structs

from archcalc.errors import UsageError, quoted
from archcalc.module_names import MODULE_ATTRIBUTES, Names
from archcalc.network import Network
from archcalc.pytorch import memory
from archcalc.pytorch.build import BuiltNetwork, build, check_layers
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.modules import PaddedAvgPool

MAX_BYTES = 2**31 - 1  # of a protocol buffer


def to_onnx(network: Network, built: BuiltNetwork | None = None) -> bytes:
    """An ONNX model of the network at inference, with the weights of `built`, or random ones.

    Inputs and outputs have the names of the spec; the batch size is dynamic where PyTorch supports that. Raises
    UsageError if a package is missing, for more than 5,000 layers, and for a network that is too large for an ONNX file
    or the memory.
    """
    _check_packages()
    check_layers(network, "export to ONNX")
    _check_size(built or build(network, "meta"))
    try:
        memory.look_ahead(network)
        return _to_onnx(network, (built or build(network)).eval())
    except (RuntimeError, MemoryError, memory.OutOfMemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise
        raise UsageError(f"{quoted(network.name)} does not fit into memory during the export to ONNX") from None


def _to_onnx(network: Network, built: BuiltNetwork) -> bytes:
    # An adjacency with known nonzeros is one matrix for all samples; ONNX has no sparse matrices.
    inputs = random_inputs(network, 2, "cpu")
    shared = [values.is_sparse for values in inputs]
    with _quietly():
        program = _export(network, _plain(network, built), tuple(values.to_dense() for values in inputs), shared)
    _name_values(program.model.graph, network)
    model: bytes = program.model_proto.SerializeToString()
    return model


def _check_size(built: BuiltNetwork) -> None:
    size = sum(tensor.numel() * tensor.element_size() for tensor in (*built.parameters(), *built.buffers()))
    if size > MAX_BYTES:
        raise UsageError(f"weights of {size / 2**30:.1f} GiB are more than the 2 GiB that an ONNX file holds")


def _check_packages() -> None:
    for package in ("onnx", "onnxscript"):
        try:
            __import__(package)
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            message = f"this needs {package}, which is not installed: pip install 'archcalc[onnx]'"
            raise UsageError(message) from None


def _plain(network: Network, built: BuiltNetwork) -> BuiltNetwork:
    """The same modules under plain identifiers: the exporter generates code that contains names, and runs it."""
    names = _plain_names([node.name for node in network.graph.nodes])
    nodes = [structs.replace(node, name=names[node.name]) for node in network.graph.nodes]
    layers = [built.get_submodule(node.name) for node in network.graph.nodes]
    renamed = BuiltNetwork(structs.replace(network.graph, nodes=nodes), layers)
    renamed.eval()
    return renamed


def _plain_names(layers: list[str]) -> dict[str, str]:
    """A plain identifier for each layer and each module that contains one, by its original name."""
    found = {"": ""}
    scopes: dict[str, Names] = {}
    for layer in layers:
        prefix = ""
        for key in layer.split("."):
            name = f"{prefix}.{key}" if prefix else key
            if name not in found:
                is_word = re.fullmatch("[A-Za-z0-9_]+", key) and not iskeyword(key)
                word = scopes.setdefault(prefix, Names(MODULE_ATTRIBUTES)).add(key if is_word else "layer")
                found[name] = f"{found[prefix]}.{word}" if prefix else word
            prefix = name
    return found


def _export(network: Network, built: BuiltNetwork, inputs: tuple[torch.Tensor, ...], shared: list[bool]) -> Any:
    options = {"dynamo": True, "verbose": False, "optimize": not _folds_wrongly(built)}
    batch = tuple(None if one else {0: "batch"} for one in shared)
    try:
        return torch.onnx.export(built, inputs, dynamic_shapes=(batch,), **options)
    except torch.onnx.OnnxExporterError:
        try:
            return torch.onnx.export(built, inputs, **options)
        except torch.onnx.OnnxExporterError as error:
            reason = re.sub(r"\x1b\[\d*m", "", str(error)).strip().splitlines()[0]
            raise UsageError(f"PyTorch cannot export {quoted(network.name)} to ONNX: {reason}") from None


def _folds_wrongly(built: BuiltNetwork) -> bool:
    """Whether the exporter would constant-fold an average pooling whose last window may exceed the input.

    It folds by ONNX's reference implementation, which pads such windows at the wrong end.
    """
    return any(isinstance(module, PaddedAvgPool) and module.ceil_mode for module in built.modules())


def _name_values(graph: Any, network: Network) -> None:
    """Give every value a unique name: inputs and outputs the spec's names, which the exporter might use twice."""
    edges = network.context.graph.edge_names
    wanted = [*network.graph.inputs, *(edges[edge] for edge in network.graph.outputs)]
    names = Names()
    for value, name in zip([*graph.inputs, *graph.outputs], wanted, strict=True):
        value.name = names.add(name)
    inner = [*graph.initializers.values(), *(value for node in graph for value in node.outputs)]
    for value in inner:
        if not value.is_graph_output():
            value.name = names.add(value.name)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Suppress the exporter's own messages."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
