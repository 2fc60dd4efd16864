"""What can go wrong with a tool's files."""

from __future__ import annotations

from pathlib import Path


class BridgeError(Exception):
    """Files that cannot be written; the message names the series or the path, and the remedy."""


def cannot_write(path: Path, error: OSError) -> BridgeError:
    """The error of a path that the operating system does not let us write."""
    return BridgeError(
        f"cannot write {path}: {error.strerror or error}; mend that, or give another --output"
    )
