"""The synthetic market: the same for a seed whenever asked, and with trouble in it."""

from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import aiohttp
import pytest

from exchange_simulator import (
    CCXT_DIALECTS,
    DIALECTS,
    ExchangeSimulator,
    SimulatorClock,
    SimulatorConfig,
    TrueCandle,
)
from exchange_simulator.traits import EXCHANGE_TRAITS

MINUTE_MS = 60_000
DAY_MS = 86_400_000
DAY = 19_782  # 2024-02-29


def day_of(
    simulator: ExchangeSimulator, exchange: str, symbol: str = "BTC/USDT", day: int = DAY
) -> list[TrueCandle]:
    if exchange == "bitstamp":
        symbol = symbol.replace("USDT", "USD")
    start_ms = day * DAY_MS
    return simulator.true_candles(exchange, symbol, MINUTE_MS, start_ms, start_ms + DAY_MS)


def longest_silence(candles: list[TrueCandle]) -> int:
    minutes = [candle.open_ms // MINUTE_MS for candle in candles]
    return max(later - earlier for earlier, later in pairwise(minutes)) - 1


def test_every_exchange_has_traits() -> None:
    assert list(EXCHANGE_TRAITS) == list(DIALECTS)


async def test_the_same_seed_gives_the_same_bytes_in_whatever_order_asked(
    start_simulator: Callable[..., Any],
    http: aiohttp.ClientSession,
    wires: dict[str, Any],
    exchange: str,
    now_ms: int,
) -> None:
    urls = [
        wires[exchange].url(now_ms - hours * 3_600_000, now_ms - hours * 3_600_000 + 12_000_000)
        for hours in (11, 5, 200)
    ]

    async def texts(urls: list[str], **settings: Any) -> list[str]:
        simulator = await start_simulator(**settings)
        found = []
        for url in urls:
            async with http.get(simulator.base_url(exchange) + url) as answer:
                found.append(await answer.text())
        return found

    first = await texts(urls, seed=3)
    assert await texts(urls[::-1], seed=3, exchanges=(exchange,)) == first[::-1]
    assert await texts(urls, seed=4) != first


def test_clean_candles_are_consistent_on_the_tick_and_on_the_minute(exchange: str) -> None:
    simulator = ExchangeSimulator()
    for symbol in ("BTC/USDT", "ETH/USDT", "SOL/USDT"):
        candles = day_of(simulator, exchange, symbol)
        times = [candle.open_ms for candle in candles]
        assert times == sorted(set(times))
        assert all(time % MINUTE_MS == 0 for time in times)
        for candle in candles:
            assert 0 < candle.low <= min(candle.open, candle.close)
            assert max(candle.open, candle.close) <= candle.high
            assert candle.volume >= 0


def test_exchanges_share_a_price_within_a_few_basis_points() -> None:
    simulator = ExchangeSimulator()
    by_exchange = [
        {candle.open_ms: candle.close for candle in day_of(simulator, exchange)}
        for exchange in CCXT_DIALECTS
    ]
    common = set.intersection(*map(set, by_exchange))
    assert len(common) > 1200
    for open_ms in common:
        closes = [candles[open_ms] for candles in by_exchange]
        assert max(closes) / min(closes) < Decimal("1.002")
    volumes = [sum(c.volume for c in day_of(simulator, exchange)) for exchange in CCXT_DIALECTS]
    assert len(set(volumes)) == len(CCXT_DIALECTS)


def test_of_three_exchanges_in_turn_one_has_an_outage_each_day_and_another_a_bad_print() -> None:
    simulator = ExchangeSimulator()
    for day in range(DAY, DAY + 3):
        outages, prints = [], []
        for exchange in ("bitstamp", "coinbaseexchange", "kraken"):
            candles = day_of(simulator, exchange, day=day)
            outages.append(10 <= longest_silence(candles) <= 45)
            prints.append(sum(c.high > max(c.open, c.close) * Decimal("1.19") for c in candles))
        assert outages.count(True) == 1
        assert sorted(prints) == [0, 0, 1]


def test_in_an_outage_an_exchange_sends_no_idle_bars_either() -> None:
    simulator = ExchangeSimulator()
    silences = [longest_silence(day_of(simulator, "binance", day=DAY + i)) for i in range(3)]
    assert sorted(silences)[:2] == [0, 0]
    assert max(silences) >= 10


def test_days_join_without_a_jump() -> None:
    simulator = ExchangeSimulator()
    for day in range(DAY, DAY + 5):
        last = day_of(simulator, "binance", day=day)[-1]
        first = day_of(simulator, "binance", day=day + 1)[0]
        assert abs(first.open / last.close - 1) < Decimal("0.001")


def test_synthetic_days_and_listing_times_say_where_history_begins(now_ms: int) -> None:
    clock = SimulatorClock(now_ms, frozen=True)
    simulator = ExchangeSimulator(SimulatorConfig(synthetic_days=2), clock=clock)
    first = simulator.true_candles("binance", "BTC/USDT", MINUTE_MS, 0, now_ms)[0]
    assert first.open_ms == (now_ms // DAY_MS - 2) * DAY_MS
    listed_ms = now_ms // DAY_MS * DAY_MS - 7 * MINUTE_MS
    simulator = ExchangeSimulator(SimulatorConfig(listed_since_ms={"ETH": listed_ms}), clock=clock)
    for minutes, count in ((1, 7), (5, 2)):
        candles = simulator.true_candles(
            "binance", "ETH/USDT", minutes * MINUTE_MS, 0, now_ms // DAY_MS * DAY_MS
        )
        assert len(candles) == count


def test_any_symbol_trades_and_doubles_count_once() -> None:
    simulator = ExchangeSimulator(
        SimulatorConfig(symbols=("DOGE/USD", "doge/usd", "XMR/USD"), exchanges=("kraken",))
    )
    symbols = [market.symbol for market in simulator.exchanges["kraken"].markets if market.active]
    assert symbols == ["DOGE/USD", "XMR/USD"]
    for symbol in symbols:
        candles = day_of(simulator, "kraken", symbol)
        assert len({candle.close for candle in candles}) > 20


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"exchanges": ("bitso",)}, "unknown exchange 'bitso'"),
        ({"exchanges": ()}, "no exchange"),
        ({"symbols": ("BTCUSD",)}, "BASE/QUOTE"),
        ({"symbols": ()}, "no symbol"),
        ({"port": 70_000}, "port"),
        ({"synthetic_days": 0}, "at least 1"),
        ({"shift_to_now": True}, "needs recordings"),
    ],
)
def test_a_bad_setting_is_named(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimulatorConfig(**settings)
