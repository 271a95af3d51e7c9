"""No line that a command prints in a terminal is wider than the terminal."""

import pytest
from click.testing import CliRunner
from test_formats import RESULTS

# Those that import a function of `terminal` by name have to do so before it is replaced.
from archcalc.cli import bench, cli, options, terminal  # noqa: F401
from archcalc.render.style import display_width

# Results of more columns, rows or words than those of the formats.
LARGER = (
    ["memory", "resnet50", "--training", "--optimizer", "adam"],
    ["memory", "resnet50", "--fits", "8GiB"],
    ["memory", "lenet5", "--fits", "80GiB"],
    ["summary", "resnet50"],
    ["explain", "resnet18"],
    ["compare", "resnet18", "resnet50"],
    ["compare", "lenet5", "lenet5_1998", "resnet18"],
    ["compare", "lenet5", "resnet18", "resnet34", "resnet50", "resnet101", "resnet152"],
    ["verify", "resnet18", "--device", "meta"],
    ["bench", "lenet5", "--seconds", "0.01", "--layers"],
    ["roofline", "resnet50", "--device", "a100"],
    ["roofline", "--list-devices"],
)
EVERY = [*([command, *arguments] for command, (arguments, _) in RESULTS.items()), *LARGER]


@pytest.fixture(params=[50, 80, 120])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The width of a terminal that commands write to."""
    monkeypatch.setattr(terminal, "output_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", str(request.param))
    monkeypatch.setenv("NO_COLOR", "1")
    return request.param


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_every_line_fits(arguments: list[str], width: int) -> None:
    found = CliRunner().invoke(cli, [*arguments, "--format", "table"], catch_exceptions=False)
    assert found.exit_code == 0, found.output
    assert [line for line in found.stdout.splitlines() if display_width(line) > width] == []
