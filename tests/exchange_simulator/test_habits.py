"""What only one exchange does: its refusals, names and rows, asked on the wire."""

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from asking_simulator import Asker

from exchange_simulator import ExchangeSimulator

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


async def test_krakens_newest_closed_candle_gains_volume_for_half_a_minute(
    simulator: ExchangeSimulator, connect: Callable[..., Any], now_ms: int
) -> None:
    client = connect(simulator, "kraken")
    closed_ms = now_ms // MINUTE_MS * MINUTE_MS - MINUTE_MS
    truth = simulator.true_candles("kraken", "BTC/USD", MINUTE_MS, closed_ms, closed_ms + 1)[0]
    volumes = []
    for seconds_after_close in (1, 29, 30, 300):
        simulator.clock.set(closed_ms + MINUTE_MS + seconds_after_close * 1000)
        row = (await client.fetch_ohlcv("BTC/USD", "1m", closed_ms, 5))[0]
        assert row[:5] == [closed_ms, *map(float, (truth.open, truth.high, truth.low, truth.close))]
        volumes.append(row[5])
    assert volumes[0] == volumes[1]
    assert 0.9 * volumes[2] < volumes[0] < volumes[2]
    assert volumes[2] == volumes[3] == float(truth.volume)


async def test_coinbase_refuses_a_range_of_more_than_300_candles(ask: Asker, now_ms: int) -> None:
    start = now_ms // MINUTE_MS * 60 - 90_000
    path = "/products/BTC-USD/candles?granularity=60&start={}&end={}"
    full = await ask.times("coinbaseexchange", path.format(start, start + 299 * 60))
    assert full[-1] >= start * 1000
    assert full[0] <= (start + 299 * 60) * 1000
    off_grid = await ask.times("coinbaseexchange", path.format(start + 1, start + 300 * 60))
    assert len(off_grid) > 250
    status, text = await ask.text("coinbaseexchange", path.format(start, start + 300 * 60))
    assert status == 400
    assert json.loads(text) == {
        "message": "granularity too small for the requested time range. "
        "Count of aggregations requested exceeds 300"
    }


async def test_coinbase_sends_numbers_and_not_strings(ask: Asker) -> None:
    _, text = await ask.text("coinbaseexchange", "/products/BTC-USD/candles?granularity=60")
    assert all(isinstance(value, int | float) for row in json.loads(text) for value in row)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("granularity=61", "Unsupported granularity"),
        ("granularity=60&start=2024-02-02&end=2024-02-01", "start must be before end"),
        ("granularity=60&start=soon&end=2024-02-01", "Invalid start"),
    ],
)
async def test_coinbase_names_what_is_wrong(ask: Asker, query: str, message: str) -> None:
    answer = await ask.text("coinbaseexchange", f"/products/BTC-USD/candles?{query}")
    assert answer == (400, json.dumps({"message": message}))


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("interval=1m", -1102),
        ("symbol=BTCUSDT", -1102),
        ("symbol=BTCUSDT&interval=1w2", -1120),
        ("symbol=BTCUSDT&interval=1m&limit=ten", -1100),
        ("symbol=BTCUSDT&interval=1m&limit=0", -1130),
    ],
)
async def test_binance_refuses_with_its_codes(ask: Asker, query: str, code: int) -> None:
    status, text = await ask.text("binance", f"/api/v3/klines?{query}")
    assert (status, json.loads(text)["code"]) == (400, code)


async def test_binance_has_no_contracts_here(ask: Asker) -> None:
    for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo"):
        status, text = await ask.text("binance", path)
        assert (status, json.loads(text)["symbols"]) == (200, [])


async def test_clients_with_keys_load_currencies_too(
    simulator: ExchangeSimulator, connect: Callable[..., Any]
) -> None:
    for exchange in ("binance", "cryptocom"):
        client = connect(simulator, exchange, apiKey="key", secret="secret")
        assert await client.load_markets()


@pytest.mark.parametrize("limit", ["", "&limit=0", "&limit=1001", "&limit=many"])
async def test_bitstamp_refuses_a_limit_outside_1_to_1000(ask: Asker, limit: str) -> None:
    status, text = await ask.text("bitstamp", f"/api/v2/ohlc/btcusd/?step=60{limit}")
    assert status == 400
    assert json.loads(text)["reason"] == "Invalid limit parameter."


async def test_htx_sends_nothing_to_who_asks_for_more_than_1000(ask: Asker) -> None:
    path = "/market/history/candles?symbol=btcusdt&period=1min"
    assert len(await ask.times("htx", f"{path}&size=1000")) == 1000
    assert await ask.times("htx", f"{path}&size=1001") == []


