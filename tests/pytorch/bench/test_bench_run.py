"""Networks timed on the CPU, as briefly as possible; and everything that can go wrong."""

import functools
import gc
import json
import math
import os
import time
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from written import written

import archcalc
from archcalc.errors import UsageError
from archcalc.measured.benchmark import FEWEST, Benchmark, MatrixPeak, Peak
from archcalc.pytorch import memory
from archcalc.pytorch.bench import Interrupted, Options, bench, contention, run, sampling, workload
from archcalc.pytorch.bench import case as cases
from archcalc.pytorch.bench.clock import CpuClock
from archcalc.pytorch.bench.environment import session

DENSE = """
name = "dense"
inputs.x = [64]
layers = [
  { name = "fc1", type = "linear", out_features = 32 }, { type = "relu" },
  { name = "fc2", type = "linear", out_features = 8 },
]
"""
MIXED = """
name = "mixed"
inputs = { x = [2, 4, 4], y = [2, 4, 4, 4] }
outputs = ["conv1", "conv2"]
layers = [
  { name = "conv1", type = "conv2d", out_channels = 3, kernel_size = 2, input = "x" },
  { name = "conv2", type = "conv3d", out_channels = 3, kernel_size = 2, input = "y" },
]
"""
NORMED = 'name = "normed"\ninputs.x = [8]\nlayers = [{ type = "batch_norm" }]'
# Two threads would wait for each other, and so for other programs.
SHORT = Options(seconds=0.05, threads=1)


@pytest.fixture(autouse=True, scope="module")
def _time_of_this_thread() -> Iterator[None]:
    """Tests time this thread alone, not other programs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CpuClock, "mark", lambda _self: time.thread_time())
        yield


@pytest.fixture(autouse=True)
def _quick_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Measuring the peak takes a second; one test does it."""
    found = Peak(dict.fromkeys(("float32", "bfloat16", "float64"), MatrixPeak(1e9, 512)), 1e9, 2**20)
    monkeypatch.setattr(run, "measure_peak", lambda *_: found)


def dense(**options: Any) -> archcalc.Network:
    return archcalc.loads(DENSE, **options)


def rows(*specs: str, **options: Any) -> list[dict[str, Any]]:
    """The rows of a benchmark as JSON has them."""
    networks = [archcalc.loads(spec, training=options.get("mode") == "training") for spec in specs]
    found: list[dict[str, Any]] = json.loads(json.dumps(bench(networks, SHORT._replace(**options)).to_dict()))["rows"]
    return found


@pytest.fixture(scope="module")
def found() -> Benchmark:
    patch = pytest.MonkeyPatch()
    with patch.context() as patched:
        peak = Peak({"float32": MatrixPeak(1e9, 512)}, 1e9, 2**20)
        patched.setattr(run, "measure_peak", lambda *_: peak)
        return bench([dense(), "lenet5"], SHORT._replace(batches=(1, 8), layers=True))


# --- the results of a benchmark --------------------------------------------------------------------------------------


def test_there_is_a_row_for_every_spec_and_batch(found: Benchmark) -> None:
    assert [(row.spec, row.batch) for row in found.rows] == [("dense", 1), ("lenet5", 1), ("dense", 8), ("lenet5", 8)]
    assert {row.status for row in found.rows} == {"measured"}


def test_quantiles_are_positive_and_in_order(found: Benchmark) -> None:
    for row in found.to_dict()["rows"]:
        times = row["seconds"]
        assert 0 < min(times["values"]) <= times["q1"] <= times["median"] <= times["q3"] <= max(times["values"]) < 1
        assert times["q1"] <= times["ci_high"]
        assert times["ci_low"] <= times["median"] <= times["ci_high"]
        assert times["samples"] == len(times["values"]) >= FEWEST
        assert row["goal_reached"] == (row["precision"] <= found.method.precision)


