"""Memory against what follows every storage while PyTorch runs."""

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
    """Equal to the byte, in every layer, or a lower bound that says so and is one."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    for training in (False, True):
        if seen := observed(network, training, network.batch):
            said = network.memory(training=training)
            pairs = {row.name: (row.forward, had) for row, had in zip(said.layers, seen.forward, strict=True)}
            pairs[f"the peak, {training=}"] = (said.peak, seen.peak)
            if training and not has_sparse(network):
                saved = zip(said.layers, saved_by_layer(network), strict=True)
                pairs |= {f"saved by {row.name}": (row.saved, had) for row, had in saved}
            for what, (claim, had) in pairs.items():
                if isinstance(claim, Inexact):
                    assert claim.value <= had, f"{what}: {claim}, and PyTorch has {had}"
                else:
                    assert claim == had, f"{what}: {claim}, and PyTorch has {had}"


def saved_by_layer(network: archcalc.Network) -> list[int]:
    """The bytes of what autograd is given to keep in each layer, but for weights and what is kept already."""
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
    """It fits, and one sample more does not; where a peak is a lower bound, one sample more than at most so many."""
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
    """What the follower sees; None where PyTorch refuses one value for each channel, as archcalc must say, too.

    And where a CPU has to be followed, for a sparse input, which takes other memory for some layers than `meta`.
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
    """Whether archcalc says that PyTorch refuses a batch of this size."""
    try:
        check_batch(network.context, batch, training)
    except archcalc.UsageError:
        return True
    return False
