"""What a command finds out about the terminal it writes to."""

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

# Line ends, spaces and emphasis of our own; what else a terminal obeys came from a spec, a file or an argument.
_OWN = re.compile(r"(\n|\t|\xa0|\x1b\[[012]m)")


def echo(text: str | bytes, err: bool = False, nl: bool = True) -> None:
    """Print text: the one way out of every command. Of what is no letter, line ends and our own emphasis pass."""
    click.echo(cleaned(text) if isinstance(text, str) else text, err=err, nl=nl)


def show(document: Document, format_name: str) -> None:
    """Print a document in one of the formats, as wide as the terminal."""
    echo(write(document, format_name, terminal_style()))


def cleaned(text: str) -> str:
    """The text without all that could steer a terminal, hide in it, or turn its direction."""
    if text.replace("\n", "").isprintable():
        return text
    return "".join(part if _OWN.fullmatch(part) else printable(part) for part in _OWN.split(text))


def output_is_terminal() -> bool:
    """Whether a person is reading."""
    return sys.stdout is not None and sys.stdout.isatty()


def terminal_style() -> Style:
    """No wider than the terminal and with emphasis; plain text of any width for a pipe."""
    if not output_is_terminal():
        return Style()
    return _emphatic(_width())


def _emphatic(width: int) -> Style:
    if os.environ.get("NO_COLOR"):
        return Style(width)
    return Style(width, lambda text: click.style(text, bold=True), lambda text: click.style(text, dim=True))


def error_style() -> Style:
    """The same for what goes to stderr."""
    if sys.stderr is None or not sys.stderr.isatty():
        return Style()
    return _emphatic(_columns_of(sys.stderr))


def _width() -> int:
    try:
        return int(os.environ.get("COLUMNS", "")) or 80
    except ValueError:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80


def _columns_of(stream: TextIO) -> int:
    """How wide the terminal behind a stream is; 80 where nothing says so."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


_STEPS = 1000  # of a bar
_ERASE = "\r\x1b[1A\x1b[2K"  # the line above, where click leaves the bar


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, where that is a terminal, for work that says how much of how much is done.

    Nothing of it is left at the end.
    """
    if sys.stderr is None or not sys.stderr.isatty():
        yield lambda _done, _all: None
        return
    # Interrupted, the bar shows the cursor again, which it hides.
    room = _columns_of(sys.stderr) - len(label) - len("  [] 100%") - 1
    width = max(1, min(30, room))
    with interruptible():
        try:
            with click.progressbar(length=_STEPS, label=label, width=width, show_eta=False, file=sys.stderr) as bar:

                def show(done: int, whole: int) -> None:
                    # What turns out to be more work than was thought lets the bar wait, and not fall.
                    if (steps := min(_STEPS, _STEPS * done // max(whole, 1)) - bar.pos) > 0:
                        bar.update(steps)

                yield show
        finally:
            click.echo(_ERASE, err=True, nl=False)
