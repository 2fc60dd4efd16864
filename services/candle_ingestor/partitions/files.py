"""The operating system's files, with its refusals told as PartitionError."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from candle_ingestor.model.months import Month
from candle_ingestor.operations import atomic_file
from candle_ingestor.partitions.errors import cannot_read, cannot_write
from candle_ingestor.partitions.formats.layout import Layout


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
    """Removes what a killed writer left in a series' folder and below.

    Raises:
        PartitionError: if the operating system refuses.
    """
    for path in _files_below(folder):
        if path.name.startswith(".") and path.name.endswith(atomic_file.TEMPORARY_SUFFIX):
            remove_file(path)


def month_files(folder: Path, layout: Layout) -> dict[Month, Path]:
    """Every file of a month that is in a series' folder, listed or not, ascending.

    Raises:
        PartitionError: if the operating system refuses.
    """
    found = {}
    for path in _files_below(folder):
        month = layout.month_of(path.relative_to(folder).as_posix())
        if month is not None:
            found[month] = path
    return dict(sorted(found.items()))


def _files_below(folder: Path) -> Iterator[Path]:
    try:
        with os.scandir(folder) as entries:
            found = [
                (folder / entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries
            ]
    except FileNotFoundError:
        return
    except OSError as error:
        raise cannot_read(folder, error) from error
    for path, is_folder in found:
        if is_folder:
            yield from _files_below(path)
        else:
            yield path
