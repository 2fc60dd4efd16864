"""The embedded store: one SQLite file, readable by anything that speaks SQL."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import polars as pl

from candle_ingestor.model.candles import (
    EXCHANGE_CANDLES,
    MERGED_CANDLES,
    VALUE_COLUMNS,
    no_candles,
    schema_of,
)
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.stores import sqlite_rows
from candle_ingestor.stores.base import CoverageRecord, StoreRefusedError
from candle_ingestor.stores.record_json import RecordError, decode_record, encode_record
from candle_ingestor.stores.sqlite_errors import refused
from candle_ingestor.stores.sqlite_file import SqliteFile
from candle_ingestor.stores.sqlite_rows import RowTable

_EXCHANGE_ROWS = RowTable("exchange_candle_rows", tuple(EXCHANGE_CANDLES.items()))
_MERGED_ROWS = RowTable(
    "merged_candle_rows",
    (
        *EXCHANGE_CANDLES.items(),
        ("exchange_set_id", pl.Int64()),
        ("exchange_count", MERGED_CANDLES["exchange_count"]),
    ),
)


class SqliteStore:
    """A Store in one file, made with its folder by the first write.

    A file that is not there yet is an empty store, and reading it makes none. Calls may come from
    any thread and run one after the other; other processes may read at any time and are never
    waited for. Another process that writes is waited for up to `busy_timeout_seconds`, then
    StoreUnavailableError is raised. SQLite knows no signed zero: -0.0 is read back as 0.0.
    """

    def __init__(self, path: Path | str, *, busy_timeout_seconds: float = 10.0) -> None:
        self._file = SqliteFile(Path(path), busy_timeout_seconds, self._forget_ids)
        self._series_ids: dict[Series, int] = {}
        self._exchange_set_ids: dict[str, int] = {}

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

    def write_candles(self, series: Series, candles: pl.DataFrame) -> None:
        """Inserts or replaces the candles, whole or not at all, by series and open time.

        Raises:
            ValueError: if the columns are not those of `schema_of(series)`.
            StoreRefusedError: if a value is missing or no finite number; nothing is written.
        """
        if dict(candles.schema) != schema_of(series):
            raise ValueError(f"candles of {series} have other columns: {dict(candles.schema)}")
        if candles.is_empty():
            return
        if not _all_finite(candles):
            raise _not_finite(series)
        with self._file.transaction() as connection:
            series_id = self._series_id(connection, series)
            if series.is_merged:
                candles = self._with_exchange_set_ids(connection, candles)
            try:
                sqlite_rows.insert(connection, _table_of(series), series_id, candles)
            except sqlite3.IntegrityError as error:
                raise _not_finite(series) from error

    def delete_candles(self, series: Series, open_times_ms: Iterable[int]) -> None:
        """Removes the candles of these open times, where they exist."""
        if not self._file.exists:
            return
        with self._file.transaction() as connection:
            series_id = self._find_series_id(connection, series)
            if series_id is not None:
                sqlite_rows.delete(connection, _table_of(series), series_id, open_times_ms)

    def read_candles(self, series: Series, interval: Interval) -> pl.DataFrame:
        """The candles whose open time lies in the interval, ascending, as `schema_of(series)`."""
        with self._file.reading() as connection:
            series_id = None if connection is None else self._find_series_id(connection, series)
            if connection is None or series_id is None:
                return no_candles(series)
            rows = sqlite_rows.select(connection, _table_of(series), series_id, interval)
            return _with_exchange_sets(connection, rows) if series.is_merged else rows

    def list_series(self) -> list[Series]:
        """Every series that has a coverage record, sorted."""
        rows = self._read("SELECT exchange, currency_pair, timeframe FROM candle_coverage")
        try:
            return sorted(
                Series(exchange, Symbol.parse(pair), Timeframe.parse(timeframe))
                for exchange, pair, timeframe in rows
            )
        except ValueError as error:
            raise refused(self.description, f"candle_coverage names no series: {error}") from error

    def read_coverage(self, series: Iterable[Series]) -> dict[Series, CoverageRecord]:
        """The record of each series asked for; one never written is an empty record."""
        records: dict[Series, CoverageRecord] = {}
        for one in series:
            rows = self._read(
                "SELECT record FROM candle_coverage"
                " WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
                _names(one),
            )
            try:
                records[one] = decode_record(rows[0][0]) if rows else CoverageRecord()
            except RecordError as error:
                raise refused(
                    self.description, f"the coverage record of {one} cannot be read: {error}"
                ) from error
        return records

    def write_coverage(self, records: Mapping[Series, CoverageRecord]) -> None:
        """Replaces the records of these series, all or none."""
        rows = [(*_names(series), encode_record(record)) for series, record in records.items()]
        self._write("INSERT OR REPLACE INTO candle_coverage VALUES (?, ?, ?, ?)", rows)

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

    def write_run(self, report: Mapping[str, Any]) -> None:
        """Keeps a run report, JSON values with `run_id`, `started_ms` and `status` among them.

        Raises:
            ValueError: if one of the three is missing, or a value is none of JSON's.
        """
        missing = {"run_id", "started_ms", "status"} - report.keys()
        if missing:
            raise ValueError(f"the run report lacks {', '.join(sorted(missing))}")
        try:
            text = json.dumps(dict(report), allow_nan=False)
        except TypeError as error:
            raise ValueError(f"the run report cannot be kept as JSON: {error}") from error
        self._write(
            "INSERT OR REPLACE INTO ingestion_runs VALUES (?, ?, ?, ?)",
            [(report["run_id"], report["started_ms"], report["status"], text)],
        )

    def read_runs(self, newest: int) -> list[dict[str, Any]]:
        """The newest run reports, newest first."""
        rows = self._read(
            "SELECT report FROM ingestion_runs ORDER BY started_ms DESC, run_id DESC LIMIT ?",
            (newest,),
        )
        return [json.loads(text) for (text,) in rows]

    def close(self) -> None:
        """Releases the file. Closing twice is harmless."""
        self._file.close()

    def _write(self, sql: str, rows: list[tuple[Any, ...]]) -> None:
        if rows:
            with self._file.transaction() as connection:
                connection.executemany(sql, rows)

    def _read(self, sql: str, parameters: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        with self._file.reading() as connection:
            return [] if connection is None else connection.execute(sql, parameters).fetchall()

    def _forget_ids(self) -> None:
        """Ids given in a transaction that did not happen are no ids."""
        self._series_ids.clear()
        self._exchange_set_ids.clear()

    def _series_id(self, connection: sqlite3.Connection, series: Series) -> int:
        """The id of a series, given now if it has none."""
        if self._find_series_id(connection, series) is None:
            connection.execute(
                "INSERT INTO series (exchange, currency_pair, timeframe) VALUES (?, ?, ?)",
                _names(series),
            )
            self._find_series_id(connection, series)
        return self._series_ids[series]

    def _find_series_id(self, connection: sqlite3.Connection, series: Series) -> int | None:
        if series not in self._series_ids:
            row = connection.execute(
                "SELECT series_id FROM series"
                " WHERE exchange = ? AND currency_pair = ? AND timeframe = ?",
                _names(series),
            ).fetchone()
            if row is None:
                return None
            self._series_ids[series] = row[0]
        return self._series_ids[series]

    def _with_exchange_set_ids(
        self, connection: sqlite3.Connection, candles: pl.DataFrame
    ) -> pl.DataFrame:
        texts = candles["source_exchanges"].to_list()
        for text in set(texts) - self._exchange_set_ids.keys() - {None}:
            connection.execute(
                "INSERT OR IGNORE INTO exchange_sets (source_exchanges) VALUES (?)", (text,)
            )
            (self._exchange_set_ids[text],) = connection.execute(
                "SELECT exchange_set_id FROM exchange_sets WHERE source_exchanges = ?", (text,)
            ).fetchone()
        ids = [self._exchange_set_ids.get(text) for text in texts]
        return candles.hstack([pl.Series("exchange_set_id", ids, dtype=pl.Int64())])


def _with_exchange_sets(connection: sqlite3.Connection, rows: pl.DataFrame) -> pl.DataFrame:
    sets = dict(connection.execute("SELECT exchange_set_id, source_exchanges FROM exchange_sets"))
    return rows.with_columns(
        pl.col("exchange_set_id")
        .replace_strict(list(sets.keys()), list(sets.values()), return_dtype=pl.String())
        .alias("source_exchanges")
    ).select(MERGED_CANDLES.keys())


def _all_finite(candles: pl.DataFrame) -> bool:
    """Whether no float is infinite; nulls and NaN are left to the tables' NOT NULL."""
    extremes = chain.from_iterable(
        (candles[name].min(), candles[name].max()) for name in VALUE_COLUMNS
    )
    return all(not isinstance(value, float) or not math.isinf(value) for value in extremes)


def _not_finite(series: Series) -> StoreRefusedError:
    return StoreRefusedError(
        f"candles of {series} hold a value that is missing or no finite number; "
        "none of them was written"
    )


def _table_of(series: Series) -> RowTable:
    return _MERGED_ROWS if series.is_merged else _EXCHANGE_ROWS


def _names(series: Series) -> tuple[str, str, str]:
    return series.exchange, str(series.symbol), str(series.timeframe)
