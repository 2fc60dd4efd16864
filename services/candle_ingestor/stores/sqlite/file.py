"""One SQLite file shared by the threads of a process."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import apsw
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random

from candle_ingestor.stores.base import StoreRefusedError
from candle_ingestor.stores.sqlite.errors import is_held, refused, translate
from candle_ingestor.stores.sqlite.schema import ForeignFileError, prepare

# The lock of this module does what SQLite's own mutex would do at every value.
_FLAGS = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_NOMUTEX


class SqliteFile:
    """Opens the file at first use, lets one thread in at a time and speaks in StoreErrors."""

    def __init__(self, path: Path, busy_timeout_seconds: float, forget: Callable[[], None]) -> None:
        """`forget` is called when what the caller remembers of the file may be true no longer:

        when a transaction did not happen, and when another program has written.
        """
        self._path = path
        self._busy_timeout_seconds = busy_timeout_seconds
        self._forget = forget
        self._lock = threading.RLock()
        self._connection: apsw.Connection | None = None
        self._data_version: int | None = None
        self._closed = False

    @property
    def description(self) -> str:
        return f"the SQLite store {self._path}"

    @property
    def exists(self) -> bool:
        """Whether it holds a store; a file without a byte holds none yet."""
        return self._connection is not None or self.size_bytes > 0

    @property
    def size_bytes(self) -> int:
        log = self._path.with_name(self._path.name + "-wal")
        return sum(path.stat().st_size for path in (self._path, log) if path.exists())

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection | None]:
        """One view of what is stored, or None where there is no store yet; reading makes none."""
        with self._translating_errors():
            if not self.exists:
                yield None
                return
            connection = self._connected()
            connection.execute("BEGIN")
            try:
                self._notice_others(connection)
                yield connection
            finally:
                _roll_back(connection)

    @contextmanager
    def transaction(self) -> Iterator[apsw.Connection]:
        """A transaction that is committed at the end, unless the body ended it or raises."""
        with self._translating_errors():
            connection = self._connected()
            connection.execute("BEGIN IMMEDIATE")
            try:
                self._notice_others(connection)
                yield connection
                if connection.in_transaction:
                    connection.execute("COMMIT")
            except BaseException:
                self._forget()
                _roll_back(connection)
                raise

    def check_folder(self) -> None:
        """Proves that the first write could make the file, without making it.

        Raises:
            StoreRefusedError: if it could not.
        """
        folder = self._path.parent
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        try:
            with tempfile.TemporaryFile(dir=folder) as probe:
                probe.write(b"\0")
        except OSError as error:
            raise refused(
                self.description, f"the folder {folder} cannot be written: {error.strerror}"
            ) from error

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._connection is not None:
                connection, self._connection = self._connection, None
                connection.close()

    @contextmanager
    def _translating_errors(self) -> Iterator[None]:
        with self._lock:
            if self._closed:
                raise StoreRefusedError(f"{self.description} is closed")
            try:
                yield
            except ForeignFileError as error:
                raise refused(self.description, f"it {error}") from error
            except apsw.Error as error:
                raise translate(error, self.description, self._busy_timeout_seconds) from error

    def _notice_others(self, connection: apsw.Connection) -> None:
        data_version = connection.execute("PRAGMA data_version").get
        if data_version != self._data_version:
            self._forget()
            self._data_version = data_version

    def _connected(self) -> apsw.Connection:
        if self._connection is None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise refused(
                    self.description,
                    f"the folder {self._path.parent} cannot be made: {error.strerror}",
                ) from error
            connection = apsw.Connection(str(self._path), flags=_FLAGS)
            try:
                connection.set_busy_timeout(round(self._busy_timeout_seconds * 1000))
                # SQLite's own timeout does not wait for the lock that a new file's switch to the
                # write-ahead log needs, which two programs may want at once.
                Retrying(
                    retry=retry_if_exception(is_held),
                    stop=stop_after_delay(self._busy_timeout_seconds),
                    wait=wait_random(0.005, 0.05),
                    reraise=True,
                )(prepare, connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection


def _roll_back(connection: apsw.Connection) -> None:
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK")
