"""Candle frames into SQLite rows and back, many rows a statement."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import chain, repeat

import polars as pl

from candle_ingestor.model.intervals import Interval

_ROWS_PER_STATEMENT = 50
_ROWS_PER_FETCH = 2000


@dataclass(frozen=True, eq=False)
class RowTable:
    """A table of candle rows keyed by series id and open time; `schema` names its other columns."""

    name: str
    schema: tuple[tuple[str, pl.DataType], ...]

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.schema)


def insert(
    connection: sqlite3.Connection, table: RowTable, series_id: int, candles: pl.DataFrame
) -> None:
    """Inserts or replaces rows inside the caller's transaction.

    One statement takes 50 rows, which costs a third less than one row each.
    """
    columns = [candles[name].to_list() for name in table.columns]
    values = list(chain.from_iterable(zip(repeat(series_id), *columns, strict=False)))
    width = 1 + len(columns)
    whole = len(values) - len(values) % (width * _ROWS_PER_STATEMENT)
    for start in range(0, whole, width * _ROWS_PER_STATEMENT):
        part = values[start : start + width * _ROWS_PER_STATEMENT]
        connection.execute(_insert_sql(table, _ROWS_PER_STATEMENT), part)
    connection.executemany(
        _insert_sql(table, 1),
        [values[start : start + width] for start in range(whole, len(values), width)],
    )


def select(
    connection: sqlite3.Connection, table: RowTable, series_id: int, interval: Interval
) -> pl.DataFrame:
    """The rows of an interval, ascending, in the table's columns.

    Columns are turned into a frame a few thousand rows at a time: faster than row by row, and
    Python objects never pile up.
    """
    cursor = connection.execute(
        f"SELECT {', '.join(table.columns)} FROM {table.name}"
        " WHERE series_id = ? AND open_time_ms >= ? AND open_time_ms < ? ORDER BY open_time_ms",
        (series_id, interval.start_ms, interval.end_ms),
    )
    frames = [pl.DataFrame(schema=dict(table.schema))]
    while rows := cursor.fetchmany(_ROWS_PER_FETCH):
        columns = zip(*rows, strict=True)
        frames.append(
            pl.DataFrame(
                [
                    pl.Series(name, values, dtype=dtype)
                    for (name, dtype), values in zip(table.schema, columns, strict=True)
                ]
            )
        )
    return pl.concat(frames, rechunk=True)


def delete(
    connection: sqlite3.Connection, table: RowTable, series_id: int, open_times_ms: Iterable[int]
) -> None:
    """Removes rows inside the caller's transaction, where they exist."""
    connection.executemany(
        f"DELETE FROM {table.name} WHERE series_id = ? AND open_time_ms = ?",
        [(series_id, open_time_ms) for open_time_ms in open_times_ms],
    )


@cache
def _insert_sql(table: RowTable, row_count: int) -> str:
    names = ("series_id", *table.columns)
    row = f"({', '.join('?' * len(names))})"
    return (
        f"INSERT OR REPLACE INTO {table.name} ({', '.join(names)}) "
        f"VALUES {', '.join([row] * row_count)}"
    )
