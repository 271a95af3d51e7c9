"""Processes that Ctrl-C can interrupt."""

import signal
import subprocess
from typing import Any


def listening(command: list[str], **options: Any) -> "subprocess.Popen[Any]":
    """A process that Ctrl-C ends, however the tests were started.

    Processes started in the background of a shell or by nohup ignore Ctrl-C, and so do their children.
    """

    def listen() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    return subprocess.Popen(command, preexec_fn=listen, **options)  # noqa: PLW1509  # no thread of a test imports


def finished(command: list[str]) -> tuple[int, bytes, bytes]:
    """The exit code, the output and the errors of such a process."""
    with listening(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors
