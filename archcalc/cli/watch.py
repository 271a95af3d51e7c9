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

MOST_MILLISECONDS = 500  # until a file is looked at that was saved before anybody watched


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

    What is wrong with the spec is shown in the page, with its place, above what it was before. What you have opened,
    collapsed, sorted and scrolled to stays so. Ctrl-C ends it, with exit code 0.
    """
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        raise UsageError("watch needs watchfiles, which is not installed", "pip install 'archcalc[watch]'") from None
    from archcalc.page.page import render_page
    from archcalc.page.server import PageServer

    if spec == "-":
        raise UsageError("standard input is never saved", "name a file")
    path = spec if os.path.exists(spec) else archcalc.shipped_specs().get(spec, spec)
    if not os.path.exists(path) or os.path.isdir(path):
        archcalc.load(spec)  # which says so
    elif not os.path.isfile(path):
        raise UsageError(f"{quoted(path)} is no file, and is never saved", "name a file")

    good: dict[str, archcalc.Network] = {}  # what was last without an error
    shown: list[tuple[int, ...] | None] = [None]  # the state of the file that the page is about

    def page(version: int) -> str:
        shown[:] = [_state(path)]
        try:
            if os.path.exists(path) and not os.path.isfile(path):
                # A pipe would have to be waited for, and what a folder is called now may be a file in a moment.
                raise SpecError([Diagnostic(f"cannot read {quoted(path)}: not a file", Place(path))])
            good[spec] = archcalc.load(path, **options)
            return render_page(good, version=version)
        except ArchcalcError as error:
            return render_page(good if isinstance(error, SpecError) else {}, version=version, error=str(error))

    full_path = os.path.abspath(path)
    with PageServer(port, page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        echo(f"{server.address} shows {printable(path)}; Ctrl-C ends it")
        # The folder, since an editor may put another file in the place of the spec.
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
    """What changes when a file is saved; None while there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
