"""Selection of candles by the interval their open time lies in."""

from __future__ import annotations

import polars as pl

from candle_ingestor.model.intervals import IntervalSet


def candles_within(candles: pl.DataFrame, intervals: IntervalSet) -> pl.DataFrame:
    """The rows whose `open_time_ms` lies in the intervals, in the order they have."""
    if not intervals or candles.is_empty():
        return candles.clear()
    open_times = candles["open_time_ms"]
    starts = pl.Series([interval.start_ms for interval in intervals], dtype=pl.Int64)
    ends = pl.Series([interval.end_ms for interval in intervals], dtype=pl.Int64)
    started = starts.search_sorted(open_times, side="right").cast(pl.Int64)
    end_of_last_started = ends.gather((started - 1).clip(lower_bound=0))
    return candles.filter((started > 0) & (open_times < end_of_last_started))
