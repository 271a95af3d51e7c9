"""`archcalc roofline`."""

from typing import Any

import click

import archcalc
from archcalc.analysis.roofline_document import devices_document
from archcalc.cli.options import FileName, batch_option, depth_option, format_option, network_options, propose_specs
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.terminal import show
from archcalc.devices import DTYPES, shipped_devices
from archcalc.diagram.image_files import image_format
from archcalc.errors import UsageError


def propose_devices(_context: click.Context, _param: click.Parameter, incomplete: str) -> Any:
    """Completions for a device."""
    from archcalc.cli.proposals import files_or

    return files_or(shipped_devices(), incomplete)


@click.command("roofline", short_help="Print the least time of every layer on a device, and what bounds it.")
@click.argument("spec", required=False, shell_complete=propose_specs)
@network_options
@click.option(
    "--device",
    metavar="NAME|FILE",
    shell_complete=propose_devices,
    help="A device from --list-devices, or a TOML file such as my_device.toml.",
)
@click.option(
    "--list-devices",
    is_flag=True,
    help="List the devices that come with archcalc, and their peaks.",
)
@click.option("--dtype", default="float32", show_default=True, metavar="NAME", help=f"Data type: {', '.join(DTYPES)}.")
@batch_option
@depth_option
@format_option
@click.option("-o", "--output", type=FileName(), help="Draw the roofline to a file that ends in .svg, .pdf or .png.")
@click.option("--force", is_flag=True, help="Replace the file if it exists.")
def command(
    spec: str | None,
    list_devices: bool,
    depth: int | None,
    format_name: str,
    output: str | None,
    force: bool,
    **options: Any,
) -> None:
    """Print the operations and bytes of every layer of SPEC, and its least time on a device.

    The least time of a layer is operations / peak or bytes / bandwidth, whichever is longer; the longer one bounds the
    layer. Each MAC is two operations; a layer without MACs counts elementary operations. A layer reads its inputs,
    parameters and buffers once and writes its output once, all in the dtype. 1 MiB = 2^20 bytes, 1 KiB = 2^10.

    Times are lower bounds for single layers, and the total is their sum: without fusion, without a cache between layers
    and without time for launches. A compiler that fuses layers, a cache that keeps an output for the next layer, or an
    algorithm with fewer MACs (Winograd's) can be faster than the sum. Devices do not reach the peaks of their makers,
    which are dense and at the boost clock. PyTorch's convolutions multiply float32 as tf32 by default, if the GPU can.
    """
    device, dtype = options.pop("device"), options.pop("dtype")
    if list_devices:
        show(devices_document(shipped_devices()), format_name)
        return
    if spec is None:
        raise click.MissingParameter(param_hint="SPEC", param_type="argument")
    if device is None:
        raise UsageError("--device is missing", f"for example: --device a100; known: {', '.join(shipped_devices())}")
    if output is not None:
        file_format = image_format(output)
        check_writable(output, force)
        from archcalc.diagram.roofline import draw
    network = archcalc.load(spec, **options)
    whole = network.roofline(device, dtype)
    found = whole.collapsed(network.graph, depth)
    if output is not None:
        write_file(output, draw(found, file_format), force)
        return
    if format_name == "table":
        found = whole.nested(network.graph, depth, network.tree(depth))
    show(found.document(), format_name)
