"""Selection of candles by the interval their open time lies in."""

from __future__ import annotations

from bisect import bisect_left

import polars as pl

from candle_ingestor.model.intervals import IntervalSet


def candles_within(candles: pl.DataFrame, intervals: IntervalSet) -> pl.DataFrame:
    """The rows whose `open_time_ms` lies in the intervals. `candles` ascend by open time.

    Where that is every row of one interval, it is the frame itself.
    """
    open_times = candles["open_time_ms"]
    if candles.is_empty() or intervals.covers((open_times[0], open_times[-1] + 1)):
        return candles
    parts = []
    for start_ms, end_ms in intervals & IntervalSet.of(open_times[0], open_times[-1] + 1):
        start = _rows_before(open_times, start_ms)
        end = _rows_before(open_times, end_ms)
        if start < end:
            parts.append(candles.slice(start, end - start))
    if len(parts) > 1:
        return pl.concat(parts)
    return parts[0] if parts else candles.clear()


def _rows_before(open_times: pl.Series, time_ms: int) -> int:
    # Where candles follow one another without a hole, the place can be computed. Elsewhere bisect
    # looks at a dozen values; Series.search_sorted plans a query each time.
    last = open_times.len() - 1
    first_ms = open_times[0]
    if time_ms <= first_ms:
        return 0
    guess = min((time_ms - first_ms) * last // max(open_times[last] - first_ms, 1), last)
    if open_times[guess] == time_ms:
        return int(guess)
    return bisect_left(open_times, time_ms)
