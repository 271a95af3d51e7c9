"""One block of a network alone, and which blocks are open by default."""

import pytest
from drawings import SVG, parsed, texts, with_class

import archcalc
from archcalc.diagram.choice import MANY_KINDS
from archcalc.diagram.look import Look
from archcalc.diagram.picture import BlockFrame, Card, Diagram, draw
from archcalc.diagram.scope import find_scope
from archcalc.errors import UsageError

pytestmark = pytest.mark.usefixtures("bundled_graphviz")

SPECS = sorted(archcalc.shipped_specs())


def drawn(spec: str, **look: object) -> Diagram:
    return draw(archcalc.load(spec).context, Look(**look))  # type: ignore[arg-type]


def opened(parts: tuple[Card | BlockFrame, ...]) -> list[str]:
    """The titles of all frames."""
    boxes = [part for part in parts if isinstance(part, BlockFrame)]
    return [title for box in boxes for title in (box.title, *opened(box.parts))]


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_any_block_has_its_layers_and_its_edges(spec: str) -> None:
    graph = archcalc.load(spec).graph
    blocks = {instance.name for node in graph.nodes for instance in node.instances}
    for name in sorted(blocks)[:12]:
        picture = drawn(spec, block=name, depth=0, every_copy=True)
        inside = {n for n, node in enumerate(graph.nodes) if node.name.startswith(f"{name}.")}
        assert {int(found[6:]) for card in picture.cards for found in card.classes} == inside
        read = {edge for n in inside for edge in graph.nodes[n].sources if graph.producer(edge) not in inside}
        assert {card.number for card in picture.cards if card.identifier.startswith("input-")} == read
        assert sum(card.identifier.startswith("output-") for card in picture.cards) >= 1
        numbers = {card.number for card in picture.cards}
        assert {end for arrow in picture.arrows for end in (arrow.source, arrow.target)} == numbers


def test_a_block_of_googlenet() -> None:
    picture = drawn("googlenet", block="inception3a")
    cards = {card.identifier: card for card in picture.cards}
    ends = [card for name, card in cards.items() if not name.startswith("layer-")]
    assert [(card.rows[0], card.rows[1].left, card.dashed) for card in ends] == [
        (("name", "maxpool2", "192×28×28", ""), "input", True),
        (("name", "inception3a", "256×28×28", ""), "output", False),
    ]
    assert [card.rows[0].left for card in cards.values() if card not in ends][:2] == ["branch1.conv", "reduce2.conv"]
    assert picture.title == "GoogLeNet: inception3a"
    # Szegedy et al. 2014 print 159K and 128M; this spec has batch normalization, and a 3×3 kernel for 5×5.
    rows = [row for row in archcalc.load("googlenet").layers if row.name.startswith("inception3a.")]
    assert picture.subtitle == f"inception · {sum(row.parameters for row in rows):,} parameters · 122 M MACs"


def test_a_block_of_equal_blocks() -> None:
    svg = archcalc.load("resnet50").to_svg(block="layer1")
    found = [[text.text for text in group.iter(f"{SVG}text")] for group in with_class(parsed(svg), "title")]
    assert found == [["layer1.0 · bottleneck"], ["layer1.1 … layer1.2", "bottleneck", "×2"]]
    copy = [card.rows[0].left for card in drawn("resnet50", block="layer1.2").cards]
    assert copy == ["layer1.1.relu_3", "reduce.conv", "spatial.conv", "expand.conv", "add", "layer1.2"]


def test_depth_counts_from_the_block() -> None:
    assert opened(drawn("resnet50", block="layer1", depth=1).parts) == []
    names = [card.rows[0].left for card in drawn("resnet50", block="layer1", depth=1).cards]
    assert names == ["stem.maxpool", "layer1.0", "layer1.1 … layer1.2", "layer1"]


def test_names_that_are_no_blocks() -> None:
    graph = archcalc.load("resnet50").graph
    assert find_scope(graph, "layer3").block == "stage"
    for name, message in (
        ("layer9", 'no block is called "layer9"; did you mean '),
        ("stem.maxpool", '"stem.maxpool" is a layer, not a block'),
        ("image", '"image" is an input, not a block'),
        ("", 'no block is called ""'),
    ):
        with pytest.raises(UsageError) as caught:
            find_scope(graph, name)
        assert str(caught.value).startswith(message)
    with pytest.raises(UsageError, match="block must be the name of a block, or None, and is 3"):
        archcalc.load("resnet50").to_dot(block=3)


def test_copies_of_an_entry_are_a_block() -> None:
    text = """
    name = "t"
    inputs.x = [4]
    layers = [{ name = "pair", type = "pair", repeat = 3 }]
    [blocks.pair]
    layers = [{ name = "l", type = "linear", out_features = 4 }, { name = "s", type = "add", inputs = ["l", "input"] }]
    """
    network = archcalc.loads(text)
    assert "×3" in texts(parsed(network.to_svg(block="pair")))
    assert find_scope(network.graph, "pair").positions == (0, 1, 2, 3, 4, 5)


def test_one_inception_module_is_open() -> None:
    picture = drawn("googlenet")
    assert opened(picture.parts) == ["inception3a · inception"]
    assert [card.rows[0].left for card in picture.cards if card.color == "block"] == [
        f"inception{name}" for name in ("3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]
    assert picture.notes == ("of each kind of block, only the first is open",)


def test_of_nested_blocks_one_of_each_kind_is_open() -> None:
    assert opened(drawn("densenet121").parts) == [
        "denseblock1 · dense_block",
        "denseblock1.0 · dense_layer",
        "transition1 · transition",
    ]


@pytest.mark.every_spec
@pytest.mark.parametrize("spec", SPECS)
def test_collapsed_parts_are_listed_in_their_cards(spec: str) -> None:
    network = archcalc.load(spec)
    picture = draw(network.context, Look())
    assert {int(name[6:]) for card in picture.cards for name in card.classes} == {*range(len(network.layers))}
    assert len([card for card in picture.cards if card.color != "end"]) <= MANY_KINDS


def test_without_title_and_legend() -> None:
    network = archcalc.load("resnet50")
    heads = {}
    for title in (True, False):
        for legend in (True, False):
            root = parsed(network.to_svg(title=title, legend=legend))
            heads[title, legend] = [text for group in with_class(root, "head") for text in texts(group)]
    assert heads[False, False] == []
    assert heads[True, True] == heads[True, False] + heads[False, True]
    assert heads[True, False][0] == "ResNet-50"
    assert "×n: n equal blocks in a row" in heads[False, True]
    assert "convolution" in heads[False, True]


def test_branches_of_the_drawn_block_have_its_name() -> None:
    drawn = archcalc.load("resnet50").to_volumes_svg(block="layer2.0")
    assert "bottleneck" in drawn
    assert ">stage" not in drawn
