"""Keeps fetched pages in the store, small ones of many series together (rule C1)."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from candle_ingestor.errors import DependencyError
from candle_ingestor.ingest.sources.base import Page
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.ledger.replacement import Replacement
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, IntervalSet
from candle_ingestor.model.series import Series

log = logging.getLogger(__name__)

_WorkPage = tuple[SeriesWork, Page]

CANDLES_PER_WRITE = 5_000
LONGEST_HELD_SECONDS = 10.0
"""What a crash may cost in fetching again."""


@dataclass
class PageKeeper:
    """Gathers pages and writes them once there are many, or the oldest has waited long.

    While one batch is written the next is gathered; two batches are never written at once.
    `on_kept` hears of the series whose pages were written, and of how many candles; `on_failure`
    of each page that could not be written for a reason that nobody foresaw.
    """

    ledger: Ledger
    store_thread: StoreThread
    on_kept: Callable[[Sequence[SeriesWork], Mapping[Series, int]], Awaitable[None]]
    on_failure: Callable[[SeriesWork, Exception], None]
    seconds: Callable[[], float] = time.monotonic
    _pages: list[_WorkPage] = field(default_factory=list, init=False)
    _candles: int = field(default=0, init=False)
    _first_at: float = field(default=0.0, init=False)
    _writing: asyncio.Task[None] | None = field(default=None, init=False)

    async def put(self, work: SeriesWork, page: Page) -> None:
        """Takes a page. Waits while a batch is written and another is full.

        Raises:
            StoreError: if the batch before could not be written.
        """
        if not self._pages:
            self._first_at = self.seconds()
        self._pages.append((work, page))
        self._candles += page.candles.height
        is_late = self.seconds() - self._first_at >= LONGEST_HELD_SECONDS
        if self._candles >= CANDLES_PER_WRITE or is_late:
            await self._start_writing()

    async def flush(self) -> None:
        """Writes everything taken so far. Raises: StoreError: if that fails."""
        await self._start_writing()
        await self._written()

    async def abandon(self) -> None:
        """Waits for the batch in hand, whatever becomes of it, and forgets the rest."""
        self._pages, self._candles = [], 0
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
            self._writing = None

    async def _start_writing(self) -> None:
        await self._written()
        if self._pages:
            batch, self._pages, self._candles = self._pages, [], 0
            self._writing = asyncio.create_task(self._write(batch))

    async def _written(self) -> None:
        while (writing := self._writing) is not None:
            try:
                await asyncio.shield(writing)
            finally:
                if self._writing is writing and writing.done():
                    self._writing = None

    async def _write(self, batch: Sequence[_WorkPage]) -> None:
        kept = await self._kept(batch)
        candles: Counter[Series] = Counter()
        for work, page in kept:
            candles[work.series] += page.candles.height
        await self.on_kept(list(dict.fromkeys(work for work, _ in kept)), candles)

    async def _kept(self, batch: Sequence[_WorkPage]) -> Sequence[_WorkPage]:
        """Writes the pages, and returns those that could be."""
        try:
            return await self._replace(batch)
        except DependencyError:
            raise
        except Exception as error:
            # What nobody foresaw in one page stops no other (rule F2).
            if len(batch) > 1:
                return [page for each in batch for page in await self._kept([each])]
            ((work, page),) = batch
            log.exception("%s: an unforeseen failure; the other series go on", work.series)
            work.settle(page.done, IntervalSet((page.done,)))
            self.on_failure(work, error)
            return []

    async def _replace(self, batch: Sequence[_WorkPage]) -> Sequence[_WorkPage]:
        replacements = [_replacement(work, page) for work, page in batch]
        changes = await self.store_thread.run_briefly(self.ledger.replace, replacements)
        for (work, page), change in zip(batch, changes, strict=True):
            work.report.candles += change.new
            work.report.revised += change.revised
            work.settle(page.done, page.reasons.get(GapReason.FETCH_FAILED, EMPTY))
        return batch


def _replacement(work: SeriesWork, page: Page) -> Replacement:
    return Replacement(
        work.series,
        page.answered,
        page.candles,
        page.answered,
        page.provisional,
        page.reasons,
        page.listing,
        origin=page.origin,
    )
