"""The operating system's files, with its refusals told as PartitionError."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

from candle_ingestor.operations import atomic_file
from candle_ingestor.partitions.errors import cannot_read, cannot_write

_MONTH_FILE = re.compile(r"([0-9]{4})/\1-(0[1-9]|1[0-2])\.csv")


def replace_file(path: Path, content: bytes) -> None:
    """Makes `path` hold `content` durably; folders are made.

    Raises:
        PartitionError: if the operating system refuses; the file is then what it was before.
    """
    try:
        atomic_file.replace_file(path, content)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_file(path: Path) -> None:
    """Removes a file, where it exists; after a power cut it may be there again.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from error


def remove_folder(folder: Path) -> None:
    """Removes a folder if it is there and empty.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    except OSError as error:
        raise cannot_write(folder, error) from error


def read_file(path: Path) -> bytes | None:
    """The content of a file, None where there is no such file.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error


def remove_temporary_files(folder: Path) -> None:
    """Removes what a killed writer left in a series' folder and the years in it.

    Raises:
        PartitionError: if the operating system refuses.
    """
    for path in (folder, *_entries(folder, lambda entry: entry.is_dir())):
        for left in _entries(path, _is_temporary):
            remove_file(left)


def month_files(folder: Path) -> list[Path]:
    """Every file of a month that is in a series' folder, listed or not, ascending.

    Raises:
        PartitionError: if the operating system refuses.
    """
    years = _entries(folder, lambda entry: entry.is_dir())
    files = (path for year in years for path in _entries(year, lambda entry: entry.is_file()))
    return sorted(
        path for path in files if _MONTH_FILE.fullmatch(f"{path.parent.name}/{path.name}")
    )


def _entries(folder: Path, wanted: Callable[[os.DirEntry[str]], bool]) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries if wanted(entry)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise cannot_read(folder, error) from error


def _is_temporary(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".") and entry.name.endswith(atomic_file.TEMPORARY_SUFFIX)
