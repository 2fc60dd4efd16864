"""How many candles each month of a series has, kept up to date so that nobody counts them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import polars as pl

from candle_ingestor.model.months import Month


@dataclass(frozen=True)
class CandleCounts:
    """The stored candles of one series by month.

    Attributes:
        by_month: months without a candle are left out, as are unknown ones.
        unknown: months whose candles have to be counted before they are known.
    """

    by_month: Mapping[Month, int] = field(default_factory=dict)
    unknown: frozenset[Month] = frozenset()

    def changed(self, before: pl.DataFrame, after: pl.DataFrame) -> CandleCounts:
        """The counts once the candles `after` stand in the place of `before`, both ascending."""
        differences = dict(counted_by_month(after))
        for month, candles in counted_by_month(before).items():
            differences[month] = differences.get(month, 0) - candles
        return self.with_counted(
            {
                month: self.by_month.get(month, 0) + difference
                for month, difference in differences.items()
                if month not in self.unknown
            }
        )

    def with_counted(self, counted: Mapping[Month, int]) -> CandleCounts:
        """The counts with these months as they were counted."""
        if all(self.by_month.get(month, 0) == candles for month, candles in counted.items()) and (
            self.unknown.isdisjoint(counted)
        ):
            return self
        by_month = {**self.by_month, **counted}
        return CandleCounts(
            {month: by_month[month] for month in sorted(by_month) if by_month[month]},
            self.unknown.difference(counted),
        )

    def without(self, months: Collection[Month]) -> CandleCounts:
        """The counts after nobody can tell any more how many candles these months have."""
        if self.unknown.issuperset(months):
            return self
        known = {month: n for month, n in self.by_month.items() if month not in months}
        return replace(self, by_month=known, unknown=self.unknown.union(months))


def counted_by_month(candles: pl.DataFrame) -> dict[Month, int]:
    """How many candles of a frame that ascends by open time lie in each month that has one."""
    if candles.is_empty():
        return {}
    times = candles["open_time_ms"]
    counts: dict[Month, int] = {}
    start = 0
    while start < candles.height:
        month = Month.of(times[start])
        end_ms = month.following().start_ms
        end = candles.height if times[-1] < end_ms else bisect_left(times, end_ms)
        counts[month] = end - start
        start = end
    return counts
