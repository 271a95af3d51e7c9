"""Ctrl-C, which ends a command at once, but for what has to be tidied up."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Inside, Ctrl-C raises KeyboardInterrupt, where it would have ended the command at once."""
    import signal  # a summary has nothing to tidy up

    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or before is signal.default_int_handler:  # it is ignored, or raises as it is
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
