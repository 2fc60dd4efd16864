"""Files that are replaced whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"


def replace_file(path: Path, content: bytes) -> None:
    """Makes `path` hold `content` durably; folders are made. One writer of a path at a time.

    Raises:
        OSError: if the operating system refuses; the file is then what it was before.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    _make_folder(path.parent)
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable.

    Raises:
        OSError: if the operating system refuses.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_temporary(path: Path) -> Path:
    """Where what is to replace `path` is written first; its folder is made.

    Raises:
        OSError: if the operating system refuses.
    """
    _make_folder(path.parent)
    return path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")


def put_in_place(temporary: Path, path: Path) -> None:
    """Makes `path` hold durably what was written to `make_temporary(path)`.

    Raises:
        OSError: if the operating system refuses; the file is then what it was before.
    """
    with temporary.open("rb") as file:
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def _make_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
