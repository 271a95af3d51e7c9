"""Verification: compares every number of a network with PyTorch's for the same spec."""

from collections.abc import Callable, Collection, Iterator
from itertools import chain

import torch

from archcalc.errors import UsageError, quoted
from archcalc.measured.verification import Verification, VerificationRow
from archcalc.network import Network
from archcalc.pytorch import memory
from archcalc.pytorch.build import build, check_layers
from archcalc.pytorch.device import find_device
from archcalc.pytorch.verify.fields import compare_fields
from archcalc.pytorch.verify.forward import compare_operations, compare_shapes, observe
from archcalc.pytorch.verify.sizes import compare_sizes
from archcalc.pytorch.verify.source import compare_source
from archcalc.pytorch.verify.storages import compare_memory
from archcalc.pytorch.verify.weights import compare_weights


def verify(
    network: Network,
    device: str = "cpu",
    fields: Collection[str] | None = None,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
    storages: bool = True,
) -> Verification:
    """Build the network on a device, run it, and compare layer by layer.

    It compares output shapes, parameters and buffers, operations (2 × MACs with PyTorch's own counter), receptive
    fields (measured by gradients on the CPU; `fields` names layers, None means all with a field, an empty collection
    none), the sizes of inputs that work, the peak memory (with `storages`, on the device `meta`), and the exported
    source text: its weights, and its outputs except on `meta`. `progress` is called with the number of layers whose
    fields are measured, and the total.

    Raises UsageError for an unknown layer, a device that is not available, and more than 5,000 layers.
    """
    chosen = find_device(device)
    check_layers(network, "verify")
    try:
        if chosen.type == "cpu":
            memory.look_ahead(network)
        built = build(network, chosen)
        observed = observe(network, built, chosen)
        rows: Iterator[VerificationRow] = chain(
            compare_shapes(network, observed),
            compare_weights(network, built),
            compare_operations(network, built, observed),
            compare_fields(network, fields, progress),
            compare_sizes(network),
            compare_memory(network) if storages else (),
            compare_source(network, built, chosen),
        )
        return Verification(
            name=network.name,
            device=str(chosen),
            torch_version=torch.__version__,
            rows=tuple(rows),
            failure=observed.failure,
        )
    except (RuntimeError, MemoryError, memory.OutOfMemoryError) as error:
        if not memory.is_out_of_memory(error):
            raise
        message = f"{quoted(network.name)} does not fit into the memory of {chosen}"
        raise UsageError(message, "--device meta takes none") from None
