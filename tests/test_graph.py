"""Edges are found by name, layers are ordered, and errors of both are reported."""

import contextlib
import gc
import time
from collections.abc import Callable

import pytest

from archcalc.errors import SpecError
from archcalc.graph import Graph, connect
from archcalc.spec.document import parse
from archcalc.spec.expansion import expand

HEAD = 'name = "small"\ninputs.image = [3]\n'


def graph(layers: str, rest: str = "", head: str = HEAD) -> Graph:
    document = parse(f"{head}layers = [\n{layers}\n]\n{rest}")
    return connect(document, expand(document, {}, {}, training=False))


def relu(name: str, *inputs: str) -> str:
    kind = "add" if len(inputs) > 1 else "relu"
    reads = f", inputs = {[*inputs]}".replace("'", '"') if inputs else ""
    return f'{{ name = "{name}", type = "{kind}"{reads} }},'


def order(*layers: str) -> list[str]:
    return [node.name for node in graph("\n".join(layers)).nodes]


def errors(*layers: str, rest: str = "") -> list[str]:
    with pytest.raises(SpecError, match=r"^error: ") as caught:
        graph("\n".join(layers), rest)
    return [str(diagnostic) for diagnostic in caught.value.diagnostics]


def test_the_order_is_that_of_the_spec() -> None:
    assert order(relu("c"), relu("a"), relu("b", "c", "a")) == ["c", "a", "b"]


def test_a_layer_that_reads_a_later_one_waits_for_it() -> None:
    assert order(relu("a", "c"), relu("b", "image"), relu("c", "image"), relu("d", "a")) == ["b", "c", "a", "d"]


def test_edges_have_numbers() -> None:
    found = graph(
        f"{relu('a')}\n{relu('b', 'a', 'image', 'a')}", head='name = "x"\ninputs.image = [3]\noutputs = ["a", "b"]\n'
    )
    assert [*found.inputs, *(node.name for node in found.nodes)] == ["image", "a", "b"]
    assert [node.sources for node in found.nodes] == [(0,), (1, 0, 1)]
    assert found.outputs == (1, 2)


def test_owners_are_at_the_end_of_a_chain_of_shared_weights() -> None:
    layers = """
  { name = "a", type = "prelu", weights = "b" },
  { name = "b", type = "prelu", weights = "c" },
  { name = "c", type = "prelu" },
"""
    assert [node.owner for node in graph(layers).nodes] == [2, 2, None]


def test_every_node_knows_where_it_is_written_and_in_which_blocks() -> None:
    blocks = (
        '[blocks.outer]\nlayers = [{ type = "relu" }, { type = "inner" }]\n[blocks.inner]\nlayers = [{ type = "tanh" }]'
    )
    nodes = graph('{ name = "x", type = "outer" }', blocks).nodes
    assert [node.name for node in nodes] == ["x.relu", "x.inner.tanh"]
    assert [node.path for node in nodes] == [("blocks", "outer", "layers", 0), ("blocks", "inner", "layers", 0)]
    assert [[(instance.name, instance.block) for instance in node.instances] for node in nodes] == [
        [("x", "outer")],
        [("x", "outer"), ("x.inner", "inner")],
    ]


# errors


def test_a_cycle() -> None:
    (text,) = errors(relu("a", "c"), relu("b"), relu("c"), relu("d"))
    assert text.split("\n") == [
        'error: layers read each other in a cycle: "a" → "b" → "c" → "a"',
        "  ┌ <string>:4",
        f"  │ {relu('a', 'c')}",
        "  help: change one of their inputs",
    ]


def test_a_layer_that_reads_itself() -> None:
    (text,) = errors(relu("a", "a"))
    assert 'in a cycle: "a" → "a"' in text


def test_every_cycle_is_reported_once() -> None:
    found = errors(
        relu("start"),
        relu("a", "b"),
        relu("b"),
        relu("c", "a"),
        relu("d", "e"),
        relu("e"),
        relu("f", "d", "f"),
        relu("g"),
    )
    assert [text.split("\n")[0].removeprefix("error: layers read each other in a cycle: ") for text in found] == [
        '"a" → "b" → "a"',
        '"d" → "e" → "d"',
        '"f" → "f"',
    ]


def test_a_long_cycle_is_shortened() -> None:
    (text,) = errors(relu("l0", "l99"), *(relu(f"l{i}") for i in range(1, 100)))
    assert '"l0" → "l1" → "l2"' in text
    assert '→ … → "l96" → "l97" → "l98" → "l99" → "l0"' in text


def test_a_cycle_through_blocks() -> None:
    block = '[blocks.b]\ninputs = ["x", "y"]\nlayers = [{ name = "sum", type = "add", inputs = ["x", "y"] }]'
    (text,) = errors('{ name = "b", type = "b", inputs = ["image", "after"] },', relu("after"), rest=block)
    assert 'in a cycle: "b.sum" → "after" → "b.sum"' in text


