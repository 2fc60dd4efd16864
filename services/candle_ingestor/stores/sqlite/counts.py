"""How many candles each month of a series has, kept with the rows so that nobody counts them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence

import polars as pl

from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.months import Month
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.stores.sqlite.candles import EXCHANGE_ROWS, MERGED_ROWS, RowTable

COUNTS_STATEMENT = """CREATE TABLE candle_counts (
    series_id INTEGER NOT NULL, month TEXT NOT NULL, candles INTEGER NOT NULL,
    PRIMARY KEY (series_id, month)) WITHOUT ROWID"""

_ADD = (
    "INSERT INTO candle_counts (series_id, month, candles) VALUES (?, ?, ?)"
    " ON CONFLICT DO UPDATE SET candles = candles + excluded.candles"
)


class Recount:
    """The rows of a series where some are about to be written or removed, by month.

    Made before the change and noted after it, both inside the caller's transaction.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        table: RowTable,
        series_id: int,
        candles: pl.DataFrame | None,
        deleted: Sequence[int],
    ) -> None:
        self._connection = connection
        self._table = table
        self._series_id = series_id
        self._spans = _spans_by_month(candles, deleted)
        self._before = self._counts()

    def note(self) -> None:
        """Adds the difference to what is kept."""
        after = self._counts()
        rows = [
            (self._series_id, str(month), after[month] - self._before[month])
            for month in after
            if after[month] != self._before[month]
        ]
        self._connection.executemany(_ADD, rows)

    def _counts(self) -> dict[Month, int]:
        sql = (
            f"SELECT COUNT(*) FROM {self._table.name}"
            " WHERE series_id = ? AND open_time_ms >= ? AND open_time_ms <= ?"
        )
        counts = {}
        for month, (first_ms, last_ms) in self._spans.items():
            (count,) = self._connection.execute(
                sql, (self._series_id, first_ms, last_ms)
            ).fetchone()
            counts[month] = int(count)
        return counts


def select_counts(
    connection: sqlite3.Connection, series_ids: Collection[int]
) -> dict[int, dict[Month, int]]:
    """The candles of these series by month; months without one are left out."""
    rows = connection.execute(
        "SELECT series_id, month, candles FROM candle_counts"
        " WHERE series_id IN (SELECT value FROM json_each(?)) AND candles > 0"
        " ORDER BY series_id, month",
        (json.dumps(sorted(series_ids)),),
    )
    found: dict[int, dict[Month, int]] = {}
    for series_id, month, candles in rows:
        found.setdefault(series_id, {})[Month.parse(month)] = candles
    return found


def forget_counts(connection: sqlite3.Connection, series_id: int) -> None:
    """Hears that all rows of a series were removed, inside the caller's transaction."""
    connection.execute("DELETE FROM candle_counts WHERE series_id = ?", (series_id,))


def count_everything(connection: sqlite3.Connection) -> None:
    """Counts all rows of a file that was made without counts, inside the caller's transaction."""
    connection.execute(COUNTS_STATEMENT)
    for table in (EXCHANGE_ROWS, MERGED_ROWS):
        by_day = connection.execute(
            f"SELECT series_id, open_time_ms / {DAY_MS}, COUNT(*) FROM {table.name} GROUP BY 1, 2"
        ).fetchall()
        rows = ((series_id, str(Month.of(day * DAY_MS)), count) for series_id, day, count in by_day)
        connection.executemany(_ADD, rows)


def _spans_by_month(
    candles: pl.DataFrame | None, deleted: Sequence[int]
) -> Mapping[Month, tuple[int, int]]:
    """The first and last time of each month that has one of the times."""
    times = pl.Series("time", deleted, dtype=pl.Int64())
    if candles is not None:
        times = pl.concat([times, candles["open_time_ms"].alias("time")])
    if times.is_empty():
        return {}
    first_ms, last_ms = int(times.min()), int(times.max())  # type: ignore[arg-type]
    spans = {}
    month = Month.of(first_ms)
    while month.start_ms <= last_ms:
        start_ms, end_ms = month.interval
        whole = Interval(max(start_ms, first_ms), min(end_ms - 1, last_ms))
        spans[month] = (whole.start_ms, whole.end_ms)
        month = month.following()
    return spans