def test_rates_follow_from_the_median(found: Benchmark) -> None:
    for row, spec in zip(found.to_dict()["rows"], [dense(), archcalc.load("lenet5")] * 2, strict=True):
        median = row["seconds"]["median"]
        assert row["flops"] == spec.totals.flops * row["batch"]
        assert row["flops_per_second"] == row["flops"] / median
        assert row["inputs_per_second"] == row["batch"] / median
        assert row["bytes_per_second"] == row["bytes_moved"] / median
        assert row["intensity"] == row["flops"] / row["bytes_moved"]
        assert row["share_of_peak_flops"] == row["flops_per_second"] / 1e9
        assert row["share_of_peak_copy"] == row["bytes_per_second"] / 1e9


def test_specs_are_compared_pair_by_pair(found: Benchmark) -> None:
    assert found.ratios_to == "dense"
    for first, second in zip(found.rows[::2], found.rows[1::2], strict=True):
        assert first.ratio is None
        assert first.measurement is not None
        assert second.measurement is not None
        pairs = zip(second.measurement.seconds.values, first.measurement.seconds.values, strict=True)
        assert second.ratio is not None
        assert second.ratio.values == pytest.approx([one / other for one, other in pairs])
        assert second.ratio.median > 1


def test_layers_are_timed_and_their_sum_is_near_the_whole(found: Benchmark) -> None:
    row = found.to_dict()["rows"][1]
    layers = row["layers"]["layers"]
    assert [layer["name"] for layer in layers] == [layer.name for layer in archcalc.load("lenet5").layers]
    assert sum(layer["flops"] for layer in layers) == row["flops"]
    assert sum(layer["bytes_moved"] for layer in layers) == row["bytes_moved"]
    by_call = zip(*(layer["seconds"]["values"] for layer in layers), strict=True)
    assert row["layers"]["sum"]["values"] == pytest.approx([*map(sum, by_call)])
    assert 0.2 < row["layers"]["sum"]["median"] / row["seconds"]["median"] < 5


def test_the_environment_describes_the_machine(found: Benchmark) -> None:
    environment = found.environment
    assert environment.device == "cpu"
    assert environment.device_name.strip()
    assert environment.threads == 1
    assert environment.versions["torch"] == torch.__version__
    assert environment.clocks == {}
    assert environment.settings["cpu_capability"]


def test_the_parts_of_training_add_up() -> None:
    (row,) = rows(DENSE, mode="training", batches=(4,))
    parts = [phase["values"] for phase in row["phases"].values()]
    assert [*row["phases"]] == ["forward", "backward", "step"]
    assert row["seconds"]["values"] == pytest.approx([sum(values) for values in zip(*parts, strict=True)])
    forward, behind_input = 2 * 4 * (64 * 32 + 32 * 8), 2 * 4 * 32 * 8
    assert row["flops"] == forward + forward + behind_input


def test_weights_stay_as_they_are_in_training() -> None:
    network = dense(training=True, batch=4)
    made = workload.prepare(network, "float32", Options(mode="training"), torch.device("cpu"))
    before = [parameter.clone() for parameter in made.module.parameters()]
    for step in made.phases.values():
        step()
    for parameter, old in zip(made.module.parameters(), before, strict=True):
        torch.testing.assert_close(parameter, old)
        assert parameter.grad is None


def test_an_unknown_count_makes_a_lower_bound() -> None:
    graph = """
    name = "graph"
    inputs = { x = [4, 3], a = [4, 4] }
    layers = [{ name = "g", type = "gcn_conv", inputs = ["x", "a"], out_features = 2 }]
    """
    (row,) = rows(graph)
    assert row["flops"] == 0
    assert "number of nonzeros" in row["flops_lower_bound"]


def test_a_spec_may_be_compared_with_itself() -> None:
    result = bench([dense(), dense(), "lenet5"], SHORT)
    assert [row.spec for row in result.rows] == ["dense", "dense (2)", "lenet5"]
    ratio = result.rows[1].ratio
    assert ratio is not None
    assert 0.5 < ratio.median < 2


