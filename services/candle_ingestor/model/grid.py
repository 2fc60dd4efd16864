"""Intervals on the grid of a timeframe."""

from __future__ import annotations

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.timeframe import Timeframe


def on_grid(intervals: IntervalSet, timeframe: Timeframe) -> IntervalSet:
    """The candle lengths of the timeframe that share a point with the intervals."""
    return IntervalSet(
        (timeframe.floor_ms(start_ms), timeframe.ceil_ms(end_ms)) for start_ms, end_ms in intervals
    )


def whole_lengths(intervals: IntervalSet, timeframe: Timeframe) -> IntervalSet:
    """The candle lengths of the timeframe that lie whole in the intervals."""
    return IntervalSet(
        (timeframe.ceil_ms(start_ms), timeframe.floor_ms(end_ms)) for start_ms, end_ms in intervals
    )
