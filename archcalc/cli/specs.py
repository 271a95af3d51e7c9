"""`archcalc specs`."""

from collections.abc import Iterator

import click

from archcalc.cli.terminal import echo
from archcalc.errors import printable
from archcalc.spec.document import SpecDocument, read, shipped_specs
from archcalc.spec.problems import shown


@click.command("specs", short_help="List the architectures that come with archcalc.")
@click.argument("spec", required=False)
@click.option("--paths", is_flag=True, help="Print where their files are.")
def command(spec: str | None, paths: bool) -> None:
    """List the architectures that come with archcalc; each name can be used as a SPEC.

    With a SPEC: what --input and --set can change in it, with the values that it has now.
    """
    if spec is not None:
        echo("\n".join(_described(read(spec))))
        return
    found = shipped_specs()
    width = max(map(len, found), default=0)
    for name, path in found.items():
        echo(f"{name:<{width}}  {path if paths else read(path).data['name']}")


def _described(document: SpecDocument) -> Iterator[str]:
    """A spec's name and source, and its inputs and variables as they are written."""
    data = document.data
    yield from (printable(data[key]) for key in ("name", "source") if isinstance(data.get(key), str))
    for key, option in (("inputs", "--input"), ("variables", "--set")):
        values = data.get(key)
        if isinstance(values, dict) and values:
            yield f"\n{key} ({option})"
            width = max(len(printable(name)) for name in values)
            yield from (f"  {printable(name):<{width}}  {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    """A value as the spec has it; an input that says more than its shape is a table."""
    if isinstance(value, dict):
        return ", ".join(f"{printable(key)} {shown(part)}" for key, part in value.items())
    return shown(value)