def test_dtypes_take_turns_and_are_compared_within_themselves() -> None:
    result = rows(DENSE, DENSE, dtypes=("float32", "float64", "float32"))
    assert [row["dtype"] for row in result] == ["float32", "float32", "float64", "float64"]
    assert [row["ratio"] is None for row in result] == [True, False, True, False]
    assert len({row["seconds"]["samples"] for row in result}) == 1
    assert result[2]["bytes_moved"] == 2 * result[0]["bytes_moved"]


def test_channels_last_reaches_weights_and_inputs() -> None:
    chosen, device = Options(channels_last=True), torch.device("cpu")
    for network, form in (
        (archcalc.load("mnist_cnn"), torch.channels_last),
        (archcalc.loads(MIXED), torch.channels_last_3d),
    ):
        weight = workload.prepare(network, "float32", chosen, device).module.get_submodule("conv2").weight
        assert isinstance(weight, torch.Tensor)
        assert weight.is_contiguous(memory_format=form)
        assert not weight.is_contiguous()


def test_memory_is_measured_before_a_graph_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    log: list[str] = []
    real = {name: getattr(workload, name) for name in ("build", "random_inputs")}
    on_cpu = {
        "build": lambda network, _device, dtype: real["build"](network, "cpu", dtype),
        "random_inputs": lambda network, batch, _device, dtype: real["random_inputs"](network, batch, "cpu", dtype),
        "_timed": lambda *_: 0.0,
        "_peak_memory": lambda steps, _before: log.extend(steps) or 1,
        "_recorded": lambda _steps: log.append("recorded"),
    }
    for name, function in on_cpu.items():
        monkeypatch.setattr(workload, name, function)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 0)
    made = workload.prepare(dense(), "float32", Options(cuda_graph=True), torch.device("cuda"))
    assert log == ["forward", "recorded"]
    assert ([*made.phases], made.peak_memory) == (["replay"], 1)


@pytest.mark.slow
def test_compiled_networks_have_a_function_each(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs: list[Any] = []

    def backend(graph: Any, _inputs: Any) -> Any:
        graphs.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", functools.partial(torch.compile, backend=backend))
    # More than the eight compiled forms that PyTorch keeps of a function; a further one would run uncompiled.
    result = rows(*[DENSE] * 10, compile=True, seconds=0.01)
    assert len(graphs) == 10
    assert all(row["compile_seconds"] > 0 for row in result)


def test_settings_are_put_back() -> None:
    def current() -> tuple[Any, ...]:
        return (
            torch.get_num_threads(),
            torch.backends.cudnn.benchmark,
            gc.isenabled(),
            torch.is_inference_mode_enabled(),
        )

    before = current()
    with session(Options(threads=1), torch.device("cpu")):
        assert current()[:3] == (1, True, False)
    assert current() == before
    assert bench([dense()], SHORT._replace(threads=1)).environment.threads == 1
    assert current() == before


def test_the_peak_is_measured() -> None:
    from archcalc.pytorch.bench.clock import find_clock
    from archcalc.pytorch.bench.peak import measure_peak

    device = torch.device("cpu")
    peak = measure_peak(("float32",), device, find_clock(device), seconds=0.02)
    assert 1e8 < (peak.products["float32"].flops_per_second or 0) < 1e15
    assert 1e8 < (peak.copy_bytes_per_second or 0) < 1e13


def test_other_programs_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    read = iter([(100.0, 10.0, 50.0), (118.0, 16.0, 54.0)])
    monkeypatch.setattr(contention, "_times", lambda: next(read))
    # In 4 seconds, 18 s of CPU time, 6 s of them our own.
    assert contention.Contention().cpus_of_others() == (18 - 6) / 4
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    crowded = {
        (others, threads): contention.is_crowded(others, threads) for others in (0.1, 3, None) for threads in (1, 4)
    }
    assert [key for key, value in crowded.items() if value] == [(3, 4)]


def test_unknown_load_is_not_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contention, "_times", lambda: None)
    (row,) = rows(DENSE)
    assert (row["cpus_of_others"], row["crowded"]) == (None, False)


