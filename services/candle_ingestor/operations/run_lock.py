"""One run at a time (rule C6)."""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self
from urllib.parse import urlsplit

from candle_ingestor.errors import CandleIngestorError, DependencyError
from candle_ingestor.model.times import iso_text

_A_LOOK_SECONDS = 0.05
"""Far longer than `is_lock_held` keeps hold of a lock."""


class RunLockHeldError(CandleIngestorError):
    """Another run works on the same store; it is to be left alone."""

    exit_code: ClassVar[int] = 75


class RunLockLostError(DependencyError):
    """The lock that the run held is gone; another run may work on the same store."""


def lock_path_of(sqlite_path: Path | str) -> Path:
    """The lock file of a SQLite store, the same for every way its path can be written."""
    resolved = Path(sqlite_path).resolve()
    return resolved.with_name(resolved.name + ".lock")


def lock_name_of(url: str, org: str, bucket: str, service_identifier: str) -> str:
    """The lock's name for a service on an InfluxDB bucket, one for every way its URL is written."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or {"http": 80, "https": 443}.get(scheme)
    address = f"{scheme}://{parts.hostname}:{port}{parts.path.rstrip('/')}"
    return json.dumps([address, org, bucket, service_identifier])


def is_lock_held(path: Path) -> bool:
    """Whether a run holds the lock of this file, told without making the file.

    Whoever left the file empty let go of the lock. Of what a killed run left behind only the
    kernel knows, which is asked for an instant.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        if not os.fstat(descriptor).st_size:
            return False
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def holder_words(started_ms: int) -> str:
    """Who holds a lock that this process takes."""
    return f"process {os.getpid()} on {socket.gethostname()}, running since {iso_text(started_ms)}"


class FileRunLock:
    """A lock on a file, held from entering to leaving the context.

    The kernel holds it for the process and lets go when the process ends, however it ends. The
    file stays behind, since removing it would let two runs lock two files of one name; what it
    says is meant for people only. The lock reaches across one machine's processes, not across
    machines that share a disk.
    """

    def __init__(self, path: Path | str, *, started_ms: int) -> None:
        self._path = Path(path)
        self._started_ms = started_ms
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Takes the lock at once or not at all.

        Raises:
            RunLockHeldError: if another run holds it.
            DependencyError: if the file cannot be made or locked.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            _take(descriptor)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{holder_words(self._started_ms)}\n".encode(), 0)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 1000, 0).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise RunLockHeldError(
                f"another run holds the lock {self._path}"
                + (f": {holder}" if holder else "")
                + "; this one leaves"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise self._unusable(error) from error
        self._descriptor = descriptor
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Lets the lock go."""
        if self._descriptor is not None:
            descriptor, self._descriptor = self._descriptor, None
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def _unusable(self, error: OSError) -> DependencyError:
        return DependencyError(
            f"the run lock {self._path} cannot be taken: {error.strerror}; "
            "it stands beside the store (flag --sqlite_path)"
        )


def _take(descriptor: int) -> None:
    """Raises: BlockingIOError: if another run holds it, and not one that only looks at it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(_A_LOOK_SECONDS)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
