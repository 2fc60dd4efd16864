"""Columns of complete months, kept in the user's cache folder, so that their text is parsed once.

They are taken only while the month's file looks as it did when its digest was verified, and the
manifest still states that digest. A month in progress is never kept. Whatever fails here costs
time and nothing else: the month is then read from its file.
"""

from __future__ import annotations

import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path

import polars as pl

from candle_loader.verified import Look, look_of

VARIABLE = "CANDLE_LOADER_CACHE"
"""The environment variable that names another folder; `off` keeps nothing."""

MOST_BYTES = 4 * 1024**3
"""What is kept at most, as a process finds it when it first keeps something."""

_SUFFIX = ".arrow"
_roomy: set[Path] = set()


def kept_columns(path: Path, sha256: str) -> pl.DataFrame | None:
    """The columns of the file with this digest; None where they are not kept."""
    folder = _folder_of(path)
    if folder is None:
        return None
    try:
        wanted = _name(path, look_of(path.stat()), sha256)
        for entry in folder.glob(f"{wanted}-*{_SUFFIX}"):
            frame = pl.read_ipc(entry.read_bytes())
            if entry.stem == f"{wanted}-{_checksum(frame)}":
                os.utime(entry)
                return frame
    except (OSError, pl.exceptions.PolarsError):
        pass
    return None


def keep_columns(path: Path, look: Look, sha256: str, frame: pl.DataFrame) -> None:
    """Keeps the columns of the file that had this look and digest, in place of earlier ones."""
    folder = _folder_of(path)
    if folder is None:
        return
    with suppress(OSError, pl.exceptions.PolarsError):
        _make_room(folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{_name(path, look, sha256)}-{_checksum(frame)}{_SUFFIX}"
        temporary = folder / f".{name}.{os.getpid()}.{threading.get_ident()}.tmp"
        try:
            frame.write_ipc(temporary, compression="uncompressed")
            temporary.replace(folder / name)
        finally:
            temporary.unlink(missing_ok=True)
        for entry in folder.glob(f"{path.stem}-*{_SUFFIX}"):
            if entry.name != name:
                entry.unlink(missing_ok=True)


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


def _checksum(frame: pl.DataFrame) -> str:
    """Tells columns that a crash or a disk has damaged from those that were kept."""
    total = sum(number * int(column.sum()) for number, column in enumerate(frame, start=1))
    return f"{total % 2**64:016x}"


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
