"""The operating system's files, with its refusals told as PartitionError."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from candle_ingestor.model.months import Month
from candle_ingestor.operations import atomic_file
from candle_ingestor.partitions.errors import cannot_read, cannot_write
from candle_ingestor.partitions.formats.layout import Layout

_FORMER_SUFFIX = ".former"
_NO_SECOND_NAMES = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}


def replace_file(path: Path, content: bytes, *, read_only: bool = False) -> None:
    """Makes `path` hold `content` durably; folders are made.

    Raises:
        PartitionError: if the operating system refuses; the file is then what it was before.
    """
    try:
        atomic_file.replace_file(path, content, read_only=read_only)
    except OSError as error:
        raise cannot_write(path, error) from error


def extend_file(path: Path, kept_bytes: int, tail: bytes, *, read_only: bool = False) -> None:
    """Makes a file hold its first `kept_bytes` bytes and then `tail`, durably.

    Raises:
        PartitionError: if the operating system refuses; the kept bytes are what they were before.
    """
    try:
        atomic_file.extend_file(path, kept_bytes, tail, read_only=read_only)
    except OSError as error:
        raise cannot_write(path, error) from error


def make_read_only(path: Path) -> None:
    """Lets nobody write to a file; it can be replaced and removed all the same.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        atomic_file.make_read_only(path)
    except OSError as error:
        raise cannot_write(path, error) from error


def former_path(path: Path) -> Path:
    """Where a month's former file is, from before it is replaced until the manifest follows."""
    return path.with_name(f".{path.name}{_FORMER_SUFFIX}")


def keep_former(path: Path) -> None:
    """Gives a file a second name before it is replaced, durably: readers find it until the manifest
    tells of the other one.

    One that an export left that was killed stays: it is the one that the manifest tells of. Where
    there is no file, or the file system knows no second names, nothing is kept.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        os.link(path, former_path(path))
        atomic_file.sync_folder(path.parent)
    except (FileExistsError, FileNotFoundError):
        return
    except OSError as error:
        if error.errno not in _NO_SECOND_NAMES:
            raise cannot_write(path, error) from error


def size_of(path: Path) -> int | None:
    """How many bytes a file has, None where there is no such file.

    Raises:
        PartitionError: if the operating system refuses.
    """
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None
    except OSError as error:
        raise cannot_read(path, error) from error


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


def remove_leftovers(folder: Path, replaced: Collection[Path] = ()) -> None:
    """Removes what a killed writer left in a series' folder and below.

    Args:
        replaced: the months' files of which the former one stays.

    Raises:
        PartitionError: if the operating system refuses.
    """
    former = {former_path(path) for path in replaced}
    suffixes = (atomic_file.TEMPORARY_SUFFIX, _FORMER_SUFFIX)
    for path in _files_below(folder):
        if path.name.startswith(".") and path.name.endswith(suffixes) and path not in former:
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
