"""Candle frames into SQLite rows and back, many rows a statement."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import apsw
import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES, MERGED_CANDLES
from candle_ingestor.model.intervals import Interval
from candle_ingestor.model.series import Series

_VALUES_PER_STATEMENT = 999
"""More a statement gains nothing."""
_ROWS_PER_LIST = 5000
"""Lists of Python objects that the processor's cache can hold."""
_ROWS_PER_FETCH = 500


@dataclass(frozen=True, eq=False)
class RowTable:
    """A table of candle rows keyed by series id and open time; `schema` names its other columns."""

    name: str
    schema: tuple[tuple[str, pl.DataType], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.schema)


EXCHANGE_ROWS = RowTable("exchange_candle_rows", tuple(EXCHANGE_CANDLES.items()))
MERGED_ROWS = RowTable(
    "merged_candle_rows",
    (
        *EXCHANGE_CANDLES.items(),
        ("exchange_set_id", pl.Int64()),
        ("exchange_count", MERGED_CANDLES["exchange_count"]),
    ),
)


def table_of(series: Series) -> RowTable:
    """Where the candles of a series are kept."""
    return MERGED_ROWS if series.is_merged else EXCHANGE_ROWS


def insert(
    connection: apsw.Connection, table: RowTable, series_id: int, candles: pl.DataFrame
) -> None:
    """Inserts or replaces rows inside the caller's transaction.

    One statement takes many rows, which costs a third less than one row each.
    """
    for part in candles.iter_slices(_ROWS_PER_LIST):
        _insert_part(connection, table, series_id, part)


def delete(
    connection: apsw.Connection, table: RowTable, series_id: int, open_times_ms: Iterable[int]
) -> None:
    """Removes rows inside the caller's transaction, where they exist."""
    connection.executemany(
        f"DELETE FROM {table.name} WHERE series_id = ? AND open_time_ms = ?",
        [(series_id, open_time_ms) for open_time_ms in open_times_ms],
    )


def delete_all(connection: apsw.Connection, table: RowTable, series_id: int) -> None:
    """Removes every row of a series inside the caller's transaction."""
    connection.execute(f"DELETE FROM {table.name} WHERE series_id = ?", (series_id,))


def select(
    connection: apsw.Connection, table: RowTable, series_id: int, interval: Interval
) -> pl.DataFrame:
    """The rows of an interval, ascending, in the table's columns."""
    cursor = connection.execute(
        f"SELECT {', '.join(table.columns)} FROM {table.name}"
        " WHERE series_id = ? AND open_time_ms >= ? AND open_time_ms < ? ORDER BY open_time_ms",
        (series_id, interval.start_ms, interval.end_ms),
    )
    return _frame(cursor, dict(table.schema))


def select_newest(
    connection: apsw.Connection, table: RowTable, series_ids: Collection[int], since_ms: int
) -> pl.DataFrame:
    """The rows of these series from `since_ms` on, ascending in each, with their `series_id`."""
    cursor = connection.execute(
        f"SELECT series_id, {', '.join(table.columns)} FROM {table.name}"
        " WHERE series_id IN (SELECT value FROM json_each(?)) AND open_time_ms >= ?"
        " ORDER BY series_id, open_time_ms",
        (json.dumps(sorted(series_ids)), since_ms),
    )
    return _frame(cursor, {"series_id": pl.Int64(), **dict(table.schema)})


def last_open_ms(
    connection: apsw.Connection, table: RowTable, series_id: int, before_ms: int
) -> int | None:
    """The open time of the series' last row before `before_ms`; None without one."""
    row = connection.execute(
        f"SELECT open_time_ms FROM {table.name}"
        " WHERE series_id = ? AND open_time_ms < ? ORDER BY open_time_ms DESC LIMIT 1",
        (series_id, before_ms),
    ).fetchone()
    return None if row is None else row[0]


def count(connection: apsw.Connection, table: RowTable, series_id: int, interval: Interval) -> int:
    """How many rows of the series open in the interval."""
    ((rows,),) = connection.execute(
        f"SELECT COUNT(*) FROM {table.name}"
        " WHERE series_id = ? AND open_time_ms >= ? AND open_time_ms < ?",
        (series_id, interval.start_ms, interval.end_ms),
    )
    return int(rows)


def _insert_part(
    connection: apsw.Connection, table: RowTable, series_id: int, candles: pl.DataFrame
) -> None:
    columns = [candles[name].to_list() for name in table.columns]
    width = len(columns)
    values: list[Any] = [None] * (candles.height * width)
    for position, column in enumerate(columns):
        values[position::width] = column
    rows = _VALUES_PER_STATEMENT // width
    whole = len(values) - len(values) % (width * rows)
    for start in range(0, whole, width * rows):
        part = values[start : start + width * rows]
        connection.execute(_insert_sql(table, series_id, rows), part)
    if whole < len(values):
        connection.executemany(
            _insert_sql(table, series_id, 1),
            [values[start : start + width] for start in range(whole, len(values), width)],
        )


def _frame(cursor: apsw.Cursor, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    # Columns are made a few hundred rows at a time: faster than row by row, and Python objects
    # never pile up.
    columns = [[pl.Series(name, [], dtype=dtype)] for name, dtype in schema.items()]
    while rows := list(islice(cursor, _ROWS_PER_FETCH)):
        for parts, values in zip(columns, zip(*rows, strict=True), strict=True):
            parts.append(pl.Series(parts[0].name, values, dtype=parts[0].dtype))
    return pl.DataFrame([pl.concat(parts, rechunk=True) for parts in columns])


@lru_cache(maxsize=64)
def _insert_sql(table: RowTable, series_id: int, row_count: int) -> str:
    row = f"({series_id:d}, {', '.join('?' * len(table.columns))})"
    return (
        f"INSERT OR REPLACE INTO {table.name} (series_id, {', '.join(table.columns)}) "
        f"VALUES {', '.join([row] * row_count)}"
    )
