"""Where a flag says to write: whether that can be done, found out before the work, and doing it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from candle_ingestor.errors import ConfigurationError
from candle_ingestor.operations.atomic_file import replace_file


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


def write_named_file(flag: str, path: Path, text: str) -> None:
    """Writes the file that a flag names, whole or not at all.

    Raises:
        ConfigurationError: if it cannot be written, naming the flag.
    """
    try:
        replace_file(path, text.encode())
    except OSError as error:
        raise ConfigurationError(f"{flag}: cannot write {path}: {error.strerror}") from error
