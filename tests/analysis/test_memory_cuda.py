"""Memory against the allocator of a GPU. Run wherever there is one.

The layers run as they do for the dispatch mode, but without it. The allocator's blocks have 512 bytes. cuBLAS
keeps a workspace from its first call on, which is subtracted. cuDNN needs one for a convolution, and PyTorch adds
gradients in place where it can, so networks of convolutions have a tolerance in both directions.
"""

import gc

import pytest
import torch

import archcalc
from archcalc.pytorch.device import random_inputs
from archcalc.pytorch.verify.storages import run

pytestmark = pytest.mark.cuda

BLOCK = 512


def allocated(network: archcalc.Network, training: bool) -> int:
    """The peak of the allocator in one pass, without cuBLAS's workspace."""
    built = archcalc.build(network, device="cuda").train(training)
    values = random_inputs(network, network.batch, "cuda")
    run(network, built, values, training)  # allocates the workspaces
    built.zero_grad()
    gc.collect()
    torch.cuda.synchronize()
    own = sum(_rounded(tensor) for tensor in (*built.parameters(), *built.buffers(), *values))
    workspaces = torch.cuda.memory_allocated() - own
    torch.cuda.reset_peak_memory_stats()
    run(network, built, values, training)
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated() - workspaces


def _rounded(tensor: torch.Tensor) -> int:
    return -(-tensor.untyped_storage().nbytes() // BLOCK) * BLOCK


@pytest.mark.parametrize("training", [False, True])
def test_dense_layers_take_no_workspace(training: bool) -> None:
    network = archcalc.load("dense_mnist", batch=1024)
    tensors = 4 * len(network.layers) + 8  # at most this many allocations are rounded up
    predicted = network.memory(training=training).peak
    assert (
        predicted <= allocated(network, training) <= predicted + tensors * BLOCK + 2**20
    )  # a sum over the batch takes a little


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", ["mnist_cnn", "vgg11", "resnet18"])
def test_convolutions_take_workspaces(name: str, training: bool) -> None:
    network = archcalc.load(name, batch=32)
    predicted = network.memory(training=training).peak
    assert 0.95 * predicted <= allocated(network, training) <= 1.5 * predicted + 64 * 2**20
