"""`archcalc watch`."""

import os.path
from contextlib import suppress
from threading import Thread
from typing import Any

import click

import archcalc
from archcalc.cli.interrupt import interruptible
from archcalc.cli.options import batch_option, network_options, spec_argument
from archcalc.cli.terminal import echo
from archcalc.errors import ArchcalcError, Diagnostic, Place, SpecError, UsageError, printable, quoted

MOST_MILLISECONDS = 500  # between looks at a file that was saved before the watch began


@click.command("watch", short_help="Serve the page of a spec, and refresh it when the spec is saved.")
@spec_argument
@network_options
@batch_option
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="N",
    default=8000,
    show_default=True,
    help="The port; 0 takes a free one.",
)
def command(spec: str, port: int, **options: Any) -> None:
    """Serve the page of SPEC on 127.0.0.1, and refresh it in the browser whenever SPEC is saved.

    If the spec is wrong, the page shows the errors with their places above the last valid version. A refresh keeps what
    you opened, collapsed, sorted and scrolled to. Ctrl-C ends the server with exit code 0.
    """
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        raise UsageError("watch needs watchfiles, which is not installed", "pip install 'archcalc[watch]'") from None
    from archcalc.page.page import render_page
    from archcalc.page.server import PageServer

    if spec == "-":
        raise UsageError("standard input cannot be watched", "name a file")
    path = spec if os.path.exists(spec) else archcalc.shipped_specs().get(spec, spec)
    if not os.path.exists(path) or os.path.isdir(path):
        archcalc.load(spec)  # raises the error
    elif not os.path.isfile(path):
        raise UsageError(f"{quoted(path)} is no file, and cannot be watched", "name a file")

    good: dict[str, archcalc.Network] = {}  # the last valid network
    shown: list[tuple[int, ...] | None] = [None]  # the state of the file on the page

    def page(version: int) -> str:
        shown[:] = [_state(path)]
        try:
            if os.path.exists(path) and not os.path.isfile(path):
                # Reading a pipe would block; a folder may be replaced by a file soon.
                raise SpecError([Diagnostic(f"cannot read {quoted(path)}: not a file", Place(path))])
            good[spec] = archcalc.load(path, **options)
            return render_page(good, version=version)
        except ArchcalcError as error:
            return render_page(good if isinstance(error, SpecError) else {}, version=version, error=str(error))

    full_path = os.path.abspath(path)
    with PageServer(port, page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        echo(f"{server.address} shows {printable(path)}; Ctrl-C ends it")
        # Watches the folder, since an editor may replace the file.
        changes = watch(
            os.path.dirname(full_path),
            watch_filter=lambda _change, changed: os.path.abspath(changed) == full_path,
            recursive=False,
            rust_timeout=MOST_MILLISECONDS,
            yield_on_timeout=True,
        )
        with suppress(KeyboardInterrupt), interruptible():
            for _ in changes:
                if _state(path) != shown[0]:
                    server.refresh()
        server.shutdown()


def _state(path: str) -> tuple[int, ...] | None:
    """The state of a file, which changes when it is saved; None for no file."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
