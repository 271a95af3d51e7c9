"""Memory against what follows every storage while PyTorch runs."""

import torch
from networks import Drawn

from archcalc.pytorch.verify.storages import observe_memory
from surfaces.runner import loaded


def check_memory(drawn: Drawn) -> None:
    """Equal to the byte, in every layer, or a lower bound that says so and is one."""
    torch.set_num_threads(1)
    network = loaded(drawn)
    for training in (False, True):
        said = network.memory(training=training)
        try:
            seen = observe_memory(network, training=training)
        except ValueError as error:
            if "more than 1" not in str(error):  # one value for each channel in training
                raise
            continue
        if said.lower_bound:
            assert said.peak <= seen.peak, f"{training=}: at least {said.peak}, and PyTorch has {seen.peak}"
        else:
            assert said.peak == seen.peak, f"{training=}: {said.peak}, and PyTorch has {seen.peak}"
            rows = {row.name: (row.forward, had) for row, had in zip(said.layers, seen.forward, strict=True)}
            differing = {name: values for name, values in rows.items() if len(set(values)) > 1}
            assert not differing, f"{training=}: {differing}"
