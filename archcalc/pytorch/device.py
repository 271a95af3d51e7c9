"""Devices and dtypes by name, and inputs to run a network on."""

import torch

from archcalc.arithmetic import product
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.layers.base import FLOATING, INTEGER, Shape, Tensor, size_text
from archcalc.network import Network

DEVICES = ("cpu", "cuda", "mps", "meta")
MAX_BYTES = 2**63 - 1  # of a tensor, even on meta


def find_device(name: str | torch.device) -> torch.device:
    """The device of a name such as `cpu` or `cuda:1`. Raises UsageError if it is not available."""
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in DEVICES:
        raise UsageError(f"no device is called {quoted(str(name))}; {did_you_mean(str(name), DEVICES)}")
    if device.type in ("cpu", "meta", "mps") and device.index:
        raise UsageError(f"device {quoted(str(device))} is not there: there is one {device.type}")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device {quoted(str(device))} is not there: {_cuda_state()}")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError('device "mps" is not there: it needs a Mac with Apple silicon')
    return device


def _cuda_state() -> str:
    if torch.version.cuda is None:
        return f"PyTorch {torch.__version__} is built without CUDA"
    count = torch.cuda.device_count()
    found = f"{count or 'no'} CUDA device{'s' * (count != 1)}"
    return f"PyTorch {torch.__version__} finds {found}; the device cpu is always there"


def find_dtype(name: str | torch.dtype) -> torch.dtype:
    """The dtype of a name such as `bfloat16`. Raises UsageError if archcalc does not support it."""
    if isinstance(name, torch.dtype):
        return name
    if name not in FLOATING + INTEGER:
        raise UsageError(f"no dtype is called {quoted(name)}; {did_you_mean(name, FLOATING + INTEGER)}")
    dtype: torch.dtype = getattr(torch, name)
    return dtype


def check_size(what: str, shape: Shape, dtype: torch.dtype) -> None:
    """Raise UsageError for a tensor that PyTorch cannot address; `what` names it in the message."""
    if product(shape) * dtype.itemsize > MAX_BYTES:
        raise UsageError(f"{what}, {size_text(shape)}, is larger than any tensor of PyTorch")


def random_inputs(
    network: Network, batch: int, device: str | torch.device, dtype: str | torch.dtype | None = None
) -> tuple[torch.Tensor, ...]:
    """A batch for every input of the network, in the spec's order.

    Floating-point values are uniform from 0 to 1, in `dtype` unless it is None; integers are 0, which is an index of
    every embedding. An input with known nonzeros is one sparse matrix for all samples, on `meta` a dense one. Raises
    UsageError for an input that is too large for a tensor.
    """
    place = find_device(device)
    for name, tensor in network.graph.inputs.items():
        samples = () if isinstance(tensor.nonzeros, int) else (batch,)
        check_size(f"input {quoted(name)}", (*samples, *tensor.shape), find_dtype(dtype or tensor.dtype))
    return tuple(_random(tensor, batch, place, dtype) for tensor in network.graph.inputs.values())


def _random(tensor: Tensor, batch: int, device: torch.device, dtype: str | torch.dtype | None) -> torch.Tensor:
    if tensor.dtype in INTEGER:
        return torch.zeros(batch, *tensor.shape, dtype=find_dtype(tensor.dtype), device=device)
    floating = find_dtype(dtype or tensor.dtype)
    if not isinstance(tensor.nonzeros, int) or device.type == "meta":
        return torch.rand(batch, *tensor.shape, dtype=floating, device=device)
    return _random_sparse(tensor.shape, tensor.nonzeros, floating).to(device)


def _random_sparse(shape: tuple[int, ...], nonzeros: int, dtype: torch.dtype) -> torch.Tensor:
    """A sparse matrix with `nonzeros` entries, spread evenly."""
    places = torch.arange(nonzeros) * (torch.Size(shape).numel() // max(nonzeros, 1))
    indices = torch.stack(torch.unravel_index(places, shape))
    values = torch.rand(nonzeros, dtype=dtype)
    return torch.sparse_coo_tensor(indices, values, shape, check_invariants=True, is_coalesced=True)
