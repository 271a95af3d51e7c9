"""Files that commands write."""

import os
import stat
from contextlib import suppress

from archcalc.errors import UsageError, printable


def write_file(path: str, content: str | bytes, force: bool = False) -> None:
    """Write a file whole or not at all; text becomes UTF-8.

    Raises UsageError where there is a file already, unless `force` allows to replace it, and where nothing can be
    written. A device or a pipe is written to and stays what it is.
    """
    data = content.encode() if isinstance(content, str) else content
    try:
        mode = _mode(path)
        if mode is not None and not stat.S_ISREG(mode):
            with open(path, "wb") as stream:  # a folder says here that it is one
                stream.write(data)
            return
        refuse_existing(path, force)
        _replace(os.path.realpath(path), data, mode)
    except OSError as error:
        raise UsageError(f"cannot write {_shown(path)}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:  # a name with a null byte
        raise UsageError(f"cannot write {_shown(path)}: {error}") from None


def refuse_existing(path: str, force: bool) -> None:
    """Raises UsageError where there is a file already, unless `force` allows to replace it; to ask before long work."""
    if not force and os.path.isfile(path):
        raise UsageError(f"{_shown(path)} is there already: --force replaces it")


def _mode(path: str) -> int | None:
    """What a path leads to, and who may use it; None if there is nothing."""
    try:
        return os.stat(path).st_mode
    except FileNotFoundError:
        return None


def _replace(path: str, data: bytes, mode: int | None) -> None:
    """Put a complete file in the place of what is there; its permissions stay."""
    temporary = os.path.join(os.path.dirname(path), f".archcalc-{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as stream:
            stream.write(data)
        if mode is not None:
            os.chmod(temporary, stat.S_IMODE(mode))
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.remove(temporary)
        raise


def _shown(path: str) -> str:
    """The whole path: its end says which file it is."""
    return f'"{printable(path)}"'
