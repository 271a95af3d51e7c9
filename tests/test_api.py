"""What Python callers get for arguments that make no sense."""

from typing import Any

import pytest

import archcalc


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch": 0}, "batch must be a whole number, 1 or more, and is 0"),
        ({"batch": 2.5}, "batch must be a whole number, 1 or more, and is 2.5"),
        ({"batch": True}, "batch must be a whole number, 1 or more, and is True"),
        ({"variables": ["C"]}, "variables must be a mapping from names"),
        ({"inputs": [1, 32, 32]}, "inputs must be a mapping from names"),
        ({"inputs": {"image": "1x36x36"}}, "the shape of input 'image' must be whole numbers, 1 or more"),
        ({"inputs": {"image": [1, 0, 36]}}, "the shape of input 'image' must be whole numbers, 1 or more"),
    ],
)
def test_arguments_that_make_no_sense(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(archcalc.UsageError, match=message):
        archcalc.load("lenet5", **arguments)


def test_loads_takes_text() -> None:
    with pytest.raises(archcalc.UsageError, match="loads takes the text of a spec, not bytes"):
        archcalc.loads(b"name = 'x'")  # type: ignore[arg-type]


def test_arguments_reach_the_network() -> None:
    network = archcalc.load("stacked_3x3", variables={"C": 8}, inputs={"image": (8, 20, 20)}, batch=2)
    assert network.inputs == {"image": (8, 20, 20)}
    assert network.totals.macs == 2 * 3 * 9 * 8 * 8 * 20 * 20
    assert network.batch == 2
    assert network.outputs == ("conv.2",)


def test_inferred_arguments_are_not_written() -> None:
    layer = '{ type = "conv2d", in_channels = 3, out_channels = 4, kernel_size = 1 }'
    spec = f'name = "x"\ninputs.i = [3, 8, 8]\nlayers = [{layer}]'
    with pytest.raises(archcalc.SpecError, match="leave it out: it follows from the input"):
        archcalc.loads(spec)


def test_capital_letters_are_no_obstacle() -> None:
    with pytest.raises(archcalc.SpecError, match='did you mean "relu"'):
        archcalc.loads('name = "x"\ninputs.i = [3]\nlayers = [{ type = "ReLU" }]')


HEADS = """
name = "heads"
outputs = ["auxiliary"]
inputs.x = [4]
layers = [
  { name = "logits", type = "linear", out_features = 2 },
  { name = "auxiliary", type = "head", when = "training" },
  { name = "never", type = "relu", when = false },
]
blocks.head.layers = [{ name = "fc", type = "linear", out_features = 2 }]
"""


def test_what_exists_in_training_alone_says_so() -> None:
    network = archcalc.loads(HEADS.replace('outputs = ["auxiliary"]\n', ""))
    for layer in ("auxiliary", "auxiliary.fc"):
        with pytest.raises(archcalc.UsageError, match=f'"{layer}" is left out here; --training keeps'):
            network.explain(layer)
    with pytest.raises(archcalc.UsageError, match='layer "never" is left out here; see its when'):
        archcalc.loads(HEADS, training=True).explain("never")
    with pytest.raises(archcalc.SpecError, match="name one that always exists, or use --training"):
        archcalc.loads(HEADS)
