"""Benchmarks on a GPU. Run wherever there is one."""

from typing import Any

import pytest
import torch

import archcalc
from archcalc.pytorch.bench import Options, bench, workload
from archcalc.pytorch.bench.case import Case
from archcalc.pytorch.bench.clock import find_clock, sample
from archcalc.pytorch.build import build
from archcalc.pytorch.device import random_inputs

pytestmark = pytest.mark.cuda

SHORT = Options(device="cuda", seconds=0.2)


def rows(*specs: str, **options: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = bench(specs, SHORT._replace(**options)).to_dict()["rows"]
    return found


def test_times_and_peak_memory_are_those_of_the_gpu() -> None:
    result = bench(["mnist_cnn"], SHORT._replace(batches=(1, 256), dtypes=("float32", "float16")))
    assert result.environment.device_name == torch.cuda.get_device_name()
    assert {"torch", "cuda", "cudnn"} <= result.environment.versions.keys()
    weights = 4 * archcalc.load("mnist_cnn").totals.parameters
    for row in result.rows:
        assert row.status == "measured"
        assert row.measurement is not None
        assert 0 < row.measurement.seconds.q1 <= row.measurement.seconds.q3 < 1
        assert (row.measurement.peak_memory or 0) > weights / 2
    assert 0 < (result.flops_share(result.rows[2]) or 0) < 1.5


def test_events_agree_with_the_clock_of_the_host() -> None:
    values = torch.rand(4096, 4096, device="cuda")
    torch.mm(values, values)
    clock = find_clock(torch.device("cuda"))
    (events,) = sample(clock, [lambda: torch.mm(values, values)], 20)  # type: ignore[list-item]
    torch.cuda.synchronize()
    host = find_clock(torch.device("cpu"))
    (seen,) = sample(host, [lambda: [torch.mm(values, values) for _ in range(20)] and torch.cuda.synchronize()], 1)
    assert events == pytest.approx(seen / 20, rel=0.3)


def test_a_step_of_training_has_its_parts() -> None:
    (row,) = rows("mnist_cnn", mode="training", batches=(64,))
    parts = [phase["values"] for phase in row["phases"].values()]
    assert row["seconds"]["values"] == pytest.approx([sum(values) for values in zip(*parts, strict=True)])


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_a_graph_is_a_single_step(mode: str) -> None:
    device, options = torch.device("cuda"), Options(device="cuda", mode=mode, cuda_graph=True)
    network = archcalc.load("lenet5", batch=8, training=options.training)
    with torch.inference_mode(not options.training):
        made = workload.prepare(network, "float32", options, device)
        assert [*made.steps] == ["replay"]
        made.steps["replay"]()
        torch.cuda.synchronize()
    (row,) = rows("lenet5", mode=mode, batches=(8,), cuda_graph=True)
    assert row["status"] == "measured"
    assert row["phases"] == {}


@pytest.mark.parametrize("name", ["lenet5", "lenet5_1998"])
def test_a_graph_computes_what_the_network_does(name: str) -> None:
    network = archcalc.load(name)
    outputs: list[torch.Tensor] = []
    with torch.inference_mode():
        module = build(network, "cuda").eval()
        (values,) = random_inputs(network, 8, "cuda")
        replay = workload._recorded({"forward": lambda: outputs.append(module(values))})
        for _ in range(2):
            values.copy_(torch.rand_like(values))
            outputs[-1].zero_()
            replay()
            torch.testing.assert_close(outputs[-1], module(values), rtol=1e-3, atol=1e-3)


def test_a_graph_needs_the_memory_of_its_calls() -> None:
    (eager,) = rows("mnist_cnn", batches=(256,))
    (graph,) = rows("mnist_cnn", batches=(256,), cuda_graph=True)
    assert graph["peak_memory_bytes"] == pytest.approx(eager["peak_memory_bytes"], rel=0.1)


def test_a_graph_is_faster_where_launching_takes_the_time() -> None:
    (eager,) = rows("lenet5")
    (graph,) = rows("lenet5", cuda_graph=True)
    assert graph["seconds"]["median"] < eager["seconds"]["median"]


def test_the_cache_is_emptied_before_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[None] = []
    real = Case._flush
    monkeypatch.setattr(Case, "_flush", lambda case: flushed.append(real(case)))
    (row,) = rows("dense_mnist", cuda_graph=True, flush_l2=True)
    assert len(flushed) >= row["seconds"]["samples"] * row["calls_per_sample"]


def test_layers_are_timed_by_events() -> None:
    (row,) = rows("mnist_cnn", batches=(64,), layers=True)
    layers = row["layers"]["layers"]
    assert len(layers) == 8
    assert all(layer["seconds"]["median"] > 0 for layer in layers if layer["type"] == "conv2d")


def test_a_batch_beyond_the_memory_is_a_row() -> None:
    result = rows("mnist_cnn", batches=(1, 10**9, 2))
    assert [row["status"] for row in result] == ["measured", "out of memory", "measured"]


def test_compiled_and_channels_last() -> None:
    (row,) = rows("mnist_cnn", batches=(8,), compile=True, channels_last=True)
    assert row["status"] == "measured"
    assert row["compile_seconds"] > 0
