"""Networks side by side: ratios of textbooks, sums that add up, and tables that fit."""

import json
from fractions import Fraction

import pytest
import torch
import torchvision
from test_budget import UNKNOWN
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from written import written

import archcalc
from archcalc.analysis.comparison import Comparison, Difference, difference, distinct
from archcalc.analysis.comparison_document import relative_text
from archcalc.numbers.bounds import AtLeast, Cause, Unknown
from archcalc.quantities import QUANTITIES, SUMS
from archcalc.render.style import Style, display_width
from archcalc.render.write import FORMATS

PAIRS = [
    ("stacked_3x3", "single_7x7"),
    ("inception_with_1x1", "inception_without_1x1"),
    ("dense_mnist", "mnist_cnn"),
    ("resnet18", "resnet50"),
    ("alexnet_2012", "alexnet"),
    ("gcn_cora", "gcn_classifier"),
    ("googlenet", "googlenet_2014"),
]


def load(*names: str, depth: int | None = None) -> Comparison:
    return archcalc.compare({name: archcalc.load(name) for name in names}, depth=depth)


def lines(comparison: Comparison, beginning: str, **options: object) -> list[list[str]]:
    text = written(comparison, "plain", **options)  # type: ignore[arg-type]
    return [line.split() for line in text.splitlines() if line.startswith(beginning)]


# textbook comparisons


def test_three_3x3_against_one_7x7() -> None:
    """Simonyan and Zisserman 2014, section 2.3: 3 (3² C²) = 27 C² weights against 7² C² = 49 C², 81 % more."""
    totals = load("stacked_3x3", "single_7x7").totals
    for quantity in ("parameters", "macs"):
        assert totals[quantity].differences[0].ratio == "49/27"
    assert totals["parameters"].differences[0].absolute == (49 - 27) * 64**2
    assert totals["receptive_field"].differences == (Difference(0, 1),)
    assert [found.sizes for found in totals["receptive_field"].measured] == [(7, 7), (7, 7)]


def test_savings_of_1x1_reductions() -> None:
    comparison = load("inception_with_1x1", "inception_without_1x1")
    kernels = 1 * 1 * 64 + 3 * 3 * 128 + 5 * 5 * 32
    reduced = 192 * (64 + 96 + 16 + 32) + 3 * 3 * 96 * 128 + 5 * 5 * 16 * 32
    assert Fraction(comparison.totals["macs"].differences[0].ratio) == Fraction(192 * kernels, reduced)
    assert "+175,415,296    ×2.37" in written(comparison, "plain")
    three, five = lines(comparison, "3x3 ") + lines(comparison, "5x5 ")
    assert (three[-1], five[-1]) == ("×2.00", "×12.0")  # as many times as maps are read: 192/96 and 192/16


def test_a_dense_network_against_a_convolutional_one() -> None:
    totals = load("dense_mnist", "mnist_cnn").totals
    dense = 784 * 512 + 512 + 512 * 256 + 256 + 256 * 10 + 10
    conv = 9 * 32 + 32 + 9 * 32 * 64 + 64 + 49 * 64 * 10 + 10
    assert totals["parameters"].differences == (difference(dense, conv),)
    assert totals["activations"].values[0] == 2 * 512 + 2 * 256 + 10


