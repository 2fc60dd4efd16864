"""Reads candle rows of an answer into columns.

ccxt decides what a row says. Where an exchange's row layout is described, whole columns are read
by it, which is many times faster, and ccxt's own reading of the first and the last row must agree.
Only of the volume the layout has the last word, where ccxt hands on another than the base volume.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any

import polars as pl

from candle_ingestor.exchanges.habits import RowLayout
from candle_ingestor.exchanges.rows import RawRows, Row
from candle_ingestor.model.candles import EXCHANGE_CANDLES

_BEYOND_INT64 = 1 << 63
_CHART_COLUMNS = {
    "t": "timestamp",
    "o": "open",
    "h": "high",
    "l": "low",
    "c": "close",
    "v": "volume",
}
"""Each with the name that ccxt gives the field of a row."""


def read_rows(
    raw: list[Any],
    layout: RowLayout | None,
    parse: Callable[[Any], Any],
    *,
    volume_by_layout: bool = False,
) -> RawRows:
    """The rows as columns; `parse` is ccxt's reading of one row.

    `volume_by_layout` says that ccxt reads another volume than the base volume of the layout.
    """
    if layout is None or not raw:
        return RawRows.from_rows([_parsed(row, parse) for row in raw], raw)
    frame = _by_layout(raw, layout)
    agreeing = 5 if volume_by_layout else 6
    if frame is not None and _agrees(frame, raw, parse, agreeing):
        return RawRows(frame, raw)
    rows = [_parsed(row, parse) for row in raw]
    if volume_by_layout:
        key: Any = layout.fields[-1]
        rows = [[*row[:5], _field(each, key)] for row, each in zip(rows, raw, strict=True)]
    return RawRows.from_rows(rows, raw)


def rows_of_columns(columns: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The rows of an answer in columns named as charts name them; None if it is none."""
    found = [columns.get(name) for name in _CHART_COLUMNS]
    lists = [column for column in found if isinstance(column, list)]
    if len(lists) < len(found) or len({len(column) for column in lists}) > 1:
        return None
    names = _CHART_COLUMNS.values()
    return [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]


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


def _agrees(frame: pl.DataFrame, raw: list[Any], parse: Callable[[Any], Any], fields: int) -> bool:
    return all(
        tuple(_parsed(raw[index], parse))[:fields] == frame.row(index)[:fields]
        for index in (0, len(raw) - 1)
    )


def _field(row: Any, key: Any) -> int | float | None:
    try:
        value = row[key]
        return _number(float(value) if isinstance(value, str) else value)
    except (TypeError, KeyError, IndexError, ValueError):
        return None


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
