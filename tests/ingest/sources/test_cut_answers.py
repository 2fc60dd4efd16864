"""Runs over exchanges that cut their answers, stand still, or know less than they are asked.

A run here plans and keeps as the job does, in memory. The true series is a set of minutes that have
a candle; what a run knows is compared with it. Times are minutes after START_MS, a UTC midnight.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from candle_ingestor.exchanges.errors import ExchangeError, ServerFaultError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.rows import RawRows
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.ingest.sources.judge import FEW_CANDLES, REACH_MARGIN_CANDLES
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
NEWEST_720 = ExchangeHabits("coinbaseexchange", PAGE, reach_candles=720)

Cut = Callable[[list[int]], list[int]]


def ms(minute: int) -> int:
    return START_MS + minute * MINUTE_MS


def span(first: int, last: int) -> IntervalSet:
    return IntervalSet.of(ms(first), ms(last))


def whole(minutes: list[int]) -> list[int]:
    return minutes


def empty(minutes: list[int]) -> list[int]:
    return []


def only_first(minutes: list[int]) -> list[int]:
    return minutes[:1]


def without_head(minutes: list[int]) -> list[int]:
    return minutes[len(minutes) * 2 // 3 :]


def without_tail(minutes: list[int]) -> list[int]:
    return minutes[: len(minutes) // 3 + 1]


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


# Defect A


def test_the_first_traded_day_of_a_window_is_no_listing() -> None:
    before = set(range(-90 * DAY, -90 * DAY + 60)) | set(range(0, 4 * DAY, 5))
    exchange = Exchange(before | set(range(6 * DAY, 7 * DAY)), 7 * DAY)
    job = Job(exchange).run(4 * DAY)

    assert job.reason(GapReason.NOT_LISTED_YET) == EMPTY
    assert job.coverage.covered == span(4 * DAY, 7 * DAY)
    assert job.listing.first_day_ms == ms(-90 * DAY)

    job.run(0)

    assert job.coverage.covered == span(0, 7 * DAY)
    assert job.wrong() == []
    assert exchange.day_requests == 0


def test_time_before_the_first_day_ever_is_not_listed_yet_and_no_page_is_asked_of_it() -> None:
    exchange = Exchange(set(range(3 * DAY + 600, 4 * DAY)), 4 * DAY)
    job = Job(exchange).run(0)

    assert job.reason(GapReason.NOT_LISTED_YET) == span(0, 3 * DAY)
    assert job.coverage.covered == span(3 * DAY, 4 * DAY)
    assert job.wrong() == []
    assert [since for since, _ in exchange.requests if since < 3 * DAY] == [0]
    assert [page.listing for page in job.pages if page.listing] == [job.listing]


def test_a_market_that_never_traded_is_sought_from_where_the_search_ended() -> None:
    exchange = Exchange(set(), 10 * DAY)
    job = Job(exchange).run(0)

    assert job.listing == Listing(silent_until_ms=ms(10 * DAY))
    assert job.reason(GapReason.NOT_LISTED_YET) == span(0, 10 * DAY)
    assert job.coverage.covered == EMPTY

    exchange.true |= set(range(10 * DAY + 100, 10 * DAY + 200))
    exchange.now = 10 * DAY + 200
    job.run(0)

    assert job.listing.first_day_ms == ms(10 * DAY)
    assert job.coverage.covered == span(10 * DAY, 10 * DAY + 200)
    assert job.wrong() == []


@pytest.mark.parametrize("habits", [DESCRIBED, NEWEST_720, UNDESCRIBED])
def test_an_exchange_that_is_silent_about_everything_is_not_believed(
    habits: ExchangeHabits,
) -> None:
    traded = set(range(-20 * DAY, 10 * DAY, 7))
    exchange = Exchange(set(), 10 * DAY, habits)
    job = Job(exchange, others_are_shown=False).run(0)

    assert job.failures
    assert job.coverage.covered == EMPTY
    assert job.reason(GapReason.NOT_LISTED_YET) == EMPTY
    assert not job.reason(GapReason.BEYOND_REACH) & span(10 * DAY - 600, 10 * DAY)

    exchange.true |= traded
    job.run(0)

    assert job.coverage.covered.covers((ms(10 * DAY - 600), ms(10 * DAY)))
    assert job.wrong() == []


def test_silence_is_believed_of_an_exchange_that_still_shows_the_day_of_the_first_candle() -> None:
    exchange = Exchange({-DAY + 5}, 300)
    job = Job(exchange, others_are_shown=False).run(0)
    assert job.coverage.covered == span(0, 300)
    exchange.now = 600

    job.run(0)

    assert job.failures == []
    assert job.coverage.covered == span(0, 600)


def test_stored_candles_disprove_a_history_without_any() -> None:
    exchange = Exchange(set(range(-20 * DAY, 10 * DAY, 7)), 10 * DAY)
    job = Job(exchange).run(5 * DAY)
    traded, exchange.true = exchange.true, set()
    job.others_are_shown = False

    job.run(0)

    assert job.reason(GapReason.NOT_LISTED_YET) == EMPTY
    exchange.true = traded
    job.run(0)
    assert job.coverage.covered == span(0, 10 * DAY)
    assert job.wrong() == []


def test_what_takes_minutes_to_prove_was_read_by_the_first_request() -> None:
    exchange = Exchange(set(range(10, PAGE)), PAGE)
    session = ExchangeSession(exchange, RetryPolicy(0.0, 0.0), Endless())

    def slow_now_ms() -> int:
        asked = len(exchange.requests) + exchange.day_requests
        return START_MS + round((PAGE + asked * 1.2) * MINUTE_MS)

    source = CcxtCandles(session, slow_now_ms, 0, REFETCH)

    async def read() -> list[Page]:
        wanted = Interval(ms(0), ms(PAGE))
        pages = source.pages(SERIES, wanted, Known(), SourceCounts())
        return [page async for page in pages]

    provisional = EMPTY
    for page in asyncio.run(read()):
        provisional = provisional | page.provisional
    assert len(exchange.requests) > 2  # the page, and its head on its own
    assert provisional.covers((ms(PAGE - REFETCH), ms(PAGE)))


# Defect K


@pytest.mark.parametrize("height", [2.0, 0.5])
@pytest.mark.parametrize("hours_early", [0, 8])
def test_a_daily_row_is_evidence_whatever_its_hour_and_its_values(
    height: float, hours_early: int
) -> None:
    """A height of 0.5 is below the low: a row that is no candle."""
    exchange = Exchange(set(range(2 * DAY + 10, 3 * DAY)), 3 * DAY)
    first_ms = ms(2 * DAY) - hours_early * 3_600_000
    exchange.days = lambda: [(first_ms, height), (first_ms + DAY_MS, 2.0)]

    job = Job(exchange).run(0)

    assert job.coverage.covered == span((1 if hours_early else 2) * DAY, 3 * DAY)
    assert job.wrong() == []


def test_a_daily_row_without_a_time_leaves_open_when_the_market_was_listed() -> None:
    exchange = Exchange(set(range(2 * DAY + 10, 2 * DAY + 100)), 2 * DAY + 100)
    exchange.days = lambda: [(None, 2.0), (ms(2 * DAY), 2.0)]

    job = Job(exchange).run(2 * DAY)

    assert job.reason(GapReason.FETCH_FAILED) == span(2 * DAY, 2 * DAY + 10)
    assert job.coverage.covered == span(2 * DAY + 10, 2 * DAY + 100)
    assert "no usable time" in str(job.failures[0])


def test_an_exchange_without_daily_candles_leaves_its_head_open() -> None:
    exchange = Exchange(set(range(50, 100)), 100, timeframes=("1m",))

    job = Job(exchange).run(0)

    assert job.reason(GapReason.NOT_FETCHED) == span(0, 50)
    assert job.coverage.covered == span(50, 100)


# Silence within a reach that has an end


NEWEST_60 = ExchangeHabits("coinbaseexchange", 60, reach_candles=60)
NEWEST_60_BELIEVED = 60 - REACH_MARGIN_CANDLES


def newest_60(true: set[int], now: float, **options: Any) -> Exchange:
    return Exchange(true, now, NEWEST_60, is_by_range=False, **options)


@pytest.mark.parametrize("older", [set(), {-DAY + 5}])
def test_a_feed_that_stands_still_at_first_contact_loses_nothing_of_its_reach(
    older: set[int],
) -> None:
    exchange = newest_60(older | set(range(265)), 300)
    job = Job(exchange).run(270)  # what catches up goes first, and is silent
    assert job.reason(GapReason.BEYOND_REACH) == EMPTY
    exchange.true |= set(range(265, 310))
    exchange.now = 310

    job.run(200)

    edge = 310 - NEWEST_60_BELIEVED + 1
    assert job.candles == set(range(edge, 310))
    assert job.coverage.covered == span(edge, 310)
    assert job.reason(GapReason.BEYOND_REACH) == span(200, edge)


@pytest.mark.parametrize("older", [set(), {-DAY + 5}])
def test_a_head_within_reach_is_no_trade_only_after_a_day_with_trade(older: set[int]) -> None:
    exchange = newest_60(older | set(range(280, 300)), 300)
    edge = 300 - NEWEST_60_BELIEVED + 1

    job = Job(exchange).run(0)

    assert job.reason(GapReason.BEYOND_REACH) == span(0, edge)
    head = span(edge, 280)
    assert job.reason(GapReason.NOT_FETCHED) == (EMPTY if older else head)
    assert job.coverage.covered == span(edge if older else 280, 300)
    assert job.wrong() == []


def test_an_open_head_is_asked_for_until_it_leaves_the_reach() -> None:
    exchange = newest_60(set(range(280, 300)), 300)
    job = Job(exchange).run(0)
    for now in (310, 320, 335, 345):
        exchange.now = now
        exchange.true |= set(range(300, now))
        job.run(0)
        edge = now - NEWEST_60_BELIEVED + 1
        assert job.reason(GapReason.NOT_FETCHED) == (span(edge, 280) if edge < 280 else EMPTY)
        assert job.reason(GapReason.BEYOND_REACH) == span(0, min(edge, 280))
        assert job.coverage.covered == span(280, now)


def test_silence_of_a_whole_reach_is_no_trade_only_after_a_day_with_trade() -> None:
    traded = Job(newest_60({-DAY + 5}, 300)).run(0)
    fresh = Job(newest_60(set(), 300)).run(0)

    edge = 300 - NEWEST_60_BELIEVED + 1
    assert traded.coverage.covered == fresh.reason(GapReason.NOT_FETCHED) == span(edge, 300)
    assert fresh.failures == traded.failures == []


def test_trade_before_a_silence_is_remembered_when_its_day_has_left_the_reach() -> None:
    exchange = newest_60({-DAY + 5}, 300)
    job = Job(exchange).run(0)
    assert job.listing.listed_by_ms == job.coverage.covered.start_ms
    exchange.days = list
    exchange.now = 600

    job.run(0)

    edge = 600 - NEWEST_60_BELIEVED + 1
    assert job.reason(GapReason.NOT_FETCHED) == EMPTY
    assert job.coverage.covered.covers((ms(edge), ms(600)))
    assert job.failures == []
    assert exchange.day_requests == 0


def test_a_reach_without_daily_candles_leaves_its_head_open() -> None:
    exchange = newest_60({-DAY + 5} | set(range(280, 300)), 300, timeframes=("1m",))

    job = Job(exchange).run(250)

    assert job.reason(GapReason.NOT_FETCHED) == span(250, 280)
    assert exchange.day_requests == 0


def test_a_market_is_listed_by_its_daily_candles_where_these_reach_back_to_the_opening() -> None:
    habits = ExchangeHabits("coinbaseexchange", 60, reach_candles=600, opened_year=2023)
    exchange = Exchange(set(range(2 * DAY - 100, 2 * DAY)), 2 * DAY, habits)

    job = Job(exchange).run(2 * DAY - 500)

    assert job.reason(GapReason.NOT_LISTED_YET) == EMPTY
    assert job.coverage.covered == span(2 * DAY - 500, 2 * DAY)
    assert job.listing == Listing(first_day_ms=ms(DAY))


# Defect F


@pytest.mark.parametrize("ahead", [0.0, 0.01, 0.99, 1.02])
def test_the_edge_of_the_reach_is_never_known_without_trade(ahead: float) -> None:
    habits = ExchangeHabits("coinbaseexchange", 60, reach_candles=60)
    true = set(range(-200, 500))
    for behind in (0.0, 0.5, 0.995):
        exchange = Exchange(set(true), 200 + behind, habits, is_by_range=False)
        job = Job(exchange).run(0, now=exchange.now - ahead)

        assert job.wrong() == []
        assert not job.reason(GapReason.BEYOND_REACH) & span(145, 300)
        assert not span(145, 198) - job.coverage.covered


def test_a_known_candle_that_left_the_reach_is_kept() -> None:
    habits = ExchangeHabits("coinbaseexchange", 60, reach_candles=60)
    exchange = Exchange(set(range(500)), 100, habits, is_by_range=False)
    job = Job(exchange).run(60)
    known = set(job.candles)
    for now in (155.0, 156.0, 157.0, 158.0, 159.5, 161.0):
        exchange.now = now
        later = replace(job, candles=set(known))
        later.run(60, now=now - 1.02)
        assert known <= later.candles | {99, 98, 97}
        assert later.wrong() == []


# Defect L


def test_silence_of_an_undescribed_exchange_settles_after_a_stored_candle_that_it_shows() -> None:
    exchange = Exchange(set(range(100)) | set(range(700, 800)), 800, UNDESCRIBED)

    def fails_in_silence(since: int) -> ExchangeError | None:
        return ServerFaultError("500") if 150 <= since < 400 else None

    exchange.failing = fails_in_silence
    job = Job(exchange).run(0)
    assert job.reason(GapReason.FETCH_FAILED) != EMPTY
    exchange.failing = lambda since: None

    job.run(0)
    assert job.coverage.covered == span(0, 800)
    assert job.wrong() == []

    job.run(0)
    assert len(exchange.requests) == 1


def test_what_an_undescribed_exchange_no_longer_shows_is_beyond_its_reach() -> None:
    exchange = Exchange(set(range(100)), 100, UNDESCRIBED)
    job = Job(exchange).run(0)
    exchange.true |= set(range(100, 600))
    exchange.true -= set(range(550))
    kept = set(job.candles)
    exchange.now = 600

    job.run(0)

    assert job.reason(GapReason.BEYOND_REACH).end_ms == ms(550)
    assert kept - {98, 99} <= job.candles
    assert not span(550, 600) - job.coverage.covered
    assert job.failures == []


# Defect M


def test_an_answer_cut_to_the_known_candle_is_asked_again() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 140
    exchange.cuts = [only_first]

    job.run(0)

    assert job.wrong() == []
    assert job.candles == set(range(140))


@pytest.mark.parametrize("cut", [only_first, without_tail, without_head, empty])
def test_a_cut_at_the_present_end_heals_by_the_next_run(cut: Cut) -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 105
    exchange.cuts = [cut]

    job.run(0)
    assert job.wrong() == []
    exchange.now = 110
    job.run(0)

    assert job.candles == set(range(110))
    assert not span(0, 108) - (job.coverage.covered - job.coverage.provisional)


# Defect P


@pytest.mark.parametrize("still", [5, 10, 17])
def test_a_feed_that_stands_still_for_nearly_a_page_heals_when_it_fills_in(still: int) -> None:
    exchange = Exchange(set(range(100)), 100)
    job = Job(exchange).run(0)
    for now in range(100, 100 + still, 3):
        exchange.now = now
        job.run(0)
        assert not span(0, now) - job.coverage.covered
    exchange.true |= set(range(100, 100 + still + 2))
    exchange.now = 100 + still
    job.run(0)

    assert job.candles == set(range(100 + still))


def test_silence_older_than_nearly_a_page_is_final() -> None:
    exchange = Exchange(set(range(100)), 200)
    job = Job(exchange).run(0)

    assert job.coverage.covered == span(0, 200)
    assert job.coverage.provisional == span(200 - PAGE + FEW_CANDLES + 1, 200)


def test_silence_that_a_later_candle_confirms_is_final() -> None:
    exchange = Exchange({*range(100), 120}, 120.5)
    job = Job(exchange).run(0)

    assert job.coverage.provisional == span(118, 120)


# Defect R


@pytest.mark.parametrize("real_page", [7, 10, 13, 20, 29])
@pytest.mark.parametrize("habits", [DESCRIBED, UNDESCRIBED])
def test_a_page_limit_below_the_assumed_one_loses_nothing(
    real_page: int, habits: ExchangeHabits
) -> None:
    exchange = Exchange(set(range(-50, 300)), 300, habits, real_page=real_page)

    job = Job(exchange).run(0)

    assert job.candles == set(range(300))
    assert job.coverage.covered == span(0, 300)
    assert len(exchange.requests) <= 300 // (real_page - 1) + 8


# Defect X


def test_what_the_end_of_the_run_cuts_short_is_no_failure() -> None:
    class Over(Endless):
        def seconds_left(self) -> float | None:
            return 0.0

    exchange = Exchange(set(range(100)), 100, failing=lambda since: ServerFaultError("503"))

    job = Job(exchange).run(0, stop=Over())

    assert job.pages == []
    assert len(exchange.requests) == 1


# What a run costs


def test_an_ordinary_run_makes_one_request() -> None:
    exchange = Exchange(set(range(400)), 100.5)
    job = Job(exchange).run(0)
    for now in (105.5, 110.2, 111.0, 118.0):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 1
        assert job.candles == set(range(int(now)))


def test_a_run_over_an_idle_market_makes_one_request() -> None:
    exchange = Exchange(set(range(100)), 100)
    job = Job(exchange).run(0)
    for now in range(104, 125, 5):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 1
        assert not span(0, now) - job.coverage.covered


def test_a_market_long_idle_costs_one_more_request_for_its_last_candle() -> None:
    exchange = Exchange(set(range(100)), 300)
    job = Job(exchange).run(0)
    for now in range(303, 320, 5):
        exchange.now = now
        job.run(0)
        assert len(exchange.requests) == 2
        assert not span(0, now) - job.coverage.covered


# Candles that go away


def test_a_withdrawn_candle_is_gone_when_answers_on_its_own_lack_it_twice() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.true.remove(97)  # the one that the next run begins at
    exchange.now = 105

    job.run(0)

    assert 97 not in job.candles
    assert job.wrong() == []
    assert len(exchange.requests) == 3


def test_one_answer_that_lacks_a_known_candle_removes_nothing() -> None:
    exchange = Exchange(set(range(400)), 100)
    job = Job(exchange).run(0)
    exchange.now = 105
    exchange.cuts = [lambda minutes: minutes[1:]]

    job.run(0)

    assert job.candles == set(range(105))


def test_several_tasks_at_once_seek_the_listing_once() -> None:
    exchange = Exchange(set(range(2 * DAY, 3 * DAY)), 3 * DAY)
    session = ExchangeSession(exchange, RetryPolicy(), Endless())
    source = CcxtCandles(session, lambda: ms(3 * DAY), 5, 2)

    async def read(first: int, last: int) -> list[Page]:
        wanted = Interval(ms(first), ms(last))
        pages = source.pages(SERIES, wanted, Known(), SourceCounts())
        return [page async for page in pages]

    async def read_all() -> list[list[Page]]:
        return await asyncio.gather(*(read(n * 300, n * 300 + 300) for n in range(4)))

    found = asyncio.run(read_all())

    news = [page.listing for pages in found for page in pages if page.listing]
    assert [listing.first_day_ms for listing in news] == [ms(2 * DAY)]
    # Thrice for each empty page of days since 2023, once for the first day, once on its own.
    assert exchange.day_requests == 3 * 14 + 2
    assert all(pages[-1].reasons.keys() == {GapReason.NOT_LISTED_YET} for pages in found)


# Everything at once

RUNS_OF_TRADES = st.lists(st.tuples(st.integers(1, 70), st.integers(1, 60)), max_size=7).map(
    lambda runs: {
        minute
        for index, (silence, length) in enumerate(runs)
        for start in [sum(map(sum, runs[:index])) + silence]
        for minute in range(start, start + length)
    }
)
# No cut comes twice in a row, and no more than two empty answers do.
CUTS = st.lists(
    st.sampled_from([[only_first], [without_head], [without_tail], [empty], [empty, empty], []]),
    max_size=12,
).map(lambda faults: [cut for fault in faults for cut in (*fault, whole, whole, whole, whole)])


@settings(max_examples=300)
@given(
    true=RUNS_OF_TRADES,
    older=st.booleans(),
    habits=st.sampled_from(
        [
            DESCRIBED,
            UNDESCRIBED,
            ExchangeHabits("coinbaseexchange", PAGE, reach_candles=60),
        ]
    ),
    real_page=st.sampled_from([10_000, 10_000, 12]),
    is_by_range=st.booleans(),
    steps=st.lists(st.tuples(st.integers(1, 90), CUTS), min_size=1, max_size=4),
    first=st.integers(0, 60),
)
def test_after_a_quiet_run_nothing_that_is_final_contradicts_the_truth(
    true: set[int],
    older: bool,
    habits: ExchangeHabits,
    real_page: int,
    is_by_range: bool,
    steps: list[tuple[int, list[Cut]]],
    first: int,
) -> None:
    true = true | ({-3 * DAY} if older else set())
    exchange = Exchange(set(true), first + 10, habits, real_page, is_by_range)
    job = Job(exchange)
    for sleep, cuts in steps:
        exchange.now += sleep
        exchange.cuts = list(cuts)
        job.run(first)
        assert job.wrong() == []
    exchange.cuts = []
    exchange.now += 5
    job.run(first)

    assert job.wrong() == []
    assert job.failures == []
    settled = job.coverage.covered
    for reason in (GapReason.BEYOND_REACH, GapReason.NOT_LISTED_YET):
        settled = settled | job.reason(reason)
    if habits.reach_candles is not None:
        # Before the first candle that is known, its reach does not tell whether it was listed.
        head = span(0, min(job.candles, default=int(exchange.now)))
        open_head = job.reason(GapReason.NOT_FETCHED) & head
        assert not {minute for minute in true if open_head.contains(ms(minute))}
        settled = settled | open_head
    unlisted_today = span(int(exchange.now) // DAY * DAY, int(exchange.now))
    missing = span(first, int(exchange.now)) - settled
    assert (
        not missing
        or (not exchange.true and not missing - unlisted_today)
        or not {minute for minute in true if minute <= exchange.now}
    )
