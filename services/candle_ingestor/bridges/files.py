"""Files that are replaced whole, and only where they differ."""

from __future__ import annotations

import filecmp
from collections.abc import Callable
from pathlib import Path

from candle_ingestor.bridges.errors import cannot_write
from candle_ingestor.operations.atomic_file import (
    make_temporary,
    put_in_place,
    replace_file,
)


def write_file(path: Path, content: bytes) -> bool:
    """Makes `path` hold `content`; whether that changed anything.

    Raises:
        BridgeError: if the operating system refuses; the file is then what it was before.
    """
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        replace_file(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error
    return True


def write_large_file(path: Path, write: Callable[[Path], object]) -> bool:
    """The same of a content that `write` puts into the path it is given, piece by piece."""
    try:
        temporary = make_temporary(path)
        try:
            write(temporary)
            if path.is_file() and filecmp.cmp(temporary, path, shallow=False):
                return False
            put_in_place(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error
    return True


def remove_file(path: Path) -> bool:
    """Removes the file, and tells whether there was one.

    Raises:
        BridgeError: if the operating system refuses.
    """
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    except OSError as error:
        raise cannot_write(path, error) from error
    return True
