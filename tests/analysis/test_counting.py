"""Counting conventions: every tool's own number to the digit, and terms that add up.

`peer_counts.json` was made by running the tools on torchvision's networks; `peer_counts_more.json` by
`benchmarks/peer_counts.py`, which adds networks, a batch, and single layers of torch.nn, `peer_counts_random.json` on
random networks by `benchmarks/peer_counts_random.py`. Versions are inside.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from examples import EXAMPLES, Example

import archcalc
from archcalc.analysis.context import AnalysisContext
from archcalc.analysis.conventions import CONVENTIONS, Convention, Term
from archcalc.analysis.counting import QUANTITIES, ConventionCount, apply_convention
from archcalc.graph import Graph, Node
from archcalc.layers import LAYER_TYPES
from archcalc.numbers.bounds import AtLeast, AtMost, Cause, Unknown, known

DATA = Path(__file__).parent.parent / "data"
PEERS = json.loads((DATA / "peer_counts.json").read_text("utf-8"))
MORE = json.loads((DATA / "peer_counts_more.json").read_text("utf-8"))
RANDOM = json.loads((DATA / "peer_counts_random.json").read_text("utf-8"))
NETWORKS = [name for name in PEERS if name != "versions"]
SPECS = sorted(archcalc.shipped_specs())
TERMS = [term for convention in CONVENTIONS.values() for term in (*convention.terms, *convention.activations.terms)]

# What each tool's number is called in peer_counts.json.
PLACES = {
    "torch": ("torch.utils.flop_counter", "flops"),
    "torchinfo": ("torchinfo", "mult_adds"),
    "torchinfo activations": ("torchinfo", "output_bytes"),
    "fvcore": ("fvcore", "flops"),
    "fvcore activations": ("fvcore", "activations"),
    "timm": ("fvcore", "flops"),
    "timm activations": ("fvcore", "activations"),
    "ptflops": ("ptflops_pytorch", "macs"),
    "ptflops-aten": ("ptflops_aten", "macs"),
    "thop": ("thop", "macs"),
    "calflops": ("calflops", "flops"),
    "torchprofile": ("torchprofile", "macs"),
    "macs": ("calflops", "macs"),
}

load = cache(archcalc.load)


def read(network: archcalc.Network, what: str) -> ConventionCount:
    """archcalc's count for `fvcore`, or for `fvcore activations`."""
    name, _, activations = what.partition(" ")
    return network.count_activations(name) if activations else network.count(name)


# --- the tools -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", PLACES)
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_are_those_of_the_tool(name: str, what: str) -> None:
    tool, key = PLACES[what]
    assert read(load(name), what).total == PEERS[name][tool][key]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_number_in_torchvisions_metadata(name: str) -> None:
    assert round(load(name).count("torchvision").total / 10**9, 3) == PEERS[name]["torchvision_meta"]["giga_mult_adds"]


@pytest.mark.parametrize("name", NETWORKS)
def test_fvcores_parts_are_terms(name: str) -> None:
    parts = PEERS[name]["fvcore"]["by_operator"]
    terms = {term.label: term.value for term in load(name).count("fvcore").terms}
    assert terms["MACs"] == parts["conv"] + parts["linear"]
    assert terms["batch norm, 2 per value"] == parts.get("batch_norm", 0)
    assert terms["adaptive average pooling, 1 per value read"] == parts["adaptive_avg_pool2d"]


@pytest.mark.parametrize("name", NETWORKS)
def test_thop_ignores_the_parameters_of_auxiliary_heads(name: str) -> None:
    assert load(name).totals.parameters == PEERS[name]["thop"]["params"]
    assert load(name, training=True).totals.parameters == PEERS[name]["torchinfo"]["params"]


