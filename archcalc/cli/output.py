"""Files that commands write."""

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
    """Write a file whole or not at all; text becomes UTF-8.

    Raises UsageError where there is a file already, unless `force` allows to replace it, and where nothing can be
    written. A device or a pipe is written to and stays what it is.
    """
    data = content.encode() if isinstance(content, str) else content
    with _explained(path):
        mode = _mode(path)
        if mode is None or stat.S_ISREG(mode):
            _refuse_existing(mode, force)
            _replace(os.path.realpath(path), data, mode, force)
            return
        with open(path, "wb") as stream:  # a folder says here that it is one
            stream.write(data)


def check_writable(path: str, force: bool, ending: str = "") -> None:
    """Raises what `write_file` would, as far as that is known before long work; also for a file of another ending."""
    with _explained(path):
        mode = _mode(path)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if mode is None or stat.S_ISREG(mode):
            if not path.lower().endswith(ending):
                raise UsageError(f"{_format_path(path)} would be of another kind", f"name a file that ends in {ending}")
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
    """What a path leads to, and who may use it; None if there is nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _replace(path: str, data: bytes, mode: int | None, force: bool) -> None:
    """Put a complete file in the place of what is there; its permissions stay."""
    temporary = os.path.join(os.path.dirname(path), f".archcalc-{secrets.token_hex(8)}.tmp")
    with interruptible():
        stream = open(temporary, "xb")  # noqa: SIM115  # outside of `try`: a file of another is not removed
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
    """Without `force`, FileExistsError for a file that has appeared meanwhile, where the file system has links."""
    if not force:
        try:
            os.link(temporary, path)
            return
        except FileExistsError:
            raise
        except OSError:
            pass  # no links here
    os.replace(temporary, path)


def _format_path(path: str) -> str:
    """The whole path: its end says which file it is."""
    return f'"{printable(path)}"'
