"""Runs over exchanges that reach back a few candles only, or nobody knows how far."""

from dataclasses import replace
from typing import Any

import pytest
from cutting_exchange import DAY, UNDESCRIBED, Exchange, Job, ms, span

from candle_ingestor.exchanges.errors import ExchangeError, ServerFaultError
from candle_ingestor.exchanges.habits import ExchangeHabits
from candle_ingestor.ingest.sources.judge import REACH_MARGIN_CANDLES
from candle_ingestor.model.gaps import GapReason
from candle_ingestor.model.intervals import EMPTY
from candle_ingestor.model.series_record import Listing

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
