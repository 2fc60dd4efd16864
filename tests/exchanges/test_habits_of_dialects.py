"""What each row of habits says, against the exchange's own simulated wire."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from exchange_facts import FACTS

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import RequestRejectedError
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import DIALECTS, ExchangeSimulator

MINUTE_MS = 60_000
DAY_MS = 86_400_000

StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]


@asynccontextmanager
async def client_of(simulator: ExchangeSimulator, exchange: str) -> AsyncIterator[CcxtClient]:
    settings = ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0)
    client = CcxtClient(exchange, settings)
    try:
        await client.fetch_markets()
        yield client
    finally:
        await client.close()


def symbol_of(exchange: str) -> str:
    return f"BTC/{FACTS[exchange].quote}"


@pytest.mark.parametrize("exchange", DIALECTS)
async def test_a_full_page_shows_every_candle_of_its_time(
    exchange: str, start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator(exchanges=(exchange,))
    symbol, page = symbol_of(exchange), HABITS[exchange].page_candles
    end_ms = now_ms // MINUTE_MS * MINUTE_MS
    async with client_of(simulator, exchange) as client:
        reach_rows = FACTS[exchange].reach_rows
        # Its last candle is the one before the candle in progress, or is long past.
        newest_ms = end_ms - min(page, (reach_rows or page + 1) - 1) * MINUTE_MS
        for start_ms in (newest_ms, newest_ms - 90 * DAY_MS)[: 1 if reach_rows else 2]:
            stop_ms = min(start_ms + page * MINUTE_MS, end_ms)
            rows = await client.fetch_candles(symbol, Timeframe(1), start_ms, page)

            shown = {time for time in rows.frame["open_time_ms"] if start_ms <= time < stop_ms}
            truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, stop_ms)
            assert shown == {candle.open_ms for candle in truth}


@pytest.mark.parametrize("minutes", [1, 5, 60])
@pytest.mark.parametrize("exchange", DIALECTS)
async def test_an_exchange_reaches_as_far_back_as_is_said(
    exchange: str, minutes: int, start_simulator: StartSimulator, now_ms: int
) -> None:
    timeframe = Timeframe(minutes)
    length_ms = timeframe.duration_ms
    habits = HABITS[exchange]
    reach = habits.reach_in(timeframe)
    current_ms = timeframe.floor_ms(now_ms)
    listed_ms = DAY_MS * 12_000
    simulator = await start_simulator(exchanges=(exchange,), listed_since_ms={"BTC": listed_ms})
    far = 11_000 if reach is None else reach + 20
    since_ms = max(current_ms - far * length_ms, listed_ms)
    async with client_of(simulator, exchange) as client:
        try:
            rows = await client.fetch_candles(symbol_of(exchange), timeframe, since_ms, 60)
        except RequestRejectedError:
            # Some refuse what begins out of their reach.
            assert reach is not None
            return

    first_ms = rows.frame["open_time_ms"].min()
    few_ms = 60 * MINUTE_MS + 2 * length_ms  # An outage.
    if reach is None and not habits.is_reach_known:
        # It shows what it has, and nobody says how much that is.
        assert isinstance(first_ms, int)
    elif reach is None:
        assert isinstance(first_ms, int)
        assert since_ms <= first_ms <= since_ms + few_ms
    else:
        # Of a range that begins out of its reach it shows what lies within, or nothing, unless it
        # refuses it.
        reach_ms = current_ms - (reach - 1) * length_ms
        assert first_ms is None or (
            isinstance(first_ms, int) and reach_ms <= first_ms <= reach_ms + few_ms
        )


@pytest.mark.parametrize("exchange", DIALECTS)
async def test_within_its_reach_an_exchange_shows_its_oldest_candles(
    exchange: str, start_simulator: StartSimulator, now_ms: int
) -> None:
    reach = FACTS[exchange].reach_rows or 10_000
    start_ms = now_ms // MINUTE_MS * MINUTE_MS - (reach - 3) * MINUTE_MS
    simulator = await start_simulator(exchanges=(exchange,))
    symbol = symbol_of(exchange)
    async with client_of(simulator, exchange) as client:
        rows = await client.fetch_candles(symbol, Timeframe(1), start_ms, 60)

    stop_ms = start_ms + 60 * MINUTE_MS
    shown = {time for time in rows.frame["open_time_ms"] if start_ms <= time < stop_ms}
    truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, stop_ms)
    assert shown == {candle.open_ms for candle in truth}
    assert shown


@pytest.mark.parametrize("exchange", DIALECTS)
def test_what_the_habits_say_of_the_reach_is_what_the_exchange_documents(exchange: str) -> None:
    assert HABITS[exchange].reach_in(Timeframe(1)) == FACTS[exchange].reach_rows
    assert HABITS[exchange].page_candles <= FACTS[exchange].page_rows
    days_are_off = FACTS[exchange].day_opens_at_ms != 0
    assert HABITS[exchange].off_grid_timeframes == ({"1d"} if days_are_off else set())


@pytest.mark.parametrize("exchange", DIALECTS)
async def test_an_exchange_whose_clock_is_ahead_shows_whole_pages_too(
    exchange: str, start_simulator: StartSimulator
) -> None:
    """A request may also have waited for its turn since its path was chosen."""
    reach_rows = FACTS[exchange].reach_rows
    simulator = await start_simulator(exchanges=(exchange,))
    symbol = symbol_of(exchange)
    machine_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    simulator.clock.set(machine_ms + 5 * MINUTE_MS)
    async with client_of(simulator, exchange) as client:
        for minutes_back in (30, 1432, 1436, 1438, 1440):
            if reach_rows is not None and minutes_back + 5 >= reach_rows:
                continue
            start_ms = machine_ms - minutes_back * MINUTE_MS
            rows = await client.fetch_candles(symbol, Timeframe(1), start_ms, 20)

            stop_ms = start_ms + 20 * MINUTE_MS
            shown = {time for time in rows.frame["open_time_ms"] if start_ms <= time < stop_ms}
            truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, stop_ms)
            assert shown == {candle.open_ms for candle in truth}, minutes_back


@pytest.mark.parametrize("minutes_back", [5, 1430, 1450])
@pytest.mark.parametrize("exchange", DIALECTS)
async def test_by_the_machines_clock_recent_candles_are_shown_up_to_the_one_in_progress(
    exchange: str, minutes_back: int, start_simulator: StartSimulator
) -> None:
    """ccxt looks at that clock to choose between paths: OKX has another one for older candles."""
    facts = FACTS[exchange]
    if facts.reach_rows is not None and minutes_back >= facts.reach_rows:
        return
    simulator = await start_simulator(exchanges=(exchange,))
    symbol = symbol_of(exchange)
    now_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS + MINUTE_MS // 2
    simulator.clock.set(now_ms)
    current_ms = now_ms - MINUTE_MS // 2
    start_ms = current_ms - minutes_back * MINUTE_MS
    async with client_of(simulator, exchange) as client:
        rows = await client.fetch_candles(symbol, Timeframe(1), start_ms, 100)

    stop_ms = min(start_ms + 100 * MINUTE_MS, current_ms)
    times = rows.frame["open_time_ms"].to_list()
    truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, stop_ms)
    assert {t for t in times if start_ms <= t < stop_ms} == {candle.open_ms for candle in truth}
    is_out = not simulator.true_candles(exchange, symbol, MINUTE_MS, current_ms, now_ms)
    if minutes_back < 100 and facts.sends_idle_bars and not is_out:
        assert current_ms in times
