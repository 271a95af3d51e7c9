"""Files of strangers, read whole: bounded in size, and in time where they may never end."""

import errno
import os
import stat
from typing import BinaryIO

SECONDS = 10  # for all that comes through a pipe


def read_bytes(path: str, max_bytes: int) -> bytes:
    """What a file or a pipe holds, but no more than `max_bytes` and one.

    Raises OSError for what is neither, as a device, and for a pipe that is not closed in time.
    """
    # A pipe that nobody writes into would never be open, and one that nobody closes would never end.
    with open(path, "rb", buffering=0, opener=_without_waiting) as file:
        mode = os.fstat(file.fileno()).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISREG(mode):
            return _whole(file, max_bytes + 1)
        if not stat.S_ISFIFO(mode):
            raise OSError(errno.EINVAL, "not a file")
        return _from_pipe(file, max_bytes + 1)


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _whole(file: BinaryIO, size: int) -> bytes:
    """Up to `size` bytes, of a file that may grow or shrink meanwhile."""
    parts: list[bytes] = []
    while size > 0 and (part := file.read(min(size, 2**20))):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def _from_pipe(file: BinaryIO, size: int) -> bytes:
    from select import POLLIN, poll
    from time import monotonic

    ready, end, parts = poll(), monotonic() + SECONDS, list[bytes]()
    ready.register(file, POLLIN)
    while size > 0:
        # It is ready with data, and when the last writer has closed it; not before the first has opened it.
        if not ready.poll(max(end - monotonic(), 0) * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"a pipe that nobody closes within {SECONDS} seconds")
        if not (part := file.read(min(size, 2**16))):
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
