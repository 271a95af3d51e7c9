"""Every shipped spec has a reference that does not use archcalc's formulas, and agrees with it."""

import pytest
from references import Printed, Reference, memory_table, references

import archcalc


def test_every_shipped_spec_agrees_with_its_reference() -> None:
    found = [*references()]
    assert sorted(row.spec for row in found) == [*archcalc.shipped_specs()]
    for row in found:
        assert row.parameters or row.macs
        assert "DIFFERS" not in row.agreement()


def test_memory_differs_only_as_stated() -> None:
    assert "DIFFERS" not in memory_table()


@pytest.mark.parametrize(
    ("parameters", "macs", "agreement"),
    [
        (61_706, 416_520, "equal"),
        (61_707, 416_520, "parameters DIFFERS: 61,707, MACs equal"),
        (None, 416_520, "MACs equal"),
        (61_706, Printed("0.41", " M", 1e6), "parameters equal, MACs as printed: 0.41 M"),
        (61_706, Printed("0.42", " M", 1e6), "parameters equal, MACs as printed: 0.42 M"),
        (61_706, Printed("0.43", " M", 1e6), "parameters equal, MACs DIFFERS: 0.43 M"),
    ],
)
def test_agreement(parameters: int | None, macs: int | Printed, agreement: str) -> None:
    assert Reference("lenet5", "", parameters, macs).agreement() == agreement
