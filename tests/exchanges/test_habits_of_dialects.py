"""What each row of habits says, against the exchange's own simulated wire."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from exchange_facts import FACTS

from candle_ingestor.exchanges.ccxt.client import CcxtClient
from candle_ingestor.exchanges.errors import RequestRejectedError
from candle_ingestor.exchanges.habits import HABITS
from candle_ingestor.exchanges.session import close_all
from candle_ingestor.exchanges.settings import ExchangeSettings
from candle_ingestor.model.timeframe import Timeframe
from exchange_simulator import DIALECTS, ExchangeSimulator

MINUTE_MS = 60_000
DAY_MS = 86_400_000

StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]


@asynccontextmanager
async def clients_of(simulator: ExchangeSimulator) -> AsyncIterator[dict[str, CcxtClient]]:
    """A client of every dialect; one simulator and one end for all, since ccxt's end is slow."""
    clients = {
        exchange: CcxtClient(
            exchange, ExchangeSettings(simulator.base_url(exchange), requests_per_minute=0)
        )
        for exchange in DIALECTS
    }
    try:
        await asyncio.gather(*(client.fetch_markets() for client in clients.values()))
        yield clients
    finally:
        await close_all(list(clients.values()))


async def assert_shows_all(
    simulator: ExchangeSimulator, client: CcxtClient, start_ms: int, stop_ms: int, limit: int
) -> list[int]:
    """Asks from `start_ms` on; what opens before `stop_ms` must be all that was traded.

    Returns the open times of all rows.
    """
    exchange = client.exchange
    symbol = f"BTC/{FACTS[exchange].quote}"
    rows = await client.fetch_candles(symbol, Timeframe(1), start_ms, limit)
    times: list[int] = rows.frame["open_time_ms"].to_list()
    truth = simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, stop_ms)
    shown = {time for time in times if start_ms <= time < stop_ms}
    assert shown == {candle.open_ms for candle in truth}, (exchange, start_ms)
    return times


async def test_a_full_page_shows_every_candle_of_its_time(
    start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator()
    end_ms = now_ms // MINUTE_MS * MINUTE_MS
    async with clients_of(simulator) as clients:
        for exchange, client in clients.items():
            page, reach_rows = HABITS[exchange].page_candles, FACTS[exchange].reach_rows
            # Its last candle is the one before the candle in progress, or is long past.
            newest_ms = end_ms - min(page, (reach_rows or page + 1) - 1) * MINUTE_MS
            for start_ms in (newest_ms, newest_ms - 90 * DAY_MS)[: 1 if reach_rows else 2]:
                stop_ms = min(start_ms + page * MINUTE_MS, end_ms)
                assert await assert_shows_all(simulator, client, start_ms, stop_ms, page)


async def test_within_its_reach_an_exchange_shows_its_oldest_candles(
    start_simulator: StartSimulator, now_ms: int
) -> None:
    simulator = await start_simulator()
    async with clients_of(simulator) as clients:
        for exchange, client in clients.items():
            reach = FACTS[exchange].reach_rows or 10_000
            start_ms = now_ms // MINUTE_MS * MINUTE_MS - (reach - 3) * MINUTE_MS
            stop_ms = start_ms + 60 * MINUTE_MS
            assert await assert_shows_all(simulator, client, start_ms, stop_ms, 60)


@pytest.mark.parametrize("minutes", [1, 5, 60])
async def test_an_exchange_reaches_as_far_back_as_is_said(
    minutes: int, start_simulator: StartSimulator, now_ms: int
) -> None:
    timeframe = Timeframe(minutes)
    length_ms = timeframe.duration_ms
    current_ms = timeframe.floor_ms(now_ms)
    listed_ms = DAY_MS * 12_000
    simulator = await start_simulator(listed_since_ms={"BTC": listed_ms})
    async with clients_of(simulator) as clients:
        for exchange, client in clients.items():
            symbol = f"BTC/{FACTS[exchange].quote}"
            reach = client.habits.reach_in(timeframe)
            far = 11_000 if reach is None else reach + 20
            since_ms = max(current_ms - far * length_ms, listed_ms)
            try:
                rows = await client.fetch_candles(symbol, timeframe, since_ms, 60)
            except RequestRejectedError:
                # Some refuse what begins out of their reach.
                assert reach is not None, exchange
                continue

            first_ms = rows.frame["open_time_ms"].min()
            few_ms = 60 * MINUTE_MS + 2 * length_ms  # An outage.
            if reach is not None:
                # Others show what lies within, or nothing.
                reach_ms = current_ms - (reach - 1) * length_ms
                assert first_ms is None or (
                    isinstance(first_ms, int) and reach_ms <= first_ms <= reach_ms + few_ms
                ), exchange
                continue
            assert isinstance(first_ms, int), exchange
            if client.habits.is_reach_known:
                assert since_ms <= first_ms <= since_ms + few_ms, exchange


@pytest.mark.parametrize("exchange", DIALECTS)
def test_what_the_habits_say_of_the_reach_is_what_the_exchange_documents(exchange: str) -> None:
    assert HABITS[exchange].reach_in(Timeframe(1)) == FACTS[exchange].reach_rows
    assert HABITS[exchange].page_candles <= FACTS[exchange].page_rows
    days_are_off = FACTS[exchange].day_opens_at_ms != 0
    assert HABITS[exchange].off_grid_timeframes == ({"1d"} if days_are_off else set())


def is_reached(exchange: str, minutes_back: int) -> bool:
    reach_rows = FACTS[exchange].reach_rows
    return reach_rows is None or minutes_back < reach_rows


async def test_an_exchange_whose_clock_is_ahead_shows_whole_pages_too(
    start_simulator: StartSimulator,
) -> None:
    """A request may also have waited for its turn since its path was chosen."""
    simulator = await start_simulator()
    machine_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    simulator.clock.set(machine_ms + 5 * MINUTE_MS)
    async with clients_of(simulator) as clients:
        for exchange, client in clients.items():
            for minutes_back in (30, 1432, 1436, 1438, 1440):
                if is_reached(exchange, minutes_back + 5):
                    start_ms = machine_ms - minutes_back * MINUTE_MS
                    stop_ms = start_ms + 20 * MINUTE_MS
                    await assert_shows_all(simulator, client, start_ms, stop_ms, 20)


async def test_by_the_machines_clock_recent_candles_are_shown_up_to_the_one_in_progress(
    start_simulator: StartSimulator,
) -> None:
    """ccxt looks at that clock to choose between paths: OKX has another one for older candles."""
    simulator = await start_simulator()
    current_ms = int(time.time() * 1000) // MINUTE_MS * MINUTE_MS
    now_ms = current_ms + MINUTE_MS // 2
    simulator.clock.set(now_ms)
    async with clients_of(simulator) as clients:
        for exchange, client in clients.items():
            symbol = f"BTC/{FACTS[exchange].quote}"
            for minutes_back in (60, 1370, 1430, 1450):
                if not is_reached(exchange, minutes_back):
                    continue
                start_ms = current_ms - minutes_back * MINUTE_MS
                stop_ms = min(start_ms + 100 * MINUTE_MS, current_ms)
                times = await assert_shows_all(simulator, client, start_ms, stop_ms, 100)

                is_out = not simulator.true_candles(exchange, symbol, MINUTE_MS, current_ms, now_ms)
                if minutes_back < 100 and FACTS[exchange].sends_idle_bars and not is_out:
                    assert current_ms in times, exchange
