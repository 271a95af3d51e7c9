"""Writes the files of commands."""

import errno
import os
import secrets
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from archcalc.cli.interrupt import interruptible
from archcalc.errors import UsageError, printable


def write_file(path: str, content: str | bytes, force: bool = False) -> None:
    """Write a file whole or not at all; text is encoded as UTF-8.

    Raises UsageError if the file exists, unless `force` replaces it, and if it cannot be written. A device or a pipe is
    written to, not replaced.
    """
    data = content.encode() if isinstance(content, str) else content
    with _explained(path):
        mode = _mode(path)
        if mode is None or stat.S_ISREG(mode):
            _refuse_existing(mode, force)
            _replace(os.path.realpath(path), data, mode, force)
            return
        with open(path, "wb") as stream:  # raises IsADirectoryError for a folder
            stream.write(data)


def check_writable(path: str, force: bool, ending: str = "") -> None:
    """Raise the errors of `write_file` before long work, as far as they are known; also for another ending."""
    with _explained(path):
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is None or stat.S_ISREG(mode):
            if not path.lower().endswith(ending):
                raise UsageError(f"{_format_path(path)} has another ending", f"name a file that ends in {ending}")
            _refuse_existing(mode, force)
            with tempfile.TemporaryFile(dir=os.path.dirname(os.path.realpath(path))):
                pass


@contextmanager
def _explained(path: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise UsageError(f"{_format_path(path)} is there already", "--force replaces it") from None
    except OSError as error:
        raise UsageError(f"cannot write {_format_path(path)}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # a name with a null byte
        raise UsageError(f"cannot write {_format_path(path)}: {error}") from None


def _refuse_existing(mode: int | None, force: bool) -> None:
    if mode is not None and not force:
        raise FileExistsError


def _mode(path: str) -> int | None:
    """The file type and permissions of a path; None if nothing exists."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _replace(path: str, data: bytes, mode: int | None, force: bool) -> None:
    """Replace a file by a complete one with the same permissions."""
    temporary = os.path.join(os.path.dirname(path), f".archcalc-{secrets.token_hex(8)}.tmp")
    with interruptible():
        stream = open(temporary, "xb")  # noqa: SIM115  # outside of `try`: another process's file is not removed
        try:
            with stream:
                stream.write(data)
            if mode is not None:
                os.chmod(temporary, stat.S_IMODE(mode))
            _rename(temporary, path, force)
        finally:
            with suppress(FileNotFoundError):
                os.remove(temporary)


def _rename(temporary: str, path: str, force: bool) -> None:
    """Rename. Without `force`, raises FileExistsError for a new file, if the file system has hard links."""
    if not force:
        try:
            os.link(temporary, path)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # no hard links
    os.replace(temporary, path)


def _format_path(path: str) -> str:
    """The whole path, quoted: its end identifies the file."""
    return f'"{printable(path)}"'
