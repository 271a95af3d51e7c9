"""Diagrams: their DOT text, their SVG, what they collapse, and what they say of hostile names."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from drawings import NAMES, SIAMESE, SVG, hostile_spec, parsed, picture_of, texts, with_class

import archcalc
from archcalc.analysis.lint import RULES
from archcalc.diagram import choice
from archcalc.diagram.choice import MANY, MANY_ARROWS, MANY_KINDS
from archcalc.diagram.dot import to_dot
from archcalc.diagram.draw import dot_program, to_svg
from archcalc.diagram.look import Look
from archcalc.diagram.parts import find_parts, tiles_in
from archcalc.diagram.picture import boxes_in, draw
from archcalc.diagram.style import STYLES, UNKNOWN
from archcalc.errors import printable
from archcalc.layers import LAYER_TYPES
from archcalc.numbers.bounds import AtLeast
from archcalc.numbers.units import mebibytes
from archcalc.render.style import shortened

pytestmark = pytest.mark.usefixtures("bundled_graphviz")

SPECS = sorted(archcalc.shipped_specs())
CHAIN = (
    'name = "chain"\ninputs.image = [1, 8, 8]\n'
    'layers = [{{ type = "conv2d", out_channels = "index % 5 + 1", kernel_size = 1, repeat = {} }}]'
)
ATTENTION = 'name = "t"\ninputs.x = [9, 12]\nlayers = [{ type = "multi_head_attention", num_heads = 3 }]'
KEPT = {"svg", "g", "title", "rect", "path", "polygon", "text"}
ATTRIBUTES = (
    "class id d points x y width height rx fill stroke stroke-width stroke-dasharray stroke-linejoin paint-order "
    "text-anchor textLength lengthAdjust font-size font-weight font-family transform viewBox role"
)


@pytest.mark.parametrize(
    ("spec", "look"),
    [
        ("lenet5", {}),
        ("resnet50", {"depth": 2, "show": ("parameters", "macs", "receptive-field")}),
        ("inception_v3", {"direction": "LR", "style": "paper"}),
        ("unet", {"style": "dark"}),
        ("gcn_classifier", {"heat": "macs"}),
    ],
)
def test_dot_text(spec: str, look: dict[str, object], golden: Callable[[Path, str], None]) -> None:
    golden(Path("diagram", f"{spec}.dot"), archcalc.load(spec).to_dot(**look))


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_the_same_spec_gives_the_same_text(spec: str) -> None:
    assert archcalc.load(spec).to_dot() == archcalc.load(spec).to_dot()


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_collapsing_keeps_totals(spec: str, depth: int) -> None:
    network = archcalc.load(spec, training=True)
    tiles = [*tiles_in(find_parts(network.context, depth or None).parts)]
    for what in ("parameters", "trainable_parameters", "macs"):
        sums = [sum(getattr(network.layers[p], what) or 0 for p in tile.layers) * copies for tile, copies in tiles]
        assert sum(sums) == getattr(network.totals, what)
    assert sum(len(tile.layers) * copies for tile, copies in tiles) == len(network.layers)


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_every_layer_and_every_edge_is_drawn(spec: str) -> None:
    network = archcalc.load(spec)
    graph, inputs = network.graph, len(network.graph.inputs)
    picture = draw(network.context, Look(depth=0, every_copy=True))
    of_layer = {int(name[6:]): card.number for card in picture.cards for name in card.classes}
    assert sorted(of_layer) == [*range(len(graph.nodes))]
    number = {edge: of_layer[edge - inputs] if edge >= inputs else edge for edge in range(inputs + len(graph.nodes))}
    wanted = {(number[s], of_layer[p]) for p, node in enumerate(graph.nodes) for s in node.sources}
    inside = {(a, b) for a, b in wanted if a == b}
    to_outputs = {(number[edge], inputs + len(graph.nodes) + i) for i, edge in enumerate(graph.outputs)}
    drawn = {(arrow.source, arrow.target) for arrow in picture.arrows if arrow.kind == "data"}
    assert drawn == wanted - inside | to_outputs
    # Layers that share a card are a chain: each is the only reader of the one before.
    for card in picture.cards:
        chain = [int(name[6:]) for name in card.classes]
        assert all(graph.nodes[b].sources == (inputs + a,) for a, b in pairwise(chain))


def test_equal_blocks_in_a_row_are_one() -> None:
    parts = find_parts(archcalc.load("resnet152").context, 2)
    assert [copies for _, copies in tiles_in(parts.parts) if copies > 1] == [2, 7, 35, 2]
    # 64 → 256 channels in the first of a stage, 256 → 256 in the others.
    assert next(tile.layers[0] for tile, copies in tiles_in(parts.parts) if copies == 2) > 12


def test_blocks_that_differ_stay_apart() -> None:
    block = '[blocks.b]\nparameters = ["k"]\nlayers = [{ name = "c", type = "conv2d", out_channels = 4, kernel_size = 3'
    head = 'name = "x"\ninputs.image = [4, 16, 16]\nlayers = [{ type = "b", k = "1", name = "a" }, '
    plain, shared, dilated = (
        head + f'{{ type = "b", k = "{k}", name = "z"{more} }}]\n{block}, dilation = "k" }}]'
        for k, more in ((1, ""), (1, ', weights = "a"'), (2, ""))
    )
    padded = plain.replace("kernel_size = 3", "kernel_size = 3, padding = 1")
    for spec, copies in ((plain, [1]), (padded, [2]), (shared, [1]), (dilated, [1])):
        found = [n for _, n in tiles_in(find_parts(archcalc.loads(spec).context, None).parts)]
        assert found[0] == copies[0], spec


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_large_networks_are_collapsed_with_a_note(spec: str) -> None:
    picture = draw(archcalc.load(spec).context, Look())
    opened = draw(archcalc.load(spec).context, Look(depth=0))
    ends = sum(card.color == "end" for card in opened.cards)
    assert bool(picture.collapsed) == (len(opened.cards) - ends > MANY)
    assert len(picture.cards) <= (MANY_KINDS if "only the first" in picture.collapsed else MANY) + ends


def test_a_module_of_each_type_is_open_where_all_together_are_a_few_more(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = draw(archcalc.load("inception_v3").context, Look())
    assert picture.collapsed == "of each kind of block, only the first is open"
    names = [box.name for box in boxes_in(picture.parts)]
    assert names == ["Mixed_5b", "Mixed_6a", "Mixed_6b", "Mixed_7a", "Mixed_7b"]
    cards = [card for card in picture.cards if card.color != "end"]
    assert MANY < len(cards) <= MANY_KINDS
    monkeypatch.setattr(choice, "MANY_KINDS", len(cards) - 1)
    picture = draw(archcalc.load("inception_v3").context, Look())
    assert picture.collapsed == "blocks are collapsed at depth 1"


def test_a_long_network_is_drawn_in_stretches() -> None:
    layers = ", ".join(
        f'{{ type = "conv2d", out_channels = {n % 5 + 1}, kernel_size = 1, name = "c{n}" }}' for n in range(2_000)
    )
    network = archcalc.loads(f'name = "chain"\ninputs.image = [1, 8, 8]\nlayers = [{layers}]')
    picture = draw(network.context, Look())
    assert "stretches" in picture.collapsed
    assert len(picture.cards) <= MANY + 2
    assert sorted(int(name[6:]) for card in picture.cards for name in card.classes) == [*range(2_000)]
    with pytest.raises(archcalc.UsageError, match="10,000 cards and merging arrows are too many"):
        draw(archcalc.loads(CHAIN.format(10_000)).context, Look(depth=0))


def test_sharing_freezing_and_training_are_visible() -> None:
    network = archcalc.loads(SIAMESE, training=True)
    picture = draw(network.context, Look(depth=1))
    cards = {card.rows[0].left: card for card in picture.cards if not card.identifier.startswith("output-")}
    marks = {name: [row.left for row in card.rows if row.kind == "mark"] for name, card in cards.items()}
    assert marks["stem"] == ["frozen"]
    assert marks["stem2"] == ["frozen", "weights of stem"]
    assert marks["tower2"] == ["weights of tower.conv", "weights of tower.fc"]
    assert marks["extra"] == ["in training only"]
    assert [name for name, card in cards.items() if card.dashed] == ["extra"]
    assert [name for name, card in cards.items() if card.frozen] == ["stem", "stem2"]
    arrows = [arrow for arrow in draw(network.context, Look(depth=1)).arrows if arrow.kind == "weights"]
    assert {(a.source, a.target) for a in arrows} == {
        (cards["stem"].number, cards["stem2"].number),
        (cards["tower"].number, cards["tower2"].number),
    }


def test_inputs_are_numbered_where_their_order_matters() -> None:
    """The order matters for `cat`, not for a sum."""
    network = archcalc.loads(
        """
    name = "t"
    inputs.x = [3, 4, 4]
    layers = [
      { name = "a", type = "conv2d", out_channels = 1, kernel_size = 1, input = "x" },
      { name = "b", type = "conv2d", out_channels = 2, kernel_size = 1, input = "x" },
      { name = "ba", type = "cat", inputs = ["b", "a"] },
      { type = "add", inputs = ["ba", "x"] },
    ]
    """
    )
    picture = draw(network.context, Look())
    names = {card.number: card.rows[0].left for card in picture.cards}
    found = {(names[arrow.source], names[arrow.target]): arrow.text for arrow in picture.arrows if arrow.text}
    assert found == {
        ("b", "ba"): "1: 2×4×4",
        ("a", "ba"): "2: 1×4×4",
        ("ba", "add"): "3×4×4",
        ("x", "add"): "3×4×4",
    }


def test_an_input_of_another_dtype_shows_it() -> None:
    text = """
    name = "t"
    inputs.words = { shape = [5], dtype = "int64" }
    layers = [{ type = "embedding", num_embeddings = 9, embedding_dim = 2 }]
    """
    card = draw(archcalc.loads(text).context, Look()).cards[0]
    assert [row.left for row in card.rows] == ["words", "input, int64"]


def test_outputs_have_names_and_shapes() -> None:
    picture = draw(archcalc.load("googlenet", training=True).context, Look())
    ends = [card.rows for card in picture.cards if card.identifier.startswith("output-")]
    assert [(rows[0].left, rows[0].right, rows[1].left) for rows in ends] == [
        (name, "1000", "output") for name in archcalc.load("googlenet", training=True).outputs
    ]


def test_each_layer_of_a_card_has_its_own_number() -> None:
    card = next(
        card
        for card in draw(archcalc.load("resnet18").context, Look(show=("parameters", "macs"))).cards
        if card.number == 1
    )
    lines = [row.left for row in card.rows if row.kind == "line"]
    assert lines == [f"{64 * 3 * 7 * 7:,} + {2 * 64} parameters", "118 M MACs"]


def test_edges_have_shapes_where_branches_meet() -> None:
    picture = picture_of("inception_v3", depth=0)
    into = [arrow.target for arrow in picture.arrows if arrow.kind == "data"]
    for arrow in picture.arrows:
        assert bool(arrow.text) == (into.count(arrow.target) > 1)


def test_cards_show_the_requested_quantities() -> None:
    network = archcalc.load("lenet5")
    picture = draw(network.context, Look(show=("parameters", "macs", "receptive-field")))
    card = next(card for card in picture.cards if card.rows[0].left == "C1")
    assert [(row.left, row.right) for row in card.rows] == [
        ("C1", "6×28×28"),
        ("conv2d 5×5", ""),
        ("156 parameters", ""),
        ("118 k MACs", ""),
        ("field 5×5", ""),
        ("tanh", ""),
    ]


def test_heat_is_the_share_in_the_largest() -> None:
    network = archcalc.load("lenet5")
    heats = {card.rows[0].left: card.heat for card in draw(network.context, Look(heat="parameters")).cards}
    assert heats["C5"] == 1.0
    assert heats["F6"] == 10_164 / 48_120
    assert heats["S2"] == 0.0


def test_heat_and_lines_of_memory() -> None:
    """A card has the peak of `memory` while it or a copy of it runs, without the weights."""
    network = archcalc.load("resnet50")
    memory = network.memory()
    alive = [row.forward - memory.weights - memory.buffers for row in memory.layers]
    cards = [card for card in draw(network.context, Look(heat="memory", show=("memory",))).cards if card.color != "end"]
    for card in cards:
        own = max(alive[int(name.removeprefix("layer-"))] for name in card.classes)
        assert card.heat == own / max(alive)
        assert f"{mebibytes(own)} alive" in [row.left for row in card.rows]
    assert sorted(name for card in cards for name in card.classes) == sorted(f"layer-{n}" for n in range(len(alive)))


def test_memory_that_is_a_lower_bound_is_marked() -> None:
    network = archcalc.loads(ATTENTION)
    assert isinstance(network.memory().peak, AtLeast)
    svg = network.to_svg(show=("memory",))
    assert "≥ " in svg


@pytest.mark.every_spec
@pytest.mark.parametrize("name", SPECS)
def test_layers_of_every_finding_are_coloured(name: str) -> None:
    """Every layer of every finding, also in copies, and no other layer."""
    network = archcalc.load(name)
    wanted = {
        f"layer-{network.position(layer)}"
        for rule in RULES
        for finding in rule.check(network.context)
        if finding.kind == "layer"
        for layer in finding.names
    }
    cards = draw(network.context, Look(heat="check", depth=0)).cards
    hot = [set(card.classes) for card in cards if card.heat == 1]
    assert wanted <= set().union(*hot)
    assert all(classes & wanted for classes in hot)


def test_unknown_is_not_zero() -> None:
    network = archcalc.loads(
        """
    name = "t"
    inputs.nodes = [5, 3]
    inputs.edges = [5, 5]
    layers = [
      { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
      { name = "l", type = "linear", out_features = 4 },
      { name = "r", type = "relu" },
    ]
    """
    )
    picture = draw(network.context, Look(heat="macs", show=("macs",)))
    cards = {card.rows[0].left: card for card in picture.cards if card.color != "end"}
    assert (cards["g"].heat, cards["l"].heat) == (UNKNOWN, 1)
    assert [row.left for row in cards["g"].rows if row.kind in ("line", "mark")] == ["? MACs", "unknown MACs"]
    assert "≤ 100 % of MACs" in [row.left for row in cards["l"].rows]
    assert picture.heat
    assert [text for _, text in picture.heat.legend()][-1] == "unknown"
    assert to_svg(picture, None).count(STYLES["color"].heated(UNKNOWN)) >= 2


def test_the_legend_marks_bounds() -> None:
    """Block b has 8·4·4 MACs in its linear layer, and an unknown number in another layer."""
    network = archcalc.loads(
        """
    name = "t"
    inputs.nodes = [8, 4]
    inputs.edges = [8, 8]
    [blocks.b]
    inputs = ["of", "by"]
    layers = [
      { name = "l", type = "linear", out_features = 4, input = "of" },
      { name = "g", type = "gcn_conv", inputs = ["l", "by"], out_features = 3 },
    ]
    [[layers]]
    name = "u"
    type = "b"
    inputs = ["nodes", "edges"]
    [[layers]]
    type = "linear"
    out_features = 5
    """
    )
    picture = draw(network.context, Look(heat="macs", depth=1))
    assert picture.heat
    assert [text for _, text in picture.heat.legend()] == ["0", "64", "≥ 128 MACs"]
    exact = draw(archcalc.load("lenet5").context, Look(heat="macs"))
    assert exact.heat
    assert not any("≥" in text for _, text in exact.heat.legend())


UNROLLED = """
name = "a sequence whose steps are written as layers"
inputs.x = [{steps}, 8]
inputs.h = [8]
layers = [
{layers}
]
"""


def unrolled(steps: int) -> str:
    """An unrolled recurrence: every step reads a slice of the input, far above, and the step before."""
    layers = [
        f'{{ name = "x{t}", type = "slice", input = "x", start = {t}, stop = {t + 1} }}, {{ type = "flatten" }}, '
        f'{{ type = "linear", out_features = 8 }}, {{ name = "h{t}", type = "add", inputs = ["linear", "{before}"] }},'
        for t, before in enumerate(["h", *(f"h{t}" for t in range(steps - 1))])
    ]
    named = [layer.replace('{ type = "linear"', f'{{ name = "l{t}", type = "linear"') for t, layer in enumerate(layers)]
    text = "\n".join(layer.replace('["linear"', f'["l{t}"') for t, layer in enumerate(named))
    return UNROLLED.format(steps=steps, layers=text)


def test_too_many_long_arrows_are_refused_or_collapsed() -> None:
    """Graphviz would need minutes, and time out."""
    network = archcalc.loads(unrolled(40))
    with pytest.raises(archcalc.UsageError, match=r"arrows that pass 78. rows of cards are more than"):
        draw(network.context, Look(depth=0))
    assert draw(network.context, Look()).collapsed == "stretches of layers are collapsed"
    assert not draw(archcalc.loads(unrolled(8)).context, Look()).collapsed


def test_many_arrows_are_collapsed() -> None:
    """As in a DenseNet, each layer reads all layers before it, so every pair of stretches has an arrow."""
    entries = [
        f'{{ name = "c{n}", type = "cat", inputs = {[f"l{k}" for k in range(n)]} }},'
        f'{{ name = "l{n}", type = "conv2d", out_channels = 1, kernel_size = 1, input = "c{n}" }},'
        for n in range(2, 60)
    ]
    first = "".join(f'{{ name = "l{n}", type = "conv2d", out_channels = 1, kernel_size = 1 }},' for n in range(2))
    network = archcalc.loads(f'name = "t"\ninputs.x = [1, 4, 4]\nlayers = [{first}{"".join(entries)}]')
    picture = draw(network.context, Look())
    assert picture.collapsed == "stretches of layers are collapsed"
    assert len(picture.arrows) <= MANY_ARROWS + 2
    assert sorted(name for card in picture.cards for name in card.classes) == sorted(
        f"layer-{n}" for n in range(len(network.layers))
    )


@pytest.mark.dot
def test_a_card_of_thousands_of_layers() -> None:
    """Graphviz reads no value of more than 16,384 bytes."""
    block = '{ type = "linear", out_features = 2, repeat = 3000 }'
    network = archcalc.loads(
        f'name = "t"\ninputs.x = [2]\nlayers = [{{ type = "deep" }}]\n[blocks.deep]\nlayers = [{block}]'
    )
    picture = draw(network.context, Look(depth=1))
    for program in (dot_program(), None):
        (card,) = with_class(parsed(to_svg(picture, program)), "layer-1999")  # the layers beyond have no class
        assert "3,000 layers" in "".join(card.itertext())


def test_copies_that_exist_only_in_training() -> None:
    network = archcalc.loads(
        """
    name = "t"
    inputs.x = [4]
    layers = [{ name = "b", type = "pair", repeat = 3, when = "training or index == 0" }]
    [blocks.pair]
    layers = [{ name = "l", type = "linear", out_features = 4 }, { name = "r", type = "relu" }]
    """,
        training=True,
    )
    cards = [card for card in draw(network.context, Look()).cards if card.color != "end"]
    assert [(card.dashed, card.copies) for card in cards] == [(False, 1), (True, 2)]


@pytest.mark.parametrize(
    ("kind", "fields", "label"),
    [
        ("conv2d", {"out_channels": 8, "kernel_size": 3}, "3×3"),
        ("conv2d", {"out_channels": 8, "kernel_size": [1, 7], "padding": [0, 3]}, "1×7, padding 0×3"),
        ("conv2d", {"out_channels": 8, "kernel_size": 3, "padding": "valid", "groups": 4}, "3×3, groups 4"),
        ("conv1d", {"out_channels": 8, "kernel_size": 4, "padding": [[1, 2]]}, "4, padding 1+2"),
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "ceil_mode": True}, "3×3, stride 2, ceil mode"),
        ("max_pool2d", {"kernel_size": 2}, "2×2, stride 2"),
        ("conv_transpose2d", {"out_channels": 8, "kernel_size": 2, "stride": 2}, "2×2, stride 2"),
        ("dropout", {}, "p 0.5"),
        ("permute", {"dims": [1, -1, 0]}, "dims 1, -1, 0"),
        ("upsample", {"scale_factor": 2.0}, "scale factor 2"),
        ("relu", {}, ""),
    ],
)
def test_labels_have_the_fields_that_distinguish_layers(kind: str, fields: dict[str, object], label: str) -> None:
    assert msgspec.convert(fields, LAYER_TYPES[kind]).label() == label


def test_every_family_has_a_colour() -> None:
    for style in STYLES.values():
        assert {layer.family for layer in LAYER_TYPES.values()} <= style.paints.keys()


# SVG


def assert_safe(svg: str) -> None:
    root = parsed(svg)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in KEPT
        assert set(element.attrib) <= set(ATTRIBUTES.split())
        assert not any("url(" in value or "script:" in value for value in element.attrib.values())
    assert "<!" not in svg
    assert "<?" not in svg


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_svg_is_well_formed_and_safe(spec: str) -> None:
    picture = draw(archcalc.load(spec).context, Look())
    svg = to_svg(picture, None)
    assert_safe(svg)
    assert len(with_class(parsed(svg), "node")) == len(picture.cards)
    assert len(with_class(parsed(svg), "edge")) == len(picture.arrows)


def test_the_check_of_safety_can_fail() -> None:
    for bad in ("<script/>", '<rect onclick="x"/>', '<g fill="url(http://x)"/>', '<a href="http://x"/>'):
        with pytest.raises(AssertionError):
            assert_safe(f'<svg xmlns="{SVG[1:-1]}">{bad}</svg>')


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("depth", [0, 1])
def test_hostile_names_are_drawn_as_text(style: str, depth: int) -> None:
    picture = draw(archcalc.loads(hostile_spec()).context, Look(style=style, depth=depth))
    svg = to_svg(picture, None)
    assert_safe(svg)
    drawn = "\n".join(texts(parsed(svg)))
    assert [name for name in NAMES if shortened(printable(name), 44) not in drawn] == []


@pytest.mark.parametrize("name", NAMES)
def test_each_hostile_name_is_drawn_as_itself(name: str) -> None:
    displayed = shortened(printable(name), 44)
    svg = to_svg(draw(archcalc.loads(hostile_spec((name, "b", "c", "d", "e", "f"))).context, Look(depth=0)), None)
    assert displayed in texts(parsed(svg))
    assert shortened(printable(name), 80) in texts(parsed(svg))


@pytest.mark.dot
@pytest.mark.parametrize("name", NAMES)
def test_dot_draws_hostile_names_as_text(name: str) -> None:
    """Tables, which the WebAssembly build does not support."""
    import subprocess

    source = to_dot(draw(archcalc.loads(hostile_spec((name, "b", "c", "d", "e", "f"))).context, Look(depth=0)))
    done = subprocess.run(["dot", "-Tsvg"], input=source.encode(), capture_output=True, check=True)
    assert done.stderr == b""
    # A newer Graphviz writes no-break spaces.
    drawn = [text.replace("\u00a0", " ") for text in texts(parsed(done.stdout.decode()))]
    assert shortened(printable(name), 44) in drawn
    assert b"<script" not in done.stdout


@pytest.mark.every_spec
@pytest.mark.dot
@pytest.mark.parametrize("spec", SPECS)
def test_both_ways_give_the_same_nodes_and_edges(spec: str) -> None:
    picture = draw(archcalc.load(spec).context, Look())
    found = []
    for program in (dot_program(), None):
        root = parsed(to_svg(picture, program))
        drawn = {kind: with_class(root, kind) for kind in ("node", "edge", "block")}
        found.append({kind: sorted((g.get("id"), *texts(g)) for g in groups) for kind, groups in drawn.items()})
    assert found[0] == found[1]


@pytest.mark.dot
def test_dot_draws_the_text() -> None:
    import subprocess

    for spec in ("lenet5", "unet"):
        network = archcalc.load(spec)
        done = subprocess.run(["dot", "-Tsvg"], input=network.to_dot().encode(), capture_output=True, check=True)
        root = parsed(done.stdout.decode())
        assert len(with_class(root, "node")) == len(draw(network.context, Look()).cards)
        assert "Graphviz" not in done.stderr.decode()


def test_network_gives_text() -> None:
    network = archcalc.load("lenet5")
    assert network.to_svg(style="dark").startswith("<svg ")
    assert network.to_dot(depth=1).startswith("digraph")
    for wrong, message in (
        ({"colour": 1}, 'no "colour"'),
        ({"style": "pink"}, "style must be one of"),
        ({"depth": -1}, "depth must be"),
        ({"heat": "love"}, "heat must be"),
        ({"show": ("macz",)}, 'did you mean "macs"'),
    ):
        with pytest.raises(archcalc.UsageError, match=message):
            network.to_dot(**wrong)


def test_a_card_of_a_long_chain_is_bounded() -> None:
    spec = 'name = "chain"\ninputs.image = [3, 8, 8]\nlayers = [{ type = "relu", repeat = 3000 }]'
    (card,) = [card for card in draw(archcalc.loads(spec).context, Look()).cards if card.classes]
    assert len(card.rows) < 30
    assert any(row.left == "… 2,976 more" for row in card.rows)
    assert len(card.classes) == 2000
