"""Counts of other tools for random networks of PyTorch's own layers; the first are stored for the tests.

    python benchmarks/peer_counts_random.py 0:2000 --keep 60 > tests/data/peer_counts_random.json

Run it in the environment of `peer_counts.py`, with archcalc, and with `tests` on the path. A number is a network, which
archcalc exports as PyTorch source. Networks that tools cannot run or see as they are are left out: those with several
inputs or another dtype, with archcalc's own modules, with calls of functions, or with layers that no output needs,
which tracing tools skip. A count that differs from archcalc's without a departure that it names is printed.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

from networks import Drawn, network_of
from peer_counts import TOOLS, count
from torch import nn

import archcalc
from archcalc.export.copied import module_source


def is_fair(network: archcalc.Network) -> bool:
    """Whether every tool can run the network, and sees all of it."""
    graph, live = network.graph, set(network.graph.outputs)
    for position in reversed(range(len(graph.nodes))):
        if network.context.edge(position) in live:
            live.update(graph.nodes[position].sources)
    (tensor, *others) = graph.inputs.values()
    plain = not others and tensor.dtype == "float32" and tensor.nonzeros is None
    whole = all(network.context.edge(position) in live for position in range(len(graph.nodes)))
    return bool(plain and whole and graph.nodes and not any(node.functional for node in graph.nodes))


def module_class(source: str) -> type[nn.Module] | None:
    """The class of the network; None if it takes arguments, or needs archcalc's own modules."""
    if any(f"class {name}(" in source for name in module_source().names):
        return None
    names: dict[str, Any] = {}
    exec(compile(source, "network.py", "exec"), names)
    *_, found = (value for value in names.values() if isinstance(value, type) and issubclass(value, nn.Module))
    try:
        found()
    except TypeError:
        return None
    return found


def networks(seeds: range) -> Iterator[tuple[int, Drawn, archcalc.Network, type[nn.Module]]]:
    for seed in seeds:
        drawn = network_of(seed)
        if drawn is None or drawn.training:
            continue
        network = drawn.load(batch=1)
        if is_fair(network) and (made := module_class(network.to_source())):
            yield seed, drawn, network, made


def read(network: archcalc.Network, what: str) -> Any:
    """archcalc's count for `fvcore`, or for `fvcore activations`."""
    name, _, activations = what.partition(" ")
    return network.count_activations(name) if activations else network.count(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("seeds", help="first:end")
    parser.add_argument("--keep", type=int, default=60, help="networks that are printed as JSON")
    arguments = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")
    kept, compared, wrong = [], 0, 0
    for seed, drawn, network, made in networks(range(*map(int, arguments.seeds.split(":")))):
        (tensor,) = network.graph.inputs.values()
        with contextlib.redirect_stderr(io.StringIO()):
            counts = count(made, tensor.shape)
        readings = {what: read(network, what) for what in counts}
        compared += len(counts)
        for what, found in counts.items():
            if found is not None and readings[what].total != found and not readings[what].tool_bugs:
                wrong += 1
                print(f"{seed}: {what} counts {found}, archcalc {readings[what].total}", file=sys.stderr)
        if len(kept) < arguments.keep:
            kept.append({"text": drawn.text, "variables": dict(drawn.variables), "counts": counts})
    print(f"{compared:,} counts compared, {wrong:,} differ without a departure", file=sys.stderr)
    print(json.dumps({"versions": {tool: version(tool) for tool in TOOLS}, "networks": kept}, indent=1))


if __name__ == "__main__":
    main()
