"""Trades of the simulated exchanges: they add up to the candles, and page as on the exchange."""

import json
from collections import defaultdict
from collections.abc import Awaitable, Callable
from decimal import Decimal
from random import Random
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange_simulator import DIALECTS, ExchangeSimulator, Fault
from exchange_simulator.candles import MINUTE_MS, Candle
from exchange_simulator.exchange import TrueCandle
from exchange_simulator.trades import split_candle

HOUR_MS = 3_600_000
NS_PER_MS = 1_000_000

StartSimulator = Callable[..., Awaitable[ExchangeSimulator]]
WITH_TRADES = [name for name, dialect in DIALECTS.items() if dialect.trades is not None]


@st.composite
def candles(draw: st.DrawFn) -> Candle:
    low, high = sorted(draw(st.lists(st.integers(1, 10**9), min_size=2, max_size=2)))
    prices = st.integers(low, high)
    minute = draw(st.integers(20_000_000, 30_000_000))
    volume = draw(st.integers(1, 10) | st.integers(1, 10**12))
    return Candle(minute * MINUTE_MS, draw(prices), high, low, draw(prices), volume)


@given(candles(), st.integers())
def test_a_split_candle_adds_up_to_itself(candle: Candle, seed: int) -> None:
    trades = split_candle(candle, MINUTE_MS, Random(seed).random)
    times, prices, amounts = zip(*trades, strict=True)
    assert list(times) == sorted(times)
    assert candle.open_ms * NS_PER_MS <= times[0]
    assert times[-1] < (candle.open_ms + MINUTE_MS) * NS_PER_MS
    assert (prices[0], max(prices), min(prices), prices[-1]) == candle[1:5]
    assert sum(amounts) == candle.volume
    assert min(amounts) >= 0


async def kraken_page(
    http: aiohttp.ClientSession, base: str, **query: Any
) -> tuple[list[Any], Any]:
    url = f"{base}/0/public/Trades"
    async with http.get(url, params={"pair": "XBTUSD", **query}) as answer:
        document = json.loads(await answer.text(), parse_float=str)
    assert document["error"] == []
    return document["result"]["XXBTZUSD"], document["result"]["last"]


async def test_kraken_pages_a_thousand_trades_by_a_cursor_of_nanoseconds(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    base = simulator.base_url("kraken")
    since = (now_ms - HOUR_MS) * NS_PER_MS
    first, last = await kraken_page(http, base, since=since)
    assert len(first) == 1000
    assert float(first[0][2]) * 1000 >= now_ms - HOUR_MS
    second, _ = await kraken_page(http, base, since=last)
    assert all(row[6] > first[-1][6] for row in second)
    few, _ = await kraken_page(http, base, since=since, count=7)
    assert few == first[:7]


async def test_a_cursor_of_the_last_trade_misses_others_of_its_time(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    """As on the exchange: `since` is exclusive, and trades of one order share their time."""
    base = simulator.base_url("kraken")
    since = (now_ms - HOUR_MS) * NS_PER_MS
    all_rows, _ = await kraken_page(http, base, since=since)
    shared = next(i for i in range(1, 1000) if all_rows[i][2] == all_rows[i - 1][2])
    _, last = await kraken_page(http, base, since=since, count=shared)
    rest, _ = await kraken_page(http, base, since=last)
    assert rest[0][6] > all_rows[shared][6]
    again, _ = await kraken_page(http, base, since=int(last) - 1)
    assert all_rows[shared] in again


async def test_krakens_newest_trades_come_without_a_cursor_and_none_from_the_future(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    base = simulator.base_url("kraken")
    rows, last = await kraken_page(http, base)
    assert len(rows) == 1000
    assert int(last) <= now_ms * NS_PER_MS
    assert await kraken_page(http, base, since=last) == ([], last)


async def test_krakens_trades_add_up_to_its_candles(
    start_simulator: StartSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    simulator = await start_simulator(exchanges=("kraken",), seed=5)
    base = simulator.base_url("kraken")
    end_ms = now_ms // MINUTE_MS * MINUTE_MS
    start_ms = end_ms - 5 * HOUR_MS
    since, rows = start_ms * NS_PER_MS - 1, {}
    while True:
        page, last = await kraken_page(http, base, since=since)
        rows.update({row[6]: row for row in page})
        if len(page) < 1000:
            break
        since = int(last) - 1
    by_minute: dict[int, list[tuple[Decimal, Decimal]]] = defaultdict(list)
    for trade_id in sorted(rows):
        price, amount, time, *_ = rows[trade_id]
        minute = int(Decimal(time) // 60)
        by_minute[minute * MINUTE_MS].append((Decimal(price), Decimal(amount)))
    made = [
        TrueCandle(
            open_ms,
            trades[0][0],
            max(price for price, _ in trades),
            min(price for price, _ in trades),
            trades[-1][0],
            sum((amount for _, amount in trades), Decimal()),
        )
        for open_ms, trades in by_minute.items()
        if open_ms < end_ms
    ]
    true = simulator.true_candles("kraken", "BTC/USD", MINUTE_MS, start_ms, end_ms)
    assert len(true) > 250
    assert made == true


@pytest.mark.parametrize("exchange", WITH_TRADES)
async def test_the_same_seed_gives_the_same_trades(
    start_simulator: StartSimulator, http: aiohttp.ClientSession, exchange: str
) -> None:
    path = {
        "kraken": "/0/public/Trades?pair=XBTUSD",
        "coinbaseexchange": "/products/BTC-USD/trades",
        "bitfinex": "/v2/trades/tBTCUSD/hist?limit=1000",
    }[exchange]
    bodies = []
    for _ in range(2):
        simulator = await start_simulator(exchanges=(exchange,), seed=7)
        async with http.get(simulator.base_url(exchange) + path) as answer:
            bodies.append(await answer.text())
    assert bodies[0] == bodies[1]
    assert len(bodies[0]) > 1000


async def test_faults_hit_requests_for_trades(
    start_simulator: StartSimulator, http: aiohttp.ClientSession, now_ms: int
) -> None:
    faults = (Fault("kraken", "short_tail", 1.0),)
    simulator = await start_simulator(exchanges=("kraken",), faults=faults)
    base = simulator.base_url("kraken")
    rows, last = await kraken_page(http, base, since=(now_ms - HOUR_MS) * NS_PER_MS)
    assert len(rows) < 1000
    assert simulator.requests.trade_request_count("kraken") == 1
    assert simulator.requests.fault_counts("kraken") == {"short_tail": 1}
    simulator.set_faults(())
    whole, whole_last = await kraken_page(http, base, since=(now_ms - HOUR_MS) * NS_PER_MS)
    assert (whole[: len(rows)], whole_last) == (rows, last)
