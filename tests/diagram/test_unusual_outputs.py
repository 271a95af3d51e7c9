"""Pictures of networks whose outputs are unusual."""

from xml.etree import ElementTree

import archcalc
from archcalc.diagram.picture import Look, draw


def test_an_output_that_is_named_twice_is_drawn_once() -> None:
    text = 'name = "x"\noutputs = ["a", "a"]\ninputs.x = [4]\nlayers = [{ name = "a", type = "relu" }]'
    network = archcalc.loads(text)
    ElementTree.fromstring(network.to_svg())
    ends = [card.identifier for card in draw(network.context, Look()).cards if card.color == "end"]
    assert len(ends) == len(set(ends)) == 2


def test_a_network_that_exists_in_training_alone() -> None:
    text = """
    name = "x"
    outputs = ["aux"]
    inputs.x = [4]
    layers = [{ name = "aux", type = "relu", when = "training" }]
    """
    assert "aux" in archcalc.loads(text, training=True).to_svg()
