"""Runs random networks through every surface for hours, and logs the faults.

    python benchmarks/long_run.py static 0:100000 --processes 8 --log static.jsonl
    python benchmarks/long_run.py shapes,memory,source 0:10000 --log torch.jsonl
    python benchmarks/long_run.py --summary static.jsonl
    python benchmarks/long_run.py static 17:18 --log one.jsonl     # one network again

Every number is a network (tests/networks). The log has a line for each fault (with a reduced spec for the first few of
a kind) and one for each finished chunk of numbers. A run with an existing log continues it. A check that takes more
than --limit seconds of CPU time is a fault, too. A process that hangs or dies is replaced.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from networks import Drawn, network_of  # noqa: E402
from networks.shrink import shrink  # noqa: E402
from surfaces import STATIC, TORCH, Fault, find_faults  # noqa: E402

CHUNK = 50
SHRUNK = 2  # faults of a kind whose specs each process reduces


class Log:
    """Lines of JSON, appended by several processes, each in one write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, **line: Any) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

    def lines(self) -> Iterable[dict[str, Any]]:
        if self.path.exists():
            with self.path.open(encoding="utf-8") as file:
                yield from map(json.loads, file)


class Worker:
    """Works on chunks of numbers in its own process."""

    def __init__(self, surfaces: list[str], log: Log, limit: float) -> None:
        self.surfaces, self.log, self.limit = surfaces, log, limit
        self.kinds: Counter[str] = Counter()

    def work(self, chunk: tuple[int, int], place: Any) -> None:
        start, counts = time.monotonic(), Counter[str]()
        for seed in range(*chunk):
            place.value = seed
            drawn = network_of(seed)
            if drawn is None:
                counts["none"] += 1
                continue
            counts["networks"] += 1
            for fault in find_faults(drawn, self.surfaces, self.limit):
                counts[fault.surface] += 1
                self.note(seed, drawn, fault)
        seconds = round(time.monotonic() - start, 1)
        self.log.add(done=list(chunk), surfaces=self.surfaces, counts=counts, seconds=seconds)

    def note(self, seed: int, drawn: Drawn, fault: Fault) -> None:
        self.kinds[fault.kind] += 1
        found = drawn
        if self.kinds[fault.kind] <= SHRUNK and "TooSlow" not in fault.kind:
            found = drawn._replace(text=shrink(drawn.text, lambda text: self.same(drawn, text, fault)))
        self.log.add(seed=seed, **fault._asdict(), **found._asdict())

    def same(self, drawn: Drawn, text: str, fault: Fault) -> bool:
        changed = drawn._replace(text=text)
        if not loads(changed):
            return False
        return any(found.kind == fault.kind for found in find_faults(changed, [fault.surface], self.limit))


def loads(drawn: Drawn) -> bool:
    try:
        drawn.load()
    except Exception:  # another fault
        return False
    return True


PLAIN = 'name = "x"\ninputs.x = [3, 8, 8]\nlayers = [{ type = "conv2d", out_channels = 2, kernel_size = 3 }]'


def serve(surfaces: list[str], log: Log, limit: float, tasks: Any, place: Any) -> None:
    assert not [*find_faults(Drawn(PLAIN), surfaces, 600)]  # this also imports everything
    worker = Worker(surfaces, log, limit)
    while (chunk := tasks.get()) is not None:
        place.value = chunk[0]
        worker.work(chunk, place)
    place.value = -2


class Seat:
    """A process, and the number of its current network."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.place = multiprocessing.Value("q", -1)
        self.seen, self.since = -1, time.monotonic()
        self.start()

    def start(self) -> None:
        self.process = multiprocessing.Process(target=serve, args=(*self.arguments, self.place), daemon=True)
        self.process.start()

    def is_done(self) -> bool:
        return not self.process.is_alive() and self.place.value == -2

    def is_stuck(self, patience: float) -> bool:
        if self.place.value != self.seen:
            self.seen, self.since = self.place.value, time.monotonic()
        dead = not self.process.is_alive() and not self.is_done()
        return dead or (self.seen >= 0 and time.monotonic() - self.since > patience)


def run(surfaces: list[str], seeds: tuple[int, int], log: Log, processes: int, limit: float) -> None:
    done = {tuple(line["done"]) for line in log.lines() if "done" in line and line["surfaces"] == surfaces}
    chunks = [(start, min(start + CHUNK, seeds[1])) for start in range(*seeds, CHUNK)]
    tasks = multiprocessing.Queue()
    for chunk in (chunk for chunk in chunks if chunk not in done):
        tasks.put(chunk)
    for _ in range(processes):
        tasks.put(None)
    seats = [Seat(surfaces, log, limit, tasks) for _ in range(processes)]
    patience = 10 * limit * len(surfaces) + 600  # seconds of wall-clock time, on a busy machine
    while not all(seat.is_done() for seat in seats):
        time.sleep(1)
        for seat in seats:
            if seat.is_stuck(patience):
                how = "hangs" if seat.process.is_alive() else f"ended with {seat.process.exitcode}"
                log.add(seed=seat.place.value, surface="process", kind=f"process: {how}", message=how, seconds=0)
                seat.process.kill()
                seat.process.join()
                seat.seen, seat.since = -1, time.monotonic()
                seat.place.value = -1
                seat.start()  # the rest of that chunk stays undone: start again with the same log


def report(log: Log) -> None:
    """Prints networks and faults by surface, and the faults by kind."""
    networks, seconds = Counter[str](), Counter[str]()
    kinds, examples = Counter[str](), dict[str, dict[str, Any]]()
    for line in log.lines():
        if "done" in line:
            for surface in line["surfaces"]:
                networks[surface] += line["counts"].get("networks", 0)
            seconds[",".join(line["surfaces"])] += line["seconds"]
        else:
            kinds[line["kind"]] += 1
            best = examples.get(line["kind"])
            if best is None or len(line.get("text", "")) < len(best.get("text", "")):
                examples[line["kind"]] = line
    for surface, count in networks.items():
        faults = sum(number for kind, number in kinds.items() if kind.startswith(f"{surface}:"))
        print(f"{surface:<16} {count:>8,} networks  {faults:>6,} faults")
    for what, spent in seconds.items():
        print(f"{spent:,.0f} s of a process for {what}")
    for kind, count in kinds.most_common():
        line = examples[kind]
        print(f"\n{count} × {kind}\n  seed {line['seed']}: {line['message'][:600]}")
        options = (
            f"training={line.get('training')}, batch={line.get('batch')}, variables={dict(line.get('variables', ()))}"
        )
        print("\n".join(f"    {text}" for text in [options, *line.get("text", "").splitlines()]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("surfaces", nargs="?", default="static", help="static, torch, all, or names with commas")
    parser.add_argument("seeds", nargs="?", default="0:1000", help="first:end")
    parser.add_argument("--log", type=Path, default=Path("long_run.jsonl"))
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--limit", type=float, default=20, help="seconds of CPU time for each check")
    parser.add_argument("--summary", type=Path, help="a log to print, and nothing else")
    options = parser.parse_args()
    if options.summary:
        report(Log(options.summary))
        return
    groups = {"static": [*STATIC], "torch": [*TORCH], "all": [*STATIC, *TORCH]}
    surfaces = groups.get(options.surfaces) or options.surfaces.split(",")
    first, _, end = options.seeds.partition(":")
    log = Log(options.log)
    run(surfaces, (int(first), int(end)), log, options.processes, options.limit)
    report(log)


if __name__ == "__main__":
    main()
