"""`archcalc bench`."""

from typing import Any, NamedTuple

import click

from archcalc.cli.interrupt import interruptible
from archcalc.cli.options import BadValue, FileName, WordChoice, specs_argument, value_options
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.terminal import echo, output_is_terminal, progress_bar, terminal_style
from archcalc.errors import UsageError, quoted
from archcalc.measured.benchmark import Benchmark
from archcalc.render.style import Style
from archcalc.render.write import FORMATS, write


def _listed(_context: click.Context, _option: click.Parameter, text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(","))


def _batches(context: click.Context, option: click.Parameter, text: str) -> tuple[int, ...]:
    sizes = _listed(context, option, text)
    if not all(size.isdecimal() and len(size) < 19 and int(size) > 0 for size in sizes):
        raise BadValue(f"{quoted(text)} is no list of batch sizes", "write 1 or more as 1,8,64")
    return tuple(map(int, sizes))


def _format_of(file: str) -> str:
    """The format for the ending of a file name; plain text for any other."""
    ending = file.lower().rpartition(".")[2]
    return _ENDINGS.get(ending, "plain")


_ENDINGS = {"json": "json", "csv": "csv", "md": "markdown", "tex": "latex", "html": "html"}


class _Target(NamedTuple):
    """The files and the format of a result."""

    output: str | None
    format_name: str
    device_file: str | None
    force: bool

    def check(self) -> None:
        """Raises UsageError before long work if a file cannot be written."""
        for file in (self.output, self.device_file):
            if file:
                check_writable(file, self.force)

    def write(self, result: Benchmark) -> None:
        """Print the result or write it to its file, and write the device file."""
        style = Style() if self.output else terminal_style()
        text = write(result.document(), self.format_name, style)
        try:
            if self.output:
                write_file(self.output, text + "\n", self.force)
        except UsageError:
            echo(text)  # a full disk does not lose long work
            raise
        if not self.output:
            echo(text)
        if self.device_file:
            write_file(self.device_file, result.measured_device().to_toml(), self.force)


@click.command("bench", short_help="Time networks on a device, and compare them.")
@specs_argument()
@click.option("--device", default="cpu", show_default=True, metavar="NAME", help="cpu, cuda (or cuda:1), or mps.")
@click.option(
    "--batch",
    "batches",
    default="1",
    show_default=True,
    callback=_batches,
    metavar="SIZES",
    help="Batch sizes, separated by commas: 1,8,64.",
)
@click.option(
    "--dtype",
    "dtypes",
    default="float32",
    show_default=True,
    callback=_listed,
    metavar="NAMES",
    help="Data types of parameters and inputs: float32, bfloat16, float16, float64; several as float32,bfloat16.",
)
@click.option(
    "--mode",
    type=WordChoice(["inference", "training"]),
    default="inference",
    show_default=True,
    help="training times forward, backward and a step of SGD, with the layers that exist only in training.",
)
@click.option("--compile", is_flag=True, help="Run the network through torch.compile.")
@click.option("--channels-last", is_flag=True, help="Use the memory format channels_last.")
@click.option("--layers", is_flag=True, help="Also time every layer of the forward pass.")
@click.option("--cuda-graph", is_flag=True, help="Record a call as a CUDA graph, and time its replay.")
@click.option("--flush-l2", is_flag=True, help="Empty the GPU's cache before each call.")
@click.option("--threads", type=click.IntRange(min=1), metavar="N", help="Number of CPU threads.  [default: PyTorch's]")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    metavar="N",
    help="Longest time to measure a row after its warm-up; at least six samples are taken.",
)
@value_options
@click.option(
    "--format",
    "format_name",
    type=WordChoice(FORMATS),
    help="[default: by the ending of FILE, .json, .csv, .md, .tex or .html, else text]",
)
@click.option("-o", "--output", type=FileName(), metavar="FILE", help="Write to a file.")
@click.option(
    "--write-device",
    "device_file",
    type=FileName(),
    metavar="FILE",
    help="Write the measured peaks as a device for archcalc roofline.",
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(specs: tuple[str, ...], variables: dict[str, Any], inputs: dict[str, list[int]], **options: Any) -> None:
    """Time SPEC on a device. Several specs are timed in turns, and each is compared with the first, pair by pair.

    The warm-up ends when times settle. A sample is one or more calls that take at least a millisecond. Sampling ends
    when the 95 % confidence interval of the median lies within ±2 % of it, or when --seconds are over. A CPU is timed
    by its clock, a GPU by events. Inputs are on the device before timing.

    FLOPs are counted by archcalc: two for each MAC; in training, the gradients are included. Bytes moved are a lower
    bound: every layer reads its inputs, parameters and buffers, and writes its outputs; a view moves nothing. Peak is
    the share of the measured FLOP/s of a matrix product, Copy the share of the measured bytes/s of a copy. 1 MiB = 2^20
    bytes.
    """
    from archcalc.pytorch.bench import Interrupted, Options, bench

    asked = options.pop("format_name")
    ending = _format_of(options["output"]) if options["output"] else "table" if output_is_terminal() else "plain"
    target = _Target(
        output=options.pop("output"),
        format_name=asked or ending,
        device_file=options.pop("device_file"),
        force=options.pop("force"),
    )
    target.check()
    if specs.count("-") > 1:
        raise UsageError("standard input can be read only once")
    chosen = Options(**options)
    try:
        with interruptible(), progress_bar("measuring") as progress:
            result = bench(specs, chosen, variables=variables, inputs=inputs, progress=progress)
    except Interrupted as interrupt:
        if interrupt.result.rows:
            target.write(interrupt.result)
        raise
    target.write(result)
