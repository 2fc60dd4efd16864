"""Reads an interval of one series from the trades of its market."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import polars as pl

from candle_ingestor.exchanges.errors import (
    ExchangeError,
    ExchangeRefusedError,
    RunEndedError,
)
from candle_ingestor.exchanges.trades import NS_PER_MS
from candle_ingestor.ingest.sources.base import Known, Page, failed_page
from candle_ingestor.ingest.sources.judge import asked_again_from_ms
from candle_ingestor.ingest.sources.pager import PageRules
from candle_ingestor.ingest.sources.trade_candles import (
    NOTHING_MADE,
    finished,
    joined,
    made_of,
)
from candle_ingestor.ingest.sources.trade_hearing import SilentMarketError, TradeHearing
from candle_ingestor.ingest.sources.trade_reader import TradePage, TradeReader
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.selection import candles_within
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.timeframe import DAY_MS


@dataclass
class _Making:
    """Candles on their way: what is proven is taken off, the candle in progress stays."""

    candles: pl.DataFrame
    rejected: IntervalSet = EMPTY

    def taken_until(self, end_ms: int) -> pl.DataFrame:
        done = self.candles.filter(pl.col("open_time_ms") < end_ms)
        self.candles = self.candles.filter(pl.col("open_time_ms") >= end_ms)
        return done


class TradePager:
    """Pages through one interval of one series; candles before it and after it are left out.

    A candle is answered when a later trade, or the end of the feed, proves it complete; and
    whatever a rejected trade may belong to stays open.
    """

    def __init__(
        self,
        hearing: TradeHearing,
        make_reader: Callable[[], TradeReader],
        rules: PageRules,
        known: Known,
        page_ms: int,
    ) -> None:
        self._hearing = hearing
        self._make_reader = make_reader
        self._rules = rules
        self._known = known
        self._timeframe = hearing.series.timeframe
        self._page_ms = max(page_ms, self._timeframe.duration_ms)

    async def pages(self, interval: Interval) -> AsyncGenerator[Page]:
        """As CandleSource.pages. What the run left undone has no page."""
        next_ms = interval.start_ms
        while next_ms < interval.end_ms and not self._is_to_stop():
            wanted = Interval(next_ms, interval.end_ms)
            try:
                async with aclosing(self._reading(wanted)) as pages:
                    async for page in pages:
                        next_ms = page.done.end_ms
                        yield page
                return
            except RunEndedError:
                return
            except (ExchangeRefusedError, SilentMarketError) as error:
                yield failed_page(
                    self._hearing.series, Interval(next_ms, interval.end_ms), error, Origin.TRADES
                )
                return
            except ExchangeError as error:
                failed_end_ms = self._timeframe.ceil_ms(next_ms + self._page_ms)
                done = Interval(next_ms, min(failed_end_ms, interval.end_ms))
                yield failed_page(self._hearing.series, done, error, Origin.TRADES)
                next_ms = done.end_ms

    async def _reading(self, wanted: Interval) -> AsyncGenerator[Page]:
        """The pages of the interval until its end, or until nothing more is to be asked for."""
        reader = self._make_reader()
        making = _Making(NOTHING_MADE)
        next_ms = wanted.start_ms
        read_ms = self._hearing.now_ms()
        shown = await reader.first(wanted.start_ms)
        while True:
            trades = shown.trades.filter(pl.col("time_ns") >= wanted.start_ms * NS_PER_MS)
            making.candles = joined(making.candles, made_of(trades, self._timeframe))
            making.rejected = making.rejected | self._lengths_of(shown.rejected_spans)
            proven_ms = min(self._proven_end_ms(shown, next_ms), wanted.end_ms)
            if proven_ms > next_ms:
                yield self._page(Interval(next_ms, proven_ms), making, shown, read_ms)
                next_ms = proven_ms
            is_over = shown.silent_until_ms is not None or next_ms >= wanted.end_ms
            if is_over or self._is_to_stop():
                return
            read_ms = self._hearing.now_ms()
            shown = await reader.more()

    def _proven_end_ms(self, shown: TradePage, next_ms: int) -> int:
        if shown.silent_until_ms is not None:
            settle_seconds = self._rules.settle_seconds
            return self._timeframe.closed_end_ms(shown.silent_until_ms, settle_seconds)
        if shown.trades.is_empty():
            return next_ms
        return self._timeframe.floor_ms(int(shown.trades["time_ns"][-1]) // NS_PER_MS)

    def _page(self, done: Interval, making: _Making, shown: TradePage, read_ms: int) -> Page:
        made = making.taken_until(done.end_ms)
        whole = IntervalSet((done,))
        rejected = making.rejected & whole
        unlisted = EMPTY
        listing: Listing | None = None
        if shown.first_ever_ms is not None:
            first_day_ms = shown.first_ever_ms - shown.first_ever_ms % DAY_MS
            unlisted = whole & IntervalSet.of(0, self._timeframe.floor_ms(first_day_ms))
            listing = replace(self._known.listing, first_day_ms=first_day_ms)
        answered = whole - rejected - unlisted
        reasons = {GapReason.REJECTED: rejected, GapReason.NOT_LISTED_YET: unlisted}
        return Page(
            done=done,
            candles=candles_within(finished(made), answered),
            answered=answered,
            provisional=answered & self._not_final(done, made, shown, read_ms),
            reasons={reason: intervals for reason, intervals in reasons.items() if intervals},
            listing=listing,
            origin=Origin.TRADES,
        )

    def _not_final(
        self, done: Interval, made: pl.DataFrame, shown: TradePage, read_ms: int
    ) -> IntervalSet:
        length_ms = self._timeframe.duration_ms
        fresh_ms = done.end_ms
        if self._rules.refetch_last_candles:
            # The first candle whose close is too near.
            refetch_ms = self._rules.refetch_last_candles * length_ms
            fresh_ms = self._timeframe.floor_ms(read_ms - refetch_ms)
        not_final = IntervalSet.of(min(fresh_ms, done.end_ms), done.end_ms)
        if shown.silent_until_ms is None:
            return not_final
        silent_ms = done.start_ms
        if not made.is_empty():
            silent_ms = int(made["open_time_ms"][-1]) + length_ms
        recent_ms = asked_again_from_ms(self._timeframe, read_ms, self._page_ms)
        return not_final | IntervalSet.of(max(silent_ms, recent_ms), done.end_ms)

    def _lengths_of(self, spans: IntervalSet) -> IntervalSet:
        floor_ms, ceil_ms = self._timeframe.floor_ms, self._timeframe.ceil_ms
        return IntervalSet((floor_ms(span.start_ms), ceil_ms(span.end_ms)) for span in spans)

    def _is_to_stop(self) -> bool:
        return self._hearing.session.stop.is_set()
