"""Measures the time of each layer in the forward pass, by hooks that place marks before and after it."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from archcalc.analysis.traffic import count_traffic
from archcalc.measured.benchmark import FEWEST, LayerTime, LayerTimes, describe
from archcalc.network import Network
from archcalc.numbers.bounds import times
from archcalc.pytorch.bench.clock import Clock
from archcalc.pytorch.bench.workload import Workload
from archcalc.pytorch.build import BuiltNetwork

LEAST, MOST = FEWEST, 200  # calls


def time_layers(network: Network, workload: Workload, dtype: str, clock: Clock, seconds: float) -> LayerTimes:
    """The times of every layer over several calls: as many as fit into `seconds`, at least LEAST."""
    calls: list[list[float]] = []
    with _hooks(workload.module, network, clock) as marks:
        for _ in range(3):
            _call(workload, clock, marks)
        start = time.perf_counter()
        while len(calls) < LEAST or (len(calls) < MOST and time.perf_counter() - start < seconds):
            calls.append(_call(workload, clock, marks))
    return LayerTimes(tuple(_rows(network, dtype, calls)), describe([*map(sum, calls)]))


@contextmanager
def _hooks(module: BuiltNetwork, network: Network, clock: Clock) -> Iterator[list[Any]]:
    """Within this context, every layer adds a mark when it begins and one when it ends."""
    marks: list[Any] = []
    with ExitStack() as handles:
        for node in network.graph.nodes:
            layer = module.get_submodule(node.name)
            before = layer.register_forward_pre_hook(lambda *_: marks.append(clock.mark()))
            handles.callback(before.remove)
            after = layer.register_forward_hook(lambda *_: marks.append(clock.mark()))
            handles.callback(after.remove)
        yield marks


def _call(workload: Workload, clock: Clock, marks: list[Any]) -> list[float]:
    """The seconds of each layer in one call, in the order of the graph."""
    marks.clear()
    clock.synchronize()
    workload.forward()
    clock.synchronize()
    return [clock.seconds(*pair) for pair in zip(marks[::2], marks[1::2], strict=True)]


def _rows(network: Network, dtype: str, calls: list[list[float]]) -> Iterator[LayerTime]:
    context = network.context
    traffic = count_traffic(context, dtype)
    for position, (node, *seconds) in enumerate(zip(network.graph.nodes, *calls, strict=True)):
        macs = context.operations[position].macs
        flops = times(2, macs)
        yield LayerTime(node.name, node.layer.type, describe(seconds), flops, traffic[position].total)
