"""Reads candle rows of an answer into columns.

ccxt decides what a row says. Where an exchange's row layout is described, whole columns are read
by it, which is many times faster, and ccxt's own reading of the first and the last row must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import polars as pl

from candle_ingestor.exchanges.habits import RowLayout
from candle_ingestor.exchanges.rows import RawRows, Row
from candle_ingestor.model.candles import EXCHANGE_CANDLES

_BEYOND_INT64 = 1 << 63


def read_rows(raw: list[Any], layout: RowLayout | None, parse: Callable[[Any], Any]) -> RawRows:
    """The rows as columns; `parse` is ccxt's reading of one row."""
    if layout is not None and raw:
        frame = _by_layout(raw, layout)
        if frame is not None and _agrees(frame, raw, parse):
            return RawRows(frame, raw)
    return RawRows.from_rows([_parsed(row, parse) for row in raw], raw)


def _by_layout(raw: list[Any], layout: RowLayout) -> pl.DataFrame | None:
    try:
        times, *values = ([row[key] for row in raw] for key in layout.fields)
        columns = [_numbers(times, pl.Int64()) * layout.time_unit_ms, *_value_columns(values)]
    except (TypeError, KeyError, IndexError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return None
    if any(column.null_count() for column in columns):
        return None
    return pl.DataFrame(dict(zip(EXCHANGE_CANDLES, columns, strict=True)))


def _value_columns(columns: list[list[Any]]) -> list[pl.Series]:
    if not all(isinstance(column[0], str) for column in columns):
        return [_numbers(column, pl.Float64()) for column in columns]
    # Reading all texts at once costs little more than reading one column of them.
    rows = len(columns[0])
    numbers = _numbers([*chain.from_iterable(columns)], pl.Float64())
    return [numbers.slice(rows * position, rows) for position in range(len(columns))]


def _numbers(values: list[Any], dtype: pl.DataType) -> pl.Series:
    if isinstance(values[0], str):
        return pl.Series(values, dtype=pl.String, strict=True).cast(dtype, strict=False)
    return pl.Series(values, dtype=dtype, strict=True)


def _agrees(frame: pl.DataFrame, raw: list[Any], parse: Callable[[Any], Any]) -> bool:
    return all(tuple(_parsed(raw[index], parse)) == frame.row(index) for index in (0, len(raw) - 1))


def _parsed(row: Any, parse: Callable[[Any], Any]) -> Row:
    try:
        parsed = parse(row)[:6]
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, ArithmeticError):
        parsed = ()
    fields = [_number(value) for value in parsed]
    return fields + [None] * (6 - len(fields))


def _number(value: Any) -> int | float | None:
    if isinstance(value, int):
        return value if abs(value) < _BEYOND_INT64 else None
    return value if isinstance(value, float) else None
