"""A store that takes a batch step by step, as one without transactions, and may fail at any."""

from collections.abc import Collection, Sequence
from typing import Any

from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import NOTHING_KNOWN
from candle_ingestor.stores.base import SeriesChange, StoreUnavailableError
from candle_ingestor.stores.sqlite.store import SqliteStore


class CrashingStore:
    """Writes cautious records, the last one first, then candles, then records, one by one.

    Fails before the write number `fail_at`, and at every one after it. `batches` are the batches
    it was given. Removals of whole series, of state and of records of files are
    writes as well, one by one. Everything else is the SQLite store's.
    """

    def __init__(self, store: SqliteStore, fail_at: int | None = None) -> None:
        self._store = store
        self._fail_at = fail_at
        self.writes = 0
        self.batches: list[Sequence[SeriesChange]] = []

    def fail_from_now(self, write: int) -> None:
        """Fails from the write of this number on, counted from here."""
        self._fail_at = self.writes + write

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def replace(self, changes: Sequence[SeriesChange]) -> None:
        self.batches.append(changes)
        for change in reversed(changes):
            if change.cautious is not None:
                self._write(SeriesChange(change.series, change.cautious))
        for change in changes:
            for step in self._candle_steps(change):
                self._write(step)
        for change in changes:
            self._write(SeriesChange(change.series, change.record))

    def forget(self, series: Collection[Series]) -> None:
        for one in series:
            self._count()
            self._store.forget([one])

    def remove_state(self, service_identifier: str, keys: Collection[str]) -> None:
        for key in keys:
            self._count()
            self._store.remove_state(service_identifier, [key])

    def remove_imported_files(self, files: Sequence[ImportedFile]) -> None:
        for file in files:
            self._count()
            self._store.remove_imported_files([file])

    def _candle_steps(self, change: SeriesChange) -> list[SeriesChange]:
        record = self._store.read_records().get(change.series, NOTHING_KNOWN)
        steps = []
        if change.candles is not None:
            half = change.candles.height // 2
            parts = [change.candles[:half], change.candles[half:]]
            steps = [SeriesChange(change.series, record, p) for p in parts if not p.is_empty()]
        if change.deleted:
            steps.append(SeriesChange(change.series, record, deleted=change.deleted))
        return steps

    def _write(self, change: SeriesChange) -> None:
        self._count()
        self._store.replace([change])

    def _count(self) -> None:
        self.writes += 1
        if self._fail_at is not None and self.writes >= self._fail_at:
            raise StoreUnavailableError("the store went away")
