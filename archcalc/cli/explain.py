"""`archcalc explain`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import batch_option, format_option, network_options, propose_layers, spec_argument
from archcalc.cli.terminal import show


@click.command("explain", short_help="Show the derivation of every number.")
@spec_argument
@click.argument("layers", metavar="[LAYER]...", nargs=-1, shell_complete=propose_layers)
@network_options
@batch_option
@format_option
def command(spec: str, layers: tuple[str, ...], batch: int, format_name: str, **network: Any) -> None:
    """Show the derivation of the numbers of each LAYER in SPEC, step by step, with values.

    A LAYER is the name of a layer or a block, or a pattern such as "layer4.*". The numbers of a block are the sums over
    its parts. Without a LAYER, every layer is explained (the first 10,000), then the whole network.

    Letters: N, C size and channels of the input (N for every axis of positions), M, K size and channels of the output,
    F kernel, S stride, P padding (at one end; at both ends for "same"), D dilation, E effective kernel, G groups, A
    output padding, h heads, V and d number and size of embeddings, n number of positions that a layer reads, r and j
    size and jump of the input's field (r is also the factor of an upsampling).
    """
    loaded = archcalc.load(spec, batch=batch, **network)
    from archcalc.analysis.explain_sums import explain_several

    found = explain_several(loaded.context, layers)
    # One that is named is its own document; what a pattern matches is a list, also of one.
    is_named = [explanation.name for explanation in found.explanations] == [*layers]
    show((found.explanations[0] if is_named and len(layers) == 1 else found).document(), format_name)
