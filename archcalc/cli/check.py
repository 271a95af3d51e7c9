"""`archcalc check`."""

import sys
from collections.abc import Iterable
from typing import Any

import click

import archcalc
from archcalc.analysis.lint import RULES, select
from archcalc.cli.options import network_options
from archcalc.errors import SHOWN, Diagnostic, SpecError

RULE_LIST = "\n".join(f"  {rule.code}  {rule.name}" for rule in RULES)


@click.command(
    "check", short_help="Validate specs and point out what is odd about them.", epilog=f"\b\nRules:\n{RULE_LIST}"
)
@click.argument("specs", metavar="SPEC...", nargs=-1, required=True)
@network_options
@click.option("--select", "selected", metavar="CODES", help="Only these rules: W101, all of W, or a rule's name.")
@click.option("--ignore", "ignored", metavar="CODES", help="Not these rules.")
@click.option(
    "--format", "format_name", type=click.Choice(["text", "json", "github"]), default="text", show_default=True
)
@click.option("--strict", is_flag=True, help="Exit with 1 if there are findings.")
def command(
    specs: tuple[str, ...], selected: str | None, ignored: str | None, format_name: str, strict: bool, **network: Any
) -> None:
    """Validate each SPEC, and point out what is odd about it: each finding with its place, reason and remedy.

    Exit codes: 0 fine, 1 findings with --strict, 2 a spec is wrong.
    """
    found = [diagnostic for spec in specs for diagnostic in _check(spec, network)]
    errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
    findings = select([d for d in found if d.severity != "error"], _codes(selected), _codes(ignored))
    click.echo(_RENDERERS[format_name](errors + findings, len(specs)))
    if errors or (findings and strict):
        sys.exit(2 if errors else 1)


def _check(spec: str, network: dict[str, Any]) -> Iterable[Diagnostic]:
    try:
        return archcalc.load(spec, **network).check()
    except SpecError as error:
        return error.diagnostics


def _codes(text: str | None) -> list[str]:
    return [code.strip() for code in text.split(",")] if text else []


def _text(found: list[Diagnostic], specs: int) -> str:
    counts = {"error": 0, "warning": 0} | {d.severity: 0 for d in found}
    for diagnostic in found:
        counts[diagnostic.severity] += 1
    parts = [f"{count} {name}{'s' * (count != 1)}" for name, count in counts.items() if count]
    total = f"{', '.join(parts) or 'no findings'} in {specs} spec{'s' * (specs != 1)}"
    more = [f"… and {len(found) - SHOWN:,} more"] if len(found) > SHOWN else []
    return "\n\n".join([*map(str, found[:SHOWN]), *more, total])


def _json(found: list[Diagnostic], _specs: int) -> str:
    import json

    rows = [
        {
            "code": d.code,
            "severity": d.severity,
            "message": d.message,
            "file": d.place.source,
            "line": d.place.line,
            "reason": d.reason,
            "help": d.help,
        }
        for d in found
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def _github(found: list[Diagnostic], _specs: int) -> str:
    """Workflow commands, which GitHub shows as annotations of the lines."""
    return "\n".join(_annotation(d) for d in found)


def _annotation(diagnostic: Diagnostic) -> str:
    place, parts = diagnostic.place, (diagnostic.message, diagnostic.reason, diagnostic.help)
    line = "" if place.line is None else f",line={place.line}"
    title = f",title={diagnostic.code}" if diagnostic.code else ""
    text = "\n".join(part for part in parts if part)
    file = _escaped(place.source).replace(":", "%3A").replace(",", "%2C")
    return f"::{diagnostic.severity} file={file}{line}{title}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


_RENDERERS = {"text": _text, "json": _json, "github": _github}