# Where a tool is wrong, and the mistake that a reading names.
DERIVED = "leaves out classes derived from nn.Conv3d, such as torchvision's in R3D"
ORDINARY = "counts a transposed convolution as an ordinary one"
MISTAKES = {
    "r3d_18": {"ptflops": DERIVED, "thop": DERIVED},
    "conv_transpose": {
        "torchinfo": ORDINARY,
        "thop": ORDINARY,
        "torchprofile": ORDINARY,
        "calflops": "gets the biases of a transposed convolution wrong, and its MACs if it has groups",
    },
    '"linear", out_features = 7 }] [5, 20]': {
        "torchinfo": "counts a dense layer over tokens as if there were one token"
    },
    'weights = "a"': dict.fromkeys(
        ("ptflops", "thop", "calflops"), "counts a shared module again for each other module that contains it"
    ),
    "scale_factor = 1.5": {
        "ptflops": "counts an upsampling by its scale factors, not by the whole sizes of its output"
    },
    "output_size = 5": {"thop": "may lose 1 in an adaptive pooling whose windows differ in size"},
    "size = [12, 7]": {"calflops": "counts the positions of a single map for an upsampling with a size"},
    "local_response_norm": {
        "ptflops": "also counts functions that are called inside of the layer",
        "calflops": "also counts functions that are called inside of the layer",
    },
    "multi_head_attention": {
        "torch": "leaves out the scores and the weighted sum of attention fused on a CPU",
        "torchinfo": "leaves out attention",
        "fvcore": "leaves out the scores and the weighted sum of fused attention",
        "fvcore activations": "leaves out the scores and the weighted sum of fused attention",
        "ptflops-aten": "leaves out the scores and the weighted sum of fused attention",
        "calflops": "leaves out the scores and the weighted sum of fused attention",
        "thop": "leaves out attention",
        "torchprofile": "counts four products of sizes in attention",
    },
}


def network_of(case: dict[str, Any]) -> archcalc.Network:
    given = f'{{ shape = {case["shape"]}, dtype = "{case["dtype"]}" }}'
    return archcalc.loads(f'name = "x"\ninputs.x = {given}\nlayers = {case["layers"]}')


def compare(case: str, network: archcalc.Network, counts: dict[str, int]) -> None:
    """Every count equals the tool's, or archcalc names the tool's mistake."""
    assert None not in counts.values()
    mistakes = {tool: why for part, found in MISTAKES.items() if part in case for tool, why in found.items()}
    readings = {what: read(network, what) for what in counts}
    wrong = {what for what, reading in readings.items() if reading.total != counts[what]}
    assert wrong <= set(mistakes)
    assert [what for what in wrong if mistakes[what] not in readings[what].tool_bugs] == []


@pytest.mark.parametrize("name", MORE["networks"])
def test_more_networks(name: str) -> None:
    compare(name, load(name), MORE["networks"][name])


@pytest.mark.parametrize("name", MORE["batch_of_two"])
def test_a_batch(name: str) -> None:
    compare(name, load(name, batch=2), MORE["batch_of_two"][name])


@pytest.mark.parametrize("case", MORE["layers"], ids=lambda case: f"{case['layers']} {case['shape']}")
def test_single_layers(case: dict[str, Any]) -> None:
    compare(f"{case['layers']} {case['shape']}", network_of(case), case["counts"])


@pytest.mark.parametrize("number", range(len(RANDOM["networks"])))
def test_random_networks(number: int) -> None:
    """Every count equals the tool's, unless archcalc names a mistake of the tool in the network."""
    case = RANDOM["networks"][number]
    network = archcalc.loads(case["text"], variables=case["variables"])
    readings = {what: (read(network, what), found) for what, found in case["counts"].items() if found is not None}
    wrong = {what for what, (reading, found) in readings.items() if reading.total != found}
    assert [what for what in wrong if not readings[what][0].tool_bugs] == []


def test_outputs_of_products() -> None:
    attention = single('type = "multi_head_attention", num_heads = 3', "[9, 12]").count_activations("fvcore")
    assert attention.total == 4 * 9 * 12 + 3 * 9 * 9 + 9 * 12  # projections, scores, weighted sum
    nodes = archcalc.loads(UNKNOWN.replace("edges = [5, 5]", "edges = { shape = [5, 5], nonzeros = 7 }"))
    assert nodes.count_activations("fvcore").total == 2 * 5 * 2


@pytest.mark.parametrize("what", MORE["layers"][0]["counts"])
def test_every_term_of_a_tool_is_tried(what: str) -> None:
    readings = [(read(network_of(case), what), case["counts"][what]) for case in MORE["layers"]]
    right = [reading for reading, count in readings if reading.total == count]
    tried = {term.label for reading in right for term in reading.terms if term.value}
    assert tried == {term.label for reading, _ in readings for term in reading.terms}


