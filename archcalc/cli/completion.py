"""`archcalc completion`, and the completions for a shell."""

from contextlib import redirect_stderr
from io import StringIO

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, add_completion_class, get_completion_class

from archcalc.cli.options import WordChoice
from archcalc.cli.terminal import echo

SHELLS = ("bash", "zsh", "fish")
VARIABLE = "_ARCHCALC_COMPLETE"  # click's name

# Click's script proposes either words or folders. This one proposes both, and expands nothing in a name.
_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' type value
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            plain) COMPREPLY+=("$value") ;;
            dir) compopt -o plusdirs ;;
            file) compopt -o default ;;
        esac
    done < <(COMP_WORDS="${COMP_WORDS[*]}" COMP_CWORD=$COMP_CWORD %(complete_var)s=bash_complete "$1" 2> /dev/null)
}
complete -o nosort -F %(complete_func)s %(prog_name)s
"""


_BREAKS = ("=", ":")


class _Bash(BashComplete):
    source_template = _BASH

    def source(self) -> str:
        return ShellComplete.source(self)  # without checking the version of bash

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before, and the word to complete. Bash splits `--format=json` and `m5:n=1` into several words."""
        arguments, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in (*arguments, incomplete):
            if words and (words[-1][-1:] in _BREAKS or (word and word in _BREAKS)):
                words[-1] += word
            else:
                words.append(word)
        return words[:-1], words[-1]


class _Fish(FishComplete):
    # The value may contain commas.
    source_template = FishComplete.source_template.replace('string split ","', 'string split -m 1 ","')


add_completion_class(_Bash)
add_completion_class(_Fish)


@click.command("completion", short_help="Print a script for completion in a shell.")
@click.argument("shell", type=WordChoice(SHELLS))
def command(shell: str) -> None:
    """Print a script by which a shell completes commands, options, specs and layers.

    \b
    bash  echo 'eval "$(archcalc completion bash)"' >> ~/.bashrc
    zsh   echo 'eval "$(archcalc completion zsh)"' >> ~/.zshrc
    fish  archcalc completion fish > ~/.config/fish/completions/archcalc.fish
    """  # noqa: D301  # \b keeps the lines apart
    echo(_completer(shell).source(), nl=False)


def answer(instruction: str) -> int:
    """Print completions for an instruction such as `bash_complete`; nothing after an error."""
    shell, _, what = instruction.partition("_")
    if shell not in SHELLS or what not in ("source", "complete"):
        return 1
    try:
        with redirect_stderr(StringIO()):
            completer = _completer(shell)
            text = completer.source() if what == "source" else completer.complete()
    except Exception:
        return 1
    echo(text)
    return 0


def _completer(shell: str) -> ShellComplete:
    from archcalc.cli import cli

    completer = get_completion_class(shell)
    assert completer is not None
    return completer(cli, {}, "archcalc", VARIABLE)
