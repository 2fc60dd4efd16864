"""Looking for findings in what a store holds, a month at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def watch_market(
    ledger: Ledger, market: Market, asked: Interval | None, tuning: Tuning = DEFAULT_TUNING
) -> Watched:
    """The findings of a market that have a point in the span asked for; None is all there is.

    Up to four weeks before the span are read, too, to learn what is usual. No more than a month of
    candles and a week are in memory.

    Raises:
        StoreError: if the store cannot be read.
    """
    known = {
        series: ledger.record(series).covered - ledger.record(series).provisional
        for series in market.series
    }
    timeframe = market.series[0].timeframe
    covered = [each for each in known.values() if each]
    candles = dict.fromkeys(market.series, 0)
    if not covered:
        return Watched((), candles)
    start_ms = min(each.start_ms for each in covered)
    end_ms = max(each.end_ms for each in covered)
    first_ms = start_ms
    if asked is not None:
        first_ms = max(start_ms, asked.start_ms)
        start_ms = max(start_ms, asked.start_ms - _LEARNT_FROM_MS)
        end_ms = min(end_ms, asked.end_ms)
    known = {series: each & IntervalSet.of(start_ms, end_ms) for series, each in known.items()}
    # Whole days, since what is usual is told by the hour and by the day.
    read = Interval(start_ms // DAY_MS * DAY_MS, -(-end_ms // DAY_MS) * DAY_MS)
    watch = QualityWatch(timeframe, tuning)
    before: Mapping[Series, pl.DataFrame] = {}
    months = list(_months_within(read))
    for month, following in zip_longest(months, months[1:]):
        lead_in_ms = max(read.start_ms, month.start_ms - _LEAD_IN_MS)
        frames = {}
        for series in market.series:
            frame = ledger.store.read_candles(series, month)
            inside = pl.col("open_time_ms").is_between(first_ms, end_ms, closed="left")
            candles[series] += frame.filter(inside).height
            if series in before:
                tail = before[series].filter(pl.col("open_time_ms") >= lead_in_ms)
                frame = pl.concat([tail, frame])
            frames[series] = frame
        if following is not None:
            ledger.store.read_ahead([(series, following) for series in market.series])
        span = Interval(lead_in_ms, month.end_ms)
        watch.look_at(make_panel(timeframe, span, month.start_ms, frames, known))
        before = frames
    found = [one for one in watch.findings() if asked is None or _share_a_point(one, asked)]
    return Watched(tuple(_told(ledger, market, one) for one in found), candles)


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
