"""The embedded store: one SQLite file, readable by anything that speaks SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import apsw
import polars as pl

from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.imported_file import ImportedFile
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import SeriesRecord
from candle_ingestor.stores.base import SeriesChange
from candle_ingestor.stores.changes import check_changes
from candle_ingestor.stores.record_fields import RecordError
from candle_ingestor.stores.run_json import encode_run
from candle_ingestor.stores.sqlite import candles as table
from candle_ingestor.stores.sqlite import imported_files
from candle_ingestor.stores.sqlite.errors import refused
from candle_ingestor.stores.sqlite.file import SqliteFile
from candle_ingestor.stores.sqlite.ids import Ids, with_exchange_sets
from candle_ingestor.stores.sqlite.reader_process import ReaderProcess
from candle_ingestor.stores.sqlite.records import RecordRows


class SqliteStore:
    """A Store in one file, made with its folder by the first write.

    A file that is not there yet, or has no byte, is an empty store, and reading it makes none.
    Calls may come from any thread and run one after the other; other processes may read at any
    time and are never waited for. Another process that writes is waited for up to
    `busy_timeout_seconds`, then StoreUnavailableError is raised. SQLite knows no signed zero: -0.0
    is read back as 0.0.
    """

    def __init__(self, path: Path | str, *, busy_timeout_seconds: float = 10.0) -> None:
        self._file = SqliteFile(Path(path), busy_timeout_seconds, self._forget)
        self._ids = Ids()
        self._records = RecordRows()
        self._reader = ReaderProcess(partial(SqliteStore, path))

    @property
    def is_local(self) -> bool:
        return True

    @property
    def keeps_from_ms(self) -> int | None:
        return None

    @property
    def description(self) -> str:
        return self._file.description

    def check(self) -> None:
        """Proves that the store can be read and written, and leaves nothing behind."""
        if not self._file.exists:
            self._file.check_folder()
            return
        with self._file.transaction() as connection:
            connection.execute("REPLACE INTO processing_state VALUES ('check', 'check', 0)")
            connection.execute("SELECT * FROM processing_state").fetchone()
            connection.execute("ROLLBACK")

    def require_retention(self, earliest_ms: int, now_ms: int) -> None:
        """A file keeps everything."""

    def replace(self, changes: Sequence[SeriesChange]) -> None:
        """Makes all the changes or none; their cautious records are never written.

        Raises:
            ValueError: if a series has two changes, or candles have other columns than
                `schema_of(series)`.
            StoreRefusedError: if a value is missing or no finite number; nothing is written.
        """
        check_changes(changes)
        if not changes:
            return
        self._reader.forget({change.series for change in changes})
        with self._file.transaction() as connection:
            for change in changes:
                series_id = self._ids.give(connection, change.series)
                self._write_candles(connection, series_id, change)
                self._records.write(connection, series_id, change.record)

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`."""
        read_before = self._reader.take(series, interval)
        if read_before is not None:
            return read_before
        with self._file.reading() as connection:
            series_id = None if connection is None else self._ids.find(connection, series)
            if connection is None or series_id is None:
                return no_candles(series)
            rows = table.select(connection, table.table_of(series), series_id, interval)
            return with_exchange_sets(connection, rows) if series.is_merged else rows

    def read_ahead(self, wanted: Sequence[tuple[Series, Interval]]) -> None:
        """Has these candles read in another process, until they are asked for or change."""
        self._reader.ask(wanted)

    def read_newest(self, series: Collection[Series], since_ms: int) -> dict[Series, pl.DataFrame]:
        """The candles of each series from `since_ms` on, ascending, as `schema_of(series)`.

        Takes one statement for exchanges' series and one for merged ones.
        """
        found = {one: no_candles(one) for one in series}
        with self._file.reading() as connection:
            if connection is None:
                return found
            ids = self._ids.find_all(connection, found)
            for rows_table in (table.EXCHANGE_ROWS, table.MERGED_ROWS):
                by_id = {ids[one]: one for one in ids if table.table_of(one) is rows_table}
                if not by_id:
                    continue
                rows = table.select_newest(connection, rows_table, by_id, since_ms)
                if rows_table is table.MERGED_ROWS:
                    rows = with_exchange_sets(connection, rows)
                parts = rows.partition_by("series_id", include_key=False, as_dict=True)
                found |= {by_id[series_id]: part for (series_id,), part in parts.items()}
        return found

    def last_open_ms(self, series: Series, before_ms: int) -> int | None:
        """The open time of the newest candle that opens before `before_ms`; None without one."""
        with self._file.reading() as connection:
            series_id = None if connection is None else self._ids.find(connection, series)
            if connection is None or series_id is None:
                return None
            return table.last_open_ms(connection, table.table_of(series), series_id, before_ms)

    def count_within(self, wanted: Sequence[tuple[Series, Interval]]) -> list[int]:
        """How many candles open in each of these intervals of a series."""
        with self._file.reading() as connection:
            if connection is None:
                return [0] * len(wanted)
            ids = self._ids.find_all(connection, {series for series, _ in wanted})
            return [
                table.count(connection, table.table_of(series), ids[series], interval)
                if series in ids
                else 0
                for series, interval in wanted
            ]

    def size_bytes(self) -> int | None:
        """How much the file takes on disk, with what is not yet moved into it."""
        return self._file.size_bytes

    def read_records(self) -> dict[Series, SeriesRecord]:
        """The record of every series that has one."""
        with self._file.reading() as connection:
            try:
                return {} if connection is None else self._records.read_all(connection)
            except RecordError as error:
                raise refused(self.description, str(error)) from error

    def forget(self, series: Collection[Series]) -> None:
        """Removes all that is kept of these series, in one transaction."""
        if not self._file.exists or not series:
            return
        self._reader.forget(set(series))
        with self._file.transaction() as connection:
            ids = self._ids.find_all(connection, series)
            for one, series_id in ids.items():
                self._records.remove(connection, series_id)
                table.delete_all(connection, table.table_of(one), series_id)

    def read_state(self, service_identifier: str) -> dict[str, int]:
        """`last_processed_timestamp_ms` by key (rule C3)."""
        return dict(
            self._read(
                "SELECT key, last_processed_timestamp_ms FROM processing_state"
                " WHERE service_identifier = ? ORDER BY key",
                (service_identifier,),
            )
        )

    def write_state(self, service_identifier: str, state: Mapping[str, int]) -> None:
        """Inserts or replaces these keys; others stay."""
        rows = [(service_identifier, key, time_ms) for key, time_ms in state.items()]
        self._write("INSERT OR REPLACE INTO processing_state VALUES (?, ?, ?)", rows)

    def remove_state(self, service_identifier: str, keys: Collection[str]) -> None:
        """Removes these keys, where they are there."""
        self._write(
            "DELETE FROM processing_state WHERE service_identifier = ? AND key = ?",
            [(service_identifier, key) for key in keys],
        )

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them.

        Raises:
            ValueError: if one of the three is missing, or a value is none of JSON's.
        """
        text = encode_run(report)
        self._write(
            "INSERT OR REPLACE INTO ingestion_runs VALUES (?, ?, ?, ?)",
            [(report["run_id"], report["started_ms"], report["status"], text)],
        )

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first; of one start, by run id in reverse."""
        rows = self._read(
            "SELECT report FROM ingestion_runs ORDER BY started_ms DESC, run_id DESC LIMIT ?",
            (max(newest, 0),),
        )
        return [json.loads(text) for (text,) in rows]

    def read_imported_files(self) -> list[ImportedFile]:
        """The record of every file that was imported, by path and series."""
        return imported_files.of_rows(self._read(imported_files.SELECT), self.description)

    def write_imported_files(self, files: Sequence[ImportedFile]) -> None:
        """Keeps these records, each in place of the one of the same path and series."""
        self._write(imported_files.INSERT, [imported_files.row_of(file) for file in files])

    def remove_imported_files(self, files: Sequence[ImportedFile]) -> None:
        """Removes the records of these paths and series, where they are there."""
        self._write(imported_files.DELETE, [imported_files.key_of(file) for file in files])

    def close(self) -> None:
        """Releases the file. Closing twice is harmless."""
        self._reader.close()
        self._file.close()

    def _write_candles(
        self, connection: apsw.Connection, series_id: int, change: SeriesChange
    ) -> None:
        rows_table, candles = table.table_of(change.series), change.candles
        if candles is not None and not candles.is_empty():
            if change.series.is_merged:
                candles = self._ids.with_exchange_set_ids(connection, candles)
            table.insert(connection, rows_table, series_id, candles)
        if change.deleted:
            table.delete(connection, rows_table, series_id, change.deleted)

    def _write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            with self._file.transaction() as connection:
                connection.executemany(sql, rows)

    def _read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._file.reading() as connection:
            return [] if connection is None else connection.execute(sql, parameters).fetchall()

    def _forget(self) -> None:
        self._ids.forget()
        self._records.forget()
