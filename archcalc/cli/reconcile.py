"""`archcalc reconcile`."""

import sys
from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, format_option, network_options, spec_argument
from archcalc.cli.terminal import show


@click.command("reconcile", short_help="Show why tools count differently, and which of them a figure comes from.")
@spec_argument
@network_options
@batch_option
@click.option(
    "--target",
    metavar="FIGURE",
    help="A number read in a paper, such as 4.1e9, 4.09G or 569M: which conventions round to it?",
)
@format_option
def command(spec: str, batch: int, target: str | None, format_name: str, **network: Any) -> None:
    """Count SPEC by every convention, and show the terms by which each differs from plain MACs.

    The terms add up exactly. A figure is compared at its own precision: 4.1e9 has two digits, 4.09G three, and a number
    written in full is compared in full.

    Exit codes: 0 fine, 1 no convention rounds to the target, 2 the spec or the command line is wrong.
    """
    found = archcalc.load(spec, batch=batch, **network).reconcile(target)
    show(found.document(), format_name)
    if found.target and not found.matches:
        sys.exit(1)