def test_every_listed_mistake_belongs_to_a_convention() -> None:
    text = json.dumps(MORE)
    assert [part for part in MISTAKES if json.dumps(part.split("] [")[0])[1:-1] not in text] == []
    listed = {found.mistake for convention in CONVENTIONS.values() for found in convention.tool_bugs}
    assert {why for found in MISTAKES.values() for why in found.values()} == listed


# --- sums ------------------------------------------------------------------------------------------------------------


def check_sums(reading: ConventionCount) -> None:
    assert isinstance(reading.total, int)
    assert reading.total == sum(known(term.value) or 0 for term in reading.terms)
    assert reading.total == sum(count for count in reading.layers if isinstance(count, int))


def check_own(network: AnalysisContext) -> None:
    """The terms of archcalc's own conventions add up to archcalc's numbers."""
    kinds = [operations.by_kind for operations in network.operations]
    macs = sum(found.get("macs", 0) for found in kinds)  # type: ignore[misc]
    everything = macs + sum(count for found in kinds for count in found.values())  # type: ignore[misc]
    links = sum(operations.connections for operations in network.operations)  # type: ignore[misc]
    readings = {name: apply_convention(network, CONVENTIONS[name]) for name in ("macs", "flops", "all", "connections")}
    found = {name: reading.total for name, reading in readings.items()}
    assert found == {"macs": macs, "flops": 2 * macs, "all": everything, "connections": links}


@pytest.mark.every_spec
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("spec", SPECS)
def test_terms_and_layers_add_up(spec: str, training: bool, batch: int) -> None:
    network = archcalc.load(spec, training=training, batch=batch)
    check_own(network.context)
    for name in CONVENTIONS:
        reading = network.count(name)
        check_sums(reading)
        assert reading.terms[0] == ("MACs", network.totals.macs)
        check_sums(network.count_activations(name))


def alone(example: Example, batch: int) -> AnalysisContext:
    """A network of a single layer."""
    inputs = {f"i{number}": tensor for number, tensor in enumerate(example.inputs)}
    node = Node("layer", example.layer, tuple(range(len(inputs))), (), (), None, True, False)
    document: Any = None
    return AnalysisContext(Graph(document, "x", None, {}, inputs, [node], (len(inputs),), {}, set(), (), ()), batch)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("example", EXAMPLES, ids=repr)
def test_every_layer_type_is_counted_whole(example: Example, batch: int) -> None:
    network = alone(example, batch)
    if any(operations.unknown for operations in network.operations):
        return  # covered by the test below
    check_own(network)
    for convention in CONVENTIONS.values():
        check_sums(apply_convention(network, convention))


# --- known facts about single conventions ----------------------------------------------------------------------------


def single(entry: str, shape: str = "[6, 9, 8]") -> archcalc.Network:
    return archcalc.loads(f'name = "x"\ninputs.x = {shape}\nlayers = [{{ {entry} }}]')


def test_a_call_of_a_function_counts_where_tools_see_it() -> None:
    module, call = (single(f'type = "adaptive_avg_pool2d", output_size = 1{more}') for more in ("", FUNCTIONAL))
    differing = {name for name in CONVENTIONS if module.count(name).total != call.count(name).total}
    assert differing == {"ptflops", "thop"}
    assert call.count("thop").total == 0
    assert 2 * call.count("ptflops").total == module.count("ptflops").total == 2 * 6 * 9 * 8


FUNCTIONAL = ", functional = true"


def test_connections_are_those_of_the_network() -> None:
    network = archcalc.load("lenet5_1998", batch=32)
    assert network.count("connections").total == 340_908  # LeCun et al. 1998
    terms = {term.label: term.value for term in network.count("connections").terms}
    assert terms["further samples of the batch"] == -31 * archcalc.load("lenet5_1998").totals.macs


def test_activations_are_the_values_that_layers_write() -> None:
    network = archcalc.load("lenet5", batch=2)
    written = 2 * (2 * 6 * 28 * 28 + 6 * 14 * 14 + 2 * 16 * 10 * 10 + 16 * 5 * 5 + 2 * 120 + 2 * 84 + 10)
    assert network.count_activations().total == written  # all but those of flatten
    assert network.count_activations().unit == "values"


UNKNOWN = """
name = "x"
inputs.nodes = [5, 3]
inputs.edges = [5, 5]
layers = [
  { name = "g", type = "gcn_conv", inputs = ["nodes", "edges"], out_features = 2 },
  { type = "batch_norm" },
]
"""


