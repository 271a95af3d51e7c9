"""`archcalc schema`."""

import click

from archcalc.cli.terminal import echo
from archcalc.render.json_text import json_text
from archcalc.spec.json_schema import json_schema


@click.command("schema", short_help="Print the JSON Schema of specs, for completion in editors.")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of specs.

    An editor with TOML support reads it from the first line of a spec: #:schema archcalc.schema.json
    """
    echo(json_text(json_schema(), indent=1))
