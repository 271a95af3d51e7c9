"""Reads untrusted files whole, within bounds of size and, for pipes, of time."""

import errno
import os
import stat
from typing import BinaryIO

SECONDS = 10  # to read all of a pipe


def read_bytes(path: str, max_bytes: int) -> bytes:
    """Read a file or a pipe, at most `max_bytes` + 1 bytes, so that the caller can tell if it is too large.

    Raises OSError for anything else, such as a device, and for a pipe that is not closed in time.
    """
    # Opening a pipe without a writer would block, and so would reading one that nobody closes.
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
    """Read up to `size` bytes of a file, which may grow or shrink meanwhile."""
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
        # The pipe is ready when it has data or its last writer has closed it, and never before a writer has opened it.
        if not ready.poll(max(end - monotonic(), 0) * 1000):
            raise TimeoutError(errno.ETIMEDOUT, f"a pipe that nobody closes within {SECONDS} seconds")
        if not (part := file.read(min(size, 2**16))):
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
