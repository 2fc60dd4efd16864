"""What can go wrong with partitions."""

from __future__ import annotations

import errno
from pathlib import Path

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_PERMISSION = {errno.EACCES, errno.EPERM, errno.EROFS}
_IN_THE_WAY = {errno.ENOTDIR, errno.EEXIST, errno.EISDIR}


class PartitionError(Exception):
    """Partitions that cannot be written or read; the message names the path and the remedy."""


def cannot_write(path: Path, error: OSError) -> PartitionError:
    """The error of a path that the operating system does not let us write."""
    return PartitionError(f"cannot write {path}: {_cause_and_remedy(error)}")


def cannot_read(path: Path, error: OSError) -> PartitionError:
    """The error of a path that the operating system does not let us read."""
    return PartitionError(f"cannot read {path}: {_cause_and_remedy(error)}")


def _cause_and_remedy(error: OSError) -> str:
    if error.errno in _NO_SPACE:
        remedy = "free some space there or give another --data_root"
    elif error.errno in _NO_PERMISSION:
        remedy = "let this user read and write there or give another --data_root"
    elif error.errno in _IN_THE_WAY:
        remedy = "something else has that name; move it or give another --data_root"
    else:
        remedy = "check the disk or give another --data_root"
    return f"{error.strerror or error}; {remedy}"
