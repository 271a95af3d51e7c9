"""Writes to the terminal, by its width and abilities."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

import click

from archcalc.cli.interrupt import interruptible
from archcalc.errors import printable
from archcalc.render.document import Document
from archcalc.render.style import Style
from archcalc.render.write import write

# Our own line breaks, spaces and emphasis. Other control characters come from a spec, a file or an argument.
_OWN = re.compile(r"(\n|\t|\xa0|\x1b\[[012]m)")


def echo(text: str | bytes, err: bool = False, nl: bool = True) -> None:
    """Print text, without control characters except line breaks and emphasis. Every command prints with it."""
    click.echo(cleaned(text) if isinstance(text, str) else text, err=err, nl=nl)


def show(document: Document, format_name: str) -> None:
    """Print a document in one of the formats, as wide as the terminal."""
    echo(write(document, format_name, terminal_style()))


def cleaned(text: str) -> str:
    """The text without characters that control a terminal, are invisible, or change the writing direction."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(part if _OWN.fullmatch(part) else printable(part) for part in _OWN.split(text))


def output_is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_style() -> Style:
    """The style for stdout: width and emphasis of the terminal; plain text of any width for a pipe."""
    if not output_is_terminal():
        return Style()
    return _emphatic(_width())


def _emphatic(width: int) -> Style:
    if os.environ.get("NO_COLOR"):
        return Style(width)
    return Style(width, lambda text: click.style(text, bold=True), lambda text: click.style(text, dim=True))


def error_style() -> Style:
    """The style for stderr."""
    if sys.stderr is None or not sys.stderr.isatty():
        return Style()
    return _emphatic(_columns_of(sys.stderr))


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80


def _columns_of(stream: TextIO) -> int:
    """The width of the terminal of a stream; 80 if it is unknown."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


_STEPS = 1000  # of a progress bar
_ERASE = "\r\x1b[1A\x1b[2K"  # the line above, which has the bar


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on stderr, if that is a terminal. Call the result with the work done and all work.

    The bar is erased at the end.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    # The bar hides the cursor, and must show it again after Ctrl-C.
    room = _columns_of(sys.stderr) - len(label) - len("  [] 100%") - 1
    width = max(1, min(30, room))
    with interruptible():
        try:
            with click.progressbar(length=_STEPS, label=label, width=width, show_eta=False, file=sys.stderr) as bar:

                def show(done: int, whole: int) -> None:
                    # If the work grows, the bar waits instead of going back.
                    if (steps := min(_STEPS, _STEPS * done // max(whole, 1)) - bar.pos) > 0:
                        bar.update(steps)

                yield show
        finally:
            click.echo(_ERASE, err=True, nl=False)
