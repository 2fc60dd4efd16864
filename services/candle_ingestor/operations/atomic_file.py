"""Files that are replaced whole or not at all, or that grow at their end."""

from __future__ import annotations

import os
from pathlib import Path

TEMPORARY_SUFFIX = ".tmp"
_WRITABLE = 0o222


def replace_file(path: Path, content: bytes, *, read_only: bool = False) -> None:
    """Makes `path` hold `content` durably; folders are made. One writer of a path at a time.

    Args:
        read_only: whether nobody may write to the file; it can be replaced all the same.

    Raises:
        OSError: if the operating system refuses; the file is then what it was before.
    """
    temporary = path.with_name(f".{path.name}{TEMPORARY_SUFFIX}")
    _make_folder(path.parent)
    try:
        # What a killed writer left may be read-only.
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            _write(descriptor, content)
            if read_only:
                _forbid_writing(descriptor)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def extend_file(path: Path, kept_bytes: int, tail: bytes, *, read_only: bool = False) -> None:
    """Makes a file hold its first `kept_bytes` bytes and then `tail`, durably.

    The bytes that are kept are not written again. A crash leaves them, and any part of the tail.

    Raises:
        OSError: if the operating system refuses; the kept bytes are then what they were before.
    """
    descriptor = os.open(path, os.O_WRONLY)
    try:
        if os.fstat(descriptor).st_size != kept_bytes:
            os.ftruncate(descriptor, kept_bytes)
        os.lseek(descriptor, kept_bytes, os.SEEK_SET)
        _write(descriptor, tail)
        if read_only:
            _forbid_writing(descriptor)
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, kept_bytes)
        raise
    finally:
        os.close(descriptor)


def make_read_only(path: Path) -> None:
    """Lets nobody write to a file.

    Raises:
        OSError: if the operating system refuses.
    """
    mode = path.stat().st_mode
    if mode & _WRITABLE:
        path.chmod(mode & ~_WRITABLE)


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


def _write(descriptor: int, content: bytes) -> None:
    left = memoryview(content)
    while left:
        left = left[os.write(descriptor, left) :]


def _forbid_writing(descriptor: int) -> None:
    os.fchmod(descriptor, os.fstat(descriptor).st_mode & 0o777 & ~_WRITABLE)


def _make_folder(folder: Path) -> None:
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)
