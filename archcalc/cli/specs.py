"""`archcalc specs`."""

import click

from archcalc.spec.document import shipped_specs


@click.command("specs", short_help="List the architectures that come with archcalc.")
@click.option("--paths", is_flag=True, help="Print where their files are.")
def command(paths: bool) -> None:
    """List the architectures that come with archcalc; each name can be used as a SPEC."""
    import tomllib

    found = shipped_specs()
    width = max(map(len, found), default=0)
    for name, path in found.items():
        with open(path, "rb") as file:
            title = path if paths else tomllib.load(file)["name"]
        click.echo(f"{name:<{width}}  {title}")
