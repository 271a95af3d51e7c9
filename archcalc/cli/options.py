"""Arguments that several commands share."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import wraps
from operator import ge
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from archcalc.cli.terminal import output_is_terminal
from archcalc.errors import SpecError, printable, quoted
from archcalc.graph import Graph
from archcalc.network import ShapeError
from archcalc.render.write import FORMATS
from archcalc.spec.expressions import ExpressionError, Value, evaluate
from archcalc.spec.values import format_value

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    Proposals = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]

MAX_DIGITS = 75  # of any number

F = TypeVar("F", bound=Callable[..., Any])


class BadValue(click.BadParameter):
    """A wrong value of an option or an argument; `help` is the remedy."""

    def __init__(self, message: str, help: str | None = None, param_hint: str | None = None) -> None:  # noqa: A002
        super().__init__(f"{message}; {help}" if help else message, param_hint=param_hint)
        self.problem = message
        self.help = help


class WordChoice(click.Choice):  # type: ignore[type-arg]  # it takes none in older releases of click
    """One of several words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value in self.choices:
            return str(value)
        raise BadValue(f"{quoted(str(value))} is not a choice", f"choose from {', '.join(self.choices)}")


class FileName(click.ParamType):  # type: ignore[type-arg]
    """The name of a file; an empty name is an error."""

    name = "file"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not value:
            raise BadValue("a file has a name")
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        return [CompletionItem(incomplete, type="file")]


