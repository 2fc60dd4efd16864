"""The shape of candle frames."""

from __future__ import annotations

from math import isfinite

import polars as pl

from candle_ingestor.model.series import Series

PRICE_COLUMNS = ("open", "high", "low", "close")
VALUE_COLUMNS = (*PRICE_COLUMNS, "volume")

EXCHANGE_CANDLES: dict[str, pl.DataType] = {
    "open_time_ms": pl.Int64(),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
}
"""Columns of an exchange's own candles: open time in UTC ms, ascending, unique; no nulls."""

MERGED_CANDLES: dict[str, pl.DataType] = {
    **EXCHANGE_CANDLES,
    "source_exchanges": pl.String(),
    "exchange_count": pl.Int64(),
}
"""Columns of merged candles; `source_exchanges` is comma-separated in flag order (rule M6)."""


def are_finite(values: pl.Series) -> bool:
    """Whether every one of the floats, none of them null, is a finite number."""
    # A sum shows any other one, and costs next to nothing. Huge numbers may add up to infinity.
    return isfinite(values.sum()) or bool(values.is_finite().all())


def schema_of(series: Series) -> dict[str, pl.DataType]:
    """The columns that a series' candle frames have, in order."""
    return MERGED_CANDLES if series.is_merged else EXCHANGE_CANDLES


def no_candles(series: Series) -> pl.DataFrame:
    """A frame of the series' columns and no rows."""
    return pl.DataFrame(schema=schema_of(series))
