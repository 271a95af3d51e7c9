"""Built networks have the outputs of modules written by hand, with copied weights."""

import itertools
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn import functional

import archcalc
from archcalc.pytorch.device import random_inputs

ROOT = Path(__file__).parent.parent


class LeNet5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.c3, self.c5 = nn.Conv2d(1, 6, 5), nn.Conv2d(6, 16, 5), nn.Conv2d(16, 120, 5)
        self.f6, self.output = nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        s2 = functional.avg_pool2d(self.c1(image).tanh(), 2)
        s4 = functional.avg_pool2d(self.c3(s2).tanh(), 2)
        c5 = self.c5(s4).tanh().flatten(1)
        return self.output(self.f6(c5).tanh())


class WeightAndBias(nn.Module):
    def __init__(self, weight: tuple[int, ...], bias: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.zeros(weight)), nn.Parameter(torch.zeros(bias))


class LeNet51998(nn.Module):
    """LeNet-5 of the paper: S layers with a coefficient and a bias, C3 by Table I, distances to fixed vectors."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.s2, self.c3, self.s4 = WeightAndBias((6,), 6), WeightAndBias((60, 5, 5), 16), WeightAndBias((16,), 16)
        self.c5, self.f6, self.output = nn.Conv2d(16, 120, 5), nn.Linear(120, 84), nn.Linear(84, 10, bias=False)
        spec = tomllib.loads((ROOT / "specs/lenet5_1998.toml").read_text("utf-8"))
        self.table = next(layer["connections"] for layer in spec["layers"] if layer.get("name") == "C3")

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        s2 = self.subsample(self.c1(image), self.s2).tanh()
        kernels = iter(self.c3.weight)
        maps = []
        for bias, row in zip(self.c3.bias, self.table, strict=True):
            weight = torch.zeros(1, 6, 5, 5, dtype=s2.dtype)
            for source in row:
                weight[0, source] = next(kernels)
            maps.append(functional.conv2d(s2, weight) + bias)
        s4 = self.subsample(torch.cat(maps, 1), self.s4).tanh()
        f6 = self.f6(self.c5(s4).tanh().flatten(1)).tanh()
        return torch.stack([(f6 - vector).square().sum(1) for vector in self.output.weight], 1)

    @staticmethod
    def subsample(values: torch.Tensor, layer: WeightAndBias) -> torch.Tensor:
        sums = 4 * functional.avg_pool2d(values, 2)
        return sums * layer.weight[:, None, None] + layer.bias[:, None, None]


class M5(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = [(1, 128, 80, 4), (128, 128, 3, 1), (128, 256, 3, 1), (256, 512, 3, 1)]
        self.stages = nn.ModuleList(
            nn.Sequential(nn.Conv1d(*size, bias=False), nn.BatchNorm1d(size[1]), nn.ReLU(), nn.MaxPool1d(4))
            for size in sizes
        )
        self.fc = nn.Linear(512, 10)

    def forward(self, waveform: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            waveform = stage(waveform)
        return self.fc(waveform.mean(2)).softmax(1)


class Gcn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = WeightAndBias((16, 1433), 16), WeightAndBias((7, 16), 7)

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        rows = []
        for sample in features:
            hidden = (torch.sparse.mm(adjacency, sample) @ self.first.weight.T + self.first.bias).relu()
            rows.append((torch.sparse.mm(adjacency, hidden) @ self.second.weight.T + self.second.bias).log_softmax(1))
        return torch.stack(rows)


class GraphClassifier(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = WeightAndBias((64, 7), 64), WeightAndBias((64, 64), 64)
        self.classes = nn.Linear(64, 2)

    def forward(self, features: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        graphs = []
        for sample in features:
            hidden = (torch.sparse.mm(adjacency, sample @ self.first.weight.T) + self.first.bias).relu()
            hidden = (torch.sparse.mm(adjacency, hidden @ self.second.weight.T) + self.second.bias).relu()
            graphs.append(hidden.sum(0) / len(sample))
        return self.classes(torch.stack(graphs))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        sizes = [1, 64, 128, 256, 512, 1024]
        self.down = nn.ModuleList(self.double_conv(*size) for size in itertools.pairwise(sizes))
        self.up = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(below, above, 2, stride=2), self.double_conv(below, above))
            for below, above in itertools.pairwise(sizes[:0:-1])
        )
        self.classes = nn.Conv2d(64, 2, 1)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        skipped = []
        for convs in self.down:
            values = convs(functional.max_pool2d(values, 2) if skipped else values)
            skipped.append(values)
        for (enlarge, convs), beside in zip(self.up, reversed(skipped[:-1]), strict=True):
            values = enlarge(values)
            top, left = ((beside.shape[axis] - values.shape[axis]) // 2 for axis in (2, 3))
            cropped = beside[:, :, top : top + values.shape[2], left : left + values.shape[3]]
            values = convs(torch.cat([cropped, values], 1))
        return self.classes(values)

    @staticmethod
    def double_conv(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(before, after, 3), nn.ReLU(), nn.Conv2d(after, after, 3), nn.ReLU())


HAND_WRITTEN: dict[str, Callable[[], nn.Module]] = {
    "lenet5": LeNet5,
    "lenet5_1998": LeNet51998,
    "m5": M5,
    "gcn_cora": Gcn,
    "gcn_classifier": GraphClassifier,
    "unet": UNet,
    "activation_maps": lambda: nn.Sequential(nn.Conv2d(3, 6, 5), nn.ReLU(), nn.Conv2d(6, 10, 5), nn.ReLU()),
    "mnist_cnn": lambda: nn.Sequential(
        *(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(64 * 7 * 7, 10)),
    ),
    "dense_mnist": lambda: nn.Sequential(
        *(nn.Flatten(), nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 10))
    ),
    "dense_3x3": lambda: nn.Sequential(nn.Flatten(), nn.Linear(9, 4, bias=False)),
    "conv_2x2_on_3x3": lambda: nn.Conv2d(1, 1, 2, bias=False),
    "stacked_3x3": lambda: nn.Sequential(*(nn.Conv2d(64, 64, 3, padding=1, bias=False) for _ in range(3))),
    "single_7x7": lambda: nn.Conv2d(64, 64, 7, padding=3, bias=False),
}

SMALLER = {"unet": {"image": [1, 204, 188]}}  # its own 572×572 would take a minute


@pytest.mark.every_spec(few={"gcn_cora", "lenet5", "m5", "unet"})
@pytest.mark.parametrize("name", HAND_WRITTEN)
def test_the_output_is_that_of_a_module_written_by_hand(name: str) -> None:
    torch.manual_seed(0)
    network = archcalc.load(name, inputs=SMALLER.get(name))
    built, by_hand = archcalc.build(network, dtype="float64").eval(), HAND_WRITTEN[name]().double().eval()
    for tensor in [*built.parameters(), *(buffer for buffer in built.buffers() if buffer.dim())]:
        nn.init.uniform_(tensor, 0.1, 0.5)
    state = zip(by_hand.state_dict(), built.state_dict().values(), strict=True)
    by_hand.load_state_dict(dict(state))
    inputs = random_inputs(network, 2, "cpu", "float64")
    torch.testing.assert_close(built(*inputs), by_hand(*inputs))
