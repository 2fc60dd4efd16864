"""What only one exchange does, asked on the wire."""

import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from exchange_simulator import ExchangeSimulator

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Asker:
    """Asks one simulator for candles by path and query."""

    def __init__(
        self, simulator: ExchangeSimulator, http: aiohttp.ClientSession, wires: dict[str, Any]
    ) -> None:
        self._simulator, self._http, self._wires = simulator, http, wires

    async def text(self, exchange: str, path: str) -> tuple[int, str]:
        async with self._http.get(self._simulator.base_url(exchange) + path) as answer:
            return answer.status, await answer.text()

    async def times(self, exchange: str, path: str) -> list[int]:
        """The open times of the rows in the order sent."""
        status, text = await self.text(exchange, path)
        assert status == 200, text
        return [row[0] for row in self._wires[exchange].candles(text)]


@pytest.fixture
def ask(simulator: ExchangeSimulator, http: aiohttp.ClientSession, wires: dict[str, Any]) -> Asker:
    return Asker(simulator, http, wires)


# Kraken


async def test_kraken_reaches_back_720_candles_whatever_since_says(ask: Asker, now_ms: int) -> None:
    for name, step_ms, since_seconds in (
        ("1", MINUTE_MS, 0),
        ("60", HOUR_MS, 1_600_000_000),
        ("1440", DAY_MS, 1_500_000_000),
    ):
        times = await ask.times(
            "kraken", f"/0/public/OHLC?pair=XXBTZUSD&interval={name}&since={since_seconds}"
        )
        oldest_ms = now_ms // step_ms * step_ms - 719 * step_ms
        assert oldest_ms <= times[0] <= oldest_ms + 50 * MINUTE_MS
        assert times[-1] == now_ms // step_ms * step_ms
        assert len(times) <= 720


async def test_kraken_since_is_exclusive_and_last_is_the_newest_closed_candle(
    ask: Asker, now_ms: int
) -> None:
    times = await ask.times("kraken", "/0/public/OHLC?pair=XBTUSD&interval=1")
    since_seconds = times[-10] // 1000
    path = f"/0/public/OHLC?pair=XBT/USD&interval=1&since={since_seconds}"
    assert await ask.times("kraken", path) == times[-9:]
    _, text = await ask.text("kraken", path)
    result = json.loads(text)["result"]
    assert set(result) == {"XXBTZUSD", "last"}
    assert result["last"] == str(times[-2] // 1000)


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


# Coinbase


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


async def test_coinbase_takes_start_and_end_both_as_included(ask: Asker, now_ms: int) -> None:
    newest = await ask.times("coinbaseexchange", "/products/BTC-USD/candles?granularity=60")
    first, last = newest[200] // 1000, newest[100] // 1000
    path = f"/products/BTC-USD/candles?granularity=60&start={first}&end={last}"
    assert await ask.times("coinbaseexchange", path) == newest[100:201]


async def test_coinbase_sends_its_newest_300_without_both_of_start_and_end(
    ask: Asker, now_ms: int
) -> None:
    for query in ("", "&start=2024-01-01T00:00:00Z", "&end=2024-01-01T00:00:00Z"):
        times = await ask.times(
            "coinbaseexchange", f"/products/BTC-USD/candles?granularity=60{query}"
        )
        assert len(times) == 300
        assert times[0] == now_ms // MINUTE_MS * MINUTE_MS


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


# Binance


@pytest.mark.parametrize("exchange", ["binance", "binanceus"])
async def test_binance_sends_the_oldest_from_the_start_and_else_the_newest(
    ask: Asker, exchange: str, now_ms: int
) -> None:
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1m"
    newest = await ask.times(exchange, path)
    assert len(newest) == 500
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times(exchange, f"{path}&limit=5000")) == 1000
    span = f"&startTime={newest[100]}&endTime={newest[199]}"
    assert await ask.times(exchange, path + span) == newest[100:200]
    assert await ask.times(exchange, f"{path}{span}&limit=7") == newest[100:107]
    assert await ask.times(exchange, f"{path}&endTime={newest[199]}&limit=7") == newest[193:200]


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


# Bitstamp