def propose_specs(_context: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Completions for SPEC."""
    from archcalc.cli.proposals import specs

    return specs(incomplete)


def propose_layers(context: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Completions for a layer or a block of SPEC."""
    from archcalc.cli.proposals import layers

    return layers(context, incomplete)


def propose_blocks(context: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
    """Completions for a block of SPEC."""
    from archcalc.cli.proposals import blocks

    return blocks(context, incomplete)


def proposing(names: Iterable[str], several: bool = False) -> "Proposals":
    """Completions for one of these names; with `several`, for a list of them with commas."""

    def propose(_context: click.Context, _param: click.Parameter, incomplete: str) -> "list[CompletionItem[str]]":
        from archcalc.cli.proposals import listed, matching

        return (listed if several else matching)(names, incomplete)

    return propose


spec_argument = click.argument("spec", shell_complete=propose_specs)


def specs_argument(metavar: str = "SPEC...", callback: Callable[..., Any] | None = None) -> Callable[[F], F]:
    """One or more SPECs, in the parameter `specs`."""
    return click.argument(
        "specs", metavar=metavar, nargs=-1, required=True, callback=callback, shell_complete=propose_specs
    )


def network_options(command: F) -> F:
    """The options that select the network of SPEC: --set, --input and --training."""
    return value_options(training_option(command))


def value_options(command: F) -> F:
    """The options --set and --input. Errors of the spec name their values."""
    return settings_option(inputs_option(_naming_values(command)))


def training_option(command: F) -> F:
    """The option --training."""
    option = click.option(
        "--training", is_flag=True, help='Keep layers that exist only in training (when = "training").'
    )
    return option(command)


def settings_option(command: F) -> F:
    """The option --set."""
    option = click.option(
        "--set",
        "variables",
        multiple=True,
        metavar="NAME=VALUE",
        callback=_parse_settings,
        help="Set a variable of the spec: width=0.5.",
    )
    return option(command)


def inputs_option(command: F, words: bool = False) -> F:
    """The option --input; with `words`, a size may be a symbol."""
    option = click.option(
        "--input",
        "inputs",
        multiple=True,
        metavar="NAME=SIZES",
        callback=_parse_symbolic_inputs if words else _parse_inputs,
        help="Set sizes of an input to symbols: image=3xHxW."
        if words
        else "Set the shape of an input: image=3x224x224.",
    )
    return option(command)


def _naming_values(command: F) -> F:
    @wraps(command)
    def run(*arguments: Any, variables: dict[str, Value], inputs: dict[str, list[int]], **options: Any) -> Any:
        try:
            with naming(format_settings(variables, inputs)):
                return command(*arguments, variables=variables, inputs=inputs, **options)
        except ShapeError as error:
            if inputs and (note := _smallest(error.network.graph, inputs)):
                error.add_note(note)
            raise

    return cast("F", run)


def _smallest(graph: Graph, inputs: dict[str, list[int]]) -> str | None:
    """A note with the smallest inputs that work; None unless `inputs` are too small."""
    from archcalc.analysis.shapes import infer_shapes
    from archcalc.analysis.smallest_input import smallest_shapes
    from archcalc.graph import connect
    from archcalc.spec.expansion import expand

    settings = {name: value for name, value in graph.variables.items() if name != "training"}
    try:
        own = connect(graph.document, expand(graph.document, settings, {}, bool(graph.variables["training"])))
    except SpecError:
        return None
    if infer_shapes(own).problems:
        return None
    shapes = smallest_shapes(own)
    if all(len(inputs[name]) == len(shapes[name]) and all(map(ge, inputs[name], shapes[name])) for name in inputs):
        return None  # they are large enough
    smallest = " ".join(f"--input {name}={'x'.join(map(str, shapes[name]))}" for name in inputs)
    return f"note: the smallest that works is {printable(smallest)}; archcalc range says which other sizes do"


def format_settings(variables: dict[str, Value], inputs: dict[str, list[Any]]) -> str:
    """The options --set and --input as written."""
    settings = [f"--set {name}={format_value(value)}" for name, value in variables.items()]
    settings += [f"--input {name}={'x'.join(map(str, shape))}" for name, shape in inputs.items()]
    return ", ".join(settings)


@contextmanager
def naming(settings: str) -> Iterator[None]:
    """Add the settings to an error of the spec."""
    try:
        yield
    except SpecError as error:
        if settings:
            error.add_note(f"note: this is with {printable(settings)}")
        raise


def batch_option(command: F) -> F:
    """The option --batch."""
    size = click.IntRange(min=1)
    return click.option(
        "--batch",
        type=size,
        metavar="N",
        default=1,
        show_default=True,
        help="Number of samples; multiplies operations.",
    )(command)


def depth_option(command: F) -> F:
    """The option --depth."""
    about = "Collapse blocks below this depth; 1 shows the top level alone."
    return click.option("--depth", type=click.IntRange(min=1), metavar="N", help=about)(command)


def _propose_conventions(_context: click.Context, _param: click.Parameter, text: str) -> "list[CompletionItem[str]]":
    from archcalc.analysis.conventions import CONVENTIONS
    from archcalc.cli.proposals import matching

    return matching(CONVENTIONS, text)


def counting_option(command: F) -> F:
    """The option --counting."""
    return click.option(
        "--counting",
        metavar="NAME",
        shell_complete=_propose_conventions,
        help="Count by a convention: macs, flops, all, connections, or a tool's, such as fvcore or ptflops; "
        "archcalc reconcile lists all.",
    )(command)


def format_option(command: F, more: tuple[str, ...] = ()) -> F:
    """The option --format, by default for a terminal or a pipe. `more` are additional formats."""

    def chosen(_context: click.Context, _option: click.Parameter, name: str | None) -> str:
        return name or ("table" if output_is_terminal() else "plain")

    about = "[default: table in a terminal, plain in a pipe]"
    return click.option("--format", "format_name", type=WordChoice([*FORMATS, *more]), callback=chosen, help=about)(
        command
    )


_EXAMPLES = {
    "NAME=VALUE": "width=0.5",
    "NAME=SIZES": "image=3x224x224",
    "NAME=AMOUNT": "parameters=25.6M",
    "SPEC:NAME=VALUE,NAME=VALUE": "mobilenet_v1:alpha=0.5",
}


def split_setting(text: str, form: str) -> tuple[str, str]:
    """The name and value of `NAME=VALUE`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise BadValue(f"{quoted(text)} is not of the form {form}", f"for example: {_EXAMPLES[form]}")
    return name.strip(), value.strip()


def split_settings(texts: Iterable[str], form: str) -> dict[str, str]:
    """The values of settings by name. Raises BadValue for a repeated name."""
    settings: dict[str, str] = {}
    for name, value in (split_setting(text, form) for text in texts):
        if name in settings:
            raise BadValue(f"{name} is given twice: as {settings[name]} and as {value}")
        settings[name] = value
    return settings


def _parse_settings(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, Value]:
    return {name: parse_value(name, value) for name, value in split_settings(texts, "NAME=VALUE").items()}


def parse_value(name: str, text: str) -> Value:
    """The value of a variable."""
    try:
        return evaluate(text, {})
    except ExpressionError as error:
        from archcalc.spec.remedies import NO, YES

        remedy = "write true or false, a number, or a list of these"
        if text.lower() in YES + NO:
            remedy = f"use true or false: {name}={str(text.lower() in YES).lower()}"
        elif not text.isidentifier() and error.help:
            remedy = error.help
        raise BadValue(f"{name}: {error}", remedy) from None


def _parse_inputs(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, list[int]]:
    return _shapes(texts, words=False)


def _parse_symbolic_inputs(
    _context: click.Context, _option: click.Parameter, texts: tuple[str, ...]
) -> dict[str, list[int | str]]:
    return _shapes(texts, words=True)


def _shapes(texts: tuple[str, ...], words: bool) -> dict[str, list[Any]]:
    return {name: parse_shape(value, words) for name, value in split_settings(texts, "NAME=SIZES").items()}


def parse_shape(text: str, words: bool = False) -> list[Any]:
    """The shape of an input; with `words`, a size may be a symbol."""
    sizes = _sizes(text)
    if not all(size > 0 if isinstance(size, int) else words and size.isidentifier() for size in sizes):
        form = "sizes, and letters for symbols, as 3xHxW" if words else "sizes of 1 or more as 3x224x224"
        raise BadValue(f"{quoted(text)} is no shape", f"write {form}, without the batch")
    return sizes


def _sizes(value: str) -> list[Any]:
    """The parts of a shape such as 3×224x224: numbers, or text."""
    parts = [part.strip() for part in value.replace("X", "x").replace("×", "x").split("x")]
    return [int(part) if part.isdecimal() and len(part) <= MAX_DIGITS else part for part in parts]
