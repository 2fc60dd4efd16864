"""What is known of a series, by day. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.page.content import DayFacts


def day_facts(
    series: Series,
    shown: Interval,
    wanted: IntervalSet,
    covered: IntervalSet,
    candles: Mapping[int, int],
) -> DayFacts:
    """The days that `shown` touches, in candle lengths.

    What is told to be covered is what of `wanted` is. `candles` are the numbers of candles by the
    day's start, wanted or not.
    """
    length_ms = series.timeframe.duration_ms
    start_ms = shown.start_ms // DAY_MS * DAY_MS
    days = range(start_ms, shown.end_ms, DAY_MS)
    wanted_ms, covered_ms = by_day(wanted), by_day(covered & wanted)
    return DayFacts(
        series,
        start_ms,
        [wanted_ms.get(day, 0) // length_ms for day in days],
        [covered_ms.get(day, 0) // length_ms for day in days],
        [candles.get(day, 0) for day in days],
    )


def by_day(intervals: IntervalSet) -> dict[int, int]:
    """How much of each UTC day lies in the intervals, in ms, by the day's start."""
    found: dict[int, int] = {}
    for start_ms, end_ms in intervals:
        day = start_ms // DAY_MS * DAY_MS
        while day < end_ms:
            part = min(end_ms, day + DAY_MS) - max(start_ms, day)
            found[day] = found.get(day, 0) + part
            day += DAY_MS
    return found