def test_a_cycle_of_left_out_entries() -> None:
    found = errors(
        '{ name = "a", type = "relu", input = "b", when = false },',
        '{ name = "b", type = "relu", input = "a", when = false },',
        relu("c", "a"),
    )
    assert found[0].startswith('error: "a" is read in a cycle of entries left out')
    assert len(found) == 1


def test_an_unknown_edge() -> None:
    (text,) = errors(relu("first"), relu("second", "frist"))
    assert text.split("\n") == [
        'error: no layer or input is called "frist"',
        "  ┌ <string>:5",
        f"  │ {relu('second', 'frist')}",
        '  help: did you mean "first"?',
    ]


BLOCK = "[blocks.block]\nlayers = [{ type = 'relu' }]"


@pytest.mark.parametrize(
    ("layer", "rest", "message", "remedy"),
    [
        (relu("b", "a", "imgae"), "", '"imgae"', 'did you mean "image"?'),
        ('{ type = "prelu", weights = "aa" }', "", '"aa"', 'did you mean "a"?'),
        (relu("b", "zzzzzz"), "", '"zzzzzz"', 'known: "a", "image"'),
        ('{ name = "x", type = "block" }', BLOCK.replace("relu", "relu', input = 'inptu"), '"inptu"', 'mean "input"?'),
        ('{ name = "x", type = "block" }, { type = "tanh", input = "x.rely" }', BLOCK, '"x.rely"', 'mean "x.relu"?'),
    ],
)
def test_unknown_edges_suggest_the_nearest(layer: str, rest: str, message: str, remedy: str) -> None:
    (text,) = errors(relu("a"), layer, rest=rest)
    assert f"is called {message}" in text
    assert remedy in text.split("help: ")[1]


def test_an_unknown_output() -> None:
    with pytest.raises(SpecError, match='no layer or input is called "b"'):
        graph(relu("a"), head=f'{HEAD}outputs = ["a", "b"]\n')


def test_edges_cycles_and_fields_are_reported_together() -> None:
    found = errors(relu("a", "nowhere"), relu("b", "b"), '{ name = "c", type = "linear" },', relu("d", "c"))
    assert [text.split("\n")[0] for text in found] == [
        'error: no layer or input is called "nowhere"',
        'error: layers read each other in a cycle: "b" → "b"',
        "error: out_features is missing",
    ]


def test_an_unknown_edge_in_copies_is_reported_once() -> None:
    (text,) = errors('{ name = "a", type = "add", inputs = ["image", "b"], repeat = 100 },')
    assert 'no layer or input is called "b"' in text


# many layers


def chain(count: int) -> str:
    return "\n".join(relu(f"l{i}") for i in range(count))


def residual(count: int) -> str:
    return "\n".join([relu("l0"), relu("l1"), *(relu(f"l{i}", f"l{i - 1}", f"l{i - 2}") for i in range(2, count))])


def backwards(count: int) -> str:
    return "\n".join([*(relu(f"l{i}", f"l{i + 1}") for i in range(count)), relu(f"l{count}", "image")])


def shared(count: int) -> str:
    weights = (f'{{ name = "l{i}", type = "prelu", weights = "l{i - 1}" }},' for i in range(1, count))
    return "\n".join(['{ name = "l0", type = "prelu" },', *weights])


def left_out(count: int) -> str:
    skipped = f'{{ name = "a", type = "relu", when = false, repeat = {count // 2} }},'
    return "\n".join([skipped, *(relu(f"l{i}", "a") for i in range(count // 2))])


def circular(count: int) -> str:
    return "\n".join([relu("l0", f"l{count - 1}"), *(relu(f"l{i}") for i in range(1, count))])


def misread(count: int) -> str:
    return "\n".join(relu(f"l{i}", f"x{i}") for i in range(count))


def seconds(layers: str) -> float:
    """The shorter of two times, without garbage collection, whose time depends on other objects of the process."""
    document = parse(f"{HEAD}layers = [\n{layers}\n]\n")
    times = []
    gc.disable()
    for _ in range(2):
        start = time.process_time()
        with contextlib.suppress(SpecError):
            connect(document, expand(document, {}, {}, training=False))
        times.append(time.process_time() - start)
    gc.enable()
    return min(times)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [chain, residual, backwards, shared, left_out, circular, misread])
def test_twice_the_layers_take_twice_the_time(shape: Callable[[int], str]) -> None:
    few, many = seconds(shape(5_000)), seconds(shape(20_000))
    # Four times as many layers; quadratic work would take sixteen times as long.
    assert many < 8 * few + 0.2
    assert many < 8