@pytest.mark.skipif(not os.path.exists("/proc/stat"), reason="Linux tells it")
def test_linux_reports_its_load() -> None:
    watched = contention.Contention()
    time.sleep(0.2)
    others = watched.cpus_of_others()
    assert others is not None
    assert 0 <= others <= (os.cpu_count() or 1) + 0.5


# --- what goes wrong -------------------------------------------------------------------------------------------------

OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 4 bytes."),
    RuntimeError("MPS backend out of memory"),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    MemoryError(),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_errors_that_mean_out_of_memory(error: Exception) -> None:
    assert memory.is_out_of_memory(error)
    assert not memory.is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


@pytest.mark.parametrize("error", [OUT_OF_MEMORY[0], OUT_OF_MEMORY[-1]])
def test_out_of_memory_is_a_row(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = workload.prepare

    def prepare(network: archcalc.Network, *others: Any) -> Any:
        if network.batch == 64:
            raise error
        return real(network, *others)

    monkeypatch.setattr(cases, "prepare", prepare)
    result = rows(DENSE, batches=(1, 64, 8))
    assert [(row["batch"], row["status"]) for row in result] == [
        (1, "measured"),
        (64, "out of memory"),
        (8, "measured"),
    ]
    assert result[1]["seconds"] is None
    assert result[1]["problem"] == (str(error).partition("\n")[0] or "MemoryError")
    assert result[1]["flops"] == 64 * dense().totals.flops


def test_memory_that_runs_out_later_is_a_row_too(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[cases.Case] = []
    real = cases.Case._sample

    def fail(case: cases.Case, count: int) -> Any:
        if case.spec == "normed":
            taken.append(case)
            if len(taken) % 30 == 0:
                raise torch.OutOfMemoryError("CUDA out of memory")
        return real(case, count)

    monkeypatch.setattr(cases.Case, "_sample", fail)
    result = rows(DENSE, NORMED, seconds=0.5)
    assert [row["status"] for row in result] == ["measured", "out of memory"]
    assert {case.alone for case in taken} == {False, True}
    assert all(case.workload is None for case in taken)


def test_a_case_without_memory_beside_others_runs_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = workload.prepare, []
    made: list[weakref.ref[Any]] = []

    def prepare(network: archcalc.Network, *others: Any) -> Any:
        if network.name == "dense" and not refused:
            refused.append(network)
            raise torch.OutOfMemoryError("CUDA out of memory")
        if network.name == "dense":
            assert [reference() for reference in made] == [None]  # the other network is gone
        found = real(network, *others)
        made.append(weakref.ref(found.module))
        return found

    monkeypatch.setattr(cases, "prepare", prepare)
    result = rows(DENSE, NORMED)
    assert [row["status"] for row in result] == ["measured", "measured"]
    assert [row["ratio"] for row in result] == [None, None]  # no turns, no pairs


def test_layers_that_cannot_be_timed_leave_the_measurement(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(cases, "time_layers", fail)
    result = bench([dense()], SHORT._replace(layers=True))
    (row,) = result.to_dict()["rows"]
    assert (row["status"], row["problem"], row["layers"]) == ("measured", None, None)
    assert row["seconds"]["median"] > 0
    assert row["layers_problem"] == "CUDA out of memory"
    assert "dense, batch 1, float32: no times of layers: CUDA out of memory" in written(result, "table")


def test_more_memory_than_the_machine_has_is_not_requested(monkeypatch: pytest.MonkeyPatch) -> None:
    bytes_needed = 4 * dense().totals.parameters + 4 * 1000 * (64 + 32)
    monkeypatch.setattr(memory, "available", lambda: bytes_needed)
    assert [row["status"] for row in rows(DENSE, batches=(1000, 1001))] == ["measured", "out of memory"]
    assert rows(DENSE, batches=(1001,))[0]["problem"].startswith("needs 0 MiB or more; 0 MiB are free")


def test_the_memory_of_this_machine_is_known() -> None:
    free = memory.available()
    assert free is None or 2**24 < free < 2**50


def test_a_refusal_of_pytorch_is_a_row() -> None:
    refused, fine = rows(NORMED, mode="training", batches=(1, 2))
    assert refused["status"] == "failed"
    assert refused["problem"].startswith("Expected more than 1 value per channel when training")
    assert fine["status"] == "measured"


def test_ctrl_c_keeps_the_rows_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = sampling.alternate, []

    def alternate(*arguments: Any) -> None:
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    monkeypatch.setattr(sampling, "alternate", alternate)
    with pytest.raises(Interrupted) as caught:
        bench([dense()], SHORT._replace(batches=(1, 2, 4)))
    assert [row.batch for row in caught.value.result.rows] == [1]
    assert isinstance(caught.value, KeyboardInterrupt)


def test_ctrl_c_keeps_a_row_with_enough_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    real, taken = cases.Case.take, []

    def take(case: cases.Case) -> bool:
        taken.append(case)
        if len(taken) == 2 * FEWEST + 2:
            raise KeyboardInterrupt
        return real(case)

    monkeypatch.setattr(cases.Case, "take", take)
    with pytest.raises(Interrupted) as caught:
        bench([dense(), dense()], SHORT._replace(batches=(1, 2)))
    one, other = caught.value.result.rows
    assert one.batch == other.batch == 1
    assert one.measurement is not None
    assert len(one.measurement.seconds.values) in (FEWEST, FEWEST + 1)
    assert other.ratio is not None
    assert len(other.ratio.values) == FEWEST


def test_progress_goes_up_to_its_end() -> None:
    told: list[tuple[int, int]] = []
    bench([dense()], SHORT._replace(batches=(1, 2)), progress=lambda done, whole: told.append((done, whole)))
    shares = [done / whole for done, whole in told]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] > 0.5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batches": (1, 0)}, "batch must be whole numbers, 1 or more, and is 1, 0"),
        ({"batches": ()}, "batch must be whole numbers, 1 or more, and is empty"),
        ({"threads": 0}, "threads must be whole numbers, 1 or more, and is 0"),
        ({"dtypes": ("float31",)}, '"float31" is not a floating-point dtype; did you mean "float32"'),
        ({"dtypes": ("int64",)}, '"int64" is not a floating-point dtype'),
        ({"dtypes": ()}, "there is no dtype"),
        ({"mode": "train"}, 'no mode is called "train"; did you mean "training"'),
        ({"seconds": 0}, "seconds must be a number above 0, and are 0"),
        ({"seconds": math.nan}, "seconds must be a number above 0, and are nan"),
        ({"seconds": math.inf}, "seconds must be a number above 0, and are inf"),
        ({"device": "meta"}, 'device "meta" computes nothing'),
        ({"device": "cuda:99"}, 'device "cuda:99" is not there'),
        ({"cuda_graph": True}, "--cuda-graph needs a CUDA device, not cpu"),
        ({"flush_l2": True}, "--flush-l2 needs a CUDA device, not cpu"),
        ({"layers": True, "compile": True}, "--layers and --compile exclude each other"),
    ],
)
def test_wrong_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        bench([dense()], Options(**options))


def test_nothing_to_train() -> None:
    frozen = 'name = "f"\ninputs.x = [8]\nlayers = [{ type = "linear", out_features = 2, trainable = false }]'
    with pytest.raises(UsageError, match='"f" has nothing to train; use --mode inference'):
        bench([archcalc.loads(frozen, training=True)], Options(mode="training"))


def test_no_spec() -> None:
    with pytest.raises(UsageError, match="there is no spec to time"):
        bench([])


def test_a_loaded_network_takes_no_variables() -> None:
    with pytest.raises(UsageError, match="loaded already takes no variables or inputs"):
        bench([dense()], variables={"width": 2})
