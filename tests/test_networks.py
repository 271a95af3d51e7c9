"""The generator of random networks uses the whole spec language, and failures shrink."""

import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from networks import Drawn, Wishes, network_of, networks
from networks.layers import FIELDS
from networks.values import ODD_NAMES

import archcalc
from archcalc.layers import LAYER_TYPES
from archcalc.spec.schema import ENTRY_KEYS, Block, Spec

COUNT = 700  # networks that are searched for every feature of the language


@cache
def drawn() -> list[Drawn]:
    return [found for seed in range(COUNT) if (found := network_of(seed))]


@cache
def loaded() -> list[archcalc.Network]:
    return [found.load() for found in drawn()]


def specs() -> Iterator[dict[str, Any]]:
    return (tomllib.loads(found.text) for found in drawn())


def entries(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from data["layers"]
    for block in data.get("blocks", {}).values():
        yield from block["layers"]


def test_every_number_gives_the_same_network_again() -> None:
    assert [network_of(seed) for seed in range(20)] == [network_of(seed) for seed in range(20)]
    assert len(drawn()) > 0.98 * COUNT


def test_every_layer_type_has_fields_of_its_own() -> None:
    assert FIELDS.keys() == LAYER_TYPES.keys()


def test_every_field_of_every_layer_type_is_drawn() -> None:
    """A new layer type or field fails here until the generator draws it."""
    seen = {(entry["type"], key) for data in specs() for entry in entries(data) for key in entry}
    wanted = {(name, field) for name, layer in LAYER_TYPES.items() for field in layer.__struct_fields__}
    rare = {(kind, field) for kind, field in wanted - seen if len(LAYER_TYPES[kind].__struct_fields__) > 2}
    assert wanted - seen == rare
    assert len(rare) < 12, rare
    fields = {field for _, field in wanted}
    assert fields <= {key for _, key in seen}


def test_every_key_of_the_language_is_drawn() -> None:
    keys = {key for data in specs() for entry in entries(data) for key in entry}
    assert keys >= set(ENTRY_KEYS)
    assert {key for data in specs() for key in data} >= set(Spec.__struct_fields__)
    blocks = {key for data in specs() for block in data.get("blocks", {}).values() for key in block}
    assert blocks == set(Block.__struct_fields__)


def count(what: str) -> int:
    return sum(what in found.text for found in drawn())


def reads_later(layers: list[dict[str, Any]]) -> bool:
    """Whether some entry is written before one that it reads."""
    places = {entry["name"]: place for place, entry in enumerate(layers) if "name" in entry}
    reads = (
        (place, name) for place, entry in enumerate(layers) for name in (entry.get("input"), *entry.get("inputs", ()))
    )
    return any(places.get(name, -1) > place for place, name in reads)


def test_every_way_of_writing_is_drawn_often() -> None:
    """Specs without these features find no faults."""
    inner = Counter[str]()
    for data in specs():
        blocks = data.get("blocks", {})
        repeated = {name for name, block in blocks.items() if any("repeat" in entry for entry in block["layers"])}
        for entry in entries(data):
            inner["repeat in a repeated block"] += entry["type"] in repeated and "repeat" in entry
            inner["blocks in blocks"] += entry["type"] in blocks and entry not in data["layers"]
            inner["shared blocks"] += entry["type"] in blocks and "weights" in entry
            inner["frozen blocks"] += entry["type"] in blocks and "trainable" in entry
            inner["blocks left out"] += entry["type"] in blocks and "when" in entry
            inner["values by index"] += entry["type"] in blocks and "[index]" in str(entry)
    assert min(inner[what] for what in ("repeat in a repeated block", "frozen blocks", "blocks left out")) > 5, inner
    assert min(inner[what] for what in ("blocks in blocks", "shared blocks", "values by index")) > 10, inner
    assert count("[index]") > COUNT // 50
    assert count(" if ") > COUNT // 10
    ranks = Counter(len(shape) for network in loaded() for shape in network.inputs.values())
    assert min(ranks[rank] for rank in (1, 2, 3, 4)) > COUNT // 20
    assert sum(len(network.inputs) > 1 for network in loaded()) > COUNT // 5
    assert sum(len(network.outputs) > 1 for network in loaded()) > COUNT // 10
    assert sum(found.training for found in drawn()) > COUNT // 8
    assert sum(bool(found.variables) for found in drawn()) > COUNT // 20
    assert sum(entry["type"] == "add" and "inplace" in entry for data in specs() for entry in entries(data)) > 20
    assert count("] + ") + count(" + [") > COUNT // 50
    dtypes = Counter(tensor.dtype for network in loaded() for tensor in network.graph.inputs.values())
    assert len(dtypes) == 6, dtypes
    assert sum(reads_later(data["layers"]) for data in specs()) > COUNT // 50
    names = {node.name for network in loaded() for node in network.graph.nodes}
    assert len(names & set(ODD_NAMES)) > len(ODD_NAMES) // 2


def test_networks_of_a_kind() -> None:
    wishes = Wishes(frozenset({"conv2d", "max_pool2d", "add"}), inputs=("map2d",), language=False, dtypes=False)
    for seed in range(30):
        found = network_of(seed, wishes)
        assert found is not None
        types = {row.type for row in found.load().layers}
        assert types <= {"conv2d", "max_pool2d", "add", "identity"}
        assert "blocks" not in found.text


def test_hypothesis_draws_specs_that_load() -> None:
    @settings(max_examples=20, phases=[Phase.generate])
    @given(networks())
    def check(found: Drawn) -> None:
        assert found.load().layers is not None

    check()


@pytest.mark.slow
def test_failures_shrink() -> None:
    def fails(found: Drawn) -> bool:
        return any(row.type.startswith("conv") for row in found.load().layers)

    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    wishes = Wishes(layers=4, language=False)
    options = settings(max_examples=50, suppress_health_check=quiet)
    found = find(networks(wishes), fails, settings=options)
    assert len(found.load().layers) == 1
