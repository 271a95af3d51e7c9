"""`archcalc schema`."""

import json

import click

from archcalc.spec.schema import json_schema


@click.command("schema", short_help="Print the JSON Schema of specs, for completion in editors.")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of specs.

    An editor with TOML support reads it from the first line of a spec: #:schema archcalc.schema.json
    """
    click.echo(json.dumps(json_schema(), indent=1, ensure_ascii=False))
