"""Runs that look for the beginning of a market's history."""

import asyncio

import pytest
from cutting_exchange import (
    DAY,
    DAY_MS,
    DESCRIBED,
    MINUTE_MS,
    PAGE,
    REFETCH,
    SERIES,
    START_MS,
    UNDESCRIBED,
    Endless,
    Exchange,
    Job,
    ms,
    span,
)

from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.ccxt_source import CcxtCandles
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY, Interval
from candle_ingestor.model.series_record import Listing

NEWEST_720 = ExchangeHabits("coinbaseexchange", PAGE, reach_candles=720)


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