async def test_a_day_of_htx_opens_at_16_and_holds_the_minutes_from_there_on(
    simulator: ExchangeSimulator, ask: Asker, now_ms: int
) -> None:
    path = "/market/history/candles?symbol=btcusdt&period=1day&size=3"
    days = await ask.times("htx", path)
    assert [day_ms % DAY_MS for day_ms in days] == [16 * HOUR_MS] * 3
    day_ms = days[1]
    day = simulator.true_candles("htx", "BTC/USDT", DAY_MS, day_ms, day_ms + 1)[0]
    minutes = simulator.true_candles("htx", "BTC/USDT", MINUTE_MS, day_ms, day_ms + DAY_MS)
    assert (day.open, day.close) == (minutes[0].open, minutes[-1].close)
    assert day.volume == sum(minute.volume for minute in minutes)


async def test_okx_says_of_a_row_whether_it_is_finished(ask: Asker) -> None:
    _, text = await ask.text("okx", "/api/v5/market/candles?instId=BTC-USDT&limit=3")
    assert [row[8] for row in json.loads(text)["data"]] == ["0", "1", "1"]


async def test_bybit_tells_spot_from_perpetual_by_the_category(ask: Asker) -> None:
    path = "/v5/market/kline?symbol=BTCUSDT&interval=1"
    assert await ask.times("bybit", path) == []
    assert await ask.times("bybit", f"{path}&category=linear") == []
    assert await ask.times("bybit", f"{path}&category=spot")


async def test_gate_refuses_what_opened_more_than_10000_candles_ago(
    ask: Asker, now_ms: int
) -> None:
    for name, step in (("1m", 60), ("1h", 3600)):
        path = f"/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval={name}"
        oldest = now_ms // 1000 // step * step - 9999 * step
        within = await ask.times("gate", f"{path}&from={oldest}&to={oldest + 60 * step}")
        assert within[0] >= oldest * 1000
        status, text = await ask.text("gate", f"{path}&from={oldest - step}&to={oldest}")
        assert status == 400
        assert "too long ago. Maximum 10000 points" in json.loads(text)["message"]


@pytest.mark.parametrize(
    ("query", "label"),
    [
        ("interval=1m", "MISSING_REQUIRED_PARAM"),
        ("currency_pair=BTC_USDT&interval=1m&limit=1001", "INVALID_PARAM_VALUE"),
        ("currency_pair=BTC_USDT&interval=1m&limit=10&from=1709640000", "INVALID_PARAM_VALUE"),
        ("currency_pair=BTC_USDT&interval=1m&from=1709640060&to=1709640000", "INVALID_PARAM_VALUE"),
    ],
)
async def test_gate_refuses_with_its_labels(ask: Asker, query: str, label: str) -> None:
    status, text = await ask.text("gate", f"/api/v4/spot/candlesticks?{query}")
    assert (status, json.loads(text)["label"]) == (400, label)


async def test_gate_says_of_a_row_whether_its_candle_has_closed(ask: Asker) -> None:
    _, text = await ask.text(
        "gate", "/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1m&limit=3"
    )
    assert [row[7] for row in json.loads(text)] == ["true", "true", "false"]


async def test_bitfinex_has_names_of_its_own(ask: Asker) -> None:
    for symbol in ("tBTCUST", "tETHUSD"):
        assert await ask.times("bitfinex", f"/v2/candles/trade:1h:{symbol}/hist?limit=5")
    status, _ = await ask.text("bitfinex", "/v2/candles/trade:1h:tBTCUSDT/hist")
    assert status == 500


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("interval=1m", -1128),
        ("symbol=BTCUSDT&interval=1h", -1121),
        ("symbol=BTCUSDT&interval=1m&limit=0", -1100),
        ("symbol=BTCUSDT&interval=1m&startTime=soon", -1100),
    ],
)
async def test_mexc_refuses_with_its_codes(ask: Asker, query: str, code: int) -> None:
    status, text = await ask.text("mexc", f"/api/v3/klines?{query}")
    assert (status, json.loads(text)["code"]) == (400, code)


async def test_a_market_without_trades_answers_an_empty_page(ask: Asker) -> None:
    path = "/exchange/v1/public/get-candlestick?instrument_name=BTCUSD-PERP&timeframe=1m"
    assert await ask.times("cryptocom", path) == []


async def test_other_methods_and_markets_of_other_exchanges_are_not_found(
    simulator: ExchangeSimulator, http: aiohttp.ClientSession
) -> None:
    async with http.get(f"{simulator.url}/bitso/api/v3/ticker") as answer:
        assert answer.status == 404
        assert "binance, binanceus" in (await answer.json())["message"]
    async with http.post(f"{simulator.base_url('kraken')}/0/public/OHLC") as answer:
        assert answer.status == 404
