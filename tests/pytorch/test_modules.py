"""How archcalc's own modules compute, where the result does not show it."""

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import archcalc
from archcalc.pytorch import modules
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs


class Operations(TorchDispatchMode):
    """Records the names of PyTorch's operations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, function: Any, _types: Any, arguments: Any = (), options: Any = None) -> Any:
        self.names.add(function.overloadpacket.__name__)
        return function(*arguments, **(options or {}))


def test_a_connection_table_is_on_the_device_before_a_call() -> None:
    network = archcalc.load("lenet5_1998")
    expected, built = build(network), build(network, "meta")
    built.load_state_dict(expected.state_dict(), assign=True)
    values = random_inputs(network, 2, "cpu")
    torch.testing.assert_close(built(*values), expected(*values))  # on another device than it was made on
    with Operations() as seen:
        built(*values)
    assert {"index_select", "index_add"} <= seen.names
    assert not {"index", "lift_fresh", "_to_copy", "copy_"} & seen.names


def test_an_adjacency_has_a_row_and_a_column_for_every_node() -> None:
    convolution = modules.GcnConv(4, 2)
    assert convolution(torch.rand(2, 3, 4), torch.rand(3, 3)).shape == (2, 3, 2)
    with pytest.raises(ValueError, match="the adjacency is not nodes × nodes"):
        convolution(torch.rand(2, 3, 4), torch.rand(5, 3))
