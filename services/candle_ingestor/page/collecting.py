"""The chart of a head, gathered from its candles month by month. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.page.bars import coarser, side_by_side
from candle_ingestor.page.content import Bars, Mark
from candle_ingestor.page.differing import Differing
from candle_ingestor.page.levels import Level, near, on_grid

MOST_MARKS = 300
_MARKS_WITH_MINUTES = 20


class ChartCollector:
    """Takes the candles of a head and its sources piece by piece, ascending, and keeps little.

    A piece holds whole bars of every level. `levels` begins with the head's own length.
    """

    def __init__(self, head: Series, sources: Sequence[Series], levels: Sequence[Level]) -> None:
        self._head = head
        self._sources = tuple(sources)
        self._levels = levels
        self._tables: list[list[pl.DataFrame]] = [[] for _ in levels]
        self._marks: list[Mark] = []
        self._counts: dict[Series, Counter[int]] = {
            series: Counter() for series in (head, *self._sources)
        }
        self.excluded = 0
        self.disagreeing = 0

    def take(self, frames: Mapping[Series, pl.DataFrame], differing: Differing) -> None:
        """Takes the candles of a month and the minutes of it at which exchanges differ."""
        for series, counts in self._counts.items():
            counts.update(_candles_by_day(frames[series]))
        self.excluded += differing.excluded
        self.disagreeing += differing.disagreeing
        self._marks = _largest([*self._marks, *differing.marks], MOST_MARKS)
        table = self._side_by_side(frames)
        if table.is_empty():
            return
        for level, tables in zip(self._levels, self._tables, strict=True):
            within = candles_within(table, level.spans)
            if not within.is_empty():
                # Also of the head's own length: a slice would keep the whole month.
                tables.append(coarser(within, level.length_ms))

    def places(self, known: Interval, places: Sequence[Interval]) -> IntervalSet:
        """What the chart shows in the head's own length beside what was taken.

        It is near the places and near the largest marks, and within what is known.
        """
        length_ms = self._head.timeframe.duration_ms
        marks = _largest(self._marks, _MARKS_WITH_MINUTES)
        marked = [Interval(mark.open_time_ms, mark.open_time_ms + length_ms) for mark in marks]
        shown = IntervalSet(near(place, length_ms) for place in (*places, *marked))
        return (shown & IntervalSet((on_grid(known, length_ms),))) - self._levels[0].spans

    def bars(self, places: IntervalSet, frames: Mapping[Series, pl.DataFrame]) -> tuple[Bars, ...]:
        """The bars of each level, the finest first; `frames` are the candles at the places."""
        at_places = self._side_by_side(frames)
        found = []
        for level, tables in zip(self._levels, self._tables, strict=True):
            is_own = level is self._levels[0]
            table = pl.concat([*tables, at_places if is_own else at_places.clear()])
            spans = level.spans | places if is_own else level.spans
            found.append(Bars(level.length_ms, spans, table.sort("open_time_ms")))
        return tuple(found)

    def marks(self) -> tuple[Mark, ...]:
        """The largest, ascending by time."""
        return tuple(sorted(self._marks, key=lambda mark: (mark.open_time_ms, mark.exchange)))

    def candles_by_day(self, series: Series) -> Mapping[int, int]:
        """How many candles of the series open in each UTC day that has one."""
        return self._counts[series]

    def _side_by_side(self, frames: Mapping[Series, pl.DataFrame]) -> pl.DataFrame:
        head, *sources = (
            frames[series] if series in frames else no_candles(series)
            for series in (self._head, *self._sources)
        )
        return side_by_side(head, sources)


def _candles_by_day(frame: pl.DataFrame) -> dict[int, int]:
    days = frame.select(pl.col("open_time_ms") // DAY_MS * DAY_MS).to_series()
    counts = days.value_counts()
    return dict(counts.rows())


def _largest(marks: Sequence[Mark], most: int) -> list[Mark]:
    return heapq.nlargest(most, marks, key=lambda mark: (mark.size_pct, mark.open_time_ms))
