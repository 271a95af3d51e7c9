"""Times of `archcalc summary` and `archcalc verify`, as ratios that hold on any machine.

    .venv/bin/python benchmarks/startup.py

Run it with the Python of an environment in which archcalc is installed, since it measures the installed program. Each
ratio is the median over pairs of runs: the command and its peer alternate. A peer that is not installed is left out,
with a message.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

PROJECT = Path(__file__).parent.parent
ARCHCALC = str(Path(sys.executable).parent / "archcalc")
SUMMARY = [ARCHCALC, "summary", str(PROJECT / "specs" / "lenet5.toml")]
VERIFY = [ARCHCALC, "verify", str(PROJECT / "specs" / "resnet50.toml"), "--device", "meta"]
PEERS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import click, msgspec, tomllib": [sys.executable, "-c", "import click, msgspec, tomllib"],
    "import torch": [sys.executable, "-c", "import torch"],
}


# Python caches compiled modules, as on a user's machine, even if this environment forbids it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def seconds(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    return time.perf_counter() - start


def ratio(one: Callable[[], float], other: Callable[[], float], runs: int) -> tuple[float, float, float]:
    """The lower quartile, median and upper quartile of one/other, measured alternately after a warm-up."""
    one(), other()
    ratios = [one() / other() for _ in range(runs)]
    low, median, high = statistics.quantiles(ratios, n=4)
    return low, median, high


def works(command: list[str]) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def compare_start(runs: int) -> None:
    for name, peer in PEERS.items():
        if not works(peer):
            print(f"{name:<32} not installed, left out")
            continue
        low, median, high = ratio(lambda: seconds(SUMMARY), lambda peer=peer: seconds(peer), runs)
        print(f"{'summary of LeNet-5 / ' + name:<52} {median:8.2f}  (quartiles {low:.2f} to {high:.2f})")


def write_chain(folder: Path, layers: int) -> str:
    """Writes a spec of this many layers, in residual groups of four without blocks; returns its path."""
    lines = ['name = "chain"', "inputs.x = [16, 64, 64]"]
    for number in range(layers // 4):
        lines += [
            f'[[layers]]\nname = "conv{number}"\ntype = "conv2d"\nout_channels = 16\nkernel_size = 3\npadding = 1',
            '[[layers]]\ntype = "batch_norm"',
            f'[[layers]]\nname = "relu{number}"\ntype = "relu"',
            f'[[layers]]\ntype = "add"\ninputs = ["conv{number}", "relu{number}"]',
        ]
    path = folder / f"chain{layers}.toml"
    path.write_text("\n".join(lines))
    return str(path)


def compare_length(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        short, long = (write_chain(Path(folder), layers) for layers in (10_000, 100_000))
        commands = [[*SUMMARY[:-1], path, "--format", "csv"] for path in (long, short)]
        low, median, high = ratio(lambda: seconds(commands[0]), lambda: seconds(commands[1]), runs)
    print(f"{'100,000 layers / 10,000 layers':<52} {median:8.2f}  (quartiles {low:.2f} to {high:.2f})")


def compare_verification(runs: int) -> None:
    if not works(VERIFY):
        print("verify of ResNet-50 on meta: PyTorch is not installed, left out")
        return
    more = [seconds(VERIFY) - seconds(PEERS["import torch"]) for _ in range(runs)]
    low, median, high = statistics.quantiles(more, n=4)
    print(f"{'verify of ResNet-50 on meta - import torch':<52} {median:8.2f}  (quartiles {low:.2f} to {high:.2f}) s")


def peak_memory() -> None:
    seconds(SUMMARY)  # the first run also compiles
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(f"{'summary of LeNet-5, peak memory':<52} {peak / 1024:8.1f}  MiB")


if __name__ == "__main__":
    # First, since the operating system reports the largest child process so far.
    peak_memory()
    compare_start(runs=21)
    compare_verification(runs=11)
    compare_length(runs=3)
