"""Runs a benchmark: prepares cases, warms up, measures them in turns and makes rows, batch size by batch size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike, fspath
from typing import Any

import torch

from archcalc.errors import UsageError
from archcalc.loading import load
from archcalc.measured.benchmark import CONFIDENCE, FEWEST, Benchmark, MeasuredCase, Method
from archcalc.network import Network
from archcalc.pytorch import memory
from archcalc.pytorch.bench import sampling
from archcalc.pytorch.bench.case import OUT_OF_MEMORY, Case
from archcalc.pytorch.bench.clock import find_clock
from archcalc.pytorch.bench.contention import Contention
from archcalc.pytorch.bench.environment import describe_environment, load_average, session
from archcalc.pytorch.bench.options import Options, check
from archcalc.pytorch.bench.peak import measure_peak
from archcalc.pytorch.bench.sampling import Goal
from archcalc.pytorch.bench.workload import check_trainable

Progress = Callable[[int, int], None]  # the amount done, and the total

STEPS = 1000  # of the progress


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a benchmark. `result` holds the rows measured so far."""

    def __init__(self, result: Benchmark) -> None:
        super().__init__()
        self.result = result


def bench(
    specs: Sequence[str | PathLike[str] | Network],
    options: Options | None = None,
    *,
    variables: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Sequence[int]] | None = None,
    progress: Progress | None = None,
) -> Benchmark:
    """Time networks on a device; several are timed in turns, and compared with the first sample by sample.

    `specs` are arguments of `archcalc.load`, with its `variables` and `inputs`, or loaded networks. A case that runs
    out of memory, or that PyTorch refuses, has a row with the reason.

    Raises the errors of `load`; UsageError for invalid options, a device that is not available and a network without
    trainable parameters in training; Interrupted, with the rows so far, for Ctrl-C.
    """
    chosen = options or Options()
    device = check(chosen)
    if not specs:
        raise UsageError("there is no spec to time")
    networks = [_load(spec, variables, inputs, chosen.training) for spec in specs]
    if chosen.training:
        for network in networks:
            check_trainable(network)
    names = [spec.name if isinstance(spec, Network) else fspath(spec) for spec in specs]
    with session(chosen, device):
        return _Run(dict(zip(_unlike(names), networks, strict=True)), chosen, device, progress).run()


def _load(spec: Any, variables: Any, inputs: Any, training: bool) -> Network:
    if not isinstance(spec, Network):
        return load(spec, variables=variables, inputs=inputs, training=training)
    if variables or inputs:
        raise UsageError("a network that is loaded already takes no variables or inputs: give them to load")
    return spec


def _unlike(names: Sequence[str]) -> list[str]:
    """The names, with numbers added to repeated ones."""
    return [
        name if names.index(name) == place else f"{name} ({names[: place + 1].count(name)})"
        for place, name in enumerate(names)
    ]


class _Run:
    def __init__(
        self, networks: Mapping[str, Network], options: Options, device: torch.device, progress: Progress | None
    ) -> None:
        self.networks, self.options, self.device = networks, options, device
        self.progress = progress or (lambda _done, _all: None)
        self.goal = Goal(options.seconds)
        self.batches = [*dict.fromkeys(options.batches)]
        self.rows: list[MeasuredCase] = []

    def run(self) -> Benchmark:
        """Measure all batch sizes in order."""
        self.progress(0, STEPS)
        load = load_average()
        self.peak = measure_peak(self.options.dtypes, self.device, find_clock(self.device))
        # Read right after measuring the peak, so that a GPU's clocks are those under load.
        self.environment = describe_environment(self.device, load)
        try:
            for number, batch in enumerate(self.batches):
                self._batch(number, batch)
        except KeyboardInterrupt:
            raise Interrupted(self._result()) from None
        return self._result()

    def _result(self) -> Benchmark:
        chosen = self.options
        method = Method(
            mode=chosen.mode,
            seconds=chosen.seconds,
            precision=self.goal.precision,
            confidence=CONFIDENCE,
            compile=chosen.compile,
            channels_last=chosen.channels_last,
            cuda_graph=chosen.cuda_graph,
            flush_l2=chosen.flush_l2,
        )
        several = next(iter(self.networks)) if len(self.networks) > 1 else None
        return Benchmark(
            environment=self.environment,
            method=method,
            peak=self.peak,
            rows=tuple(self.rows),
            ratios_to=several,
        )

    def _batch(self, number: int, batch: int) -> None:
        cases = [
            Case(spec, Network(network.graph, batch), dtype, self.options, self.device)
            for dtype in dict.fromkeys(self.options.dtypes)
            for spec, network in self.networks.items()
        ]

        def progress(share: float) -> None:
            self.progress(round(STEPS * (number + share) / len(self.batches)), STEPS)

        try:
            self._measure(cases, progress)
            for place, case in enumerate(cases):
                if case.status == OUT_OF_MEMORY and len(cases) > 1:  # it may fit without the others
                    cases[place] = case.by_itself()
                    self._measure([cases[place]], progress)
        finally:
            self.rows += self._finished(cases)

    def _measure(self, cases: Sequence[Case], progress: Callable[[float], None]) -> None:
        """Measure cases in turns, then free their memory."""
        progress(0)
        try:
            self._take_turns(cases, progress)
        finally:
            for case in cases:
                case.workload = None
            memory.free(self.device)

    def _take_turns(self, cases: Sequence[Case], progress: Callable[[float], None]) -> None:
        ready = [case for case in cases if case.prepare(self.goal)]
        contention = Contention()
        if ready:
            sampling.alternate(ready, self.goal, progress)
        for case in ready:
            case.others = contention.cpus_of_others() if self.device.type == "cpu" else None
        for case in ready:
            if self.options.layers and not case.problem:
                case.time_layers(self.goal.seconds)

    def _finished(self, cases: Sequence[Case]) -> Iterator[MeasuredCase]:
        """The rows of measured and failed cases; after Ctrl-C, only of cases with enough samples."""
        for case in cases:
            if case.problem or len(case.samples) >= FEWEST:
                first = next(other for other in cases if other.dtype == case.dtype)
                yield case.row(self.goal, first)
