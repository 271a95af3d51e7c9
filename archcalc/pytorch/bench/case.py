"""A case: one spec at one batch size in one dtype, from the network to its row of results."""

from collections.abc import Callable

import torch

from archcalc.analysis.traffic import count_traffic
from archcalc.analysis.training import count_training
from archcalc.measured.benchmark import (
    FEWEST,
    Distribution,
    LayerTimes,
    MeasuredCase,
    Measurement,
    WarmUp,
    Work,
    describe,
)
from archcalc.network import Network
from archcalc.numbers.bounds import times, total
from archcalc.pytorch import memory
from archcalc.pytorch.bench import sampling
from archcalc.pytorch.bench.clock import find_clock, sample
from archcalc.pytorch.bench.contention import is_crowded
from archcalc.pytorch.bench.layers import time_layers
from archcalc.pytorch.bench.options import Options
from archcalc.pytorch.bench.sampling import Goal, Sample
from archcalc.pytorch.bench.workload import Workload, prepare

MEASURED = "measured"
OUT_OF_MEMORY = "out of memory"
FAILED = "failed"
# Errors of PyTorch for an operation that a layer, dtype or device does not support.
FAILURES = (RuntimeError, ValueError, TypeError, MemoryError, memory.OutOfMemoryError)


class Case:
    """A case and its results so far; `problem` is the reason why it cannot be measured, or empty."""

    def __init__(self, spec: str, network: Network, dtype: str, options: Options, device: torch.device) -> None:
        self.spec, self.network, self.dtype, self.options, self.device = spec, network, dtype, options, device
        self.clock = find_clock(device)
        self.samples: list[Sample] = []
        self.workload: Workload | None = None
        self.phases: tuple[str, ...] = ()
        self.compile_seconds: float | None = None
        self.peak_memory: int | None = None
        self.count, self.warm_up = 1, WarmUp(0, 0.0, stable=False)
        self.layers: LayerTimes | None = None
        self.layers_problem = ""
        self.others: float | None = None  # the average number of CPUs that other programs kept busy
        self.status, self.problem = MEASURED, ""
        self.alone = False  # measured separately, not in turns with the others

    def by_itself(self) -> "Case":
        """A fresh copy of the case, to be measured after the others."""
        case = Case(self.spec, self.network, self.dtype, self.options, self.device)
        case.alone = True
        return case

    def attempt(self, action: Callable[[], None]) -> bool:
        """Run an action; if PyTorch fails, note why, release all memory and return False."""
        self.status, self.problem = self._try(action)
        if self.problem:
            self.release()
        return not self.problem

    def _try(self, action: Callable[[], None]) -> tuple[str, str]:
        """The status and the reason of a failure, as text: the error itself would keep tensors alive."""
        try:
            with torch.inference_mode(not self.options.training):
                action()
        except FAILURES as error:
            status = OUT_OF_MEMORY if memory.is_out_of_memory(error) else FAILED
            return status, str(error).strip().partition("\n")[0] or type(error).__name__
        return MEASURED, ""

    def release(self) -> None:
        """Free the memory of the workload."""
        self.workload = None
        memory.free(self.device)

    def prepare(self, goal: Goal) -> bool:
        """Build the workload, run it and warm up; False if that fails."""
        return self.attempt(lambda: self._prepare(goal))

    def _prepare(self, goal: Goal) -> None:
        made = self.workload = prepare(self.network, self.dtype, self.options, self.device)
        # Copied, since the workload is released before the row is made.
        self.phases, self.compile_seconds, self.peak_memory = (*made.phases,), made.compile_seconds, made.peak_memory
        self.count, self.warm_up = sampling.warm_up(lambda count: sum(self._sample(count)), goal)

    def _sample(self, count: int) -> Sample:
        assert self.workload is not None
        flush = self._flush if self.options.flush_l2 else None
        return sample(self.clock, [*self.workload.phases.values()], count, flush)

    def _flush(self) -> None:
        """Overwrite the GPU's L2 cache with twice its size."""
        # Older versions of PyTorch do not report the size; few caches are larger than this.
        size = getattr(torch.cuda.get_device_properties(self.device), "L2_cache_size", 2**27)
        torch.empty(2 * size, dtype=torch.int8, device=self.device).zero_()

    def take(self) -> bool:
        """Take a sample; False if that fails."""
        return self.attempt(lambda: self.samples.append(self._sample(self.count)))

    def time_layers(self, seconds: float) -> None:
        """Time the layers as well; if that fails, the times of the whole call remain."""
        _, self.layers_problem = self._try(lambda: self._time_layers(seconds))

    def _time_layers(self, seconds: float) -> None:
        assert self.workload is not None
        self.layers = time_layers(self.network, self.workload, self.dtype, self.clock, seconds)

    def row(self, goal: Goal, first: "Case") -> MeasuredCase:
        """The row of results; `first` is the case to compare with."""
        network = self.network
        label = (self.spec, network.name, next(iter(network.graph.inputs)), network.batch, self.dtype)
        found = MeasuredCase(*label, self.status, self._work())
        if self.problem:
            return found._replace(problem=self.problem)
        return found._replace(measurement=self._measurement(goal), ratio=_ratio(self, first))

    def _work(self) -> Work:
        context, training = self.network.context, self.options.training
        moved = sum(row.total for row in count_traffic(context, self.dtype, training))
        names = [node.name for node in self.network.graph.nodes]
        counts = [*zip(names, (row.macs for row in context.operations), strict=True)]
        if training:
            counts = [(name, count) for name, row in zip(names, count_training(context), strict=True) for count in row]
        macs = total(counts)
        return Work(times(2, macs), moved)

    def _measurement(self, goal: Goal) -> Measurement:
        phases = zip(self.phases, zip(*self.samples, strict=True), strict=True)
        several = len(self.phases) > 1
        return Measurement(
            seconds=describe([*map(sum, self.samples)]),
            phases={name: describe(values) for name, values in phases} if several else {},
            calls_per_sample=self.count,
            warm_up=self.warm_up,
            reached=sampling.reached(self.samples, goal),
            compile_seconds=self.compile_seconds,
            peak_memory=self.peak_memory,
            layers=self.layers,
            layers_problem=self.layers_problem or None,
            cpus_of_others=self.others,
            crowded=is_crowded(self.others, torch.get_num_threads()),
        )


def _ratio(case: Case, first: Case) -> Distribution | None:
    """The ratio of each sample's time to that of the first case in the same round."""
    if case is first or case.alone or first.alone or first.problem:
        return None
    pairs = zip(case.samples, first.samples, strict=False)  # after Ctrl-C, one case may have one more sample
    ratios = [sum(one) / sum(other) for one, other in pairs]
    return describe(ratios) if len(ratios) >= FEWEST else None
