"""Times of archcalc and other tools for textbook architectures, measured in one run.

    python benchmarks/architectures.py

Run it in an environment with archcalc, torch, torchvision, torchinfo and fvcore. A missing tool is left out, with a
message. A cold run is a process from start to end. A warm run is a repeated call in one process: for archcalc `load`
and all analyses, for the other tools the count of a network that torchvision has already built, on the device `meta`,
where it needs no memory (fvcore cannot trace there).
"""

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from startup import ARCHCALC, PROJECT, ratio, seconds, works

NETWORKS = ("resnet50", "resnet152", "inception_v3")
INPUTS = {"inception_v3": (1, 3, 299, 299)}
BUILD = """
import time, torch, torchvision
options = {{"init_weights": False}} if "{name}" == "inception_v3" else {{}}
with torch.device("{device}"):
    model = torchvision.models.{name}(**options).eval()
image = torch.zeros({shape}, device="{device}")
"""


class Peer(NamedTuple):
    """Another tool: its imports, and the call that counts."""

    name: str
    imports: str
    call: str
    device: str = "meta"


PEERS = (
    Peer("torchinfo", "import torchinfo", 'torchinfo.summary(model, input_data=image, verbose=0, device="meta")'),
    Peer(
        "fvcore",
        "import logging; logging.disable(); from fvcore.nn import FlopCountAnalysis",
        "FlopCountAnalysis(model, image).total()",
        "cpu",
    ),
    Peer(
        "FlopCounterMode",
        "from torch.utils.flop_counter import FlopCounterMode",
        "with FlopCounterMode(display=False) as counter, torch.no_grad(): model(image)",
    ),
)
WARM = """
times = []
for _ in range({runs}):
    start = time.perf_counter()
    {call}
    times.append(time.perf_counter() - start)
print(sorted(times)[len(times) // 2])
"""


def script(peer: Peer, name: str) -> str:
    shape = INPUTS.get(name, (1, 3, 224, 224))
    return f"{peer.imports}{BUILD.format(name=name, shape=shape, device=peer.device)}"


def warm(program: str, call: str, runs: int) -> float:
    """The median seconds of a repeated call in one process."""
    text = program + WARM.format(call=call, runs=runs)
    done = subprocess.run([sys.executable, "-c", text], check=True, capture_output=True, text=True)
    return float(done.stdout)


def compare(name: str) -> None:
    """Prints a line for each tool: cold time, its ratio to archcalc's, warm time."""
    own = [ARCHCALC, "summary", str(PROJECT / "specs" / f"{name}.toml")]
    load = f'network = archcalc.load("{name}"); network.layers'
    print(f"{name:<14} {'archcalc':<16} {median(lambda: seconds(own)):7.2f} s {'':>9} {ms(warm(IMPORT, load, 201))}")
    for peer in PEERS:
        cold = [sys.executable, "-c", f"{script(peer, name)}\n{peer.call}"]
        if not works(cold):
            print(f"{name:<14} {peer.name:<16} does not run here, left out")
            continue
        _, times, _ = ratio(lambda cold=cold: seconds(cold), lambda: seconds(own), runs=5)
        taken = ms(warm(script(peer, name), peer.call, 11))
        print(f"{name:<14} {peer.name:<16} {median(lambda cold=cold: seconds(cold)):7.2f} s {times:7.0f} × {taken}")


IMPORT = "import time, archcalc\n"


def median(run: Callable[[], float]) -> float:
    return statistics.median(run() for _ in range(5))


def ms(taken: float) -> str:
    return f"{1000 * taken:9.1f} ms"


def compare_with_lenet(names: list[str]) -> None:
    """Prints the largest ratio of a shipped spec's summary time to LeNet-5's."""
    folder = PROJECT / "specs"
    lenet = [ARCHCALC, "summary", str(folder / "lenet5.toml")]
    found = {}
    for name in names:
        own = [ARCHCALC, "summary", str(folder / f"{name}.toml")]
        _, found[name], _ = ratio(lambda own=own: seconds(own), lambda: seconds(lenet), runs=7)
    slowest = max(found, key=found.__getitem__)
    print(f"summary / that of LeNet-5: {found[slowest]:.2f} for {slowest}, which takes longest of {len(found)} specs")


if __name__ == "__main__":
    compare_with_lenet([path.stem for path in sorted(Path(PROJECT / "specs").glob("*.toml"))])
    print(f"{'':<31} {'cold':>9} {'/archcalc':>9} {'warm':>12}")
    for network in NETWORKS:
        compare(network)
