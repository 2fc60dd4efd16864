"""The chart of a head, gathered from its candles month by month. Pure."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Mapping, Sequence

import polars as pl

from candle_ingestor.model.intervals import IntervalSet
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.model.timeframe import DAY_MS
from candle_ingestor.page.bars import bar_columns, coarser, side_by_side
from candle_ingestor.page.content import Bars, Mark
from candle_ingestor.page.differing import Differing
from candle_ingestor.page.levels import Level, near

MOST_MARKS = 300
_MARKS_WITH_MINUTES = 20


class ChartCollector:
    """Takes the candles of a head and its sources piece by piece, ascending, and keeps little.

    A piece holds whole bars of every level.
    """

    def __init__(self, head: Series, sources: Sequence[Series], levels: Sequence[Level]) -> None:
        self._head = head
        self._sources = tuple(sources)
        self._levels = levels
        self._own = head.timeframe.duration_ms
        self._tables: dict[int, list[pl.DataFrame]] = {level.length_ms: [] for level in levels}
        self._marks: list[Mark] = []
        self._counts: dict[Series, Counter[int]] = {
            series: Counter() for series in (head, *self._sources)
        }
        self.excluded = 0
        self.disagreeing = 0

    def take(self, frames: Mapping[Series, pl.DataFrame], differing: Differing) -> None:
        """Takes the candles of a month and the minutes of it at which exchanges differ."""
        for series, frame in frames.items():
            self._counts[series].update(_candles_by_day(frame))
        self.excluded += differing.excluded
        self.disagreeing += differing.disagreeing
        self._marks = _largest([*self._marks, *differing.marks], MOST_MARKS)
        table = side_by_side(frames[self._head], [frames[source] for source in self._sources])
        if table.is_empty():
            return
        # Of this month's marks any may turn out to be among the largest of all.
        places = self._near_marks(_largest(differing.marks, _MARKS_WITH_MINUTES))
        for level in self._levels:
            spans = level.spans | places if level.length_ms == self._own else level.spans
            bars = table if level.length_ms == self._own else coarser(table, level.length_ms)
            kept = candles_within(bars, spans)
            if not kept.is_empty():
                self._tables[level.length_ms].append(kept)

    def bars(self) -> tuple[Bars, ...]:
        """The bars of each level, the finest first."""
        near_marks = self._near_marks(_largest(self._marks, _MARKS_WITH_MINUTES))
        found = []
        for level in self._levels:
            spans = level.spans
            if level.length_ms == self._own:
                spans = spans | near_marks
            tables = self._tables[level.length_ms]
            table = pl.concat(tables) if tables else self._no_bars()
            found.append(Bars(level.length_ms, spans, candles_within(table, spans)))
        return tuple(found)

    def marks(self) -> tuple[Mark, ...]:
        """The largest, ascending by time."""
        return tuple(sorted(self._marks, key=lambda mark: (mark.open_time_ms, mark.exchange)))

    def candles_by_day(self, series: Series) -> Mapping[int, int]:
        """How many candles of the series open in each UTC day that has one."""
        return self._counts[series]

    def _near_marks(self, marks: Sequence[Mark]) -> IntervalSet:
        ends = [(mark.open_time_ms, mark.open_time_ms + self._own) for mark in marks]
        return IntervalSet(near(each, self._own) for each in IntervalSet(ends))

    def _no_bars(self) -> pl.DataFrame:
        names = bar_columns(len(self._sources))
        types = dict.fromkeys(names, pl.Float64()) | {"open_time_ms": pl.Int64()}
        return pl.DataFrame(schema=types)


def _candles_by_day(frame: pl.DataFrame) -> dict[int, int]:
    days = frame.select(pl.col("open_time_ms") // DAY_MS * DAY_MS).to_series()
    counts = days.value_counts()
    return dict(counts.rows())


def _largest(marks: Sequence[Mark], most: int) -> list[Mark]:
    return heapq.nlargest(most, marks, key=lambda mark: (mark.size_pct, mark.open_time_ms))
