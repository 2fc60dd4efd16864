"""Which files were found to have their digest, so that each is hashed once while it stays as is."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_Look = tuple[int, ...]

_seen: dict[Path, tuple[_Look, str]] = {}
"""By file how it looked when it was hashed, and its digest. Of this process: what another one
found is another one's to trust."""


def read_with_sha256(path: Path) -> tuple[bytes, str]:
    """The file's bytes and their sha256, as remembered where the file still looks the same.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb", buffering=0) as file:
        before = _look(os.fstat(file.fileno()))
        content = file.readall()
        after = _look(os.fstat(file.fileno()))
    key = path.absolute()
    remembered = _seen.get(key)
    if remembered is not None and remembered[0] == before == after:
        return content, remembered[1]
    sha256 = hashlib.sha256(content).hexdigest()
    if before == after:
        _seen[key] = after, sha256
    return content, sha256


def _look(status: os.stat_result) -> _Look:
    """What changes with a file's content: a file that is replaced has another number."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
