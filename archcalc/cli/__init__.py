"""The command line: parses arguments, calls the library and prints. Each command is a module, imported on use."""

import os
import sys
from importlib import import_module
from io import TextIOWrapper
from typing import TYPE_CHECKING, Any

import click

from archcalc import __version__
from archcalc.cli.terminal import echo
from archcalc.errors import ArchcalcError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "summary": "Print shapes, parameters, MACs and receptive fields, layer by layer.",
    "explain": "Show the derivation of every number.",
    "reconcile": "Show why tools count differently, and which tools round to a figure.",
    "formula": "Print parameters, MACs and shapes in closed form.",
    "memory": "Print the memory of inference and training, and the largest batch that fits.",
    "diagram": "Draw the network as SVG, PDF, PNG or DOT.",
    "report": "Write a page about networks, as one HTML file.",
    "watch": "Serve the page of a spec, and refresh it when the spec is saved.",
    "export": "Write the network as PyTorch source text, or as ONNX.",
    "compare": "Compare networks side by side: totals, layers and differences.",
    "check": "Validate specs, and list probable mistakes.",
    "range": "Print which input sizes work, leave no remainder, and are useful.",
    "verify": "Compare every number with PyTorch.",
    "receptive-field": "Show the receptive field of one unit, layer by layer.",
    "bench": "Time networks on a device, and compare them.",
    "roofline": "Print the least time of every layer on a device, and what bounds it.",
    "layers": "List the layer types and their fields.",
    "specs": "List the architectures that come with archcalc.",
    "schema": "Print the JSON Schema of specs, for completion in editors.",
    "completion": "Print a script for completion in a shell.",
}


class LazyGroup(click.Group):
    """A group that imports a command only to run it, or to show its help."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"archcalc.cli.{cmd_name.replace('-', '_')}").command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from archcalc.errors import UsageError, did_you_mean, quoted

            raise UsageError(f"no command is called {quoted(args[0])}", did_you_mean(args[0], COMMANDS))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            # If an option lacks its value, the parser does not know its command.
            if error.ctx is None and ctx.invoked_subcommand and (name := ctx.invoked_subcommand) in COMMANDS:
                error.ctx = click.Context(self.get_command(ctx, name) or self, ctx, name)
            raise

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem[str]]":
        from click.shell_completion import CompletionItem

        commands = [CompletionItem(name, help=about) for name, about in COMMANDS.items() if name.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="archcalc")
def cli() -> None:
    """How big is this network, and why?

    A SPEC is a TOML file, the name of a shipped one such as lenet5, or - for standard input.

    Exit codes: 0 fine, 1 a check failed, 2 the spec or the command line is wrong.
    """


def main() -> None:
    """Run the command line, and turn user errors into a message and an exit code."""
    for stream in (sys.stdout, sys.stderr):
        # A stream that is closed at the start is None.
        if isinstance(stream, TextIOWrapper) and stream.encoding.lower() not in ("utf-8", "utf8"):
            stream.reconfigure(errors="replace")
    try:
        code = _answer_shell() if "_ARCHCALC_COMPLETE" in os.environ else _run()
        if sys.stdout:
            sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:
        _give_up_output()
        sys.exit(0)
    except OSError as error:
        _give_up_output()
        echo(f"error: cannot write the output: {(error.strerror or str(error)).lower()}", err=True)
        sys.exit(2)


def _answer_shell() -> int:
    """Print completions for the shell scripts of click; return the exit code."""
    from archcalc.cli.completion import answer

    return answer(os.environ["_ARCHCALC_COMPLETE"])


def _run() -> int:
    """Run the command; return the exit code."""
    try:
        # Calling the group would exit with 1, as after a failed check, if a pipe is closed.
        with cli.make_context("archcalc", sys.argv[1:]) as context:
            cli.invoke(context)
    except click.exceptions.Exit as exit_request:
        return exit_request.exit_code
    except (click.ClickException, ArchcalcError) as error:
        from archcalc.cli.errors import format_error

        echo(format_error(error), err=True)
        return 2
    except MemoryError:
        echo("error: the network is too large for the memory of this machine", err=True)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return 130
    return 0


def _give_up_output() -> None:
    """Discard buffered output, which would raise again at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
