"""Candles of trades, exact: volumes are summed as decimals, never as floats. Pure.

Candles in the making have the columns of EXCHANGE_CANDLES, with the volume as a decimal; those of
two consecutive pieces of a series are joined where the pieces meet inside a candle.
"""

from __future__ import annotations

import polars as pl

from candle_ingestor.exchanges.trades import NS_PER_MS
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.timeframe import Timeframe

MOST_DIGITS = 38

NOTHING_MADE = pl.DataFrame(schema={**EXCHANGE_CANDLES, "volume": pl.Decimal(MOST_DIGITS, 0)})
"""Candles in the making of no trades."""


def made_of(trades: pl.DataFrame, timeframe: Timeframe) -> pl.DataFrame:
    """Candles in the making of trades that ascend, columns TRADES."""
    if trades.is_empty():
        return NOTHING_MADE
    length_ns = timeframe.duration_ms * NS_PER_MS
    amount = pl.Decimal(MOST_DIGITS, _most_decimals(trades["amount"]))
    placed = trades.select(
        open_time_ms=pl.col("time_ns") // length_ns * timeframe.duration_ms,
        open="price",
        high="price",
        low="price",
        close="price",
        volume=pl.col("amount").cast(amount),
    )
    return _gathered(placed)


def joined(earlier: pl.DataFrame, later: pl.DataFrame) -> pl.DataFrame:
    """Candles in the making of all trades of both; none of `later` is before one of `earlier`."""
    if earlier.is_empty():
        return later
    scale = max(_scale(earlier), _scale(later))
    same = pl.col("volume").cast(pl.Decimal(MOST_DIGITS, scale))
    return _gathered(pl.concat([earlier.with_columns(same), later.with_columns(same)]))


def finished(candles: pl.DataFrame) -> pl.DataFrame:
    """Candles in the making as EXCHANGE_CANDLES: each volume the float64 of its decimal text."""
    volume = pl.col("volume").cast(pl.String).cast(pl.Float64)
    return candles.with_columns(volume).select(EXCHANGE_CANDLES.keys())


def _gathered(placed: pl.DataFrame) -> pl.DataFrame:
    return placed.group_by("open_time_ms", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum(),
    )


def _scale(candles: pl.DataFrame) -> int:
    dtype = candles.schema["volume"]
    assert isinstance(dtype, pl.Decimal)
    return dtype.scale


def _most_decimals(amounts: pl.Series) -> int:
    """The most digits after the point that any of the amounts needs, its exponent applied."""
    groups = amounts.to_frame("amount").select(
        decimals=pl.col("amount").str.extract(r"\.(\d+)").fill_null("").str.len_chars().cast(int),
        exponent=pl.col("amount").str.extract(r"[eE]([+-]?\d+)$").fill_null("0").cast(int),
    )
    most = (groups["decimals"] - groups["exponent"]).max()
    assert isinstance(most, int)
    return max(most, 0)
