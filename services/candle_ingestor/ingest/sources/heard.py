"""A request for candles, and what its answer shows. Pure."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

import polars as pl

from candle_ingestor.ingest.sources.sift import RejectedRow, SiftedRows
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.timeframe import Timeframe


@dataclass(frozen=True)
class PageAsk:
    """One request for candles.

    Attributes:
        start_ms: the first open time asked for: that of the known candle where there is one.
        limit: how many candles are asked for.
        wanted: what the answer is for; the known candle lies before it.
        overlap_ms: the open time of a candle that the exchange has shown before.
    """

    start_ms: int
    limit: int
    wanted: Interval
    overlap_ms: int | None
    timeframe: Timeframe

    @property
    def end_ms(self) -> int:
        """The end of what a silent answer can settle."""
        page_end_ms = self.start_ms + self.limit * self.timeframe.duration_ms
        return min(page_end_ms, self.wanted.end_ms)


@dataclass(frozen=True)
class Heard:
    """What an answer shows from the time on that it was asked for.

    Attributes:
        candles: as EXCHANGE_CANDLES, ascending.
        first_ms, last_ms: open times of its first and last row, rejected ones included.
        rejected: the minutes of rejected rows.
        rejected_rows: these rows.
        has_unplaceable: whether a rejected row may stand for any minute.
        row_count: how many rows came, those from before that time included.
    """

    candles: pl.DataFrame
    first_ms: int | None
    last_ms: int | None
    rejected: IntervalSet = EMPTY
    rejected_rows: tuple[RejectedRow, ...] = ()
    has_unplaceable: bool = False
    row_count: int = 0

    @property
    def last_candle_ms(self) -> int | None:
        times = self.candles["open_time_ms"]
        return None if times.is_empty() else int(times[-1])

    def shows(self, open_ms: int) -> bool:
        """Whether there is a row of that open time."""
        times = self.candles["open_time_ms"]
        index = bisect_left(times, open_ms)
        is_candle = index < times.len() and times[index] == open_ms
        return bool(is_candle) or self.rejected.contains(open_ms)


def heard_from(rows: SiftedRows, start_ms: int, timeframe: Timeframe) -> Heard:
    """What the rows show from `start_ms` on."""
    shown = rows.candles
    times = shown["open_time_ms"]
    row_count = shown.height + len(rows.rejected)
    if not times.is_empty() and times[0] < start_ms:
        shown = shown.slice(bisect_left(times, start_ms))
        times = shown["open_time_ms"]
    first_ms = None if times.is_empty() else int(times[0])
    last_ms = None if times.is_empty() else int(times[-1])
    if not rows.rejected:
        return Heard(shown, first_ms, last_ms, row_count=row_count)
    rejected = rows.rejected_minutes - IntervalSet.of(0, start_ms)
    if rejected:
        last_rejected_ms = rejected.end_ms - timeframe.duration_ms
        first_ms = min(rejected.start_ms, rejected.start_ms if first_ms is None else first_ms)
        last_ms = max(last_rejected_ms, last_rejected_ms if last_ms is None else last_ms)
    return Heard(shown, first_ms, last_ms, rejected, rows.rejected, rows.has_unplaceable, row_count)


def holes_in(heard: Heard, timeframe: Timeframe) -> IntervalSet:
    """What no row stands for between the first row and the last one."""
    if heard.first_ms is None or heard.last_ms is None:
        return EMPTY
    length_ms = timeframe.duration_ms
    shown = IntervalSet((time, time + length_ms) for time in heard.candles["open_time_ms"])
    return IntervalSet.of(heard.first_ms, heard.last_ms + length_ms) - shown - heard.rejected


def with_hole_filled(heard: Heard, hole: Interval, again: Heard) -> Heard:
    """`heard` with what another answer shows of a hole in it."""
    found = again.candles.filter(pl.col("open_time_ms").is_between(*hole, closed="left"))
    rejected = again.rejected & IntervalSet((hole,))
    return replace(
        heard,
        candles=pl.concat([heard.candles, found]).sort("open_time_ms"),
        rejected=heard.rejected | rejected,
        rejected_rows=(*heard.rejected_rows, *(again.rejected_rows if rejected else ())),
    )


def joined(head: Heard, rest: Heard) -> Heard:
    """`head` up to the first row of `rest`, which it shows, and `rest` from there on."""
    assert rest.first_ms is not None
    times = head.candles["open_time_ms"]
    before = IntervalSet.of(0, rest.first_ms)
    more_rejected = [row for row in rest.rejected_rows if row not in head.rejected_rows]
    return Heard(
        pl.concat([head.candles.slice(0, bisect_left(times, rest.first_ms)), rest.candles]),
        head.first_ms,
        rest.last_ms,
        (head.rejected & before) | rest.rejected,
        (*head.rejected_rows, *more_rejected),
        rest.has_unplaceable,
        head.row_count,
    )
