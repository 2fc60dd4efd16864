"""Reads the candles of markets for their charts and for the quality watch, once for both."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import polars as pl

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.candles import no_candles
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import months_of
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series import Series
from candle_ingestor.page.collecting import ChartCollector
from candle_ingestor.page.content import Chart
from candle_ingestor.page.days import day_facts
from candle_ingestor.page.differing import Differing, differing_minutes
from candle_ingestor.page.levels import levels_of
from candle_ingestor.quality.watching import MarketWatch
from candle_ingestor.settle.accounting import wanted_of
from candle_ingestor.settle.derived import made_of

Frames = Mapping[Series, pl.DataFrame]


class ChartReading:
    """The chart of a head, made while the candles of its series pass by."""

    def __init__(self, ledger: Ledger, head: Series, lines: int, closed_end_ms: int) -> None:
        """`lines` is how many series the whole page draws."""
        self._ledger = ledger
        self.head = head
        self.closed_end_ms = closed_end_ms
        self.series = (head, *made_of(ledger, head))
        self._wanted = {
            each: IntervalSet((wanted_of(ledger.record(each), closed_end_ms),))
            for each in self.series
        }
        known = [ledger.record(each).covered for each in self.series]
        self._shown = next(iter(_hull([*self._wanted.values(), *known])), Interval(0, 0))
        levels = levels_of(head.timeframe, self._shown, lines)
        self._collector = ChartCollector(head, self.series[1:], levels)

    def take(self, month: Interval, frames: Frames) -> None:
        """Takes the candles of a month, ascending ones of all its series."""
        covered = {
            each: candles_within(frames[each], self._ledger.record(each).covered)
            for each in self.series
        }
        record = self._ledger.record(self.head)
        differing = Differing([])
        if record.merging is not None:
            merged = record.covered & IntervalSet((month,))
            differing = differing_minutes(record.merging, merged, covered)
        self._collector.take(covered, differing)

    def chart(self, places: Collection[Interval]) -> Chart:
        """The chart of all that was taken.

        Args:
            places: what is shown in the head's own candle length, wherever it lies; its candles
                are read once more.

        Raises:
            StoreError: if the store cannot be read.
        """
        collector = self._collector
        near = collector.places(self._shown, list(places))
        frames = {each: self._candles_within(each, near) for each in self.series}
        days = tuple(
            day_facts(
                each,
                self._shown,
                self._wanted[each],
                self._ledger.record(each).covered,
                collector.candles_by_day(each),
            )
            for each in self.series
        )
        return Chart(
            self._shown,
            collector.bars(near, frames),
            days,
            collector.marks(),
            collector.excluded,
            collector.disagreeing,
        )

    def _candles_within(self, series: Series, spans: IntervalSet) -> pl.DataFrame:
        covered = self._ledger.record(series).covered
        pieces = [self._ledger.store.read_candles(series, span) for span in spans & covered]
        return pl.concat(pieces) if pieces else no_candles(series)


@dataclass(frozen=True)
class MarketReading:
    """What is made of the candles of one market: a chart for each head, and what the watch finds.

    The watch is None where there is nothing to compare.
    """

    charts: Sequence[ChartReading]
    watch: MarketWatch | None

    @property
    def series(self) -> list[Series]:
        """All series of the market, each once."""
        return list(dict.fromkeys(series for chart in self.charts for series in chart.series))


class MarketsReading:
    """Reads the candles of markets month by month, a month ahead of what is made of them.

    No more than a month of candles of one market is held at once, beside what is kept of it.
    """

    def __init__(self, ledger: Ledger, markets: Sequence[MarketReading]) -> None:
        self._ledger = ledger
        self._markets = markets
        self._pieces = [
            (market, month.interval)
            for market in markets
            for month in months_of(IntervalSet(_known_span(ledger, market.series)))
        ]

    @property
    def months(self) -> int:
        """How many months of a market are to be read."""
        return len(self._pieces)

    def read(self, taken: Callable[[], None]) -> Iterator[MarketReading]:
        """Each of the markets as soon as its candles have passed by; `taken` hears of each month.

        Raises:
            StoreError: if the store cannot be read.
        """
        whole = 0
        store = self._ledger.store
        for (market, month), following in zip_longest(self._pieces, self._pieces[1:]):
            while self._markets[whole] is not market:
                yield self._markets[whole]
                whole += 1
            frames = {series: no_candles(series) for series in market.series}
            for series in self._known_in(market, month):
                frames[series] = store.read_candles(series, month)
            if following is not None:
                store.read_ahead([(series, following[1]) for series in self._known_in(*following)])
            if market.watch is not None:
                market.watch.look_at(month, frames)
            for chart in market.charts:
                chart.take(month, frames)
            taken()
        yield from self._markets[whole:]

    def _known_in(self, market: MarketReading, month: Interval) -> list[Series]:
        part = IntervalSet((month,))
        return [each for each in market.series if self._ledger.record(each).covered & part]


def _known_span(ledger: Ledger, series: Iterable[Series]) -> list[Interval]:
    """From the first to the last of what is known of any of the series; empty for nothing."""
    return _hull(ledger.record(each).covered for each in series)


def _hull(parts: Iterable[IntervalSet]) -> list[Interval]:
    spans = [Interval(part.start_ms, part.end_ms) for part in parts if part]
    if not spans:
        return []
    return [Interval(min(s.start_ms for s in spans), max(s.end_ms for s in spans))]
