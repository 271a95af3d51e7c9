"""Budgets: exact at the limit and one beyond it; an unknown quantity never passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archcalc
from archcalc.quantities import BYTES, COUNT, QUANTITIES, SIZE, Unit, whole_amount

LENET = archcalc.load("lenet5")
# 5 nodes; the number of nonzeros of the adjacency is unknown.
UNKNOWN = """
name = "sparse"
inputs.features = [5, 4]
inputs.adjacency = [5, 5]
layers = [{ name = "conv", type = "gcn_conv", inputs = ["features", "adjacency"], out_features = 2 },
          { name = "dense", type = "linear", out_features = 3 }]
"""
# The activations of every layer but the flatten, which is a view.
# PyTorch's own count of LeNet-5, and fields as in its textbook: 1 + 4·1 = 5, 6, 6 + 4·2 = 14, 16.
VALUES = {
    "parameters": 61_706,
    "trainable_parameters": 61_706,
    "buffers": 0,
    "macs": 416_520,
    "flops": 833_040,
    "connections": 416_520 + 6 * 28 * 28 + 16 * 10 * 10 + 120 + 84 + 10,
    "activations": 2 * 6 * 28 * 28 + 6 * 14 * 14 + 2 * 16 * 10 * 10 + 16 * 5 * 5 + 2 * 120 + 2 * 84 + 10,
    # The weights, the image that the caller holds, and the input and output of the first tanh.
    "peak_memory": 4 * (61_706 + 32 * 32 + 2 * 6 * 28 * 28),
    "receptive_field": 16,
    "layers": 12,
}


def codes(network: archcalc.Network, **limits: Any) -> list[str | None]:
    return [found.code for found in network.check_budget(**limits)]


def test_every_quantity_has_a_known_value() -> None:
    assert set(VALUES) == set(QUANTITIES)


@pytest.mark.parametrize(("quantity", "value"), VALUES.items())
def test_exactly_at_the_limit_and_one_beyond(quantity: str, value: int) -> None:
    assert codes(LENET, maximum={quantity: value}, minimum={quantity: value}) == []
    assert codes(LENET, minimum={quantity: value + 1}) == ["B502"]
    if value:
        assert codes(LENET, maximum={quantity: value - 1}) == ["B501"]


def test_a_breach_has_its_excess_and_the_most_expensive_layer() -> None:
    (found,) = LENET.check_budget(maximum={"parameters": "60k"})
    assert found.message == "parameters: 61,706, which is 1,706 (2.8 %) more than the maximum of 60,000"
    assert found.reason == 'most is in layer "C5": 48,120 (78.0 %)'
    assert found.severity == "failure"
    assert found.place.text == "--max parameters=60k"
    (found,) = LENET.check_budget(minimum={"receptive-field": 32})
    assert found.message == "receptive_field: 16, which is 16 (50.0 %) less than the minimum of 32"
    assert found.reason == '16×16 at layer "S4"'
    (found,) = LENET.check_budget(maximum={"peak_memory": "0.25MiB"})
    excess = "which is 26,408 bytes (10.1 %) more than the maximum of 262,144 bytes"
    assert found.message == f"peak_memory: 288,552 bytes, {excess}"
    assert found.reason == 'the peak is at layer "tanh"'


@pytest.mark.parametrize(
    ("name", "field"), [("alexnet", 195), ("vgg16", 212), ("vgg19", 268), ("resnet18", 435), ("resnet50", 427)]
)
def test_the_field_is_that_of_the_last_map(name: str, field: int) -> None:
    """The last convolution or pooling, measured by gradients, and not a layer behind it that reads the whole map."""
    network = archcalc.load(name)
    assert codes(network, maximum={"receptive_field": field}, minimum={"receptive_field": field}) == []


def test_the_smallest_axis_counts() -> None:
    layer = '{ type = "conv2d", out_channels = 1, kernel_size = [3, 7] }'
    network = archcalc.loads(f'name = "x"\ninputs.i = [1, 32, 32]\nlayers = [{layer}]')
    assert codes(network, maximum={"receptive_field": 3}) == []
    assert codes(network, minimum={"receptive_field": 4}) == ["B502"]


# unknown quantities


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        ({"maximum": {"macs": 29}}, ["B501"]),  # the dense layer alone has 5 · 2 · 3
        ({"maximum": {"macs": 30}}, ["B503"]),
        ({"maximum": {"macs": "1T"}}, ["B503"]),
        ({"minimum": {"macs": 30}}, []),
        ({"minimum": {"macs": 31}}, ["B503"]),
        ({"maximum": {"flops": 59}}, ["B501"]),
        ({"maximum": {"flops": 60}}, ["B503"]),
        ({"maximum": {"parameters": "1M"}}, []),
    ],
)
def test_a_lower_bound_never_passes_silently(limits: dict[str, Any], found: list[str]) -> None:
    assert codes(archcalc.loads(UNKNOWN), **limits) == found


def test_an_undecided_budget_has_a_reason() -> None:
    (found,) = archcalc.loads(UNKNOWN).check_budget(maximum={"macs": 100})
    assert found.message == "macs: 30 or more, which may be on either side of the maximum of 100"
    assert "conv: " in (found.reason or "")


def test_a_network_without_a_field_does_not_pass() -> None:
    network = archcalc.loads('name = "x"\ninputs.i = [4]\nlayers = [{ type = "linear", out_features = 2 }]')
    assert codes(network, maximum={"receptive_field": 100}) == ["B503"]
    assert codes(network, minimum={"receptive_field": 0}) == ["B503"]


# amounts


@pytest.mark.parametrize(
    ("text", "unit", "most", "least"),
    [
        ("25.6M", COUNT, 25_600_000, 25_600_000),
        ("4.2G", COUNT, 4_200_000_000, 4_200_000_000),
        ("7B", COUNT, 7 * 10**9, 7 * 10**9),
        ("1.5 T", COUNT, 1_500 * 10**9, 1_500 * 10**9),
        ("60k", COUNT, 60_000, 60_000),
        ("1e9", COUNT, 10**9, 10**9),
        ("25,557,032", COUNT, 25_557_032, 25_557_032),
        ("0.0001M", COUNT, 100, 100),
        ("0.1", COUNT, 0, 1),
        ("1.0005k", COUNT, 1_000, 1_001),
        # No float holds these.
        ("9007199254740993", COUNT, 2**53 + 1, 2**53 + 1),
        ("0.3G", COUNT, 300_000_000, 300_000_000),
        ("123456789.123456789G", COUNT, 123456789123456789, 123456789123456789),
        ("120MiB", BYTES, 120 * 2**20, 120 * 2**20),
        ("0.1MiB", BYTES, 104_857, 104_858),
        ("1.5GB", BYTES, 1_500_000_000, 1_500_000_000),
        ("3kB", BYTES, 3_000, 3_000),
        ("3KiB", BYTES, 3_072, 3_072),
        ("17B", BYTES, 17, 17),
        ("3gib", BYTES, 3 * 2**30, 3 * 2**30),
        ("1K", COUNT, 1_000, 1_000),
        ("10m", COUNT, 10_000_000, 10_000_000),
        ("224", SIZE, 224, 224),
    ],
)
def test_amounts_are_exact(text: str, unit: Unit, most: int, least: int) -> None:
    assert (whole_amount(text, unit, "max"), whole_amount(text, unit, "min")) == (most, least)


@given(st.integers(0, 10**30), st.sampled_from(["max", "min"]))
def test_every_whole_number_is_itself(number: int, bound: Any) -> None:
    assert whole_amount(str(number), COUNT, bound) == whole_amount(f"{number:,}", COUNT, bound) == number


@pytest.mark.parametrize(
    ("text", "unit", "message"),
    [
        ("25.6Q", COUNT, '"25.6Q" has the unit "Q"; known here: k, M, G, B, T'),
        ("120MiB", COUNT, 'has the unit "MiB"; known here: k, M, G, B, T'),
        ("120M", BYTES, 'has the unit "M"; did you mean "120MB" or "120MiB"'),
        ("2k", SIZE, 'has the unit "k"; known here: none'),
        ("25,6M", COUNT, '"25,6M" is no amount; write it as 25.6M'),
        ("", COUNT, '"" is no amount'),
        ("M", COUNT, "is no amount"),
        ("-3", COUNT, "is no amount"),
        ("1e999999999", COUNT, "is no amount"),
        ("9" * 81, COUNT, "is no amount"),
        ("٣", COUNT, "is no amount"),
        ("inf", COUNT, "is no amount"),
        ("nan", COUNT, "is no amount"),
        ("0x10", COUNT, "is no amount|has the unit"),
        ("3 4", COUNT, "is no amount"),
        ("1/3", COUNT, "is no amount"),
    ],
)
def test_texts_that_are_no_amount(text: str, unit: Unit, message: str) -> None:
    with pytest.raises(archcalc.UsageError, match=message.replace("(", r"\(")):
        whole_amount(text, unit, "max")


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ({"params": 3}, 'no quantity is called "params"; did you mean "parameters"'),
        ({"parameters": 2.5}, "parameters = 2.5 is neither a whole number nor text"),
        ({"parameters": True}, "parameters = True is neither"),
        ({"parameters": -1}, 'parameters: "-1" is no amount'),
        ({"receptive_field": "1k"}, "receptive_field: "),
    ],
)
def test_wrong_arguments(limits: dict[str, Any], message: str) -> None:
    with pytest.raises(archcalc.UsageError, match=message):
        LENET.check_budget(maximum=limits)
