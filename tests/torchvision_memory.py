"""The memory of torchvision's modules: called as they are, and run one operation after the other.

Python's frames hold some values longer than any operation needs them: a module its input until it returns, a variable
its value until it is reassigned. The same operations, run one by one in the same order, hold nothing longer. archcalc
computes the memory of the latter.
"""

import json
import operator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from test_torchvision import CASES, Case, reference
from torch import fx, nn

import archcalc
from archcalc.pytorch.verify.storages import LiveStorages, go_back, tracker_of

BATCH = 8
PASSES = {"inference": False, "training": True}
INFERRED = [case for case in CASES if not case.training]  # a row for each; some have more layers in training
RECORDED = Path(__file__).parent / "golden" / "torchvision_memory.json"

BLOCK = "the input of a block, until it returns"
STAGE = "the inputs of a stage, and of a convolution with its normalization, until they return"
LISTS = "the maps of all layers of a dense block, which each layer concatenates again"
# The additional bytes of torchvision's own code at the peak, and their cause. Nothing else differs.
HELD_LONGER = {
    ("resnet50", "inference"): (6_422_528, BLOCK),
    ("resnet101", "inference"): (6_422_528, BLOCK),
    ("resnet152", "inference"): (6_422_528, BLOCK),
    ("resnet50_feature_extraction", "inference"): (6_422_528, BLOCK),
    ("resnet50_feature_extraction", "training"): (6_422_528, BLOCK),  # frozen layers save nothing
    ("inception_v3", "inference"): (22_127_616, BLOCK),
    ("mobilenet_v2", "inference"): (6_422_528, BLOCK),
    ("mobilenet_v2 width=0.5", "inference"): (3_211_264, BLOCK),
    ("mobilenet_v2 width=1.4", "inference"): (9_633_792, BLOCK),
    ("mobilenet_v2 width=0.1", "inference"): (3_211_264, BLOCK),
    ("r3d_18", "inference"): (205_520_896, STAGE),
    ("densenet121", "inference"): (22_478_848, LISTS),
}


class Observed(NamedTuple):
    """Peak bytes: of the pass, and of each operation of the forward pass."""

    peak: int
    forward: tuple[int, ...]


def case_in(case: Case, which: str) -> Case:
    """The case of a pass: auxiliary heads exist only in training."""
    heads = [other for other in CASES if other.training and other.spec == case.spec]
    return heads[0] if heads and PASSES[which] else case


def calculated(case: Case, which: str) -> Any:
    """archcalc's memory of the case."""
    training = PASSES[which]
    network = archcalc.load(case.spec, variables=case.variables, training=training)
    return network.memory(training=training, batch=BATCH)


def prepared(case: Case, which: str) -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    """torchvision's module and a batch, on the device `meta`."""
    module = reference(case_in(case, which)).train(PASSES[which])
    if case.spec == "resnet50_feature_extraction":
        module.requires_grad_(False)
        module.get_submodule("fc").requires_grad_(True)
    return module, tuple(torch.empty(BATCH, *shape, device="meta") for shape in case.network().inputs.values())


def observe_module(case: Case, which: str) -> int:
    """The peak of torchvision's module as it is called, with the values that its code holds longer than needed."""
    (module, inputs), training = prepared(case, which), PASSES[which]
    tracker = tracker_of(module, inputs)
    with tracker, torch.set_grad_enabled(training):
        outputs = module(*inputs)
        if training:
            go_back(outputs if isinstance(outputs, tuple) else (outputs,))
    return tracker.highest


class _Proxy(fx.Proxy):
    def __iadd__(self, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operator.iadd, (self, other), {})


class _Tracer(fx.Tracer):
    """Traces `x += y` as such; torch.fx reads it as `x = x + y`."""

    def proxy(self, node: fx.Node) -> fx.Proxy:
        return _Proxy(node, self)


class _OneByOne(fx.Interpreter):
    """Runs the operations of a module in its order, and drops each value after its last reader."""

    def __init__(self, module: nn.Module, tracker: LiveStorages) -> None:
        super().__init__(fx.GraphModule(module, _Tracer().trace(module)), garbage_collect_values=True)
        self.tracker = tracker
        self.forward: list[int] = []
        self.highest = 0

    def run_node(self, node: fx.Node) -> Any:
        self.highest = max(self.highest, self.tracker.highest)
        self.tracker.highest = self.tracker.live
        result = super().run_node(node)
        if node.op.startswith("call") and isinstance(result, torch.Tensor):
            self.forward.append(self.tracker.highest)
        return result


def observe_operations(case: Case, which: str) -> Observed:
    """The memory of torchvision's operations, one after the other."""
    module, inputs = prepared(case, which)
    with tracker_of(module, inputs) as tracker, torch.set_grad_enabled(PASSES[which]):
        runner = _OneByOne(module, tracker)
        outputs = runner.run(*inputs)
        if PASSES[which]:
            go_back(outputs if isinstance(outputs, tuple) else (outputs,))
    return Observed(max(runner.highest, tracker.highest), tuple(runner.forward))


@cache
def recorded() -> dict[str, dict[str, int]]:
    """The peaks of torchvision's modules by case and pass, as they were measured."""
    found: dict[str, dict[str, int]] = json.loads(RECORDED.read_text("utf-8"))
    return found
