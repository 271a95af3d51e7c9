"""Runs the code blocks of the documentation in order, and writes their current outputs."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
FENCE = re.compile(
    r"(?:<!-- (?P<note>[a-z]+) -->\n)?^```(?P<language>\w+)(?P<options>[^\n]*)\n(?P<body>.*?)^```$", re.M | re.S
)


class Block(NamedTuple):
    """A fenced block: its language, the file named in its title, the word in a comment above it, its text."""

    language: str
    file: str | None
    note: str | None
    body: str


def block_of(found: re.Match[str]) -> Block:
    title = re.search(r'title="([^"]+)"', found["options"])
    return Block(found["language"], title and title[1], found["note"], found["body"])


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order."""
    return map(block_of, FENCE.finditer(text))


def load_generator() -> Any:
    """`docs/generate.py` as a module."""
    found = spec_from_file_location("generate_docs", DOCS / "generate.py")
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


Program = Callable[..., Any]


def current(text: str, program: Program, folder: Path, slow: bool) -> str:
    """The page with the current outputs of its commands; those of slow blocks change only if `slow`.

    Blocks with a title are saved in the folder in which commands run. All Python blocks of a page are one session.
    """
    names: dict[str, Any] = {}

    def made(found: re.Match[str]) -> str:
        block = block_of(found)
        if block.file:
            (folder / block.file).write_text(block.body, "utf-8")
        if block.language == "console" and (slow or block.note != "slow"):
            command = block.body.splitlines()[0].removeprefix("$ ")
            output = run(command, program, folder)
            return found[0].replace(block.body, f"$ {command}\n{output}\n" if output else f"$ {command}\n")
        if block.language == "pycon":
            return found[0].replace(block.body, session(block.body, names))
        return found[0]

    return FENCE.sub(made, text)


def run(command: str, program: Program, folder: Path) -> str:
    """The output of a command, stdout before stderr."""
    name, *arguments = shlex.split(command)
    alone = name == "archcalc" and not {"|", ">", "&&", ";"} & {*arguments}
    done = program(*arguments) if alone else in_a_shell(command, folder)
    # The path of a shipped spec depends on the installation, and PyTorch's version may vary.
    text = re.sub(r"┌ \S*specs/", "┌ specs/", done.stdout + done.stderr)
    return re.sub(r"PyTorch \d\S*", "PyTorch 2", text).rstrip()


def in_a_shell(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        ["bash", "-c", re.sub(r"\barchcalc (?=[a-z])", f"{sys.executable} -m archcalc ", command)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        check=False,
    )


class Recorder(doctest.DocTestRunner):
    """Runs a session, and keeps the output of each statement."""

    def __init__(self) -> None:
        super().__init__(verbose=False)
        self.printed: list[str] = []

    def report_success(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        self.printed.append(example.want)

    def report_failure(self, out: Any, test: Any, example: doctest.Example, got: str) -> None:
        self.printed.append(got)


def session(text: str, names: dict[str, Any]) -> str:
    """A Python session with its current output. `names` are the page's variables so far; the session adds its own."""
    test = doctest.DocTestParser().get_doctest(text, {}, "session", None, 0)
    test.globs = names
    recorder = Recorder()
    recorder.run(test, out=lambda _: None, clear_globs=False)
    assert len(recorder.printed) == len(test.examples), "an exception that the page does not show"
    lines = []
    for example, printed in zip(test.examples, recorder.printed, strict=True):
        first, *more = example.source.splitlines()
        lines += [f">>> {first}", *(f"... {line}" for line in more), *printed.splitlines()]
    return "\n".join(lines) + "\n"