async def test_bitstamp_sends_the_oldest_of_a_range_longer_than_the_limit(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v2/ohlc/btcusd/?step=60&limit={}"
    newest = await ask.times("bitstamp", path.format(1000))
    assert len(newest) == 1000
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&start={newest[100] // 1000}&end={newest[199] // 1000}"
    assert await ask.times("bitstamp", path.format(1000) + span) == newest[100:200]
    assert await ask.times("bitstamp", path.format(7) + span) == newest[100:107]
    end = f"&end={newest[199] // 1000}"
    assert await ask.times("bitstamp", path.format(7) + end) == newest[193:200]
    without_current = await ask.times("bitstamp", path.format(9) + "&exclude_current_candle=true")
    assert without_current == newest[-10:-1]


@pytest.mark.parametrize("limit", ["", "&limit=0", "&limit=1001", "&limit=many"])
async def test_bitstamp_refuses_a_limit_outside_1_to_1000(ask: Asker, limit: str) -> None:
    status, text = await ask.text("bitstamp", f"/api/v2/ohlc/btcusd/?step=60{limit}")
    assert status == 400
    assert json.loads(text)["reason"] == "Invalid limit parameter."


# Crypto.com


async def test_cryptocom_excludes_start_and_end_and_sends_the_newest_of_a_longer_range(
    ask: Asker, now_ms: int
) -> None:
    path = "/exchange/v1/public/get-candlestick?instrument_name=BTC_USD&timeframe=1m"
    assert len(await ask.times("cryptocom", path)) == 25
    newest = await ask.times("cryptocom", f"{path}&count=1000")
    assert len(newest) == 300
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&start_ts={newest[100]}&end_ts={newest[199]}"
    assert await ask.times("cryptocom", f"{path}&count=300{span}") == newest[101:199]
    assert await ask.times("cryptocom", f"{path}&count=7{span}") == newest[192:199]


# HTX


async def test_htx_sends_the_oldest_from_a_start_and_else_the_newest(
    ask: Asker, now_ms: int
) -> None:
    path = "/market/history/candles?symbol=btcusdt&period=1min"
    newest = await ask.times("htx", path)
    assert len(newest) == 150
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    first, last = newest[100] // 1000, newest[50] // 1000
    assert await ask.times("htx", f"{path}&from={first}&to={last}") == newest[50:101]
    assert await ask.times("htx", f"{path}&from={first}&size=7") == newest[94:101]
    assert await ask.times("htx", f"{path}&to={last}&size=7") == newest[50:57]


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


# KuCoin


async def test_kucoin_sends_the_newest_1500_of_a_range_whose_ends_are_included(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v1/market/candles?symbol=BTC-USDT&type=1min"
    newest = await ask.times("kucoin", path)
    assert len(newest) == 1500
    assert newest[0] <= now_ms
    first, last = newest[200] // 1000, newest[100] // 1000
    assert await ask.times("kucoin", f"{path}&startAt={first}&endAt={last}") == newest[100:201]
    long_ago = first - 2 * 86_400
    page = await ask.times("kucoin", f"{path}&startAt={long_ago}&endAt={last}")
    assert (len(page), page[0]) == (1500, newest[100])


# OKX


async def test_okx_excludes_both_ends_and_sends_the_newest_of_a_longer_range(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v5/market/candles?instId=BTC-USDT"
    assert len(await ask.times("okx", path)) == 100
    newest = await ask.times("okx", f"{path}&limit=1000")
    assert len(newest) == 300
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&before={newest[200]}&after={newest[100]}"
    assert await ask.times("okx", f"{path}{span}&limit=300") == newest[101:200]
    assert await ask.times("okx", f"{path}{span}&limit=7") == newest[101:108]
    assert await ask.times("okx", f"{path}&before={newest[200]}&limit=7") == newest[:7]


async def test_okx_has_recent_candles_on_one_path_and_all_closed_ones_on_another(
    ask: Asker, now_ms: int
) -> None:
    current_ms = now_ms // MINUTE_MS * MINUTE_MS
    oldest_ms = current_ms - 1439 * MINUTE_MS
    span = f"?instId=BTC-USDT&limit=300&before={oldest_ms - DAY_MS}&after={{}}"
    recent, history = "/api/v5/market/candles", "/api/v5/market/history-candles"
    assert await ask.times("okx", recent + span.format(oldest_ms)) == []
    reached = await ask.times("okx", recent + span.format(oldest_ms + 100 * MINUTE_MS))
    assert reached[-1] == oldest_ms
    assert len(await ask.times("okx", history + span.format(oldest_ms))) == 300
    assert (await ask.times("okx", f"{history}?instId=BTC-USDT"))[0] == current_ms - MINUTE_MS


async def test_okx_says_of_a_row_whether_it_is_finished(ask: Asker) -> None:
    _, text = await ask.text("okx", "/api/v5/market/candles?instId=BTC-USDT&limit=3")
    assert [row[8] for row in json.loads(text)["data"]] == ["0", "1", "1"]


# Bybit


async def test_bybit_sends_the_oldest_from_a_start_alone_and_else_the_newest(
    ask: Asker, now_ms: int
) -> None:
    path = "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1"
    newest = await ask.times("bybit", path)
    assert len(newest) == 200
    assert newest[0] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times("bybit", f"{path}&limit=5000")) == 1000
    span = f"&start={newest[100]}&end={newest[50]}"
    assert await ask.times("bybit", path + span) == newest[50:101]
    assert await ask.times("bybit", f"{path}{span}&limit=7") == newest[50:57]
    assert await ask.times("bybit", f"{path}&start={newest[100]}&limit=7") == newest[94:101]


async def test_bybit_shows_the_candle_that_holds_the_start(ask: Asker) -> None:
    path = "/v5/market/kline?category=spot&symbol=BTCUSDT&interval=1"
    newest = await ask.times("bybit", path)
    assert (await ask.times("bybit", f"{path}&start={newest[9] + 1}&limit=2"))[-1] == newest[9]


async def test_bybit_tells_spot_from_perpetual_by_the_category(ask: Asker) -> None:
    path = "/v5/market/kline?symbol=BTCUSDT&interval=1"
    assert await ask.times("bybit", path) == []
    assert await ask.times("bybit", f"{path}&category=linear") == []
    assert await ask.times("bybit", f"{path}&category=spot")


# Gate


async def test_gate_takes_both_ends_as_included_and_refuses_more_than_1000(
    ask: Asker, now_ms: int
) -> None:
    path = "/api/v4/spot/candlesticks?currency_pair=BTC_USDT&interval=1m"
    newest = await ask.times("gate", f"{path}&limit=1000")
    assert len(newest) == 1000
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    assert len(await ask.times("gate", path)) == 100
    span = f"&from={newest[100] // 1000}&to={newest[199] // 1000}"
    assert await ask.times("gate", path + span) == newest[100:200]
    assert await ask.times("gate", f"{path}&to={newest[199] // 1000}&") == newest[100:200]
    start = now_ms // MINUTE_MS * 60 - 90_000
    assert await ask.times("gate", f"{path}&from={start}&to={start + 999 * 60}")
    status, text = await ask.text("gate", f"{path}&from={start}&to={start + 1000 * 60}")
    assert status == 400
    assert json.loads(text)["message"].startswith("Candlestick range too broad. Maximum 1000")


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


# Bitfinex


async def test_bitfinex_sends_the_newest_first_unless_it_is_asked_for_the_oldest(
    ask: Asker, now_ms: int
) -> None:
    path = "/v2/candles/trade:1m:tBTCUSD/hist"
    newest = await ask.times("bitfinex", f"{path}?limit=300")
    assert newest == sorted(newest, reverse=True)
    assert len(newest) == 300
    assert len(await ask.times("bitfinex", path)) == 100
    span = f"start={newest[199]}&end={newest[100]}"
    assert await ask.times("bitfinex", f"{path}?limit=300&{span}") == newest[100:200]
    assert await ask.times("bitfinex", f"{path}?limit=7&{span}") == newest[100:107]
    oldest = await ask.times("bitfinex", f"{path}?limit=7&sort=1&{span}")
    assert oldest == newest[199:192:-1]
    status, text = await ask.text("bitfinex", f"{path}?limit=10001")
    assert (status, json.loads(text)) == (500, ["error", 10020, "limit: invalid"])


async def test_bitfinex_has_names_of_its_own(ask: Asker) -> None:
    for symbol in ("tBTCUST", "tETHUSD"):
        assert await ask.times("bitfinex", f"/v2/candles/trade:1h:{symbol}/hist?limit=5")
    status, _ = await ask.text("bitfinex", "/v2/candles/trade:1h:tBTCUSDT/hist")
    assert status == 500


# MEXC


async def test_mexc_sends_500_at_most_and_excludes_the_end(ask: Asker, now_ms: int) -> None:
    path = "/api/v3/klines?symbol=BTCUSDT&interval=1m"
    newest = await ask.times("mexc", f"{path}&limit=1000")
    assert len(newest) == 500
    assert newest[-1] == now_ms // MINUTE_MS * MINUTE_MS
    span = f"&startTime={newest[100]}&endTime={newest[199]}"
    assert await ask.times("mexc", path + span) == newest[100:199]
    assert await ask.times("mexc", f"{path}{span}&limit=7") == newest[100:107]


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


# Gemini


async def test_gemini_answers_all_that_it_reaches_back_to_newest_first(
    ask: Asker, now_ms: int
) -> None:
    for name, step_ms, rows in (
        ("1m", MINUTE_MS, 1440),
        ("1hr", HOUR_MS, 1488),
        ("1day", DAY_MS, 365),
    ):
        times = await ask.times("gemini", f"/v2/candles/btcusd/{name}?since=0&limit=5")
        assert times[0] == now_ms // step_ms * step_ms
        assert times == sorted(times, reverse=True)
        assert rows * 0.95 < len(times) <= rows
    assert await ask.times("gemini", "/v2/candles/BTCUSD/1m")


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
