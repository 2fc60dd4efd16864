"""Fetches what was planned: every exchange at once, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.errors import ExchangeError, words_without
from candle_ingestor.ingest.keeping import PageKeeper
from candle_ingestor.ingest.plan import cut_to_tasks, with_full_page
from candle_ingestor.ingest.sources.base import CandleSource, Known
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.ingest.work import SeriesWork
from candle_ingestor.ledger.ledger import Ledger
from candle_ingestor.model.intervals import Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.progress import Progress

log = logging.getLogger(__name__)

Item = TypeVar("Item")

REQUESTS_AT_ONCE = 4
"""Per exchange: while one answer is on its way, the next request already waits for its turn."""

PAGES_PER_TASK = 16
"""Each page repeats a candle, and one in a hundred is left to minutes without trade at the ends of
pages: a task a little longer than its pages would cost another request each time."""


class _Task(NamedTuple):
    work: SeriesWork
    source: CandleSource
    interval: Interval


@dataclass
class Fetcher:
    """Fetches series of many exchanges and hands their pages on to be kept.

    `is_to_stop` says when the run is to end; `on_failure` hears of each failure.
    """

    ledger: Ledger
    store_thread: StoreThread
    keeper: PageKeeper
    progress: Progress
    is_to_stop: Callable[[], bool]
    on_failure: Callable[[SeriesWork, Exception], None]

    async def fetch(self, works: Collection[SeriesWork]) -> None:
        """Fetches every series, what is to catch up before the history, oldest candles first.

        Raises:
            DependencyError: if the store fails.
        """
        expected: Counter[str] = Counter()
        for work in works:
            expected[work.series.exchange] += work.candles_in(work.plan.to_fetch)
        self.progress.begin("Fetching candles", +expected)
        try:
            async with asyncio.TaskGroup() as group:
                for lane in _lanes(works):
                    group.create_task(self._fetch_lane(lane))
        except* DependencyError as errors:
            raise _first(errors) from None

    async def _fetch_lane(self, tasks: Sequence[_Task]) -> None:
        is_paced = any(task.source.is_paced for task in tasks)
        await some_at_once(tasks, self._guarded, REQUESTS_AT_ONCE if is_paced else 1)
        await self.keeper.flush()

    async def _guarded(self, task: _Task) -> None:
        """Keeps what nobody foresaw in one series from stopping the others (rule F2)."""
        if self.is_to_stop():
            return
        work, interval = task.work, task.interval
        try:
            await self._fetch_task(task)
        except DependencyError:
            raise
        except Exception as error:
            log.exception("%s: an unforeseen failure; the other series go on", work.series)
            work.settle(interval, IntervalSet((interval,)))
            work.note_error(interval, repr(error))
            self.on_failure(work, error)

    async def _fetch_task(self, task: _Task) -> None:
        work, interval = task.work, task.interval
        known = await self.store_thread.run_briefly(known_of, self.ledger, work.series, interval)
        pages = task.source.pages(work.series, interval, known, work.report.counts)
        async with aclosing(pages):
            async for page in pages:
                if page.failure is not None:
                    self._tell(work, page.done, page.failure)
                await self.keeper.put(work, page)
                # Time before a listing is settled at once, whatever its length.
                is_work = bool(page.answered) or page.failure is not None
                self.progress.advance(
                    work.series.exchange, work.candles_in((page.done,)), is_work=is_work
                )

    def _tell(self, work: SeriesWork, interval: Interval, error: ExchangeError) -> None:
        words = words_without(work.series.exchange, error)
        work.note_error(interval, words)
        # A refusal was told once, for the whole exchange.
        if error is not work.source.refusal:
            log.warning(
                "%s: no answer for %s to %s: %s",
                work.series,
                iso_text(interval.start_ms),
                iso_text(interval.end_ms),
                words,
            )
        self.on_failure(work, error)


def known_of(ledger: Ledger, series: Series, interval: Interval) -> Known:
    """What the ledger knows of the series before the interval of it is read."""
    record = ledger.record(series)
    return Known(
        ledger.last_open_ms(series, interval.start_ms),
        record.provisional,
        record.listing,
        bool(record.covered),
    )


def _lanes(works: Iterable[SeriesWork]) -> list[list[_Task]]:
    """What is read one after the other: an exchange's requests in their order, and each file."""
    catch_up: dict[str, list[_Task]] = {}
    later: dict[str, list[_Task]] = {}
    last: dict[str, list[_Task]] = {}
    apart: dict[tuple[str, Origin], list[_Task]] = {}
    for work in works:
        exchange = work.series.exchange
        page_ms = (work.source.page_candles - 1) * work.series.timeframe.duration_ms
        newest, history = with_full_page(work.plan.catch_up, work.plan.backfill, page_ms)
        catch_up.setdefault(exchange, []).extend(_tasks(work, work.source, newest))
        later.setdefault(exchange, []).extend(_tasks(work, work.source, history))
        for source, intervals in work.elsewhere:
            tasks = _tasks(work, source, intervals)
            if source.is_paced:
                last.setdefault(exchange, []).extend(tasks)
            else:
                apart.setdefault((exchange, source.origin), []).extend(tasks)
    asked = [catch_up[exchange] + later[exchange] + last.get(exchange, []) for exchange in catch_up]
    return [*asked, *apart.values()]


def _tasks(work: SeriesWork, source: CandleSource, intervals: IntervalSet) -> list[_Task]:
    candles = PAGES_PER_TASK * (source.page_candles - 1) * 99 // 100
    pieces = cut_to_tasks(intervals, work.series.timeframe, max(candles, 1))
    return [_Task(work, source, piece) for piece in pieces]


async def some_at_once(
    items: Iterable[Item], run: Callable[[Item], Awaitable[None]], at_once: int
) -> None:
    """Runs `run` over the items in their order, at most so many at a time."""
    queue = deque(items)

    async def drain() -> None:
        while queue:
            await run(queue.popleft())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(at_once, len(queue))):
            group.create_task(drain())


def _first(errors: BaseExceptionGroup[DependencyError]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
