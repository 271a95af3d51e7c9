"""`archcalc check`."""

import sys
from collections.abc import Iterable
from typing import Any

import click

import archcalc
from archcalc.analysis.budget import check_budget, limits_of
from archcalc.analysis.check_result import CheckResult
from archcalc.analysis.lint import RULES, select
from archcalc.cli.options import (
    BadValue,
    batch_option,
    format_option,
    network_options,
    proposing,
    specs_argument,
    split_settings,
)
from archcalc.cli.terminal import echo, show
from archcalc.errors import Diagnostic, SpecError, UsageError
from archcalc.quantities import QUANTITIES, Bound
from archcalc.spec.budget import Limit

RULE_LIST = "\n".join(f"  {rule.code}  {rule.name}" for rule in RULES)
_PROPOSED = proposing([rule.code for rule in RULES], several=True)
QUANTITY_LIST = ", ".join(name.replace("_", "-") for name in QUANTITIES)


def _limits(_context: click.Context, option: click.Parameter, texts: tuple[str, ...]) -> list[Limit]:
    bound: Bound = "max" if option.name == "maximum" else "min"
    try:
        return limits_of(bound, split_settings(texts, "NAME=AMOUNT"))
    except UsageError as error:
        raise BadValue(error.message, error.help) from None


@click.command(
    "check",
    short_help="Validate specs, and list probable mistakes.",
    epilog=f"Quantities of --max and --min: {QUANTITY_LIST}.\n\n\b\nRules:\n{RULE_LIST}",
)
@specs_argument()
@network_options
@batch_option
@click.option(
    "--select",
    "selected",
    metavar="CODES",
    shell_complete=_PROPOSED,
    help="Run only these rules, by code (W101), group (W) or name.",
)
@click.option("--ignore", "ignored", metavar="CODES", shell_complete=_PROPOSED, help="Skip these rules.")
@click.option("--all", "everything", is_flag=True, help="Also show the findings that specs ignore.")
@lambda command: format_option(command, more=("github",))
@click.option("--strict", is_flag=True, help="Exit with 1 if there are findings.")
@click.option(
    "--max",
    "maximum",
    multiple=True,
    metavar="NAME=AMOUNT",
    callback=_limits,
    help="Fail above an amount: parameters=25.6M, macs=4.2G.",
)
@click.option(
    "--min",
    "minimum",
    multiple=True,
    metavar="NAME=AMOUNT",
    callback=_limits,
    help="Fail below an amount: receptive-field=224.",
)
def command(
    specs: tuple[str, ...],
    selected: str | None,
    ignored: str | None,
    everything: bool,
    format_name: str,
    strict: bool,
    **network: Any,
) -> None:
    """Validate each SPEC, and list probable mistakes as findings, each with its place, reason and remedy.

    A spec can ignore intended findings, with a reason (`[[ignore]]`).

    A network must stay within the [budget] of its spec. --max and --min replace the limits of the spec for the same
    quantity.

    Exit codes: 0 fine, 1 findings with --strict or a budget exceeded, 2 a spec is wrong.
    """
    limits = network.pop("maximum") + network.pop("minimum")
    found = [diagnostic for spec in specs for diagnostic in _check(spec, limits, everything, network)]
    errors = [diagnostic for diagnostic in found if diagnostic.severity == "error"]
    failures = [diagnostic for diagnostic in found if diagnostic.severity == "failure"]
    findings = select([d for d in found if d.severity == "warning"], _codes(selected), _codes(ignored))
    result = CheckResult(specs=len(specs), diagnostics=(*errors, *failures, *findings))
    if format_name == "github":
        echo(_github(result.diagnostics))
    else:
        show(result.document(), format_name)
    if errors or failures or (findings and strict):
        sys.exit(2 if errors else 1)


def _check(spec: str, limits: list[Limit], everything: bool, network: dict[str, Any]) -> Iterable[Diagnostic]:
    try:
        loaded = archcalc.load(spec, **network)
    except SpecError as error:
        return error.diagnostics
    return [*check_budget(loaded.context, limits), *loaded.check(ignored=everything)]


def _codes(text: str | None) -> list[str]:
    return [code.strip() for code in text.split(",")] if text else []


def _github(found: Iterable[Diagnostic]) -> str:
    """Workflow commands, which GitHub shows as annotations of lines."""
    return "\n".join(_annotation(d) for d in found)


def _annotation(diagnostic: Diagnostic) -> str:
    place, parts = diagnostic.place, (diagnostic.message, diagnostic.reason, diagnostic.help)
    line = "" if place.line is None else f",line={place.line}"
    title = f",title={diagnostic.code}" if diagnostic.code else ""
    text = "\n".join(part for part in parts if part)
    file = _escaped(place.source).replace(":", "%3A").replace(",", "%2C")
    level = {"failure": "error"}.get(diagnostic.severity, diagnostic.severity)
    return f"::{level} file={file}{line}{title}::{_escaped(text)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
