"""`archcalc export`."""

from typing import Any

import click

import archcalc
from archcalc.cli.options import FileName, WordChoice, network_options, spec_argument
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.terminal import echo
from archcalc.errors import UsageError


@click.command("export", short_help="Write the network as PyTorch source text, or as ONNX.")
@spec_argument
@network_options
@click.option(
    "--to",
    "form",
    type=WordChoice(["source", "onnx"]),
    help="[default: onnx for a file that ends in .onnx, else source]",
)
@click.option("-o", "--output", type=FileName(), help="The file to write; by default, source text is printed.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(spec: str, form: str | None, output: str | None, force: bool, **network: Any) -> None:
    """Write SPEC as the source text of a PyTorch module, or as an ONNX graph with random weights.

    The source needs only PyTorch: blocks are classes, and weights have the same names as in archcalc.build. PyTorch's
    own exporter writes ONNX, for networks of at most 5,000 layers; it needs pip install 'archcalc[onnx]'.
    """
    if output is not None:
        check_writable(output, force)
    if form == "onnx" or (form is None and output is not None and output.lower().endswith(".onnx")):
        if output is None:
            raise UsageError("ONNX is binary", "name a file, as in -o model.onnx")
        from archcalc.pytorch.onnx import to_onnx

        write_file(output, to_onnx(archcalc.load(spec, **network)), force)
        return
    text = archcalc.load(spec, **network).to_source()
    if output is None:
        echo(text, nl=False)
    else:
        write_file(output, text, force)
