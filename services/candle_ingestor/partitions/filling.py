"""Flat bars for covered candle lengths without trade. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import polars as pl

from candle_ingestor.model.candles import EXCHANGE_CANDLES, PRICE_COLUMNS
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.timeframe import DAY_MS, Timeframe

ReadCandles = Callable[[Interval], pl.DataFrame]
"""The candles of a series in an interval, ascending by open time."""

_LONGEST_READ_MS = 32 * DAY_MS


class Carried(NamedTuple):
    """The last candle before a time, with no gap between: what a flat bar there is made of."""

    open_ms: int
    close: float


def carried_to(time_ms: int, coverage: IntervalSet, read: ReadCandles) -> Carried | None:
    """The last candle before a time of the grid; None without one since the last gap."""
    run_ms = run_start_ms(time_ms, coverage)
    end_ms, length_ms = time_ms, DAY_MS
    while run_ms < end_ms:
        start_ms = max(run_ms, end_ms - length_ms)
        candles = read(Interval(start_ms, end_ms))
        if candles.height:
            return Carried(candles["open_time_ms"][-1], candles["close"][-1])
        end_ms, length_ms = start_ms, min(2 * length_ms, _LONGEST_READ_MS)
    return None


def run_start_ms(time_ms: int, coverage: IntervalSet) -> int:
    """Since when all is covered up to the time; the time itself if nothing right before it is."""
    before = coverage & IntervalSet.of(0, time_ms)
    if not before or before.end_ms < time_ms:
        return time_ms
    return before.intervals[-1].start_ms


def filled_flat(
    candles: pl.DataFrame, covered: IntervalSet, timeframe: Timeframe, carried_close: float | None
) -> pl.DataFrame:
    """The candles, and a flat bar of volume 0 wherever a covered length has none.

    A bar stands at the last close before it. It has none across a gap, nor before the first candle
    of an interval.

    Args:
        candles: all in `covered`, ascending by open time.
        covered: on the timeframe's grid.
        carried_close: what the first interval begins with; None for nothing.

    Returns:
        A frame with the columns of an exchange's candles.
    """
    length_ms = timeframe.duration_ms
    candles = candles.select(list(EXCHANGE_CANDLES))
    if candles.height == sum((end_ms - start_ms) // length_ms for start_ms, end_ms in covered):
        return candles
    grid = pl.concat(
        pl.select(
            pl.int_range(start_ms, end_ms, length_ms, dtype=pl.Int64).alias("open_time_ms"),
            pl.lit(run, pl.UInt32).alias("run"),
        )
        for run, (start_ms, end_ms) in enumerate(covered)
    )
    rows = grid.join(candles, on="open_time_ms", how="left", maintain_order="left")
    last_close = pl.col("close").forward_fill().over("run")
    if carried_close is not None:
        begins = pl.when(pl.col("run") == 0).then(pl.lit(carried_close))
        last_close = pl.coalesce(last_close, begins)
    return (
        rows.with_columns(last_close.alias("last_close"))
        .filter(pl.col("last_close").is_not_null())
        .select(
            "open_time_ms",
            *(pl.coalesce(name, "last_close").alias(name) for name in PRICE_COLUMNS),
            pl.col("volume").fill_null(0.0),
        )
    )
