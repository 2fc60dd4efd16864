"""Merges beside the fetching: the newest minutes as soon as they are there, history in pieces."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from candle_ingestor.errors import DependencyError
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.operations.stopping import StopSignal
from candle_ingestor.settle.merging import (
    CANDLES_PER_PIECE,
    MergeTask,
    batches,
    merge,
    unmerged,
)
from candle_ingestor.settle.outcome import TickerOutcome
from candle_ingestor.settle.ticker import Ticker

log = logging.getLogger(__name__)


@dataclass
class _Schedule:
    """How far merging has come with one ticker, of which something is fetched."""

    ticker: Ticker
    works: Sequence[SeriesWork]
    kept_candles: int = 0
    is_newest_merged: bool = False

    @property
    def awaited(self) -> IntervalSet:
        awaited = EMPTY
        for work in self.works:
            awaited = awaited | work.remaining
        return awaited

    def is_due(self) -> bool:
        """Whether enough has come together since it was last merged."""
        is_much = self.kept_candles >= CANDLES_PER_PIECE * len(self.works)
        is_newest = not self.is_newest_merged and self._has_caught_up
        return is_much or (is_newest and any(work.remaining for work in self.works))

    def begin(self) -> None:
        """Hears that it is merged as far as it has come."""
        self.kept_candles = 0
        self.is_newest_merged = self._has_caught_up

    @property
    def _has_caught_up(self) -> bool:
        return all(work.has_caught_up for work in self.works)


@dataclass
class MergeSchedule:
    """Merges tickers while their history is fetched; what is left is settled after.

    A minute is not merged while a page that may hold it is still awaited, lest it be merged twice.
    Between two pieces the store takes fetched pages.
    """

    ledger: Ledger
    store_thread: StoreThread
    outcomes: Mapping[Ticker, TickerOutcome]
    works: Mapping[Series, SeriesWork]
    stop: StopSignal
    _by_source: dict[Series, list[_Schedule]] = field(default_factory=dict, init=False)
    _due: dict[Ticker, _Schedule] = field(default_factory=dict, init=False)
    _merging: asyncio.Task[None] | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        for ticker in self.outcomes:
            works = [self.works[source] for source in ticker.sources if source in self.works]
            schedule = _Schedule(ticker, works)
            for work in works:
                self._by_source.setdefault(work.series, []).append(schedule)

    async def on_kept(self, works: Sequence[SeriesWork], candles: Mapping[Series, int]) -> None:
        """Hears which series have new candles in the store, and how many.

        Raises:
            StoreError: if an earlier merge failed.
        """
        for work in works:
            for schedule in self._by_source.get(work.series, ()):
                schedule.kept_candles += candles.get(work.series, 0)
                if schedule.is_due():
                    schedule.begin()
                    self._due[schedule.ticker] = schedule
        if self._merging is not None and self._merging.done():
            merging, self._merging = self._merging, None
            await merging
        if self._due and self._merging is None:
            self._merging = asyncio.create_task(self._merge())

    async def finish(self) -> None:
        """Waits for the merge in hand. Raises: StoreError: if it failed."""
        merging, self._merging = self._merging, None
        if merging is not None:
            await merging

    async def abandon(self) -> None:
        """Ends what was begun beside a fetch that failed; harmless after `finish`."""
        self._due.clear()
        if self._merging is not None:
            await asyncio.gather(self._merging, return_exceptions=True)
            self._merging = None

    async def _merge(self) -> None:
        while self._due and not self._is_urgent():
            due, self._due = self._due, {}
            tasks: list[MergeTask] = []
            for ticker, schedule in due.items():
                with _left_to_settling():
                    counts = self.outcomes[ticker].merged
                    tasks += await self.store_thread.run_briefly(
                        unmerged, self.ledger, ticker, counts, schedule.awaited
                    )
            for batch in batches(tasks):
                if self._is_urgent():
                    return
                with _left_to_settling():
                    await self.store_thread.run_briefly(merge, self.ledger, batch)

    def _is_urgent(self) -> bool:
        return self.stop.is_urgent


@contextmanager
def _left_to_settling() -> Iterator[None]:
    """What nobody foresaw in a merge stops no fetch (rule F2): settling merges what is not."""
    try:
        yield
    except DependencyError:
        raise
    except Exception:
        log.exception("An unforeseen failure in merging; it is tried again after the fetching")
