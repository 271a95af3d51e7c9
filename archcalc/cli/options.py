"""Arguments that several commands share."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from archcalc.spec.expressions import ExpressionError, Value, evaluate

F = TypeVar("F", bound=Callable[..., Any])


def network_options(command: F) -> F:
    """SPEC, and everything that changes which network it means."""
    return value_options(training_option(command))


def value_options(command: F) -> F:
    """Other values for what a spec says, whether it is for training or not."""
    return settings_option(inputs_option(command))


def training_option(command: F) -> F:
    """Whether the network is for training."""
    option = click.option("--training", is_flag=True, help='Keep what exists in training alone (when = "training").')
    return option(command)


def settings_option(command: F) -> F:
    """Other values of variables."""
    option = click.option(
        "--set",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parse_settings,
        help="Another value of a variable: width=0.5.",
    )
    return option(command)


def inputs_option(command: F, words: bool = False) -> F:
    """Other input shapes; with `words`, a size may be one, and is then a symbol."""
    option = click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=SIZES",
        callback=_parse_symbolic_inputs if words else _parse_inputs,
        help="Sizes of an input as symbols: image=3xHxW." if words else "Another input shape: image=3x224x224.",
    )
    return option(command)


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
    return _shapes(texts, words=False)


def _parse_symbolic_inputs(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, list[int | str]]:
    return _shapes(texts, words=True)


def _shapes(texts: tuple[str, ...], words: bool) -> dict[str, list[Any]]:
    shapes = {}
    for text in texts:
        name, value = _split(text, "NAME=SIZES")
        sizes = _sizes(value)
        if not all(size > 0 if isinstance(size, int) else words and size.isidentifier() for size in sizes):
            form = "sizes, and letters for symbols, as 3xHxW" if words else "sizes of 1 or more as 3x224x224"
            raise click.BadParameter(f"{value!r} is no shape; write {form}, without the batch")
        shapes[name] = sizes
    return shapes


def _sizes(value: str) -> list[Any]:
    """The parts of a shape such as 3×224x224: numbers, and as text what is none."""
    parts = [part.strip() for part in value.replace("X", "x").replace("×", "x").split("x")]
    return [int(part) if part.isdecimal() and len(part) <= 75 else part for part in parts]
