"""Columns of complete months, kept in the user's cache folder, so that their text is parsed once.

They are taken only while the month's file looks as it did when its digest was verified, and the
manifest still states that digest. A month in progress is never kept. Whatever fails here costs
time and nothing else: the month is then read from its file. So does a missing numpy.

A file holds the columns one after the other, as little-endian int64.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl

from candle_loader.filling import numpy_if_installed
from candle_loader.verified import Look, look_of

VARIABLE = "CANDLE_LOADER_CACHE"
"""The environment variable that names another folder; `off` keeps nothing."""

MOST_BYTES = 4 * 1024**3
"""What is kept at most, as a process finds it when it first keeps something."""

_SUFFIX = ".int64"
_roomy: set[Path] = set()


def are_kept(path: Path, sha256: str) -> bool:
    """Whether columns of the file with this digest are there; they may be damaged."""
    return any(_entries(path, sha256))


def kept_columns(path: Path, sha256: str, names: Sequence[str]) -> pl.DataFrame | None:
    """The columns of the file with this digest; None where they are not kept."""
    numpy = numpy_if_installed()
    if numpy is None:
        return None
    for entry in _entries(path, sha256):
        with suppress(OSError, ValueError):
            columns = numpy.fromfile(entry, numpy.dtype("<i8")).reshape(len(names), -1)
            if entry.stem.endswith(f"-{_checksum(columns)}"):
                os.utime(entry)
                return pl.DataFrame(dict(zip(names, columns, strict=True)))
    return None


def keep_columns(path: Path, look: Look, sha256: str, frame: pl.DataFrame) -> None:
    """Keeps the columns of the file that had this look and digest, in place of earlier ones."""
    folder, numpy = _folder_of(path), numpy_if_installed()
    if folder is None or numpy is None:
        return
    with suppress(OSError):
        _make_room(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        columns = numpy.stack([column.to_numpy() for column in frame]).astype("<i8", copy=False)
        name = f"{_name(path, look, sha256)}-{_checksum(columns)}{_SUFFIX}"
        temporary = folder / f".{name}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            temporary.write_bytes(columns.data)
            temporary.replace(folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        for entry in folder.glob(f"{path.stem}-*{_SUFFIX}"):
            if entry.name != name:
                entry.unlink(missing_ok=True)


def _entries(path: Path, sha256: str) -> list[Path]:
    folder = _folder_of(path)
    if folder is None:
        return []
    with suppress(OSError):
        return list(folder.glob(f"{_name(path, look_of(path.stat()), sha256)}-*{_SUFFIX}"))
    return []


def _folder_of(path: Path) -> Path | None:
    """Where the months beside this file are kept; None where nothing is to be."""
    named = os.environ.get(VARIABLE)
    if named == "off":
        return None
    if named:
        root = Path(named)
    else:
        try:
            home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError:
            return None  # There is no home.
        root = home / "candle_loader"
    return root / _short(str(path.parent.absolute()))


def _name(path: Path, look: Look, sha256: str) -> str:
    return f"{path.stem}-{_short(f'{look} {sha256}')}"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _checksum(columns: Any) -> str:
    """Tells columns that a crash or a disk has damaged from those that were kept."""
    sums = columns.sum(axis=1).tolist()
    total = sum(number * column_sum for number, column_sum in enumerate(sums, start=1))
    return f"{columns.shape[1]}-{total % 2**64:016x}"


def _make_room(root: Path) -> None:
    """Removes what was not used for longest, once a process."""
    if root in _roomy:
        return
    _roomy.add(root)
    found = [(path, path.stat()) for path in root.glob(f"*/*{_SUFFIX}")]
    found.sort(key=lambda entry: entry[1].st_mtime_ns)
    size = sum(status.st_size for _, status in found)
    for path, status in found:
        if size <= MOST_BYTES:
            break
        path.unlink(missing_ok=True)
        size -= status.st_size
