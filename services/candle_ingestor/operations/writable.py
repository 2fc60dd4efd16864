"""Where a flag says to write: whether that can be done, found out before the work, and doing it."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

from candle_ingestor.errors import ConfigurationError, DependencyError
from candle_ingestor.operations.atomic_file import replace_file

_OF_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG)
_OF_SYSTEM = ("/dev", "/proc")


class FullDiskError(DependencyError):
    """A file that would be right is not written, since its disk takes no more."""


def require_writable(flag: str, folder: Path) -> None:
    """Proves that files can be made in the folder, or in the parent that it would be made in.

    Nothing is left behind.

    Raises:
        ConfigurationError: if not, naming the flag.
    """
    absolute = folder.absolute()
    try:
        existing = next(path for path in (absolute, *absolute.parents) if path.exists())
        with tempfile.TemporaryFile(dir=existing):
            return
    except OSError as error:
        raise ConfigurationError(
            f"{flag}: cannot write into {folder}: {error.strerror}; choose another path"
        ) from error


def require_writable_file(flag: str, path: Path) -> None:
    """Proves that `write_named_file` may write the path. Nothing is left behind.

    Raises:
        ConfigurationError: if not, naming the flag.
    """
    if is_stream(path):
        return
    require_writable(flag, path.parent)
    if path.is_dir():
        raise ConfigurationError(f"{flag}: {path} is a folder; name a file in it")


def write_named_file(flag: str, path: Path, text: str) -> None:
    """Writes the file that a flag names, whole or not at all.

    What is no file, such as /dev/stdout or a named pipe, is written to and stays what it is.

    Raises:
        ConfigurationError: if it cannot be written, naming the flag.
        FullDiskError: if the disk or the quota is full, or fails.
    """
    try:
        if is_stream(path):
            with path.open("ab") as stream:
                stream.write(text.encode())
        else:
            replace_file(path, text.encode())
    except OSError as error:
        failure = FullDiskError if error.errno in _OF_DISK else ConfigurationError
        raise failure(f"{flag}: cannot write {path}: {error.strerror}") from error


def is_stream(path: Path) -> bool:
    """Whether it is no file that can be replaced; all below /dev and /proc is none."""
    is_of_system = any(path.absolute().is_relative_to(root) for root in _OF_SYSTEM)
    return path.exists() and not path.is_dir() and (is_of_system or not path.is_file())
