"""Looking for findings in what a store holds, a month at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import polars as pl

from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.months import months_of
from candle_ingestor.model.quality_rules import UNITS
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.texts import counted
from candle_ingestor.model.timeframe import DAY_MS, Timeframe
from candle_ingestor.quality.findings import Finding, Found
from candle_ingestor.quality.panel import make_panel
from candle_ingestor.quality.tuning import DEFAULT_TUNING, Tuning
from candle_ingestor.quality.watch import QualityWatch
from candle_ingestor.quality.words import words_of

_LEAD_IN_MS = 7 * DAY_MS
"""How much of what came before a month is looked at with it once more."""
_LEARNT_FROM_MS = 28 * DAY_MS
"""How much of what came before the span is read to learn what is usual."""


@dataclass(frozen=True)
class Market:
    """Series that are compared with one another, and what is merged from them, if anything is."""

    series: tuple[Series, ...]
    merged: Series | None = None

    @property
    def heads(self) -> tuple[Series, ...]:
        """What stands for its symbol: the merged series, else each of the series."""
        return self.series if self.merged is None else (self.merged,)


@dataclass(frozen=True)
class Watched:
    """What was looked at, and what was found.

    Attributes:
        findings: ascending by start.
        candles: how many candles were looked at, by series.
    """

    findings: tuple[Finding, ...]
    candles: Mapping[Series, int]


def markets_of(ledger: Ledger, heads: Sequence[Series]) -> list[Market]:
    """What to compare for each of the series that are asked for.

    Of a merged series it is what it is made from. Exchanges' series that nothing is merged from are
    compared with one another where they have symbol and timeframe in common. Of what is put
    together from finer candles these are looked at.
    """
    markets = [
        Market(tuple(s for s in ledger.record(head).merged_from if s in ledger.records), head)
        for head in heads
        if head.is_merged and ledger.record(head).derivation is None
    ]
    in_markets = {series for market in markets for series in market.series}
    alone: dict[tuple[Symbol, Timeframe], list[Series]] = {}
    for series in heads:
        is_derived = ledger.record(series).derivation is not None
        if not (series.is_merged or series in in_markets or is_derived):
            alone.setdefault((series.symbol, series.timeframe), []).append(series)
    return [each for each in (*markets, *(Market(tuple(s)) for s in alone.values())) if each.series]


class MarketWatch:
    """Watches one market while its candles pass by month after month, whoever reads them.

    What has a point in the span asked for is told; None is all there is. Up to four weeks before it
    are looked at, too, to learn what is usual. No more than a month of candles and a week are kept.
    """

    def __init__(
        self,
        ledger: Ledger,
        market: Market,
        asked: Interval | None = None,
        tuning: Tuning = DEFAULT_TUNING,
    ) -> None:
        self.market = market
        self._ledger = ledger
        self._asked = asked
        known = {
            series: ledger.record(series).covered - ledger.record(series).provisional
            for series in market.series
        }
        covered = [each for each in known.values() if each]
        start_ms = min((each.start_ms for each in covered), default=0)
        end_ms = max((each.end_ms for each in covered), default=0)
        first_ms = start_ms
        if asked is not None:
            first_ms = max(start_ms, asked.start_ms)
            start_ms = max(start_ms, asked.start_ms - _LEARNT_FROM_MS)
            end_ms = min(end_ms, asked.end_ms)
        span = IntervalSet.of(start_ms, end_ms)
        self._known = {series: each & span for series, each in known.items()}
        self._told = Interval(first_ms, end_ms)
        # Whole days, since what is usual is told by the hour and by the day.
        self._read = Interval(start_ms // DAY_MS * DAY_MS, -(-end_ms // DAY_MS) * DAY_MS)
        self._watch = QualityWatch(market.series[0].timeframe, tuning)
        self._candles = dict.fromkeys(market.series, 0)
        self._before: Mapping[Series, pl.DataFrame] = {}

    @property
    def months(self) -> list[Interval]:
        """What is to be looked at: months, and parts of months, ascending and without a hole."""
        return list(_months_within(self._read))

    def look_at(self, month: Interval, frames: Mapping[Series, pl.DataFrame]) -> None:
        """Looks at the next of the months; `month` may be longer, up to the whole calendar month.

        `frames` has the candles of each series of the market in it, ascending.
        """
        start_ms = max(month.start_ms, self._read.start_ms)
        end_ms = min(month.end_ms, self._read.end_ms)
        if start_ms >= end_ms:
            return
        lead_in_ms = max(self._read.start_ms, start_ms - _LEAD_IN_MS)
        told = pl.col("open_time_ms").is_between(*self._told, closed="left")
        with_lead_in = {}
        for series in self.market.series:
            frame = frames[series]
            self._candles[series] += frame.filter(told).height
            if series in self._before:
                tail = self._before[series].filter(pl.col("open_time_ms") >= lead_in_ms)
                frame = pl.concat([tail, frame])
            with_lead_in[series] = frame
        timeframe, span = self.market.series[0].timeframe, Interval(lead_in_ms, end_ms)
        self._watch.look_at(make_panel(timeframe, span, start_ms, with_lead_in, self._known))
        is_last = end_ms == self._read.end_ms
        self._before = {} if is_last else {each: frames[each] for each in self.market.series}

    def read(self, looked_at: Callable[[], None] = lambda: None) -> Watched:
        """Reads the months by itself, and tells what it found; `looked_at` hears of each of them.

        Raises:
            StoreError: if the store cannot be read.
        """
        store, all_series = self._ledger.store, self.market.series
        for month, following in zip_longest(self.months, self.months[1:]):
            frames = {series: store.read_candles(series, month) for series in all_series}
            if following is not None:
                store.read_ahead([(series, following) for series in all_series])
            self.look_at(month, frames)
            looked_at()
        return self.watched()

    def watched(self) -> Watched:
        """What was found in what was looked at.

        Raises:
            StoreError: if the store cannot be read, which says what was merged of a finding.
        """
        asked = self._asked
        found = [
            one for one in self._watch.findings() if asked is None or _share_a_point(one, asked)
        ]
        return Watched(tuple(_told(self._ledger, self.market, one) for one in found), self._candles)


def watch_market(
    ledger: Ledger, market: Market, asked: Interval | None, tuning: Tuning = DEFAULT_TUNING
) -> Watched:
    """The findings of a market that have a point in the span asked for; None is all there is.

    Raises:
        StoreError: if the store cannot be read.
    """
    return MarketWatch(ledger, market, asked, tuning).read()


def _months_within(span: Interval) -> Iterator[Interval]:
    for month in months_of(IntervalSet((span,))):
        start_ms, end_ms = month.interval
        yield Interval(max(start_ms, span.start_ms), min(end_ms, span.end_ms))


def _share_a_point(found: Found, asked: Interval) -> bool:
    return found.interval.start_ms < asked.end_ms and asked.start_ms < found.interval.end_ms


def _told(ledger: Ledger, market: Market, found: Found) -> Finding:
    figures = dict(found.figures)
    words = words_of(found)
    if market.merged is not None:
        merged = _merged_with(ledger, market.merged, found)
        figures["merged_candles"] = merged
        candles = counted(merged, "merged candle")
        words += f" {candles} of that time {'is' if merged == 1 else 'are'} made with it."
    return Finding(
        found.rule,
        found.series.exchange,
        found.series.symbol,
        found.series.timeframe,
        found.interval,
        found.value,
        found.threshold,
        UNITS[found.rule],
        figures,
        words,
    )


def _merged_with(ledger: Ledger, merged: Series, found: Found) -> int:
    """How many merged candles of the time the exchange's candle went into (rule M6)."""
    if not (ledger.record(merged).covered & IntervalSet((found.interval,))):
        return 0
    name = pl.col("source_exchanges").str.split(",").list.contains(found.series.exchange)
    return sum(
        ledger.store.read_candles(merged, piece).filter(name).height
        for piece in _months_within(found.interval)
    )
