"""All errors look the same: what is wrong, what to do, and the form of the command where that is wrong."""

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import archcalc

CASES = [
    (["summray"], 'no command is called "summray"', 'did you mean "summary"?', None),
    (
        ["--vresion"],
        'no option is called "--vresion"',
        'did you mean "--version"?',
        "archcalc [OPTIONS] COMMAND [ARGS]...",
    ),
    (
        ["summary", "lenet5", "--detph", "1"],
        'no option is called "--detph"',
        'did you mean "--depth"?',
        "archcalc summary [OPTIONS] SPEC",
    ),
    (
        ["summary", "lenet5", "--nonsense"],
        'no option is called "--nonsense"',
        "archcalc summary --help says what it takes",
        "archcalc summary [OPTIONS] SPEC",
    ),
    (["summary"], "SPEC is missing", "for example: archcalc summary lenet5", "archcalc summary [OPTIONS] SPEC"),
    (
        ["compare"],
        "SPEC is missing",
        "for example: archcalc compare lenet5 resnet18",
        "archcalc compare [OPTIONS] SPEC SPEC...",
    ),
    (
        ["report", "lenet5"],
        "--output is missing",
        "for example: archcalc report lenet5 -o page.html",
        "archcalc report [OPTIONS] SPEC...",
    ),
    (["roofline"], "SPEC is missing", "for example: archcalc roofline lenet5", "archcalc roofline [OPTIONS] [SPEC]"),
    (["completion", "tcsh"], 'SHELL: "tcsh" is not a choice', "choose from bash, zsh, fish", None),
    (
        ["diagram", "lenet5", "--heat", "mac"],
        '--heat: "mac" is not a choice',
        "choose from parameters, macs, memory, check",
        None,
    ),
    (["summary", "lenet5", "--batch", "0"], '--batch cannot be "0"', "write a whole number, 1 or more", None),
    (["watch", "lenet5", "--port", "x"], '--port cannot be "x"', "write a whole number from 0 to 65535", None),
    (["bench", "lenet5", "--seconds", "0"], '--seconds cannot be "0.0"', "write a number above 0", None),
    (
        ["summary", "lenet5", "--batch"],
        "--batch has no value",
        "write a whole number, 1 or more",
        "archcalc summary [OPTIONS] SPEC",
    ),
    (
        ["summary", "lenet5", "--counting"],
        "--counting has no value",
        "write --counting NAME",
        "archcalc summary [OPTIONS] SPEC",
    ),
    (
        ["memory", "lenet5", "--dtype"],
        "--dtype has no value",
        "choose from float32, bfloat16, float16, float64, int8",
        "archcalc memory [OPTIONS] SPEC",
    ),
    (
        ["summary", "lenet5", "--training=1"],
        "option '--training' does not take a value",
        "archcalc summary --help says what it takes",
        "archcalc summary [OPTIONS] SPEC",
    ),
    (
        ["summary", "lenet5", "more"],
        "got unexpected extra argument (more)",
        "archcalc summary --help says what it takes",
        "archcalc summary [OPTIONS] SPEC",
    ),
    (["diagram", "lenet5", "--depth", "x"], '--depth: "x" is no depth', "write a number of levels, or all", None),
    (["diagram", "lenet5", "-o", ""], "--output: a file has a name", None, None),
    (["summary", "lenet5", "--set", "x"], '--set: "x" is not of the form NAME=VALUE', "for example: width=0.5", None),
    (["summary", "lenet5", "--columns", "x"], 'no column is called "x"', 'known: "activations", "buffers"', None),
    (["explain", "lenet5", "C9"], 'no layer is called "C9"', 'did you mean "C1" or "C3" or "C5"?', None),
]


@pytest.mark.parametrize(("arguments", "message", "remedy", "usage"), CASES, ids=lambda case: str(case)[:40])
def test_an_error_says_what_is_wrong_and_what_to_do(
    arguments: list[str], message: str, remedy: str | None, usage: str | None, program: Callable[..., Any]
) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, *more = done.stderr.splitlines()
    assert first == f"error: {message}"
    if remedy:
        assert more.pop(0).startswith(f"  help: {remedy}")
    assert more == ([f"  usage: {usage}"] if usage else [])


def test_a_line_end_in_an_argument_makes_no_message(program: Callable[..., Any]) -> None:
    done = program("summary", "lenet5", "--x\nerror: forged\x1b[31m")
    assert [line for line in done.stderr.splitlines() if line.startswith("error")] == [
        'error: no option is called "--x�error: forged�[31m"'
    ]


def in_terminal(columns: int, *arguments: str, **environment: str) -> str:
    """What the program writes to a terminal of a width."""
    leader, follower = pty.openpty()
    import fcntl
    import struct
    import termios

    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    paths = {"PYTHONPATH": str(Path(archcalc.__file__).parents[1]), "TERM": "xterm"}
    command = [sys.executable, "-m", "archcalc", *arguments]
    subprocess.run(command, stdout=follower, stderr=follower, env=clean | paths | environment, check=False)
    os.close(follower)
    found = b""
    try:
        while part := os.read(leader, 65536):
            found += part
    except OSError:  # the end of a terminal
        pass
    os.close(leader)
    return found.decode().replace("\r\n", "\n")


def test_a_terminal_shows_emphasis_and_parts_long_lines() -> None:
    text = in_terminal(50, "memory", "lenet5", "--dtype", "float31")
    assert text.splitlines() == [
        '\x1b[1merror:\x1b[0m --dtype: "float31" is not a choice',
        "  \x1b[2mhelp:\x1b[0m choose from float32, bfloat16, float16,",
        "        float64, int8",
    ]


def test_no_color_is_obeyed() -> None:
    text = in_terminal(80, "summary", NO_COLOR="1")
    assert text.splitlines() == [
        "error: SPEC is missing",
        "  help: for example: archcalc summary lenet5",
        "  usage: archcalc summary [OPTIONS] SPEC",
    ]


def lines_of(written: str) -> list[str]:
    """The lines of a terminal that obeys line ends, and the signs for a line up and for an empty line."""
    lines, row = [""], 0
    for sign in re.findall(r"\x1b\[[?\d]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", written):
        if sign == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif sign == "\x1b[1A":
            row -= 1
        elif sign in ("\r", "\x1b[2K"):
            lines[row] = ""
        elif not sign.startswith("\x1b"):
            lines[row] += sign
    return [line for line in lines if line]


@pytest.mark.parametrize("columns", [50, 80])
def test_nothing_of_a_progress_bar_is_left(columns: int) -> None:
    written = in_terminal(columns, "range", "lenet5", "--format", "json", NO_COLOR="1")
    assert "input sizes  [" in written
    assert lines_of(written)[0] == "{"
    assert "input sizes" not in "".join(lines_of(written))
