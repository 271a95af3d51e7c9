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


@click.command("formula", short_help="Print parameters, MACs and shapes in closed form.")
@spec_argument
@click.argument("layers", metavar="[LAYER]...", nargs=-1, shell_complete=propose_layers)
@click.option("--symbol", "symbols", multiple=True, metavar="NAME", help="Treat a variable of the spec as a symbol.")
@lambda command: inputs_option(command, words=True)
@settings_option
@training_option
@click.option("--batch", default="1", show_default=True, metavar="N", help="Number of samples, or a letter for it.")
@click.option("--layers", "every_layer", is_flag=True, help="Print a row for every layer.")
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
    """Print the parameters, MACs and output shapes of SPEC, or of each LAYER, in closed form.

    Symbols are variables of the spec (--symbol), letters for sizes of an input (--input image=3xHxW), and a letter for
    the batch. They are whole numbers; variables with a decimal value are real. Intermediate sizes have names with an
    index. Nested floors are combined; a floor that does not simplify is kept. Where the spec branches on a symbol, the
    formula follows the symbol's value in the spec, and "holds where" states the condition. Only the values in the spec
    are checked for layers that do not fit. Needs pip install 'archcalc[formula]'.
    """
    if batch.isdecimal() and len(batch) > MAX_DIGITS:
        raise UsageError(f"a batch of {len(batch):,} digits is larger than any")
    samples: int | str = int(batch) if batch.isdecimal() else batch
    formula = archcalc.formula(spec, symbols, batch=samples, **network)
    names = None if not layers and not every_layer else [*layers] or [row.name for row in formula.layers]
    show(formula.document(names), format_name)
