"""A few random networks through every surface; `benchmarks/long_run.py` runs many."""

import pytest
from networks import Drawn, network_of
from networks.shrink import shrink
from surfaces import STATIC, TORCH, find_faults
from surfaces.runner import at_most

# Networks per surface by default: as many as take a second. Slow tests continue with MORE times as many.
COUNTS = dict.fromkeys(STATIC, 40) | {
    "formula": 15,
    "shapes": 40,
    "memory": 50,
    "largest_batch": 10,
    "source": 30,
    "fields": 15,
    "sizes": 10,
    "verify": 10,
}
MORE = 9

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("shares", [range(1), pytest.param(range(1, MORE + 1), marks=pytest.mark.slow)])
@pytest.mark.parametrize("surface", COUNTS)
def test_random_networks(surface: str, shares: range) -> None:
    count = COUNTS[surface]
    drawn = [found for seed in range(shares.start * count, shares.stop * count) if (found := network_of(seed))]
    faults = [(found, fault) for found in drawn for fault in find_faults(found, [surface], limit_s=60)]
    assert not faults, f"{faults[0][1].kind}: {faults[0][1].message}\n{faults[0][0].text}"
    assert len(drawn) > 0.9 * count * len(shares)


def test_every_surface_has_a_check() -> None:
    assert COUNTS.keys() == (STATIC | TORCH).keys() - {"onnx"}


# the runner and the shrinker notice faults

BROKEN = """name = "x"
inputs.image = [3, 8, 8]
layers = [
  { type = "relu" },
  { name = "conv", type = "conv2d", out_channels = 4, kernel_size = 3, padding = 1 },
  { type = "tanh" },
]
"""


def test_a_failure_is_a_fault_with_the_place_that_raised_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_arguments: object) -> object:
        raise ZeroDivisionError("for nothing")

    monkeypatch.setattr("archcalc.network.Network.check", wrong)
    (fault,) = find_faults(Drawn(BROKEN), ["lint", "explain"])
    assert fault.surface == "lint"
    assert fault.kind.startswith("lint: ZeroDivisionError in ")
    assert fault.message == "for nothing"


def test_wrong_numbers_are_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcalc.layers.convolution.Convolution.count_connections", lambda *_: 5)
    monkeypatch.setattr("archcalc.layers.convolution.Convolution.parameters", lambda *_: {"weight": (7,)})
    found = {fault.surface for fault in find_faults(Drawn(BROKEN), ["summary", "shapes"])}
    assert found == {"shapes"}


@pytest.mark.parametrize(
    "other",
    [
        BROKEN.replace("out_channels = 4", "out_channels = 5"),
        BROKEN.replace('type = "tanh"', 'type = "tanh", input = "relu"'),
        BROKEN.replace("padding = 1", "padding = 1, trainable = false"),
        BROKEN.replace('type = "tanh"', 'type = "tanh", repeat = 2'),
    ],
)
def test_a_misread_spec_is_a_fault(other: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if archcalc had read another text."""
    monkeypatch.setattr("surfaces.language.loaded", lambda _drawn: Drawn(other).load())
    assert [fault.surface for fault in find_faults(Drawn(BROKEN), ["language"])] == ["language"]


def test_a_check_that_takes_too_long_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_arguments: object) -> None:
        while True:
            pass

    monkeypatch.setattr("archcalc.network.Network.input_ranges", endless)
    (fault,) = find_faults(Drawn(BROKEN), ["ranges"], limit_s=0.2)
    assert "TooSlowError" in fault.kind
    with at_most(60):  # the alarm is removed
        assert not [*find_faults(Drawn(BROKEN), ["explain"])]


def test_specs_are_made_smaller_while_they_fail() -> None:
    small = shrink(BROKEN, lambda text: "conv2d" in text and "kernel_size" in text)
    assert "relu" not in small
    assert "padding" not in small
    assert "kernel_size = 0" in small
