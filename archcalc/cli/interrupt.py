"""Ctrl-C ends a command at once, except in a block that has to clean up."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible() -> Iterator[None]:
    """Within the block, Ctrl-C raises KeyboardInterrupt instead of ending the process."""
    import signal  # most commands have nothing to clean up

    before = signal.getsignal(signal.SIGINT)
    if not callable(before) or before is signal.default_int_handler:  # ignored, or raises already
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
