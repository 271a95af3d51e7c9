"""Memory and roofline have the summary's tree of blocks, with their own numbers."""

from typing import Any

import pytest
from click.testing import CliRunner
from written import written

import archcalc
from archcalc.cli import cli

ANALYSES = {
    "memory": lambda network: network.memory(training=True),
    "roofline": lambda network: network.roofline("a100"),
}


@pytest.mark.parametrize("name", ["resnet18", "googlenet", "densenet121", "m5", "lenet5"])
@pytest.mark.parametrize("depth", [None, 1, 2])
@pytest.mark.parametrize("analysis", ANALYSES)
def test_rows_are_those_of_collapsed_blocks(name: str, depth: int | None, analysis: str) -> None:
    network = archcalc.load(name)
    found: Any = ANALYSES[analysis](network)
    tree = found.nested(network.graph, depth, network.tree(depth)).tree
    for row, level, is_block in tree:
        expected = found.collapsed(network.graph, level + 1 if is_block else depth).layers
        assert row in expected
    layers = [row for row, _, is_block in tree if not is_block]
    assert sorted(layers, key=str) == sorted(found.collapsed(network.graph, depth).layers, key=str)
    assert [(row.name, level) for row, level, _ in tree] == [(row.name, level) for row, level, _ in network.tree(depth)]


def test_the_times_of_blocks_are_sums() -> None:
    network = archcalc.load("resnet18")
    tree = network.roofline("a100").nested(network.graph, None, network.tree()).tree
    (block,) = (found.row for found in tree if found.row.name == "layer3.0")
    inside = [found.row.seconds for found in tree if found.row.name.startswith("layer3.0.") and not found.is_block]
    assert len(inside) > 5
    assert block.seconds == pytest.approx(sum(inside))


@pytest.mark.parametrize("arguments", [("memory", "resnet18"), ("roofline", "resnet18", "--device", "a100")])
def test_a_terminal_shows_a_tree_and_a_pipe_full_names(arguments: tuple[str, ...]) -> None:
    tree, plain = (CliRunner().invoke(cli, [*arguments, "--format", name]).output for name in ("table", "plain"))
    assert "\n│ ├ first " in tree
    assert "layer1.0.first.conv" not in tree.split("Peak  ")[0]
    assert "\nlayer1.0.first.conv " in plain
    assert "├" not in plain


def test_json_and_csv_have_the_layers_alone() -> None:
    network = archcalc.load("resnet18")
    for found in (network.memory(), network.roofline("a100")):
        nested = found.nested(network.graph, None, network.tree())
        assert nested.to_dict() == found.to_dict()
        for format_name in ("csv", "plain"):
            assert written(nested, format_name) == written(found, format_name)
