"""`archcalc specs`."""

from collections.abc import Iterator
from typing import Any

import click

from archcalc.cli.options import format_option, propose_specs
from archcalc.cli.output import write_file
from archcalc.cli.terminal import echo, show
from archcalc.errors import UsageError, did_you_mean, quoted
from archcalc.render.document import NAME, TEXT, Column, Document, Fact, Facts, Row, Table
from archcalc.spec.document import SpecDocument, read, shipped_specs
from archcalc.spec.values import format_value


@click.command("specs", short_help="List the architectures that come with archcalc.")
@click.argument("spec", required=False, shell_complete=propose_specs)
@click.option("--paths", is_flag=True, help="Show the paths of their files.")
@click.option("--copy", is_flag=True, help="Copy the shipped SPEC to the current folder.")
@click.option("--force", is_flag=True, help="Let --copy replace a file.")
@format_option
def command(spec: str | None, paths: bool, copy: bool, force: bool, format_name: str) -> None:
    """List the architectures that come with archcalc; each name can be used as a SPEC.

    With a SPEC, list the inputs and variables that --input and --set can change, with their values.
    """
    if copy:
        _copy(spec, force)
    elif spec is None:
        show(_list(paths), format_name)
    else:
        show(_describe(read(spec)), format_name)


def _copy(spec: str | None, force: bool) -> None:
    found = shipped_specs()
    if spec is None or spec not in found:
        remedy = did_you_mean(spec or "", found)
        raise UsageError(f"--copy takes the name of a shipped spec, not {quoted(spec or '')}", remedy)
    with open(found[spec], "rb") as stream:
        write_file(f"{spec}.toml", stream.read(), force)
    echo(f"{spec}.toml is a copy of {found[spec]}", err=True)


def _list(paths: bool) -> Document:
    records = [{"name": name, "network": read(path).data["name"], "path": path} for name, path in _shipped()]
    columns = [Column("Name", NAME), Column("Network"), *([Column("Path")] if paths else [])]
    rows = [Row([record["name"], record["network"], *([record["path"]] if paths else [])]) for record in records]
    return Document(title="Shipped specs", parts=[Table(columns, rows)], data=lambda: records, records=lambda: records)


def _shipped() -> list[tuple[str, str]]:
    return [*shipped_specs().items()]


def _describe(document: SpecDocument) -> Document:
    """Name and source of a spec, with its inputs and variables as written."""
    data = document.data
    heading = [data[key] for key in ("name", "source") if isinstance(data.get(key), str)]
    return Document(
        title=heading[0] if heading else document.source,
        head=heading[1:],
        parts=[Facts(facts, title=title) for title, facts in _settings(data)],
        data=lambda: {key: data.get(key) for key in ("name", "source", "inputs", "variables")},
        records=lambda: [
            {"setting": title, "name": fact.label, "value": fact.value}
            for title, facts in _settings(data)
            for fact in facts
        ],
        columns=("setting", "name", "value"),
    )


def _settings(data: dict[str, Any]) -> Iterator[tuple[str, list[Fact]]]:
    """Inputs and variables, which options can change."""
    for key, option in (("inputs", "--input"), ("variables", "--set")):
        values = data.get(key)
        if isinstance(values, dict) and values:
            yield f"{key} ({option})", [Fact(name, _value(value), TEXT) for name, value in values.items()]


def _value(value: object) -> str:
    """A value as written in the spec; an input with more than a shape is a table."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {format_value(part)}" for key, part in value.items())
    return format_value(value)
