"""Published numbers of the shipped networks, with which the documentation compares archcalc's."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from test_hand_written import HAND_WRITTEN
from test_torchvision import CASES, Case, parts_of_reference, reference
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision_memory import HELD_LONGER, INFERRED, PASSES, calculated, recorded

import archcalc
from archcalc.pytorch.device import random_inputs

DATA = Path(__file__).parent / "data"
PUBLISHED = tomllib.loads((DATA / "published.toml").read_text("utf-8"))
KERAS = json.loads((DATA / "keras_layers.json").read_text("utf-8"))
SPARSE = "gcn_cora", "gcn_classifier"  # PyTorch does not count their products
REDUCED = PUBLISHED["googlenet_2014"]["table1"][1]


class Printed(NamedTuple):
    """A number as a paper prints it, such as `569` million."""

    text: str
    unit: str
    scale: float

    def is_of(self, count: int) -> bool:
        """Whether it is the count, rounded or truncated."""
        digits = len(self.text.partition(".")[2])
        value = count / self.scale * 10**digits
        return float(self.text) * 10**digits in (round(value), int(value))


class Reference(NamedTuple):
    """The numbers of a source: exact, as printed, or None."""

    spec: str
    source: str
    parameters: int | Printed | None
    macs: int | Printed | None

    def agreement(self) -> str:
        """`equal`, or which numbers are equal."""
        totals = archcalc.load(self.spec).totals
        found = {"parameters": (totals.parameters, self.parameters), "MACs": (totals.macs, self.macs)}
        verdicts = {what: _verdict(*pair) for what, pair in found.items() if pair[1] is not None}
        if len(verdicts) == 2 and len(set(verdicts.values())) == 1:
            return verdicts["MACs"]
        return ", ".join(f"{what} {verdict}" for what, verdict in verdicts.items())


def _verdict(count: int, published: int | Printed) -> str:
    if isinstance(published, Printed):
        text = f"{published.text}{published.unit}"
        return f"as printed: {text}" if published.is_of(count) else f"DIFFERS: {text}"
    return "equal" if published == count else f"DIFFERS: {published:,}"


def references() -> Iterator[Reference]:
    """A row for each shipped spec."""
    lenet, alexnet, googlenet = (PUBLISHED[name] for name in ("lenet5_1998", "alexnet_2012", "googlenet_2014"))
    yield Reference("lenet5_1998", "the paper, layer by layer", lenet["trainable_parameters"], None)
    yield Reference("alexnet_2012", "the paper, layer by layer", alexnet["parameters"], alexnet["macs"])
    yield Reference(
        "googlenet_2014", "the paper, by the numbers of maps in Table 1", googlenet["parameters_without_aux"], None
    )
    small, large = Printed(str(REDUCED["params_k"]), " K", 1024), Printed(str(REDUCED["ops_m"]), " M", 1e6)
    yield Reference("inception_with_1x1", "GoogLeNet's Table 1, inception (3a); K is 1024", small, large)
    kernels = 1 * 1 * 64 + 3 * 3 * 128 + 5 * 5 * 32
    reads = 192 * kernels
    yield Reference("inception_without_1x1", "its kernels, by hand", reads + 64 + 128 + 32, reads * 28 * 28)
    yield Reference("xception", "Keras' `Xception`: every layer", KERAS["Xception"]["trainable"], None)
    madds = Printed(str(PUBLISHED["mobilenet_v1"]["width"][0]["madds_m"]), " M", 1e6)
    source = "Keras' `MobileNet`: every layer; the paper, Table 6"
    yield Reference("mobilenet_v1", source, KERAS["MobileNet"]["trainable"], madds)
    seen = set[str]()
    for case in CASES:
        if not case.training and not case.variables and case.spec not in seen:
            seen.add(case.spec)
            yield _torchvision(case)
    yield from (_by_hand(spec) for spec in HAND_WRITTEN if spec != "lenet5_1998")


def _torchvision(case: Case) -> Reference:
    parameters = sum(tensor.numel() for tensor in reference(case).parameters())
    macs = sum(part.macs for part in parts_of_reference(repr(case)).values())
    options = "".join(f", {name} = {value}" for name, value in case.options.items() if name == "num_classes")
    source = f"torchvision's `{case.make.__name__}`{options}: every layer, and the output"
    return Reference(case.spec, source, parameters, macs)


def _by_hand(spec: str) -> Reference:
    module = HAND_WRITTEN[spec]().eval()
    parameters = sum(tensor.numel() for tensor in module.parameters())
    macs = None if spec in SPARSE else _count(module.to("meta"), spec)
    return Reference(spec, "a module written by hand, and its output", parameters, macs)


def _count(module: nn.Module, spec: str) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        module(*random_inputs(archcalc.load(spec), 1, "meta"))
    return counter.get_total_flops() // 2


def reference_table() -> str:
    """The rows in Markdown, in the order of the specs' names."""
    rows = ["| spec | parameters | MACs | reference | agreement |", "|---|--:|--:|---|---|"]
    for row in sorted(references()):
        totals = archcalc.load(row.spec).totals
        rows.append(f"| `{row.spec}` | {totals.parameters:,} | {totals.macs:,} | {row.source} | {row.agreement()} |")
    return "\n".join(rows)


def memory_table() -> str:
    """Peaks beside those of torchvision's modules, in Markdown: a row for each spec, in the order of their names."""
    columns = [f"{which}, bytes | torchvision" for which in PASSES]
    rows = [f"| spec | {' | '.join(columns)} | what torchvision holds longer |", "|---|--:|--:|--:|--:|---|"]
    cases = [case for case in INFERRED if not case.variables]
    return "\n".join([*rows, *(_memory_row(case) for case in sorted(cases, key=lambda case: case.spec))])


def _memory_row(case: Case) -> str:
    cells = [f"`{case.spec}`"]
    reasons = set[str]()
    for which in PASSES:
        predicted, measured = calculated(case, which).peak, recorded()[case.spec][which]
        more, reason = HELD_LONGER.get((case.spec, which), (0, ""))
        share = f"{100 * (measured - predicted) / measured:+.1f} %"
        difference = "equal" if predicted == measured else f"{measured:,} ({measured - predicted:+,}, {share})"
        cells += [f"{predicted:,}", difference if measured - predicted == more else f"DIFFERS: {difference}"]
        reasons |= {reason} - {""}
    return f"| {' | '.join([*cells, ', '.join(reasons)])} |"
