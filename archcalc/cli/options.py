"""Arguments that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from archcalc.spec.expressions import ExpressionError, Value, evaluate

F = TypeVar("F", bound=Callable[..., Any])


def network_options(command: F) -> F:
    """SPEC, and everything that changes which network it means."""
    training = click.option("--training", is_flag=True, help='Keep what exists in training alone (when = "training").')
    return value_options(training(command))


def value_options(command: F) -> F:
    """Other values for what a spec says, whether it is for training or not."""
    for option in (
        click.option(
            "--input",
            "inputs",
            multiple=True,
            metavar="NAME=SIZES",
            callback=_parse_inputs,
            help="Another input shape: image=3x224x224.",
        ),
        click.option(
            "--set",
            "variables",
            multiple=True,
            metavar="NAME=VALUE",
            callback=_parse_settings,
            help="Another value of a variable: width=0.5.",
        ),
    ):
        command = option(command)
    return command


def counting_option(command: F) -> F:
    """The convention by which operations are counted."""
    return click.option(
        "--counting",
        metavar="NAME",
        help="Count as a convention does: macs, flops, all, connections, or a tool's, such as fvcore or ptflops; "
        "archcalc reconcile shows them all.",
    )(command)


def _split(text: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise click.BadParameter(f"{text!r} is not of the form {form}")
    return name.strip(), value.strip()


def _parse_settings(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Value]:
    settings = {}
    for text in texts:
        name, value = _split(text, "NAME=VALUE")
        try:
            settings[name] = evaluate(value, {})
        except ExpressionError as error:
            raise click.BadParameter(f"{name}: {error}") from None
    return settings


def _parse_inputs(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[int]]:
    shapes = {}
    for text in texts:
        name, value = _split(text, "NAME=SIZES")
        sizes = value.lower().replace("×", "x").split("x")
        if not all(size.strip().isdecimal() and len(size) <= 75 and int(size) > 0 for size in sizes):
            raise click.BadParameter(f"{value!r} is no shape; write sizes of 1 or more as 3x224x224, without the batch")
        shapes[name] = [int(size) for size in sizes]
    return shapes
