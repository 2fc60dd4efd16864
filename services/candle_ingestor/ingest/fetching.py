"""Fetches a run's tasks: every exchange at once, each at its own pace."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import TypeVar

from candle_ingestor.errors import DependencyError
from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.ingest.judgement import Judgement
from candle_ingestor.ingest.ledger import KeptPage, Ledger
from candle_ingestor.ingest.listing import can_be_sought, first_day_ms
from candle_ingestor.ingest.pager import FailedPage, Pager
from candle_ingestor.ingest.plan import Phase, SeriesPlan, Window, cut_to_tasks, plan_series
from candle_ingestor.ingest.report import SourceReport
from candle_ingestor.ingest.store_thread import StoreThread
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.times import iso_text
from candle_ingestor.operations.progress import RunProgress

log = logging.getLogger(__name__)

Item = TypeVar("Item")

REQUESTS_AT_ONCE = 4
"""Per exchange: while one answer is on its way, the next request already waits for its turn."""

PAGES_PER_TASK = 16
"""Each page repeats a candle, and one in a hundred is left to minutes without trade at the ends of
pages: a task a little longer than its pages would cost another request each time."""


@dataclass
class SeriesWork:
    """One series of a run: what is wanted of it, its plan, and what is still to be fetched."""

    series: Series
    window: Window
    pager: Pager
    report: SourceReport
    catch_up_from_ms: int | None = None
    plan: SeriesPlan | None = None
    remaining: IntervalSet = field(init=False)

    def __post_init__(self) -> None:
        # Until it is planned, anything may still be fetched.
        self.remaining = IntervalSet.of(0, self.window.end_ms)

    @property
    def page_candles(self) -> int:
        return self.pager.session.client.habits.page_candles

    def candles_in(self, intervals: Iterable[Interval]) -> int:
        length_ms = self.series.timeframe.duration_ms
        return sum(interval.duration_ms for interval in intervals) // length_ms


@dataclass
class Fetcher:
    """Plans and fetches series of many exchanges.

    `on_task_done` hears of each series of which a task is done, `on_failure` of each failure.
    """

    ledger: Ledger
    store_thread: StoreThread
    progress: RunProgress
    on_task_done: Callable[[Series], Awaitable[None]]
    on_failure: Callable[[Series, str], None]

    async def fetch(self, works: Iterable[SeriesWork], phase: Phase) -> None:
        """Fetches one phase of every series, the oldest candles first.

        Each exchange goes at its own pace from the start: in the first phase it finds out what to
        fetch of its series, and when their markets were listed if need be, before it fetches.
        """
        by_exchange: dict[str, list[SeriesWork]] = {}
        for work in works:
            by_exchange.setdefault(work.series.exchange, []).append(work)
        try:
            async with asyncio.TaskGroup() as group:
                for each in by_exchange.values():
                    group.create_task(self._fetch_exchange(each, phase))
        except* DependencyError as errors:
            raise _first(errors) from None

    async def _fetch_exchange(self, works: Sequence[SeriesWork], phase: Phase) -> None:
        if phase is Phase.CATCH_UP:
            await _some_at_once(works, lambda work: self._guarded(work, self._plan_one(work)))
        tasks: list[tuple[SeriesWork, Interval]] = []
        for work in works:
            if work.plan is None:
                continue
            candles = PAGES_PER_TASK * (work.page_candles - 1) * 99 // 100
            intervals = work.plan.of_phase(phase)
            pieces = cut_to_tasks(intervals, work.series.timeframe, candles)
            tasks.extend((work, piece) for piece in pieces)
            self.progress.expect(work.series.exchange, work.candles_in(intervals))
        await _some_at_once(tasks, lambda task: self._guarded(task[0], self._fetch_task(*task)))

    async def _guarded(self, work: SeriesWork, doing: Awaitable[None]) -> None:
        """Keeps what nobody foresaw in one series from stopping the others (rule F2)."""
        try:
            await doing
        except DependencyError:
            raise
        except Exception as error:
            log.exception("%s: an unforeseen failure; the other series go on", work.series)
            self.on_failure(work.series, f"{work.series}: unforeseen {error!r}")

    async def _plan_one(self, work: SeriesWork) -> None:
        plan = self._planned(work)
        if self._needs_listing(work, plan):
            try:
                plan = await self._plan_from_listing(work, plan)
            except ExchangeError as error:
                work.remaining = EMPTY
                if not work.pager.session.stop.is_set():
                    await self._note_failure(work, plan.to_fetch, error)
                return
        for reason, intervals in plan.unreachable.items():
            await self.store_thread.run(self.ledger.note_reason, work.series, reason, intervals)
        if work.window.start_ms is None and not self.ledger.record(work.series).covered:
            # Where this first catch-up begins, should it end before it gets there.
            await self.store_thread.run(
                self.ledger.note_reason, work.series, GapReason.NOT_FETCHED, plan.to_fetch
            )
        work.plan = plan
        work.remaining = plan.to_fetch

    def _planned(self, work: SeriesWork, listed_from_ms: int | None = None) -> SeriesPlan:
        record = self.ledger.record(work.series)
        if listed_from_ms is not None:
            record = replace(record, listed_from_ms=listed_from_ms)
        return plan_series(
            work.window,
            record,
            work.series.timeframe,
            work.pager.reach(work.series).start_ms,
            work.catch_up_from_ms,
        )

    def _needs_listing(self, work: SeriesWork, plan: SeriesPlan) -> bool:
        if not plan.to_fetch or not can_be_sought(work.pager):
            return False
        record = self.ledger.record(work.series)
        if record.covered and record.covered.start_ms <= plan.to_fetch.start_ms:
            return False
        sought_ms = record.listing_sought_from_ms
        return sought_ms is None or plan.to_fetch.start_ms < sought_ms

    async def _plan_from_listing(self, work: SeriesWork, plan: SeriesPlan) -> SeriesPlan:
        window = Interval(plan.to_fetch.start_ms, work.window.end_ms)
        found_ms = await first_day_ms(work.pager, work.series, window, work.report.counts)
        if work.pager.session.stop.is_set():
            return plan
        if found_ms is None:
            log.info("%s shows no candle before %s", work.series, iso_text(window.end_ms))
            return self._planned(work, listed_from_ms=window.end_ms)
        record = self.ledger.record(work.series)
        # A first day that is the first one asked for only tells that the market is older.
        listed_from_ms = found_ms if found_ms > window.start_ms else record.listed_from_ms
        await self.store_thread.run(
            self.ledger.update,
            work.series,
            replace(record, listed_from_ms=listed_from_ms, listing_sought_from_ms=window.start_ms),
        )
        return self._planned(work)

    async def _fetch_task(self, work: SeriesWork, interval: Interval) -> None:
        settled_ms = interval.start_ms
        if not work.pager.session.is_left_alone():
            settled_ms = await self._fetch_pages(work, interval)
        refusal = work.pager.session.refusal
        if refusal is not None and settled_ms < interval.end_ms:
            await self._note_failure(work, IntervalSet.of(settled_ms, interval.end_ms), refusal)
        await self.on_task_done(work.series)

    async def _fetch_pages(self, work: SeriesWork, interval: Interval) -> int:
        """Returns where it stopped: the interval's end, unless the run or exchange stopped it."""
        half_a_page_ms = work.page_candles * work.series.timeframe.duration_ms // 2
        known_ms = await self.store_thread.run(
            self.ledger.last_known_ms, work.series, interval.start_ms, half_a_page_ms
        )
        settled_ms = interval.start_ms
        # The next page is asked for while the store keeps this one.
        keeping: asyncio.Task[None] | None = None
        pages = work.pager.read(work.series, interval, known_ms, work.report.counts)
        try:
            async with aclosing(pages):
                async for page in pages:
                    done = Interval(settled_ms, min(page.next_ms, interval.end_ms))
                    if keeping is not None:
                        await keeping
                    keeping = asyncio.create_task(self._settle(work, page, done))
                    settled_ms = done.end_ms
                    if work.pager.session.is_left_alone():
                        break
        finally:
            if keeping is not None:
                await keeping
        return settled_ms

    async def _settle(self, work: SeriesWork, page: Judgement | FailedPage, done: Interval) -> None:
        if isinstance(page, FailedPage):
            await self._note_failure(work, IntervalSet((done,)), page.error)
        else:
            kept = await self.store_thread.run(self._keep, work.series, page)
            work.report.candles += kept.new
            work.report.revised += kept.revised
        work.remaining = work.remaining - IntervalSet((done,))
        self.progress.advance(work.series.exchange, work.candles_in((done,)))

    def _keep(self, series: Series, page: Judgement) -> KeptPage:
        kept = self.ledger.keep_page(series, page.candles, page.answered)
        self.ledger.note_reason(series, GapReason.REJECTED, page.rejected)
        self.ledger.note_reason(series, GapReason.BEYOND_REACH, page.beyond_reach)
        return kept

    async def _note_failure(
        self, work: SeriesWork, intervals: IntervalSet, error: ExchangeError
    ) -> None:
        work.remaining = work.remaining - intervals
        work.report.failed_pages += 1
        if intervals:
            log.warning(
                "%s: no answer for %s to %s: %s",
                work.series,
                iso_text(intervals.start_ms),
                iso_text(intervals.end_ms),
                error,
            )
        await self.store_thread.run(
            self.ledger.note_reason, work.series, GapReason.FETCH_FAILED, intervals
        )
        self.on_failure(work.series, str(error))


async def _some_at_once(items: Iterable[Item], run: Callable[[Item], Awaitable[None]]) -> None:
    queue = deque(items)

    async def drain() -> None:
        while queue:
            await run(queue.popleft())

    async with asyncio.TaskGroup() as group:
        for _ in range(min(REQUESTS_AT_ONCE, len(queue))):
            group.create_task(drain())


def _first(errors: BaseExceptionGroup[DependencyError]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first
