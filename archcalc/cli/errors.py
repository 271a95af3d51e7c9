"""Formats errors on the command line, in one form for archcalc and click."""

from collections.abc import Iterator
from typing import Any

import click

from archcalc.cli.options import BadValue
from archcalc.cli.terminal import error_style
from archcalc.errors import ArchcalcError, UsageError, meant, printable, quoted
from archcalc.render.style import FINDING_START, Style, wrap_finding
from archcalc.spelling import closest

# Examples of required arguments and options.
_EXAMPLES = {"SPEC": "lenet5", "SPEC...": "lenet5", "SPEC SPEC...": "lenet5 resnet18", "FILE": "page.html"}
_NUMBERS = click.IntRange, click.FloatRange


def format_error(error: ArchcalcError | click.ClickException) -> str:
    """The error with its remedy, wrapped to the terminal."""
    if isinstance(error, click.ClickException):
        text = _format_click_error(error)
    else:
        text = "\n\n".join([_format_archcalc_error(error), *getattr(error, "__notes__", ())])
    style = error_style()
    return "\n".join(part for line in text.split("\n") for part in _format_line(line, style))


def _format_archcalc_error(error: ArchcalcError) -> str:
    if not isinstance(error, UsageError):
        return str(error)
    return _lines(error.message, error.help)


def _lines(message: str, remedy: str | None, usage: str | None = None) -> str:
    found = [f"error: {message}"]
    found += [f"  help: {remedy}"] if remedy else []
    found += [f"  usage: {usage}"] if usage else []
    return "\n".join(found)


def _format_click_error(error: click.ClickException) -> str:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        return error.format_message()
    context = getattr(error, "ctx", None)
    message, remedy = _explain(error, context)
    # Click repeats arguments; their line breaks must not look like more messages.
    message = printable(" ".join(message.split()))
    return _lines(message, remedy and printable(remedy), _usage(error, context))


def _explain(error: click.ClickException, context: click.Context | None) -> tuple[str, str | None]:
    """The error in a command line, and the remedy."""
    more = f"{context.command_path} --help says what it takes" if context else None
    if isinstance(error, click.NoSuchOption):
        close = closest(error.option_name, _options(context))
        return f"no option is called {quoted(error.option_name)}", meant(close) if close else more
    if isinstance(error, click.MissingParameter):
        return f"{_name(error)} is missing", f"for example: {_example(context)}" if context else None
    if isinstance(error, click.BadOptionUsage):
        param = _options(context).get(error.option_name)
        if param is not None and not getattr(param, "is_flag", False):
            return f"{error.option_name} has no value", _value_remedy(param) or f"write {_with_value(param)}"
    if isinstance(error, click.BadParameter):
        return _explain_value(error)
    message = error.format_message().removesuffix(".")
    return message[:1].lower() + message[1:], more


def _explain_value(error: click.BadParameter) -> tuple[str, str | None]:
    value, is_number, _ = error.message.rpartition(" is not ")
    if is_number and isinstance(error.param and error.param.type, (*_NUMBERS, type(click.FLOAT))):
        written = quoted(value.strip("'"))
        return f"{_name(error)} cannot be {written}", _value_remedy(error.param)
    if isinstance(error, BadValue):
        return ": ".join(filter(None, [_name(error), error.problem])), error.help
    return ": ".join(filter(None, [_name(error), error.message.removesuffix(".")])), None


def _options(context: click.Context | None) -> dict[str, click.Parameter]:
    """The options of a command, by all their names."""
    params = context.command.get_params(context) if context else []
    options = [param for param in params if param.param_type_name == "option"]
    return {name: param for param in options for name in (*param.opts, *param.secondary_opts)}


def _name(error: click.BadParameter) -> str:
    """The option or argument as the user writes it: `--batch`, SPEC."""
    param = error.param
    if param is None or error.param_hint:
        return str(error.param_hint or "")
    return max(param.opts, key=len) if param.param_type_name == "option" else _metavar(param).strip("[].").split()[0]


def _metavar(param: click.Parameter) -> str:
    return param.metavar or (param.name or "").upper()


def _value_remedy(param: click.Parameter | None) -> str | None:
    """The allowed values of a number or a choice."""
    kind: Any = param and param.type
    if isinstance(kind, click.Choice):
        return f"choose from {', '.join(kind.choices)}"
    if isinstance(kind, type(click.FLOAT)) and not isinstance(kind, click.FloatRange):
        return "write a number"
    if not isinstance(kind, _NUMBERS):
        return None
    number = "a number" if isinstance(kind, click.FloatRange) else "a whole number"
    if kind.max is not None:
        return f"write {number} from {kind.min} to {kind.max}"
    return f"write {number} above {kind.min}" if kind.min_open else f"write {number}, {kind.min} or more"


def _example(context: click.Context) -> str:
    """A command line with all required arguments."""
    params = context.command.get_params(context)
    words = [_with_value(param) for param in params if param.required or param.name == "spec"]
    return " ".join([context.command_path, *words])


def _with_value(param: click.Parameter) -> str:
    """An example of an argument, or of an option with its value."""
    choices = getattr(param.type, "choices", None)
    value = choices[0] if choices else _EXAMPLES.get(_metavar(param), _metavar(param))
    return f"{min(param.opts, key=len)} {value}" if param.param_type_name == "option" else str(value)


def _usage(error: click.ClickException, context: click.Context | None) -> str | None:
    """The usage of the command; None if only a value is wrong."""
    if context is None or (isinstance(error, click.BadParameter) and not isinstance(error, click.MissingParameter)):
        return None
    return " ".join([context.command_path, *context.command.collect_usage_pieces(context)])


def _format_line(line: str, style: Style) -> Iterator[str]:
    """The line with emphasis, wrapped to the terminal."""
    start = FINDING_START.match(line)
    if start is None:
        yield line
        return
    lines = wrap_finding(line, style.width, whole_words=True) if style.width else [line]
    word = start[0].strip()
    yield lines[0].replace(word, style.bold(word) if word == "error:" else style.dim(word), 1)
    yield from lines[1:]
