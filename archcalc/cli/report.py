"""`archcalc report`."""

from typing import Any

import click

from archcalc.cli.options import FileName, batch_option, network_options, specs_argument
from archcalc.cli.output import check_writable, write_file
from archcalc.cli.settings import SpecWithSettings, load_specs, parse_specs
from archcalc.cli.terminal import echo, progress_bar
from archcalc.errors import printable

LARGE = 2_000_000  # bytes; a larger page is slow to send


@click.command("report", short_help="Write a page about networks, as one HTML file.")
@specs_argument(callback=parse_specs)
@network_options
@batch_option
@click.option("-o", "--output", type=FileName(), metavar="FILE", required=True, help="The HTML file to write.")
@click.option(
    "--bench", "bench_file", type=FileName(), metavar="FILE", help="Show the times in an output of bench --format json."
)
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
def command(
    specs: tuple[SpecWithSettings, ...], output: str, bench_file: str | None, force: bool, **options: Any
) -> None:
    """Write a page about each SPEC: totals, findings, plots, diagram, layers with explanations, and counts of tools.

    Several specs are also compared, with a plot of MACs over parameters. A SPEC can have its own settings after a
    colon, as in compare. The page is one file that fetches nothing and opens from disk. Only sorting, collapsing and
    marking layers need JavaScript. The row of a layer opens to the derivation of its numbers.
    """
    check_writable(output, force, ".html")
    networks = load_specs(specs, **options)
    from archcalc.page.bench import read_bench
    from archcalc.page.page import render_page

    bench = () if bench_file is None else read_bench(bench_file)
    untimed = {network.name for network in networks.values()} - {row.network for row in bench}
    if bench and untimed:
        names = ", ".join(sorted(map(printable, untimed)))
        echo(f"note: {printable(bench_file or '')} has no times of {names}", err=True)
    with progress_bar("writing the page") as progress:
        text = render_page(networks, bench, progress)
    write_file(output, text, force)
    if len(text.encode()) > LARGE:
        echo(f"note: the page has {len(text.encode()) / 1e6:.1f} MB; fewer specs make it smaller", err=True)
