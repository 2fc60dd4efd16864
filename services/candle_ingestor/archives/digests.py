"""By what a file is known: its SHA-256, and the checksum that its exchange published."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

from candle_ingestor.archives.errors import ArchiveError

CHECKSUM_SUFFIX = ".CHECKSUM"

_BYTES_AT_ONCE = 1 << 22
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LONGEST_CHECKSUM_BYTES = 10_000


def sha256_of(path: Path, is_stopping: Callable[[], bool] = lambda: False) -> str | None:
    """The SHA-256 of a file in hex; None if it was told to stop meanwhile.

    Raises:
        ArchiveError: if the file cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(_BYTES_AT_ONCE):
                if is_stopping():
                    return None
                digest.update(part)
    except OSError as error:
        raise ArchiveError(f"it cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def has_checksum(path: Path) -> bool:
    """Whether `NAME.CHECKSUM` lies beside a file."""
    return _published(path).exists()


def require_checksum(path: Path, sha256: str) -> None:
    """Compares a file with `NAME.CHECKSUM` beside it, where that is.

    Raises:
        ArchiveError: if it says something else, or nothing.
    """
    published = _published(path)
    try:
        with published.open("rb") as file:
            text = file.read(_LONGEST_CHECKSUM_BYTES).decode("utf-8", errors="replace")
    except FileNotFoundError:
        return
    except OSError as error:
        raise ArchiveError(f"{published.name} cannot be read: {error.strerror}") from error
    found = _SHA256.search(text.lower())
    if found is None:
        raise ArchiveError(f"{published.name} holds no SHA-256; fetch both files again")
    if found[0] != sha256:
        raise ArchiveError(
            f"it is not the file that was published: its SHA-256 is {sha256}, and "
            f"{published.name} says {found[0]}; fetch it again"
        )


def _published(path: Path) -> Path:
    return path.with_name(path.name + CHECKSUM_SUFFIX)
