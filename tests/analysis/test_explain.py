"""Explanations equal the numbers of the summary, for every layer of every shipped spec."""

import pytest

import archcalc
from archcalc.analysis.explain_sums import explain_several
from archcalc.analysis.summary import LayerSummary
from archcalc.arithmetic import product

AXES = {1: ("position",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def explained(network: archcalc.Network, row: LayerSummary) -> dict[tuple[str, str], object]:
    sections = network.explain(row.name).sections
    return {(section.title, step.label): step.value for section in sections for step in section.steps}


@pytest.mark.every_spec
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", sorted(archcalc.shipped_specs()))
def test_equals_the_summary(name: str, batch: int) -> None:
    network = archcalc.load(name, batch=batch)
    for row in network.layers:
        values = explained(network, row)
        shape = [value for (title, label), value in values.items() if title == "output shape" and len(label) > 1]
        assert product(shape) == product(row.output_shape)
        assert sum_of(values, "parameters") == row.parameters
        assert sum_of(values, "buffers") == row.buffers
        operations = {
            label.replace(" ", "_"): value for (title, label), value in values.items() if title == "operations"
        }
        assert operations.items() >= row.operations.items()
        assert values.get(("connections", "connections"), 0) == row.connections
        check_field(values, row)


def sum_of(values: dict[tuple[str, str], object], title: str) -> object:
    """The value of a section: its last step, the sum of its parts or the only part."""
    found = {label: value for (section, label), value in values.items() if section == title}
    assert found.get("textbook form", found.get("together")) == found.get("together")
    return found.get("together", next(reversed(found.values()), 0))


def check_field(values: dict[tuple[str, str], object], row: LayerSummary) -> None:
    field = row.receptive_field
    if field is None:
        assert not [label for title, label in values if title == "receptive field"]
        return
    for number, axis in enumerate(AXES[len(field.axes)]):
        assert values["receptive field", f"{axis}: size"] == field.size[number]
        assert values["receptive field", f"{axis}: jump"] == field.jump[number]
        assert values["receptive field", f"{axis}: center"] == field.center[number]


def test_textbook_form() -> None:
    text = str(archcalc.load("lenet5").explain("C1"))
    assert "⌊(N + 2·P − F)/S⌋ + 1 = ⌊(32 + 2·0 − 5)/1⌋ + 1 = 28" in text
    assert "6·1·5·5 = 150" in text
    assert "(5·5·1 + 1)·6 = 156" in text
    assert "r + (F − 1)·j = 1 + (5 − 1)·1 = 5" in text


def test_dropped_positions_are_noted() -> None:
    spec = """
    name = "x"
    inputs.i = [3, 224, 224]
    layers = [{ type = "conv2d", out_channels = 96, kernel_size = 11, stride = 4 }]
    """
    text = str(archcalc.loads(spec).explain("conv2d"))
    assert "height: 1 of 224 positions, at the end, is never read" in text


def test_shared_weights_are_explained_by_their_owner() -> None:
    spec = """
    name = "x"
    inputs.i = [4]
    layers = [
      { name = "a", type = "linear", out_features = 4 },
      { name = "b", type = "linear", out_features = 4, weights = "a" },
    ]
    """
    assert 'shared with "a", and counted there' in str(archcalc.loads(spec).explain("b"))


def test_different_paddings_at_the_ends_have_letters_of_their_own() -> None:
    layers = '[{ type = "conv2d", out_channels = 1, kernel_size = 3, stride = 2, padding = [[0, 1], [2, 2]] }]'
    text = str(archcalc.loads(f'name = "x"\ninputs.x = [1, 9, 9]\nlayers = {layers}').explain("conv2d"))
    assert "⌊(N + P + P′ − F)/S⌋ + 1 = ⌊(9 + 0 + 1 − 3)/2⌋ + 1 = 4" in text
    assert "⌊(N + 2·P − F)/S⌋ + 1 = ⌊(9 + 2·2 − 3)/2⌋ + 1 = 6" in text


def test_groups_and_dilation_have_steps_of_their_own() -> None:
    spec = """
    name = "x"
    inputs.i = [64, 32, 32]
    layers = [{ type = "conv2d", out_channels = 64, kernel_size = 3, dilation = 2, groups = 32 }]
    """
    text = str(archcalc.loads(spec).explain("conv2d"))
    assert "D·(F − 1) + 1 = 2·(3 − 1) + 1 = 5" in text
    assert "⌊C/G⌋ = ⌊64/32⌋ = 2" in text


def test_a_layer_of_a_thousand_inputs() -> None:
    names = ", ".join(f'"r.{number}"' for number in range(1_000))
    spec = f"""
    name = "x"
    inputs.i = [3, 8]
    layers = [{{ name = "r", type = "relu", repeat = 1_000 }}, {{ name = "m", type = "MERGE", inputs = [{names}] }}]
    """
    for merge in ("add", "mul", "cat"):
        network = archcalc.loads(spec.replace("MERGE", merge))
        text = str(network.explain("m"))
        assert max(map(len, text.splitlines()[3:])) < 200
        assert network.explain("m").value("output shape", "channels") == network.layers[-1].output_shape[0]


def test_unknown_number() -> None:
    with pytest.raises(
        archcalc.UsageError, match=r"nothing is explained as parameters/nope; known: output shape/channels"
    ):
        archcalc.load("lenet5").explain("C1").value("parameters", "nope")


def test_a_block_is_no_layer() -> None:
    with pytest.raises(
        archcalc.UsageError, match=r'"stage1" is a block; name one of its layers, such as "stage1\.conv"'
    ):
        archcalc.load("m5").receptive_field("stage1")


def test_a_block_is_the_sum_of_its_parts() -> None:
    network = archcalc.load("resnet50")
    found = network.explain("layer1")
    row = next(row for row in network.collapsed(1).layers if row.name == "layer1")
    assert found.value("parameters", "parameters") == row.parameters == 215_808
    assert found.value("macs", "macs") == row.macs
    assert str(found.sections[0].steps[0]) == "0 + 1 + 2 = 75,008 + 70,400 + 70,400 = 215,808"
    assert found.inputs == {"stem": (64, 56, 56)}


def test_the_network_is_the_sum_of_its_layers() -> None:
    """Where 61,706 comes from, as LeCun et al. count it layer by layer (without the S and RBF layers of 1998)."""
    found = archcalc.load("lenet5").explain()
    assert str(found.sections[0].steps[0]) == (
        "C1 + C3 + C5 + F6 + output = 156 + 2,416 + 48,120 + 10,164 + 850 = 61,706"
    )
    assert found.value("macs", "macs") == 416_520


def test_equal_parts_in_a_row_are_multiplied() -> None:
    layer = '{ name = "fc", type = "linear", out_features = 8, repeat = 12 }'
    found = archcalc.loads(f'name = "x"\ninputs.x = [8]\nlayers = [{layer}]').explain("fc")
    assert str(found.sections[0].steps[0]) == "0 + … + 11 = 12·72 = 864"


def test_the_products_of_attention_have_names() -> None:
    layer = '{ type = "multi_head_attention", num_heads = 4 }'
    found = archcalc.loads(f'name = "x"\ninputs.x = [16, 64]\nlayers = [{layer}]').explain("multi_head_attention")
    assert found.value("operations", "scores") == found.value("operations", "weighted sum") == 16 * 16 * 64
    assert found.value("operations", "query projection") == 16 * 64 * 64
    assert found.value("operations", "macs") == 4 * 16 * 64 * 64 + 2 * 16 * 16 * 64


def test_several_layers_and_patterns() -> None:
    names = [one.name for one in explain_several(archcalc.load("lenet5").context, ["C*", "F6", "C1"]).explanations]
    assert names == ["C1", "C3", "C5", "F6"]
    with pytest.raises(archcalc.UsageError, match=r'no layer is called "X\*"'):
        explain_several(archcalc.load("lenet5").context, ["X*"])


def test_unknown_layer() -> None:
    with pytest.raises(archcalc.UsageError, match='no layer is called "C11"; did you mean "C1"'):
        archcalc.load("lenet5").explain("C11")
