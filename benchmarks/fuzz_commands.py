"""Runs random commands for hours, and looks for tracebacks, hangs and control characters in outputs.

    python benchmarks/fuzz_commands.py 0:200000 --processes 8 --log fuzz.jsonl
    python benchmarks/fuzz_commands.py --summary fuzz.jsonl
    python benchmarks/fuzz_commands.py 17:18 --show          # one command again

Every number is a command (fuzz_cases.py). A process with all imports runs a few hundred of them, each with limits of
time and memory; one in five hundred runs in a new process, as a user starts it. Its output and the files that it writes
are searched for control characters. The log has a line for each fault, and one for each finished chunk with the exit
codes of its commands. A run with an existing log continues it. Slow commands are drawn less often; the mean is some 15
ms of CPU time.
"""

import argparse
import contextlib
import gc
import io
import json
import multiprocessing
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

TESTS = Path(__file__).resolve().parent.parent / "tests"
sys.path[:0] = [str(TESTS), str(TESTS.parent)]
os.environ.setdefault("OMP_NUM_THREADS", "1")

from fuzz_cases import Case, case  # noqa: E402

from archcalc.cli import main  # noqa: E402

CHUNK = 200
SECONDS, MEMORY = 15, 2 * 2**30  # limits of a command: CPU time and bytes
HANGS = 900  # seconds of wall-clock time after which a command hangs, on a busy machine
OWN_PROCESS = 500  # one of this many commands runs in a new process
# These commands import all modules once, before the processes fork.
WARM = (
    "report lenet5 -o a.html",
    "formula lenet5 --input image=1xHxW",
    "verify lenet5",
    "bench lenet5 --seconds 0.001",
    "export lenet5 -o a.onnx",
)
TEXT_FILES = (".svg", ".dot", ".py", ".html")
CODES = (0, 1, 2)
PLAIN = dict.fromkeys(map(ord, "\n\t\xa0"))


class Outcome(NamedTuple):
    code: object
    output: str
    errors: str


class Fault(NamedTuple):
    """A fault of a command; faults that probably share a cause have the same `kind`."""

    kind: str
    message: str


def run_here(arguments: list[str]) -> Outcome:
    """Runs the command in this process."""
    output, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    code: object = 0
    sys.argv = ["archcalc", *arguments]
    sys.stdin = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        try:
            main()
        except SystemExit as ended:
            code = ended.code
        except BaseException:
            code = "exception"
            errors.write(traceback.format_exc())
    return Outcome(code, *(stream.buffer.getvalue().decode("utf-8", "replace") for stream in (output, errors)))


def run_alone(arguments: list[str]) -> Outcome:
    """Runs the command in a new process."""
    command = [sys.executable, "-m", "archcalc", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS.parent)}
    done = subprocess.run(command, capture_output=True, check=False, stdin=subprocess.DEVNULL, env=environment)
    return Outcome(done.returncode, *(text.decode("utf-8", "replace") for text in (done.stdout, done.stderr)))


def faults_of(outcome: Outcome, written: Iterable[Path]) -> list[Fault]:
    """The faults of the output, and of the written files."""
    found = []
    if "Traceback" in outcome.errors:
        places = re.findall(r'File "[^"]*?(archcalc/[^"]+)", line (\d+)', outcome.errors)
        last = outcome.errors.strip().split("\n")[-1]
        found.append(
            Fault(f"traceback: {':'.join(places[-1]) if places else '?'}: {last.split(':')[0]}", outcome.errors)
        )
    elif "too large for the memory" in outcome.errors:
        found.append(Fault("memory", outcome.errors))
    elif outcome.code not in CODES:
        found.append(Fault(f"exit code {outcome.code}", outcome.errors))
    texts = {"output": outcome.output, "errors": outcome.errors}
    texts |= {path.suffix: path.read_text("utf-8", "replace") for path in written}
    for place, text in texts.items():
        letters = text.translate(PLAIN)
        if not letters.isprintable():
            strange = min(letter for letter in letters if not letter.isprintable())
            found.append(Fault(f"raw {strange!a} in {place}", text[:2000]))
    return found