@pytest.mark.parametrize("name", CONVENTIONS)
def test_an_unknown_count_makes_the_total_a_lower_bound(name: str) -> None:
    network = archcalc.loads(UNKNOWN)
    reading, reason = network.count(name), "the adjacency input does not say its number of nonzeros at this size"
    assert reading.layers[0] == Unknown(reason)
    missing = (Cause(reason, ("g",)),)
    assert reading.terms[0] == ("MACs", AtLeast(0, missing))
    assert reading.total == AtLeast(sum(known(term.value) or 0 for term in reading.terms), missing)


def test_subtracting_an_unknown_term_keeps_the_bound() -> None:
    """Connections exclude the MACs of further samples: twice an unknown minus it once is still a lower bound."""
    known_adjacency = UNKNOWN.replace("[5, 5]", "{ shape = [5, 5], nonzeros = 13 }")
    reading, whole = (archcalc.loads(text, batch=3).count("connections") for text in (UNKNOWN, known_adjacency))
    terms = {term.label: term.value for term in reading.terms}
    assert isinstance(terms["further samples of the batch"], AtMost)
    assert isinstance(reading.total, AtLeast)
    assert isinstance(whole.total, int)
    assert reading.total.value <= whole.total


def test_a_convention_that_does_not_exist() -> None:
    with pytest.raises(archcalc.UsageError, match='no counting convention is called "fvcor"; did you mean "fvcore"'):
        load("lenet5").count("fvcor")
    with pytest.raises(archcalc.UsageError, match='called "z"; known: "all", "calflops"'):
        load("lenet5").count("z")


def test_a_network_without_a_fitting_layer_counts_zero() -> None:
    with pytest.raises(archcalc.ShapeError) as caught:
        single('type = "conv2d", out_channels = 4, kernel_size = 9')
    assert caught.value.network.count("ptflops").total == 0
    assert caught.value.network.count("ptflops").layers == ()


# --- the declarations ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=list(CONVENTIONS))
def test_every_convention_describes_itself(convention: Convention) -> None:
    assert convention.sentence.endswith(".")
    assert convention.unit in ("MACs", "FLOPs", "operations", "connections")
    assert convention.activations.unit in ("values", "bytes")
    assert convention.terms[0] == Term("MACs", "macs")
    own = convention.name in ("macs", "flops", "all")
    assert (convention.source is None) == own


def test_names_in_terms_exist() -> None:
    families = {layer.family for layer in LAYER_TYPES.values()}
    assert {term.quantity for term in TERMS} == set(QUANTITIES)
    tool_bugs = [found for convention in CONVENTIONS.values() for found in convention.tool_bugs]
    for selection in (*TERMS, *tool_bugs):
        assert [name for name in selection.of if name not in LAYER_TYPES and name not in families] == []
        for field in selection.where:
            assert [name for name in selection.of if field not in LAYER_TYPES[name].__struct_fields__] == []


def test_versions_are_those_of_the_data() -> None:
    versions = PEERS["versions"]
    for tool in ("torchinfo", "fvcore", "ptflops", "calflops", "torchprofile"):
        assert MORE["versions"][tool] == versions[tool]
        assert f"{tool} {versions[tool]}" in (CONVENTIONS[tool].source or "")
    assert MORE["versions"]["thop"] == versions["thop"]
    assert versions["thop"] in (CONVENTIONS["thop"].source or "")
    assert versions["torch"].startswith((CONVENTIONS["torch"].source or "").split()[-1])
    assert versions["torchvision"].startswith((CONVENTIONS["torchvision"].source or "").split()[-1])


@pytest.mark.parametrize(
    ("shape", "wrong"), [("[7]", False), ("[5, 7]", True), ("[3, 5, 7]", True), ("[4, 3, 5, 7]", True)]
)
def test_torchinfo_counts_one_row_of_a_dense_layer(shape: str, wrong: bool) -> None:
    """torchinfo 1.8.0 counts 2·7 + 2 mult-adds at every shape."""
    network = archcalc.loads(f'name = "x"\ninputs.x = {shape}\nlayers = [{{ type = "linear", out_features = 2 }}]')
    reading = network.count("torchinfo")
    assert (reading.total == 2 * 7 + 2) == (not wrong)
    assert bool(reading.tool_bugs) == wrong
