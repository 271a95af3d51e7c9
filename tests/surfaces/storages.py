"""Memory compared with a dispatch mode that follows every storage while PyTorch runs."""

import torch
from networks import Drawn

import archcalc
from archcalc.analysis.least_batch import check_batch, least_batch
from archcalc.numbers.bounds import Inexact, floor_of
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.verify.storages import ObservedMemory, has_sparse, is_comparable, observe_memory
from surfaces.runner import loaded


def check_memory(drawn: Drawn) -> None:
    """Memory is equal to the byte in every layer, or marked as a lower bound, which holds."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    for training in (False, True):
        if seen := observed(network, training, network.batch):
            predicted = network.memory(training=training)
            pairs = {row.name: (row.forward, had) for row, had in zip(predicted.layers, seen.forward, strict=True)}
            pairs[f"the peak, {training=}"] = (predicted.peak, seen.peak)
            if training and not has_sparse(network):
                saved = zip(predicted.layers, saved_by_layer(network), strict=True)
                pairs |= {f"saved by {row.name}": (row.saved, had) for row, had in saved}
            for what, (claim, had) in pairs.items():
                if isinstance(claim, Inexact):
                    assert claim.value <= had, f"{what}: {claim}, and PyTorch has {had}"
                else:
                    assert claim == had, f"{what}: {claim}, and PyTorch has {had}"


def saved_by_layer(network: archcalc.Network) -> list[int]:
    """The bytes that autograd saves in each layer, without weights and storages saved before."""
    built = build(network, "meta").train()
    constants = (value for module in built.modules() for value in vars(module).values())
    known = [value for value in (*built.parameters(), *built.buffers(), *constants) if isinstance(value, torch.Tensor)]
    kept = {value.untyped_storage()._cdata: value.untyped_storage() for value in known}
    found = list[int]()

    def keep(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in kept:
            kept[storage._cdata] = storage
            found[-1] += storage.nbytes()
        return value

    values = dict(enumerate(random_inputs(network, network.batch, "meta")))
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        for position, node in enumerate(network.graph.nodes):
            found.append(0)
            inputs = [values[source] for source in node.sources]
            values[network.context.graph.edge(position)] = built.get_submodule(node.name)(*inputs)
    return found


def check_largest_batch(drawn: Drawn) -> None:
    """The largest batch fits, and one more sample does not; if it is an upper bound, only the latter."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    for training in (False, True):
        observed(network, training, 1)
        if refuses(network, training, 3):
            observed(network, training, 3)
            continue
        for limit in (floor_of(network.memory(training=training, batch=3).peak), 5_000):
            try:
                found = network.largest_batch(limit, training=training).batch
            except archcalc.UsageError as error:
                if "every batch fits" not in str(error):
                    raise
                continue
            largest = found.value if isinstance(found, Inexact) else found
            if largest and not isinstance(found, Inexact) and (seen := observed(network, training, largest)):
                assert seen.peak <= limit, f"{training=}: {largest} samples take {seen.peak}, and {limit} is the limit"
            more = largest + 1 if largest else least_batch(network.context, training)
            if largest < 500 and (seen := observed(network, training, more)):
                assert seen.peak > limit, f"{training=}: {more} samples take {seen.peak} of {limit}"


def observed(network: archcalc.Network, training: bool, batch: int) -> ObservedMemory | None:
    """The measured memory; None if PyTorch refuses one value per channel, which archcalc must refuse, too.

    Also None for a sparse input, which needs a CPU, where some layers need other memory than on `meta`.
    """
    if not is_comparable(network):
        return None
    refused = refuses(network, training, batch)
    try:
        found = observe_memory(network, training=training, batch=batch)
    except ValueError as error:
        if not refused or "more than 1" not in str(error):
            raise
        return None
    assert not refused, f"PyTorch runs batch {batch}, {training=}"
    return found


def refuses(network: archcalc.Network, training: bool, batch: int) -> bool:
    """Whether archcalc predicts that PyTorch refuses a batch of this size."""
    try:
        check_batch(network.context, batch, training)
    except archcalc.UsageError:
        return True
    return False
