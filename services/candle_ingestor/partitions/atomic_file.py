"""Files that are replaced whole or not at all (rule E3)."""

from __future__ import annotations

import os
from pathlib import Path

from candle_ingestor.partitions.errors import cannot_write

_TEMPORARY_SUFFIX = ".tmp"


def replace_file(path: Path, content: bytes) -> None:
    """Makes `path` hold `content` durably; folders are made. One writer at a time.

    Raises:
        PartitionError: if the operating system refuses; the file is then what it was before.
    """
    temporary = path.with_name(f".{path.name}{_TEMPORARY_SUFFIX}")
    try:
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
        _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_file(path: Path) -> None:
    """Removes a file durably, where it exists.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        if path.exists():
            path.unlink()
            _sync_folder(path.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_temporary_files(folder: Path) -> None:
    """Removes what a killed writer left in `folder` and its subfolders.

    Raises:
        PartitionError: if the operating system refuses.
    """
    for path in folder.glob(f"**/.*{_TEMPORARY_SUFFIX}"):
        remove_file(path)


def _make_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