def test_a_dense_head_against_a_global_average() -> None:
    """The head is that of torchvision's network, counted by PyTorch."""
    with torch.device("meta"):
        dense, average = torchvision.models.vgg16(), torchvision.models.vgg16()
        average.avgpool, average.classifier = nn.AdaptiveAvgPool2d(1), nn.Linear(512, 1000)
        image = torch.empty(1, 3, 224, 224)
    found = []
    for module in (dense, average):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            module(image)
        found.append((sum(weight.numel() for weight in module.parameters()), counter.get_total_flops() // 2))
    networks = [archcalc.load("vgg16"), archcalc.load("vgg16", variables={"global_average": True})]
    totals = archcalc.compare(networks).totals
    assert [*zip(totals["parameters"].values, totals["macs"].values, strict=True)] == found
    assert "−89.0 %" in written(archcalc.compare(networks), "plain")


# sums


@pytest.mark.parametrize("names", PAIRS, ids=str)
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_differences_of_layers_add_up_to_that_of_the_whole(names: tuple[str, str], depth: int | None) -> None:
    comparison = load(*names, depth=depth)
    for quantity in SUMS:
        whole = comparison.totals[quantity].differences[0].absolute
        assert sum(row.differences(quantity)[0].absolute or 0 for row in comparison.layers) == whole, quantity
        for column, value in enumerate(comparison.totals[quantity].values):
            assert sum(row.sums[quantity][column] or 0 for row in comparison.layers) == value, quantity


@pytest.mark.parametrize("depth", [None, 1, 2])
def test_every_layer_of_every_network_is_there(depth: int | None) -> None:
    names = ("resnet18", "vgg16", "resnet50")
    comparison = load(*names, depth=depth)
    for column, name in enumerate(names):
        found = [row.layers[column] for row in comparison.layers if row.layers[column]]
        assert tuple(found) == archcalc.load(name).collapsed(depth).layers


def test_another_convention_adds_a_count() -> None:
    """fvcore's own numbers, from the data of the tests of conventions."""
    names = ("resnet18", "resnet50")
    networks = {name: archcalc.load(name) for name in names}
    comparison = archcalc.compare(networks, depth=1, counting="fvcore")
    assert comparison.totals["count"].values == tuple(found.count("fvcore").total for found in networks.values())
    assert comparison.totals["count"].values[1] == 4_111_512_576
    for column in (0, 1):
        added = sum(row.sums["count"][column] or 0 for row in comparison.layers)
        assert added == comparison.totals["count"].values[column]
    text = written(comparison, "plain", "count")
    assert text.splitlines()[5].split() == ["fvcore", "MACs", *names, "Difference"]
    assert comparison.to_dict()["counting"] == "fvcore"
    assert "count" in comparison.to_dict()["layers"][0]
    with pytest.raises(archcalc.UsageError, match='no counting convention is called "fvcor"; did you mean "fvcore"'):
        archcalc.compare(networks, counting="fvcor")


def test_a_network_equals_itself() -> None:
    comparison = archcalc.compare([archcalc.load("resnet18"), archcalc.load("resnet18")])
    assert comparison.labels == ("ResNet-18", "ResNet-18 (2)")
    assert {found for total in comparison.totals.values() for found in total.differences} == {Difference(0, 1)}
    text = written(comparison, "plain", only_differences=True)
    assert "21 layers are equal" in text
    assert "conv1" not in text


def test_the_batch_multiplies_operations_and_activations() -> None:
    comparison = archcalc.compare({"one": archcalc.load("lenet5"), "many": archcalc.load("lenet5", batch=7)})
    ratios = {name: total.differences[0].ratio for name, total in comparison.totals.items()}
    assert {name for name, ratio in ratios.items() if ratio == 7} == {"macs", "flops", "activations"}
    assert comparison.totals["peak_memory"].differences[0].absolute == 6 * 4 * (32 * 32 + 2 * 6 * 28 * 28)
    assert "LeNet-5 · image 1×32×32 · batch 7" in written(comparison, "plain")


# unknown


def test_unknown_values_have_no_difference() -> None:
    known = UNKNOWN.replace("adjacency = [5, 5]", "adjacency = { shape = [5, 5], nonzeros = 13 }")
    comparison = archcalc.compare({"known": archcalc.loads(known), "unknown": archcalc.loads(UNKNOWN)})
    total = comparison.totals["macs"]
    certain = 13 * 2 + 5 * 4 * 2 + 30
    missing = (Cause("the adjacency input does not say its number of nonzeros at this size", ("conv",)),)
    assert total.values == (certain, AtLeast(30, missing))
    assert total.differences == (Difference(AtLeast(30 - certain, missing), AtLeast(30 / certain, missing)),)
    assert total.reasons[0] is None
    assert "conv" in (total.reasons[1] or "")
    text = written(comparison, "plain")
    assert "MACs" in text
    assert "≥ 30" in text
    assert lines(comparison, "conv") == [["conv", f"{13 * 2 + 5 * 4 * 2}", "?", "?"]]
    assert "? unknown: conv: " in text


def test_a_network_without_positions_has_no_field() -> None:
    dense = archcalc.loads('name = "x"\ninputs.i = [4]\nlayers = [{ type = "linear", out_features = 2 }]')
    text = written(archcalc.compare({"dense": dense, "lenet5": archcalc.load("lenet5")}), "plain")
    assert [line.split() for line in text.splitlines() if line.startswith("Field")] == [["Field", "–", "16×16", "–"]]
    assert "?" not in text.split("Field")[0]
    assert "Field" not in written(archcalc.compare([dense, dense]), "plain")


# words and shapes


@pytest.mark.parametrize(
    ("first", "other", "found"),
    [
        (27, 49, "+81.5 %"),
        (100, 199, "+99.0 %"),
        (100, 200, "×2.00"),
        (1_000, 9_994, "×9.99"),
        (1_000, 9_996, "×10.0"),
        (10, 999, "×99.9"),
        (10, 9_996, "×1,000"),
        (1, 10**40, f"×{10**40:,}"),
        (3, 2, "−33.3 %"),
        (10, 0, "−100.0 %"),
        (138_357_544, 138_365_992, "+0.0061 %"),
    ],
)
def test_relative_difference(first: int, other: int, found: str) -> None:
    assert relative_text(first, other) == found


def test_a_difference_is_exact() -> None:
    assert difference(27, 49) == Difference(22, "49/27")
    assert difference(4, 6) == Difference(2, 1.5)
    assert difference(0, 6) == Difference(6, None)
    assert difference(10**400, 10**400 + 1).absolute == 1
    unknown = Unknown("why")
    assert difference(unknown, 6) == difference(6, unknown) == Difference(unknown, unknown)


def test_labels_are_unique() -> None:
    assert distinct(["a", "b", "a", "a"]) == ["a", "b", "a (2)", "a (3)"]
    assert distinct(["a", "a (2)", "a"]) == ["a", "a (2)", "a (3)"]


def test_hops_are_not_compared_with_pixels() -> None:
    comparison = load("gcn_cora", "lenet5")
    assert comparison.totals["receptive_field"].differences == (Difference(None, None),)
    assert lines(comparison, "Field") == [["Field", "2", "hops", "16×16", "–"]]


def test_a_name_is_no_network() -> None:
    with pytest.raises(archcalc.UsageError, match="takes networks, not str; load them first"):
        archcalc.compare(["lenet5", "vgg11"])  # type: ignore[list-item]


@pytest.mark.parametrize("count", [0, 1])
def test_one_network_is_no_comparison(count: int) -> None:
    with pytest.raises(archcalc.UsageError, match=f"two networks or more, and gets {count}"):
        archcalc.compare([archcalc.load("lenet5")] * count)


def test_networks_may_be_too_large_together(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = [archcalc.load("lenet5"), archcalc.load("alexnet")]
    layers = sum(len(network.summary.layers) for network in networks)
    monkeypatch.setattr("archcalc.analysis.comparison.MAX_LAYERS", layers)
    assert archcalc.compare(networks)
    monkeypatch.setattr("archcalc.analysis.comparison.MAX_LAYERS", layers - 1)
    with pytest.raises(archcalc.UsageError, match=f"^{layers} layers are too many .* may have {layers - 1}$"):
        archcalc.compare(networks)


@pytest.mark.parametrize("names", [*PAIRS, ("resnet18", "resnet34", "resnet50", "resnet101")], ids=str)
@pytest.mark.parametrize("width", [80, 100])
def test_it_fits_a_terminal(names: tuple[str, ...], width: int) -> None:
    text = written(load(*names), "table", style=Style(width))
    assert max(map(display_width, text.splitlines())) <= width
    assert "no room for" not in text


def test_columns_have_letters_where_labels_are_too_wide() -> None:
    labels = {f"a_long_name_for_a_network_{number}": archcalc.load("lenet5", batch=number) for number in (1, 2, 3)}
    text = written(archcalc.compare(labels), "table", style=Style(80))
    lines = text.splitlines()
    assert lines[lines.index("") + 1] == "A  a_long_name_for_a_network_1"
    assert "a_long_name_for_a_network_1  LeNet-5 · image 1×32×32" in text
    start = text.splitlines().index("C  a_long_name_for_a_network_3")
    table = next(line for line in text.splitlines()[start:] if line.startswith("MACs"))
    assert table.split() == ["MACs", "A", "B", "C"]
    assert text.count("A  a_long_name_for_a_network_1") == 1
    assert "a_long_name_for_a_network_1" in written(archcalc.compare(labels), "plain").splitlines()[6]


def test_more_than_two_have_their_differences_below() -> None:
    text = written(load("resnet18", "resnet34", "resnet50", depth=1), "plain")
    start = text.index("Parameters")
    found = [line.split() for line in text[start:].splitlines()[:3]]
    assert found == [
        ["Parameters", "11,689,512", "21,797,672", "25,557,032"],
        [f"+{21_797_672 - 11_689_512:,}", f"+{25_557_032 - 11_689_512:,}"],
        ["+86.5", "%", "×2.19"],
    ]


HOSTILE = """
name = "\\u001b[31mred | <b>"
inputs."i\\u001b[2J" = [3, 8, 8]
layers = [{ name = "pipe | *x*\\u001b[2J", type = "conv2d", out_channels = 2, kernel_size = 1 }]
"""


@pytest.mark.parametrize("format_name", FORMATS)
def test_hostile_names_are_text(format_name: str) -> None:
    networks = {"a\x1b[2J|": archcalc.loads(HOSTILE), "b": archcalc.load("lenet5")}
    text = written(archcalc.compare(networks), format_name)
    assert "\x1b" not in text
    if format_name == "markdown":
        assert r"pipe \| \*x\*" in text


def test_markdown_is_two_tables_with_notes_between() -> None:
    blocks = written(load("dense_mnist", "mnist_cnn"), "markdown").split("\n\n")
    tables = [block.splitlines() for block in blocks if block.startswith("| ")]
    assert [table[0].split()[1] for table in tables] == ["MACs", "Total"]
    assert all({line.replace("\\|", "").count("|") for line in table} == {6} for table in tables)


def test_json_has_every_quantity() -> None:
    comparison = load("stacked_3x3", "single_7x7", "dense_mnist")
    data = json.loads(written(comparison, "json"))
    assert data == json.loads(json.dumps(comparison.to_dict()))
    assert [network["label"] for network in data["networks"]] == ["stacked_3x3", "single_7x7", "dense_mnist"]
    assert set(data["totals"]) == set(QUANTITIES)
    assert data["totals"]["macs"]["differences"][0] == {"absolute": 22 * 64**2 * 56**2, "ratio": "49/27"}
    assert data["totals"]["receptive_field"]["sizes"] == [[7, 7], [7, 7], [28, 28]]
    first = data["layers"][0]
    assert first["names"] == ["conv.0", "conv", None]
    assert first["types"] == ["conv2d", "conv2d", None]
    assert first["output_shapes"] == [[64, 56, 56], [64, 56, 56], None]
    assert set(first) == {"names", "types", "output_shapes", "changes", *SUMS}
    kernel = {"what": "kernel_size", "before": "3", "after": "7"}
    assert kernel in first["changes"][0]


def test_a_narrow_terminal_shows_both_networks() -> None:
    lines = written(load("resnet18", "resnet50"), "table", style=Style(50)).splitlines()
    row = next(place for place, line in enumerate(lines) if line.startswith("l1.0.first.conv"))
    assert lines[row].split()[1:] == ["115,605,504", "12,845,056"]
    assert lines[row + 1] == "  → l1.0.reduce.conv"


def test_bytes_have_a_unit() -> None:
    (peak,) = lines(load("resnet18", "resnet50"), "Peak memory")
    assert peak[2:] == ["51.3", "MiB", "107", "MiB", "+56.1", "MiB", "×2.09"]


def test_the_values_of_two_networks_are_never_left_out() -> None:
    lines = written(load("resnet18", "resnet50"), "table", style=Style(40)).splitlines()
    (row,) = (line for line in lines if line.endswith("115,605,504   12,845,056"))
    assert row.startswith("l1.0.")
