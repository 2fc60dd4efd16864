"""Reads candle rows of an answer into columns.

ccxt decides what a row says. Where an exchange's row layout is described, whole columns are read
by it, which is many times faster, and ccxt's own reading of the first and the last row must agree.
"""

from __future__ import annotations

from collections.abc import Callable
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
        columns = [
            _column(name, [row[key] for row in raw], dtype)
            for (name, dtype), key in zip(EXCHANGE_CANDLES.items(), layout.fields, strict=True)
        ]
        columns[0] = columns[0] * layout.time_unit_ms
    except (TypeError, KeyError, IndexError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return None
    return None if any(column.null_count() for column in columns) else pl.DataFrame(columns)


def _column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    if isinstance(values[0], str):
        return pl.Series(name, values, dtype=pl.String, strict=True).cast(dtype, strict=False)
    return pl.Series(name, values, dtype=dtype, strict=True)


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
