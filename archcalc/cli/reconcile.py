"""`archcalc reconcile`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, format_option, network_options, spec_argument
from archcalc.cli.terminal import show


@click.command("reconcile", short_help="Show why tools count differently, and which tools round to a figure.")
@spec_argument
@network_options
@batch_option
@click.option(
    "--target",
    metavar="FIGURE",
    help="A figure from a paper, such as 4.1e9, 4.09G or 569M, to match with the counts.",
)
@format_option
def command(spec: str, batch: int, target: str | None, format_name: str, **network: Any) -> None:
    """Count SPEC by every convention, and show the terms by which each differs from plain MACs.

    The terms add up exactly. --target matches counts that round to the figure: 4.1e9 has two digits, 4.09G three, and a
    number written in full must be equal.

    Exit codes: 0 fine, 1 no convention rounds to the target, 2 the spec or the command line is wrong.
    """
    found = archcalc.load(spec, batch=batch, **network).reconcile(target)
    show(found.document(), format_name)
    if found.target and not found.matches:
        sys.exit(1)
