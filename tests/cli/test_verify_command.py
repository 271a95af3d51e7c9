"""`archcalc verify`: what it prints, and its exit codes."""

import json

import pytest
from click.testing import CliRunner, Result

from archcalc.cli import cli
from archcalc.layers.pooling import AvgPool2d
from archcalc.render.style import display_width

SHARED = """
name = "two inputs, shared and frozen"
outputs = ["pair", "left"]
inputs.a = [3, 12, 12]
inputs.b = [3, 12, 12]
layers = [
  { name = "left", type = "conv2d", input = "a", out_channels = 4, kernel_size = 3, trainable = false },
  { name = "right", type = "conv2d", input = "b", out_channels = 4, kernel_size = 3, weights = "left" },
  { name = "pair", type = "add", inputs = ["left", "right"] },
]
"""


def verify(*arguments: str, text: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["verify", *arguments], input=text, catch_exceptions=False)


def test_every_row_shows_both_numbers() -> None:
    lines = verify("lenet5").output.splitlines()
    assert "C3            16×10×10  16×10×10  equal" in lines
    assert "C3.weight        16×6×5×5 · trainable    16×6×5×5 · trainable    equal" in lines
    assert "C3             480,000   480,000  equal" in lines
    assert "C3                           14×14 · 2×2 · 6.5×6.5    14×14 · 2×2 · 6.5×6.5    equal" in lines
    assert "image 1×n×n    32 to 34, and 63 to 65  32 to 34, and 63 to 65  equal" in lines
    assert lines[-1] == "no difference"


def test_a_network_with_every_kind_of_sharing() -> None:
    result = verify("-", "--format", "json", text=SHARED)
    found = {(row["question"], row["layer"]): row for row in json.loads(result.output)["rows"]}
    assert (result.exit_code, {row["status"] for row in found.values()}) == (0, {"equal", "not covered"})
    assert found["parameter", "total"]["found"] == 3 * 4 * 9 + 4
    assert found["parameter", "total trainable"]["found"] == 0
    assert found["parameter", "right.weight"]["found"] == {"shape": [4, 3, 3, 3], "state": "frozen"}
    assert found["working sizes", "a 3×n×n, b 3×n×n"]["found"].startswith("3 to ")


def test_a_difference_is_exit_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AvgPool2d, "parameters", lambda _self, _inputs: {"weight": (2, 2)})
    result = verify("lenet5", "--device", "meta", "--differences", "--memory")
    assert result.exit_code == 1
    assert "S2.weight        2×2 · trainable  –        DIFFERS" in result.output.splitlines()
    assert "equal" not in result.output.partition("output shape")[0]
    assert result.output.splitlines()[-1] == '8 differences; the first: parameter of "S2.weight"'


def test_memory_is_measured_on_meta_only_with_the_option() -> None:
    assert "peak memory" not in verify("lenet5", "--device", "meta").output
    assert "peak memory" in verify("lenet5", "--device", "meta", "--memory").output
    assert "peak memory" not in verify("lenet5", "--fields", "none", "--no-memory").output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "gpu"], 'no device is called "gpu"; did you mean "cpu"'),
        (["--device", "cuda:64"], 'device "cuda:64" is not there'),
        (["--device", "cpu:3"], 'device "cpu:3" is not there: there is one cpu'),
        (["--fields", "S3"], 'no layer is called "S3"'),
        (["--fields", ""], 'no layer is called ""'),
    ],
)
def test_verify_refuses_unknown_names(arguments: list[str], message: str) -> None:
    with pytest.raises(Exception, match=message):
        verify("lenet5", *arguments)


def test_names_give_way_to_the_terminal_but_numbers_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archcalc.cli.terminal.output_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    long = SHARED.replace('"left"', f'"{"left" * 20}"')
    lines = verify("-", text=long).output.splitlines()
    assert any("…" in line and line.endswith("equal") for line in lines)
    assert max(map(display_width, lines)) <= 100


@pytest.mark.cuda
def test_on_the_gpu() -> None:
    assert verify("lenet5", "--device", "cuda").exit_code == 0