def run(number: int, chosen: Case, folder: Path) -> tuple[Outcome, list[Fault]]:
    """Runs the command of a number in an empty folder."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name, content in chosen.files.items():
        (folder / name).write_bytes(content)
    outcome = (run_here if number % OWN_PROCESS else run_alone)(chosen.arguments)
    binary = {"onnx", "pdf", "png"} & {*chosen.arguments}  # in a file of any name
    written = [path for path in folder.iterdir() if path.suffix in TEXT_FILES and not binary]
    return outcome, faults_of(outcome, written)


def limit_memory(arguments: list[str]) -> None:
    """Limits the memory that the command adds, but not with PyTorch, which alone maps more than the limit."""
    torch = arguments[0] in ("bench", "verify", "export")
    with open("/proc/self/statm", encoding="ascii") as file:
        mapped = int(file.read().split()[0]) * resource.getpagesize()
    limit = resource.RLIM_INFINITY if torch else mapped + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))


class Chunk:
    """A range of numbers, run in a child process that shares its current number."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def work(self, numbers: range, place: Any) -> None:
        """Runs the commands, until one of them ends the process."""
        ends: Counter[str] = Counter()
        times: Counter[str] = Counter()
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            for number in numbers:
                place.value = number
                signal.setitimer(signal.ITIMER_PROF, 4 * SECONDS)  # CPU time; the signal ends the process
                signal.setitimer(signal.ITIMER_REAL, HANGS)
                start = time.process_time()
                command, code = self.one(number, Path(name))
                ends[f"{command} {code}"] += 1
                times[command] += round(time.process_time() - start, 3)
                place.value = number + 1
            os.chdir("/")
        note(self.log, ends=ends, times=times, seconds=round(sum(os.times()[:4]), 2))

    def one(self, number: int, folder: Path) -> tuple[str, object]:
        """Runs a command and logs its faults; returns its name and exit code."""
        chosen = case(number)
        limit_memory(chosen.arguments)
        start = time.process_time()
        outcome, found = run(number, chosen, folder)
        seconds = time.process_time() - start
        gc.collect()  # archcalc switches garbage collection off
        gc.freeze()  # the remaining objects stay, and need not be searched each time
        gc.enable()
        if seconds > SECONDS:
            found.append(Fault(f"slow: {chosen.arguments[0]}", f"{seconds:.1f} s"))
        for fault in found:
            note(self.log, number=number, **fault._asdict(), arguments=chosen.arguments, text=chosen.text)
        return chosen.arguments[0], outcome.code

    def run(self, numbers: range) -> None:
        """Runs all commands, with a new process after each one that ends it."""
        place, first = multiprocessing.Value("q", numbers.start), numbers.start
        while first < numbers.stop:
            place.value = first
            process = multiprocessing.Process(target=self.work, args=(range(first, numbers.stop), place))
            process.start()
            process.join()
            first = place.value
            if first < numbers.stop:
                chosen = case(first)
                # -14 is a hang, -27 too much CPU time, -9 too much memory
                kind = f"ended: {process.exitcode}: {chosen.arguments[0]}"
                note(self.log, number=first, kind=kind, message="", arguments=chosen.arguments, text=chosen.text)
                first += 1
        note(self.log, done=[numbers.start, numbers.stop])


def note(log: Path, **line: Any) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()] if log.exists() else []


def summarize(log: Path) -> None:
    """Prints the number of commands, their exit codes, and the faults by kind."""
    found = lines(log)
    ends, times = (sum((Counter(line.get(key, {})) for line in found), Counter()) for key in ("ends", "times"))
    seconds, commands = sum(line["seconds"] for line in found if "ends" in line), max(ends.total(), 1)
    print(f"{commands:,} commands in {seconds:,.0f} CPU s with their children, {1000 * seconds / commands:.1f} ms each")
    for command, taken in times.most_common():
        codes = (f"{end.split()[1]}: {count:,}" for end, count in sorted(ends.items()) if end.split()[0] == command)
        print(f"{command:16} {taken:9,.2f} s ", *codes)
    kinds = Counter(line["kind"] for line in found if "kind" in line)
    for kind, count in kinds.most_common():
        print(f"{count:7,}  {kind}  {[line['number'] for line in found if line.get('kind') == kind][:5]}")


def show(numbers: range) -> None:
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            chosen = case(number)
            _, found = run(number, chosen, Path(name))
            print(chosen.text, chosen.arguments, *(f"{fault.kind}\n{fault.message}" for fault in found), sep="\n")
            os.chdir("/")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("numbers", nargs="?", default="0:1000", metavar="FIRST:END")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--log", type=Path, default=Path("fuzz.jsonl"))
    parser.add_argument("--summary", type=Path)
    parser.add_argument("--show", action="store_true")
    return parser.parse_args()


def fuzz() -> None:
    options = parse()
    if options.summary:
        return summarize(options.summary)
    first, end = map(int, options.numbers.split(":"))
    if options.show:
        return show(range(first, end))
    log = options.log.resolve()
    done = {line["done"][0] for line in lines(log) if "done" in line}
    chunks = [range(n, min(n + CHUNK, end)) for n in range(first, end, CHUNK) if n not in done]
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        for command in WARM:
            assert run_here(command.split()).code == 0
    gc.collect()
    gc.freeze()
    with ThreadPoolExecutor(options.processes) as pool:
        [*pool.map(Chunk(log).run, chunks)]
    summarize(log)
    return None


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    fuzz()
