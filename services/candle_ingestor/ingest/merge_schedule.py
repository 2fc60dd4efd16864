"""Merges beside the fetching: as soon as much can be merged, and the rest at a phase's end."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from candle_ingestor.ingest.fetching import SeriesWork
from candle_ingestor.ingest.ledger import Ledger
from candle_ingestor.ingest.merging import (
    CANDLES_PER_PIECE,
    MergeCounts,
    merge_piece,
    unmerged_pieces,
)
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.ticker import Ticker
from candle_ingestor.merge.rules import MergeRules
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.operations.stopping import StopSignal


@dataclass
class MergeSchedule:
    """Merges tickers piece by piece, so that between two pieces the store takes fetched pages.

    A minute is not merged while a page that may hold it is still awaited, lest it be merged twice.
    """

    ledger: Ledger
    store_thread: StoreThread
    rules: MergeRules
    tickers: Sequence[Ticker]
    works: Mapping[Series, SeriesWork]
    counts: Mapping[Symbol, MergeCounts]
    stop: StopSignal
    _running: dict[Symbol, asyncio.Task[None]] = field(default_factory=dict, init=False)

    async def on_task_done(self, series: Series) -> None:
        """Begins to merge the tickers of a series, where enough has come together."""
        much_ms = CANDLES_PER_PIECE * series.timeframe.duration_ms
        for ticker in self.tickers:
            if series not in ticker.sources:
                continue
            running = self._running.get(ticker.symbol)
            if running is not None and not running.done():
                continue
            if running is not None:
                await running
            pieces = self._pieces(ticker, self._awaited(ticker))
            if sum(piece.duration_ms for piece in pieces) >= much_ms:
                merging = asyncio.create_task(self._merge(ticker, pieces))
                self._running[ticker.symbol] = merging

    async def finish(self, *, is_last: bool) -> None:
        """Merges what is left; at the last phase also what other exchanges still lack."""
        running, self._running = self._running, {}
        await asyncio.gather(*running.values())
        for ticker in self.tickers:
            awaited = EMPTY if is_last else self._awaited(ticker)
            await self._merge(ticker, self._pieces(ticker, awaited))

    async def abandon(self) -> None:
        """Ends what was begun beside a fetch that failed; harmless after `finish`."""
        running, self._running = self._running, {}
        for merging in running.values():
            merging.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)

    async def _merge(self, ticker: Ticker, pieces: Sequence[Interval]) -> None:
        counts = self.counts[ticker.symbol]
        for piece in pieces:
            if self.stop.is_urgent:
                return
            await self.store_thread.run(merge_piece, self.ledger, ticker, self.rules, piece, counts)

    def _pieces(self, ticker: Ticker, awaited: IntervalSet) -> list[Interval]:
        return unmerged_pieces(self.ledger, ticker, self.rules.min_exchanges, awaited)

    def _awaited(self, ticker: Ticker) -> IntervalSet:
        awaited = EMPTY
        for source in ticker.sources:
            awaited = awaited | self.works[source].remaining
        return awaited
