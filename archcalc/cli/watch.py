"""`archcalc watch`."""

import os.path
from contextlib import suppress
from threading import Thread
from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, network_options
from archcalc.errors import ArchcalcError, UsageError


@click.command("watch", short_help="Serve the page of a spec, and refresh it when the spec is saved.")
@click.argument("spec")
@network_options
@batch_option
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="0 takes a free one.")
def command(spec: str, port: int, **options: Any) -> None:
    """Serve the page of SPEC on 127.0.0.1, and refresh it in the browser whenever SPEC is saved.

    What is wrong with the spec is shown in the page, with its place. Ctrl-C ends it.
    """
    try:
        from watchfiles import watch
    except ModuleNotFoundError:
        raise UsageError("watch needs watchfiles, which is not installed: pip install 'archcalc[watch]'") from None
    from archcalc.page.page import render_error, render_page
    from archcalc.page.server import PageServer

    if spec == "-":
        raise UsageError("standard input is never saved: name a file")
    path = spec if os.path.exists(spec) else archcalc.shipped_specs().get(spec, spec)
    if not os.path.isfile(path):
        archcalc.load(spec)  # which says that there is none

    def page(version: int) -> str:
        try:
            return render_page({spec: archcalc.load(path, **options)}, version=version)
        except ArchcalcError as error:
            return render_error(str(error), version)

    full_path = os.path.abspath(path)
    with PageServer(port, page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        click.echo(f"{server.address} shows {click.format_filename(path)}; Ctrl-C ends it")
        # The folder, since an editor may put another file in the place of the spec.
        changes = watch(
            os.path.dirname(full_path),
            watch_filter=lambda _change, changed: os.path.abspath(changed) == full_path,
            recursive=False,
        )
        with suppress(KeyboardInterrupt):
            for _ in changes:
                server.refresh()
        server.shutdown()
