"""Which files were found to have their digest, so that each is hashed once while it stays as is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

Look = tuple[int, ...]
"""What a file looks like from outside. It differs once the file is written to or replaced."""

_seen: dict[Path, tuple[Look, str]] = {}
"""By file what it looked like when this process hashed it, and its digest."""


class ReadFile(NamedTuple):
    """A file's bytes, their sha256, and its look; None if that changed while it was read."""

    content: bytes
    sha256: str
    look: Look | None


def read_with_sha256(path: Path, most_bytes: int | None = None) -> ReadFile:
    """The file, or its first bytes, and their digest, remembered where it still looks the same.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        before = look_of(os.fstat(file.fileno()))
        content = file.readall()[:most_bytes]
        is_still = before == look_of(os.fstat(file.fileno()))
    key = path.absolute()
    look, sha256 = _seen.get(key, (None, ""))
    # What is told of a growing file may change after the file did.
    seen = (*before, len(content))
    if not is_still or look != seen:
        sha256 = hashlib.sha256(content).hexdigest()
    if is_still:
        _seen[key] = seen, sha256
    return ReadFile(content, sha256, before if is_still else None)


def look_of(status: os.stat_result) -> Look:
    """The look of a file. A file that takes the place of another has another number."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def forget() -> None:
    """Hashes every file anew from here on."""
    _seen.clear()
