"""What a failure of SQLite means to the store's user."""

from __future__ import annotations

import apsw

from candle_ingestor.stores.base import StoreError, StoreRefusedError, StoreUnavailableError

_REFUSALS = {
    apsw.SQLITE_NOTADB: "the file is not a SQLite database; choose another file",
    apsw.SQLITE_CORRUPT: "the file is damaged; restore a copy, or move it away to start anew",
    apsw.SQLITE_FULL: "the disk is full; what was stored before is whole; free some space",
    apsw.SQLITE_IOERR: "the disk failed, or a quota or file size limit is reached; "
    "what was stored before is whole",
    apsw.SQLITE_CANTOPEN: "the file or its folder cannot be opened for writing; "
    "SQLite needs to write both",
    apsw.SQLITE_READONLY: "the file or its folder is read-only; SQLite needs to write both",
    apsw.SQLITE_PERM: "the file may not be accessed",
    apsw.SQLITE_AUTH: "the file may not be accessed",
}
_HELD = frozenset({apsw.SQLITE_BUSY, apsw.SQLITE_LOCKED})


def translate(error: apsw.Error, description: str, busy_timeout_seconds: float) -> StoreError:
    """The store's error for one of sqlite3: transient for a held lock, else permanent."""
    primary_code = _primary_code(error)
    if primary_code in _HELD:
        return StoreUnavailableError(
            f"{description} was locked by another program for more than "
            f"{busy_timeout_seconds:g} s; let it finish or close it, then run again"
        )
    cause = _REFUSALS.get(primary_code)
    if cause is None:
        return StoreRefusedError(f"{description} failed: {error}")
    return refused(description, f"{cause} ({error})")


def is_held(error: BaseException) -> bool:
    """Whether the error says that another program holds a lock."""
    return isinstance(error, apsw.Error) and _primary_code(error) in _HELD


def refused(description: str, cause: str) -> StoreRefusedError:
    """A permanent refusal that names the file and the flag that chooses it."""
    return StoreRefusedError(f"{description} cannot be used: {cause} (flag --sqlite_path)")


def _primary_code(error: apsw.Error) -> int:
    code: int = getattr(error, "result", apsw.SQLITE_ERROR)
    return code & 0xFF
