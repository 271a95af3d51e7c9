"""The `[[ignore]]` entries of a spec, and the findings of `check` about them."""

import re
import time

import pytest
from click.testing import CliRunner

import archcalc
from archcalc.cli import cli
from archcalc.errors import Diagnostic

LAYERS = """
name = "t"
variables.stride = 2
inputs.image = [3, 33, 33]
outputs = ["average"]
layers = [
  { name = "stage", type = "block", repeat = 3 },
  { name = "shortcut", type = "conv2d", out_channels = 4, kernel_size = 1, stride = "stride" },
  { name = "average", type = "adaptive_avg_pool2d", output_size = 1 },
]

[blocks.block]
layers = [{ name = "even", type = "conv2d", out_channels = 3, kernel_size = 2, padding = 1 }]
"""


def ignoring(*entries: str) -> str:
    return LAYERS + "".join(f'\n[[ignore]]\nreason = "it is so"\n{entry}\n' for entry in entries)


def found(text: str, **options: object) -> list[str]:
    return [f"{one.code} {one.message}" for one in archcalc.loads(text, **options).check()]  # type: ignore[arg-type]


def only(text: str, code: str) -> Diagnostic:
    (one,) = (one for one in archcalc.loads(text).check() if one.code == code)
    return one


STRIDE = 'W102 1 of every 2 pixels per axis is never read: layer "shortcut"'


def codes(*entries: str, **options: object) -> list[str]:
    return [message[:4] for message in found(ignoring(*entries), **options)]


def test_nothing_is_ignored_without_an_entry() -> None:
    assert codes() == ["W102", "W103", "W103", "W103"]
    assert STRIDE in found(ignoring())


@pytest.mark.parametrize(
    ("entries", "left"),
    [
        (['code = "W102"'], ["W103", "W103", "W103"]),
        (['code = "skipped-pixels"'], ["W103", "W103", "W103"]),
        (['code = "W"'], []),
        (['code = "W"\nlayers = ["stage"]'], ["W102"]),
        (['code = "W103"\nlayers = ["stage.1"]'], ["W102", "W103", "W103"]),
        (['code = "W103"\nlayers = ["stage.1.even", "stage.2"]'], ["W102", "W103"]),
        (['code = "W103"\nlayers = ["stage.*.even"]'], ["W102"]),
        (['code = "W103"\nlayers = ["*even"]'], ["W102"]),
        (['code = "W103"\nlayers = ["st*.*.e*n"]'], ["W102"]),
        (['code = "W103"\nlayers = ["s*1"]'], ["W102", "W103", "W103"]),
        (['code = "W102"\nlayers = ["short"]'], ["W102", "W103", "W103", "W103", "I602"]),
        (['code = "W102"\nlayers = ["shortcu."]'], ["W102", "W103", "W103", "W103", "I602"]),
        (['code = "W102"', 'code = "W103"'], []),
    ],
)
def test_ignored_findings(entries: list[str], left: list[str]) -> None:
    assert codes(*entries) == left
    assert [one.code for one in archcalc.loads(ignoring(*entries)).check(ignored=True)] == ["W102", *["W103"] * 3]


def test_layers_of_one_finding_are_ignored_together() -> None:
    """R401 counts its layers: without some of them, the finding would be another one."""
    deep = """name = "t"\ninputs.x = [1, 5, 5]
    layers = [{ name = "c", type = "conv2d", out_channels = 1, kernel_size = 3, padding = 1, repeat = 6 }]
    """
    assert [one[:4] for one in found(deep)] == ["R401"]
    half = deep + '\n[[ignore]]\ncode = "R401"\nreason = "."\nlayers = ["c.3", "c.4"]\n'
    assert [one[:4] for one in found(half)] == ["R401", "I602"]
    both = half + '[[ignore]]\ncode = "R401"\nreason = "."\nlayers = ["c.5"]\n'
    assert found(both) == []


def test_an_ignore_that_matches_nothing() -> None:
    one = only(ignoring('code = "P201"'), "I602")
    assert one.message == 'the spec ignores a finding that does not occur: check "P201"'
    assert (one.reason, one.help, one.place.text) == ("there is no such finding", "remove it", "[[ignore]]")
    one = only(ignoring('code = "W102"\nlayers = ["stage"]'), "I602")
    assert (one.reason, one.help) == ('it occurs in "shortcut"', "name all layers of the finding, or remove it")


def test_ignoring_an_unknown_check() -> None:
    one = only(ignoring('code = "W12"'), "I601")
    assert one.message == 'the spec ignores a check that does not exist: check "W12"'
    assert one.place.text == 'code = "W12"'
    assert (one.help or "").startswith('did you mean "W102"')


def test_an_ignore_may_match_nothing_under_other_settings() -> None:
    text = ignoring('code = "W102"', 'code = "W103"')
    assert found(text) == []
    assert found(text, variables={"stride": 1}) == []
    assert found(text, training=True) == []
    plain = text.replace("stride = 2", "stride = 1")
    assert [one[:4] for one in found(plain)] == ["I602"]
    assert found(plain, inputs={"image": [3, 20, 20]}) == []


def test_an_ignore_with_a_condition() -> None:
    entry = 'code = "W102"\nwhen = "stride > 1"'
    assert codes(entry, 'code = "W103"') == []
    text = ignoring(entry, 'code = "W103"').replace("stride = 2", "stride = 1")
    assert found(text) == []  # an entry whose condition does not hold may match nothing


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ('code = "W1"', "reason is missing"),
        ('reason = "."', "code is missing"),
        ('code = "W1"\nreason = ""', 'reason = "": expected text that is not empty'),
        ('code = "W1"\nreason = "."\nlayer = ["a"]', 'unknown key "layer"'),
        ('code = "W1"\nreason = "."\nlayers = []', "layers = []: expected a list"),
        ('code = "W1"\nreason = "."\nwhen = "foo"', "foo"),
        (f'code = "W1"\nreason = "."\nlayers = {["a"] * 101}', "more than 100"),
    ],
)
def test_a_wrong_ignore(entry: str, message: str) -> None:
    with pytest.raises(archcalc.SpecError, match=re.escape(message)):
        archcalc.loads(f"{LAYERS}\n[[ignore]]\n{entry}\n".replace("'", '"'))


def test_strict_and_all_on_the_command_line() -> None:
    def check(*options: str) -> tuple[int, str]:
        result = CliRunner().invoke(cli, ["check", "-", *options], input=ignoring('code = "W"'))
        return result.exit_code, result.output.splitlines()[-1]

    assert check("--strict") == (0, "no findings in 1 spec")
    assert check("--strict", "--all") == (1, "4 warnings in 1 spec")


def test_patterns_take_no_time() -> None:
    long = "a" * 150
    layers = f'layers = [{{ name = "{long}", type = "conv2d", out_channels = 1, kernel_size = 1, stride = 2 }}]'
    ignored = f'[[ignore]]\ncode = "W102"\nreason = "."\nlayers = ["{"*a" * 60}*b"]'
    start = time.perf_counter()
    assert STRIDE[:4] in [one[:4] for one in found(f'name = "t"\ninputs.x = [1, 9, 9]\n{layers}\n{ignored}\n')]
    assert time.perf_counter() - start < 5
