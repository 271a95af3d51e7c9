"""Exported text read back: every change is found, and other Python is refused."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import archcalc
from archcalc.errors import UsageError
from archcalc.export import source
from archcalc.export.proof import find_fault
from archcalc.export.reading import Text, UnreadableError
from archcalc.export.source import write

DATA = Path(__file__).parent.parent / "data"

SPEC = """
name = "small"
inputs.x = [4, 8]
layers = [
  { name = "stage", type = "stage", width = 4, count = 3 },
  { name = "other", type = "stage", width = 6, count = 2, wide = true },
  { name = "again", type = "conv1d", out_channels = 6, kernel_size = 1 },
  { name = "same", type = "conv1d", out_channels = 6, kernel_size = 1, padding = 1, weights = "again" },
  { type = "cat", inputs = ["again", "other"], dim = 1 },
  { name = "cold", type = "batch_norm", trainable = false },
]
[blocks.stage]
parameters = ["width", "count"]
defaults = { wide = false }
layers = [{ type = "unit", width = "width", wide = "wide", first = "index == 0", repeat = "count" }]
[blocks.unit]
parameters = ["width", "wide", "first"]
defaults = { kernel = "3 if wide else 1", half = "max(1, width // 2)" }
layers = [
  { name = "a", type = "conv1d", out_channels = "half", kernel_size = "kernel", padding = "kernel // 2" },
  { type = "relu" },
  { name = "b", type = "conv1d", out_channels = "width", kernel_size = 1 },
  { name = "drop", type = "dropout", p = 0.1, when = "wide" },
  { type = "add", inputs = ["drop", "input"], when = "not first" },
]
"""


def network() -> archcalc.Network:
    return archcalc.loads(SPEC)


def test_the_text_is_the_network() -> None:
    text = network().to_source()
    assert text == write(network().context)
    assert find_fault(network().context, text) is None
    assert "        half = max(1, width // 2)\n" in text
    assert "        return out + x if self.add else out\n" in text


CHANGES = [
    ("self.b = nn.Conv1d(half, width, 1)", "self.b = nn.Conv1d(half, width, 3)"),
    ("self.b = nn.Conv1d(half, width, 1)", "self.b = nn.Conv1d(half, width, True)"),
    ("half = max(1, width // 2)", "half = min(1, width // 2)"),
    ("kernel = 3 if wide else 1", "kernel = 1 if wide else 3"),
    ("range(count - 1)", "range(count)"),
    ("self.add = not first", "self.add = first"),
    ("return out + x if self.add else out", "return out + out if self.add else out"),
    ("return out + x if self.add else out", "return x + out if self.add else out"),
    ("return out + x if self.add else out", "return out"),
    ("out = self.relu(out)", "out = self.relu(x)"),
    ("out = self.relu(out)", "pass"),
    ("        out = self.relu(out)\n", ""),
    ("        out = self.relu(out)\n", "        out = self.relu(self.relu(out))\n"),
    ("        out = self.relu(out)\n", "        out = self.relu(out)\n        self.relu(out)\n"),
    ("nn.Dropout(p=0.1) if wide", "nn.Dropout(p=0.2) if wide"),
    ("nn.Dropout(p=0.1) if wide", "nn.Dropout(p=0.1) if not wide"),
    ("self.same.weight = self.again.weight", "self.same.weight = self.again.bias"),
    ("        self.same.weight = self.again.weight\n", ""),
    ("self.cold.requires_grad_(False)", "self.again.requires_grad_(False)"),
    ("self.cold.requires_grad_(False)", "self.cold.to(torch.float64)"),
    ("torch.cat((again, other), 2)", "torch.cat((other, again), 2)"),
    ("torch.cat((again, other), 2)", "torch.cat((again, other), 1)"),
    ("return self.cold(x)", "return x"),
    ("import torch\n", "import torch\nimport os\n"),
    ("import torch\n", "import torch\n\nprint(1)\n"),
    ("import torch\n", ""),
    ("from torch import nn\n", ""),
    ("nn.ReLU()", "nn.Foo()"),
    ("nn.ReLU()", "eval('1')"),
    ("nn.ReLU()", "(lambda: nn.ReLU())()"),
    ("class Unit(nn.Module)", "class Unit(nn.Module, metaclass=type)"),
    ("class Unit(nn.Module)", "@print\nclass Unit(nn.Module)"),
    ("class Unit(nn.Module)", "class Unit(nn.Sequential)"),
    ("width: int, ", "width: print(1), "),
    ("width: int, ", "*width, "),
    ("super().__init__()", "super().__init__(1)"),
    ("super().__init__()", "self.__class__ = print"),
]


@pytest.mark.parametrize(("old", "new"), CHANGES)
def test_every_change_is_found(old: str, new: str) -> None:
    text = write(network().context)
    assert old in text
    assert find_fault(network().context, text.replace(old, new, 1)) is not None


def test_every_number_counts() -> None:
    """In a network without blocks, no number is an unused default."""
    context = archcalc.load("lenet5").context
    text = write(context)
    numbers = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant) and type(node.value) is int]
    lines = text.splitlines()
    assert len(numbers) == 15
    for node in numbers:
        line = lines[node.lineno - 1]
        changed = f"{line[: node.col_offset]}{node.value + 1}{line[node.end_col_offset :]}"
        other = "\n".join([*lines[: node.lineno - 1], changed, *lines[node.lineno :]])
        assert find_fault(context, other) is not None


def test_python_names_are_compared_after_normalization() -> None:
    """Python reads ﬁ as fi: two spellings are one name."""
    assert find_fault(network().context, write(network().context).replace("half", "ﬁ")) is None
    assert find_fault(network().context, write(network().context).replace("half", "__half")) == "the name '__half'"


@pytest.mark.parametrize("text", ["", "x", "class A: pass", '"""Only this."""', "\0", "(" * 1000])
def test_texts_that_are_not_exported_text(text: str) -> None:
    assert find_fault(network().context, text) is not None


def test_plain_text_replaces_a_text_that_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "write", lambda context, plain=False: write(context, plain) + "x" * (not plain))
    assert network().to_source() == write(network().context, plain=True)


def test_a_network_whose_plain_text_differs_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "write", lambda *_, **__: "x")
    with pytest.raises(UsageError, match='"small" cannot be written as source text: not exported text: x'):
        network().to_source()


def test_copies_of_modules_must_be_copies() -> None:
    text = archcalc.load("lenet5_1998").to_source()
    Text(text)
    with pytest.raises(UnreadableError):
        Text(text.replace("sums * self.weight", "sums + self.weight"))


def test_the_text_is_always_the_same() -> None:
    """It does not depend on the order of sets in a process."""
    script = "import archcalc; print(archcalc.load('mobilenet_v1').to_source())"
    texts = set()
    for seed in "123":
        environment = os.environ | {"PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1
