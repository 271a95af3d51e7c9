"""The memory of shipped specs equals that of torchvision's modules, but for values that their code holds longer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from test_torchvision import Case
from torchvision_memory import (
    HELD_LONGER,
    INFERRED,
    PASSES,
    RECORDED,
    calculated,
    observe_module,
    observe_operations,
    recorded,
)

pytestmark = pytest.mark.usefixtures("one_thread")

QUICK = ("alexnet", "googlenet", "resnet18", "squeezenet1_1")
each_pass = pytest.mark.parametrize("which", PASSES)
each_case = pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=[pytest.mark.slow] * (case.spec not in QUICK), id=repr(case)) for case in INFERRED],
)


@each_pass
@each_case
def test_every_operation(case: Case, which: str) -> None:
    """The order of operations, in-place ones, and saved tensors are torchvision's."""
    said, seen = calculated(case, which), observe_operations(case, which)
    if case.spec == "densenet121":  # whose layers read lists, not a concatenation
        assert len(said.layers) == len(seen.forward) - 4  # a `cat` of one for the first layer of each block
        assert (said.peak == seen.peak) == (which == "training")
        return
    assert [row.forward for row in said.layers] == [*seen.forward]
    assert said.peak == seen.peak


@each_pass
@pytest.mark.parametrize("case", [case for case in INFERRED if case.spec in QUICK], ids=repr)
def test_the_module_as_it_is_called(case: Case, which: str) -> None:
    assert observe_module(case, which) == recorded()[repr(case)][which]


@each_pass
@pytest.mark.parametrize("case", INFERRED, ids=repr)
def test_only_stated_differences_remain(case: Case, which: str) -> None:
    stated, _ = HELD_LONGER.get((repr(case), which), (0, ""))
    assert recorded()[repr(case)][which] == calculated(case, which).peak + stated


@pytest.mark.slow
def test_every_module_as_it_is_called(golden: Callable[[Path, str], None]) -> None:
    peaks = {repr(case): {which: observe_module(case, which) for which in PASSES} for case in INFERRED}
    golden(Path(RECORDED.name), json.dumps(peaks, indent=2) + "\n")
