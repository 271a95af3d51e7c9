"""`archcalc formula`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import (
    MAX_DIGITS,
    format_option,
    inputs_option,
    propose_layers,
    settings_option,
    spec_argument,
    training_option,
)
from archcalc.cli.terminal import show
from archcalc.errors import UsageError


@click.command("formula", short_help="Give parameters, MACs and shapes in closed form.")
@spec_argument
@click.argument("layers", metavar="[LAYER]...", nargs=-1, shell_complete=propose_layers)
@click.option("--symbol", "symbols", multiple=True, metavar="NAME", help="A variable of the spec that is a symbol.")
@lambda command: inputs_option(command, words=True)
@settings_option
@training_option
@click.option("--batch", default="1", show_default=True, metavar="N", help="Number of samples, or a letter for it.")
@click.option("--layers", "every_layer", is_flag=True, help="A row for every layer.")
@format_option
def command(
    spec: str,
    layers: tuple[str, ...],
    symbols: tuple[str, ...],
    batch: str,
    every_layer: bool,
    format_name: str,
    **network: Any,
) -> None:
    """Give the parameters, MACs and output shapes of SPEC, or of each LAYER, in closed form.

    Symbols are variables of the spec (--symbol), letters in the place of an input's sizes (--input image=3xHxW), and a
    letter for the batch. They are whole numbers, or real ones where the spec gives a decimal. Intermediate sizes have
    names with an index; floors stay where they do not cancel. What the spec decides by a symbol it decides by the
    symbol's own value, and "holds where" says for which others the formula is the same; whether layers fit is checked
    for the own values alone. Needs pip install 'archcalc[formula]'.
    """
    if batch.isdecimal() and len(batch) > MAX_DIGITS:
        raise UsageError(f"a batch of {len(batch):,} digits is larger than any")
    samples: int | str = int(batch) if batch.isdecimal() else batch
    formula = archcalc.formula(spec, symbols, batch=samples, **network)
    names = None if not layers and not every_layer else [*layers] or [row.name for row in formula.layers]
    show(formula.document(names), format_name)
