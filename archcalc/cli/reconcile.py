"""`archcalc reconcile`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.analysis.reconciliation import FORMATS, render_reconciliation
from archcalc.cli.options import batch_option, network_options
from archcalc.cli.terminal import echo, output_is_terminal, terminal_style


@click.command("reconcile", short_help="Show why tools count differently, and which of them a figure comes from.")
@click.argument("spec")
@network_options
@batch_option
@click.option(
    "--target",
    metavar="FIGURE",
    help="A number read in a paper, such as 4.1e9, 4.09G or 569M: which conventions round to it?",
)
@click.option(
    "--format", "format_name", type=click.Choice(FORMATS), help="[default: table in a terminal, plain in a pipe]"
)
def command(spec: str, batch: int, target: str | None, format_name: str | None, **network: Any) -> None:
    """Count SPEC by every convention, and show the terms by which each differs from plain MACs.

    The terms add up exactly. A figure is compared at its own precision: 4.1e9 has two digits, 4.09G three, and a number
    written in full is compared in full.

    Exit codes: 0 fine, 1 no convention rounds to the target, 2 the spec or the command line is wrong.
    """
    found = archcalc.load(spec, batch=batch, **network).reconcile(target)
    chosen = format_name or ("table" if output_is_terminal() else "plain")
    echo(render_reconciliation(found, chosen, terminal_style()))
    if found.target and not found.matches:
        sys.exit(1)
