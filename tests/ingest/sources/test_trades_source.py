"""The source of trades with the real ccxt over HTTP, against simulated exchanges."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import polars as pl
import pytest

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.retry import RetryPolicy
from candle_ingestor.exchanges.session import ExchangeSession, RequestCounts, close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.exchanges.trade_habits import TRADE_HABITS
from candle_ingestor.ingest.sources.base import Known, Page, SourceCounts
from candle_ingestor.ingest.sources.trades_source import TradeCandles
from candle_ingestor.model.candles import EXCHANGE_CANDLES
from candle_ingestor.model.gaps import GapReason, with_reason
from candle_ingestor.model.intervals import EMPTY, Interval, IntervalSet
from candle_ingestor.model.origins import Origin
from candle_ingestor.model.series import Series
from candle_ingestor.model.series_record import Listing
from candle_ingestor.model.symbol import Symbol
from candle_ingestor.model.timeframe import Timeframe
from candle_ingestor.operations.stopping import StopSignal
from exchange_simulator import (
    DIALECTS,
    FAULT_KINDS,
    ExchangeSimulator,
    Fault,
    SimulatorClock,
    SimulatorConfig,
)
from exchange_simulator.faults import TRADE_PAGE_FAULTS

# 2024-03-05T12:34:50Z
NOW_MS = 1_709_642_090_000
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
END_MS = NOW_MS // MINUTE_MS * MINUTE_MS
BITCOIN = Symbol("BTC", "USD")
SIMULATED = [
    name for name in TRADE_HABITS if name in DIALECTS and DIALECTS[name].trades is not None
]
# Ten times as many come at once from Bitfinex, which no test has the time for.
MOST_PAGE_TRADES = 1000
REFUSALS = ("403", "418", "451")
OF_CANDLES_ONLY = ("high_below_low", "off_grid")
FAULTS = [
    kind for kind in (*FAULT_KINDS, *TRADE_PAGE_FAULTS) if kind not in (*REFUSALS, *OF_CANDLES_ONLY)
]


@dataclass
class Built:
    candles: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=EXCHANGE_CANDLES))
    answered: IntervalSet = EMPTY
    provisional: IntervalSet = EMPTY
    reasons: dict[GapReason, IntervalSet] = field(default_factory=dict)
    pages: list[Page] = field(default_factory=list)
    counts: SourceCounts = field(default_factory=SourceCounts)


def series_of(exchange: str, minutes: int = 1) -> Series:
    return Series(exchange, BITCOIN, Timeframe(minutes))


@asynccontextmanager
async def opened(
    exchange: str, *faults: Fault, timeout_seconds: float = 5.0, **config: object
) -> AsyncIterator[tuple[ExchangeSimulator, ExchangeSession]]:
    settings = {"seed": 3, "faults": faults, "exchanges": (exchange,)} | config
    clock = SimulatorClock(NOW_MS, frozen=True)
    async with ExchangeSimulator(SimulatorConfig(**settings), clock=clock) as simulator:  # type: ignore[arg-type]
        address = ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0)
        client = CcxtClient(exchange, address, timeout_seconds=timeout_seconds)
        assert client.trade_habits is not None
        page_trades = min(client.trade_habits.page_trades, MOST_PAGE_TRADES)
        client.trade_habits = replace(client.trade_habits, page_trades=page_trades)
        policy = RetryPolicy(first_wait_seconds=0.001, longest_wait_seconds=0.002)
        session = ExchangeSession(client, policy, StopSignal())
        try:
            await session.fetch_markets(RequestCounts())
            simulator.requests.reset()
            yield simulator, session
        finally:
            await close_all([client])


async def built(
    session: ExchangeSession,
    start_ms: int,
    end_ms: int,
    *,
    minutes: int = 1,
    known: Known | None = None,
    refetch_last_candles: int = 2,
    now_ms: int = NOW_MS,
) -> Built:
    source = TradeCandles(session, lambda: now_ms, 5, refetch_last_candles)
    found = Built()
    next_ms = start_ms
    interval = Interval(start_ms, end_ms)
    series = series_of(session.exchange, minutes)
    async for page in source.pages(series, interval, known or Known(), found.counts):
        assert page.done.start_ms == next_ms
        assert page.origin is Origin.TRADES
        next_ms = page.done.end_ms
        found.candles = pl.concat([found.candles, page.candles])
        found.answered = found.answered | page.answered
        found.provisional = found.provisional | page.provisional
        for reason, intervals in page.reasons.items():
            found.reasons = with_reason(found.reasons, reason, intervals)
        found.pages.append(page)
    return found


def true_rows(
    simulator: ExchangeSimulator, exchange: str, start_ms: int, end_ms: int, minutes: int = 1
) -> list[tuple[float, ...]]:
    candles = simulator.true_candles(exchange, "BTC/USD", minutes * MINUTE_MS, start_ms, end_ms)
    return [(c.open_ms, *map(float, (c.open, c.high, c.low, c.close, c.volume))) for c in candles]


@pytest.mark.parametrize("exchange", SIMULATED)
@pytest.mark.parametrize("minutes", [1, 7, 60])
async def test_candles_equal_the_exchanges_own_across_pages(exchange: str, minutes: int) -> None:
    length_ms = minutes * MINUTE_MS
    end_ms = (NOW_MS - 40 * DAY_MS) // length_ms * length_ms
    start_ms = end_ms - 14 * HOUR_MS // length_ms * length_ms
    async with opened(exchange) as (simulator, session):
        found = await built(session, start_ms, end_ms, minutes=minutes)
    assert found.candles.rows() == true_rows(simulator, exchange, start_ms, end_ms, minutes)
    assert found.answered == IntervalSet.of(start_ms, end_ms)
    assert (found.provisional, found.reasons) == (EMPTY, {})
    assert len(found.pages) > 10
    assert found.counts.requests == simulator.requests.trade_request_count(exchange)


@pytest.mark.parametrize("exchange", SIMULATED)
@pytest.mark.parametrize("kind", FAULTS)
async def test_every_fault_leaves_true_candles_or_an_open_minute(exchange: str, kind: str) -> None:
    end_ms = (NOW_MS - 40 * DAY_MS) // MINUTE_MS * MINUTE_MS
    start_ms = end_ms - 5 * HOUR_MS
    rate = 0.03 if kind in ("stall", "429_retry_after") else 0.2
    async with opened(exchange, Fault(exchange, kind, rate), timeout_seconds=0.3) as parts:
        simulator, session = parts
        found = await built(session, start_ms, end_ms)
    own = {row[0]: row for row in true_rows(simulator, exchange, start_ms, end_ms)}
    answered = [time_ms for time_ms in own if found.answered.contains(int(time_ms))]
    assert found.candles.rows() == [own[time_ms] for time_ms in answered]
    failed = found.reasons.get(GapReason.FETCH_FAILED, EMPTY)
    assert found.answered | failed == IntervalSet.of(start_ms, end_ms)
    assert found.answered.duration_ms > failed.duration_ms


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_a_refusal_leaves_the_rest_open(exchange: str) -> None:
    async with opened(exchange, Fault(exchange, "403", 1.0)) as (_, session):
        found = await built(session, END_MS - HOUR_MS, END_MS)
    assert found.answered == EMPTY
    assert [page.failure is session.refusal for page in found.pages] == [True]


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_at_the_present_end_only_closed_candles_are_built_and_they_are_provisional(
    exchange: str,
) -> None:
    async with opened(exchange) as (simulator, session):
        found = await built(session, END_MS - 2 * HOUR_MS, END_MS)
    rows = found.candles.rows()
    assert rows == true_rows(simulator, exchange, END_MS - 2 * HOUR_MS, END_MS)
    assert found.answered == IntervalSet.of(END_MS - 2 * HOUR_MS, END_MS)
    assert found.provisional.end_ms == END_MS
    assert found.provisional.covers((END_MS - 2 * MINUTE_MS, END_MS))
    assert found.provisional.duration_ms < HOUR_MS


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_time_before_the_first_trade_of_all_is_not_listed_yet(exchange: str) -> None:
    listed_ms = (NOW_MS - 3 * DAY_MS) // DAY_MS * DAY_MS + 5 * HOUR_MS
    end_ms = listed_ms + 3 * HOUR_MS
    start_ms = listed_ms - 4 * DAY_MS - 5 * HOUR_MS
    known = Known(listing=Listing(is_delisted=True))
    async with opened(exchange, listed_since_ms={"BTC": listed_ms}) as (simulator, session):
        found = await built(session, start_ms, end_ms, known=known)
    first_day_ms = listed_ms - 5 * HOUR_MS
    assert found.candles.rows() == true_rows(simulator, exchange, start_ms, end_ms)
    assert found.reasons == {GapReason.NOT_LISTED_YET: IntervalSet.of(start_ms, first_day_ms)}
    assert found.answered == IntervalSet.of(first_day_ms, end_ms)
    assert found.pages[0].listing == Listing(first_day_ms=first_day_ms, is_delisted=True)


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_the_estimate_is_near_what_it_then_takes(exchange: str) -> None:
    end_ms = (NOW_MS - 40 * DAY_MS) // MINUTE_MS * MINUTE_MS
    span = IntervalSet.of(end_ms - 30 * HOUR_MS, end_ms)
    async with opened(exchange) as (simulator, session):
        source = TradeCandles(session, lambda: NOW_MS, 5, 2)
        estimate = await source.estimate(series_of(exchange), span, SourceCounts())
        assert simulator.requests.trade_request_count(exchange) < 20
        found = await built(session, *span.intervals[0])
    assert estimate is not None
    searched = 15 if exchange == "coinbaseexchange" else 0
    assert abs(estimate.requests + searched - found.counts.requests) < estimate.requests / 4
    assert abs(source.page_candles - 30 * 60 / estimate.requests) < 10


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_a_few_minutes_are_not_worth_an_estimate(exchange: str) -> None:
    span = IntervalSet.of(END_MS - HOUR_MS, END_MS)
    async with opened(exchange) as (simulator, session):
        source = TradeCandles(session, lambda: NOW_MS, 5, 2)
        assert await source.estimate(series_of(exchange), span, SourceCounts()) is None
        assert simulator.requests.trade_request_count(exchange) == 0


async def test_it_offers_all_closed_candles_since_the_exchange_opened() -> None:
    async with opened("kraken") as (_, session):
        source = TradeCandles(session, lambda: NOW_MS, 5, 2)
        offered = source.offers(series_of("kraken", 60))
    assert offered == IntervalSet.of(session.habits.opened_ms, NOW_MS // HOUR_MS * HOUR_MS)


@pytest.mark.parametrize("exchange", SIMULATED)
async def test_a_stop_leaves_what_was_proven_and_nothing_else(exchange: str) -> None:
    end_ms = (NOW_MS - 40 * DAY_MS) // MINUTE_MS * MINUTE_MS
    start_ms = end_ms - 14 * HOUR_MS
    async with opened(exchange) as (simulator, session):
        source = TradeCandles(session, lambda: NOW_MS, 5, 2)
        interval = Interval(start_ms, end_ms)
        pages = []
        async for page in source.pages(series_of(exchange), interval, Known(), SourceCounts()):
            pages.append(page)
            if len(pages) == 3:
                session.stop.request("enough")
        await asyncio.sleep(0)
    assert len(pages) == 3
    stopped_ms = pages[-1].done.end_ms
    assert stopped_ms < end_ms
    rows = pl.concat([page.candles for page in pages]).rows()
    assert rows == true_rows(simulator, exchange, start_ms, stopped_ms)


async def test_malformed_trades_are_logged_with_their_raw_text(
    caplog: pytest.LogCaptureFixture,
) -> None:
    end_ms = (NOW_MS - 40 * DAY_MS) // MINUTE_MS * MINUTE_MS
    async with opened("kraken", Fault("kraken", "html", 1.0)) as (_, session):
        with caplog.at_level(logging.WARNING):
            found = await built(session, end_ms - HOUR_MS, end_ms)
    assert found.answered == EMPTY
    assert "<!DOCTYPE html>" in caplog.text
    assert {type(page.failure).__name__ for page in found.pages} == {"MalformedAnswerError"}
