"""Runs over an exchange that may cut its answers, stand still, or know less than it is asked.

A run here plans and keeps as the job does, in memory. The true series is a set of minutes that have
a candle; what a run knows is compared with it. Times are minutes after START_MS, a UTC midnight.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hypothesis import strategies as st

from candle_ingestor.exchanges.errors import ExchangeError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.model.gaps import FINAL_REASONS, GapReason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Coverage, Listing
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import MINUTES_PER_DAY, Timeframe
from candle_ingestor.operations.stopping import StopSignal

START_MS = 1_708_905_600_000  # 2024-02-26
MINUTE_MS = 60_000
DAY_MS = 86_400_000
DAY = 1440
PAGE = 30
REFETCH = 2
MINUTE = Timeframe(1)
SERIES = Series("coinbaseexchange", Symbol("BTC", "USD"), MINUTE)
DESCRIBED = ExchangeHabits("coinbaseexchange", PAGE, opened_year=2023)
UNDESCRIBED = ExchangeHabits("coinbaseexchange", PAGE, is_reach_known=False)
Cut = Callable[[list[int]], list[int]]


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


@dataclass
class Exchange:
    """A CandleClient whose truth, clock and faults a test sets.

    `cuts` are applied to answers in their order; afterwards answers are whole.
    """

    true: set[int]
    now: float
    habits: ExchangeHabits = DESCRIBED
    real_page: int = 10_000
    is_by_range: bool = True
    cuts: list[Cut] = field(default_factory=list)
    failing: Callable[[int], ExchangeError | None] = lambda since: None
    days: Callable[[], list[tuple[int | None, float]]] | None = None
    requests: list[tuple[int, int]] = field(default_factory=list)
    day_requests: int = 0
    exchange: str = "coinbaseexchange"
    timeframes: Sequence[str] = ("1m", "1d")
    address: str = "default"
    seconds_per_request: float = 0.0

    async def fetch_candles(
        self, market_symbol: str, timeframe: Timeframe, since_ms: int, limit: int
    ) -> RawRows:
        if timeframe.minutes == MINUTES_PER_DAY:
            self.day_requests += 1
            end_ms = since_ms + limit * DAY_MS
            days = self.days() if self.days else self.true_days()
            rows = [(t, h, h, 1.0, h, 1.0) for t, h in days if t is None or since_ms <= t < end_ms]
            return RawRows.from_rows(rows, rows)
        since = (since_ms - START_MS) // MINUTE_MS
        self.requests.append((since, limit))
        assert len(self.requests) < 3000, "paging does not end"
        error = self.failing(since)
        if error is not None:
            raise error
        shown = [minute for minute in sorted(self.true) if since <= minute <= self.now]
        if self.is_by_range:
            shown = [minute for minute in shown if minute < since + limit][-self.real_page :]
        if self.habits.reach_candles is not None:
            oldest = int(self.now) - self.habits.reach_candles + 1
            shown = [minute for minute in shown if minute >= oldest]
        shown = shown[:limit]
        if self.cuts:
            shown = self.cuts.pop(0)(shown)
        rows = [(ms(minute), 10.0, 12.0, 9.0, 11.0, 1.0) for minute in shown]
        return RawRows.from_rows(rows, rows)

    def true_days(self) -> list[tuple[int | None, float]]:
        return [(ms(day * DAY), 2.0) for day in sorted({minute // DAY for minute in self.true})]

    async def fetch_markets(self) -> list[dict[str, object]]:
        return []

    def use_markets(self, markets: list[dict[str, object]]) -> bool:
        return True

    async def close(self) -> None:
        return None


class Endless(StopSignal):
    async def sleep(self, seconds: float) -> None:
        return None


@dataclass
class Job:
    """What a job knows of the series, run by run.

    `others_are_shown` says whether the exchange shows candles of other markets.
    """

    exchange: Exchange
    coverage: Coverage = field(default_factory=Coverage)
    listing: Listing = field(default_factory=Listing)
    candles: set[int] = field(default_factory=set)
    failures: list[ExchangeError] = field(default_factory=list)
    pages: list[Page] = field(default_factory=list)
    refetch: int = REFETCH
    others_are_shown: bool = True

    def run(self, start: int, *, now: float | None = None, stop: StopSignal | None = None) -> "Job":
        """One run whose window begins at `start`; the machine's clock may differ."""
        now_ms = START_MS + round((self.exchange.now if now is None else now) * MINUTE_MS)
        session = ExchangeSession(self.exchange, RetryPolicy(0.0, 0.0), stop or Endless())
        session.has_shown_rows = self.others_are_shown
        source = CcxtCandles(session, lambda: now_ms, 0, self.refetch)
        self.exchange.requests.clear()
        self.exchange.day_requests = 0
        self.failures.clear()
        self.pages.clear()
        asyncio.run(self._run(source, IntervalSet.of(ms(start), MINUTE.closed_end_ms(now_ms, 0))))
        return self

    async def _run(self, source: CcxtCandles, wanted: IntervalSet) -> None:
        missing = wanted - self.coverage.covered
        for reason in FINAL_REASONS:
            missing = missing - self.coverage.reasons.get(reason, EMPTY)
        for interval in missing | (self.coverage.provisional & wanted):
            before = [ms(minute) for minute in self.candles if ms(minute) < interval.start_ms]
            known = Known(
                max(before, default=None),
                self.coverage.provisional,
                self.listing,
                bool(self.candles),
            )
            done_ms = interval.start_ms
            async for page in source.pages(SERIES, interval, known, SourceCounts()):
                assert page.done.start_ms == done_ms < page.done.end_ms
                done_ms = page.done.end_ms
                self._keep(page, interval)

    def _keep(self, page: Page, interval: Interval) -> None:
        self.pages.append(page)
        times = page.candles["open_time_ms"].to_list()
        assert all(page.answered.contains(time) and time < interval.end_ms for time in times)
        assert not page.provisional - page.answered
        self.candles = {minute for minute in self.candles if not page.answered.contains(ms(minute))}
        self.candles |= {(time - START_MS) // MINUTE_MS for time in times}
        self.coverage = self.coverage.replaced(page.answered, page.answered, page.provisional)
        self.coverage = self.coverage.with_reasons(page.reasons)
        self.listing = page.listing or self.listing
        if page.failure is not None:
            self.failures.append(page.failure)

    def reason(self, reason: GapReason) -> IntervalSet:
        return self.coverage.reasons.get(reason, EMPTY)

    def wrong(self) -> list[int]:
        """Minutes that are known for good, and not as they truly are."""
        final = self.coverage.covered - self.coverage.provisional
        return [m for m in sorted(self.candles ^ self.exchange.true) if final.contains(ms(m))]


# Everything at once

RUNS_OF_TRADES = st.lists(st.tuples(st.integers(1, 70), st.integers(1, 60)), max_size=7).map(
    lambda runs: {
        minute
        for index, (silence, length) in enumerate(runs)
        for start in [sum(map(sum, runs[:index])) + silence]
        for minute in range(start, start + length)
    }
)
